"""Every text that a store holds, unpacked: compressed documents, snapshots in snapshots, values in parts."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from bokit.store.dynamo.store import DynamoStore
from bokit.store.memory.store import MemoryStore
from bokit.values import Value, fields_of


def stored_texts(store: Any) -> Iterator[str]:
    """Yield every text of *store*, in memory or in the table."""
    if isinstance(store, MemoryStore):
        yield from texts_of(vars(store), set())
        return
    assert isinstance(store, DynamoStore)
    yield from texts_of_table(scan(store))


def scan(store: DynamoStore) -> list[dict[str, Any]]:
    """Return every item of the table, as DynamoDB returns it."""
    items: list[dict[str, Any]] = []
    position: dict[str, Any] = {}
    while True:
        page = store.client.scan(TableName=store._table._row.Meta.table_name, **position)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def texts_of_table(items: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the texts of items; parts of one value are joined before they are unpacked."""
    parts: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
    for item in items:
        for value in item.values():
            yield from texts_of(value, set())
        if "#PARTS#" in item["pk"]["S"] and "packed" in item:
            stamp, _, place = item["sk"]["S"].rpartition("#")
            parts.setdefault((item["pk"]["S"], stamp), []).append((place, item["packed"]["B"]))
    for chunks in parts.values():
        yield from texts_of(b"".join(chunk for _, chunk in sorted(chunks)), set())


def texts_of(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield every text within *value*, of values in memory each object once."""
    if isinstance(value, str):
        yield value
        return
    if isinstance(value, (bytes, bytearray)) or type(value).__name__ == "Binary":
        yield from _texts_of_bytes(bytes(value))
        return
    if value is None or isinstance(value, (bool, int, float, type)) or callable(value) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        inner: Any = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = value
    elif isinstance(value, Value):
        inner = [getattr(value, name) for name in fields_of(type(value))]
    else:
        inner = vars(value).values() if hasattr(value, "__dict__") else ()
    for one in list(inner):
        yield from texts_of(one, seen)


def _texts_of_bytes(raw: bytes) -> Iterator[str]:
    yield raw.decode("utf-8", "replace")
    for start in {0, *_starts(raw)}:
        try:
            unpacked = zlib.decompressobj().decompress(raw[start:])
        except zlib.error:
            continue
        if unpacked:
            yield from _texts_of_bytes(unpacked)


def _starts(raw: bytes) -> Iterator[int]:
    """Yield where compressed bytes may begin within *raw*: a snapshot's content follows its memory."""
    for mark in (b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
        at = raw.find(mark)
        while at >= 0:
            yield at
            at = raw.find(mark, at + 1)
