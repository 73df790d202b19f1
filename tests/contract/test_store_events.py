"""What every store does with the outbox and the event logs: numbered once, without gaps, whatever happens."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, OutboxItem, fill_outbox
from bokit.core.model.limits import MAX_OUTBOX_EVENTS, OUTBOX_PARTITIONS
from bokit.core.model.notices import AlertNote, Notice
from bokit.core.model.records import Scope, SourceId, TenantId, make_record_id
from bokit.errors import StoreConflictError
from bokit.store.event_protocol import StaleNote
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, a_change, a_record
from tests.support.steps import OTHER, add_source, lease_of


def an_item(name: str = "a", *, tenant: TenantId = DEFAULT_TENANT, events: int = 1, **given: object) -> OutboxItem:
    """Return an outbox item of some events."""
    said = [NewEvent(type=EventType.RECORD_CHANGED, data={"id": f"{name}{n}"}) for n in range(events)]
    (item,) = fill_outbox(tenant, NOW, said)
    return replace(item, **given)


def waiting(store: Store) -> list[OutboxItem]:
    """Return all items of the outbox."""
    return [item for partition in range(OUTBOX_PARTITIONS) for item in store.load_outbox(partition)]


def log_of(store: Store, tenant: TenantId = DEFAULT_TENANT) -> list[tuple[int, str]]:
    """Return the numbers and ids of a tenant's events."""
    found = store.load_events(tenant, after=0, until=store.load_last_seq(tenant))
    return [(event.seq, event.data["id"]) for event in found]


def number(store: Store, item: OutboxItem) -> int | None:
    """Number an item."""
    return store.number_events(item, expires_at=NOW + 7 * DAY)


def test_an_item_is_numbered_whole_and_once(store: Store) -> None:
    """Its events follow each other; a second time there is nothing to number."""
    first, second = an_item("a", events=2), an_item("b", at=NOW + HOUR)
    for item in (first, second):
        store.put_outbox(item)
    assert sorted(item.id for item in waiting(store)) == sorted((first.id, second.id))

    assert [number(store, first), number(store, first), number(store, second)] == [2, None, 3]
    assert (log_of(store), waiting(store)) == ([(1, "a0"), (2, "a1"), (3, "b0")], [])
    (event, *_) = store.load_events(DEFAULT_TENANT, after=0, until=1)
    assert (event.id, event.type, event.at) == (f"evt_{first.id}_00", EventType.RECORD_CHANGED, NOW)


def test_the_outbox_is_read_in_parts(store: Store) -> None:
    """Each part goes on after the last item of the one before, which may be numbered by then."""
    items = [an_item(name, at=NOW + n * HOUR) for n, name in enumerate("abcd")] + [an_item("e", is_bulk=True)]
    for item in reversed(items):
        store.put_outbox(item)

    first = store.load_outbox(items[0].partition, limit=2)
    number(store, first[-1])
    assert [*first, *store.load_outbox(items[0].partition, after=first[-1])] == items
    assert store.load_outbox(items[0].partition, after=items[-1]) == []


def test_the_largest_item_fits_one_transaction(store: Store) -> None:
    """Ninety events, the counter and the deletion."""
    item = an_item(events=MAX_OUTBOX_EVENTS)
    store.put_outbox(item)

    assert number(store, item) == MAX_OUTBOX_EVENTS
    assert [seq for seq, _ in log_of(store)] == list(range(1, MAX_OUTBOX_EVENTS + 1))


def test_more_events_than_one_item_takes_are_several() -> None:
    """Each is numbered by itself; none is lost."""
    events = [NewEvent(type=EventType.RECORD_CHANGED, data={"id": str(n)}) for n in range(2 * MAX_OUTBOX_EVENTS + 1)]

    items = fill_outbox(DEFAULT_TENANT, NOW, events)

    assert [len(item.events) for item in items] == [MAX_OUTBOX_EVENTS, MAX_OUTBOX_EVENTS, 1]
    assert len({item.id for item in items}) == 3
    assert [event for item in items for event in item.events] == events
    assert fill_outbox(DEFAULT_TENANT, NOW, []) == []


def test_an_item_that_is_not_there_writes_nothing(store: Store) -> None:
    """Neither events nor a counter."""
    assert number(store, an_item()) is None
    assert (store.load_last_seq(DEFAULT_TENANT), log_of(store)) == (0, [])


