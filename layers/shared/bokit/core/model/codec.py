"""Values to JSON and back, by the types that their classes declare.

Stored documents hold times and spans as integers of microseconds (times since 1970, in UTC), which do not drift. A field
that equals its default is left out: heads stay small, and a field that came later reads as its default from older rows.
Unknown names, written by a newer version, are skipped.

Fields are stored under their names for ever. A field that is renamed is listed in ``STORED_NAMES``.
"""

from __future__ import annotations

import json
import types
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from bokit.core.model.documents import write_time
from bokit.core.model.json_text import make_writer
from bokit.core.model.records import FieldChange, Fields, Json, NewFields, Record, TenantId
from bokit.core.model.scheduling import Failure, SourceSchedule
from bokit.values import MISSING, Value, defaults_of, fields_of, replace

T = TypeVar("T")
StoredNames = Mapping[type[Any], Mapping[str, str]]
"""By class: a field's name today, and the name under which it is stored."""

STORED_NAMES: StoredNames = {Failure: {"notified": "told"}}
"""Every field that was renamed after it was first stored.

Without its line here, a renamed field reads as its default from every existing table.
``tests/contract/test_stored_by_former_releases.py`` finds a line that is missing.
"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def write_micros(moment: datetime) -> int:
    """Return *moment* in microseconds since 1970; raises TypeError if it has no timezone."""
    return (moment - EPOCH) // MICROSECOND


def read_micros(number: int) -> datetime:
    """Return the moment, in UTC, that :func:`write_micros` wrote."""
    return EPOCH + int(number) * MICROSECOND


def dump_json(value: Json) -> str:
    """Return *value* as compact ASCII, which no string can break, not even half a surrogate pair."""
    return _write_text(value)


_write_text = make_writer()


def copy_json(value: T) -> T:
    """Return *value* as the table would return it: a copy, tuples as lists; raises TypeError if it is not JSON."""
    return json.loads(json.dumps(value))  # type: ignore[no-any-return]


def copy_record(record: Record) -> Record:
    """Return *record* as the table would return it; for the store that has no table."""
    edits = {name: replace(edit, value=copy_json(edit.value), base=copy_json(edit.base)) for name, edit in record.edits.items()}
    return replace(record, remote=copy_json(record.remote), memory=copy_json(record.memory), edits=edits)


def pack(document: str) -> bytes:
    """Return *document* compressed."""
    return zlib.compress(document.encode())


def unpack(packed: bytes) -> str:
    """Return the document that :func:`pack` compressed."""
    return zlib.decompress(packed).decode()


class _Shape(Value, kw_only=False):
    """How values of one type are written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


