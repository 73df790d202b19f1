"""Rows as the drivers return them, read as rows of records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bokit.core.model.exact_numbers import parse_json
from bokit.core.model.json_merge import drop_paths
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.core.tables.values import (
    ColumnFormat,
    KeyValues,
    SeenRow,
    UnreadableValue,
    is_tombstone,
    make_row,
    read_value,
    reject_row,
    write_row_key,
)
from bokit.errors import SourceMalformedError
from bokit.sources.sql.shape import Column
from bokit.values import replace

if TYPE_CHECKING:
    from bokit.sources.sql.query import Query

NULL_KEY = Problem(code="null-key", message="a row's key is NULL; name columns that are not")
DUPLICATE_KEY = "several rows share this key, and none of them is used; name the columns that identify a row"


class RowReader:
    """Reads the rows of one table."""

    def __init__(self, query: Query, zone: ZoneInfo | None) -> None:
        self._table, self._family, self._zone = query.spec, query.family, zone
        places = {name: n for n, name in enumerate(query.names)}
        fields = query.fields.items()
        self._fields = [(field, places[column.name], self._value_reader(column)) for field, column in fields]
        self._key = [self._value_reader(query.shape.columns[name]) for name in self._table.key]
        self._shared = frozenset[str]()
        self._nested = [path for path in self._table.without if "." in path]
        self._tombstone = (places[query.tombstone[0]], query.tombstone[1]) if query.tombstone else None
        self._read_tombstone = self._value_reader(query.shape.columns[query.tombstone[0]]) if query.tombstone else None
        counted = {n for field, n, _ in self._fields if field not in self._table.volatile} | set(range(len(self._key)))
        counted |= {self._tombstone[0]} if self._tombstone else set()
        self._counted = sorted(counted) if len(counted) < len(places) else []
        """Places of the values whose change is one; empty: all."""
        columns = [repr(query.shape.columns[name]) for name in query.names]
        self._columns = [self._family, str(zone), columns, {name: column.name for name, column in fields}, self._table.key]

    @property
    def reading(self) -> str:
        """What identifies how rows are read: their columns, and which keys are rejected."""
        said = json.dumps([*self._columns, sorted(self._shared)]).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, digest_size=8).hexdigest()

    def identify(self, row: Sequence[Any]) -> bytes:
        """Return what is equal for rows that the driver returned alike; empty for a value that its repr does not show whole."""
        values = [row[n] for n in self._counted] if self._counted else [*row]
        if not EXACT_TYPES.issuperset(map(type, values)):
            return b""
        return hashlib.blake2b(repr(values).encode(), digest_size=16).digest()

    def reject_duplicates(self, keys: Sequence[Sequence[Any]]) -> None:
        """Have the rows of these keys, each of which several rows share, become no records."""
        self._shared = frozenset(key for values in keys if (key := self.read_key(tuple(values))))

    def read(self, row: Sequence[Any]) -> SeenRow:
        """Return *row*, whose first columns are the key's; what cannot be read of it is among its problems."""
        key_values = tuple(row[: len(self._key)])
        try:
            key = self._read_key(key_values)
        except Exception as error:  # whatever a driver's value raises is the row's own problem
            problem = _problem_of(error)
            return reject_row(Problem(code=problem.code, message=f"a row's key {problem.message}"), key_values)
        if key is None:
            return reject_row(NULL_KEY, key_values)
        if key in self._shared:
            return reject_row(Problem(code="duplicate-key", message=DUPLICATE_KEY, uid=key), key_values)
        is_deleted = self._is_deleted(row) if self._tombstone else False
        if isinstance(is_deleted, Problem):
            return reject_row(replace(is_deleted, uid=key), key_values)
        try:
            fields = {name: read(row[n]) for name, n, read in self._fields}
            return self._make_row(key, fields, key_values, is_deleted, raw=self.identify(row))
        except Exception:  # rare: then value by value
            fields, problems = self._read_each(row, key)
            return self._make_row(key, fields, key_values, is_deleted, problems)

    def _make_row(
        self,
        key: str,
        fields: Fields,
        key_values: KeyValues,
        is_deleted: bool,
        problems: tuple[Problem, ...] = (),
        raw: bytes = b"",
    ) -> SeenRow:
        if self._nested:
            fields = drop_paths(fields, self._nested)
        return make_row(key, fields, key_values, problems, volatile=self._table.volatile, is_deleted=is_deleted, raw=raw)

    def _is_deleted(self, row: Sequence[Any]) -> bool | Problem:
        """Return whether the row says that it is deleted; a problem where that cannot be read."""
        if self._tombstone is None or self._read_tombstone is None:
            return False
        place, path = self._tombstone
        try:
            return is_tombstone(row[place], self._read_tombstone(row[place]), path)
        except Exception as error:
            found = _problem_of(error)
            message = f"{self._table.deleted!r}, which says whether a row is deleted, {found.message}; its record stays as it is"
            return Problem(code=found.code, message=message)

    def _read_each(self, row: Sequence[Any], key: str) -> tuple[dict[str, Json], tuple[Problem, ...]]:
        """Return the fields that can be read, and a problem for each of the others."""
        fields, problems = dict[str, Json](), list[Problem]()
        for name, n, read in self._fields:
            try:
                fields[name] = read(row[n])
            except Exception as error:
                found = _problem_of(error)
                message = f"field {name!r} {found.message}; it keeps the value that it had"
                problems.append(Problem(code=found.code, message=message, uid=key, field=name))
        return fields, tuple(problems)

    def read_key(self, key_values: KeyValues) -> str | None:
        """Return a key as text; None if it is NULL, or cannot be read."""
        try:
            return self._read_key(key_values)
        except Exception:
            return None

    def _read_key(self, key_values: KeyValues) -> str | None:
        values = [read(value) for read, value in zip(self._key, key_values, strict=True)]
        return None if values.count(None) == len(values) else write_row_key(values)

    def _value_reader(self, column: Column) -> Callable[[Any], Json]:
        is_utc = column.kind == "moment" and self._family == "mysql"
        column_format = ColumnFormat(zone=self._zone, is_whole=column.is_whole, is_utc=is_utc)
        if convert := _CONVERTERS.get((self._family, column.kind)):
            return lambda value: None if value is None else read_value(convert(value), column_format)
        return lambda value: value if type(value) in _JSON_TYPES else read_value(value, column_format)


