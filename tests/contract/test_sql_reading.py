"""Tables are read whole, in pages by their key, in one consistent snapshot, on every database."""

# ruff: noqa: E501, S608, DTZ001 - tables and rows as SQL has them

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.values import pack_key, rewind_watermark, unpack_key
from bokit.errors import SourceMalformedError, SourceUnavailableError
from tests.support.servers import needs_mariadb, needs_postgres
from tests.support.sql_places import DATABASES, Place, make_place

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Place]:
    """An empty database of each kind."""
    with make_place(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three rows."""
    monkeypatch.setattr("bokit.sources.sql.query.PAGE_ROWS", 3)


INTEGERS = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40))",
    ["id"],
    [f"({n}, 'n{n}')" for n in (5, -3, 0, 10, 9, 1, 2, 100)],
)
TEXTS = (
    "CREATE TABLE t (id VARCHAR(40) PRIMARY KEY, name VARCHAR(40))",
    ["id"],
    [
        f"('{word}', 'x')"
        for word in ("a", "B", "c", "Z", "é", "É2", "ß", "ss2", "~", "Ωμ", "部屋", "", "a b", "1", "10", "9", "O''Neill")
    ],
)
PAIRS = (
    "CREATE TABLE t (id VARCHAR(9) NOT NULL, no INTEGER NOT NULL, name VARCHAR(40), PRIMARY KEY (id, no))",
    ["id", "no"],
    [f"('{word}', {n}, 'x')" for word in ("FR", "IT", "at") for n in (3, 1, 2, 20)],
)
NULLS = (
    "CREATE TABLE t (id VARCHAR(9), no INTEGER, at DATE NOT NULL, name VARCHAR(40))",
    ["id", "no", "at"],
    [f"({word}, {n}, '2026-01-0{d}', 'x')" for word in ("'b'", "NULL", "'a'") for n in ("2", "NULL", "1") for d in (1, 2)],
)
DATES = (
    "CREATE TABLE t (id DATE PRIMARY KEY, name VARCHAR(40))",
    ["id"],
    [f"('2026-0{m}-0{d}', 'x')" for m in (3, 1) for d in (2, 1, 9)],
)
DECIMALS = (
    "CREATE TABLE t (id DECIMAL(20, 4) PRIMARY KEY, name VARCHAR(40))",
    ["id"],
    [f"({n}, 'x')" for n in (1.5, -2, 10, 1.25, 99999)],
)


@pytest.mark.parametrize(
    "table", [INTEGERS, TEXTS, PAIRS, NULLS, DATES, DECIMALS], ids=["ints", "texts", "pairs", "nulls", "dates", "decimals"]
)
@pytest.mark.usefixtures("small_pages")
def test_every_row_comes_once_however_the_keys_are_cut(place: Place, table: tuple[str, list[str], list[str]]) -> None:
    """Whatever the key's type, collation and NULLs: the ranges between any of its keys show every row once, in one order."""
    create, key, rows = table
    place.run(create, f"INSERT INTO t VALUES {', '.join(rows)}")
    place.grant("t")
    spec = {"table": "t", "key": key}
    with place.open(spec) as (opened, settings):
        opened.check_table(settings.tables[0])
        whole = list(opened.fetch_rows(settings.tables[0], KeyRange()))
        kept = [unpack_key(pack_key(row.key_values)) for row in whole]
        assert len(whole) == len(rows) == len({row.key for row in whole})
        for step in (1, 2, 5):
            cuts = [None, *kept[step - 1 :: step], None]
            parts = [list(opened.fetch_rows(settings.tables[0], KeyRange(after=a, until=b))) for a, b in pairwise(cuts)]
            assert [row for part in parts for row in part] == whole
        assert opened.fetch_existing_keys(settings.tables[0], kept) == set(kept)


def test_one_snapshot_shows_one_moment(place: Place) -> None:
    """What others write while we read is not seen, however long the reading takes."""
    if place.family == "sqlite":
        place.run("PRAGMA journal_mode = WAL")
    place.run("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40))", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    place.grant("t")
    with place.open({"table": "t", "key": "id"}) as (opened, settings):
        opened.check_table(settings.tables[0])
        place.run("UPDATE t SET name = 'changed'", "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (3, 'new')")
        rows = list(opened.fetch_rows(settings.tables[0], KeyRange()))
    assert [(r.key, r.fields["name"]) for r in rows] == [("1", "a"), ("2", "b")]


def test_fields_are_mapped_and_rows_filtered(place: Place) -> None:
    """Record fields have the names that the operator gives, and only the rows that the condition picks are read."""
    place.run(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, raison_sociale VARCHAR(40), actif INTEGER, secret VARCHAR(40))",
        "INSERT INTO clients VALUES (1, 'Zoë : 100 %', 1, 's'), (2, 'b', 0, 's'), (3, 'it''s', 1, 's')",
    )
    place.grant("clients")
    spec = {"table": "clients", "key": ["id"], "fields": {"name": "raison_sociale"}}
    rows = place.read({**spec, "where": "actif = 1 AND raison_sociale LIKE '%:%' OR raison_sociale = 'it''s'"})
    assert [(r.key, r.fields) for r in rows] == [("1", {"name": "Zoë : 100 %"}), ("3", {"name": "it's"})]


def test_names_are_quoted(place: Place) -> None:
    """Tables and columns may have the names of SQL keywords, or worse."""
    quote = "`" if place.family == "mysql" else '"'
    table, column = (f"{quote}{name}{quote}" for name in ("order", "Group by; DROP %s :x"))
    place.run(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column} INTEGER)", f"INSERT INTO {table} VALUES (1, 7)")
    place.grant(table)
    rows = place.read({"table": "order", "key": ["id"], "fields": {"n": "Group by; DROP %s :x"}})
    assert [r.fields for r in rows] == [{"n": 7}]


