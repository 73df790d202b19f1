"""A row of a table, read: its key, its values as JSON, and the digest by which a change is found.

column                        in a record
whole numbers                 a number
decimals of scale 0           a number
other decimals                text with the database's own digits, since JSON's numbers drift: "12.50"
floating point                a number; "NaN", "Infinity" and "-Infinity" as text, which JSON has no number for
text, UUIDs, enums            text
booleans                      true or false
dates                         "2026-06-01"
times with a zone             UTC: "2026-06-01T12:00:00Z"
times without one             in the source's timezone if it has one, then UTC; else as they are: "2026-06-01T12:00:00"
times of day, spans           "12:00:00", and "36:00:00" beyond a day; with months or years PostgreSQL's text: "1 mon 2 days"
JSON, arrays, sets            as they are, their insides by the same rules; JSON's numbers that drift as text
up to 255 bytes               hexadecimal: "c0ffee"
NULL, MySQL's date 0000-00-00 null
all else                      the database's own text of it, where it has one

A value that cannot be held (longer bytes, text in an unknown encoding, JSON nested too deeply) is left out of its row, and
reported: its field keeps the value that it had. A row whose key is such a value, or which is too large, becomes no record.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bokit.core.items.reader import is_set
from bokit.core.model.documents import write_time
from bokit.core.model.exact_numbers import parse_json
from bokit.core.model.json_merge import drop_paths, read_path
from bokit.core.model.json_text import make_writer
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.core.tables.limits import MAX_BYTES_VALUE_LENGTH, MAX_ROW_BYTES, MAX_VALUE_DEPTH
from bokit.errors import SourceMalformedError
from bokit.values import Value

_LARGEST_EXACT = 2**53
TOMBSTONE = "x"
"""Begins the digest of a row that its table shows as deleted."""

KeyValues = tuple[Any, ...]
"""The values of a row's key columns, as the database returned them."""


class UnreadableValue(Value, kw_only=False):
    """Stands in a row where the driver's value cannot be read."""

    what: str
    """Why, as it is reported: "holds text that is not UTF-8"."""
    code: str
    raw: bytes = b""
    """What the database sent."""


class SeenRow(Value):
    """One row of a table as it is now."""

    key: str
    """The key as text: the identity of its record. Empty: it cannot be read, or is NULL."""
    fields: Fields
    digest: str
    """Equal for rows with the same content."""
    raw: bytes = b""
    """Equal for rows that the driver returned alike; empty where something of it could not be read."""
    key_values: KeyValues = ()
    problems: tuple[Problem, ...] = ()
    """What could not be read of it."""
    is_usable: bool = True
    """False: it becomes no record."""

    @property
    def is_deleted(self) -> bool:
        """Return whether its table shows it as deleted."""
        return self.digest.startswith(TOMBSTONE)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The fields that could not be read."""
        return tuple(problem.field for problem in self.problems if problem.field) if self.is_usable else ()


def make_row(
    key: str,
    fields: Fields,
    key_values: KeyValues = (),
    problems: tuple[Problem, ...] = (),
    *,
    volatile: Sequence[str] = (),
    is_deleted: bool = False,
    raw: bytes = b"",
) -> SeenRow:
    """Return the row of these values; one that is too large for a record is not usable.

    *volatile*: paths whose changes alone are not a change; *is_deleted*: its table says that it is.
    """
    left_out = [[problem.field, problem.code] for problem in problems]
    packed = _pack_row(key, fields, left_out)
    if len(packed) > MAX_ROW_BYTES:
        message = "the row holds more than 256 KB; name the fields to read, without the large ones"
        return reject_row(Problem(code="row-size", message=message, uid=key), key_values)
    if volatile:
        packed = _pack_row(key, drop_paths(fields, volatile), left_out)
    # 96 bits: enough that two versions of one row practically never share a digest
    digest = hashlib.blake2b(packed, digest_size=12).hexdigest()
    digest = TOMBSTONE + digest if is_deleted else digest
    return SeenRow(key=key, fields=fields, digest=digest, raw=raw, key_values=key_values, problems=problems)


def _pack_row(key: str, fields: Fields, left_out: list[list[str | None]]) -> bytes:
    return _write([key, fields, left_out] if left_out else [key, fields]).encode("utf-8", "surrogatepass")


def is_tombstone(raw: Any, value: Json, path: str) -> bool:
    """Return whether a row is deleted, by its column's *raw* value, which is read as *value*; *path* leads into JSON.

    Set is what is set in an item of an API: a time is; 0, an empty text and "false" are not.
    """
    if isinstance(raw, Decimal):
        return bool(raw)
    if not path:
        return is_set(value)
    document = parse_json(value) if isinstance(value, str) else value  # MariaDB and SQLite hold JSON as text
    return is_set(read_path(document, path))


def reject_row(problem: Problem, key_values: KeyValues = ()) -> SeenRow:
    """Return a row that becomes no record; its key is the problem's."""
    return SeenRow(key=problem.uid or "", fields={}, digest="", key_values=key_values, problems=(problem,), is_usable=False)