def test_two_tenants_never_cross(store: Store) -> None:
    """Each has its own numbers; a removed one leaves neither log nor outbox."""
    mine, theirs = an_item("mine"), an_item("theirs", tenant=OTHER)
    for item in (mine, theirs):
        store.put_outbox(item)
        number(store, item)
    assert (log_of(store), log_of(store, OTHER)) == ([(1, "mine0")], [(1, "theirs0")])

    store.put_outbox(an_item("late", tenant=OTHER))
    store.put_outbox(an_item("kept"))
    store.remove_tenant(OTHER)

    assert (log_of(store, OTHER), store.load_last_seq(OTHER)) == ([], 0)
    assert [item.events[0].data["id"] for item in waiting(store)] == ["kept0"]


def test_the_log_is_read_in_parts(store: Store) -> None:
    """From one number to another, in order."""
    item = an_item(events=12)
    store.put_outbox(item)
    number(store, item)

    assert [e.seq for e in store.load_events(DEFAULT_TENANT, after=8, until=11)] == [9, 10, 11]
    assert store.load_events(DEFAULT_TENANT, after=12, until=12) == []


def test_the_next_event_is_found_over_any_gap(store: Store) -> None:
    """Above a number, wherever it is; None above the last one, and in an empty log."""
    assert store.find_next_event(DEFAULT_TENANT, after=0) is None
    store.put_outbox(item := an_item(events=3))
    number(store, item)
    store.raise_last_seq(DEFAULT_TENANT, by=1_000_000, stamp="restored")
    store.put_outbox(item := an_item("later"))
    number(store, item)

    found = [store.find_next_event(DEFAULT_TENANT, after=after) for after in (0, 2, 3, 1_000_002, 1_000_003, 1_000_004)]
    assert found == [1, 3, 1_000_004, 1_000_004, 1_000_004, None]
    assert store.find_next_event(OTHER, after=0) is None


def test_numbers_are_raised_once_for_each_restore(store: Store) -> None:
    """Of a log with events and of one without; the next event follows, and another restore raises them again."""
    store.put_outbox(item := an_item(events=3))
    number(store, item)

    for tenant in (DEFAULT_TENANT, OTHER):
        raised = [store.raise_last_seq(tenant, by=1_000_000, stamp=stamp) for stamp in ("one", "one", "two", "two")]
        assert raised == [True, False, True, False]
    assert [store.load_last_seq(tenant) for tenant in (DEFAULT_TENANT, OTHER)] == [2_000_003, 2_000_000]

    store.put_outbox(item := an_item("later", tenant=OTHER))
    assert number(store, item) == 2_000_001
    assert not store.raise_last_seq(OTHER, by=1_000_000, stamp="two")
    store.remove_tenant(OTHER)
    assert store.load_last_seq(OTHER) == 0


def test_a_change_and_its_event_are_one_write(store: Store) -> None:
    """A record that is refused leaves no event; a written one leaves one item with all of the transaction's events."""
    source = add_source(store)
    lease = lease_of(store, source)
    records = [a_record() for _ in range(3)]
    store.apply_records(records, [a_change(record) for record in records], lease=lease)
    (item,) = waiting(store)
    assert sorted(event.data["id"] for event in item.events) == sorted(record.id for record in records)

    stale = replace(lease, fence=lease.fence - 1)
    for refused in (a_record(), records[0]):
        try:
            store.apply_records([refused], [a_change(refused)], lease=stale if refused is not records[0] else lease)
        except Exception:  # noqa: S112 - both stores refuse, each in its way
            continue
        raise AssertionError("it was written")
    assert waiting(store) == [item]


def test_bookkeeping_is_not_an_event(store: Store) -> None:
    """A record without a line in its log is heard of by nobody."""
    store.apply_records([a_record()], [], lease=None)

    assert waiting(store) == []


def test_one_item_stands_for_a_large_write(store: Store) -> None:
    """Three hundred records, many transactions: one item, put with the first and replaced by the last."""
    records = [a_record() for _ in range(300)]
    bulk = an_item("all", is_bulk=True)
    store.apply_records(records, [a_change(record) for record in records], lease=None, bulk=replace(bulk, held_until=NOW + HOUR))
    assert [item.held_until for item in waiting(store)] == [NOW + HOUR]

    store.put_outbox(bulk)

    assert waiting(store) == [bulk]


