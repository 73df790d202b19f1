"""Drives the engine by its public face: the only module of the model that knows Bokit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source, Tenant
from bokit.core.model.records import RecordId, Scope, SourceId
from bokit.core.occupancy.out_calendar import CalendarChoice, OutCalendar
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import BokitError, SourceUnavailableError
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from bokit.wiring import make_booking_reconciler
from tests.model.styles import EPOCH, span
from tests.support.rows_app import CallCounter, Died

Answer = Callable[[int], bytes | None]
"""What the address of a channel answers; None: nothing."""
TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Held:
    """One booking as ``/bookings`` shows it."""

    id: str
    nights: int
    blocks: bool
    is_window: bool
    doc: dict[str, Any]


class Driver:
    """Bokit with one flat, and a source for each channel."""

    def __init__(self, channels: Sequence[str], answer: Answer, at: datetime) -> None:
        self.at, self.answer, self._runs, self._ids = at, answer, count(1), count(1)
        self.store, self.alerts = MemoryStore(), MemoryAlerts()
        self.bokit = self._open(self.store)
        self.store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Default", created_at=at))
        house = self.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Rosa", "timezone": "Europe/Rome"})
        self.unit = self.bokit.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Flat"}).id
        self.sources: list[Source] = []
        for number, name in enumerate(channels):
            values = {"name": f"{name} {number}", "kind": "ical", "url": self._url(number, 0)}
            self.sources.append(self.bokit.catalog.sources.add(DEFAULT_TENANT, self.unit, values))
        self.calendars = [self._calendar(str(s.id)) for s in self.sources]
        self.for_anybody = self._calendar(None)
        self._pages: dict[str, tuple[bytes, int]] = {}

    def _open(self, store: Any) -> Bokit:
        kind = SourceKind(fetcher=self, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)
        return Bokit(
            EngineParts(
                store=store,
                kinds={"ical": kind},
                alerts=self.alerts,
                clock=self._read_clock,
                concurrency=1,
                calendar_key=lambda: "a secret of tests",
                new_run_id=lambda at: f"run_{next(self._runs):06d}",
                new_id=lambda what: f"{what}_{next(self._ids):04d}",
            )
        )

    def _read_clock(self) -> datetime:
        self.at += TICK
        return self.at

    def _calendar(self, consumer: str | None) -> OutCalendar:
        return self.bokit.calendars.open(DEFAULT_TENANT, self.unit, CalendarChoice(consumer=consumer))

    @staticmethod
    def _url(number: int, address: int) -> str:
        return f"https://channel{number}.example/{address}.ics"

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Answer a fetch of the engine."""
        host = source.url.split("/")[2]
        body = self.answer(int(host.removeprefix("channel").removesuffix(".example")))
        if body is None:
            raise SourceUnavailableError("it did not answer", code="timeout")
        return Fetched(body=body, host=host, url=source.url)

    # ── syncs ──

    def sync(self, channel: int, *, force: bool = False) -> tuple[str, dict[str, int]]:
        """Sync one channel's source; return the outcome and the counts."""
        return self._sync(self.bokit, channel, force)

    def _sync(self, bokit: Bokit, channel: int, force: bool) -> tuple[str, dict[str, int]]:
        request = SyncRequest(tenant=DEFAULT_TENANT, source_ids=(self.sources[channel].id,), force=force)
        (report,) = bokit.sync(request).sources
        return str(report.outcome), dict(report.counts)

    def crash(self, channel: int, call: int, *, after: bool) -> bool:
        """Let a sync die at a call of the store; return whether it came so far."""
        dying: Any = CallCounter(self.store)
        dying.die_at, dying.die_after = call, after
        try:
            self._sync(self._open(dying), channel, False)
        except Died:
            return True
        return False

    # ── what people do ──

    def edit(self, booking: str, values: dict[str, Any]) -> None:
        """Edit a booking."""
        self.bokit.bookings.edit(DEFAULT_TENANT, RecordId(booking), values, by="user:rosa")

    def make(self, first: int, end: int) -> str:
        """Enter a booking by hand; return its id."""
        days = {"check_in": self._day(first), "check_out": self._day(end), "guest_name": "By Hand"}
        return str(self.bokit.bookings.create(DEFAULT_TENANT, self.unit, days, by="user:rosa")["id"])

    @staticmethod
    def _day(number: int) -> str:
        return (EPOCH + timedelta(days=number)).isoformat()

    def find_hold(self, channel: int) -> tuple[str, bool] | None:
        """Return the code of what is held, and whether it can be applied."""
        hold = self.bokit.records.find_hold(DEFAULT_TENANT, self.sources[channel].id)
        return (hold.code, hold.can_apply) if hold else None

    def resolve(self, channel: int, *, apply: bool) -> bool:
        """Apply or discard what is held; return whether that was done."""
        try:
            self.bokit.records.resolve_hold(DEFAULT_TENANT, self.sources[channel].id, plan_hash=None, apply=apply, by="user:rosa")
        except BokitError:
            return False
        return True

    def pause(self, channel: int, *, resume: bool = False) -> None:
        """Pause or resume a source."""
        sources = self.bokit.catalog.sources
        (sources.resume if resume else sources.pause)(DEFAULT_TENANT, self.sources[channel].id)

    def set_address(self, channel: int, address: int) -> None:
        """Give a source another address."""
        values = {"url": self._url(channel, address)}
        self.bokit.catalog.sources.edit(DEFAULT_TENANT, self.sources[channel].id, values)

    def remove(self, channel: int, *, release: bool) -> None:
        """Remove a source."""
        self.bokit.catalog.sources.remove(DEFAULT_TENANT, self.sources[channel].id, release=release, by="user:rosa")

    def set_option(self, name: str, value: Any) -> None:
        """Set an option."""
        self.bokit.catalog.options.set(DEFAULT_TENANT, name, value)

    # ── what is shown ──

    def bookings(self) -> list[Held]:
        """Return what ``/bookings`` lists, windows too."""
        return [_read_held(doc) for doc in self.bokit.bookings.list_bookings(DEFAULT_TENANT, [self.unit], windows=True)]

    def read_calendar(self, channel: int) -> int:
        """Let a channel read its outgoing calendar; return the nights in it."""
        page = self.bokit.feeds.serve(self.bokit.calendars.token_of(self.calendars[channel]))
        return self._nights(self.calendars[channel], page.body if page else b"")

    def calendar(self, channel: int | None) -> int:
        """Return the nights in the outgoing calendar for a channel (None: for anybody), unseen by Bokit."""
        calendar = self.for_anybody if channel is None else self.calendars[channel]
        return self._nights(calendar, self._peek(calendar))

    def bodies(self) -> list[bytes]:
        """Return the outgoing calendars as they would be served."""
        return [self._peek(calendar) for calendar in (*self.calendars, self.for_anybody)]

    def _peek(self, calendar: OutCalendar) -> bytes:
        page = self.store.find_published(calendar.token_hash)
        if page and page.refresh_at is not None and page.refresh_at <= self.at:
            self.bokit.calendars.refresh(page)
            page = self.store.find_published(calendar.token_hash)
        return page.body if page else b""

    def _nights(self, calendar: OutCalendar, body: bytes) -> int:
        known = self._pages.get(calendar.id)
        if known is None or known[0] != body:
            known = self._pages[calendar.id] = body, _read_nights(body)
        return known[1]

    def source_number(self, source_id: str | None) -> int | None:
        """Return the channel of a source."""
        return next((n for n, s in enumerate(self.sources) if s.id == SourceId(str(source_id))), None)

    def records(self) -> list[Any]:
        """Return every record of the flat, as the record service lists them."""
        return self.bokit.records.list_records(DEFAULT_TENANT, BOOKINGS, [Scope(self.unit)])


def _number(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def _read_held(doc: Any) -> Held:
    first, end = doc["check_in"], doc["check_out"]
    nights = span(_number(first), _number(end)) if first and end else 0
    for released in doc["released_nights"]:
        nights &= ~(1 << _number(released))
    return Held(str(doc["id"]), nights, bool(doc["blocks_nights"]), doc["kind"] == "window", dict(doc))


def _read_nights(body: bytes) -> int:
    """Return the nights of an outgoing calendar: its events are whole days."""
    bits, first = 0, 0
    for line in body.decode().splitlines():
        if line.startswith("DTSTART;VALUE=DATE:"):
            first = _basic(line)
        elif line.startswith("DTEND;VALUE=DATE:"):
            bits |= span(first, _basic(line))
    return bits


def _basic(line: str) -> int:
    text = line.rpartition(":")[2]
    return (date(int(text[:4]), int(text[4:6]), int(text[6:8])) - EPOCH).days