def test_incremental_reading_begins_at_the_mark(place: Place) -> None:
    """The mark is the latest time that does not lie in the future; rows from then on are read, and those without a time."""
    kind = {"sqlite": "TEXT", "mysql": "DATETIME(3)", "postgresql": "TIMESTAMPTZ"}[place.family]
    never = {"sqlite": "'never'", "mysql": "NULL", "postgresql": "'infinity'"}[place.family]
    place.run(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, at {kind})",
        "INSERT INTO t VALUES (1, '2025-01-01 10:00:00'), (2, '2025-01-01 12:00:00'), (3, '2190-01-01 00:00:00'), (4, NULL)",
        f"INSERT INTO t VALUES (5, {never})",
    )
    place.grant("t")
    with place.open({"table": "t", "key": "id", "updated_at": "at"}) as (opened, settings):
        table = settings.tables[0]
        opened.check_table(table)
        (mark,) = unpack_key(pack_key((opened.fetch_watermark(table, NOW),)))
        later = ["2", "3", "5"] if place.family == "postgresql" else ["2", "3"]
        assert [r.key for r in opened.fetch_rows(table, KeyRange(), since=mark)] == later
        rows = [r.key for r in opened.fetch_rows(table, KeyRange(), since=rewind_watermark(mark, timedelta(hours=2)))]
        assert rows == ["1", *later]
        assert [r.key for r in opened.fetch_unstamped(table, 9)] == ["4", "5"]
        assert opened.count_stamps(table, NOW) == (2, 1)


def test_numbers_of_a_time_are_compared_as_what_they_count(place: Place) -> None:
    """Seconds, milliseconds or smaller units since 1970: those of the future do not hide the others."""
    now = int(NOW.timestamp())
    place.run("CREATE TABLE t (id INTEGER PRIMARY KEY, s BIGINT, ms BIGINT, us BIGINT)")
    for number, span in ((1, -60), (2, -30), (3, 400_000)):
        at = now + span
        place.run(f"INSERT INTO t VALUES ({number}, {at}, {at * 1000}, {at * 1_000_000})")
    place.grant("t")
    for column in ("s", "ms", "us"):
        with place.open({"table": "t", "key": "id", "updated_at": column}) as (opened, settings):
            table = settings.tables[0]
            mark = opened.fetch_watermark(table, NOW)
            assert [r.key for r in opened.fetch_rows(table, KeyRange(), since=mark)] == ["2", "3"]
            assert opened.count_stamps(table, NOW) == (0, 1)


