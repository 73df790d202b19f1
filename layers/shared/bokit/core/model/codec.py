"""Values to JSON documents and back, by the types that the dataclasses declare. Pure.

Times are integers, microseconds since 1970 in UTC, and spans are integers of microseconds: nothing drifts, nothing
is a ``Decimal``. What equals its default is left out, so that heads stay small, and a field that came later reads as
its default from older rows. Names that a newer version wrote are passed over.
"""

from __future__ import annotations

import json
import types
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from bokit.core.model.records import Json, Record, TenantId
from bokit.core.model.scheduling import SourceSchedule
from bokit.store.protocols import Published, Snapshot

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CHUNK = 350_000
"""Bytes of one item's chunk; DynamoDB takes 400 KB an item, names and keys included."""


def write_time(moment: datetime) -> int:
    """Return *moment* in microseconds since 1970; raises TypeError where it has no timezone."""
    return (moment - EPOCH) // MICROSECOND


def read_time(number: int) -> datetime:
    """Return the moment, in UTC, that :func:`write_time` wrote."""
    return EPOCH + int(number) * MICROSECOND


def write_json(value: Json) -> str:
    """Return *value* as compact ASCII, so that no string, not even half a surrogate pair, can break a row."""
    return json.dumps(value, separators=(",", ":"))


def settle_json(value: T) -> T:
    """Return *value* as the table would give it back: a copy, tuples as lists; raises TypeError for what is no JSON."""
    return json.loads(json.dumps(value))  # type: ignore[no-any-return]


def write_document(value: object) -> str:
    """Return a dataclass's value as a JSON document."""
    kind: Any = type(value)
    return write_json(_shape_of(kind).write(value))


def read_document(kind: type[T], document: str) -> T:
    """Return the value of *kind* that :func:`write_document` wrote."""
    hint: Any = kind
    return _shape_of(hint).read(json.loads(document))  # type: ignore[no-any-return]


def write_schedule_line(schedule: SourceSchedule) -> str:
    """Return a source's line in its shard; short, since a hundred of them are rewritten by each batch.

    A success at the time of the attempt, which is the usual case, is written as 1.
    """
    attempted, succeeded = _maybe(schedule.attempted_at), _maybe(schedule.succeeded_at)
    last = 1 if succeeded is not None and succeeded == attempted else succeeded
    span = schedule.interval // MICROSECOND
    return write_json([schedule.tenant, _maybe(schedule.due_at), span, attempted, last, schedule.failures])


def read_schedule_line(line: str) -> SourceSchedule:
    """Return the line that :func:`write_beat` wrote."""
    tenant, due, span, attempted, last, failures = json.loads(line)
    succeeded = attempted if last == 1 else last
    return SourceSchedule(
        tenant=TenantId(tenant),
        due_at=_read_maybe(due),
        interval=span * MICROSECOND,
        attempted_at=_read_maybe(attempted),
        succeeded_at=_read_maybe(succeeded),
        failures=failures,
    )


def settle_record(record: Record) -> Record:
    """Return *record* with its fields as the table would give them back; for the store that has no rows."""
    edits = {
        name: replace(edit, value=settle_json(edit.value), base=settle_json(edit.base)) for name, edit in record.edits.items()
    }
    return replace(record, remote=settle_json(record.remote), memory=settle_json(record.memory), edits=edits)


def pack(document: str) -> bytes:
    """Return *document* compressed."""
    return zlib.compress(document.encode())


def unpack(packed: bytes) -> str:
    """Return the document that :func:`pack` compressed."""
    return zlib.decompress(packed).decode()


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot's memory and content, compressed as one."""
    return _pack_two(write_json(dict(snapshot.memory)), snapshot.content)


def unpack_snapshot(packed: bytes, version: int) -> Snapshot:
    """Return the snapshot that :func:`pack_snapshot` compressed."""
    memory, content = _unpack_two(packed)
    return Snapshot(content=content, memory=json.loads(memory), version=version)


