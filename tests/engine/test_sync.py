"""One source's sync, whatever its records are."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest

from bokit.core.model.limits import OUTBOX_PARTITIONS
from bokit.core.model.records import Presence
from bokit.core.model.runs import Outcome, RunStatus
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import SourceRefusedError, SourceUnavailableError
from bokit.sources.protocols import Fetched
from bokit.store.limits import EVENT_TTL
from bokit.store.memory.store import MemoryStore
from tests.support.queued_work import run_queue
from tests.support.rows_app import DEFAULT_TENANT, START, CallCounter, Died, TestApp

ALL = SyncRequest(tenant=DEFAULT_TENANT, everything=True)
DUE = SyncRequest(tenant=DEFAULT_TENANT)


def test_what_the_source_shows_is_created_and_the_run_says_so():
    """A first sync creates a record an entry, logs each change, and is kept in the history."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann"}, "2": {"name": "Bob"}})

    run = app.bokit.sync(DUE)

    assert run.status is RunStatus.SUCCEEDED
    assert (run.counts["seen"], run.counts["created"]) == (2, 2)
    assert [r.fields for r in app.records(source)] == [{"name": "Ann"}, {"name": "Bob"}]
    assert app.bokit.status.load_history(DEFAULT_TENANT).items[0].run_id == run.run_id
    line = app.bokit.records.list_changes(DEFAULT_TENANT, app.records(source)[0].id).items[0]
    assert (line.by, line.action, line.run_id) == (f"source:{source.id}", "create", run.run_id)


def test_a_second_sync_of_the_same_changes_nothing():
    """The same content again: everything unchanged, and no write to a record, a snapshot or a head."""
    store = CallCounter(MemoryStore())
    app = TestApp(store=store)
    app.add_source("a", {"1": {"name": "Ann"}})
    app.bokit.sync(ALL)
    store.calls.clear()

    run = app.bokit.sync(ALL)

    assert [r.outcome for r in run.sources] == [Outcome.UNCHANGED]
    assert (run.counts["seen"], run.counts["unchanged"], run.counts["created"], run.counts["updated"]) == (1, 1, 0, 0)
    assert not {"apply_records", "save_snapshot", "save_head", "load_records"} & set(store.calls)


def test_an_unchanged_batch_costs_a_claim_a_read_and_a_beat():
    """A hundred unchanged sources: one claim, one read of the heads, one heartbeat, no event; and a tick's reads.

    A process knows the schema number after its first tick: to raise it again asks the table nothing.
    """
    store = CallCounter(MemoryStore())
    app = TestApp(store=store, queue=True)
    for n in range(100):
        app.add_source(f"n{n:03d}", {"1": {"name": "Ann"}})
    app.bokit.tick()
    run_queue(app)
    app.bokit.events.drain()
    app.clock.move(hours=1)
    store.calls.clear()

    app.bokit.tick()
    run_queue(app)

    outbox = [call for call in store.calls if call == "load_outbox"]
    assert len(outbox) == OUTBOX_PARTITIONS + 1  # one of those of a former release in turn
    of_tick = ["load_due", "load_options", "load_monitors", "claim_shard", "load_due_readers", "load_due_deliveries"]
    of_tick += ["load_due_alerts"]
    assert [call for call in store.calls if call not in ("load_outbox", "raise_schema")] == [
        *of_tick,
        "load_heads",
        "complete_batch",
    ]
    assert app.bokit.events.drain(older_than=-EVENT_TTL).items == 0


def test_an_unchanged_batch_is_a_run_in_the_history():
    """Its heartbeat is its run record: the history shows it, newest first."""
    app = TestApp()
    app.add_source("a", {"1": {"name": "Ann"}})
    app.bokit.tick()
    app.clock.move(hours=1)
    app.bokit.tick()

    runs = app.bokit.status.load_history(DEFAULT_TENANT).items

    assert [(str(r.trigger), str(r.sources[0].outcome)) for r in runs] == [("schedule", "unchanged"), ("schedule", "changed")]
    assert app.bokit.status.load_run(DEFAULT_TENANT, runs[0].run_id) == runs[0]


def test_what_ripens_by_time_alone_is_settled_although_the_feed_stays_the_same():
    """A record that disappears is cancelled after 24 hours of identical content, and not before."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann"}, "2": {"name": "Bob"}})
    app.bokit.tick()
    app.show(source, {"1": {"name": "Ann"}})
    seen = []
    for _ in range(27):
        app.clock.move(hours=1)
        app.bokit.tick()
        seen.append(app.presences(source)["2"])

    assert seen[:24] == ["missing"] * 24
    assert seen[24] == "gone"
    assert app.head(source).settle_at is None


@pytest.mark.parametrize("answer", [Fetched(not_modified=True), {"1": {"name": "Ann"}}])
def test_ripe_evidence_is_settled_with_or_without_a_body(answer):
    """Whether the source repeats itself or answers 304, what is ripe is settled."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann"}, "2": {"name": "Bob"}})
    app.bokit.sync(ALL)
    app.show(source, {"1": {"name": "Ann"}})
    app.bokit.sync(ALL)
    app.clock.move(hours=25)
    app.show(source, answer)

    app.bokit.sync(ALL)

    assert app.presences(source) == {"1": "present", "2": "gone"}


