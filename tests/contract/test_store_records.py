"""What every store does with records, change logs, snapshots and runs."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import (
    CollectionName,
    FieldChange,
    LoggedChange,
    Presence,
    Record,
    RecordId,
    RunId,
    Scope,
    SourceId,
    make_record_id,
)
from bokit.core.model.runs import Outcome, Run, RunStatus, Trigger
from bokit.errors import InputError, StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.protocols import Snapshot, Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NAUGHTY_STRINGS, NOW, a_change, a_record, a_report, a_run, an_edit
from tests.support.steps import OTHER, add_record, add_run, add_source, lease_of

UNIT = Scope("unit_1")


def load_all(store: Store) -> list[Record]:
    """Return the bookings of the unit."""
    return list(store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT))


def test_a_record_comes_back_whole(store: Store) -> None:
    """A record comes back with every field, naughty strings and nested values included."""
    fields = {"strings": list(NAUGHTY_STRINGS), "half": "\ud800", "none": None, "n": 2**53 + 1, "deep": {"": [{}]}, "": True}
    record = a_record(
        scope=Scope("a#b.c"),
        id=make_record_id(Scope("a#b.c"), "ü#%"),
        key="\u2028",
        source_id=None,
        collection=CollectionName("c#d"),
        remote=fields,
        edits={"x.y": an_edit({"a": None}, base=[1], by="#"), "": an_edit(None)},
        presence=Presence.GONE,
        missing_since=NOW,
        gone_at=NOW + timedelta(microseconds=1),
        gone_reason="vanished",
        memory=fields,
        updated_at=NOW + DAY,
    )
    saved = store.apply_records([record], [], lease=None)

    assert saved == [replace(record, version=1)]
    assert store.load_record(DEFAULT_TENANT, record.collection, record.id) == saved[0]
    assert store.load_records(DEFAULT_TENANT, record.collection, record.scope) == saved


def test_what_json_cannot_hold_is_refused(store: Store) -> None:
    """A value that would come back as something else is refused by every store, not by the table alone."""
    with pytest.raises(TypeError):
        store.apply_records([a_record(remote={"check_in": NOW})], [], lease=None)
    assert load_all(store) == []


def test_a_tuple_comes_back_as_a_list(store: Store) -> None:
    """No store hands out what the table could not."""
    record = a_record(memory={"seen": (1, 2)})
    store.apply_records([record], [], lease=None)

    assert load_all(store)[0].memory == {"seen": [1, 2]}


def test_records_come_by_scope_and_in_order(store: Store) -> None:
    """A scope's records come in the order of their ids, with the gone ones, and no other scope's."""
    ids = ["unit_1.c", "unit_1.a", "unit_1.b", "unit_1.B", "unit_1.é"]
    store.apply_records([a_record(id=RecordId(record), presence=Presence.GONE) for record in ids], [], lease=None)
    store.apply_records([a_record(scope=Scope("unit_2")), a_record(collection=CollectionName("clients"))], [], lease=None)

    assert [record.id for record in load_all(store)] == sorted(ids)


def test_the_id_of_something_else_is_an_unknown_record(store: Store) -> None:
    """A record's id that was never created is unknown, whatever it looks like."""
    add_record(store)
    for record in (*NAUGHTY_STRINGS, "unit_1", "unit_1.", ".x", "unit_1.none", "unit_2.x", "x" * 3000 + ".y", "\ud800.y"):
        with pytest.raises(UnknownIdError):
            store.load_record(DEFAULT_TENANT, BOOKINGS, RecordId(record))


def test_a_record_is_written_by_its_version(store: Store) -> None:
    """A write over another's change is a conflict, and the change log stays as it was."""
    first = add_record(store)
    second = store.apply_records([replace(first, key="second")], [], lease=None)[0]

    for stale in (first, replace(first, version=0), replace(first, version=7)):
        with pytest.raises(StoreConflictError):
            store.apply_records([stale], [a_change(stale)], lease=None)
    assert load_all(store) == [second]
    assert len(store.load_changes(DEFAULT_TENANT, first.id).items) == 1


