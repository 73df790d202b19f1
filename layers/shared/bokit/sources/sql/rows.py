"""Rows as the drivers return them, read as rows of records."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bokit.core.model.records import Json
from bokit.core.tables.values import ColumnFormat, KeyValues, SeenRow, make_row, read_value, write_row_key
from bokit.errors import SourceMalformedError
from bokit.sources.sql.shape import Column, table_error

if TYPE_CHECKING:
    from bokit.sources.sql.query import Query


class RowReader:
    """Reads the rows of one table."""

    def __init__(self, query: Query, zone: ZoneInfo | None) -> None:
        self._table, self._family, self._zone = query.spec, query.family, zone
        places = {name: n for n, name in enumerate(query.names)}
        fields = query.fields.items()
        self._fields = [(field, places[column.name], self._value_reader(column)) for field, column in fields]
        self._key = [self._value_reader(query.shape.columns[name]) for name in self._table.key]

    def read(self, row: Sequence[Any]) -> SeenRow:
        """Return *row*, whose first columns are the key's; raises SourceMalformedError for one that no record can hold."""
        key_values = tuple(row[: len(self._key)])
        name = ""
        try:
            fields = {}
            for name, n, read in self._fields:
                fields[name] = read(row[n])
            name = ""
            return make_row(self.read_key(key_values), fields, key_values)
        except SourceMalformedError as error:
            if error.stable_code == "null-key":
                raise
            what = f"field {name!r} {error.message}" if name else error.message
            raise table_error(self._table, what, error.stable_code) from None

    def read_key(self, key_values: KeyValues) -> str:
        """Return a key as text; raises SourceMalformedError if it is NULL."""
        values = [read(value) for read, value in zip(self._key, key_values, strict=True)]
        if values.count(None) == len(values):
            raise table_error(self._table, "a row's key is NULL; name columns that are not", "null-key")
        return write_row_key(values)

    def _value_reader(self, column: Column) -> Callable[[Any], Json]:
        is_utc = column.kind == "moment" and self._family == "mysql"
        column_format = ColumnFormat(zone=self._zone, is_whole=column.is_whole, is_utc=is_utc)
        if convert := _CONVERTERS.get((self._family, column.kind)):
            return lambda value: None if value is None else read_value(convert(value), column_format)
        return lambda value: value if type(value) in _JSON_TYPES else read_value(value, column_format)


_JSON_TYPES = frozenset({str, int, bool, type(None)})
"""Types that JSON has as well: a short cut for most values."""


def _read_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, (str, bytes)) else value


def _read_bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def _read_set(value: Any) -> Any:
    return [item for item in value.split(",") if item] if isinstance(value, str) else value


def _read_zero_date(value: Any) -> Any:
    """Return None for 0000-00-00, which drivers return as text: MySQL's value for no date."""
    return None if isinstance(value, str) and value.startswith("0000-00-00") else value


_CONVERTERS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("mysql", "json"): _read_json,
    ("mysql", "bits"): _read_bits,
    ("mysql", "set"): _read_set,
    ("mysql", "date"): _read_zero_date,
    ("mysql", "time"): _read_zero_date,
    ("mysql", "moment"): _read_zero_date,
    ("postgresql", "padded"): str.rstrip,
    ("sqlite", "boolean"): lambda value: bool(value) if value in (0, 1) else value,
}
