"""Outgoing calendars: made when something changes, published under a secret path, served in one read.

    a run, an edit      ─► aftermath ─► publish: the unit group's bookings ─► one page a calendar, written where it differs
    a platform's poll   ─► serve: one read by the hash of the path's token

A page is written on the condition that nobody wrote it since its bookings were read, and every writer of a booking
publishes afterwards: so the last page tells the last state, whoever was slow.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bokit.core.access import hash_token
from bokit.core.catalog import Unit, UnitId
from bokit.core.export_ical import hash_calendar, write_calendar
from bokit.core.occupancy import Occupancy
from bokit.core.options import Options
from bokit.core.outgoing import CalendarId, OutCalendar, Variant, read_calendar, select_events
from bokit.core.platforms import BY_NAME
from bokit.core.records import CollectionName, Json, Record, RecordId, Scope, TenantId, make_record_id
from bokit.engine.bookings import Group, GroupReader, occupancy_of, recent_records
from bokit.engine.clock import Clock
from bokit.engine.named import find_named
from bokit.errors import ConfigError, InputError, StoreConflictError, UnknownIdError
from bokit.store.base import Published, Store

CALENDARS = CollectionName("calendars")
CONTENT_TYPE = "text/calendar; charset=utf-8"
OVERLAP = timedelta(days=2)
"""A rotated path works so long: the slowest platforms read once a day."""
TRIES = 8
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
T = TypeVar("T")


def no_key() -> str:
    """Raise ConfigError: this process was told no secret."""
    raise ConfigError("the secret of outgoing calendars is not set", variable="BOKIT_CALENDAR_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarParts:
    """What outgoing calendars are made from."""

    store: Store
    clock: Clock
    defaults: Mapping[str, Json] = field(default_factory=dict)
    """The stack's defaults of options."""
    api_url: str | None = None
    """Where the stack's API answers."""
    key: Callable[[], str] = no_key
    """The stack's secret, from which paths derive; asked for when a path is shown, never when one is served."""


