"""Events: what the event log of a tenant holds, and how a change becomes one. Ids, dates and versions; never a guest.

A write that somebody should hear of also writes one outbox item with all its events. Later they are numbered, once, in the
tenant's log. The functions here are pure: both stores call them with what they write.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypedDict

from bokit.core.model.catalog import BOOKINGS, Collection, Property, Source, Unit
from bokit.core.model.codec import write_document, write_micros
from bokit.core.model.documents import Count
from bokit.core.model.limits import MAX_EVENT_NAMES, MAX_OUTBOX_EVENTS, OUTBOX_PARTITIONS
from bokit.core.model.notices import Notice
from bokit.core.model.records import CollectionName, Fields, Json, LoggedChange, Record, RunId, SourceId, TenantId
from bokit.core.model.runs import OpenRun, Run, Trigger
from bokit.core.model.scheduling import Head
from bokit.values import Value, field

CONFLICTS, CALENDARS = CollectionName("conflicts"), CollectionName("calendars")
DOOR_CODES = CollectionName("door_codes")


class EventType(StrEnum):
    """What happened."""

    SYNC_STARTED = "sync.started"
    SYNC_PROGRESS = "sync.progress"
    SYNC_FINISHED = "sync.finished"
    BOOKING_CREATED = "booking.created"
    BOOKING_CHANGED = "booking.changed"
    BOOKING_CANCELLED = "booking.cancelled"
    BOOKING_RESTORED = "booking.restored"
    CONFLICT_OPENED = "conflict.opened"
    CONFLICT_CLOSED = "conflict.closed"
    SOURCE_FAILING = "source.failing"
    SOURCE_HELD = "source.held"
    SOURCE_RECOVERED = "source.recovered"
    SOURCE_STALE = "source.stale"
    RECORD_CHANGED = "record.changed"
    COLLECTION_CHANGED = "collection.changed"
    CATALOG_CHANGED = "catalog.changed"
    WEBHOOK_DISABLED = "webhook.disabled"
    ACCESS_CREATED = "access.created"
    ACCESS_CHANGED = "access.changed"
    ACCESS_REVOKED = "access.revoked"
    CALENDAR_UNREAD = "calendar.unread"


class NewEvent(Value):
    """Something that happened, without a number yet."""

    type: EventType
    data: Fields = field(default_factory=dict)


class OutboxItem(Value):
    """All events of one write, which are numbered together, once; or one notice, which is published."""

    tenant: TenantId
    id: str
    at: datetime
    events: tuple[NewEvent, ...]
    held_until: datetime | None = None
    """Not numbered before: the write is one of several, and the last one clears it. A crash in between leaves it."""
    is_bulk: bool = False
    """It stands for all changes of a run: one place, however often the run writes it."""
    notice: Notice | None = None
    """What is published in the place of events; the item stays until it was accepted."""

    former_partition: int | None = None
    """The partition where a former release put it; None: it is in its tenant's."""

    @property
    def partition(self) -> int:
        """Which of the outbox's partitions holds it."""
        return partition_of(self.tenant) if self.former_partition is None else self.former_partition

    @property
    def sort_key(self) -> str:
        """Its place in the partition: the oldest comes first, and those that stand for a whole run last."""
        return f"bulk#{self.id}" if self.is_bulk else f"{write_micros(self.at):020d}#{self.id}"

    def numbered(self, after: int) -> tuple[Event, ...]:
        """Return its events with the numbers that follow *after*."""
        return tuple(
            Event(id=f"evt_{self.id}_{place:02d}", seq=after + place + 1, type=event.type, at=self.at, data=event.data)
            for place, event in enumerate(self.events)
        )


class Event(Value):
    """An event of a tenant's log."""

    id: str
    seq: int
    """Its number in the log; the order of the log, without gaps."""
    type: EventType
    at: datetime
    data: Fields = field(default_factory=dict)


class EventDocument(TypedDict):
    """Something that happened."""

    id: str
    seq: Annotated[int, ("minimum", 1), "Its place in the log."]
    type: EventType
    at: datetime
    timestamp: Annotated[datetime, "The same as `at`, under the name of Standard Webhooks."]
    data: Annotated[dict[str, Json], "Ids, dates and names of fields; no guest."]


class EventsDocument(TypedDict):
    """A part of the log."""

    items: list[EventDocument]
    seq: Annotated[Count, "Read on from here: the number of the last item, or of the last event where nothing is left."]


def describe_event(event: Event) -> EventDocument:
    """Return the event's document."""
    return {
        "id": event.id,
        "seq": event.seq,
        "type": event.type,
        "at": event.at,
        "timestamp": event.at,
        "data": dict(event.data),
    }


def partition_of(tenant: TenantId) -> int:
    """Return which partition of the outbox has the tenant's items."""
    return zlib.crc32(tenant.encode("utf-8", "surrogatepass")) % OUTBOX_PARTITIONS


