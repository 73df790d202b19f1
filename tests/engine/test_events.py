"""What becomes an event, and that each is numbered once, whatever dies on the way."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.events import Event, EventType, NewEvent, OutboxItem, fill_outbox
from bokit.core.model.limits import EVENT_JUMP, MAX_SINGLE_EVENTS
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.live.events import EventLog
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import InputError, SourceRefusedError, SourceUnavailableError, StoreConflictError
from bokit.sources.protocols import Fetched
from bokit.store.limits import EVENT_TTL
from bokit.store.memory.store import MemoryStore
from bokit.values import replace
from tests.support.apartment import AIRBNB, BOOKING, Apartment, Flat
from tests.support.queued_work import ROW, furnish, run_queue, work_off
from tests.support.rows_app import START, CallCounter, Died, ManualClock, TestApp

OTHER = TenantId("other")


def events_of(app: Any, tenant: TenantId = DEFAULT_TENANT) -> list[Event]:
    """Number what waits, and return the tenant's whole log."""
    app.bokit.events.drain().check()
    return list(app.store.load_events(tenant, after=0, until=app.store.load_last_seq(tenant)))


def news(app: Any, tenant: TenantId = DEFAULT_TENANT) -> list[tuple[str, dict[str, Any]]]:
    """Return what was added to the log since the last call, without the catalog's."""
    seen = getattr(app, "seen_events", 0)
    found = [e for e in events_of(app, tenant) if e.seq > seen]
    app.seen_events = app.store.load_last_seq(tenant)
    return [(str(e.type), dict(e.data)) for e in found if e.type is not EventType.CATALOG_CHANGED]


def tick(app: TestApp) -> None:
    """Let an hour pass, and sync what is due."""
    app.clock.move(hours=1)
    app.bokit.tick()
    run_queue(app)


# ── what becomes an event ──


def test_the_first_sync_is_one_event_and_the_next_ones_name_their_records():
    """Then each record has its own, with its version, its source and the names of what changed."""
    app = TestApp(queue=True)
    source = app.add_source("a", {str(n): {"name": f"Guest {n}"} for n in range(3)})
    tick(app)
    run = app.bokit.status.load_history(DEFAULT_TENANT).items[0].run_id
    assert news(app) == [
        ("collection.changed", {"collection": "rows", "source_id": source.id, "run_id": run, "counts": {"created": 3}})
    ]

    app.show(source, {"0": {"name": "Guest 0"}, "1": {"name": "Anna"}})
    tick(app)

    found = {data["id"].rpartition("-")[2]: (kind, data["version"], data["fields"], data["presence"]) for kind, data in news(app)}
    assert found == {"1": ("record.changed", 2, ["name"], "present"), "2": ("record.changed", 2, [], "missing")}
    assert "Guest" not in json.dumps([dict(e.data) for e in events_of(app)])


def test_an_unchanged_sync_is_not_an_event():
    """Neither are runs of the schedule."""
    app = TestApp(queue=True)
    app.add_source("a", ROW)
    tick(app)
    news(app)

    tick(app)

    assert news(app) == []


@pytest.mark.parametrize("changed", [MAX_SINGLE_EVENTS, MAX_SINGLE_EVENTS + 1])
def test_many_changes_of_one_run_are_one_event(changed):
    """A hundred have an event each, one more is one event: clients load the collection again."""
    app = TestApp(queue=True)
    source = app.add_source("a", {str(n): {"name": "x"} for n in range(changed)})
    tick(app)
    news(app)

    app.show(source, {str(n): {"name": "y"} for n in range(changed)})
    tick(app)

    kinds = Counter(kind for kind, _ in news(app))
    assert kinds == ({"record.changed": 100} if changed == MAX_SINGLE_EVENTS else {"collection.changed": 1})


