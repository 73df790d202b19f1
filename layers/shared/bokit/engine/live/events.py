"""The event log: numbers what waits in the outbox, has its notices published, and reads what happened since.

    a change      │ its transaction puts an outbox item
    stream        │ wakes ``notify`` ──► drain: counter n ──► n + k, the events, the item deleted, in one transaction
    every tick    │ drains what is older than 60 s: a lost wake-up costs a minute, never an event

Many drains at once are harmless: one numbers an item, the others find it gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from bokit.core.model.events import Event, EventsDocument, EventType, OutboxItem, describe_event
from bokit.core.model.limits import EVENT_JUMP, FORMER_OUTBOX_PARTITIONS, OUTBOX_PARTITIONS
from bokit.core.model.records import TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.live.limits import MAX_EVENTS_PER_PAGE, MAX_POSTING, MAX_WAKE_LOST
from bokit.engine.live.notices import NoticePublisher
from bokit.errors import InputError
from bokit.observability import log_event
from bokit.store.event_protocol import EventStore
from bokit.store.limits import EVENT_TTL, MAX_OUTBOX_ITEMS
from bokit.values import Value, replace

log = logging.getLogger("bokit.events")

AT_ONCE = timedelta()
FORMER_PARTITIONS = range(OUTBOX_PARTITIONS, FORMER_OUTBOX_PARTITIONS)


class DrainReport(Value):
    """What one drain numbered."""

    items: int = 0
    events: int = 0
    conflicts: int = 0
    """Double bookings among the events: conflicts that opened."""
    notices: int = 0
    error: Exception | None = None
    """Why an item stays in the outbox; the others were numbered."""
    refused: Exception | None = None
    """Why a notice stays in the outbox."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for the log."""
        failed = self.error is not None or self.refused is not None
        counts = {name: getattr(self, name) for name in ("items", "events", "conflicts", "notices")}
        return {**counts, "failed": failed}

    def check(self) -> None:
        """Raise the error of the item that failed, so that the function fails and its alarm goes off."""
        if error := self.error or self.refused:
            raise error


class LogReaders(Protocol):
    """Who is woken when events were numbered."""

    def is_read(self, tenant: TenantId) -> bool:
        """Return whether anybody reads the tenant's log."""

    def wake(self, tenant: TenantId) -> object:
        """Start what reads it."""


