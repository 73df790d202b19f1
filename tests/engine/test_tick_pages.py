"""A tick does what is due page by page, so that no number of shards keeps others waiting, and little is lost where it dies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import Tenant
from bokit.core.model.events import EventType, NewEvent, OutboxItem, fill_outbox
from bokit.core.model.records import TenantId
from bokit.engine.live.limits import MAX_STALE_PER_TICK
from bokit.engine.runs.limits import MAX_DUE_PER_PAGE
from bokit.engine.runs.messages import read_message
from bokit.store.limits import MAX_OUTBOX_ITEMS
from bokit.store.memory.store import MemoryStore
from tests.support.queued_work import run_queue
from tests.support.rows_app import DEFAULT_TENANT, START, CallCounter, TestApp


def add_shards(app: TestApp, count: int, tenant: TenantId = DEFAULT_TENANT) -> list[str]:
    """Add *count* sources, each in a shard of its own, as databases are."""
    app.shard_size = 1
    return [app.add_source(f"{tenant}{n:04d}", {}, tenant=tenant).id for n in range(count)]


def test_what_may_not_be_synced_keeps_nothing_behind_it_waiting():
    """More shards of a tenant that switched syncs off than a page holds are due first, for ever: the others are still synced."""
    app = TestApp(queue=True)
    off = TenantId("off")
    app.store.save_tenant(Tenant(id=off, name=off, created_at=START))
    for name, value in (("install.complete", True), ("sync.enabled", False)):
        app.store.save_option(off, name, value)
    add_shards(app, 2 * MAX_DUE_PER_PAGE + 1, off)
    app.clock.move(minutes=1)
    source = app.add_source("a", {})

    report = app.bokit.tick()

    assert [read_message(body).source_ids for body in app.queue.bodies] == [(source.id,)]
    assert (report.shards, report.sent) == (2 * MAX_DUE_PER_PAGE + 2, 1)


def test_a_tick_that_dies_has_sent_all_but_its_last_page():
    """What it claimed last is lost for a quarter of an hour; the pages before are with the workers."""
    app = TestApp(queue=True)
    ids = add_shards(app, 2 * MAX_DUE_PER_PAGE + 50)
    claim, claimed = app.store.claim_shard, iter(range(2 * MAX_DUE_PER_PAGE + 20))

    def die(*args: Any, **named: Any) -> Any:
        if next(claimed, None) is None:
            raise KeyboardInterrupt
        return claim(*args, **named)

    app.store.claim_shard = die
    with pytest.raises(KeyboardInterrupt):
        app.bokit.tick()

    sent = [source_id for body in app.queue.bodies for source_id in read_message(body).source_ids]
    assert len(sent) == len(set(sent)) == 2 * MAX_DUE_PER_PAGE
    assert set(sent) < set(ids)


def test_a_tick_goes_on_for_a_while_and_leaves_the_rest_to_the_next():
    """Each claim takes a second: after twenty no further page is read, and the next tick goes on there."""
    app = TestApp(queue=True)
    ids = add_shards(app, 2 * MAX_DUE_PER_PAGE)
    claim = app.store.claim_shard

    def claim_slowly(*args: Any, **named: Any) -> Any:
        app.clock.move(seconds=1)
        return claim(*args, **named)

    app.store.claim_shard = claim_slowly
    assert app.bokit.tick().sent == MAX_DUE_PER_PAGE
    assert app.bokit.tick().sent == MAX_DUE_PER_PAGE
    assert {s for body in app.queue.bodies for s in read_message(body).source_ids} == set(ids)


def test_a_shard_that_is_being_worked_costs_a_tick_no_write():
    """It is due until its batch ends; each tick reads that it is claimed, and does not try."""
    store = CallCounter(MemoryStore())
    app = TestApp(store=store, queue=True)
    app.add_source("a", {})
    app.bokit.tick()
    store.calls.clear()
    app.clock.move(minutes=14)
    app.bokit.tick()

    assert "claim_shard" not in store.calls
    app.clock.move(minutes=1)
    app.bokit.tick()
    assert store.calls.count("claim_shard") == 1


def test_after_an_outage_syncs_go_first_and_events_follow_some_at_a_time():
    """All sources are stale at once: each has an event of its own, and none waits for those of others to be written."""
    app = TestApp(queue=True)
    ids = add_shards(app, MAX_STALE_PER_TICK + 50)
    app.bokit.tick()
    run_queue(app)
    app.clock.move(days=1)

    first, second = app.bokit.tick(), app.bokit.tick()

    assert (first.sent, first.stale, second.stale) == (len(ids), MAX_STALE_PER_TICK, 50)
    assert app.bokit.tick().stale == 0


def test_a_drain_reads_each_item_of_the_outbox_once():
    """However many wait in one partition, and also where none may be numbered yet."""
    app = TestApp()
    for n in range(2 * MAX_OUTBOX_ITEMS + 50):
        event = NewEvent(type=EventType.SOURCE_STALE, data={"source_id": str(n)})
        app.store.put_outbox(*fill_outbox(DEFAULT_TENANT, app.clock(), [event]))
    load, pages = app.store.load_outbox, []

    def note(*args: Any, **named: Any) -> Sequence[OutboxItem]:
        pages.append(load(*args, **named))
        return pages[-1]

    app.store.load_outbox = note
    assert app.bokit.events.drain(older_than=timedelta(hours=1)).items == 0
    assert sorted(len(page) for page in pages if page) == [50, MAX_OUTBOX_ITEMS, MAX_OUTBOX_ITEMS]
    assert app.bokit.events.drain().items == 2 * MAX_OUTBOX_ITEMS + 50