_write = make_writer(is_ascii=False, sorts_keys=True)


def write_row_key(values: Sequence[Json]) -> str:
    """Return a key as text: the value itself, or a JSON array for several columns. Never empty.

    >>> write_row_key([7]), write_row_key(["FR", 12])
    ('7', '["FR",12]')
    """
    if len(values) == 1:
        value = values[0]
        return value if isinstance(value, str) and value else _write(value)
    return _write(list(values))


# ── values ──


class ColumnFormat(Value):
    """What the type of a column's values does not say."""

    zone: ZoneInfo | None = None
    """The timezone of times without one; None: unknown."""
    is_whole: bool = False
    """A decimal without places after the point."""
    is_utc: bool = False
    """Times without a zone are UTC: MySQL's TIMESTAMP, read in a session that is."""


PLAIN = ColumnFormat()


def read_value(value: Any, column: ColumnFormat = PLAIN) -> Json:
    """Return *value* as JSON; raises SourceMalformedError for what JSON cannot hold."""
    if value is None or value is True or value is False:
        return value
    read = _READERS.get(type(value)) or _find_reader(value)
    return read(value, column)


def _read_nested(value: Any, column: ColumnFormat, depth: int = 1) -> Json:
    """Return an array or object, its insides read; JSON's own values need no reader."""
    if depth > MAX_VALUE_DEPTH:
        raise SourceMalformedError(f"is nested more than {MAX_VALUE_DEPTH} deep", code="too-deep")
    if isinstance(value, dict):
        return {str(name): _read_nested(item, column, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_read_nested(item, column, depth + 1) for item in value]
    return read_value(value, column)


def _refuse(value: UnreadableValue, column: ColumnFormat) -> Json:
    raise SourceMalformedError(value.what, code=value.code)


def _read_float(value: float, column: ColumnFormat) -> Json:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() and abs(value) < _LARGEST_EXACT else value


def _read_decimal(value: Decimal, column: ColumnFormat) -> Json:
    if not value.is_finite():
        return "NaN" if value.is_nan() else "Infinity" if value > 0 else "-Infinity"
    return int(value) if column.is_whole else format(value, "f")


def _read_bytes(value: bytes | bytearray | memoryview, column: ColumnFormat) -> Json:
    content = bytes(value)
    if len(content) > MAX_BYTES_VALUE_LENGTH:
        message = "holds more than 255 bytes that are not text; name the fields to read, without it"
        raise SourceMalformedError(message, code="blob")
    return content.hex()


def _read_time(value: datetime, column: ColumnFormat) -> Json:
    zone = value.tzinfo or (UTC if column.is_utc else column.zone)
    if zone is None:
        return value.isoformat()
    try:
        return write_time(value.replace(tzinfo=zone).astimezone(UTC))
    except OverflowError:
        return value.isoformat()


def _read_duration(value: timedelta, column: ColumnFormat) -> Json:
    """Return hours, minutes and seconds: MySQL's TIME goes to 838 hours, and below zero.

    >>> _read_duration(timedelta(days=1, hours=12), PLAIN)
    '36:00:00'
    """
    size = abs(value)
    minutes, seconds = divmod(size // timedelta(seconds=1), 60)
    fraction = f".{size.microseconds:06d}" if size.microseconds else ""
    return f"{'-' if value < timedelta(0) else ''}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{fraction}"


_Reader = Callable[[Any, ColumnFormat], Json]
_READER_TABLE: tuple[tuple[tuple[type, ...], _Reader], ...] = (
    ((int, str), lambda value, column: value),
    ((float,), _read_float),
    ((Decimal,), _read_decimal),
    ((bytes, bytearray, memoryview), _read_bytes),
    ((datetime,), _read_time),  # before date, of which it is a subclass
    ((date, time), lambda value, column: value.isoformat()),
    ((timedelta,), _read_duration),
    ((list, tuple, dict), _read_nested),
    ((UnreadableValue,), _refuse),
    ((set, frozenset), lambda value, column: sorted(str(read_value(item, column)) for item in value)),
    ((Enum,), lambda value, column: read_value(value.value, column)),
    ((UUID, object), lambda value, column: str(value)),
)
_READERS = {kind: read for kinds, read in _READER_TABLE for kind in kinds}


def _find_reader(value: Any) -> _Reader:
    """Return the reader of a type that is not in the table itself: an Enum's before that of the type that it extends."""
    kinds = (Enum, *_READERS)
    return _READERS[next(kind for kind in kinds if isinstance(value, kind))]


# ── keys that are kept between two syncs ──

_PACK: tuple[tuple[type | tuple[type, ...], str, Callable[[Any], Json]], ...] = (
    (datetime, "t", datetime.isoformat),
    (Decimal, "n", str),
    ((bytes, bytearray, memoryview), "b", lambda value: bytes(value).hex()),
    (date, "d", date.isoformat),
    (UUID, "u", str),
    (timedelta, "s", lambda span: [span.days, span.seconds, span.microseconds]),
    (time, "c", time.isoformat),
)
_AS_THEY_ARE = frozenset({int, str})
_UNPACK: dict[str, Callable[[Any], Any]] = {
    "t": datetime.fromisoformat,
    "n": Decimal,
    "b": bytes.fromhex,
    "d": date.fromisoformat,
    "u": UUID,
    "s": lambda span: timedelta(days=span[0], seconds=span[1], microseconds=span[2]),
    "c": time.fromisoformat,
}


def pack_key(values: KeyValues) -> list[Json]:
    """Return a key as JSON that keeps the types, so the database is later asked with exactly the values it returned."""
    return [_pack(value) for value in values]


def _pack(value: Any) -> Json:
    if type(value) in _AS_THEY_ARE:  # the usual case, for each row of a chunk
        return value  # type: ignore[no-any-return]
    found = (({tag: write(value)}) for kinds, tag, write in _PACK if isinstance(value, kinds))
    return next(found, value)


def unpack_key(packed: Sequence[Json]) -> KeyValues:
    """Return the key that :func:`pack_key` packed."""
    return tuple(_unpack(value) for value in packed)


def _unpack(value: Json) -> Any:
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    return _UNPACK[tag](content)


_SCALES = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))
"""Numbers that count the time since 1970: from the first of a pair on, so many a second."""