def test_times_of_sqlite_are_compared_as_times(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With T or a space, with a zone, as a number: what is stored in one column of many forms has one order."""
    forms = ["2026-05-01T10:00:00", "2026-05-01 10:00:01", "2026-05-01T12:00:02+02:00", 1777629603, 1777629604000]
    with make_place("sqlite", request, tmp_path) as place:
        place.run("CREATE TABLE t (id INTEGER PRIMARY KEY, at)")
        for number, form in enumerate(forms):
            place.run(f"INSERT INTO t VALUES ({number}, {form!r})")
        with place.open({"table": "t", "key": "id", "updated_at": "at"}) as (opened, settings):
            for number in range(len(forms)):
                since = f"2026-05-01 10:00:0{number}.000"
                found = [int(r.key) for r in opened.fetch_rows(settings.tables[0], KeyRange(), since=since)]
                assert found == list(range(number, len(forms)))


@pytest.mark.parametrize(
    ("mark", "before"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 23, tzinfo=UTC)),
        (date(2026, 1, 2), date(2026, 1, 1)),
        ("2026-01-02 00:00:00", "2026-01-01 23:00:00"),
        ("2026-01-02T00:00:00", "2026-01-01 23:00:00"),
        ("31/05/2026", None),
        (1_700_003_600, 1_700_000_000),
        (1_700_003_600_000, 1_700_000_000_000),
    ],
)
def test_the_overlap_is_taken_in_the_columns_own_kind(mark: Any, before: Any) -> None:
    """Times, dates, ISO text, seconds and milliseconds are stepped back as what they are; other text is not."""
    assert rewind_watermark(mark, timedelta(hours=1)) == before


@pytest.mark.parametrize("mark", [datetime(1, 1, 1, 0, 30, tzinfo=UTC), date.min, date(1, 1, 2), "0001-01-01 00:00:00"])
def test_a_watermark_at_the_begin_of_the_calendar_stays_there(mark: object) -> None:
    """A database whose "never" is 0001-01-01 is read from then on: nothing is before it, and nothing overflows."""
    assert str(rewind_watermark(mark, timedelta(days=40)))[:10] == "0001-01-01"


def test_keys_are_kept_in_their_types() -> None:
    """A key comes back from the store as the very values that the database gave."""
    key = (
        1,
        "a",
        None,
        True,
        Decimal("1.50"),
        date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4, 5, 6),
        b"\x00\xff",
        timedelta(hours=30),
        UUID(int=7),
        datetime(2026, 1, 2, tzinfo=UTC),
    )
    again = unpack_key(pack_key(key))
    assert again == key
    assert [type(v) for v in again] == [type(v) for v in key]


# ── types ──


@needs_mariadb
def test_the_types_of_mariadb(request: pytest.FixtureRequest, tmp_path: Any) -> None:
    """Every type of MariaDB becomes what `core.tables.values` says."""
    with make_place("mariadb", request, tmp_path) as place:
        place.run(
            "CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(80), bal DECIMAL(10,2), whole DECIMAL(30,0), at DATETIME(3),"
            " ts TIMESTAMP NULL, d DATE, t TIME, e ENUM('b','a'), s SET('x','y'), bits BIT(10), f DOUBLE, b BINARY(4), y YEAR,"
            " flag TINYINT(1), u UUID, ip INET6, g POINT)",
        )
        place.run(
            "INSERT INTO t VALUES (18446744073709551615, 'Zoë 🏠', 12.5, 123456789012345678901234567890, '2026-01-02 03:04:05.25', NULL,"
            " '2026-01-02', '-101:02:03', 'a', 'y,x', b'1000000001', 0.1, x'00ff0001', 2026, 1,"
            " 'C0FFEE00-0000-4000-8000-000000000000', '::1', POINT(1, 2))",
        )
        place.server.run(
            "SET SESSION sql_mode = ''",
            "SET SESSION time_zone = '+02:00'",
            "INSERT INTO t (id, ts, d, at) VALUES (1, '2026-01-02 03:04:05', '0000-00-00', '0000-00-00')",
            database=place.database,
        )
        place.grant("t")
        small, large = place.read({"table": "t", "key": "id"})
    assert large.fields == {
        "id": 18446744073709551615,
        "name": "Zoë 🏠",
        "bal": "12.50",
        "whole": 123456789012345678901234567890,
        "at": "2026-01-02T03:04:05.250000",
        "ts": None,
        "d": "2026-01-02",
        "t": "-101:02:03",
        "e": "a",
        "s": ["x", "y"],
        "bits": 513,
        "f": 0.1,
        "b": "00ff0001",
        "y": 2026,
        "flag": 1,
        "u": "c0ffee00-0000-4000-8000-000000000000",
        "ip": "::1",
        "g": "POINT(1 2)",
    }
    assert (small.fields["ts"], small.fields["d"], small.fields["at"]) == ("2026-01-02T01:04:05Z", None, None)


@needs_postgres
def test_the_types_of_postgresql(request: pytest.FixtureRequest, tmp_path: Any) -> None:
    """Every type of PostgreSQL becomes what `core.tables.values` says; what JSON cannot express is returned as text."""
    with make_place("postgres", request, tmp_path) as place:
        place.run(
            "CREATE TYPE mood AS ENUM ('sad', 'ok')",
            "CREATE TABLE t (id BIGINT PRIMARY KEY, bal NUMERIC(10,2), whole NUMERIC(30), any_n NUMERIC, at TIMESTAMP, ts TIMESTAMPTZ,"
            " d DATE, t TIME, iv INTERVAL, m mood, j JSONB, f DOUBLE PRECISION, b BYTEA, uu UUID, a INT[], ip INET, mo MONEY, r INT4RANGE,"
            " c CHAR(5), bo BOOLEAN, x XML, tt TEXT[])",
            "INSERT INTO t VALUES (5000000000, 12.5, 7, 1.10, '2026-01-02 03:04:05', '2026-01-02 03:04:05+02', '2026-01-02', '03:04',"
            " '3 days 01:00', 'ok', '{\"a\": [1.5, null]}', 'NaN', '\\xc0ffee', 'C0FFEE00-0000-4000-8000-000000000000', '{1,2,NULL}',"
            " '10.0.0.1', '12.5', '[1,5)', 'ab', true, '<a/>', '{a,\"b,c\"}')",
            "INSERT INTO t (id, whole, any_n, ts, d, f) VALUES (1, 'NaN', 'Infinity', '20000-01-01', 'infinity', '-Infinity')",
        )
        place.grant("t")
        odd, plain = place.read({"table": "t", "key": "id"})
    assert plain.fields == {
        "id": 5000000000,
        "bal": "12.50",
        "whole": 7,
        "any_n": "1.10",
        "at": "2026-01-02T03:04:05",
        "ts": "2026-01-02T01:04:05Z",
        "d": "2026-01-02",
        "t": "03:04:00",
        "iv": "73:00:00",
        "m": "ok",
        "j": {"a": [1.5, None]},
        "f": "NaN",
        "b": "c0ffee",
        "uu": "c0ffee00-0000-4000-8000-000000000000",
        "a": [1, 2, None],
        "ip": "10.0.0.1",
        "mo": "$12.50",
        "r": "[1,5)",
        "c": "ab",
        "bo": True,
        "x": "<a/>",
        "tt": ["a", "b,c"],
    }
    shown = {name: value for name, value in odd.fields.items() if value is not None}
    assert shown == {
        "id": 1,
        "whole": "NaN",
        "any_n": "Infinity",
        "ts": "20000-01-01 00:00:00+00",
        "d": "infinity",
        "f": "-Infinity",
    }


def test_the_types_of_sqlite(request: pytest.FixtureRequest, tmp_path: Any) -> None:
    """SQLite's values are what they are, whatever the column was called; only BOOLEAN means truth values."""
    with make_place("sqlite", request, tmp_path) as place:
        place.run(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC, f REAL, s TEXT, b BLOB, flag BOOLEAN, d DATE, any)",
            "INSERT INTO t VALUES (1, 1.5, 3.0, 'Zoë', x'c0ffee', 1, '2026-01-02', 'text in a number'), (2, 9e999, -9e999, NULL, NULL, 0, 7, 8)",
        )
        one, two = place.read({"table": "t", "key": "id"})
    assert one.fields == {
        "id": 1,
        "n": 1.5,
        "f": 3,
        "s": "Zoë",
        "b": "c0ffee",
        "flag": True,
        "d": "2026-01-02",
        "any": "text in a number",
    }
    assert (two.fields["n"], two.fields["f"], two.fields["flag"], two.fields["d"]) == ("Infinity", "-Infinity", False, 7)


