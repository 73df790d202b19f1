"""Outgoing calendars: published under a secret path when something changes, served in one read (``serving``).

a run, an edit      ─► reconciler ─► publish: the unit group's bookings ─► one page for each calendar, written where it differs
a platform's poll   ─► feeds: one read by the hash of the path's token
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypedDict

from bokit.core.model.access import hash_token
from bokit.core.model.catalog import Parent, Unit, UnitId
from bokit.core.model.platform_names import PLATFORM_NAMES
from bokit.core.model.readers import ReaderDocument, describe_reader, merge_readers
from bokit.core.model.records import Fields, Record, RecordId, Scope, TenantId, make_record_id, new_record
from bokit.core.occupancy.out_calendar import CalendarChoice, CalendarId, CalendarVariant, OutCalendar, read_calendar
from bokit.engine.base.clock import Clock
from bokit.engine.base.lookup import find_named, load_names
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.bookings.limits import MAX_PAGE_TRIES
from bokit.engine.bookings.stored_calendars import CALENDARS, last_read, load_calendars, load_own_pages
from bokit.errors import BokitError, ConfigError, InputError, UnknownIdError
from bokit.store.protocols import PublishedDocument, Store
from bokit.values import Value, field, replace

if TYPE_CHECKING:
    from bokit.core.occupancy.occupancy import Occupancy
    from bokit.engine.bookings.pages import CalendarPublisher

log = logging.getLogger("bokit.calendars")

ROTATION_OVERLAP = timedelta(days=2)
"""How long the former path works after a rotation: the slowest platforms read once a day."""
ANYBODY = CalendarChoice()
Change = Callable[[OutCalendar, datetime], OutCalendar]
"""Makes another calendar of one as it is stored, at a time."""


def no_key() -> str:
    """Raise ConfigError: this process has no secret for outgoing calendars."""
    raise ConfigError("the secret of outgoing calendars is not set", variable="BOKIT_CALENDAR_KEY")


class CalendarParts(Value):
    """What outgoing calendars are made from."""

    store: Store
    clock: Clock
    defaults: Fields = field(default_factory=dict)
    """The stack's defaults of options."""
    api_url: str | None = None
    """Where the stack's API answers."""
    key: Callable[[], str] = no_key
    """Returns the stack's secret, from which paths derive; called when a path is shown, never when one is served."""