def fill_outbox(tenant: TenantId, at: datetime, events: Sequence[NewEvent]) -> list[OutboxItem]:
    """Return the outbox items of one write: one, or more where it has more events than can be numbered together.

    The id is the hash of what they say, which names versions or runs: two writes never have the same.
    """
    groups = [tuple(events[at : at + MAX_OUTBOX_EVENTS]) for at in range(0, len(events), MAX_OUTBOX_EVENTS)]
    return [OutboxItem(tenant=tenant, id=_name(tenant, at, group), at=at, events=group) for group in groups]


def notice_items(notices: Iterable[Notice]) -> list[OutboxItem]:
    """Return the outbox items of notices, one each: what refuses one of them keeps no other back."""
    return [OutboxItem(tenant=n.tenant, id=n.id, at=n.at, events=(), notice=n) for n in notices]


def _name(tenant: TenantId, at: datetime, events: tuple[NewEvent, ...]) -> str:
    said = write_document(OutboxItem(tenant=tenant, id="", at=at, events=events))
    return hashlib.sha256(said.encode()).hexdigest()[:26]


# ── what becomes an event ──

_BOOKING_EVENTS = {
    "create": EventType.BOOKING_CREATED,
    "cancel": EventType.BOOKING_CANCELLED,
    "merge": EventType.BOOKING_CANCELLED,
    "restore": EventType.BOOKING_RESTORED,
}
_CONFLICT_EVENTS = {"open": EventType.CONFLICT_OPENED, "close": EventType.CONFLICT_CLOSED}


def events_of_record(record: Record, changes: Sequence[LoggedChange]) -> list[NewEvent]:
    """Return the events of one record as it is written, with its *changes*: of a unit's door codes one for each that changed."""
    if record.collection == DOOR_CODES:
        return [_door_code_event(record, news) for news in record.remote.get("news", ())]
    return join_events([event_of_record(record, changes)])


def _door_code_event(record: Record, news: Fields) -> NewEvent:
    said = {name: value for name, value in news.items() if name != "kind"}
    data = {**said, "unit_id": record.scope, "version": record.version}
    return NewEvent(type=EventType(f"access.{news['kind']}"), data=data)


def event_of_record(record: Record, changes: Sequence[LoggedChange]) -> NewEvent | None:
    """Return the event of one record as it is written, with its *changes*; None: bookkeeping, of which nobody hears.

    conflicts    opened, closed; opened again each time that somebody should look again; else catalog.changed
    calendars    catalog.changed
    bookings     created, cancelled (merged too), restored, else changed
    others       record.changed
    """
    if record.collection == CALENDARS:
        return _catalog_event("calendar", record.id, record.version, is_removed=record.gone_at is not None)
    if not changes:
        return None
    if record.collection == CONFLICTS:
        return _conflict_event(record, changes[-1])
    if record.collection == BOOKINGS:
        kind = _BOOKING_EVENTS.get(changes[-1].action, EventType.BOOKING_CHANGED)
        dates = {name: record.fields[name] for name in ("check_in", "check_out") if isinstance(record.fields.get(name), str)}
        return NewEvent(type=kind, data={**_record_data(record, changes), "unit_id": record.scope, **dates})
    data = {"collection": record.collection, "presence": str(record.presence), **_record_data(record, changes)}
    return NewEvent(type=EventType.RECORD_CHANGED, data=data)


def _record_data(record: Record, changes: Sequence[LoggedChange]) -> dict[str, Json]:
    names = sorted({name for change in changes for name in change.fields})[:MAX_EVENT_NAMES]
    run = {"run_id": change.run_id} if (change := changes[-1]).run_id else {}
    source = {"source_id": record.source_id} if record.source_id else {}
    return {"id": record.id, "version": record.version, "fields": names, **source, **run}


def _conflict_event(record: Record, change: LoggedChange) -> NewEvent:
    """Return the event of a conflict; one that goes on is opened again where ``opened`` was raised: there is more than before.

    An owner does not hear that it shrank or was acknowledged; but a page shows it.
    """
    kind = EventType.CONFLICT_OPENED if "opened" in change.fields else _CONFLICT_EVENTS.get(change.action)
    if kind is None:
        return _catalog_event("conflict", record.id, record.version, is_removed=False)
    remote = record.remote
    nights, bookings = list(remote.get("nights", ()))[:MAX_EVENT_NAMES], list(remote.get("bookings", ()))[:MAX_EVENT_NAMES]
    data = {"id": record.id, "version": record.version, "unit_id": record.scope, "nights": nights, "bookings": bookings}
    return NewEvent(type=kind, data=data)


def event_of_place(place: Property | Unit | Source | Collection, *, is_removed: bool = False) -> NewEvent:
    """Return the event of a catalog's item as it is written, or as it was deleted."""
    kind = type(place).__name__.lower()
    item_id = place.name if isinstance(place, Collection) else place.id
    is_gone = is_removed or (isinstance(place, Source) and place.removed_at is not None)
    return _catalog_event(kind, item_id, place.version, is_removed=is_gone)


