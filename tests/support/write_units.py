"""Counts the write units of a store on moto, as DynamoDB bills them: by the size of the whole item, twice in a transaction."""

from __future__ import annotations

import math
import threading
from collections import Counter
from typing import Any

from bokit.store.dynamo.store import DynamoStore

KIB = 1024


class WriteUnits:
    """The units of every write since it was made. Moves within the index are not counted: one or two units each."""

    def __init__(self, store: DynamoStore) -> None:
        self.store, self.units, self._thread = store, Counter[str](), threading.local()
        events = store.client.meta.events
        events.register("provide-client-params.dynamodb.*", self._note_request)
        events.register("after-call.dynamodb.*", self._count)

    @property
    def total(self) -> int:
        """All units."""
        return sum(self.units.values())

    def take(self) -> int:
        """Return the units so far, and count from zero again."""
        total = self.total
        self.units.clear()
        return total

    def _note_request(self, params: dict[str, Any], **_: Any) -> None:
        if not getattr(self._thread, "is_reading", False):
            self._thread.params = params

    def _count(self, model: Any, **_: Any) -> None:
        if getattr(self._thread, "is_reading", False):
            return
        params = self._thread.params
        if model.name in ("PutItem", "UpdateItem", "DeleteItem"):
            self._add(params, 1)
        for action in params.get("TransactItems", ()):
            self._add(next(iter(action.values())), 2)
        for request in params.get("RequestItems", {}).get(self.store.table_name, ()) if model.name == "BatchWriteItem" else ():
            self._add(next(iter(request.values())), 1)

    def _add(self, action: dict[str, Any], times: int) -> None:
        key = action.get("Key") or {name: action["Item"][name] for name in ("pk", "sk")}
        self._thread.is_reading = True
        try:
            item = self.store.client.get_item(TableName=self.store.table_name, Key=key).get("Item", {})
        finally:
            self._thread.is_reading = False
        self.units[key["pk"]["S"]] += times * max(1, math.ceil(size_of_item(item) / KIB))


def size_of_item(item: dict[str, Any]) -> int:
    """Return the bytes of an item, names included."""
    return sum(len(name) + _size(value) for name, value in item.items())


def _size(value: dict[str, Any]) -> int:
    ((kind, inner),) = value.items()
    if kind == "S":
        return len(inner.encode())
    if kind in ("N", "B"):
        return len(inner) if kind == "B" else len(inner) // 2 + 2
    if kind == "SS":
        return sum(len(text.encode()) for text in inner)
    if kind == "M":
        return 3 + sum(len(name) + _size(part) + 1 for name, part in inner.items())
    return 1