class CalendarService:
    """Opens, rotates and removes outgoing calendars, and publishes them."""

    def __init__(self, parts: CalendarParts) -> None:
        self.parts, self.store, self.clock = parts, parts.store, parts.clock

    @cached_property
    def publisher(self) -> CalendarPublisher:
        """What writes pages; imported when one is written, since most requests only list calendars."""
        from bokit.engine.bookings.pages import CalendarPublisher

        return CalendarPublisher(self.store, self.parts.defaults)

    # ── which there are ──

    def list_calendars(self, tenant: TenantId, unit_id: UnitId | None = None) -> list[OutCalendar]:
        """Return the tenant's calendars, or those of one unit."""
        units = [unit_id] if unit_id else [u.id for u in self.store.load_units(tenant)]
        return load_calendars(self.store, tenant, [Scope(unit) for unit in units])

    def find(self, tenant: TenantId, calendar_id: CalendarId) -> OutCalendar:
        """Return one calendar, or raise UnknownIdError."""
        return read_calendar(self._load(tenant, calendar_id))

    def open(self, tenant: TenantId, unit_id: UnitId, choice: CalendarChoice = ANYBODY) -> OutCalendar:
        """Return the unit's calendar of this *choice*, created where there is none yet, and published."""
        calendar_id, choice = self._resolve(tenant, unit_id, choice)
        calendar = retry_on_conflict(lambda: self._find_or_create(tenant, calendar_id, choice), MAX_PAGE_TRIES)
        self._publish(tenant, calendar.unit_id)
        return calendar

    def find_for(self, tenant: TenantId, unit_id: UnitId, choice: CalendarChoice = ANYBODY) -> OutCalendar:
        """Return the calendar that :meth:`open` created, or raise UnknownIdError."""
        return self.find(tenant, self._resolve(tenant, unit_id, choice)[0])

    def rotate(self, tenant: TenantId, calendar_id: CalendarId, overlap: timedelta = ROTATION_OVERLAP) -> OutCalendar:
        """Give the calendar a new path; the former one works for *overlap* more, then it is unknown."""

        def change(before: OutCalendar, now: datetime) -> OutCalendar:
            after = replace(before, former_hash=before.token_hash, former_until=now + overlap)
            return self._with_path(after, before.rotation + 1)

        before, after = self._rewrite(tenant, calendar_id, change)
        self._delete_pages([before.former_hash])
        self._publish(tenant, after.unit_id)
        return after

    def remove(self, tenant: TenantId, calendar_id: CalendarId) -> None:
        """Delete the calendar; its paths are unknown from now on."""
        before, _ = self._rewrite(tenant, calendar_id, lambda before, _: before, gone=True)
        self._delete_pages(before.hashes)
        self.store.delete_unread(tenant, calendar_id)

    def remove_all(self, tenant: TenantId, unit_id: UnitId) -> None:
        """Delete every calendar of a unit."""
        for calendar in self.list_calendars(tenant, unit_id):
            self.remove(tenant, calendar.id)

    def token_of(self, calendar: OutCalendar) -> str:
        """Return the token of the calendar's path, 256 bits that only the stack's secret gives (HMAC, RFC 2104).

        It is derived each time: only its hash is stored.
        """
        message = "/".join((calendar.tenant, calendar.id, str(calendar.rotation))).encode()
        digest = hmac.new(self.parts.key().encode(), message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def url_of(self, calendar: OutCalendar) -> str | None:
        """Return the address of the calendar.

        None where the stack's own is not known, and where the path derives from another secret than the stack has now:
        it works as before, but can no longer be shown.
        """
        base, token = self.parts.api_url, self.token_of(calendar)
        return f"{base.rstrip('/')}/feeds/{token}.ics" if base and hash_token(token) == calendar.token_hash else None

    def describe(self, calendar: OutCalendar, *, with_url: bool) -> CalendarDocument:
        """Return a calendar's document, with its addresses where they may be shown."""
        url, pages = self.url_of(calendar) if with_url else None, load_own_pages(self.store, calendar)
        return describe_calendar(calendar, url, pages)

    def taken_url_of(self, calendar: OutCalendar) -> str | None:
        """Return the address of the unit's taken nights, for one's own website; None where the calendar has none."""
        return find_taken_url(self.url_of(calendar), load_own_pages(self.store, calendar))

    # ── what they show ──

    def write(self, calendar: OutCalendar) -> bytes:
        """Return the calendar as it is now."""
        body = self.publisher.write(calendar, self.clock())
        if body is None:
            raise UnknownIdError("no such unit", id=calendar.unit_id)
        return body

    def publish_all(self, tenant: TenantId) -> None:
        """Publish every calendar of the tenant, after an option changed."""
        self._publish(tenant, *(Scope(u.id) for u in self.store.load_units(tenant)))

    def refresh(self, page: PublishedDocument) -> None:
        """Publish again what time alone has changed; where that fails, the former page is still served."""
        try:
            self._publish(page.tenant, self.find(page.tenant, CalendarId(page.id)).unit_id)
        except BokitError:
            log.warning("a calendar could not be refreshed", exc_info=True, extra={"facts": {"tenant": page.tenant}})

    def load_occupancy(self, tenant: TenantId, unit_id: Scope) -> Occupancy:
        """Return who holds the nights of a unit and of those linked with it; strongly consistent."""
        return self.publisher.load_views(tenant, [unit_id], self.clock())[unit_id].occupancy

    # ── within ──

    def _publish(self, tenant: TenantId, *scopes: Scope) -> None:
        self.publisher.publish(tenant, scopes, self.clock())

    def _load(self, tenant: TenantId, calendar_id: CalendarId) -> Record:
        record = self._find_record(tenant, calendar_id)
        if record is None or record.gone_at is not None:
            raise UnknownIdError("no such calendar", id=calendar_id)
        return record

    def _find_record(self, tenant: TenantId, calendar_id: CalendarId) -> Record | None:
        try:
            return self.store.load_record(tenant, CALENDARS, RecordId(calendar_id))
        except UnknownIdError:
            return None

    def _find_or_create(self, tenant: TenantId, calendar_id: CalendarId, choice: CalendarChoice) -> OutCalendar:
        """Return the calendar of this id. One that was removed gets a new path: its former ones stay unknown."""
        known, now = self._find_record(tenant, calendar_id), self.clock()
        if known and known.gone_at is None:
            return read_calendar(known)
        record = known or new_record(RecordId(calendar_id), tenant, CALENDARS, now)
        created = OutCalendar(
            id=calendar_id,
            tenant=tenant,
            unit_id=record.scope,
            consumer=choice.consumer,
            variant=choice.variant,
            details=choice.details,
            token_hash="",
            created_at=record.created_at,
        )
        created = self._with_path(created, read_calendar(known).rotation + 1 if known else 1)
        self._save(record, created, now, within=[Parent(Unit, tenant, record.scope)])
        return created

    def _with_path(self, calendar: OutCalendar, rotation: int) -> OutCalendar:
        calendar = replace(calendar, rotation=rotation)
        return replace(calendar, token_hash=hash_token(self.token_of(calendar)))

    def _rewrite(
        self,
        tenant: TenantId,
        calendar_id: CalendarId,
        change: Callable[[OutCalendar, datetime], OutCalendar],
        gone: bool = False,
    ) -> tuple[OutCalendar, OutCalendar]:
        """Store what *change* makes of the calendar; return it as it was, and as it is."""

        def write() -> tuple[OutCalendar, OutCalendar]:
            record, now = self._load(tenant, calendar_id), self.clock()
            before = read_calendar(record)
            after = change(before, now)
            self._save(record, after, now, gone_at=now if gone else None)
            return before, after

        return retry_on_conflict(write, MAX_PAGE_TRIES)

    def _save(
        self,
        record: Record,
        calendar: OutCalendar,
        at: datetime,
        gone_at: datetime | None = None,
        within: Sequence[Parent] = (),
    ) -> None:
        saved = replace(record, remote=calendar.as_fields(), updated_at=at, gone_at=gone_at)
        self.store.apply_records([saved], [], lease=None, within=within)

    def _delete_pages(self, hashes: Iterable[str | None]) -> None:
        for token_hash in filter(None, hashes):
            self.store.delete_published(token_hash)

    def _resolve(self, tenant: TenantId, unit_id: UnitId, choice: CalendarChoice) -> tuple[CalendarId, CalendarChoice]:
        """Return the id of the one calendar of a unit that *choice* names, and the choice with its consumer's stored name."""
        consumer = self._read_consumer(tenant, self.store.load_unit(tenant, unit_id), choice.consumer)
        identity = "/".join((consumer or "", choice.variant, str(choice.details)))
        suffix = hashlib.sha256(identity.encode()).hexdigest()[:20]
        return CalendarId(make_record_id(Scope(unit_id), suffix)), replace(choice, consumer=consumer)

    def _read_consumer(self, tenant: TenantId, unit: Unit, word: str | None) -> str | None:
        """Return the consumer that *word* names: a platform, or a source of the unit."""
        if not word:
            return None
        if word.casefold() in PLATFORM_NAMES:
            return word.casefold()
        mine = [s for s in self.store.load_sources(tenant) if s.scope == Scope(unit.id) and s.removed_at is None]
        try:
            return find_named(mine, word, "source", lambda: load_names(self.store, tenant)).id
        except UnknownIdError:
            names = ", ".join(sorted(PLATFORM_NAMES))
            message = f"no such consumer; name a source of the unit, or one of {names}"
            raise InputError(message, code="bad-field", field="for", value=word) from None


_Consumer = TypedDict(
    "_Consumer", {"for": Annotated[str | None, "The consumer, whose own bookings are left out; null: anybody."]}
)


class CalendarDocument(_Consumer):
    """A unit's outgoing calendar."""

    id: str
    unit_id: str
    variant: CalendarVariant
    details: Annotated[bool | None, "Whether guests are named; null: the opposite of `export.anonymous`."]
    url: Annotated[str | None, "Its secret address; null where the caller may not see it, or it is not known here."]
    created_at: datetime
    former_until: Annotated[datetime | None, "The former address works until then."]
    availability_url: Annotated[
        str | None,
        "The address of the unit's taken nights, for one's own website; null as `url`, and where the calendar names guests or "
        "is `turnovers`.",
    ]
    last_read_at: Annotated[datetime | None, "When it was last read, to a quarter of an hour; null: never."]
    readers: Annotated[list[ReaderDocument], "Which kinds of program read it, and how often."]


def describe_calendar(calendar: OutCalendar, url: str | None, pages: Sequence[PublishedDocument]) -> CalendarDocument:
    """Return a calendar's document; *url* where it may be shown."""
    return {
        "id": calendar.id,
        "unit_id": calendar.unit_id,
        "for": calendar.consumer,
        "variant": calendar.variant,
        "details": calendar.details,
        "url": url,
        "created_at": calendar.created_at,
        "former_until": calendar.former_until,
        "availability_url": find_taken_url(url, pages),
        "last_read_at": last_read(pages),
        "readers": [describe_reader(reader) for reader in merge_readers(page.readers for page in pages)],
    }


def find_taken_url(url: str | None, pages: Sequence[PublishedDocument]) -> str | None:
    """Return the address of the taken nights beside that of the calendar; None where its current page shows none."""
    shows = any(page.availability.get("unit") for page in pages[:1])
    return f"{url.removesuffix('.ics')}.json" if url and shows else None
