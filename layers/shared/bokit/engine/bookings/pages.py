"""Outgoing calendars' pages: written where they say something else, by whoever changed a booking, a unit or an option.

    time ──────┬──────────────────────┬─────────────────┬─────────────────────┬──────►
    A          │ reads page, bookings ·                 │ writes: page moved, looks again
    B          ·                      │ writes bookings, page                 · the last page tells the last state

A page is written on the condition that nobody wrote it since before its calendar and its bookings were read, and every
writer of either publishes afterwards. Who makes a path worthless first writes so in the calendar, then ends the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from bokit.core.ical.writer import hash_calendar, write_calendar
from bokit.core.model.options import Options
from bokit.core.model.records import CollectionName, Json, Record, Scope, TenantId
from bokit.core.occupancy.occupancy import Occupancy
from bokit.core.occupancy.outgoing import OutCalendar, read_calendar, select_events
from bokit.engine.base.clock import Clock
from bokit.engine.base.retry import again
from bokit.engine.bookings.conflicts import Group, GroupReader, recent_records
from bokit.store.protocols import Published, Store

CALENDARS = CollectionName("calendars")
CONTENT_TYPE = "text/calendar; charset=utf-8"
TRIES = 8
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What calendars are written from: linked units, and who holds their nights."""

    group: Group
    occupancy: Occupancy
    is_anonymous: bool
    """What ``export.anonymous`` says."""

    def write(self, calendar: OutCalendar) -> bytes | None:
        """Return the calendar's text; None where its unit is no more."""
        name = next((u.name for u in self.group.units if Scope(u.id) == calendar.unit_id), None)
        if name is None:
            return None
        anonymous = self.is_anonymous if calendar.details is None else not calendar.details
        return write_calendar(name, select_events(self.occupancy, calendar, anonymous=anonymous))


class CalendarPublisher:
    """Writes the pages of calendars."""

    def __init__(self, store: Store, clock: Clock, defaults: Mapping[str, Json]) -> None:
        self.store, self.clock, self.defaults = store, clock, defaults
        self.reader = GroupReader(store, defaults)

    def load_calendars(self, tenant: TenantId, units: Iterable[Scope]) -> list[OutCalendar]:
        """Return the calendars of these units."""
        found = (r for unit in units for r in self.store.load_records(tenant, CALENDARS, unit))
        return [read_calendar(r) for r in found if r.gone_at is None]

    def publish(self, tenant: TenantId, units: Sequence[Scope]) -> None:
        """Write every page of these units' calendars that says something else now; nothing where there is no calendar."""
        again(lambda: self._publish(tenant, units), TRIES)

    def load_drafts(self, tenant: TenantId, units: Sequence[Scope]) -> dict[Scope, Draft]:
        """Return for each unit what its calendars are written from; strongly consistent."""
        options = Options(self.store.load_options([tenant]).get(tenant), self.defaults)
        drafts: dict[Scope, Draft] = {}
        for group in self.reader.load_groups(tenant, units, self.clock()):
            draft = Draft(group=group, occupancy=self._read_occupancy(group), is_anonymous=bool(options["export.anonymous"]))
            drafts |= dict.fromkeys(group.scopes, draft)
        return drafts

    def _read_occupancy(self, group: Group) -> Occupancy:
        records = self.reader.load_records(group)
        return self.reader.load_occupancy(group, recent_records(records, _last_day(records, group.today)))

    def _publish(self, tenant: TenantId, units: Sequence[Scope]) -> None:
        hashes = [hash for c in self.load_calendars(tenant, units) for hash in (c.hash, c.former_hash) if hash]
        if not hashes:
            return
        pages = {hash: self.store.find_published(hash) for hash in hashes}
        calendars = self.load_calendars(tenant, units)
        drafts = self.load_drafts(tenant, sorted({c.unit_id for c in calendars}))
        for calendar in calendars:
            for hash in {calendar.hash, calendar.former_hash} & pages.keys():
                self._settle_page(str(hash), pages[str(hash)], calendar, drafts[calendar.unit_id])

    def _settle_page(self, hash: str, known: Published | None, calendar: OutCalendar, draft: Draft) -> None:
        """Write the page under *hash* where it differs from what is *known*."""
        until = None if hash == calendar.hash else calendar.former_until
        body = draft.write(calendar)
        if body is None or (until is not None and until <= self.clock()):
            self._end(known, until or self.clock())
            return
        page = make_page(hash, known, calendar, body, until=until, refresh_at=draft.occupancy.settle_at, at=self.clock())
        if page != known:
            self.store.save_published(page, only_if_unmoved=True)
            if known is None:
                self._check_still_there(hash, calendar)

    def _check_still_there(self, hash: str, calendar: OutCalendar) -> None:
        """End a first page whose calendar was removed, or given another path, before there was a page to delete."""
        now = next((c for c in self.load_calendars(calendar.tenant, [calendar.unit_id]) if c.id == calendar.id), None)
        if now is None or hash not in (now.hash, now.former_hash):
            self._end(self.store.find_published(hash), self.clock())

    def _end(self, page: Published | None, at: datetime) -> None:
        """Let a path be unknown from *at* on: written, not deleted, since whoever serves pages may publish and not delete."""
        if page is not None and (page.expires_at is None or page.expires_at > at):
            self.store.save_published(replace(page, body=b"", expires_at=at, refresh_at=None), only_if_unmoved=True)


def make_page(
    hash: str,
    known: Published | None,
    calendar: OutCalendar,
    body: bytes,
    *,
    until: datetime | None,
    refresh_at: datetime | None,
    at: datetime,
) -> Published:
    """Return the page of *body* that takes the place of *known*.

    ``changed_at`` is another second for another body: Last-Modified tells no more than seconds (RFC 9110, section 8.8.2.2).
    """
    etag = hash_calendar(body)
    changed_at = at
    if known is not None:
        next_second = known.changed_at.replace(microsecond=0) + SECOND
        changed_at = known.changed_at if known.etag == etag else max(at, next_second)
    return Published(
        hash=hash,
        tenant=calendar.tenant,
        id=calendar.id,
        body=body,
        content_type=CONTENT_TYPE,
        etag=etag,
        changed_at=changed_at,
        expires_at=until,
        refresh_at=refresh_at,
        version=known.version if known else 0,
    )


def publisher(store: Store, defaults: Mapping[str, Json]) -> Callable[[Group, Occupancy], datetime | None]:
    """Return what publishes a group's calendars once its bookings were written; it reads them again: see above."""

    def publish(group: Group, _: Occupancy) -> datetime | None:
        CalendarPublisher(store, lambda: group.at, defaults).publish(group.tenant, group.scopes)
        return None

    return publish


def _last_day(records: Iterable[Record], today: date) -> date:
    """Return the day of the last change: which stays are too old to be told hangs on the data, so that its bytes do, too."""
    return min([today, max((r.updated_at.date() for r in records), default=today)])
