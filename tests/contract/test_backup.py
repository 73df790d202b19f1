"""A backup and what is restored from it, on real tables: equal item for item, and nothing from a file that is not whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from bokit.core.model.backup_file import BackupTally, RawItem, read_lines
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.limits import EVENT_JUMP
from bokit.engine.base.backup import BackupService
from bokit.errors import InputError, StateError, StoreConflictError
from bokit.store.dynamo.items import is_left_out, is_part
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import Snapshot
from bokit.store.schema import SCHEMA
from bokit.values import replace
from tests.support.apartment import AIRBNB, Flat
from tests.support.builders import NOW
from tests.support.former_table import ICAL, LOADS, TENANT, put_items, source_of, write_plain
from tests.support.restored_items import expected, same, scan

LATER = NOW + timedelta(days=1)


class Died(BaseException):
    """The process died."""


def clear(store: DynamoStore) -> None:
    store.delete_items()
    store.end_restore()


def service_of(store: DynamoStore) -> BackupService:
    def jump(tenants: Iterable[Any], stamp: str) -> int:
        return sum(store.raise_last_seq(tenant, by=EVENT_JUMP, stamp=stamp) for tenant in tenants)

    return BackupService(store, lambda: NOW, jump)


def create(store: DynamoStore) -> list[bytes]:
    lines: list[bytes] = []
    service_of(store).create(lines.append)
    return lines


def restore(store: DynamoStore, lines: Sequence[bytes], **given: Any) -> Any:
    return service_of(store).restore(lambda: iter(lines), **given)


def fill(store: DynamoStore) -> None:
    """Write everything that a former release stored, and what only later ones do: large values, events, usage, sets, leases."""
    put_items(store)
    source = source_of(store, ICAL)
    lease = store.acquire_lease(source, holder="run", now=LATER, until=LATER + timedelta(minutes=5))
    assert lease
    content = b"".join(i.to_bytes(8, "big") * 3 for i in range(250_000))
    before = store.load_snapshot(source)
    store.save_snapshot(replace(before, content=_noise(900_000) + content), lease=lease)
    store.save_option(TENANT, "sync.interval", 900)
    store.raise_last_seq(TENANT, by=41, stamp="before")
    store.count_writes(TENANT, NOW.date(), 3)
    item = {"pk": {"S": "T#rosa#RUNS#PROGRESS#x"}, "sk": {"S": "a"}, "pending": {"SS": ["b", "a"]}, "version": {"N": "7"}}
    item |= {"reports": {"M": {"src": {"B": b"\x00\xff\n"}}}, "doc": {"S": "\u2028 🏠 ü"}}
    store.client.put_item(TableName=store.table_name, Item=item)
    store.client.put_item(TableName=store.table_name, Item={"pk": {"S": "OUT#03"}, "sk": {"S": "1#x"}, "packed": {"B": b"x"}})


def _noise(length: int) -> bytes:
    """Return bytes that no compression makes smaller, the same each time."""
    import random

    return random.Random(16).randbytes(length)


def test_a_table_comes_back_equal(dynamo):
    """Item for item: bytes, numbers, sets, large values in parts; without claims, outbox, connections and counts."""
    fill(dynamo)
    before = scan(dynamo)
    values = {name: write_plain(LOADS[name](dynamo)) for name in ("load_records", "load_changes", "load_chunks", "load_runs")}
    assert sum(is_part(pk) for pk, _ in before) >= 3
    assert any("holder" in item for item in before.values())

    lines = create(dynamo)
    clear(dynamo)
    counts = restore(dynamo, lines)

    same(scan(dynamo), expected(before))
    assert counts["items"] == len(lines) - 2
    assert {name: write_plain(LOADS[name](dynamo)) for name in values} == values
    assert (dynamo.load_schema(), dynamo.load_last_seq(TENANT)) == (SCHEMA, 41 + EVENT_JUMP)
    assert dynamo.load_restore() == {}


def test_the_same_file_again_changes_nothing(dynamo):
    """With --replace, over what it wrote before; the file of a restored table is the same but for the events' numbers."""
    fill(dynamo)
    lines = create(dynamo)
    clear(dynamo)
    restore(dynamo, lines)
    once = scan(dynamo)

    restore(dynamo, lines, replace=True)

    same(scan(dynamo), once)


def test_a_table_that_holds_something_is_left_alone(dynamo):
    """Without --replace; with it, only what the file has is there afterwards."""
    fill(dynamo)
    lines, before = create(dynamo), scan(dynamo)
    dynamo.save_option(DEFAULT_TENANT, "sync.interval", 1200)
    now = scan(dynamo)

    with pytest.raises(StateError, match="not empty"):
        restore(dynamo, lines)
    assert scan(dynamo) == now

    restore(dynamo, lines, replace=True)
    same(scan(dynamo), expected(before))


@pytest.fixture(scope="module")
def small() -> list[bytes]:
    """A backup of three items."""
    from datetime import UTC, datetime

    from bokit.core.model.backup_file import write_lines

    items = [{"pk": {"S": "TENANTS"}, "sk": {"S": name}, "doc": {"S": "{}"}} for name in "abc"]
    return list(write_lines(items, schema=1, made_at=datetime(2026, 6, 1, tzinfo=UTC), tally=BackupTally()))


