"""What writes to a store, in small scenarios that together call every method that does: for tests of lost answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bokit.core.model.access import Principal, Role
from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState, ChannelKind
from bokit.core.model.catalog import DEFAULT_TENANT, Parent, Property, Unit
from bokit.core.model.connections import Connection, ConnectionId, Ticket
from bokit.core.model.events import Event, EventType, NewEvent, OutboxItem, fill_outbox
from bokit.core.model.notices import AlertNote
from bokit.core.model.readers import Reader, UnreadCalendar
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import Failure, Lease
from bokit.core.model.webhooks import Delivery, DeliveryState, Endpoint, Webhook, WebhookFailure, WebhookId
from bokit.store.event_protocol import StaleNote
from bokit.store.protocols import ReadersChange, Snapshot, Store
from bokit.values import replace
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
    a_run,
    a_schedule,
    a_tenant,
    a_token,
    a_unit,
    an_answer,
    an_open_run,
)
from tests.support.steps import OTHER, add_source, claim, close, lease_of

RECORD, MONITOR, TOKEN, PAGE = a_record(), a_monitor(), a_token(), a_page()
RUN, ANSWER, CHANGE, ENDED = an_open_run("src_1"), an_answer(), a_change(RECORD), a_run()
PROPERTY, UNIT, COLLECTION = a_property(), a_unit(), a_collection()
HOOK = Webhook(id=WebhookId("whk_1"), tenant=DEFAULT_TENANT, url="https://a.example/", secret="whsec_", created_at=NOW)
PHONE = AlertChannel(id=AlertChannelId("chn_1"), tenant=DEFAULT_TENANT, kind=ChannelKind.WEBHOOK, name="phone", created_at=NOW)
CALLER = Principal(tenant=DEFAULT_TENANT, role=Role.VIEWER, id="tok_1")
SOCKET = Connection(id=ConnectionId("L0SM9="), caller=CALLER, opened_at=NOW, ends_at=NOW + HOUR)
TICKET = Ticket(hash=TOKEN.hash, caller=CALLER, expires_at=NOW + HOUR)
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


def rewrite(store: Store) -> object:
    store.apply_records([RECORD], [CHANGE, replace(CHANGE, reason="another")], lease=None)
    first, second = store.load_changes(RECORD.tenant, RECORD.id).items
    store.rewrite_changes(RECORD.tenant, RECORD.id, {first.line: replace(first, fields={}), f"{first.line}0": second})
    return first, second, store.load_changes(RECORD.tenant, RECORD.id)


def delete_record(store: Store) -> object:
    saved = store.apply_records([RECORD], [CHANGE], lease=None, counted={RECORD.id})
    store.delete_records(saved)
    left = store.load_record_page(RECORD.tenant, RECORD.collection, RECORD.scope, limit=10)
    return left, store.load_changes(RECORD.tenant, RECORD.id), store.load_usage(RECORD.tenant, NOW.date())


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


def postpone(store: Store) -> object:
    tenant, run_id = RUN.run.tenant, RUN.run.run_id
    store.open_run(RUN, expires_at=NOW + DAY, answered=None, now=NOW)
    waiting = frozenset({SourceId("src_1")})
    done = [store.postpone_run(RUN, overdue_at=NOW + times * DAY, waiting=waiting) for times in (1, 2)]
    return done, store.find_open_run(tenant, run_id)


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


def readers(store: Store) -> object:
    store.save_published(PAGE)
    first = (Reader(kind="airbnb", read_at=NOW),)
    missed = (replace(first[0], reported_at=NOW + DAY),)
    touched = store.touch_published(PAGE.hash, NOW, ReadersChange(before=(), after=first, due_at=NOW + HOUR))
    due = store.load_due_readers(NOW + DAY, 9)
    unread = UnreadCalendar(tenant=DEFAULT_TENANT, id=PAGE.id, unit_id="unit_1", readers=missed)
    change = ReadersChange(before=first, after=missed, due_at=None)
    saved = store.save_readers(PAGE.hash, change, unread, an_item("e"))
    found, noted = store.find_published(PAGE.hash), store.load_unread(DEFAULT_TENANT)
    store.delete_unread(DEFAULT_TENANT, PAGE.id)
    return touched, due, saved, found and found.readers, noted, store.load_unread(DEFAULT_TENANT)


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


def alert(store: Store) -> object:
    tenant = DEFAULT_TENANT
    made = store.add_alert_channel(PHONE, AlertState(tenant=tenant, channel_id=PHONE.id))
    state = store.load_alert_state(tenant, PHONE.id)
    saved = (
        store.save_alert_channel(replace(made, name="another")),
        store.save_alert_state(replace(state, seq=7, due_at=NOW + DAY)),
    )
    store.wake_alert(tenant, PHONE.id, NOW + HOUR)
    store.save_webhook_failure(WebhookFailure(tenant=tenant, webhook_id=HOOK.id, at=NOW), expires_at=NOW + DAY)
    found = store.load_alert_states(tenant), store.load_due_alerts(NOW + HOUR, 9), store.load_webhook_failures(tenant)
    store.delete_alert_channel(tenant, PHONE.id)
    return saved, found, store.load_alert_channels(tenant), store.load_usage(tenant, NOW.date())


def socket(store: Store) -> object:
    store.save_ticket(TICKET)
    taken = store.take_ticket(TICKET.hash), store.take_ticket(TICKET.hash)
    store.save_connection(SOCKET)
    found = store.find_connection(DEFAULT_TENANT, SOCKET.id), store.load_due_closings(NOW + DAY)
    store.delete_connection(DEFAULT_TENANT, SOCKET.id)
    store.save_token(TOKEN)
    store.revoke_token(DEFAULT_TENANT, TOKEN.id, NOW)
    store.clear_closing(TOKEN)
    return taken, found, store.load_connections(DEFAULT_TENANT), store.load_due_closings(NOW + DAY)


def an_item(name: str) -> OutboxItem:
    (item,) = fill_outbox(DEFAULT_TENANT, NOW, [NewEvent(type=EventType.RECORD_CHANGED, data={"id": name})])
    return item


def event(store: Store) -> object:
    first, second, dropped = an_item("a"), an_item("b"), an_item("c")
    for item in (first, second, dropped):
        store.put_outbox(item)
    store.delete_outbox(dropped)
    numbers = [store.number_events(item, expires_at=NOW + DAY, unread_at=NOW) for item in (first, second, first)]
    store.clear_unread(DEFAULT_TENANT, 2)
    note = AlertNote(tenant=DEFAULT_TENANT, source_id=SourceId("src_1"), hold="h", at=NOW)
    store.save_alert_note(note)
    store.save_alert_note(replace(note, at=NOW + DAY))
    stale = StaleNote(tenant=DEFAULT_TENANT, source_id=SourceId("src_1"), since=NOW)
    noted = [store.save_stale_note(stale, an_item("d")) for _ in "12"]
    found = store.load_alert_note(DEFAULT_TENANT, note.source_id), store.load_due_deliveries(NOW + DAY)
    return numbers, noted, found, store.load_events(DEFAULT_TENANT, after=0, until=9)


def jump(store: Store) -> object:
    raised = [store.raise_last_seq(DEFAULT_TENANT, by=1_000_000, stamp=stamp) for stamp in ("one", "one", "two")]
    return raised, store.load_last_seq(DEFAULT_TENANT)


def usage(store: Store) -> object:
    for writes in (3, 4):
        store.count_writes(DEFAULT_TENANT, NOW.date(), writes)
    return store.load_usage(DEFAULT_TENANT, NOW.date())


def answer(store: Store) -> object:
    first = store.save_answer(DEFAULT_TENANT, ANSWER, NOW)
    again = store.save_answer(DEFAULT_TENANT, an_answer(request_hash="another"), NOW)
    store.save_run(ENDED, expires_at=NOW + DAY)
    return first, again, store.find_answer(DEFAULT_TENANT, ANSWER.key, NOW), store.load_runs(ENDED.tenant)


def schedule(store: Store) -> object:
    source, line = source_of(store), a_schedule(due_at=NOW + timedelta(minutes=1))
    store.save_source_schedule(source.shard_id, source.id, line)
    store.save_schedules(source.shard_id, {source.id: replace(line, due_at=NOW)})
    return store.load_shards([source.shard_id])


def snapshot(store: Store) -> object:
    source = source_of(store)
    lease = lease_of(store, source)
    saved = store.save_snapshot(Snapshot(content=b"x"), lease=lease)
    store.save_chunks(source, {"a": b"1", "b": b"2"}, lease=lease)
    store.save_chunks(source, {"a": None}, lease=lease)
    return store.save_snapshot(replace(saved, content=b"y"), lease=lease), store.load_chunks(source, ["a", "b"])


def release_too_late(store: Store) -> object:
    source = source_of(store)
    first, later = lease_of(store, source), NOW + DAY
    second = store.acquire_lease(source, holder="another", now=later, until=later + HOUR)
    store.release_lease(first)
    return second and second.fence, store.load_head(source).open_leases


def wake_and_replace(store: Store) -> object:
    made = store.add_webhook(HOOK, Endpoint(tenant=HOOK.tenant, webhook_id=HOOK.id), due_at=NOW)
    held = store.acquire_endpoint(made.tenant, made.id, holder="turn_1", now=NOW, until=NOW + HOUR)
    assert held
    store.wake_endpoint(made.tenant, made.id, NOW)
    is_released = store.save_endpoint(held, due_at=None, release=True)
    store.replace_endpoint(replace(held, position=7), due_at=NOW + DAY)
    found = store.load_endpoint(made.tenant, made.id)
    store.delete_webhook(made.tenant, made.id)
    return is_released, found.position, store.load_webhooks(made.tenant)


def place(store: Store) -> object:
    prop = store.save_property(PROPERTY, at=NOW)
    unit = store.save_unit(UNIT, within=[Parent(Property, prop.tenant, prop.id)], at=NOW)
    for kind, gone in ((Unit, unit), (Property, prop)):
        store.delete_parent(Parent(kind, gone.tenant, gone.id), lambda: None, at=NOW)
    return store.load_units(unit.tenant), store.load_properties(prop.tenant), store.load_usage(unit.tenant, NOW.date())


def change_and_delete(store: Store) -> object:
    collection = store.save_collection(COLLECTION)
    saved = store.save_collection(collection, check_empty=lambda: None)
    store.save_token(TOKEN)
    renamed = store.rename_token(TOKEN.tenant, TOKEN.id, "another")
    store.save_published(PAGE)
    store.delete_published(PAGE.hash)
    store.save_monitor(MONITOR)
    store.delete_monitor(MONITOR.tenant)
    return saved, renamed, store.load_monitors([MONITOR.tenant]), store.find_published(PAGE.hash)


def tenant(store: Store) -> object:
    store.save_tenant(a_tenant(id=OTHER))
    source = add_source(store, id=SourceId("src_2"), tenant=OTHER)
    store.remove_tenant(OTHER)
    left = store.load_tenants(), store.load_sources(OTHER), store.load_shards([source.shard_id])
    return left, store.load_usage(None, NOW.date())


def schema(store: Store) -> object:
    store.raise_schema()
    stored = store.load_schema()
    store.raise_schema()
    return stored, store.load_schema()


WRITES: dict[str, Write] = {
    write.__name__: write
    for write in (
        claim_and_complete,
        lease_and_release,
        lease_and_renew,
        release_too_late,
        fail_and_succeed,
        apply,
        rewrite,
        delete_record,
        snapshot,
        schedule,
        monitor,
        run,
        postpone,
        answer,
        catalog,
        place,
        change_and_delete,
        option,
        usage,
        token,
        page,
        readers,
        webhook,
        wake_and_replace,
        alert,
        socket,
        event,
        jump,
        tenant,
        schema,
    )
}