def test_one_conflict_holds_back_its_whole_transaction(store: Store) -> None:
    """Records of one transaction are written together or not at all."""
    stored = add_record(store)
    new = a_record()

    with pytest.raises(StoreConflictError):
        store.apply_records([new, replace(stored, version=5)], [a_change(new)], lease=None)
    assert load_all(store) == [stored]


def test_a_record_twice_in_one_write_is_a_conflict(store: Store) -> None:
    """The second of two versions cannot be right."""
    record = a_record()
    with pytest.raises(StoreConflictError):
        store.apply_records([record, record], [], lease=None)
    assert load_all(store) == []


def test_nothing_to_write_is_nothing_written(store: Store) -> None:
    """No records make no write."""
    assert list(store.apply_records([], [], lease=None)) == []


def test_more_than_a_transaction_is_written_in_order(store: Store) -> None:
    """Two hundred and fifty actions are written under the lease, and each record has its changes."""
    source = add_source(store)
    records = [a_record() for _ in range(100)]
    changes = [change for record in records for change in (a_change(record), a_change(record, reason="again"))][:150]
    saved = store.apply_records(records, changes, lease=lease_of(store, source))

    assert [record.version for record in saved] == [1] * 100
    assert load_all(store) == saved
    assert [len(store.load_changes(DEFAULT_TENANT, record.id).items) for record in records[73:77]] == [2, 2, 0, 0]


def test_who_dies_in_the_middle_goes_on_where_it_stopped(store: Store) -> None:
    """Of a write in two transactions the first stands; planned again from what is stored, the rest follows."""
    records = [a_record() for _ in range(120)]
    blocking = store.apply_records([records[110]], [], lease=None)[0]
    with pytest.raises(StoreConflictError):
        store.apply_records(records, [], lease=None)

    stored = {record.id: record for record in load_all(store)}
    assert set(stored) == {record.id for record in records[:97]} | {blocking.id}
    rest = [record for record in records if record.id not in stored]
    store.apply_records(rest, [], lease=None)
    assert len(load_all(store)) == 120


def test_a_lease_that_is_lost_in_the_middle_stops_the_rest(store: Store) -> None:
    """What the old holder wrote before stands whole, and the new one writes over it."""
    source = add_source(store)
    old = lease_of(store, source)
    first = store.apply_records([a_record()], [], lease=old)
    new = store.acquire_lease(source, holder="new", now=old.until, until=old.until + HOUR)

    with pytest.raises(StaleFenceError):
        store.apply_records(first, [], lease=old)
    assert store.apply_records(first, [], lease=new)[0].version == 2


def test_changes_come_newest_first_and_whole(store: Store) -> None:
    """A record's change log has every field of every line, newest first; of equal times the last written first."""
    record = add_record(store)
    odd = a_change(
        record,
        at=NOW + timedelta(microseconds=1),
        by="user:#\u2028",
        action="update",
        reason="\ud800",
        run_id=RunId("run_1"),
        fields={"": FieldChange(before=[None], after={"a": 1})},
        preserved={"x": FieldChange(before=None, after=0)},
    )
    later = [a_change(record, at=NOW + HOUR, reason=str(n)) for n in range(3)]
    record = store.apply_records([record], [later[0], odd], lease=None)[0]
    store.apply_records([record], later[1:], lease=None)

    assert store.load_changes(DEFAULT_TENANT, record.id).items == (later[2], later[1], later[0], odd, a_change(record))


def test_changes_come_in_pages(store: Store) -> None:
    """Pages join to the whole log, without gap or double, while new lines come."""
    record = add_record(store)
    for n in range(1, 7):
        record = store.apply_records([record], [a_change(record, at=NOW + n * HOUR, reason=str(n))], lease=None)[0]
    page = store.load_changes(DEFAULT_TENANT, record.id, limit=3)
    store.apply_records([record], [a_change(record, at=NOW + DAY, reason="late")], lease=None)
    listed: list[LoggedChange] = [*page.items]
    for _ in range(5):
        if page.cursor is None:
            break
        page = store.load_changes(DEFAULT_TENANT, record.id, limit=3, cursor=page.cursor)
        listed += page.items

    assert [change.reason for change in listed] == ["6", "5", "4", "3", "2", "1", "new"]