def test_a_large_write_that_dies_is_heard_of_all_the_same():
    """The one event is put with the first transaction, and waits a quarter of an hour for the last one."""
    app = TestApp(queue=True)
    source = app.add_source("a", {str(n): {"name": "x"} for n in range(300)})
    store = CallCounter(app.store)
    store.die_at, app.bokit = None, app.assemble(store)
    put = app.store.put_outbox

    def die(item: OutboxItem) -> None:
        raise Died

    app.store.put_outbox = die
    app.clock.move(hours=1)
    app.bokit.tick()
    with pytest.raises(Died):
        run_queue(app)
    app.store.put_outbox = put
    assert (news(app), len(app.records(source))) == ([], 300)

    app.clock.move(minutes=15)

    assert [kind for kind, _ in news(app)] == ["collection.changed"]


def test_bookings_and_conflicts_are_events():
    """Created, moved, cancelled and restored ones with their dates; a double booking when it opens and closes."""
    home = Apartment()
    home.add_feed(AIRBNB)
    home.add_feed(BOOKING)
    home.book(AIRBNB, 20, 24)
    home.book(BOOKING, 60, 64)
    home.book(BOOKING, 70, 74)
    home.sync()
    assert [kind for kind, _ in news(home) if kind != "source.stale"] == 2 * ["collection.changed"]

    double = home.book(BOOKING, 22, 26)
    home.sync()
    found = dict(sorted(news(home)))
    assert list(found) == ["booking.created", "conflict.opened"]
    assert (found["booking.created"]["check_in"], found["booking.created"]["check_out"]) == (home.day(22), home.day(26))
    assert (found["conflict.opened"]["nights"], found["conflict.opened"]["unit_id"]) == ([home.day(22), home.day(23)], home.flat)
    assert found["booking.created"]["id"] in found["conflict.opened"]["bookings"]

    home.world.cancel(double)
    home.sync()
    home.sync(hours=30)
    home.sync(hours=30)
    assert {"booking.cancelled", "conflict.closed"} <= {kind for kind, _ in news(home)}


def test_each_change_of_a_conflict_is_an_event():
    """An owner does not hear that one lost a booking or was acknowledged; a page shows it nevertheless."""
    home = Flat()
    home.make(10, 14)
    home.make(12, 16)
    third = home.make(15, 18)
    (conflict,) = home.bokit.bookings.list_conflicts(DEFAULT_TENANT, [home.flat])
    last = home.store.load_last_seq(DEFAULT_TENANT)

    home.bokit.bookings.edit(DEFAULT_TENANT, third["id"], {"status": "cancelled"}, by="user:rosa")
    (shorter,) = home.bokit.bookings.list_conflicts(DEFAULT_TENANT, [home.flat])
    home.bokit.bookings.acknowledge(DEFAULT_TENANT, conflict["id"], by="user:rosa")

    assert (len(conflict["bookings"]), len(shorter["bookings"])) == (3, 2)
    found = [e.data for e in events_of(home) if e.seq > last and e.data.get("kind") == "conflict"]
    assert found == [
        {"kind": "conflict", "id": conflict["id"], "version": version, "change": "changed"}
        for version in (shorter["version"], shorter["version"] + 1)
    ]


def test_a_booking_by_hand_and_its_edit_are_events():
    """Whatever a person does is heard of as what a source does; no guest is named."""
    home = Flat()
    made = home.make(10, 12, guest_name="Ann Meyer", phone="+39 333")
    home.bokit.bookings.edit(DEFAULT_TENANT, made["id"], {"check_out": home.day(13)}, by="user:rosa")

    found = news(home)

    assert [(kind, data["id"], data["check_out"]) for kind, data in found] == [
        ("booking.created", made["id"], home.day(12)),
        ("booking.changed", made["id"], home.day(13)),
    ]
    assert not {"Ann", "+39"} & set(json.dumps([data for _, data in found]).split('"'))
    assert "Ann Meyer" not in json.dumps([data for _, data in found])


def test_a_source_that_fails_and_recovers_is_an_event_each():
    """However often it fails in between."""
    app = TestApp(queue=True)
    source = app.add_source("a", ROW)
    tick(app)
    news(app)
    for answer in (SourceRefusedError("gone", code="gone"), SourceRefusedError("gone", code="gone"), ROW, ROW):
        app.show(source, answer)
        tick(app)

    assert news(app) == [
        ("source.failing", {"source_id": source.id, "code": "gone"}),
        ("source.recovered", {"source_id": source.id, "from": "failing"}),
    ]