class CalendarDesk:
    """Makes, publishes and serves outgoing calendars."""

    def __init__(self, parts: CalendarParts) -> None:
        self.parts, self.store, self.clock = parts, parts.store, parts.clock
        self.reader = GroupReader(parts.store, parts.defaults)

    # ── what there is ──

    def list_calendars(self, tenant: TenantId, unit_id: UnitId | None = None) -> list[OutCalendar]:
        """Return the tenant's calendars, or those of one unit."""
        units = [unit_id] if unit_id else [u.id for u in self.store.load_units(tenant)]
        return [read_calendar(r) for unit in units for r in self._load(tenant, Scope(unit))]

    def find(self, tenant: TenantId, id: CalendarId) -> OutCalendar:
        """Return one calendar, or raise UnknownIdError."""
        record = self.store.load_record(tenant, CALENDARS, RecordId(id))
        if record.gone_at is not None:
            raise UnknownIdError("no such calendar", id=id)
        return read_calendar(record)

    def open(
        self, tenant: TenantId, unit_id: UnitId, *, consumer: str | None = None, variant: Variant = Variant.OCCUPIED,
        details: bool | None = None,
    ) -> OutCalendar:  # fmt: skip
        """Return the unit's calendar for *consumer*, made and published where there is none yet."""
        unit = self.store.load_unit(tenant, unit_id)
        consumer = self._read_consumer(tenant, unit, consumer)
        suffix = hashlib.sha256("/".join((consumer or "", variant, str(details))).encode()).hexdigest()[:20]
        id = CalendarId(make_record_id(Scope(unit_id), suffix))
        try:
            return self.find(tenant, id)
        except UnknownIdError:
            made = OutCalendar(
                id=id, tenant=tenant, unit_id=Scope(unit_id), consumer=consumer, variant=variant, details=details,
                hash=self._hash(tenant, id, 1), created_at=self.clock(),
            )  # fmt: skip
            return self._begin(made)

    def rotate(self, tenant: TenantId, id: CalendarId, overlap: timedelta = OVERLAP) -> OutCalendar:
        """Give the calendar a new path; the former one works for *overlap* more, then it is unknown."""

        def turn(before: OutCalendar, now: datetime) -> OutCalendar:
            after = replace(before, turn=before.turn + 1, former_hash=before.hash, former_until=now + overlap)
            return replace(after, hash=self._hash(tenant, id, after.turn))

        before = self.find(tenant, id)
        after = self._rewrite(tenant, id, turn)
        if before.former_hash:
            self.store.delete_published(before.former_hash)
        self.publish(after)
        return after

    def remove(self, tenant: TenantId, id: CalendarId) -> None:
        """Forget the calendar: its paths are unknown from now on."""
        calendar = self.find(tenant, id)
        self._rewrite(tenant, id, lambda before, _: before, gone=True)
        for hash in filter(None, (calendar.hash, calendar.former_hash)):
            self.store.delete_published(hash)

    def token_of(self, calendar: OutCalendar) -> str:
        """Return the token of the calendar's path, derived anew: what is stored is its hash."""
        return self._derive(calendar.tenant, calendar.id, calendar.turn)

    def url_of(self, calendar: OutCalendar) -> str | None:
        """Return the address of the calendar; None where the stack's own is not known."""
        base = self.parts.api_url
        return f"{base.rstrip('/')}/feeds/{self.token_of(calendar)}.ics" if base else None

    # ── what it tells ──

    def write(self, calendar: OutCalendar) -> bytes:
        """Return the calendar as it is now."""
        return self._write(calendar, self.load_occupancy(calendar.tenant, calendar.unit_id))

    def publish_scopes(self, tenant: TenantId, scopes: Iterable[Scope]) -> None:
        """Publish every calendar of these units, whose bookings changed."""
        for scope in scopes:
            for record in self._load(tenant, scope):
                self.publish(read_calendar(record))

    def publish_all(self, tenant: TenantId) -> None:
        """Publish every calendar of the tenant: an option changed."""
        for calendar in self.list_calendars(tenant):
            self.publish(calendar)

    def publish(self, calendar: OutCalendar) -> None:
        """Write the calendar's page, and that of its former path, where it differs from what is published."""
        self._publish_at(calendar.hash, calendar, None)
        if calendar.former_hash and calendar.former_until and calendar.former_until > self.clock():
            self._publish_at(calendar.former_hash, calendar, calendar.former_until)

    def serve(self, token: str) -> Published | None:
        """Return what is published under this path; None: nothing, or no longer. Costs one read, whatever the token."""
        if not _TOKEN.fullmatch(token):
            return None
        hash, now = hash_token(token), self.clock()
        page = self.store.find_published(hash)
        if page is None or (page.expires_at is not None and page.expires_at <= now):
            return None
        if page.refresh_at is not None and page.refresh_at <= now:
            self._refresh(page)
            page = self.store.find_published(hash)
        return page

    def load_occupancy(self, tenant: TenantId, unit_id: Scope) -> Occupancy:
        """Return who holds the nights of a unit and of those linked with it; strongly consistent."""
        group = self.reader.load_group(tenant, unit_id, self.clock())
        return occupancy_of(group, recent_records(self.reader.load_records(group), group.today))

    # ── within ──

    def _begin(self, made: OutCalendar) -> OutCalendar:
        try:
            known = self.store.load_record(made.tenant, CALENDARS, RecordId(made.id))
        except UnknownIdError:
            record = Record(
                id=RecordId(made.id), tenant=made.tenant, collection=CALENDARS, scope=made.unit_id, source_id=None,
                key=made.id, remote=made.as_fields(), created_at=made.created_at, updated_at=made.created_at,
            )  # fmt: skip
            self._save_new(record)
        else:  # it was removed: its former paths stay unknown
            turn = int(known.remote["turn"]) + 1
            made = replace(made, turn=turn, hash=self._hash(made.tenant, made.id, turn))
            self._rewrite(made.tenant, made.id, lambda *_: made)
        calendar = self.find(made.tenant, made.id)
        self.publish(calendar)
        return calendar

    def _save_new(self, record: Record) -> None:
        try:
            self.store.apply_records([record], [], lease=None)
        except StoreConflictError:  # another made it at the same moment, and it is the same
            self.store.load_record(record.tenant, CALENDARS, record.id)

    def _rewrite(
        self, tenant: TenantId, id: CalendarId, change: Callable[[OutCalendar, datetime], OutCalendar], *, gone: bool = False
    ) -> OutCalendar:  # fmt: skip
        def write() -> OutCalendar:
            record, now = self.store.load_record(tenant, CALENDARS, RecordId(id)), self.clock()
            after = change(read_calendar(record), now)
            kept = replace(record, remote=after.as_fields(), updated_at=now, gone_at=now if gone else None)
            self.store.apply_records([kept], [], lease=None)
            return after

        return _again(write)

    def _publish_at(self, hash: str, calendar: OutCalendar, until: datetime | None) -> None:
        def write() -> None:
            known = self.store.find_published(hash)
            occupancy = self.load_occupancy(calendar.tenant, calendar.unit_id)
            body, now = self._write(calendar, occupancy), self.clock()
            etag = hash_calendar(body)
            changed_at = known.changed_at if known and known.etag == etag else now
            page = Published(
                hash=hash, tenant=calendar.tenant, id=calendar.id, body=body, content_type=CONTENT_TYPE, etag=etag,
                changed_at=changed_at, expires_at=until, refresh_at=occupancy.settle_at, version=known.version if known else 0,
            )  # fmt: skip
            if page != known:
                self.store.save_published(page, only_if_unmoved=True)

        _again(write)

    def _refresh(self, page: Published) -> None:
        """Publish anew what time alone has changed; where that fails, what was published is still served."""
        try:
            self.publish(self.find(page.tenant, CalendarId(page.id)))
        except (StoreConflictError, UnknownIdError):
            return

    def _write(self, calendar: OutCalendar, occupancy: Occupancy) -> bytes:
        told = calendar.details
        options = Options(self.store.load_options([calendar.tenant]).get(calendar.tenant), self.parts.defaults)
        anonymous = bool(options["export.anonymous"]) if told is None else not told
        unit = self.store.load_unit(calendar.tenant, UnitId(calendar.unit_id))
        return write_calendar(unit.name, select_events(occupancy, calendar, anonymous=anonymous))

    def _read_consumer(self, tenant: TenantId, unit: Unit, word: str | None) -> str | None:
        """Return the consumer that *word* names: a platform, or a source of the unit."""
        if not word:
            return None
        if word.casefold() in BY_NAME:
            return word.casefold()
        mine = [s for s in self.store.load_sources(tenant) if s.scope == Scope(unit.id) and s.removed_at is None]
        try:
            return find_named(mine, word, "source").id
        except UnknownIdError:
            names = ", ".join(sorted(BY_NAME))
            raise InputError(
                f"no such consumer; name a source of the unit, or one of {names}", code="bad-field", field="for", value=word
            ) from None

    def _load(self, tenant: TenantId, unit: Scope) -> Sequence[Record]:
        return [r for r in self.store.load_records(tenant, CALENDARS, unit) if r.gone_at is None]

    def _hash(self, tenant: TenantId, id: CalendarId, turn: int) -> str:
        return hash_token(self._derive(tenant, id, turn))

    def _derive(self, tenant: TenantId, id: CalendarId, turn: int) -> str:
        """Return a path's token: 256 bits that only the stack's secret gives (HMAC, RFC 2104)."""
        told = "/".join((tenant, id, str(turn))).encode()
        digest = hmac.new(self.parts.key().encode(), told, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def publisher(store: Store, defaults: Mapping[str, Json]) -> Callable[[Group, Occupancy], datetime | None]:
    """Return what publishes a group's calendars once its bookings were written.

    It reads the bookings again, after the page that it may replace: that is what makes the last page the last state.
    """

    def publish(group: Group, _: Occupancy) -> datetime | None:
        desk = CalendarDesk(CalendarParts(store=store, clock=lambda: group.at, defaults=defaults))
        desk.publish_scopes(group.tenant, group.scopes)
        return None

    return publish


def describe_calendar(calendar: OutCalendar, url: str | None) -> dict[str, Json]:
    """Return a calendar's document; *url* where it may be shown."""
    return {
        "id": calendar.id, "unit_id": calendar.unit_id, "for": calendar.consumer, "variant": str(calendar.variant),
        "details": calendar.details, "url": url, "created_at": calendar.created_at, "former_until": calendar.former_until,
    }  # fmt: skip


def find_platforms() -> Iterable[str]:
    """Return the names of the platforms that a calendar may be for."""
    return sorted(BY_NAME)


def _again(write: Callable[[], T]) -> T:
    """Do *write*, and do it anew of what others left where they were faster."""
    for attempt in range(TRIES):
        try:
            return write()
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")