@pytest.mark.parametrize("place", DATABASES[1:], indirect=True)  # SQLite has no times
def test_times_without_a_zone_are_at_home_where_the_source_is(place: Place) -> None:
    """A naive time is in the source's timezone if it has one, and is returned in UTC."""
    place.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)"
        if place.family == "postgresql"
        else "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME)",
        "INSERT INTO t VALUES (1, '2026-07-01 12:00:00')",
    )
    place.grant("t")
    assert [r.fields["at"] for r in place.read({"table": "t", "key": "id"})] == ["2026-07-01T12:00:00"]
    rows = place.read({"table": "t", "key": "id"}, timezone="Europe/Paris")
    assert [r.fields["at"] for r in rows] == ["2026-07-01T10:00:00Z"]


def test_a_row_or_value_that_no_record_holds_is_reported_by_name(place: Place) -> None:
    """A value that is too large is left out of its row; a row that is too large becomes no record. The rest is read."""
    kind = {"sqlite": "BLOB", "mysql": "BLOB", "postgresql": "BYTEA"}[place.family]
    text = "LONGTEXT" if place.family == "mysql" else "TEXT"
    blob = {"sqlite": "zeroblob(256)", "mysql": "REPEAT(x'00', 256)", "postgresql": "decode(repeat('00', 256), 'hex')"}[
        place.family
    ]
    large = "hex(zeroblob(140000))" if place.family == "sqlite" else "REPEAT('x', 280000)"
    place.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, photo {kind}, life {text})")
    place.run(f"INSERT INTO t VALUES (1, {blob}, 'a'), (2, NULL, {large}), (3, NULL, 'c')")
    place.grant("t")
    rows = place.read({"table": "t", "key": "id"})
    assert [(r.key, r.is_usable, dict(r.fields)) for r in rows] == [
        ("1", True, {"id": 1, "life": "a"}),
        ("2", False, {}),
        ("3", True, {"id": 3, "photo": None, "life": "c"}),
    ]
    assert [(p.code, p.field) for r in rows for p in r.problems] == [("blob", "photo"), ("row-size", None)]


