"""Finds outgoing calendars that a platform no longer reads, and reports each once until it reads again: a part of the tick.

read by Airbnb  │ 00:00  03:00  06:00  09:00                                  │ 20:10  due at once
tick            │                             18:00  the page's readers, the   │ 20:11  the status is cleared
                │                             status and the event, together   │        next look at 05:10
                │                             18:01 … not due: nothing         │

A page is due when its first reader is missed. That time is an attribute of the page, and moves on with each read that is
recorded: the tick reads the pages that are due, and no others. After a rotation the readers of both paths are judged as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bokit.core.model.documents import write_time
from bokit.core.model.events import CALENDARS, EventType, NewEvent, OutboxItem, fill_outbox
from bokit.core.model.readers import Reader, UnreadCalendar, describe_reader, judge_readers, merge_readers, next_check
from bokit.core.model.records import RecordId
from bokit.engine.base.clock import Clock
from bokit.engine.bookings.limits import MAX_DUE_READERS
from bokit.errors import UnknownIdError
from bokit.store.protocols import PublishedDocument, ReadersChange, Store
from bokit.values import Value

if TYPE_CHECKING:
    from bokit.core.occupancy.out_calendar import OutCalendar


class UnreadReport(Value):
    """How many readers were reported, and the first error."""

    count: int = 0
    error: Exception | None = None


class UnreadService:
    """Judges the readers of the pages that are due."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock

    def report(self) -> UnreadReport:
        """Put an event into the outbox for each reader that is missed; a calendar that fails does not stop the others."""
        now, count, first = self.clock(), 0, None
        for digest in self.store.load_due_readers(now, MAX_DUE_READERS):
            try:
                count += self._report_one(digest, now)
            except Exception as error:
                first = first or error
        return UnreadReport(count=count, error=first)

    def _report_one(self, digest: str, now: datetime) -> int:
        """Judge the calendar whose page is due; return how many of its readers are newly missed."""
        page = self.store.find_published(digest)
        if page is None:
            return 0
        calendar = self._find_calendar(page)
        current = self.store.find_published(calendar.token_hash) if calendar else None
        if calendar is None or current is None:
            self._put_off(page)
            return 0
        pages = [current, *self._load_former(calendar)]
        judged, missed = judge_readers(merge_readers(p.readers for p in pages), now)
        unread = UnreadCalendar(
            tenant=calendar.tenant, id=calendar.id, unit_id=calendar.unit_id, readers=tuple(r for r in judged if r.is_missed)
        )
        change = ReadersChange(before=current.readers, after=judged, due_at=next_check(judged))
        is_saved = self.store.save_readers(current.hash, change, unread, _write_events(calendar, missed, now))
        if is_saved and page.hash != current.hash:
            self._put_off(page)
        return len(missed) if is_saved else 0

    def _find_calendar(self, page: PublishedDocument) -> OutCalendar | None:
        """Return the calendar of a page; None where it was removed, or the page is not one of its paths any more."""
        from bokit.core.occupancy.out_calendar import read_calendar  # most ticks find nothing due, and start without it

        try:
            record = self.store.load_record(page.tenant, CALENDARS, RecordId(page.id))
        except UnknownIdError:
            return None
        calendar = read_calendar(record)
        return calendar if record.gone_at is None and page.hash in calendar.hashes else None

    def _load_former(self, calendar: OutCalendar) -> Sequence[PublishedDocument]:
        found = self.store.find_published(calendar.former_hash) if calendar.former_hash else None
        return [found] if found else []

    def _put_off(self, page: PublishedDocument) -> None:
        """Leave a page until it is read again: it has no calendar, or its calendar's current page is looked at."""
        self.store.save_readers(page.hash, ReadersChange(before=page.readers, after=page.readers, due_at=None))


def _write_events(calendar: OutCalendar, missed: Iterable[Reader], now: datetime) -> OutboxItem | None:
    events = [NewEvent(type=EventType.CALENDAR_UNREAD, data=_describe_missed(calendar, reader)) for reader in missed]
    return fill_outbox(calendar.tenant, now, events)[0] if events else None


def _describe_missed(calendar: OutCalendar, reader: Reader) -> dict[str, str | int | None]:
    said = describe_reader(reader)
    return {
        "id": calendar.id,
        "unit_id": calendar.unit_id,
        "kind": said["kind"],
        "last_read_at": write_time(said["last_read_at"]),
        "usual_interval_s": said["usual_interval_s"],
    }