def without(lines: Sequence[bytes], at: int) -> list[bytes]:
    return [line for place, line in enumerate(lines) if place != at]


DAMAGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "nothing": lambda lines: [],
    "no header": lambda lines: lines[1:],
    "no trailer": lambda lines: lines[:-1],
    "an item less": lambda lines: without(lines, 2),
    "an item twice": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "two items exchanged": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "a letter changed": lambda lines: [*lines[:2], lines[2].replace(b'"b"', b'"x"'), *lines[3:]],
    "cut within a line": lambda lines: [*lines[:2], lines[2][:9]],
    "not JSON": lambda lines: [*lines[:2], b"<html>\n", *lines[3:]],
    "no object": lambda lines: [*lines[:2], b"[1]\n", *lines[3:]],
    "no key": lambda lines: [*lines[:2], b'{"doc":{"S":"x"}}\n', *lines[3:]],
    "no type": lambda lines: [*lines[:2], b'{"pk":{"X":"x"},"sk":{"S":"x"}}\n', *lines[3:]],
    "a list in the trailer": lambda lines: [*lines[:-1], b'{"sha256":[]}\n'],
    "more behind it": lambda lines: [*lines, b"\n"],
    "a line without an end": lambda lines: [*lines[:2], b"x" * 2_000_001],
    "deep": lambda lines: [*lines[:2], b"[" * 100_000 + b"\n"],
    "other counts": lambda lines: [*lines[:-1], lines[-1].replace(b'"items":3', b'"items":4')],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_nothing_is_written_from_a_damaged_file(dynamo, small, name):
    """Whatever is wrong with it is found before the first write, and said once."""
    with pytest.raises(InputError) as caught:
        restore(dynamo, DAMAGES[name](small))

    assert caught.value.stable_code == "bad-backup"
    assert (scan(dynamo), dynamo.load_restore()) == ({}, {})


def test_a_file_of_a_newer_release_is_refused(dynamo, small):
    """Its schema number is greater than this release knows."""
    newer = [small[0].replace(b'"schema":1', b'"schema":2'), *small[1:]]

    with pytest.raises(InputError, match="upgrade Bokit"):
        restore(dynamo, newer)
    assert scan(dynamo) == {}


class DyingItems:
    """A table of a process that dies at its n-th write."""

    def __init__(self, store: DynamoStore, writes: int) -> None:
        self._store, self._left = store, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_items(self, items: Iterable[RawItem]) -> None:
        for item in items:
            self._count()
            self._store.put_items([item])

    def delete_items(self) -> None:
        self._count()
        self._store.delete_items()

    def save_restore(self, mark: Any) -> None:
        self._count()
        self._store.save_restore(mark)

    def raise_schema(self) -> None:
        self._count()
        self._store.raise_schema()

    def end_restore(self) -> None:
        self._count()
        self._store.end_restore()

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Died


def test_a_restore_goes_on_after_each_death(dynamo):
    """A process that dies before any write of it leaves a table on which the same command ends as if nothing had happened."""
    put_items(dynamo)
    lines, wanted = create(dynamo), expected(scan(dynamo))
    clear(dynamo)
    step = len(lines) // 4
    for writes in (0, 1, 2, 3, *range(4, len(lines) + 3, step), len(lines) + 2):
        with pytest.raises(Died):
            BackupService(DyingItems(dynamo, writes), lambda: NOW, lambda *_: 0).restore(lambda: iter(lines))
        restore(dynamo, lines)
        same(scan(dynamo), wanted)
        clear(dynamo)


def test_another_file_does_not_go_on_where_one_was_interrupted(dynamo, small):
    """It says so; --replace starts again."""
    put_items(dynamo)
    lines = create(dynamo)
    clear(dynamo)
    with pytest.raises(Died):
        BackupService(DyingItems(dynamo, 5), lambda: NOW, lambda *_: 0).restore(lambda: iter(lines))

    with pytest.raises(StateError, match="another backup"):
        restore(dynamo, small)
    restore(dynamo, small, replace=True)
    assert {sk for _, sk in scan(dynamo)} == {"a", "b", "c"}


def test_what_is_due_is_written_last(dynamo):
    """A schedule that runs meanwhile finds nothing to claim before all else is there."""
    put_items(dynamo)
    lines = create(dynamo)
    clear(dynamo)
    written: list[RawItem] = []

    class Watched(DyingItems):
        def put_items(self, items: Iterable[RawItem]) -> None:
            taken = list(items)
            written.extend(taken)
            self._store.put_items(taken)

    BackupService(Watched(dynamo, 99), lambda: NOW, lambda *_: 0).restore(lambda: iter(lines))

    due = ["due_pk" in item for item in written]
    assert due == sorted(due)
    assert any(due)