@pytest.mark.parametrize("cursor", ["", "x", "é", "====", "AAAA", "\ud800", "A" * 5000])
def test_a_cursor_that_nobody_gave_is_refused(store: Store, cursor: str) -> None:
    """An invalid cursor is an input error in every list."""
    record = add_record(store)
    for ask in (store.load_runs, lambda tenant, cursor: store.load_changes(tenant, record.id, cursor=cursor)):
        with pytest.raises(InputError) as caught:
            ask(DEFAULT_TENANT, cursor=cursor)
        assert caught.value.stable_code == "bad-cursor"


def test_a_cursor_is_good_for_its_list_alone(store: Store) -> None:
    """Another tenant's cursor, or another list's, is refused."""
    for _ in range(2):
        add_run(store)
        add_run(store, tenant=OTHER)
    cursor = store.load_runs(DEFAULT_TENANT, limit=1).cursor
    record = add_record(store)

    assert cursor is not None
    with pytest.raises(InputError):
        store.load_runs(OTHER, cursor=cursor)
    with pytest.raises(InputError):
        store.load_changes(DEFAULT_TENANT, record.id, cursor=cursor)


@pytest.mark.parametrize("size", [0, 1, 350_000, 1_200_000])
def test_a_snapshot_comes_back_whole(store: Store, size: int) -> None:
    """A snapshot comes back byte for byte, however large, with its memory and version."""
    source = add_source(store)
    lease = lease_of(store, source)
    assert store.load_snapshot(source) == Snapshot()
    content = random.Random(size).randbytes(size)
    saved = store.save_snapshot(Snapshot(content=content, memory={"a": [None, "\ud800"]}), lease=lease)

    assert saved == Snapshot(content=content, memory={"a": [None, "\ud800"]}, version=1)
    assert store.load_snapshot(source) == saved


def test_a_snapshot_replaces_the_one_before(store: Store) -> None:
    """Large, small, large again: what is read is always the last, and its version goes on."""
    source = add_source(store)
    lease = lease_of(store, source)
    snapshot = Snapshot()
    for size in (800_000, 10, 900_000, 800_000):
        content = random.Random(size).randbytes(size)
        snapshot = store.save_snapshot(replace(snapshot, content=content), lease=lease)

        assert store.load_snapshot(source) == snapshot
    assert snapshot.version == 4


@pytest.mark.parametrize("size", [3, 900_000])
def test_a_snapshot_is_saved_by_its_version(store: Store, size: int) -> None:
    """A snapshot that another replaced meanwhile is not written over."""
    source = add_source(store)
    lease = lease_of(store, source)
    kept = store.save_snapshot(Snapshot(content=b"kept"), lease=lease)

    for version in (0, 2):
        with pytest.raises(StoreConflictError):
            store.save_snapshot(Snapshot(content=random.Random(1).randbytes(size), version=version), lease=lease)
    assert store.load_snapshot(source) == kept


def test_a_run_comes_back_whole(store: Store) -> None:
    """A run comes back with every report, step, count and planned action."""
    before = a_record(version=3)
    after = replace(before, edits={"notes": an_edit("x")}, presence=Presence.MISSING, missing_since=NOW)
    action = Action(
        kind=ActionKind.MARK_MISSING,
        before=before,
        after=after,
        reason="gone",
        fields={"a": FieldChange(before=1, after=None)},
        preserved={"b": FieldChange(before="\ud800", after=[])},
    )
    created = Action(kind=ActionKind.CREATE, before=None, after=after, reason="new")
    report = a_report(outcome=Outcome.HELD, error={"code": "empty-feed", "message": "…"}, plan=(action, created))
    run = a_run(sources=(report, a_report(steps=(), counts={})), dry_run=True, trigger=Trigger.MONITOR, status=RunStatus.PARTIAL)
    store.save_run(run, expires_at=NOW + DAY)

    assert store.load_run(DEFAULT_TENANT, run.run_id) == run
    assert store.load_runs(DEFAULT_TENANT).items == (run,)


def test_a_run_is_replaced_as_it_goes_on(store: Store) -> None:
    """A run that was queued and then ended is one run."""
    run = add_run(store, status=RunStatus.QUEUED, finished_at=None, sources=())
    ended = replace(run, status=RunStatus.SUCCEEDED, finished_at=NOW, sources=(a_report(),))
    store.save_run(ended, expires_at=NOW + DAY)

    assert store.load_runs(DEFAULT_TENANT).items == (ended,)