_AS_IS = _Shape(lambda value: value, lambda value: value)
_BYTES = _Shape(lambda content: b64encode(content).decode(), b64decode)
_SPAN = _Shape(lambda span: span // MICROSECOND, lambda number: number * MICROSECOND)
_MICROS = _Shape(write_micros, read_micros)
_ISO = _Shape(write_time, datetime.fromisoformat)


class Codec:
    """Writes and reads values by the types of their fields, each field under its stored name."""

    def __init__(self, stored_names: StoredNames, *, time: _Shape = _MICROS, omits_defaults: bool = True) -> None:
        self._stored_names, self._omits_defaults = stored_names, omits_defaults
        self._shapes: dict[Any, _Shape] = {datetime: time, timedelta: _SPAN, bytes: _BYTES}

    def write(self, value: object) -> dict[str, Json]:
        """Return a value as JSON."""
        return self._shape_of(type(value)).write(value)  # type: ignore[no-any-return]

    def read(self, kind: type[T], value: Json) -> T:
        """Return the value of *kind* that :meth:`write` wrote."""
        return self._shape_of(kind).read(value)  # type: ignore[no-any-return]

    def write_document(self, value: object) -> str:
        """Return a value as the text of a JSON document."""
        return dump_json(self.write(value))

    def read_document(self, kind: type[T], document: str, beside: Fields | None = None) -> T:
        """Return the value of *kind* that :meth:`write_document` wrote; *beside*: fields that are stored beside the document."""
        found = json.loads(document)
        return self.read(kind, {**found, **beside} if beside else found)

    def _shape_of(self, hint: Any) -> _Shape:
        """Return how *hint* is written; worked out once for each type."""
        shape = self._shapes.get(hint)
        if shape is None:
            shape = self._shapes[hint] = self._make_shape(hint)
        return shape

    def _make_shape(self, hint: Any) -> _Shape:
        if inner := getattr(hint, "__supertype__", None):  # a NewType
            return self._shape_of(inner)
        if isinstance(hint, type) and issubclass(hint, Value):
            return self._shape_of_value(hint)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return _Shape(lambda member: member.value, hint)
        return self._shape_of_container(get_origin(hint), get_args(hint))

    def _shape_of_container(self, origin: Any, inner: tuple[Any, ...]) -> _Shape:
        if origin in (Union, types.UnionType):
            one = self._shape_of(next(kind for kind in inner if kind is not type(None)))
            return _Shape(lambda v: None if v is None else one.write(v), lambda v: None if v is None else one.read(v))
        if origin is tuple:
            one = self._shape_of(inner[0])
            return _Shape(lambda items: [one.write(i) for i in items], lambda items: tuple(one.read(i) for i in items))
        if origin is frozenset:
            one = self._shape_of(inner[0])
            return _Shape(lambda items: sorted(one.write(i) for i in items), lambda items: frozenset(one.read(i) for i in items))
        if origin is Mapping:
            one = self._shape_of(inner[1])
            if one is _AS_IS:
                return _Shape(dict, dict)
            write = self._changes_writer(one) if inner[1] is FieldChange else partial(_write_mapping, one)
            return _Shape(write, lambda mapping: {name: one.read(value) for name, value in mapping.items()})
        return _AS_IS

    def _changes_writer(self, one: _Shape) -> Callable[[Mapping[str, FieldChange]], Json]:
        """Return what writes the changes of a record's fields: those of a new record are not made for it."""
        before, after = self._stored_names_of(FieldChange).values()

        def write(changes: Mapping[str, FieldChange]) -> Json:
            if isinstance(changes, NewFields):
                return {name: {before: None, after: value} for name, value in changes.after.items()}
            return _write_mapping(one, changes)

        return write

    def _shape_of_value(self, kind: type[Value]) -> _Shape:
        hints, stored = get_type_hints(kind), self._stored_names_of(kind)
        columns = [(name, stored[name], self._shape_of(hints[name]), default) for name, default in defaults_of(kind).items()]
        is_full, by_stored_name = (
            not self._omits_defaults,
            {stored_name: (name, None if shape is _AS_IS else shape.read) for name, stored_name, shape, _ in columns},
        )

        read_values = _values_reader([name for name, *_ in columns])
        written = [(stored_name, None if shape is _AS_IS else shape.write, default) for _, stored_name, shape, default in columns]

        def write(value: Any) -> Json:
            document = {}
            for (stored_name, write_one, default), one in zip(written, read_values(value), strict=True):
                if is_full or (one is not default and one != default):
                    document[stored_name] = one if write_one is None else write_one(one)
            return document

        def write_plain(value: Any) -> Json:
            return dict(zip(stored_names, read_values(value), strict=True))

        def read(document: Any) -> Any:
            known = ((by_stored_name[name], value) for name, value in document.items() if name in by_stored_name)
            return kind(**{name: value if read_one is None else read_one(value) for (name, read_one), value in known})

        stored_names = [stored_name for stored_name, *_ in written]
        is_plain = all(write_one is None and (is_full or default is MISSING) for _, write_one, default in written)
        return _Shape(write_plain if is_plain else write, read)

    def _stored_names_of(self, kind: type[Value]) -> dict[str, str]:
        """Return the stored name of each field of *kind*; raises TypeError if the table of names cannot be right."""
        renamed, names = self._stored_names.get(kind, {}), fields_of(kind)
        stored = {name: renamed.get(name, name) for name in names}
        if unknown := sorted(set(renamed) - set(names)):
            raise TypeError(f"{kind.__name__} has no field {unknown[0]!r} that could have a stored name")
        if len(set(stored.values())) < len(stored):
            raise TypeError(f"two fields of {kind.__name__} have the same stored name")
        return stored


def _write_mapping(one: _Shape, mapping: Mapping[str, Any]) -> Json:
    return {name: one.write(value) for name, value in mapping.items()}


def _values_reader(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that returns these attributes of a value."""
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names) if names else lambda value: ()


class _RulesCodec(Codec):
    """Writes inner values in full, with ISO times; of the outer value, what is not empty."""

    def __init__(self) -> None:
        super().__init__(STORED_NAMES, time=_ISO, omits_defaults=False)

    def write(self, value: object) -> dict[str, Json]:
        return {name: one for name, one in super().write(value).items() if one}


_STORE_CODEC = Codec(STORED_NAMES)
write_document, read_document = _STORE_CODEC.write_document, _STORE_CODEC.read_document
RULES_CODEC = _RulesCodec()
"""For what rules remember as JSON: a source's ``memory`` beside its snapshot."""


def write_schedule_line(schedule: SourceSchedule) -> str:
    """Return a source's line in its shard: short, since each batch rewrites a hundred of them.

    A success at the time of the attempt, the usual case, is written as 1.
    """
    times = (schedule.due_at, schedule.attempted_at, schedule.succeeded_at)
    due, attempted, succeeded = (None if moment is None else write_micros(moment) for moment in times)
    last = 1 if succeeded is not None and succeeded == attempted else succeeded
    return dump_json([schedule.tenant, due, schedule.interval // MICROSECOND, attempted, last, schedule.failures])


@lru_cache(maxsize=1024)
def read_schedule_line(line: str) -> SourceSchedule:
    """Return the schedule that :func:`write_schedule_line` wrote; kept, since claim, batch and tick read the same lines."""
    tenant, due, span, attempted, last, failures = json.loads(line)
    times = (due, attempted, attempted if last == 1 else last)
    due_at, attempted_at, succeeded_at = (None if number is None else read_micros(number) for number in times)
    return SourceSchedule(
        tenant=TenantId(tenant),
        due_at=due_at,
        interval=span * MICROSECOND,
        attempted_at=attempted_at,
        succeeded_at=succeeded_at,
        failures=failures,
    )
