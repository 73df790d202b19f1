"""Counts what DynamoDB bills for the requests of a store on moto, by the sizes of the items that they touch.

A write: a unit for each KB of the item, before or after it, whichever is larger; twice in a transaction; and one or two
more where the item's entry in the index is added, removed or moved. A read: a unit for each 4 KB, an item of its own or all
items of a query together; half as much from the index, whose reads are not consistent.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bokit.store.dynamo.store import DynamoStore

KIB = 1024
WRITES = ("PutItem", "UpdateItem", "DeleteItem")
INDEX_KEYS = ("due_pk", "due_at")


@dataclass(frozen=True, slots=True)
class Units:
    """What was billed."""

    writes: int = 0
    reads: float = 0


class TableUnits:
    """The units of every request since it was made."""

    def __init__(self, store: DynamoStore) -> None:
        self.store, self._writes, self._reads, self._thread = store, Counter[str](), 0.0, threading.local()
        events = store.client.meta.events
        events.register("provide-client-params.dynamodb.*", self._note_request)
        events.register("after-call.dynamodb.*", self._count)

    @property
    def now(self) -> Units:
        """All units so far."""
        return Units(sum(self._writes.values()), self._reads)

    def take(self) -> Units:
        """Return the units so far, and count from zero again."""
        taken = self.now
        self._writes.clear()
        self._reads = 0.0
        return taken

    def _note_request(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if not self._is_own():
            self._thread.params, self._thread.before = params, [self._find(each) for each, _ in writes_of(model.name, params)]

    def _count(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if self._is_own():
            return
        params = self._thread.params
        for (action, times), before in zip(writes_of(model.name, params), self._thread.before, strict=True):
            self._add_write(action, times, before)
        if model.name in ("GetItem", "BatchGetItem"):
            self._reads += sum(read_units(size) for size in self._sizes_of_gets(model.name, params))
        elif model.name in ("Query", "Scan"):
            self._reads += self._units_of_query(model.name, params)

    # ── writes ──

    def _add_write(self, action: dict[str, Any], times: int, before: dict[str, Any]) -> None:
        after = self._find(action)
        size = max(size_of_item(before), size_of_item(after), 1)
        moved = sum(has_entry(item) for item in (before, after)) if entry_of(before) != entry_of(after) else 0
        self._writes[key_of(action)["pk"]["S"]] += times * math.ceil(size / KIB) + moved

    # ── reads: what DynamoDB reads, not what it returns ──

    def _sizes_of_gets(self, operation: str, params: dict[str, Any]) -> list[int]:
        if operation == "GetItem":
            return [size_of_item(self._find(params))]
        keys = params["RequestItems"][self.store.table_name]["Keys"]
        return [size_of_item(self._find({"Key": key})) for key in keys]

    def _units_of_query(self, operation: str, params: dict[str, Any]) -> float:
        """Read the same once more: without what returns or counts less than is read."""
        names = set(params) - {"ProjectionExpression", "Select", "FilterExpression", "ReturnConsumedCapacity"}
        asked = {name: params[name] for name in names}
        if "ExpressionAttributeNames" in asked:
            used = str(asked.get("KeyConditionExpression"))
            asked["ExpressionAttributeNames"] = {n: v for n, v in asked["ExpressionAttributeNames"].items() if n in used}
        if "FilterExpression" in params:
            used = str(asked.get("KeyConditionExpression"))
            asked["ExpressionAttributeValues"] = {n: v for n, v in params["ExpressionAttributeValues"].items() if n in used}
        asked = {name: value for name, value in asked.items() if value != {}}
        call = self.store.client.query if operation == "Query" else self.store.client.scan
        with self._asking():
            items = call(**asked)["Items"]
        units = read_units(sum(map(size_of_item, items)))
        return units if params.get("ConsistentRead") else units / 2

    # ── its own requests, which are not counted ──

    def _find(self, action: dict[str, Any]) -> dict[str, Any]:
        with self._asking():
            found = self.store.client.get_item(TableName=self.store.table_name, Key=key_of(action), ConsistentRead=True)
        item: dict[str, Any] = found.get("Item", {})
        return item

    def _is_own(self) -> bool:
        return bool(getattr(self._thread, "is_asking", False))

    def _asking(self) -> _Asking:
        return _Asking(self._thread)


class _Asking:
    def __init__(self, thread: Any) -> None:
        self.thread = thread

    def __enter__(self) -> None:
        self.thread.is_asking = True

    def __exit__(self, *_: object) -> None:
        self.thread.is_asking = False


def writes_of(operation: str, params: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """Return each write of a request, with how often it is billed."""
    if operation in WRITES:
        return [(params, 1)]
    if operation == "TransactWriteItems":
        return [(next(iter(action.values())), 2) for action in params["TransactItems"]]
    if operation == "BatchWriteItem":
        return [(next(iter(request.values())), 1) for requests in params["RequestItems"].values() for request in requests]
    return []


def key_of(action: dict[str, Any]) -> dict[str, Any]:
    """Return the key of the item that a request is about."""
    key: dict[str, Any] = action.get("Key") or {name: action["Item"][name] for name in ("pk", "sk")}
    return key


def entry_of(item: dict[str, Any]) -> list[Any]:
    """Return the item's place in the index."""
    return [item.get(name) for name in INDEX_KEYS]


def has_entry(item: dict[str, Any]) -> bool:
    """Return whether the index has an entry of the item."""
    return None not in entry_of(item)


def read_units(size: int) -> int:
    """Return the units of a consistent read of so many bytes."""
    return max(1, math.ceil(size / (4 * KIB)))


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