def test_a_run_larger_than_an_item_comes_back(store: Store) -> None:
    """A run with thousands of planned actions is kept whole."""
    noise = random.Random(1)
    actions = tuple(
        Action(kind=ActionKind.CREATE, before=None, after=a_record(memory={"x": noise.randbytes(400).hex()}), reason="new")
        for _ in range(1500)
    )
    run = a_run(sources=(a_report(plan=actions),))
    store.save_run(run, expires_at=NOW + DAY)

    assert store.load_run(DEFAULT_TENANT, run.run_id) == run
    assert store.load_runs(DEFAULT_TENANT).items == (run,)


def test_runs_come_newest_first_in_pages(store: Store) -> None:
    """Pages of runs join to the whole history, newest first; the last page says that it is the last."""
    runs: list[Run] = [add_run(store) for _ in range(7)]
    listed: list[Run] = []
    page = store.load_runs(DEFAULT_TENANT, limit=3)
    for _ in range(5):
        listed += page.items
        if page.cursor is None:
            break
        page = store.load_runs(DEFAULT_TENANT, limit=3, cursor=page.cursor)

    assert listed == runs[::-1]
    assert store.load_runs(DEFAULT_TENANT, limit=7).cursor is None
    assert store.load_runs(OTHER).items == ()


def test_a_run_that_is_not_there_is_unknown(store: Store) -> None:
    """A run's id that was never created is unknown."""
    add_run(store)
    for run in NAUGHTY_STRINGS:
        with pytest.raises(UnknownIdError):
            store.load_run(DEFAULT_TENANT, RunId(run))


def test_of_many_writers_of_one_record_exactly_one_wins(shared_store: Store) -> None:
    """Of eight that write the same version of a record at the same time one is stored, and the others get a conflict."""
    record = add_record(shared_store)
    gate = Barrier(8)

    def race(n: int) -> bool:
        gate.wait(timeout=20)
        mine = replace(record, source_id=SourceId(f"src_{n}"))
        try:
            shared_store.apply_records([mine], [a_change(mine)], lease=None)
        except StoreConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(8))) == 1
    assert load_all(shared_store)[0].version == 2
    assert len(shared_store.load_changes(DEFAULT_TENANT, record.id).items) == 2


def test_records_are_found_by_id(store: Store) -> None:
    """Many records are read by their ids at once; those that are not there have no entry."""
    saved = store.apply_records([a_record(scope=UNIT) for _ in range(130)], [], lease=None)
    unknown = make_record_id(UNIT, "unknown")
    found = store.find_records(DEFAULT_TENANT, BOOKINGS, [*(r.id for r in saved), unknown])
    assert found == {record.id: record for record in saved}
    assert store.find_records(OTHER, BOOKINGS, [saved[0].id]) == {}
    assert store.find_records(DEFAULT_TENANT, BOOKINGS, []) == {}
    odd = [RecordId(text) for text in (*NAUGHTY_STRINGS, "x" * 3000 + ".y", "\ud800.y")]
    assert store.find_records(DEFAULT_TENANT, BOOKINGS, [*odd, saved[0].id]) == {saved[0].id: saved[0]}


def test_chunks_come_back_whole(store: Store) -> None:
    """Chunks of any size and name come back byte for byte; those that are not there have no entry."""
    source = add_source(store)
    lease = lease_of(store, source)
    noise = random.Random(1)
    names = [*NAUGHTY_STRINGS, "\ud800", "x" * 5001]
    chunks: dict[str, bytes | None] = {name: noise.randbytes(n) for n, name in enumerate(names)}
    chunks |= {"large": noise.randbytes(900_000), "none": None}
    store.save_chunks(source, chunks, lease=lease)

    kept = {name: chunk for name, chunk in chunks.items() if chunk is not None}
    assert store.load_chunks(source, [*chunks, "unknown"]) == kept
    assert store.load_chunks(source, ["large", "large"]) == {"large": kept["large"]}
    assert store.load_chunks(source, []) == {}