def test_a_hold_is_one_event():
    """With the plan's hash, which applies it."""
    app = TestApp(queue=True)
    source = app.add_source("a", ROW)
    tick(app)
    news(app)
    app.show(source, Fetched(body=b"<html>"))
    tick(app)
    tick(app)

    ((kind, data),) = news(app)
    assert (kind, data["source_id"], data["code"]) == ("source.held", source.id, "unreadable")
    assert data["plan"]


def test_the_end_of_a_hold_is_one_event():
    """What was shown of the held nights may change with it: a page reads them again."""
    app = TestApp(queue=True)
    source = app.add_source("a", ROW)
    tick(app)
    app.show(source, Fetched(body=b"<html>"))
    tick(app)
    news(app)
    app.show(source, ROW)
    tick(app)
    tick(app)

    assert news(app) == [("source.recovered", {"source_id": source.id, "from": "held"})]


def test_a_hold_that_becomes_a_failure_has_not_recovered():
    """The source is not read: nothing is well."""
    app = TestApp(queue=True)
    source = app.add_source("a", ROW)
    tick(app)
    app.show(source, Fetched(body=b"<html>"))
    tick(app)
    app.show(source, SourceRefusedError("gone", code="gone"))
    news(app)
    for _ in range(4):
        tick(app)

    assert "source.recovered" not in {kind for kind, _ in news(app)}


def test_a_source_without_a_success_for_long_is_one_event_a_spell():
    """By the tick, which finds it among what is due; after a success the next spell has its own."""
    app = TestApp(queue=True)
    source = app.add_source("a", ROW)
    app.add_source("b", ROW)
    tick(app)
    news(app)
    app.show(source, SourceUnavailableError("it does not answer", code="timeout"))
    for _ in range(6):
        tick(app)
    stale = ("source.stale", {"source_id": source.id, "code": "overdue"})
    assert [event for event in news(app) if event[0] == "source.stale"] == [stale]
    app.show(source, ROW)
    for _ in range(2):
        tick(app)
    assert [kind for kind, _ in news(app)] == ["source.recovered"]
    app.show(source, SourceUnavailableError("it does not answer", code="timeout"))
    for _ in range(6):
        tick(app)

    assert [event for event in news(app) if event[0] == "source.stale"] == [stale]


def test_a_run_through_the_queue_is_an_event_at_its_start_and_its_end():
    """With its status and its counts."""
    app, _ = furnish(3)
    app.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True))
    ((kind, data),) = news(app)
    assert (kind, data["trigger"], data["sources"]) == ("sync.started", "manual", 3)
    work_off(app.bokit, app.queue)

    found = news(app)
    assert Counter(kind for kind, _ in found) == {"collection.changed": 3, "sync.finished": 1}
    assert dict(found)["sync.finished"] == {
        "run_id": data["run_id"],
        "trigger": "manual",
        "status": "succeeded",
        "counts": {"seen": 3, "created": 3},
    }


def test_the_catalog_is_events_by_kind_and_version():
    """Properties, units, sources and calendars: added, changed, removed."""
    home = Flat()
    source = home.add_feed(AIRBNB)
    home.bokit.catalog.edit_property(DEFAULT_TENANT, home.rosa.id, {"name": "Villa"})
    home.calendar("vrbo")
    spare = home.add_unit("Spare")
    home.bokit.catalog.sources.edit(DEFAULT_TENANT, source.id, {"name": "Airbnb 2"})
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")
    home.bokit.catalog.remove_unit(DEFAULT_TENANT, spare)

    found = [(e.data["kind"], e.data["change"]) for e in events_of(home) if e.type is EventType.CATALOG_CHANGED]

    assert found[:2] == [("property", "added"), ("unit", "added")]
    assert Counter(found[2:]) == {
        ("property", "changed"): 1,
        ("calendar", "added"): 1,
        ("unit", "added"): 1,
        ("source", "changed"): 1,
        ("source", "removed"): 1,
        ("unit", "removed"): 1,
    }


# ── the log ──


def numbered(count: int) -> tuple[EventLog, MemoryStore, ManualClock]:
    """Return a log of so many events."""
    store, clock = MemoryStore(), ManualClock()
    log = EventLog(store, clock)
    for n in range(count):
        put(store, clock, n)
    log.drain()
    return log, store, clock


