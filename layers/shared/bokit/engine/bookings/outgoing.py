"""Outgoing calendars: made when something changes, published under a secret path, served in one read (``engine.bookings.serving``).

a run, an edit      ─► aftermath ─► publish: the unit group's bookings ─► one page a calendar, written where it differs
a platform's poll   ─► feeds: one read by the hash of the path's token
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bokit.core.ical.platforms import BY_NAME
from bokit.core.model.access import hash_token
from bokit.core.model.catalog import Unit, UnitId
from bokit.core.model.records import Json, Record, RecordId, Scope, TenantId, make_record_id
from bokit.core.occupancy.occupancy import Occupancy
from bokit.core.occupancy.outgoing import CalendarId, OutCalendar, Variant, read_calendar
from bokit.engine.base.clock import Clock
from bokit.engine.base.lookup import find_named
from bokit.engine.base.retry import again
from bokit.engine.bookings.pages import CALENDARS, TRIES, CalendarPublisher
from bokit.errors import BokitError, ConfigError, InputError, StoreConflictError, UnknownIdError
from bokit.store.protocols import Published, Store

log = logging.getLogger("bokit.calendars")

OVERLAP = timedelta(days=2)
"""A rotated path works so long: the slowest platforms read once a day."""


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


class CalendarService:
    """Opens, rotates and removes outgoing calendars, and publishes them."""

    def __init__(self, parts: CalendarParts) -> None:
        self.parts, self.store, self.clock = parts, parts.store, parts.clock
        self.press = CalendarPublisher(parts.store, parts.clock, parts.defaults)

    # ── what there is ──

    def list_calendars(self, tenant: TenantId, unit_id: UnitId | None = None) -> list[OutCalendar]:
        """Return the tenant's calendars, or those of one unit."""
        units = [unit_id] if unit_id else [u.id for u in self.store.load_units(tenant)]
        return self.press.load_calendars(tenant, [Scope(unit) for unit in units])

    def find(self, tenant: TenantId, id: CalendarId) -> OutCalendar:
        """Return one calendar, or raise UnknownIdError."""
        unknown = UnknownIdError("no such calendar", id=id)
        try:
            record = self.store.load_record(tenant, CALENDARS, RecordId(id))
        except UnknownIdError:
            raise unknown from None
        if record.gone_at is not None:
            raise unknown
        return read_calendar(record)

    def open(
        self,
        tenant: TenantId,
        unit_id: UnitId,
        *,
        consumer: str | None = None,
        variant: Variant = Variant.OCCUPIED,
        details: bool | None = None,
    ) -> OutCalendar:
        """Return the unit's calendar for *consumer*, made where there is none yet, and published."""
        unit = self.store.load_unit(tenant, unit_id)
        consumer = self._read_consumer(tenant, unit, consumer)
        id = _make_id(unit_id, consumer, variant, details)
        try:
            calendar = self.find(tenant, id)
        except UnknownIdError:
            calendar = self._begin(
                OutCalendar(
                    id=id,
                    tenant=tenant,
                    unit_id=Scope(unit_id),
                    consumer=consumer,
                    variant=variant,
                    details=details,
                    hash=self._hash(tenant, id, 1),
                    created_at=self.clock(),
                )
            )
        self.press.publish(tenant, [calendar.unit_id])
        return calendar

    def find_for(
        self,
        tenant: TenantId,
        unit_id: UnitId,
        *,
        consumer: str | None = None,
        variant: Variant = Variant.OCCUPIED,
        details: bool | None = None,
    ) -> OutCalendar:
        """Return the calendar that :meth:`open` made, or raise UnknownIdError."""
        consumer = self._read_consumer(tenant, self.store.load_unit(tenant, unit_id), consumer)
        return self.find(tenant, _make_id(unit_id, consumer, variant, details))

    def rotate(self, tenant: TenantId, id: CalendarId, overlap: timedelta = OVERLAP) -> OutCalendar:
        """Give the calendar a new path; the former one works for *overlap* more, then it is unknown."""
        self.find(tenant, id)

        def turn(before: OutCalendar, now: datetime) -> OutCalendar:
            after = replace(before, turn=before.turn + 1, former_hash=before.hash, former_until=now + overlap)
            return replace(after, hash=self._hash(tenant, id, after.turn))

        before, after = self._rewrite(tenant, id, turn)
        self._forget([before.former_hash])
        self.press.publish(tenant, [after.unit_id])
        return after

    def remove(self, tenant: TenantId, id: CalendarId) -> None:
        """Forget the calendar: its paths are unknown from now on."""
        self.find(tenant, id)
        before, _ = self._rewrite(tenant, id, lambda before, _: before, gone=True)
        self._forget([before.hash, before.former_hash])

    def remove_all(self, tenant: TenantId, unit_id: UnitId) -> None:
        """Forget every calendar of a unit."""
        for calendar in self.list_calendars(tenant, unit_id):
            self.remove(tenant, calendar.id)

    def token_of(self, calendar: OutCalendar) -> str:
        """Return the token of the calendar's path, derived anew: what is stored is its hash."""
        return self._derive(calendar.tenant, calendar.id, calendar.turn)

    def url_of(self, calendar: OutCalendar) -> str | None:
        """Return the address of the calendar.

        None where the stack's own is not known, and where the path derives from another secret than the stack has now:
        it works as before, but nobody can tell it any more.
        """
        base, token = self.parts.api_url, self.token_of(calendar)
        return f"{base.rstrip('/')}/feeds/{token}.ics" if base and hash_token(token) == calendar.hash else None

    # ── what it tells ──

    def write(self, calendar: OutCalendar) -> bytes:
        """Return the calendar as it is now."""
        body = self.press.load_drafts(calendar.tenant, [calendar.unit_id])[calendar.unit_id].write(calendar)
        if body is None:
            raise UnknownIdError("no such unit", id=calendar.unit_id)
        return body

    def publish_all(self, tenant: TenantId) -> None:
        """Publish every calendar of the tenant: an option changed."""
        self.press.publish(tenant, [Scope(u.id) for u in self.store.load_units(tenant)])

    def refresh(self, page: Published) -> None:
        """Publish anew what time alone has changed; where that fails, what was published is still served."""
        try:
            self.press.publish(page.tenant, [self.find(page.tenant, CalendarId(page.id)).unit_id])
        except BokitError:
            log.warning("a calendar could not be published anew", exc_info=True, extra={"facts": {"tenant": page.tenant}})

    def load_occupancy(self, tenant: TenantId, unit_id: Scope) -> Occupancy:
        """Return who holds the nights of a unit and of those linked with it; strongly consistent."""
        return self.press.load_drafts(tenant, [unit_id])[unit_id].occupancy

    # ── within ──

    def _begin(self, made: OutCalendar) -> OutCalendar:
        try:
            known = self.store.load_record(made.tenant, CALENDARS, RecordId(made.id))
        except UnknownIdError:
            record = Record(
                id=RecordId(made.id),
                tenant=made.tenant,
                collection=CALENDARS,
                scope=made.unit_id,
                source_id=None,
                key=made.id,
                remote=made.as_fields(),
                created_at=made.created_at,
                updated_at=made.created_at,
            )
            self._save_new(record)
        else:  # it was removed: its former paths stay unknown
            turn = int(known.remote["turn"]) + 1
            made = replace(made, turn=turn, hash=self._hash(made.tenant, made.id, turn))
            self._rewrite(made.tenant, made.id, lambda *_: made, reopen=True)
        return self.find(made.tenant, made.id)

    def _save_new(self, record: Record) -> None:
        try:
            self.store.apply_records([record], [], lease=None)
        except StoreConflictError:  # another made it at the same moment, and it is the same
            self.store.load_record(record.tenant, CALENDARS, record.id)

    def _rewrite(
        self,
        tenant: TenantId,
        id: CalendarId,
        change: Callable[[OutCalendar, datetime], OutCalendar],
        *,
        gone: bool = False,
        reopen: bool = False,
    ) -> tuple[OutCalendar, OutCalendar]:
        """Write what *change* makes of the calendar; return it as it was, and as it is."""

        def write() -> tuple[OutCalendar, OutCalendar]:
            record, now = self.store.load_record(tenant, CALENDARS, RecordId(id)), self.clock()
            if record.gone_at is not None and not reopen:
                raise UnknownIdError("no such calendar", id=id)
            before = read_calendar(record)
            if record.gone_at is None and reopen:  # another was faster
                return before, before
            after = change(before, now)
            kept = replace(record, remote=after.as_fields(), updated_at=now, gone_at=now if gone else None)
            self.store.apply_records([kept], [], lease=None)
            return before, after

        return again(write, TRIES)

    def _forget(self, hashes: Iterable[str | None]) -> None:
        for hash in filter(None, hashes):
            self.store.delete_published(hash)

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

    def _hash(self, tenant: TenantId, id: CalendarId, turn: int) -> str:
        return hash_token(self._derive(tenant, id, turn))

    def _derive(self, tenant: TenantId, id: CalendarId, turn: int) -> str:
        """Return a path's token: 256 bits that only the stack's secret gives (HMAC, RFC 2104)."""
        told = "/".join((tenant, id, str(turn))).encode()
        digest = hmac.new(self.parts.key().encode(), told, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _make_id(unit_id: UnitId, consumer: str | None, variant: Variant, details: bool | None) -> CalendarId:
    """Return the id of the one calendar of a unit that is so."""
    suffix = hashlib.sha256("/".join((consumer or "", variant, str(details))).encode()).hexdigest()[:20]
    return CalendarId(make_record_id(Scope(unit_id), suffix))


def describe_calendar(calendar: OutCalendar, url: str | None) -> dict[str, Json]:
    """Return a calendar's document; *url* where it may be shown."""
    return {
        "id": calendar.id,
        "unit_id": calendar.unit_id,
        "for": calendar.consumer,
        "variant": str(calendar.variant),
        "details": calendar.details,
        "url": url,
        "created_at": calendar.created_at,
        "former_until": calendar.former_until,
    }


def find_platforms() -> Iterable[str]:
    """Return the names of the platforms that a calendar may be for."""
    return sorted(BY_NAME)