EXACT_TYPES = frozenset(
    (str, int, float, bool, bytes, Decimal, datetime, date, time, timedelta, UUID, list, dict, UnreadableValue, type(None))
)
"""Types whose repr shows all of a value, and its type; arrays and objects hold values of these types alone."""
_JSON_TYPES = frozenset({str, int, bool, type(None)})
"""Types that JSON has as well: a short cut for most values."""


def _problem_of(error: Exception) -> Problem:
    """Return why a value cannot be read; what was not foreseen is the value's problem, too."""
    if isinstance(error, SourceMalformedError):
        return Problem(code=error.stable_code, message=error.message)
    return Problem(code="bad-value", message="holds a value that cannot be read")


def load_json(text: str | bytes) -> Any:
    """Return JSON, its numbers exact."""
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        return UnreadableValue("holds JSON that cannot be read", "bad-json")


def _read_json(value: Any) -> Any:
    return load_json(value) if isinstance(value, (str, bytes)) else value


def _read_bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def _read_set(value: Any) -> Any:
    return [item for item in value.split(",") if item] if isinstance(value, str) else value


def _read_zero_date(value: Any) -> Any:
    """Return None for 0000-00-00, which drivers return as text: MySQL's value for no date."""
    return None if isinstance(value, str) and value.startswith("0000-00-00") else value


def _read_padded(value: Any) -> Any:
    return value.rstrip(" ") if isinstance(value, str) else value


_CONVERTERS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("mysql", "json"): _read_json,
    ("mysql", "bits"): _read_bits,
    ("mysql", "set"): _read_set,
    ("mysql", "date"): _read_zero_date,
    ("mysql", "time"): _read_zero_date,
    ("mysql", "moment"): _read_zero_date,
    ("postgresql", "padded"): _read_padded,
    ("sqlite", "boolean"): lambda value: bool(value) if value in (0, 1) else value,
}
