"""The answer to a write is lost and botocore sends it again: the store recognises its own write, and it happened once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import Event, EventType
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import Failure, Lease
from bokit.core.model.webhooks import Delivery, DeliveryState, Endpoint, Webhook, WebhookId
from bokit.errors import StoreConflictError
from bokit.store.dynamo.store import DynamoStore
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Store
from tests.support.builders import (
    DAY,
    HOUR,
    NOW,
    a_change,
    a_collection,
    a_head,
    a_monitor,
    a_page,
    a_property,
    a_record,
    a_report,
    a_schedule,
    a_token,
    a_unit,
    an_answer,
    an_open_run,
)
from tests.support.emulator import empty_table, needs_emulator
from tests.support.faulty_calls import losing_answers
from tests.support.steps import add_source, claim, close, lease_of

pytestmark = needs_emulator
RECORD, MONITOR, TOKEN, PAGE = a_record(), a_monitor(), a_token(), a_page()
RUN, ANSWER, CHANGE = an_open_run("src_1"), an_answer(), a_change(RECORD)
PROPERTY, UNIT, COLLECTION = a_property(), a_unit(), a_collection()
HOOK = Webhook(id=WebhookId("whk_1"), tenant=DEFAULT_TENANT, url="https://a.example/", secret="whsec_", created_at=NOW)
Write = Callable[[Store], object]


def prepare(store: Store) -> None:
    """Save a source, which the writes are about."""
    add_source(store, id=SourceId("src_1"))


def source_of(store: Store):
    return store.load_source(DEFAULT_TENANT, SourceId("src_1"))


def claim_and_complete(store: Store) -> object:
    source = source_of(store)
    shard = claim(store, source)
    line = a_schedule(due_at=NOW + DAY)
    store.complete_batch(shard.id, fence=shard.fence, schedules={source.id: line}, next_due=NOW + DAY, run=None)
    return shard, store.load_shards([shard.id])


def lease_and_release(store: Store) -> object:
    lease = lease_of(store, source_of(store))
    held = store.load_head(source_of(store))
    store.release_lease(lease)
    head = store.load_head(source_of(store))
    return lease.fence, held.open_leases, head.open_leases, lease_of(store, source_of(store), "another").fence


def lease_and_renew(store: Store) -> object:
    source = source_of(store)
    first = lease_of(store, source)
    later = NOW + timedelta(minutes=5)
    second = store.acquire_lease(source, holder="run_1", now=later, until=later + HOUR, renewal=True)
    return first.fence, second and second.fence, store.load_head(source).open_leases


def fail_and_succeed(store: Store) -> object:
    source, heads = source_of(store), []
    for code in ("timeout", None):
        lease: Lease = lease_of(store, source)
        failure = None if code is None else Failure(code=code, message="it took too long")
        store.save_head(replace(store.load_head(source), failure=failure, content_hash="x"), lease=lease)
        heads.append(store.load_head(source))
    return heads, [head.open_leases for head in heads]


def apply(store: Store) -> object:
    source = source_of(store)
    saved = store.apply_records([RECORD], [CHANGE], lease=lease_of(store, source))
    return saved, store.load_changes(RECORD.tenant, RECORD.id)


def monitor(store: Store) -> object:
    first = store.save_monitor(MONITOR)
    return store.save_monitor(replace(first, runs=7)), store.load_monitors([first.tenant])


def run(store: Store) -> object:
    opened = RUN
    first = store.open_run(opened, expires_at=NOW + DAY, answered=ANSWER, now=NOW)
    tenant, run_id = opened.run.tenant, opened.run.run_id
    reported = store.report_sources(tenant, run_id, [a_report(source_id=SourceId("src_1"))])
    is_closed = close(store, reported or opened)
    return first, reported, is_closed, store.load_run(tenant, run_id)


def catalog(store: Store) -> object:
    prop = store.save_property(PROPERTY)
    unit = store.save_unit(UNIT)
    kept = store.save_property(replace(prop, name="another")), store.save_unit(replace(unit, name="another"))
    return kept, store.save_collection(COLLECTION), store.save_source(a_head(source_of(store)), a_schedule())


def option(store: Store) -> object:
    store.save_option(DEFAULT_TENANT, "sync.interval", 900)
    store.save_option(DEFAULT_TENANT, "sync.enabled", False)
    return store.load_options([DEFAULT_TENANT])


def token(store: Store) -> object:
    made = TOKEN
    store.save_token(made)
    store.touch_token(made, NOW + HOUR)
    return store.revoke_token(made.tenant, made.id, NOW + DAY), store.load_tokens(made.tenant)


def page(store: Store) -> object:
    made = PAGE
    store.save_published(made)
    store.touch_published(made.hash, NOW + HOUR)
    stored = store.find_published(made.hash)
    assert stored
    store.save_published(replace(stored, body=b"another"), only_if_unchanged=True)
    found = store.find_published(made.hash)
    return found, found and found.version, found and found.first_read_at


def webhook(store: Store) -> object:
    made = store.add_webhook(HOOK, Endpoint(tenant=HOOK.tenant, webhook_id=HOOK.id), due_at=NOW)
    endpoint = store.acquire_endpoint(made.tenant, made.id, holder="turn_1", now=NOW, until=NOW + HOUR)
    assert endpoint
    event = Event(id="evt_1", seq=1, type=EventType.BOOKING_CREATED, at=NOW)
    waiting = Delivery(tenant=made.tenant, webhook_id=made.id, event=event, created_at=NOW, next_at=NOW + HOUR)
    store.save_delivery(waiting, before=None, expires_at=NOW + DAY)
    store.save_delivery(replace(waiting, next_at=NOW + DAY), before=waiting, expires_at=NOW + DAY)
    done = replace(waiting, next_at=None, state=DeliveryState.DELIVERED)
    store.save_delivery(done, before=replace(waiting, next_at=NOW + DAY), expires_at=NOW + DAY)
    released = store.save_endpoint(replace(endpoint, position=1), due_at=None, release=True)
    deliveries = store.load_deliveries(made.tenant, made.id).items, store.load_waiting(made.tenant, made.id, NOW + DAY, limit=9)
    return (
        endpoint,
        released,
        store.load_endpoint(made.tenant, made.id),
        deliveries,
        store.save_webhook(replace(made, details=True)),
    )


WRITES: dict[str, Write] = {
    write.__name__: write
    for write in (
        claim_and_complete,
        lease_and_release,
        lease_and_renew,
        fail_and_succeed,
        apply,
        monitor,
        run,
        catalog,
        option,
        token,
        page,
        webhook,
    )
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_answer_is_lost_happens_once(name: str, emulated_store: DynamoStore, record_property) -> None:
    """Every answer is lost once: what comes back, and what is stored, is as on a store that answers."""
    answering, losing = MemoryStore(), empty_table(emulated_store)
    for store in (answering, losing):
        prepare(store)
    expected = WRITES[name](answering)

    with losing_answers(losing.client) as session:
        found = WRITES[name](losing)

    assert found == expected
    record_property("requests", session.sent)
    assert session.sent >= 4


def test_another_that_claims_or_leases_at_the_same_time_still_loses(emulated_store: DynamoStore) -> None:
    """Only the request itself is recognised: not another of the same holder's, nor one with the same times."""
    store = empty_table(emulated_store)
    prepare(store)
    source = source_of(store)
    (read,) = store.load_shards([source.shard_id])
    until = NOW + HOUR

    with losing_answers(store.client):
        claims = [store.claim_shard(read, holder="tick_1", now=NOW, until=until) for _ in "12"]
        leases = [store.acquire_lease(source, holder=holder, now=NOW, until=until) for holder in ("run_1", "run_2")]
        store.save_monitor(a_monitor())
        with pytest.raises(StoreConflictError):
            store.save_monitor(a_monitor())

    assert [claim is not None for claim in claims] == [True, False]
    assert [lease is not None for lease in leases] == [True, False]