def test_more_chunks_than_a_transaction_takes_are_written(shared_store: Store) -> None:
    """Two hundred and fifty chunks, and eight megabytes in thirty, are all kept, replaced and forgotten."""
    source = add_source(shared_store)
    lease = lease_of(shared_store, source)
    noise = random.Random(1)
    many: dict[str, bytes | None] = {f"c{n}": noise.randbytes(10) for n in range(250)}
    heavy: dict[str, bytes | None] = {f"h{n}": noise.randbytes(270_000) for n in range(30)}
    shared_store.save_chunks(source, many | heavy, lease=lease)
    assert shared_store.load_chunks(source, many | heavy) == many | heavy

    shared_store.save_chunks(source, dict.fromkeys(many) | {"h0": b""}, lease=lease)
    assert shared_store.load_chunks(source, many | heavy) == heavy | {"h0": b""}


def test_chunks_replace_those_before(store: Store) -> None:
    """Large, small, gone, large again: what is read is always the last, and no other chunk changes."""
    source = add_source(store)
    lease = lease_of(store, source)
    store.save_chunks(source, {"other": b"kept"}, lease=lease)
    for size in (800_000, 10, None, 900_000, None):
        chunk = None if size is None else random.Random(size).randbytes(size)
        store.save_chunks(source, {"c": chunk}, lease=lease)

        assert store.load_chunks(source, ["c", "other"]) == {"other": b"kept"} | ({} if chunk is None else {"c": chunk})


@pytest.mark.parametrize("size", [3, 900_000])
def test_a_stale_fence_writes_and_forgets_no_chunk(store: Store, size: int) -> None:
    """A lost lease neither writes, replaces nor deletes a chunk, small or large."""
    source = add_source(store)
    old = lease_of(store, source)
    large = random.Random(2).randbytes(700_000)
    store.save_chunks(source, {"c": large}, lease=old)
    store.acquire_lease(source, holder="new", now=old.until, until=old.until + HOUR)
    noise = random.Random(size).randbytes(size)
    for chunks in ({"c": noise}, {"c": None}, {"new": noise}):
        with pytest.raises(StaleFenceError):
            store.save_chunks(source, chunks, lease=old)

    assert store.load_chunks(source, ["c", "new"]) == {"c": large}


def test_chunks_are_their_sources_alone(store: Store) -> None:
    """Neither another source, nor another tenant, nor a removed tenant's id reads them."""
    source, neighbour = add_source(store), add_source(store)
    store.save_chunks(source, {"c": b"x"}, lease=lease_of(store, source))
    for other in (neighbour, replace(source, tenant=OTHER)):
        with pytest.raises(StaleFenceError):
            store.save_chunks(other, {"c": b"y"}, lease=lease_of(store, source))

    assert store.load_chunks(neighbour, ["c"]) == {}
    assert store.load_chunks(replace(source, tenant=OTHER), ["c"]) == {}
    store.remove_tenant(DEFAULT_TENANT)
    assert store.load_chunks(source, ["c"]) == {}


def test_a_removed_tenants_records_are_none_in_whatever_order_they_came(store: Store) -> None:
    """A scope whose records came out of order is empty once its tenant is removed, and is filled again."""
    store.apply_records([a_record(id=RecordId(f"unit_1.{letter}")) for letter in "cab"], [], lease=None)
    store.remove_tenant(DEFAULT_TENANT)
    assert load_all(store) == []

    again = store.apply_records([a_record(id=RecordId("unit_1.a"))], [], lease=None)
    assert load_all(store) == again


def test_lines_of_a_change_log_are_written_again(store):
    """Each in its place, whether it was compressed or will be; one that does not exist stays so, another is left as it is."""
    record = a_record()
    long = {f"f{n}": FieldChange(before="x" * 30_000, after=str(n)) for n in range(15)}
    store.apply_records([record], [a_change(record), replace(a_change(record), fields=long)], lease=None)
    second, first = store.load_changes(record.tenant, record.id).items
    lines = {second.line: replace(second, fields={}), first.line: replace(first, reason="other"), f"{first.line}0": first}
    store.rewrite_changes(record.tenant, record.id, lines)

    after = store.load_changes(record.tenant, record.id).items
    assert [(c.line, c.reason, dict(c.fields)) for c in after] == [
        (second.line, second.reason, {}),
        (first.line, "other", dict(first.fields)),
    ]
    assert store.load_record(record.tenant, record.collection, record.id).version == 1