def put(store: Any, clock: ManualClock, name: object, tenant: TenantId = DEFAULT_TENANT) -> None:
    for item in fill_outbox(tenant, clock(), [NewEvent(type=EventType.RECORD_CHANGED, data={"id": str(name)})]):
        store.put_outbox(item)


def test_the_log_is_read_from_where_one_stopped():
    """In parts as small as asked; ``seq`` of each answer leads to the next, and to nothing at the end."""
    log, _, _ = numbered(7)
    assert log.read(DEFAULT_TENANT, None) == {"items": [], "seq": 7}
    seen, since = [], 0
    while items := (answer := log.read(DEFAULT_TENANT, since, 3))["items"]:
        seen += [item["seq"] for item in items]
        since = answer["seq"]

    assert (seen, log.read(DEFAULT_TENANT, 7)) == ([1, 2, 3, 4, 5, 6, 7], {"items": [], "seq": 7})
    assert log.read(DEFAULT_TENANT, 6)["items"][0]["timestamp"] == START


def test_a_client_that_the_log_cannot_serve_starts_again():
    """Above the counter (a restored table), and older than the log: resync, with where the log is."""
    log, store, clock = numbered(2)
    clock.move(days=1)
    put(store, clock, "new")
    log.drain()
    clock.move(seconds=(EVENT_TTL - timedelta(days=1)).total_seconds())
    for since in (4, 0, 1):
        with pytest.raises(InputError) as caught:
            log.read(DEFAULT_TENANT, since)
        assert (caught.value.stable_code, caught.value.facts["seq"]) == ("resync", 3)

    assert [item["seq"] for item in log.read(DEFAULT_TENANT, 2)["items"]] == [3]
    assert log.read(DEFAULT_TENANT, 3)["items"] == []


def test_who_read_an_event_that_a_restore_lost_starts_again():
    """The numbers of a restored table jump, once: nobody gets another event under a number that was read before."""
    log, store, clock = numbered(5)
    assert [log.jump([DEFAULT_TENANT], stamp) for stamp in ("restored", "restored")] == [1, 0]
    put(store, clock, "after")
    log.drain()

    for since in (5, 6, 400, EVENT_JUMP + 4):
        with pytest.raises(InputError) as caught:
            log.read(DEFAULT_TENANT, since)
        assert (caught.value.stable_code, caught.value.facts["seq"]) == ("resync", EVENT_JUMP + 6)
    assert [item["seq"] for item in log.read(DEFAULT_TENANT, 2)["items"]] == [3, 4, 5]
    assert [item["seq"] for item in log.read(DEFAULT_TENANT, EVENT_JUMP + 5)["items"]] == [EVENT_JUMP + 6]


def test_two_tenants_never_cross():
    """Each has numbers of its own, and reads its own."""
    app = TestApp(queue=True)
    app.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    app.store.save_option(OTHER, "install.complete", True)
    mine, theirs = app.add_source("a", ROW), app.add_source("b", ROW, tenant=OTHER)
    tick(app)

    assert [e.data["source_id"] for e in events_of(app)] == [mine.id]
    assert [e.data["source_id"] for e in events_of(app, OTHER)] == [theirs.id]
    assert [item["seq"] for item in app.bokit.events.read(OTHER, 0)["items"]] == [1]


# ── what wakes nobody, and what dies ──


def test_the_tick_numbers_what_was_left_behind():
    """A minute later, where the stream's word was lost; not before, which is the stream's to do."""
    app = TestApp(queue=True)
    put(app.store, app.clock, "lost")
    assert app.bokit.tick().events == 0

    app.clock.move(seconds=60)

    assert app.bokit.tick().events == 1
    assert app.bokit.events.read(DEFAULT_TENANT, 0)["items"][0]["data"] == {"id": "lost"}


def test_without_a_queue_the_tick_numbers_at_once():
    """As `bokit sync --daemon` runs it: nothing else would."""
    app = TestApp()
    app.add_source("a", ROW)
    app.clock.move(hours=1)

    app.bokit.tick()
    app.bokit.tick()

    assert app.store.load_last_seq(DEFAULT_TENANT) > 0