def scale_of(stamp: int) -> int:
    """Return how many units of *stamp* are a second: it counts seconds, or from 10**11 on (the year 5138) smaller ones."""
    return next((scale for least, scale in _SCALES if stamp >= least), 1)


def _rewind(at: datetime, span: timedelta) -> datetime:
    return at - min(span, at - datetime.min.replace(tzinfo=at.tzinfo))


def rewind_watermark(watermark: Any, span: timedelta) -> Any:
    """Return the updated-at value that lies *span* before *watermark*, in the column's own type; None: it is not a time.

    times, dates      as they are
    text              ISO 8601, as SQLite's are compared
    numbers           of seconds since 1970, or of smaller units (:func:`scale_of`)

    At the begin of the calendar (some databases have 0001-01-01 for "never") it is the first time that there is.
    """
    if isinstance(watermark, datetime):
        return _rewind(watermark, span)
    if isinstance(watermark, date):
        days = timedelta(days=math.ceil(span / timedelta(days=1)))
        return watermark - min(days, watermark - date.min)
    if isinstance(watermark, str):
        try:
            return _rewind(datetime.fromisoformat(watermark), span).isoformat(sep=" ")
        except ValueError:
            return None
    if isinstance(watermark, int) and not isinstance(watermark, bool):
        return watermark - int(span.total_seconds() * scale_of(watermark))
    return None
