"""Loads what events are about: names of units and sources, nights and bookings, and what the engine says of a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from bokit.core.alerts.news import ALERTED, WEBHOOK_FAILED, BookingName, ConflictNews, News, OtherNews, SourceNews, UnreadNews
from bokit.core.model.alerts import HoldCause, find_host
from bokit.core.model.catalog import BOOKINGS, Source
from bokit.core.model.events import CONFLICTS, Event, EventType
from bokit.core.model.full_names import FullNames
from bokit.core.model.limits import MAX_ALERTS_APART
from bokit.core.model.notices import name_hold
from bokit.core.model.readers import name_reader
from bokit.core.model.records import Record, RecordId, SourceId, TenantId
from bokit.core.model.scheduling import Head
from bokit.core.model.webhooks import WebhookFailure, WebhookId
from bokit.engine.base.lookup import load_names
from bokit.errors import UnknownIdError
from bokit.store.protocols import Store


class NewsReader:
    """Makes news of a tenant's events; each thing is loaded once for all of them."""

    def __init__(self, store: Store, tenant: TenantId, events: Sequence[Event]) -> None:
        self.store, self.tenant = store, tenant
        self.events = [event for event in events if event.type in ALERTED]
        self._names = load_names(store, tenant) if self.events else FullNames()
        self._sources = {s.id: s for s in store.load_sources(tenant)} if self.events else {}
        self._conflicts = store.find_records(tenant, CONFLICTS, self._ids_of("id"))
        self._bookings = store.find_records(tenant, BOOKINGS, self._ids_of("bookings"))

    def _ids_of(self, name: str) -> list[RecordId]:
        """Return what the events of conflicts have under *name*: an id, or several."""
        found: set[str] = set()
        for event in self.events:
            if ALERTED[event.type] == "conflict":
                value = event.data.get(name, ())
                found.update([value] if isinstance(value, str) else value)
        return [RecordId(item) for item in sorted(found)]

    def read(self) -> Iterator[News]:
        """Yield the news, in the order of the log; what was removed since is left out."""
        for event in self.events:
            news = self._read_one(event)
            if news is not None:
                yield news

    def _read_one(self, event: Event) -> News | None:
        about = ALERTED[event.type]
        if about == "conflict":
            return self._read_conflict(event)
        if about == "source":
            return self._read_source(event)
        if about == "calendar":
            return self._read_unread(event)
        name, reason = self._name_other(event.data), str(event.data.get("reason", ""))
        return OtherNews(event_id=event.id, type=event.type, at=event.at, name=name, reason=reason)

    def _name_other(self, data: Mapping[str, Any]) -> str:
        """Return the host of a webhook, or what its event gives."""
        try:
            return name_webhook(self.store, self.tenant, WebhookId(str(data["webhook_id"])))
        except (UnknownIdError, KeyError):
            return next((str(data[name]) for name in ("name", "webhook_id", "id") if data.get(name)), "?")

    def _read_unread(self, event: Event) -> UnreadNews:
        data = event.data
        return UnreadNews(
            event_id=event.id,
            type=event.type,
            at=event.at,
            unit=self._names.of_unit(str(data["unit_id"])),
            reader=name_reader(str(data["kind"])),
            late=event.at - datetime.fromisoformat(str(data["last_read_at"])),
            usual=timedelta(seconds=int(data["usual_interval_s"])),
        )

    def _read_conflict(self, event: Event) -> ConflictNews | None:
        record = self._conflicts.get(RecordId(str(event.data.get("id"))))
        if record is None:
            return None
        remote = record.remote
        ids = [str(unit) for unit in remote.get("unit_ids", (record.scope,))]
        return ConflictNews(
            event_id=event.id,
            at=event.at,
            units=tuple(self._names.of_unit(unit) for unit in ids),
            nights=tuple(date.fromisoformat(night) for night in event.data.get("nights", ())),
            bookings=tuple(self._name_booking(RecordId(str(each))) for each in event.data.get("bookings", ())),
            certainty=str(remote.get("certainty", "certain")),
            is_turnover=bool(remote.get("is_turnover")),
            is_over=event.type is EventType.CONFLICT_CLOSED,
        )

    def _name_booking(self, record_id: RecordId) -> BookingName:
        return name_booking(self._bookings.get(record_id), self._sources, self._names)

    def _read_source(self, event: Event) -> SourceNews | None:
        source = self._sources.get(SourceId(str(event.data.get("source_id"))))
        head = self._find_head(source)
        if source is None or head is None or source.removed_at is not None:
            return None
        return SourceNews(
            event_id=event.id,
            type=event.type,
            at=event.at,
            source_id=source.id,
            name=self._names.of(source),
            code=str(event.data.get("code") or event.data.get("from") or ""),
            detail=_say_why(event.type, head),
            since=self._find_since(event, head),
            opens_at=head.hold.opens_at if head.hold else None,
            hold=_find_hold(event.type, head),
        )

    def _find_head(self, source: Source | None) -> Head | None:
        try:
            return self.store.load_head(source) if source else None
        except UnknownIdError:
            return None

    def _find_since(self, event: Event, head: Head) -> datetime | None:
        """Return since when the source shows nothing new: its content's age, else its last success."""
        if event.type is not EventType.SOURCE_STALE:
            return None
        noted = self.store.load_stale_notes([(self.tenant, head.source.id)]).get(head.source.id)
        return head.standstill or noted or head.synced_at


def find_new_failures(failures: Iterable[WebhookFailure], read: Mapping[str, datetime]) -> list[WebhookFailure]:
    """Return the *failures* that are not *read*: of one webhook at most one a day, so that one noted twice is read once."""
    return [f for f in failures if f.webhook_id not in read or f.at - read[f.webhook_id] >= MAX_ALERTS_APART]


def read_failures(store: Store, tenant: TenantId, failures: Iterable[WebhookFailure]) -> Iterator[News]:
    """Yield the news of deliveries that were given up; those of webhooks that were removed since are left out."""
    for failure in failures:
        with suppress(UnknownIdError):
            name = name_webhook(store, tenant, failure.webhook_id)
            event_id = f"{failure.webhook_id}/{failure.at.isoformat()}"
            yield OtherNews(event_id=event_id, type=WEBHOOK_FAILED, at=failure.at, name=name)


def name_webhook(store: Store, tenant: TenantId, webhook_id: WebhookId) -> str:
    """Return a webhook's host. Raises UnknownIdError."""
    webhook = store.load_webhook(tenant, webhook_id)
    return find_host(webhook.url) or webhook.id


def name_booking(record: Record | None, sources: Mapping[SourceId, Source], names: FullNames) -> BookingName:
    """Return a booking's name without its guest."""
    if record is None:
        return BookingName(source=None, check_in=None, check_out=None)
    source = sources.get(record.source_id) if record.source_id else None
    fields = record.fields
    return BookingName(
        source=names.of(source) if source else None,
        check_in=read_day(fields.get("check_in")),
        check_out=read_day(fields.get("check_out")),
    )


def read_day(value: object) -> date | None:
    """Return the day of a date or a time as text; None: there is none."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _find_hold(type_: EventType, head: Head) -> HoldCause | None:
    """Return which hold the news is about; None: about none."""
    if type_ is not EventType.SOURCE_HELD or head.hold is None:
        return None
    return HoldCause(source_id=head.source.id, cause=name_hold(head.hold.code, head.hold.since))


def _say_why(type_: EventType, head: Head) -> str:
    if type_ is EventType.SOURCE_FAILING and head.failure:
        return head.failure.message
    return head.hold.message if type_ is EventType.SOURCE_HELD and head.hold else ""