def event_of_removal(kind: type, item_id: str, version: int) -> NewEvent:
    """Return the event of a catalog's item that is deleted."""
    return _catalog_event(kind.__name__.lower(), item_id, version, is_removed=True)


def _catalog_event(kind: str, item_id: str, version: int, *, is_removed: bool) -> NewEvent:
    change = "removed" if is_removed else "added" if version == 1 else "changed"
    return NewEvent(type=EventType.CATALOG_CHANGED, data={"kind": kind, "id": item_id, "version": version, "change": change})


def event_of_start(open_run: OpenRun) -> NewEvent:
    """Return the event of a run that is opened."""
    run = open_run.run
    data = {"run_id": run.run_id, "trigger": str(run.trigger), "sources": len(open_run.pending) + len(run.sources)}
    return NewEvent(type=EventType.SYNC_STARTED, data=data)


def event_of_end(run: Run) -> NewEvent | None:
    """Return the event of a run that has ended; None of the schedule's own, whose changes have theirs."""
    if run.trigger in (Trigger.SCHEDULE, Trigger.TRAFFIC):
        return None
    counts = {name: count for name, count in run.counts.items() if count}
    data = {"run_id": run.run_id, "trigger": str(run.trigger), "status": str(run.status), "counts": counts}
    return NewEvent(type=EventType.SYNC_FINISHED, data=data)


def events_of_head(before: Head, after: Head) -> list[NewEvent]:
    """Return what happened to a source between two of its heads.

    before               after                        event
    not notified         failure notified             source.failing
    failure notified     no failure                   source.recovered
    another hold, none   a hold, or offered again     source.held
    no standstill        standstill                   source.stale
    standstill           none                         source.recovered
    a hold               none, and no failure         source.recovered

    A source that recovers from two at once has one event.
    """
    source = {"source_id": after.source.id}
    events = []
    was_failing, is_failing = bool(before.failure and before.failure.notified), bool(after.failure and after.failure.notified)
    if after.failure and is_failing and not was_failing:
        events.append(NewEvent(type=EventType.SOURCE_FAILING, data={**source, "code": after.failure.code}))
    if after.hold and _hold_key(after) != _hold_key(before):
        events.append(
            NewEvent(type=EventType.SOURCE_HELD, data={**source, "code": after.hold.code, "plan": after.hold.plan_hash})
        )
    if after.standstill and before.standstill is None:
        events.append(NewEvent(type=EventType.SOURCE_STALE, data={**source, "code": "old-content"}))
    if ended := _ended_trouble(before, after):
        events.append(NewEvent(type=EventType.SOURCE_RECOVERED, data={**source, "from": ended}))
    return events


def _ended_trouble(before: Head, after: Head) -> str | None:
    """Return from what a source recovered."""
    if before.failure and before.failure.notified and after.failure is None:
        return "failing"
    if before.standstill and after.stale is None:
        return "stale"
    return "held" if before.hold and after.hold is None and after.failure is None else None


def _hold_key(head: Head) -> tuple[object, ...] | None:
    return (head.hold.code, head.hold.since, head.hold.offered_at) if head.hold else None


def event_of_collection(collection: CollectionName, source_id: SourceId, run_id: RunId, counts: Mapping[str, int]) -> NewEvent:
    """Return the event that stands for all changes of a large write."""
    data = {"collection": collection, "source_id": source_id, "run_id": run_id}
    return NewEvent(type=EventType.COLLECTION_CHANGED, data={**data, "counts": {n: c for n, c in counts.items() if c}})


def bulk_item(source: Source, collection: CollectionName, run_id: RunId, at: datetime, counts: Mapping[str, int]) -> OutboxItem:
    """Return the outbox item of a run that changes much of a collection."""
    name = hashlib.sha256(f"{source.tenant}/{source.id}/{collection}/{run_id}".encode("utf-8", "surrogatepass")).hexdigest()[:26]
    event = event_of_collection(collection, source.id, run_id, counts)
    return OutboxItem(tenant=source.tenant, id=name, at=at, events=(event,), is_bulk=True)


def emptying_item(collection: Collection, at: datetime, first: str, count: int) -> OutboxItem:
    """Return the outbox item of *count* records of a collection that were deleted at once, from that of the id *first* on."""
    name = hashlib.sha256(f"{collection.tenant}/{first}/{write_micros(at)}".encode("utf-8", "surrogatepass")).hexdigest()[:26]
    data = {"collection": collection.name, "source_id": None, "run_id": None, "counts": {"cancelled": count}}
    event = NewEvent(type=EventType.COLLECTION_CHANGED, data=data)
    return OutboxItem(tenant=collection.tenant, id=name, at=at, events=(event,), is_bulk=True)


def join_events(found: Iterable[NewEvent | None]) -> list[NewEvent]:
    """Return the events that there are."""
    return [event for event in found if event is not None]