def test_text_of_another_encoding_is_reported_and_never_ends_the_reading(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """SQLite keeps what it was given: such a value is left out, a row of such a key too, and the rows behind it are read."""
    with make_place("sqlite", request, tmp_path) as place:
        place.run("CREATE TABLE t (code TEXT PRIMARY KEY NOT NULL, name TEXT)")
        with sqlite3.connect(place.database) as made:
            rows = [(b"k\xe9%05d" % n, "a") for n in range(1, 2500)]
            made.executemany("INSERT INTO t VALUES (CAST(? AS TEXT), ?)", rows)
            made.execute("INSERT INTO t VALUES ('a', CAST(x'636166e9' AS TEXT)), ('z', 'b')")
        found = place.read({"table": "t", "key": "code"})
    assert (len(found), sum(r.is_usable for r in found)) == (2501, 2)
    (first,) = [r for r in found if r.key == "a"]
    assert (dict(first.fields), first.problems[0].code, found[-1].key) == ({"code": "a"}, "bad-text", "z")


@needs_postgres
@pytest.mark.parametrize("place", [DATABASES[2]], indirect=True)
def test_values_that_a_driver_would_turn_into_others_stay_what_they_are(place: Place) -> None:
    """Midnight as 24:00, months, infinity, digits inside JSON, domains, text without case: as the database shows them."""
    place.run(
        "CREATE EXTENSION citext",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "CREATE DOMAIN ranked AS positive",
        "CREATE TABLE t (rank ranked, mail citext, hours time, term interval, days interval, doc jsonb, gain real, net cidr,"
        " card macaddr, PRIMARY KEY (rank, mail, card))",
        "INSERT INTO t VALUES (7, 'A@x.example', '24:00', '1 mon 3 days', '30 days', '{\"n\": 12345678901234567890.12, \"m\": 0.5}',"
        " 41.902782, '10.0.0.0/8', '08:00:2b:01:02:03'), (8, 'b', NULL, '-2 years', NULL, NULL, 16777216, NULL, '08:00:2b:01:02:04')",
    )
    place.grant("t")
    table = {"table": "t", "key": ["rank", "mail", "card"]}
    first, second = place.read(table)
    assert (first.key, second.key) == ('[7,"A@x.example","08:00:2b:01:02:03"]', '[8,"b","08:00:2b:01:02:04"]')
    assert {name: first.fields[name] for name in ("hours", "term", "days", "doc", "gain", "net")} == {
        "hours": "24:00:00",
        "term": "1 mon 3 days",
        "days": "720:00:00",
        "doc": {"n": "12345678901234567890.12", "m": 0.5},
        "gain": 41.902782,
        "net": "10.0.0.0/8",
    }
    assert (second.fields["term"], second.fields["gain"]) == ("-2 years", 16777216)
    assert [r.key for r in place.read(table, KeyRange(after=unpack_key(pack_key(first.key_values))))] == [second.key]


@needs_mariadb
@pytest.mark.parametrize("place", [DATABASES[1]], indirect=True)
def test_floats_and_bits_of_mysql_are_what_the_column_holds(place: Place) -> None:
    """A FLOAT is not rounded to six digits, and the number in a BIT may be a key."""
    place.run(
        "CREATE TABLE t (flags BIT(10) PRIMARY KEY, lat FLOAT, price FLOAT)",
        "INSERT INTO t VALUES (b'1000000001', 41.902782, 1234567.75), (2, 0.5, 16777216), (b'11', NULL, -1)",
    )
    place.grant("t")
    rows = place.read({"table": "t", "key": "flags"})
    assert [(r.key, r.fields["flags"], r.fields["price"]) for r in rows] == [
        ("2", 2, 16777216),
        ("3", 3, -1),
        ("513", 513, 1234567.75),
    ]
    assert rows[2].fields["lat"] == 41.90278244018555
    assert [r.key for r in place.read({"table": "t", "key": "flags"}, KeyRange(after=rows[0].key_values))] == ["3", "513"]


@needs_postgres
@pytest.mark.parametrize("place", [DATABASES[2]], indirect=True)
def test_a_value_that_the_database_itself_cannot_make_is_reported_by_its_column(place: Place) -> None:
    """A view that divides by zero in one row: the error names the column, no condition, and other tables can be read."""
    place.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)",
        "INSERT INTO t VALUES (1, 5), (2, 0)",
        "CREATE VIEW shares AS SELECT id, n, 100 / n AS share FROM t",
    )
    place.grant("t", "shares")
    with place.open({"table": "shares", "key": "id"}, {"table": "t", "key": "id"}) as (opened, settings):
        with pytest.raises(SourceMalformedError) as raised, opened.isolated():
            list(opened.fetch_rows(settings.tables[0], KeyRange()))
        assert [r.key for r in opened.fetch_rows(settings.tables[1], KeyRange())] == ["1", "2"]
    message = "table 'shares': column 'share' holds a value that cannot be read; name the fields to read, without it"
    assert (raised.value.stable_code, raised.value.message) == ("bad-value", message)


def test_no_statement_outlasts_its_worker(place: Place) -> None:
    """A condition that takes half a minute is ended where the host gives the worker a second more than it needs to end."""
    endless = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) > 0"
    where = {"sqlite": endless, "mysql": "SLEEP(30) = 0", "postgresql": "pg_sleep(30) IS NOT NULL"}[place.family]
    place.run("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    place.grant("t")

    with pytest.raises(SourceUnavailableError) as late:
        place.read({"table": "t", "key": "id", "where": where}, seconds_left=lambda: 11.5)
    assert late.value.stable_code == "sql-timeout"

    left = iter([11.5, *[600.0] * 50])  # a limit that was lowered stays
    assert place.read({"table": "t", "key": "id"}, seconds_left=lambda: next(left))