def pack_page(page: Published) -> bytes:
    """Return a published page, compressed as one: its body as it is, and a document of the rest."""
    return _pack_two(write_document(replace(page, body=b"")), page.body)


def unpack_page(packed: bytes) -> Published:
    """Return the page that :func:`pack_page` compressed."""
    told, body = _unpack_two(packed)
    return replace(read_document(Published, told), body=body)


def _pack_two(document: str, content: bytes) -> bytes:
    told = document.encode()
    return zlib.compress(len(told).to_bytes(4, "big") + told + content)


def _unpack_two(packed: bytes) -> tuple[str, bytes]:
    told = zlib.decompress(packed)
    end = 4 + int.from_bytes(told[:4], "big")
    return told[4:end].decode(), told[end:]


def cut_chunks(packed: bytes, size: int = CHUNK) -> list[bytes]:
    """Return *packed* in pieces that fit one item each; at least one."""
    return [packed[at : at + size] for at in range(0, len(packed), size)] or [b""]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How values of one type are written and read."""

    write: Callable[[Any], Json]
    read: Callable[[Any], Any]


_AS_IT_IS = _Shape(write=lambda value: value, read=lambda value: value)
_TIME = _Shape(write=write_time, read=read_time)
_BYTES = _Shape(write=lambda told: b64encode(told).decode(), read=b64decode)
_SPAN = _Shape(write=lambda span: span // MICROSECOND, read=lambda number: number * MICROSECOND)


@cache
def _shape_of(hint: Any) -> _Shape:
    """Return how *hint* is written: a dataclass by its fields, a container by what it holds, all else as it is."""
    hint = getattr(hint, "__supertype__", hint)  # a NewType
    if hint is datetime or hint is timedelta:
        return _TIME if hint is datetime else _SPAN
    if is_dataclass(hint):
        return _shape_of_dataclass(hint)
    if hint is bytes:
        return _BYTES
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _Shape(write=lambda member: member.value, read=hint)
    return _shape_of_container(hint)


def _shape_of_container(hint: Any) -> _Shape:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        shape = _shape_of(next(kind for kind in inner if kind is not type(None)))
        return _Shape(
            write=lambda value: None if value is None else shape.write(value),
            read=lambda value: None if value is None else shape.read(value),
        )
    if origin is tuple:
        shape = _shape_of(inner[0])
        return _Shape(write=lambda items: [shape.write(i) for i in items], read=lambda items: tuple(shape.read(i) for i in items))
    if origin is frozenset:
        shape = _shape_of(inner[0])
        return _Shape(
            write=lambda items: sorted(shape.write(i) for i in items), read=lambda items: frozenset(shape.read(i) for i in items)
        )
    if origin is Mapping:
        shape = _shape_of(inner[1])
        return _Shape(
            write=lambda mapping: {name: shape.write(value) for name, value in mapping.items()},
            read=lambda mapping: {name: shape.read(value) for name, value in mapping.items()},
        )
    return _AS_IT_IS


def _shape_of_dataclass(kind: Any) -> _Shape:
    hints = get_type_hints(kind)
    shapes = {field.name: _shape_of(hints[field.name]) for field in fields(kind)}
    defaults = {
        field.name: field.default_factory() if field.default_factory is not MISSING else field.default for field in fields(kind)
    }

    def write(value: Any) -> Json:
        told = ((name, shape, getattr(value, name)) for name, shape in shapes.items())
        return {name: shape.write(given) for name, shape, given in told if given != defaults[name]}

    def read(document: Any) -> Any:
        return kind(**{name: shapes[name].read(given) for name, given in document.items() if name in shapes})

    return _Shape(write=write, read=read)


def _maybe(moment: datetime | None) -> int | None:
    return None if moment is None else write_time(moment)


def _read_maybe(number: int | None) -> datetime | None:
    return None if number is None else read_time(number)
