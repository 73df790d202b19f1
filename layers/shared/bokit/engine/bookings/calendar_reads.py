"""Outgoing calendars and their pages, and what their consumers read: loaded for all that judges closures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bokit.core.bookings.fetch_gaps import two_fetches_of
from bokit.core.model.due_times import interval_of
from bokit.core.model.options import Options
from bokit.core.model.records import Scope, SourceId, TenantId
from bokit.core.occupancy.calendar_reads import HELD, CalendarReads, ReadLog, read_ranges
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.engine.bookings.stored_calendars import load_all_calendars, load_calendars
from bokit.store.protocols import PublishedDocument, Store
from bokit.values import Value, field, replace

SHOWING_NIGHTS = (CalendarVariant.OCCUPIED, CalendarVariant.BOOKINGS)


class Pages(Value):
    """Calendars, and their pages as they were before anything else was read."""

    calendars: tuple[OutCalendar, ...] = ()
    by_hash: Mapping[str, PublishedDocument | None] = field(default_factory=dict)
    removed: tuple[OutCalendar, ...] = ()

    def __or__(self, other: Pages) -> Pages:
        """Return both together."""
        return Pages(
            calendars=self.calendars + other.calendars,
            by_hash={**self.by_hash, **other.by_hash},
            removed=self.removed + other.removed,
        )

    @property
    def are_current(self) -> bool:
        """Whether each page fits its calendar; if one does not, its calendar may have been rotated or removed meanwhile."""
        for calendar in self.calendars:
            for token_hash in calendar.hashes:
                page = self.by_hash[token_hash]
                if page is None or page.expires_at != expires_at(calendar, token_hash):
                    return False
        return True


def expires_at(calendar: OutCalendar, token_hash: str) -> datetime | None:
    """Return when the path of this hash ends; None: it is the current one."""
    return None if token_hash == calendar.token_hash else calendar.former_until


def load_pages(store: Store, tenant: TenantId, scopes: Sequence[Scope]) -> Pages:
    """Return the calendars of these units with their pages; load them before everything that pages are made from."""
    calendars, removed = load_all_calendars(store, tenant, scopes)
    by_hash = {token_hash: store.find_published(token_hash) for c in calendars for token_hash in c.hashes}
    pages = Pages(calendars=tuple(calendars), by_hash=by_hash, removed=removed)
    return pages if pages.are_current else replace(pages, calendars=tuple(load_calendars(store, tenant, scopes)))


def load_read_log(store: Store, tenant: TenantId, options: Options, pages: Pages) -> ReadLog:
    """Return what the consumers of *pages* read; the sources' intervals are loaded where nights wait for two fetches."""
    calendars = [
        reads for c in pages.calendars + pages.removed if c.variant in SHOWING_NIGHTS for reads in _read_calendar(c, pages)
    ]
    is_waiting = any(r.times.left_at for c in calendars for r in c.ranges)
    return ReadLog(calendars=tuple(calendars), two_fetches=_load_two_fetches(store, tenant, options) if is_waiting else {})


def _read_calendar(calendar: OutCalendar, pages: Pages) -> list[CalendarReads]:
    """Return what each page of *calendar* held; of a calendar that was removed, this is not known."""
    known = [page for token_hash in calendar.hashes if (page := pages.by_hash.get(token_hash))]
    rows = [(tuple(read_ranges(page.nights, page.first_read_at)), HELD in page.nights) for page in known]
    return [
        CalendarReads(unit=calendar.unit_id, consumer=calendar.consumer, ranges=ranges, is_known=is_known)
        for ranges, is_known in (rows if calendar in pages.calendars else [((), False)])
    ]


def _load_two_fetches(store: Store, tenant: TenantId, options: Options) -> dict[SourceId, timedelta]:
    """Return the time in which two fetches of each source come, the second of them nearly an interval after the first."""
    intervals = {s.id: interval_of(s, options) for s in store.load_sources(tenant)}
    return {source: two_fetches_of(interval) for source, interval in intervals.items()}