class EventLog:
    """Numbers the outbox's items, and reads the tenants' logs."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        readers: LogReaders | None = None,
        publisher: NoticePublisher | None = None,
        post: Callable[[TenantId, Sequence[Event]], None] | None = None,
    ) -> None:
        """*post* posts what was numbered to who watches at this moment; it must not raise."""
        self.store, self.clock, self.readers, self.publisher, self.post = store, clock, readers, publisher, post

    # ── numbering ──

    def drain(self, partitions: Iterable[int] = range(OUTBOX_PARTITIONS), *, older_than: timedelta = AT_ONCE) -> DrainReport:
        """Number what waits in *partitions* for longer than *older_than*, then publish the notices.

        An item that fails does not stop the others.
        """
        ready = [item for partition in partitions for item in self._load_ready(partition, older_than)]
        report = self._number_all([item for item in ready if item.notice is None])
        notices = [item for item in ready if item.notice]
        if notices and self.publisher:
            published, refused = self.publisher.publish(notices)
            report = replace(report, notices=published, refused=refused)
        if report != DrainReport():
            log_event(log, "outbox drained", **report.as_dict())
        return report

    def drain_left_behind(self, older_than: timedelta) -> DrainReport:
        """Number what nobody was woken for; each minute looks into one more partition, of those that only former releases use."""
        former = FORMER_PARTITIONS[self.clock().minute % len(FORMER_PARTITIONS)]
        return self.drain([*range(OUTBOX_PARTITIONS), former], older_than=older_than)

    def _number_all(self, waiting: Sequence[OutboxItem]) -> DrainReport:
        items, numbered, first = 0, list[tuple[TenantId, Event]](), None
        readers = dict[TenantId, bool]()
        for item in waiting:
            try:
                events = self._number(item, readers)
            except Exception as error:
                log.exception("an outbox item was not numbered", extra={"facts": {"item": item.id, "tenant": item.tenant}})
                first = first or error
            else:
                items += events is not None
                numbered += [(item.tenant, event) for event in events or ()]
        self._post(numbered)
        self._wake(readers)
        opened = sum(event.type == EventType.CONFLICT_OPENED for _, event in numbered)
        return DrainReport(items=items, events=len(numbered), conflicts=opened, error=first)

    def _post(self, numbered: Sequence[tuple[TenantId, Event]]) -> None:
        began = self.clock()
        for tenant in dict.fromkeys(tenant for tenant, _ in numbered if self.post):
            if self.post and self.clock() - began <= MAX_POSTING:
                self.post(tenant, [event for owner, event in numbered if owner == tenant])

    def _number(self, item: OutboxItem, readers: dict[TenantId, bool]) -> Sequence[Event] | None:
        """Number one item, and return its events; None if it was numbered already.

        Where the tenant's log has readers, the log is due with it, should nobody wake them.
        """
        now, tenant = self.clock(), item.tenant
        if tenant not in readers:
            readers[tenant] = self.readers is not None and self.readers.is_read(tenant)
        unread_at = now + MAX_WAKE_LOST if readers[tenant] else None
        last = self.store.number_events(item, expires_at=now + EVENT_TTL, unread_at=unread_at)
        return None if last is None else item.numbered(last - len(item.events))

    def _wake(self, readers: Mapping[TenantId, bool]) -> None:
        """Wake who reads the logs; where that fails the tick finds the log due."""
        for tenant, is_read in readers.items():
            if is_read and self.readers:
                try:
                    self.readers.wake(tenant)
                except Exception:
                    log.exception("the readers of a log were not woken", extra={"facts": {"tenant": tenant}})

    def _load_ready(self, partition: int, older_than: timedelta) -> Iterable[OutboxItem]:
        """Yield what may be numbered now, page by page, each item once."""
        now, last = self.clock(), None
        while True:
            found = self.store.load_outbox(partition, after=last)
            yield from (item for item in found if _is_ready(item, now, older_than))
            if len(found) < MAX_OUTBOX_ITEMS:
                return
            last = found[-1]

    # ── after a restore ──

    def jump(self, tenants: Iterable[TenantId], stamp: str) -> int:
        """Raise each tenant's numbers by EVENT_JUMP, once for each *stamp*; return of how many tenants that was done.

        After a restore, events that somebody read are lost, and other ones must not get their numbers.
        """
        return sum(self.store.raise_last_seq(tenant, by=EVENT_JUMP, stamp=stamp) for tenant in tenants)

    # ── reading ──

    def read(self, tenant: TenantId, since: int | None, limit: int = MAX_EVENTS_PER_PAGE) -> EventsDocument:
        """Return the events after *since*, and where to read on; without *since* only where the log is.

        The counter is read first, and nothing beyond it: what is numbered meanwhile comes with the next call. Raises InputError
        ``resync`` where *since* is above the counter (a restored table), or older than the log.
        """
        last = self.store.load_last_seq(tenant)
        if since is None or since == last:
            return {"items": [], "seq": last}
        if since > last:
            raise _resync(last)
        until = min(last, since + limit)
        events = self.store.load_events(tenant, after=since, until=until)
        if not events or events[0].seq != since + 1 or events[0].at + EVENT_TTL <= self.clock():
            raise _resync(last)
        return {"items": [describe_event(event) for event in events], "seq": events[-1].seq}


def _is_ready(item: OutboxItem, now: datetime, older_than: timedelta) -> bool:
    return item.at + older_than <= now and (item.held_until is None or item.held_until <= now)


def _resync(last: int) -> InputError:
    return InputError("the log does not go on from there; load everything again, and read on from seq", code="resync", seq=last)
