"""A row of a table, read: its key and its values as JSON has them, and the hash that tells whether it changed.

column                        in a record
whole numbers                 a number
decimals of scale 0           a number
other decimals                text with the database's own digits, since JSON's numbers drift: "12.50"
floating point                a number; "NaN", "Infinity" and "-Infinity" as text, which JSON has no number for
text, UUIDs, enums            text
booleans                      true or false
dates                         "2026-06-01"
times with a zone             UTC: "2026-06-01T12:00:00Z"
times without one             in the source's timezone where it is told, then UTC; else as they are: "2026-06-01T12:00:00"
times of day, spans           "12:00:00", and "36:00:00" beyond a day
JSON, arrays, sets            as they are, their insides by the same rules
up to 255 bytes               hexadecimal: "c0ffee"
NULL, MySQL's date 0000-00-00 null
all else                      the database's own text of it, where it has one
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bokit.core.model.merge import write_time
from bokit.core.model.records import Fields, Json
from bokit.errors import SourceMalformedError

MAX_BYTES_VALUE_LENGTH = 255
MAX_ROW_BYTES = 256 * 1024
"""Bytes of JSON: a record and its change lie in one item each, of which a table takes 400 KB."""
_LARGEST_EXACT = 2**53

Key = tuple[Any, ...]
"""The values of a row's key columns, as the database gave them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRow:
    """One row of a table as it is now."""

    key: str
    """The key as text: the identity of its record."""
    fields: Fields
    hash: str
    """Equal for rows that say the same."""
    at: Key = ()
    """The key as the database compares it."""


def make_row(key: str, fields: Fields, at: Key = ()) -> SeenRow:
    """Return the row of these values with its hash; raises SourceMalformedError for one that no record can hold."""
    packed = _write([key, fields]).encode("utf-8", "surrogatepass")
    if len(packed) > MAX_ROW_BYTES:
        raise SourceMalformedError(
            "a row holds more than 256 KB; name the fields to read, without the large ones", code="row-size"
        )
    # 96 bits: chance makes two versions of a row alike once in far more rows than there are
    return SeenRow(key=key, fields=fields, hash=hashlib.blake2b(packed, digest_size=12).hexdigest(), at=at)


_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""One for all rows: making an encoder takes longer than what it does for a row."""


def write_key(values: Sequence[Json]) -> str:
    """Return the text that a key is known by: the value itself, or a JSON array where it has several columns. Never empty.

    >>> write_key([7]), write_key(["FR", 12])
    ('7', '["FR",12]')
    """
    if len(values) == 1:
        value = values[0]
        return value if isinstance(value, str) and value else _write(value)
    return _write(list(values))


# ── values ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a column's values are read: what its type cannot tell."""

    zone: ZoneInfo | None = None
    """Where times without a zone are at home; None: not told."""
    is_whole: bool = False
    """A decimal without places after the point."""
    is_utc: bool = False
    """Times without a zone are UTC: MySQL's TIMESTAMP, read in a session that is."""


PLAIN = Reading()


def read_value(value: Any, reading: Reading = PLAIN) -> Json:
    """Return *value* as JSON has it; raises SourceMalformedError for what it cannot hold."""
    if value is None or value is True or value is False:
        return value
    read = _READERS.get(type(value)) or _find_reader(value)
    return read(value, reading)


def _read_int(value: int, reading: Reading) -> Json:
    return value


def _read_float(value: float, reading: Reading) -> Json:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() and abs(value) < _LARGEST_EXACT else value


def _read_decimal(value: Decimal, reading: Reading) -> Json:
    if not value.is_finite():
        return "NaN" if value.is_nan() else "Infinity" if value > 0 else "-Infinity"
    return int(value) if reading.is_whole else format(value, "f")


def _read_text(value: str, reading: Reading) -> Json:
    return value


def _read_bytes(value: bytes | bytearray | memoryview, reading: Reading) -> Json:
    held = bytes(value)
    if len(held) > MAX_BYTES_VALUE_LENGTH:
        raise SourceMalformedError("holds more than 255 bytes that are no text; name the fields to read without it", code="blob")
    return held.hex()


