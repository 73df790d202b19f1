"""Pages of outgoing calendars: written where they change, by each writer of a booking, a unit or an option.

    time ──────┬──────────────────────┬─────────────────┬─────────────────────┬──────►
    A          │ reads page, bookings ·                 │ writes: page changed, starts again
    B          ·                      │ writes bookings, page                 · the last page has the last state

A page is read before everything that it is made from, and written on the condition that nobody wrote it since; every writer
publishes afterwards. Rotating or removing a path first changes the calendar, then ends the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from bokit.core.bookings.nights import nights_of
from bokit.core.ical.writer import CalendarEvent, hash_calendar, write_calendar
from bokit.core.model.records import Fields, Record, Scope, TenantId
from bokit.core.occupancy.calendar_reads import HELD, record_ranges
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.core.occupancy.outgoing import select_events
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.bookings.calendar_reads import SHOWING_NIGHTS, Pages, expires_at, load_pages
from bokit.engine.bookings.limits import MAX_PAGE_TRIES
from bokit.engine.bookings.stored_calendars import load_calendars
from bokit.engine.bookings.unit_groups import UnitGroupReader, UnitGroupView, recent_records
from bokit.errors import StoreConflictError
from bokit.store.protocols import PublishedDocument, Store
from bokit.values import replace

CONTENT_TYPE = "text/calendar; charset=utf-8"
SECOND = timedelta(seconds=1)


class CalendarPublisher:
    """Writes the pages of outgoing calendars."""

    def __init__(self, store: Store, defaults: Fields) -> None:
        self.store, self.reader = store, UnitGroupReader(store, defaults)

    def load_pages(self, tenant: TenantId, scopes: Sequence[Scope]) -> Pages:
        """Return the calendars of these units with their pages; load them before everything that pages are made from."""
        return load_pages(self.store, tenant, scopes)

    def load_views(self, tenant: TenantId, scopes: Iterable[Scope], at: datetime) -> dict[Scope, UnitGroupView]:
        """Return for each of these units, and those linked with it, what its calendars are made from."""
        views: dict[Scope, UnitGroupView] = {}
        for group in self.reader.load_groups(tenant, scopes, at):
            reads = self.reader.load_reads(group)
            view = self.reader.load_view(group, exported_records(self.reader.load_records(group), group.today), reads)
            views |= dict.fromkeys(group.scopes, view)
        return views

    def write(self, calendar: OutCalendar, at: datetime) -> bytes | None:
        """Return the text of *calendar* as it is at *at*; None where its unit no longer exists."""
        view = self.load_views(calendar.tenant, [calendar.unit_id], at)[calendar.unit_id]
        return write_body(calendar, view, list_events(calendar, view))

    def publish(self, tenant: TenantId, scopes: Sequence[Scope], at: datetime) -> None:
        """Write every page of these units' calendars that changed."""
        retry_on_conflict(lambda: self._publish(tenant, scopes, at), MAX_PAGE_TRIES)

    def _publish(self, tenant: TenantId, scopes: Sequence[Scope], at: datetime) -> None:
        pages = self.load_pages(tenant, scopes)
        if pages.calendars:
            self._write_pages(pages, self.load_views(tenant, sorted({c.unit_id for c in pages.calendars}), at))

    def publish_view(self, pages: Pages, view: UnitGroupView, records: Sequence[Record]) -> None:
        """Write the *pages* of a group that changed, from *records*; *view* is of those that matter to nights to come.

        *pages* were loaded before both. Where another wrote a page since, everything is loaded again.
        """
        group = view.group
        exported = exported_records(records, group.today)
        if len(exported) != len(view.records):
            view = self.reader.load_view(group, exported, view.reads)
        try:
            self._write_pages(pages, dict.fromkeys(group.scopes, view))
        except StoreConflictError:
            self.publish(group.tenant, group.scopes, group.at)

    def _write_pages(self, pages: Pages, views: Mapping[Scope, UnitGroupView]) -> None:
        for calendar in pages.calendars:
            for token_hash in (h for h in calendar.hashes if h in pages.by_hash):
                if view := views.get(calendar.unit_id):  # none: unlinked meanwhile, which publishes the page itself
                    self._write_page(token_hash, pages, calendar, view)

    def _write_page(self, token_hash: str, pages: Pages, calendar: OutCalendar, view: UnitGroupView) -> None:
        """Write the page under *token_hash* where it differs; a first one has the readers of the path before it."""
        known, former = pages.by_hash[token_hash], pages.by_hash.get(calendar.former_hash or "")
        until, at, events = expires_at(calendar, token_hash), view.group.at, list_events(calendar, view)
        body = write_body(calendar, view, events)
        if body is None or (until is not None and until <= at):
            self._end(known, until or at)
            return
        page = make_page(token_hash, known, calendar, body, at)
        readers = former.readers if former and known is None else page.readers
        taken = list_taken(calendar, view)
        page = replace(page, expires_at=until, refresh_at=view.settle_at, readers=readers, availability=taken)
        if page != known:
            page = replace(page, nights=list_nights(known, calendar, view, events))
            self.store.save_published(page, only_if_unchanged=True)
            if known is None:
                self._check_still_there(token_hash, calendar, at)

    def _check_still_there(self, token_hash: str, calendar: OutCalendar, at: datetime) -> None:
        """End a first page whose calendar was removed or rotated before there was a page to delete."""
        mine = load_calendars(self.store, calendar.tenant, [calendar.unit_id])
        now = next((c for c in mine if c.id == calendar.id), None)
        if now is None or token_hash not in now.hashes:
            self._end(self.store.find_published(token_hash), at)

    def _end(self, page: PublishedDocument | None, at: datetime) -> None:
        """End a path at *at*; the page is written, not deleted, since the function that serves pages may not delete."""
        if page is not None and (page.expires_at is None or page.expires_at > at):
            nights = record_ranges(page.nights, (), at=at, first_read_at=page.first_read_at) if HELD in page.nights else {}
            ended = replace(page, body=b"", nights=nights, availability={}, expires_at=at, refresh_at=None)
            self.store.save_published(ended, only_if_unchanged=True)


