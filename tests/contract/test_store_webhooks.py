"""What every store does with webhooks, endpoints and deliveries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import Event, EventType, NewEvent, fill_outbox
from bokit.core.model.limits import OUTBOX_PARTITIONS
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import Delivery, DeliveryState, DisabledReason, Endpoint, Webhook, WebhookId
from bokit.errors import InputError, StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW
from tests.support.steps import OTHER

SECOND = timedelta(seconds=1)
HOOK = WebhookId("whk_1")


def a_webhook(name: str = HOOK, tenant: TenantId = DEFAULT_TENANT, **given: Any) -> Webhook:
    url, secret = "https://hooks.example/", "whsec_c2VjcmV0"
    return Webhook(id=WebhookId(name), tenant=tenant, url=url, secret=secret, created_at=NOW, **given)


def add(store: Store, webhook: Webhook | None = None, *, due_at: datetime = NOW + HOUR, position: int = 0) -> Webhook:
    webhook = webhook or a_webhook()
    endpoint = Endpoint(tenant=webhook.tenant, webhook_id=webhook.id, position=position)
    return store.add_webhook(webhook, endpoint, due_at=due_at)


def acquire(store: Store, holder: str = "a", at: datetime = NOW, tenant: TenantId = DEFAULT_TENANT) -> Endpoint | None:
    return store.acquire_endpoint(tenant, HOOK, holder=holder, now=at, until=at + 90 * SECOND)


def due(store: Store, at: datetime) -> tuple[list[TenantId], list[tuple[TenantId, WebhookId]]]:
    found = store.load_due_deliveries(at)
    return list(found.logs), list(found.endpoints)


def a_delivery(seq: int = 1, **given: Any) -> Delivery:
    event = Event(id=f"evt_{seq}", seq=seq, type=EventType.BOOKING_CREATED, at=NOW, data={"id": "bkg_1", "fields": ["notes"]})
    return Delivery(tenant=DEFAULT_TENANT, webhook_id=HOOK, event=event, created_at=NOW, **given)


def save(store: Store, delivery: Delivery, before: Delivery | None = None) -> Delivery:
    store.save_delivery(delivery, before=before, expires_at=NOW + 30 * DAY)
    return delivery


def test_a_webhook_is_kept_as_it_was_declared(store: Store) -> None:
    """Changed on its version, listed by age, deleted with its endpoint; of another tenant there is none."""
    kinds = (EventType.BOOKING_CREATED, EventType.SOURCE_HELD)
    first = add(store, a_webhook(types=kinds, details=True))
    second = add(store, replace(a_webhook("whk_2"), created_at=NOW + HOUR))
    assert (store.load_webhooks(DEFAULT_TENANT), store.load_webhooks(OTHER)) == ([first, second], [])
    off = replace(first, enabled=False, disabled_reason=DisabledReason.GONE, former_secret="whsec_b2xk", former_until=NOW + DAY)

    saved = store.save_webhook(off)

    assert store.load_webhook(DEFAULT_TENANT, HOOK) == saved == replace(off, version=2)
    with pytest.raises(StoreConflictError):
        store.save_webhook(first)
    with pytest.raises(StoreConflictError):
        add(store)
    for _ in range(2):
        store.delete_webhook(DEFAULT_TENANT, HOOK)
    assert store.load_webhooks(DEFAULT_TENANT) == [second]
    for load in (store.load_webhook, store.load_endpoint):
        with pytest.raises(UnknownIdError):
            load(DEFAULT_TENANT, HOOK)
    with pytest.raises(StoreConflictError):
        store.save_webhook(saved)


def test_turning_it_off_and_the_event_are_one_write(store: Store) -> None:
    """A refused one leaves no event."""
    hook = add(store)
    outbox = fill_outbox(DEFAULT_TENANT, NOW, [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"webhook_id": hook.id})])
    with pytest.raises(StoreConflictError):
        store.save_webhook(replace(hook, enabled=False, version=7), outbox=outbox)
    assert [item for n in range(OUTBOX_PARTITIONS) for item in store.load_outbox(n)] == []

    store.save_webhook(replace(hook, enabled=False), outbox=outbox)

    assert [item for n in range(OUTBOX_PARTITIONS) for item in store.load_outbox(n)] == outbox


def test_one_sender_holds_an_endpoint(store: Store) -> None:
    """Until it releases it, or its time is over; then its writes are refused."""
    add(store, position=4)
    first = acquire(store)
    assert first is not None
    assert (first.position, acquire(store, "b", NOW + SECOND), acquire(store, tenant=OTHER)) == (4, None, None)
    assert store.save_endpoint(replace(first, position=5), due_at=None, release=True)

    second = acquire(store, "b", NOW + 2 * SECOND)
    assert second is not None
    assert second.position == 5
    with pytest.raises(StaleFenceError):
        store.save_endpoint(first, due_at=None, release=True)
    third = acquire(store, "c", NOW + 92 * SECOND)
    assert third is not None
    with pytest.raises(StaleFenceError):
        store.save_endpoint(second, due_at=None, release=False)
    store.delete_webhook(DEFAULT_TENANT, HOOK)
    with pytest.raises(StaleFenceError):
        store.save_endpoint(third, due_at=None, release=True)
    assert acquire(store) is None


def test_a_wake_meanwhile_keeps_the_lease(store: Store) -> None:
    """The release says so, and writes nothing; a write in between is none."""
    add(store)
    held = acquire(store)
    assert held is not None
    store.wake_endpoint(DEFAULT_TENANT, HOOK, NOW + HOUR)
    assert store.save_endpoint(replace(held, failures=3), due_at=NOW + HOUR, release=False)
    assert not store.save_endpoint(replace(held, failures=4), due_at=None, release=True)
    assert (store.load_endpoint(DEFAULT_TENANT, HOOK).failures, acquire(store, "b")) == (3, None)

    woken = replace(held, wakes=store.load_endpoint(DEFAULT_TENANT, HOOK).wakes)
    assert store.save_endpoint(woken, due_at=None, release=True)
    assert due(store, NOW + DAY) == ([], [])


def test_what_is_due_is_found_by_its_time(store: Store) -> None:
    """Endpoints and unread logs, the earliest first; syncs are no part of it."""
    add(store, due_at=NOW + 3 * SECOND)
    add(store, a_webhook("whk_2", OTHER), due_at=NOW + 2 * SECOND)
    assert due(store, NOW) == ([], [])
    assert due(store, NOW + 3 * SECOND) == ([], [(OTHER, "whk_2"), (DEFAULT_TENANT, HOOK)])
    assert store.load_due_deliveries(NOW + HOUR, limit=1).endpoints == ((OTHER, "whk_2"),)
    syncs = store.load_due(NOW + HOUR)
    assert (syncs.shards, syncs.monitors, syncs.runs) == ((), (), ())

    store.wake_endpoint(OTHER, WebhookId("whk_2"), NOW + HOUR)
    held = acquire(store)

    assert due(store, NOW + 60 * SECOND) == ([], [])
    assert due(store, NOW + 90 * SECOND) == ([], [(DEFAULT_TENANT, HOOK)])
    assert held is not None
    store.wake_endpoint(DEFAULT_TENANT, WebhookId("whk_none"), NOW)
    assert store.load_due_deliveries(NOW).endpoints == ()


def test_a_log_is_due_until_it_was_read_to_its_end(store: Store) -> None:
    """With the numbering of its events, where somebody reads it."""
    numbers = []
    for name, unread in (("a", None), ("b", NOW + 60 * SECOND), ("c", NOW + 90 * SECOND)):
        (item,) = fill_outbox(DEFAULT_TENANT, NOW, [NewEvent(type=EventType.RECORD_CHANGED, data={"id": name})])
        store.put_outbox(item)
        numbers.append(store.number_events(item, expires_at=NOW + DAY, unread_at=unread))
        if name == "a":
            assert due(store, NOW + DAY) == ([], [])
    assert numbers == [1, 2, 3]
    assert due(store, NOW + 89 * SECOND) == ([], [])
    assert due(store, NOW + 90 * SECOND) == ([DEFAULT_TENANT], [])

    store.clear_unread(DEFAULT_TENANT, 2)
    assert due(store, NOW + DAY) == ([DEFAULT_TENANT], [])
    store.clear_unread(DEFAULT_TENANT, 3)

    assert due(store, NOW + DAY) == ([], [])
    assert store.load_last_seq(DEFAULT_TENANT) == 3


def test_an_owner_sets_an_endpoint_back(store: Store) -> None:
    """The sender loses the lease; of a deleted one nothing is left."""
    add(store)
    held = acquire(store)
    assert held is not None
    store.replace_endpoint(Endpoint(tenant=DEFAULT_TENANT, webhook_id=HOOK, position=9), due_at=NOW + SECOND)

    with pytest.raises(StaleFenceError):
        store.save_endpoint(held, due_at=None, release=True)
    assert due(store, NOW + SECOND) == ([], [(DEFAULT_TENANT, HOOK)])
    again = acquire(store, "b")
    assert again is not None
    assert again.position == 9
    store.delete_webhook(DEFAULT_TENANT, HOOK)
    store.replace_endpoint(again, due_at=NOW)
    assert due(store, NOW + DAY) == ([], [])


def test_deliveries_wait_by_their_time_and_are_listed_by_their_event(store: Store) -> None:
    """One that is written again moves in the one list, and stays in the other."""
    for seq in (1, 2, 3):
        save(store, a_delivery(seq, next_at=NOW + (4 - seq) * HOUR, attempts=1, error="timeout"))
    save(store, a_delivery(4, state=DeliveryState.DELIVERED, status=204))

    def waiting(until: datetime, limit: int = 10) -> list[int]:
        return [each.event.seq for each in store.load_waiting(DEFAULT_TENANT, HOOK, until, limit=limit)]

    assert (waiting(NOW), waiting(NOW + HOUR), waiting(NOW + DAY), waiting(NOW + DAY, 2)) == ([], [3], [3, 2, 1], [3, 2])
    before = store.find_deliveries(DEFAULT_TENANT, HOOK, [1, 7])[1]
    save(store, replace(before, next_at=NOW + SECOND), before)
    second = store.find_delivery(DEFAULT_TENANT, HOOK, "evt_2")
    save(store, replace(second, next_at=None, state=DeliveryState.FAILED), second)
    assert waiting(NOW + DAY) == [1, 3]

    page = store.load_deliveries(DEFAULT_TENANT, HOOK, limit=3)
    rest = store.load_deliveries(DEFAULT_TENANT, HOOK, limit=3, cursor=page.cursor)
    assert [each.event.seq for each in (*page.items, *rest.items)] == [4, 3, 2, 1]
    assert (page.cursor is not None, rest.cursor) == (True, None)
    assert rest.items == (replace(before, next_at=NOW + SECOND),)
    assert store.load_deliveries(OTHER, HOOK).items == ()
    with pytest.raises(UnknownIdError):
        store.find_delivery(DEFAULT_TENANT, HOOK, "evt_9")
    with pytest.raises(InputError):
        store.load_deliveries(DEFAULT_TENANT, HOOK, cursor="nonsense")


def test_a_delivery_is_written_as_it_was_read(store: Store) -> None:
    """What another wrote meanwhile stands, and so does its place among the waiting ones."""
    first = save(store, a_delivery(next_at=NOW + HOUR))
    again = save(store, replace(first, next_at=NOW), first)

    for before in (None, first):
        with pytest.raises(StoreConflictError):
            save(store, replace(first, state=DeliveryState.FAILED, next_at=None), before)

    assert store.load_waiting(DEFAULT_TENANT, HOOK, NOW + DAY, limit=9) == [again]
    same = save(store, replace(again, attempts=2), again)
    assert store.load_waiting(DEFAULT_TENANT, HOOK, NOW + DAY, limit=9) == [same]


def test_a_removed_tenant_leaves_nothing(store: Store) -> None:
    """Neither webhooks nor endpoints nor deliveries; another tenant's stay."""
    mine = add(store)
    add(store, a_webhook("whk_2", OTHER), due_at=NOW)
    save(store, replace(a_delivery(next_at=NOW), tenant=OTHER, webhook_id=WebhookId("whk_2")))

    store.remove_tenant(OTHER)

    assert (store.load_webhooks(OTHER), store.load_webhooks(DEFAULT_TENANT)) == ([], [mine])
    assert due(store, NOW + DAY) == ([], [(DEFAULT_TENANT, HOOK)])
    assert store.load_waiting(OTHER, WebhookId("whk_2"), NOW + DAY, limit=9) == []


def test_of_many_senders_one_gets_the_endpoint(shared_store: Store) -> None:
    """The first one."""
    add(shared_store)
    gate = Barrier(8)

    def take(name: int) -> bool:
        gate.wait(timeout=20)
        return acquire(shared_store, f"h{name}") is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1
