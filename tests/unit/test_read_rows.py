"""Values of databases as JSON has them; rows, keys and chunks as they are kept."""

# ruff: noqa: E501, DTZ001 - tables of values

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.tables.chunks import (
    MISSING,
    ChunkSummary,
    RowDigest,
    TableState,
    drop_empty_chunks,
    key_ranges,
    pack_chunk,
    pack_manifest,
    summarise_chunk,
    unpack_chunk,
    unpack_manifest,
)
from bokit.core.tables.values import ColumnFormat, make_row, pack_key, read_value, unpack_key, write_row_key
from bokit.errors import SourceMalformedError

ROME = ColumnFormat(zone=ZoneInfo("Europe/Rome"))


class Colour(Enum):
    """An enumeration of a driver's."""

    RED = "red"


class Level(IntEnum):
    """A whole number with a name."""

    HIGH = 3


class Odd:
    """An unknown type."""

    def __str__(self) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        (None, ROME, None),
        (True, ROME, True),
        (7, ROME, 7),
        (2**80, ROME, 2**80),
        (1.5, ROME, 1.5),
        (3.0, ROME, 3),
        (1e300, ROME, 1e300),
        (float("nan"), ROME, "NaN"),
        (float("inf"), ROME, "Infinity"),
        (float("-inf"), ROME, "-Infinity"),
        (Decimal("1.50"), ROME, "1.50"),
        (Decimal("1E+3"), ROME, "1000"),
        (Decimal("NaN"), ROME, "NaN"),
        (Decimal("-Infinity"), ROME, "-Infinity"),
        (Decimal("7"), ColumnFormat(is_whole=True), 7),
        (b"\x00\xff", ROME, "00ff"),
        (memoryview(b"\x01"), ROME, "01"),
        (datetime(2026, 7, 1, 12), ROME, "2026-07-01T10:00:00Z"),
        (datetime(2026, 7, 1, 12), ColumnFormat(), "2026-07-01T12:00:00"),
        (datetime(2026, 7, 1, 12), ColumnFormat(is_utc=True), "2026-07-01T12:00:00Z"),
        (datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2))), ColumnFormat(), "2026-07-01T10:00:00Z"),
        (datetime(1, 1, 1), ROME, "0001-01-01T00:00:00"),
        (date(2026, 7, 1), ROME, "2026-07-01"),
        (time(3, 4), ROME, "03:04:00"),
        (timedelta(hours=30, microseconds=5), ROME, "30:00:00.000005"),
        (-timedelta(minutes=1), ROME, "-00:01:00"),
        ([1, (Decimal("2.5"), None)], ROME, [1, ["2.5", None]]),
        ({"b", "a"}, ROME, ["a", "b"]),
        (frozenset({2, 1}), ROME, ["1", "2"]),
        ({1: date(2026, 7, 1)}, ROME, {"1": "2026-07-01"}),
        (Colour.RED, ROME, "red"),
        (Level.HIGH, ROME, 3),
        (UUID(int=7), ROME, str(UUID(int=7))),
        (Odd(), ROME, "odd"),
    ],
)
def test_a_value_becomes_what_the_table_says(value: Any, column: ColumnFormat, expected: Any) -> None:
    """Each kind of value has one form in a record, and JSON takes it."""
    read = read_value(value, column)
    assert (read, type(read)) == (expected, type(expected))
    assert json.loads(json.dumps(read)) == read


def test_what_no_record_can_hold_is_refused() -> None:
    """Bytes beyond 255, nesting beyond 50 and rows beyond 256 KB have codes of their own; such a row becomes no record."""
    assert read_value(b"x" * 255) == "78" * 255
    with pytest.raises(SourceMalformedError) as blob:
        read_value(b"x" * 256)
    nested: Any = []
    for _ in range(50):
        nested = [nested]
    with pytest.raises(SourceMalformedError) as deep:
        read_value(nested)
    large = make_row("1", {"text": "x" * 262_144})
    assert (blob.value.stable_code, deep.value.stable_code, large.problems[0].code) == ("blob", "too-deep", "row-size")
    assert (large.key, large.is_usable) == ("1", False)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ([7], "7"),
        (["7"], "7"),
        ([""], '""'),
        (["a.b/ç"], "a.b/ç"),
        ([True], "true"),
        ([None, 1], "[null,1]"),
        (["FR", 12], '["FR",12]'),
    ],
)
def test_a_key_is_text_and_never_empty(values: list[Any], key: str) -> None:
    """One column is its own text, several are an array."""
    assert write_row_key(values) == key


PARTS = st.one_of(
    st.integers(),
    st.text(max_size=9),
    st.none(),
    st.booleans(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=9),
    st.uuids(),
    st.timedeltas(),
    st.times(),
    st.datetimes(timezones=st.just(UTC)),
)
KEYS = st.lists(PARTS, min_size=1, max_size=3).map(tuple)


@given(KEYS)
def test_keys_come_back_as_they_were(key: Any) -> None:
    """Through JSON and back a key is the very same values, of the same types."""
    again = unpack_key(json.loads(json.dumps(pack_key(key))))
    assert again == key
    assert [type(value) for value in again] == [type(value) for value in key]


@given(st.dictionaries(st.text(min_size=1), st.tuples(KEYS, st.sampled_from(["", "?", "!", "0a" * 12])), max_size=12))
def test_chunks_come_back_as_they_were(expected: dict[str, Any]) -> None:
    """A chunk keeps every key, its values and its digest, and the summary counts the rows that are there, unconfirmed and missing."""
    chunk = {key: RowDigest(key_values=values, digest=digest) for key, (values, digest) in expected.items()}
    assert unpack_chunk(pack_chunk(chunk)) == chunk
    summary = summarise_chunk("c", None, chunk)
    assert summary.rows + summary.unconfirmed + summary.missing == len(chunk)
    assert (summary.digest == "") is (summary.rows == 0)


@given(st.lists(st.tuples(KEYS, st.integers(0, 9), st.integers(0, 2)), max_size=6), st.booleans())
def test_a_manifest_leaves_no_key_out(expected: list[Any], is_whole: bool) -> None:
    """Read back it is the same; its ranges join without a gap, from the beginning to the end, tidied or not."""
    summaries = [
        ChunkSummary(name=f"c{n}", until=until, rows=rows, missing=gone) for n, (until, rows, gone) in enumerate(expected)
    ]
    if summaries and is_whole:
        summaries[-1] = ChunkSummary(name="last", until=None, rows=1)
    state = TableState(fingerprint="f", columns={"a": "text"}, chunks=tuple(summaries), full_at=datetime(2026, 7, 1, tzinfo=UTC))
    assert unpack_manifest(pack_manifest({"t": state})) == {"t": state}
    for chunks in (state.chunks, drop_empty_chunks(state.chunks) if is_whole else state.chunks):
        ranges = [keys for keys, _ in key_ranges(TableState(chunks=chunks))]
        assert ranges[0].after is None
        assert ranges[-1].until is None
        assert [r.until for r in ranges[:-1]] == [r.after for r in ranges[1:]]


def test_what_another_version_wrote_counts_for_nothing() -> None:
    """A manifest or a chunk of another format is as if there were none, and everything is compared again."""
    packed = pack_manifest({"t": TableState()}).replace(b'"v":1', b'"v":2')
    assert unpack_manifest(packed) == unpack_manifest(b"") == {}
    assert unpack_chunk(b"") == {}
    assert RowDigest(key_values=(1,), digest=MISSING).is_present is False