def list_events(calendar: OutCalendar, view: UnitGroupView) -> list[CalendarEvent] | None:
    """Return what the calendar shows; None where its unit no longer exists."""
    if _name_unit(calendar, view) is None:
        return None
    units, times, anonymous = view.group.units, view.group.times, _is_anonymous(calendar, view)
    return select_events(view.publication, calendar, anonymous=anonymous, units=units, times=times)


def write_body(calendar: OutCalendar, view: UnitGroupView, events: Sequence[CalendarEvent] | None) -> bytes | None:
    """Return the text of a calendar of *events*; None where its unit no longer exists."""
    name = _name_unit(calendar, view)
    return None if name is None or events is None else write_calendar(name, events)


def _name_unit(calendar: OutCalendar, view: UnitGroupView) -> str | None:
    return next((u.name for u in view.group.units if Scope(u.id) == calendar.unit_id), None)


def _is_anonymous(calendar: OutCalendar, view: UnitGroupView) -> bool:
    return bool(view.group.options["export.anonymous"]) if calendar.details is None else not calendar.details


def list_taken(calendar: OutCalendar, view: UnitGroupView) -> Fields:
    """Return what a page keeps for one's own website, whose visitors all know the path: the unit's name and its taken nights.

    A path for who cleans, and one whose calendar names guests, shows none: nobody should be led to put it on a website.
    """
    if calendar.variant is CalendarVariant.TURNOVERS or not _is_anonymous(calendar, view):
        return {"unit": None}
    taken = view.publication.find_taken(calendar.unit_id)
    return {
        "unit": _name_unit(calendar, view),
        "units": [str(scope) for scope in view.group.scopes],
        "taken": [[first.isoformat(), end.isoformat()] for first, end in taken],
    }


def list_nights(
    known: PublishedDocument | None, calendar: OutCalendar, view: UnitGroupView, events: Iterable[CalendarEvent] | None
) -> Fields:
    """Return what a page of *events* that is written keeps of its nights; nothing where it shows single days."""
    if calendar.variant not in SHOWING_NIGHTS:
        return {}
    shown = nights_of((event.first, event.end) for event in events or ())
    first_read_at = known.first_read_at if known else None
    return record_ranges(known.nights if known else None, shown, at=view.group.at, first_read_at=first_read_at)


def make_page(
    token_hash: str, known: PublishedDocument | None, calendar: OutCalendar, body: bytes, at: datetime
) -> PublishedDocument:
    """Return the page of *body* that replaces *known*.

    Another body gets another second in ``changed_at``: Last-Modified has whole seconds (RFC 9110, section 8.8.2.2).
    """
    etag, changed_at = hash_calendar(body), at
    if known is not None:
        next_second = known.changed_at.replace(microsecond=0) + SECOND
        changed_at = known.changed_at if known.etag == etag else max(at, next_second)
    return PublishedDocument(
        hash=token_hash,
        tenant=calendar.tenant,
        id=calendar.id,
        body=body,
        content_type=CONTENT_TYPE,
        etag=etag,
        changed_at=changed_at,
        nights=known.nights if known else {},
        version=known.version if known else 0,
    )


def exported_records(records: Sequence[Record], today: date) -> list[Record]:
    """Return the records that calendars are made from.

    Which stays are too old depends on the day of the last change, so that equal data gives equal bytes on any day.
    """
    last_change = max((r.updated_at.date() for r in records), default=today)
    return recent_records(records, min(today, last_change))