def test_a_failing_source_stops_no_other():
    """One source fails, the others of its batch are synced, and the run is partial."""
    app = TestApp()
    bad = app.add_source("bad", SourceUnavailableError("it does not answer", code="timeout"))
    worse = app.add_source("worse", RuntimeError("a bug"))
    good = app.add_source("good", {"1": {"name": "Ann"}})

    run = app.bokit.sync(DUE)

    assert run.status is RunStatus.PARTIAL
    assert {r.source_id: (str(r.outcome), r.error and r.error["code"]) for r in run.sources} == {
        bad.id: ("failed", "timeout"),
        worse.id: ("failed", "unexpected"),
        good.id: ("changed", None),
    }
    assert app.presences(good) == {"1": "present"}


def test_failures_back_off_up_to_a_ceiling_and_are_forgotten_at_a_success():
    """Each failure in a row waits longer, never longer than an hour (or the interval); a success ends the row."""
    app = TestApp()
    source = app.add_source("a", SourceUnavailableError("it does not answer"), interval=600)
    waits = []
    for _ in range(9):
        app.bokit.tick()
        waits.append((app.schedule(source).due_at - app.clock()).total_seconds())
        app.clock.at = app.schedule(source).due_at
    app.show(source, {})
    app.bokit.tick()

    assert all(1.8 < later / sooner < 2.2 for sooner, later in pairwise(waits[:5]))
    assert 120 <= waits[0] <= 132
    assert all(3600 <= w <= 3960 for w in waits[5:])
    assert (app.schedule(source).failures, app.head(source).failure) == (0, None)


def test_retry_after_is_honoured_and_refusals_wait_for_the_interval():
    """The source's Retry-After counts if it is longer; a 404 is not asked again before the next interval."""
    app = TestApp()
    slow = app.add_source("slow", SourceUnavailableError("too many requests", retry_after=7200.0), interval=600)
    gone = app.add_source("gone", SourceRefusedError("no such feed", code="http-404"), interval=600)

    app.bokit.tick()

    assert (app.schedule(slow).due_at - START).total_seconds() == 7200
    assert (app.schedule(gone).due_at - START).total_seconds() == 600


def test_the_owner_hears_of_a_failure_once_and_of_the_recovery():
    """Two failures in a row are one notice; so is the recovery."""
    app = TestApp()
    source = app.add_source("a", SourceUnavailableError("it does not answer"))
    for _ in range(5):
        app.bokit.tick()
        app.clock.at = app.schedule(source).due_at
    app.show(source, {})
    app.bokit.tick()

    assert [n.type for n in app.alerts.notices.values()] == ["source.failing", "source.recovered"]
    assert "secret" not in str(list(app.alerts.notices.values()))


def test_content_that_a_guard_refuses_is_not_stored_as_agreed():
    """A refused fetch leaves the records alone, is reported, and the next good fetch is read in full."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann"}})
    app.bokit.sync(ALL)
    app.show(source, Fetched(body=b"<html>"))
    held = app.bokit.sync(ALL)
    app.show(source, {"1": {"name": "Ann"}})
    again = app.bokit.sync(ALL)

    assert [str(r.outcome) for r in (*held.sources, *again.sources)] == ["held", "unchanged"]
    assert app.presences(source) == {"1": "present"}
    assert app.head(source).hold is None
    assert [n.type for n in app.alerts.notices.values()] == ["source.held"]


def test_a_dry_run_plans_and_writes_nothing():
    """It returns the plan; no record, no run, no lease, no due time changes."""
    store = CallCounter(MemoryStore())
    app = TestApp(store=store)
    source = app.add_source("a", {"1": {"name": "Ann"}})
    before = app.schedule(source), app.head(source)
    store.calls.clear()

    run = app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, dry_run=True))

    assert [(a.kind.value, dict(a.fields)["name"].after) for a in run.sources[0].plan] == [("create", "Ann")]
    assert run.counts["created"] == 1
    assert not [c for c in store.calls if not c.startswith("load_")]
    assert (app.schedule(source), app.head(source)) == before


def test_new_only_adds_what_is_new_and_agrees_to_nothing():
    """It touches nothing that is known, and leaves no hash: the next full sync still reads everything."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann"}, "2": {"name": "Bob"}})
    app.bokit.sync(ALL)
    app.show(source, {"1": {"name": "Anna"}, "3": {"name": "Cid"}})

    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True, new_only=True))
    first = {r.key: (r.fields["name"], str(r.presence)) for r in app.records(source)}
    app.bokit.sync(ALL)
    then = {r.key: (r.fields["name"], str(r.presence)) for r in app.records(source)}

    assert first == {"1": ("Ann", "present"), "2": ("Bob", "present"), "3": ("Cid", "present")}
    assert then == {"1": ("Anna", "present"), "2": ("Bob", "missing"), "3": ("Cid", "present")}