class Poisoned:
    """A store that cannot number one item."""

    def __init__(self, inner: Any, name: str) -> None:
        self._inner, self._name = inner, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def number_events(self, item: OutboxItem, **given: Any) -> int | None:
        if item.events[0].data["id"] == self._name:
            raise StoreConflictError("busy", code="store-busy")
        number: int | None = self._inner.number_events(item, **given)
        return number


def test_an_item_that_fails_stops_no_other():
    """The function fails, so that its alarm goes off; the item stays."""
    store, clock = MemoryStore(), ManualClock()
    for n in range(5):
        put(store, clock, n)

    report = EventLog(Poisoned(store, "2"), clock).drain()

    assert (report.items, report.as_dict()["failed"]) == (4, True)
    with pytest.raises(StoreConflictError):
        report.check()
    assert EventLog(store, clock).drain().items == 1


@pytest.mark.slow
def test_thousands_of_events_are_each_in_the_log_once(record_property):
    """Under deaths before and after the calls of the drain, of two tenants. BOKIT_TURNS=100 puts 10,000 events."""
    turns = int(os.environ.get("BOKIT_TURNS", "20"))
    store, clock, expected = MemoryStore(), ManualClock(), Counter()
    points = 0
    for turn in range(turns):
        for n in range(50):
            tenant = OTHER if n % 5 == 0 else DEFAULT_TENANT
            events = [NewEvent(type=EventType.RECORD_CHANGED, data={"id": f"{turn}.{n}.{k}"}) for k in range(2)]
            (item,) = fill_outbox(tenant, clock(), events)
            store.put_outbox(item)
            expected.update((tenant, event.data["id"]) for event in events)
        clock.move(seconds=1)
        for at in range(1, 1 + turn % 40):
            calls = CallCounter(store)
            calls.die_at, calls.die_after = at, bool((turn + at) % 2)
            try:
                EventLog(calls, clock).drain()
            except Died:
                points += 1
    EventLog(store, clock).drain().check()

    found = Counter(
        (tenant, event.data["id"])
        for tenant in (DEFAULT_TENANT, OTHER)
        for event in store.load_events(tenant, after=0, until=store.load_last_seq(tenant))
    )
    record_property("points", points)
    assert points > 8 * turns
    assert sum(expected.values()) == 100 * turns
    assert found == expected
    for tenant, count in ((DEFAULT_TENANT, 80 * turns), (OTHER, 20 * turns)):
        log = store.load_events(tenant, after=0, until=10_000)
        assert [event.seq for event in log] == list(range(1, count + 1))


def test_a_death_anywhere_in_a_drain_loses_and_doubles_nothing(record_property):
    """Before and after each call that it makes."""

    def drain_after(die_at: int | None, *, after: bool) -> tuple[list[tuple[int, str]], int]:
        store, clock = MemoryStore(), ManualClock()
        for n in range(4):
            put(store, clock, n)
        calls = CallCounter(store)
        calls.die_at, calls.die_after = die_at, after
        try:
            EventLog(calls, clock).drain()
        except Died:
            EventLog(store, clock).drain()
        log = store.load_events(DEFAULT_TENANT, after=0, until=9)
        return [(event.seq, event.data["id"]) for event in log], len(calls.calls)

    expected, count = drain_after(None, after=False)
    assert [seq for seq, _ in expected] == [1, 2, 3, 4]
    for at in range(1, count + 1):
        for after in (False, True):
            assert drain_after(at, after=after)[0] == expected
    record_property("points", 2 * count)


def test_a_changed_sync_writes_one_item_more():
    """Its outbox item, with all its events, in the transaction of its records."""
    app = TestApp(queue=True)
    source = app.add_source("a", {str(n): {"name": "x"} for n in range(10)})
    tick(app)
    news(app)
    app.show(source, {str(n): {"name": "y"} for n in range(10)})
    tick(app)

    items = [item for partition in range(16) for item in app.store.load_outbox(partition)]

    assert [len(item.events) for item in items] == [10]
    assert replace(items[0], events=()).held_until is None