def test_memory_stays_flat(dynamo):
    """Neither direction keeps the items: at most one request's are read ahead."""
    put_items(dynamo)
    reads: list[str] = []
    dynamo.client.meta.events.register_first("before-call.dynamodb", lambda model, **_: reads.append(model.name))
    items = dynamo.read_items()

    next(items)
    early = len(reads)
    assert sum(1 for _ in items) > 50
    assert early <= 2
    assert len(reads) > 8


# ── beside others that write ──


def with_writes(store: DynamoStore, at: int, write: Callable[[], object]) -> list[bytes]:
    """Return a backup, in which *write* happens after so many requests."""
    seen = 0

    def write_now(**_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            store.client.meta.events.unregister("before-call.dynamodb", write_now)
            write()

    store.client.meta.events.register("before-call.dynamodb", write_now)
    try:
        return create(store)
    finally:
        store.client.meta.events.unregister("before-call.dynamodb", write_now)


def items_of(lines: Sequence[bytes]) -> list[RawItem]:
    return list(read_lines(lines, known_schema=SCHEMA, tally=BackupTally()))


def snapshot_of(items: Iterable[RawItem]) -> tuple[RawItem, list[RawItem]]:
    found = [item for item in items if item["pk"]["S"].startswith(f"T#{TENANT}#SNAPSHOT#{ICAL}")]
    (head,) = [item for item in found if item["sk"]["S"] == "SNAPSHOT"]
    return head, [item for item in found if "#PARTS#SNAPSHOT" in item["pk"]["S"]]


@pytest.mark.parametrize("at", range(2, 14, 2))
def test_a_large_value_is_never_torn(dynamo, at):
    """Whenever it is written again, the file has all parts of one write and none of another."""
    fill(dynamo)
    source = source_of(dynamo, ICAL)

    def write() -> None:
        lease = dynamo.acquire_lease(source, holder="run", now=LATER, until=LATER + timedelta(minutes=5), renewal=True)
        assert lease
        before: Snapshot = dynamo.load_snapshot(source)
        dynamo.save_snapshot(replace(before, content=_noise(1_200_000)[::-1]), lease=lease)

    head, parts = snapshot_of(items_of(with_writes(dynamo, at, write)))

    assert len(parts) == int(head["parts"]["N"])
    assert all(part["sk"]["S"].startswith(f"{head['stamp']['S']}#") for part in parts)


def test_a_sync_beside_a_backup_loses_no_booking(dynamo):
    """Wherever a sync writes between the requests of a backup, the next sync of the restored table finds what it added."""
    for at in count(1):
        clear(dynamo)
        home = Flat(store=dynamo)
        home.add_feed(AIRBNB)
        home.sync()
        writes: list[object] = []

        def write(home: Flat = home, writes: list[object] = writes) -> None:
            home.book(AIRBNB, 20, 24)
            writes.append(home.sync())

        lines = with_writes(dynamo, at, write)
        if not writes:
            break
        clear(dynamo)
        restore(dynamo, lines)
        home.sync()

        stays = [record for record in home.records() if record.remote.get("kind") != "window"]
        assert [(stay.fields["check_in"], stay.fields["check_out"]) for stay in stays] == [(home.day(20), home.day(24))], at
    assert at > 5  # a backup has at least so many requests


def test_a_source_that_is_added_meanwhile_is_said(dynamo):
    """A file with its bookings and without its schedule would be of no use: it is to be made again."""
    home = Flat(store=dynamo)
    home.add_feed(AIRBNB)
    home.sync()

    with pytest.raises(StoreConflictError, match="make it again"):
        with_writes(dynamo, 4, lambda: home.add_feed("vrbo/r"))


def test_what_is_left_out_is_known_by_its_partition():
    """The outbox, tickets, connections, usage and the table's own marks; and nothing whose name only looks like it."""
    assert all(map(is_left_out, ("OUT#07", "TICKET#a", "T#rosa#CONNECTIONS", "T#rosa#USAGE", "USAGE", "SCHEMA", "RESTORE")))
    assert not any(
        map(is_left_out, ("T#OUT#CATALOG", "T#USAGE#RUNS", "TENANTS", "T#rosa#R#USAGE#x", "SHARDS", "T#TICKET#EVENTS"))
    )
    assert all(map(is_part, ("PAGE#h#PARTS#PAGE", "T#rosa#RUNS#PARTS#run", "T#rosa#SNAPSHOT#s#PARTS#CHUNK#a")))
    assert not any(map(is_part, ("T#PARTS#CATALOG", "T#rosa#R#PARTS#x", "T#rosa#SNAPSHOT#PARTS", "T#rosa#C#PARTS", "PAGE#PARTS")))


def test_the_file_is_json_line_by_line(small):
    """Its first line says what it is, its last one what it has; compressed, it is the same bytes again."""
    assert [sorted(json.loads(line)) for line in (small[0], small[-1])] == [
        ["bokit_backup", "made_at", "schema", "scope"],
        ["counts", "sha256"],
    ]
    assert json.loads(small[-1])["counts"] == {"items": 3, "tenants": 3}
    assert gzip.decompress(gzip.compress(b"".join(small))).splitlines(keepends=True) == small