def test_force_reads_what_seems_unchanged():
    """Content with the same hash is read and planned again, and no validator is sent."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann"}})
    app.bokit.sync(ALL)

    run = app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True, force=True, source_ids=(source.id,)))

    assert run.sources[0].steps[-1].name == "notice"
    assert app.fetcher.asked[-1] == (source.id, None)


def test_a_source_that_another_run_holds_is_skipped():
    """While one run holds the lease, another skips the source and says why; it is synced once."""
    app = TestApp()
    source = app.add_source("a", {})
    inside, outside = threading.Event(), threading.Event()

    def slow_answer():
        inside.set()
        assert outside.wait(10)
        return {"1": {"name": "Ann"}}

    app.show(source, slow_answer)
    first = threading.Thread(target=app.bokit.sync, args=(ALL,))
    first.start()
    assert inside.wait(10)
    second = app.bokit.sync(ALL)
    outside.set()
    first.join(10)

    assert [(str(r.outcome), r.error["code"]) for r in second.sources] == [("skipped", "lease-held")]
    assert len(app.fetcher.asked) == 1


def test_a_holder_that_wakes_up_late_writes_nothing():
    """Its lease was taken over while it slept: every write carries the old fence and is refused."""
    app = TestApp()
    source = app.add_source("a", {})

    def sleep_through_the_lease():
        app.clock.move(minutes=10)
        app.show(source, {"2": {"name": "Bob"}})
        app.bokit.sync(ALL)
        return {"1": {"name": "Ann"}}

    app.show(source, sleep_through_the_lease)
    late = app.bokit.sync(ALL)

    assert (str(late.sources[0].outcome), late.sources[0].error["code"]) == ("skipped", "stale-fence")
    assert app.presences(source) == {"2": "present"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_dies_at_any_call_is_made_good_by_the_next(after):
    """Wherever the process dies, before or after any call to the store or the alerts, the next runs reach the same end."""

    def live(die_at: int | None) -> tuple[list, int]:
        store = CallCounter(MemoryStore())
        app = TestApp(store=store)
        alerts: Any = CallCounter(app.alerts, store.calls)
        app.bokit.events.publisher.alerts = alerts
        source = app.add_source("a", {"1": {"name": "Ann"}, "2": {"name": "Bob"}})
        app.bokit.tick()
        responses = [
            Fetched(body=b"<html>"),
            {"1": {"name": "Anna"}, "3": {"name": "Cid"}},
            SourceRefusedError("gone", code="http-404"),
        ]
        store.calls.clear()
        for part in (store, alerts):
            part.die_at, part.die_after = die_at, after
        for answer in [*responses, responses[1]]:
            app.show(source, answer)
            try_to_tick(app, store, alerts)
        for _ in range(3):
            try_to_tick(app, store, alerts)
        calls, store.die_at, alerts.die_at = len(store.calls), None, None
        state = [(r.key, dict(r.remote), str(r.presence)) for r in app.records(source)]
        log = [line.action for r in app.records(source) for line in app.bokit.records.list_changes(DEFAULT_TENANT, r.id).items]
        notices = sorted(n.type for n in app.alerts.notices.values())
        return [state, sorted(log), notices, app.head(source).hold, app.head(source).failure], calls

    expected, calls = live(None)

    assert calls > 30
    for n in range(1, calls + 1):
        assert live(n)[0] == expected, f"died at call {n}"


def try_to_tick(app: TestApp, *parts: CallCounter) -> None:
    """Let an hour pass and tick; where the process dies, its message comes again to a new one until the work is done."""
    app.clock.move(hours=1)
    for _ in range(3):
        try:
            app.bokit.tick()
        except Died:
            for part in parts:
                part.die_at = None
        app.clock.move(minutes=16)


def test_a_hand_made_or_edited_record_is_a_persons_to_change():
    """Every edit is logged with its author, and the source's next value does not undo it."""
    app = TestApp()
    source = app.add_source("a", {"1": {"name": "Ann", "town": "Rome"}})
    app.bokit.sync(ALL)
    record = app.records(source)[0]

    edited = app.bokit.records.edit(DEFAULT_TENANT, record.collection, record.id, {"name": "Anna"}, by="user:host")

    assert (edited.fields["name"], edited.remote["name"], edited.presence) == ("Anna", "Ann", Presence.PRESENT)
    assert app.bokit.records.list_changes(DEFAULT_TENANT, record.id).items[0].by == "user:host"