def _read_moment(value: datetime, reading: Reading) -> Json:
    zone = value.tzinfo or (UTC if reading.is_utc else reading.zone)
    if zone is None:
        return value.isoformat()
    try:
        return write_time(value.replace(tzinfo=zone).astimezone(UTC))
    except OverflowError:
        return value.isoformat()


def _read_date(value: date, reading: Reading) -> Json:
    return value.isoformat()


def _read_time_of_day(value: time, reading: Reading) -> Json:
    return value.isoformat()


def _read_span(value: timedelta, reading: Reading) -> Json:
    """Return hours, minutes and seconds: MySQL's TIME goes to 838 hours, and below zero.

    >>> _read_span(timedelta(days=1, hours=12), PLAIN)
    '36:00:00'
    """
    size = abs(value)
    minutes, seconds = divmod(size // timedelta(seconds=1), 60)
    parts = f".{size.microseconds:06d}" if size.microseconds else ""
    return f"{'-' if value < timedelta(0) else ''}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{parts}"


def _read_list(value: Sequence[Any], reading: Reading) -> Json:
    return [read_value(item, reading) for item in value]


def _read_set(value: Any, reading: Reading) -> Json:
    return sorted(str(read_value(item, reading)) for item in value)


def _read_mapping(value: Mapping[Any, Any], reading: Reading) -> Json:
    return {str(name): read_value(item, reading) for name, item in value.items()}


def _read_enum(value: Enum, reading: Reading) -> Json:
    return read_value(value.value, reading)


def _read_uuid(value: UUID, reading: Reading) -> Json:
    return str(value)


_READERS: dict[type, Callable[[Any, Reading], Json]] = {
    int: _read_int,
    float: _read_float,
    Decimal: _read_decimal,
    str: _read_text,
    bytes: _read_bytes,
    bytearray: _read_bytes,
    memoryview: _read_bytes,
    datetime: _read_moment,
    date: _read_date,
    time: _read_time_of_day,
    timedelta: _read_span,
    list: _read_list,
    tuple: _read_list,
    set: _read_set,
    frozenset: _read_set,
    dict: _read_mapping,
    UUID: _read_uuid,
}


def _find_reader(value: Any) -> Callable[[Any, Reading], Json]:
    if isinstance(value, Enum):
        return _read_enum
    if found := next((read for kind, read in _READERS.items() if isinstance(value, kind)), None):
        return found
    return lambda value, reading: str(value)


# ── keys that are kept between two syncs ──


def pack_key(values: Key) -> list[Json]:
    """Return a key as JSON keeps it, its types told, so that the database is asked with the very values that it gave."""
    return [_pack(value) for value in values]


def _pack(value: Any) -> Json:
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, Decimal):
        return {"n": str(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"b": bytes(value).hex()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    if isinstance(value, UUID):
        return {"u": str(value)}
    if isinstance(value, timedelta):
        return {"s": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, time):
        return {"c": value.isoformat()}
    return value


_UNPACK: dict[str, Callable[[Any], Any]] = {
    "t": datetime.fromisoformat,
    "n": Decimal,
    "b": bytes.fromhex,
    "d": date.fromisoformat,
    "u": UUID,
    "s": lambda told: timedelta(days=told[0], seconds=told[1], microseconds=told[2]),
    "c": time.fromisoformat,
}


def unpack_key(told: Sequence[Json]) -> Key:
    """Return the key that :func:`pack_key` packed."""
    return tuple(_unpack(value) for value in told)


def _unpack(value: Json) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    return _UNPACK[kind](text)


def step_back(mark: Any, span: timedelta) -> Any:
    """Return the updated-at value that lies *span* before *mark*, in the kind that the column has.

    times, dates      as they are
    text              ISO 8601, as SQLite has times
    numbers           seconds since 1970, or milliseconds where seconds would lie in the year 5138 and later
    """
    if isinstance(mark, datetime):
        return mark - span
    if isinstance(mark, date):
        return mark - timedelta(days=math.ceil(span / timedelta(days=1)))
    if isinstance(mark, str):
        text = (datetime.fromisoformat(mark) - span).isoformat(sep="T" if "T" in mark else " ")
        return text[:10] if len(mark) == 10 else text
    scale = 1000 if mark >= 10**11 else 1
    return mark - int(span.total_seconds() * scale)