def test_a_stale_source_is_noted_once_a_spell(store: Store) -> None:
    """With its event, in one write; another spell is another note."""
    note = StaleNote(tenant=DEFAULT_TENANT, source_id=SourceId("src_1"), since=NOW)
    later = replace(note, since=NOW + HOUR)
    assert store.load_stale_notes([(DEFAULT_TENANT, note.source_id)]) == {}

    saved = [store.save_stale_note(each, an_item(name)) for each, name in ((note, "a"), (note, "b"), (later, "c"))]

    assert saved == [True, False, True]
    assert sorted(item.events[0].data["id"] for item in waiting(store)) == ["a0", "c0"]
    sources = [(DEFAULT_TENANT, note.source_id), (OTHER, note.source_id)]
    assert store.load_stale_notes(sources) == {note.source_id: NOW + HOUR}


def test_eight_drains_at_once_number_each_event_once(shared_store: Store) -> None:
    """No number is given twice, and none is skipped."""
    items = [an_item(f"i{n}.", events=1 + n % 3, at=NOW + n * HOUR) for n in range(24)]
    for item in items:
        shared_store.put_outbox(item)
    gate = Barrier(8)

    def drain(turn: int) -> int:
        gate.wait(timeout=20)
        mine = items[turn:] + items[:turn]
        return sum(number(shared_store, item) is not None for item in mine)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(drain, range(8)))

    expected = [event.data["id"] for item in items for event in item.events]
    found = log_of(shared_store)
    assert sum(won) == len(items)
    assert [seq for seq, _ in found] == list(range(1, len(expected) + 1))
    assert Counter(name for _, name in found) == Counter(expected)
    assert waiting(shared_store) == []


def a_notice(name: str = "a", **given: object) -> Notice:
    """Return a notice."""
    made = Notice(id=f"ntc_{name}", type="source.held", tenant=DEFAULT_TENANT, at=NOW, text="held", facts={"source_id": "src_1"})
    return replace(made, **given)


def test_notices_are_written_with_the_head_or_not_at_all(store: Store) -> None:
    """Each is an item of its own; a head that is refused says nothing."""
    source = add_source(store)
    lease = lease_of(store, source)
    head = store.load_head(source)
    with pytest.raises(StoreConflictError):
        store.save_head(replace(head, version=head.version + 5), lease=lease, at=NOW, notices=[a_notice("lost")])
    assert waiting(store) == []

    notices = [a_notice("a", hold="empty-feed/1"), a_notice("b")]
    store.save_head(head, lease=lease, at=NOW, notices=notices)

    assert [item.notice for item in sorted(waiting(store), key=lambda item: item.id)] == notices
    for item in waiting(store):
        store.delete_outbox(item)
    assert waiting(store) == []


def test_a_notice_of_records_is_written_with_the_first_of_them(store: Store) -> None:
    """Once, however many transactions they take; where a version is not the stored one, not at all."""
    source = add_source(store)
    records = [a_record(id=make_record_id(Scope("unit_1"), f"r{n:03d}")) for n in range(120)]
    changes = [a_change(record) for record in records]

    store.apply_records(records, changes, lease=lease_of(store, source), notices=[a_notice()])
    with pytest.raises(StoreConflictError):
        store.apply_records(records, changes, lease=None, notices=[a_notice("lost", at=NOW + HOUR)])

    assert [item.notice for item in waiting(store) if item.notice] == [a_notice()]


def test_of_a_hold_the_first_accepted_notice_is_noted(store: Store) -> None:
    """Another hold of the source takes its place; tenants are apart."""
    first = AlertNote(tenant=DEFAULT_TENANT, source_id=SourceId("src_1"), hold="empty-feed/1", at=NOW)
    assert store.load_alert_note(DEFAULT_TENANT, first.source_id) is None

    for note in (first, replace(first, at=NOW + HOUR)):
        store.save_alert_note(note)
    assert store.load_alert_note(DEFAULT_TENANT, first.source_id) == first

    second = replace(first, hold="empty-feed/2", at=NOW + DAY)
    store.save_alert_note(second)
    assert store.load_alert_note(DEFAULT_TENANT, first.source_id) == second
    assert store.load_alert_note(OTHER, first.source_id) is None
