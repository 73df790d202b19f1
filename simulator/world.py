"""The simulated world: stays, feeds and faults, changed by commands; time moves by command only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from simulator import faults
from simulator.client_api import make_clients
from simulator.faults import Fault, SimulatedResponse
from simulator.feeds import PLATFORMS, RenderContext
from simulator.feeds.options import read_defaults, read_options
from simulator.model import DAY, Feed, GroundTruth, LogEntry, SimulatedStay, SimulatorError, Span, nights_of

FIRST_NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
_GUESTS = (
    "Melanie Hart",
    "Jürgen Weiß",
    "Zoé Lambert",
    "Giulia Conti",
    "Tom O'Neill",
    "Aiko Tanaka",
    "Søren Dahl",
    "Inês Duarte",
    "Olu Adeyemi",
    "Petra Nováková",
    "Sam Lee",
    "Clara Moreau",
)


class World:
    """Guests, owners and platforms. Equal seeds and equal commands give equal bytes.

    A stay is named by the id that :meth:`book` or :meth:`block` returned, a feed by ``<platform>/<listing>``.
    Bad input raises SimulatorError and changes nothing. Nights that are taken are refused unless *over* is true.
    """

    def __init__(self, seed: int = 0, now: datetime = FIRST_NOW) -> None:
        if now.tzinfo is None:
            raise SimulatorError("now needs a timezone")
        self.seed = seed
        self.now = now.astimezone(UTC).replace(microsecond=0)
        self.feeds: dict[str, Feed] = {}
        self.stays: dict[str, SimulatedStay] = {}
        self.faults: dict[str, tuple[Fault, ...]] = {}
        self.clients = make_clients(seed, self.now)
        """The client API."""
        self.answers = 0
        """Responses so far; each one is stamped a second later than the one before."""
        self.log: list[LogEntry] = []
        """Changes of stays, in order."""

    # feeds

    def add_feed(
        self,
        name: str,
        /,
        *,
        property: str = "Villa Rosa",  # noqa: A002 - the config file's word
        unit: str = "Garden flat",
        timezone: str = "Europe/Rome",
        **options: Any,
    ) -> Feed:
        """Add a listing, as in ``add_feed("airbnb/garden", notice_days=1)``; *options* are the platform's and the common ones."""
        platform_name, _, listing = name.partition("/")
        platform = PLATFORMS.get(platform_name)
        if not platform or not listing or not listing.replace("-", "").isalnum():
            raise SimulatorError(f"not a feed: {name}; write <platform>/<listing>, platforms are {', '.join(PLATFORMS)}")
        if name in self.feeds:
            raise SimulatorError(f"the feed {name} already exists")
        _require_zone(timezone)
        self.feeds[name] = Feed(
            name=name,
            platform=platform_name,
            listing=listing,
            property=property,
            unit=unit,
            timezone=timezone,
            options=read_defaults(platform.options) | read_options(platform.options, options),
        )
        return self.feeds[name]

    def set_options(self, feed: str, /, **options: Any) -> Feed:
        """Change options of *feed*."""
        old = self.feed(feed)
        self.feeds[feed] = replace(old, options={**old.options, **read_options(PLATFORMS[old.platform].options, options)})
        return self.feeds[feed]

    def feed(self, name: str) -> Feed:
        """Return the feed of this name."""
        if name not in self.feeds:
            raise SimulatorError(f"no such feed: {name}; feeds are {', '.join(sorted(self.feeds)) or 'none'}")
        return self.feeds[name]

    def stay(self, stay_id: str) -> SimulatedStay:
        """Return the stay of this id."""
        if stay_id not in self.stays:
            raise SimulatorError(f"no such stay: {stay_id}; `truth` lists them")
        return self.stays[stay_id]

    def today(self, feed: str) -> date:
        """Return the date in the feed's timezone."""
        return self.now.astimezone(ZoneInfo(self.feed(feed).timezone)).date()

    # guests and owners

    def book(
        self,
        feed: str,
        check_in: date,
        check_out: date,
        *,
        guest: str | None = None,
        tentative: bool = False,
        every_days: int = 0,
        times: int = 1,
        over: bool = False,
    ) -> str:
        """Book ``[check_in, check_out)`` for a guest and return the stay's id."""
        stay = self._new(feed, check_in, check_out, every_days=every_days, times=times, over=over)
        rng = Random(f"{self.seed}/guest/{stay.number}")
        stay = replace(
            stay,
            guest=rng.choice(_GUESTS) if guest is None else guest,
            phone=f"+39 333 {rng.randrange(10**7):07d}",
            adults=rng.randint(1, 4),
            children=rng.choice((0, 0, 0, 1, 2)),
            tentative=tentative,
        )
        return self._save(stay, "booked")

    def block(self, feed: str, start: date, end: date, *, every_days: int = 0, times: int = 1, over: bool = False) -> str:
        """Close the nights ``[start, end)`` as the owner and return the block's id; on google also as a series."""
        new = self._new(feed, start, end, every_days=every_days, times=times, over=over)
        return self._save(replace(new, kind="block"), "blocked")

    def move(self, stay_id: str, check_in: date | None = None, check_out: date | None = None, *, over: bool = False) -> None:
        """Change a stay's dates; with *check_in* alone it keeps its length."""
        old = self._active(stay_id)
        start = check_in or old.check_in
        end = check_out or start + (old.check_out - old.check_in)
        _require_span(start, end)
        new = replace(old, check_in=start, check_out=end)
        self._require_free(new, over=over)
        self._save(new, "moved")

    def change(self, stay_id: str, *, guest: str | None = None, phone: str | None = None, tentative: bool | None = None) -> None:
        """Change the guest's name or phone, or whether the stay is tentative."""
        old = self._active(stay_id)
        values: dict[str, Any] = {"guest": guest, "phone": phone, "tentative": tentative}
        self._save(replace(old, **{name: value for name, value in values.items() if value is not None}), "changed")

    def cancel(self, stay_id: str, *, leave_block: bool = False) -> str | None:
        """Cancel a stay. With *leave_block*, as VRBO sometimes does, block its nights and return the block's id."""
        old = self._active(stay_id)
        self._save(replace(old, cancelled=True), "cancelled" if old.kind == "reservation" else "unblocked")
        return self.block(old.feed, old.check_in, old.check_out, over=True) if leave_block else None

    def unblock(self, stay_id: str) -> None:
        """Remove a block."""
        if self.stay(stay_id).kind != "block":
            raise SimulatorError(f"not a block: {stay_id}; use `cancel` for stays")
        self.cancel(stay_id)

    def bring_back(self, stay_id: str, *, over: bool = False) -> None:
        """Undo a cancellation; the stay keeps its code and dates."""
        old = self.stay(stay_id)
        if old.is_active:
            raise SimulatorError(f"not cancelled: {stay_id}")
        self._require_free(old, over=over)
        self._save(replace(old, cancelled=False), "brought-back" if old.kind == "reservation" else "blocked")

    def advance(self, *, days: float = 0, hours: float = 0) -> datetime:
        """Move the time forward and return it."""
        if days < 0 or hours < 0:
            raise SimulatorError("time moves forward only; use a positive number")
        self.now += timedelta(days=days, hours=hours)
        return self.now

    # faults

    def fault(self, feed: str, kind: str, times: int | None = None, *, hours: float | None = None) -> None:
        """Queue a fault of *feed* for *times* responses, for *hours* from now, or until cleared."""
        name = self.feed(feed).name
        until = None if hours is None else self.now + timedelta(hours=hours)
        queued = faults.read_fault(kind, times, until)
        if kind == faults.STALE:
            queued = replace(queued, body=self.render(name).decode())
        self.faults[name] = (*self.faults.get(name, ()), queued)

    def clear(self, feed: str | None = None) -> None:
        """Remove the faults of *feed*, or of every feed."""
        for name in [self.feed(feed).name] if feed else list(self.feeds):
            self.faults.pop(name, None)

    # output

    def render(self, feed: str, /, **options: Any) -> bytes:
        """Return the correct feed; *options* apply to this call only. Changes nothing."""
        return self._render(self.feed(feed), self.now, options)

    def answer(self, feed: str, /, *, stamp: datetime | None = None, **options: Any) -> SimulatedResponse:
        """Return the response to an HTTP client, with faults; counts it.

        It is stamped with its own time: a second later than the response before it, and not before *stamp*.
        """
        found = self.feed(feed)
        self.answers += 1
        own = self.now + timedelta(seconds=self.answers % 3600)
        body = self._render(found, max(own, stamp or own), options)
        queued = faults.drop_ended(self.faults.get(feed, ()), self.now)
        if not queued:
            self.faults.pop(feed, None)
            return faults.make_response(body, etag=found.options["etag"])
        self.faults[feed] = faults.count_down(queued)
        other = self._other_feed(found) if queued[0].kind == "other-listing" else b""
        return faults.make_faulty(queued[0], body, other, Random(f"{self.seed}/fault/{self.answers}"))

    def fault_now(self, feed: str) -> str | None:
        """Return the kind of fault that the next response of *feed* has, or None."""
        queued = faults.drop_ended(self.faults.get(feed, ()), self.now)
        return queued[0].kind if queued else None

    def truth(self) -> GroundTruth:
        """Return the ground truth now."""
        windows = {name: self._windows(feed) for name, feed in self.feeds.items()}
        held = {name: self._held(feed) for name, feed in self.feeds.items()}
        return GroundTruth(
            now=self.now,
            stays=tuple(self.stays.values()),
            windows={n: w - held[n] for n, w in windows.items()},
            closed={n: held[n] | windows[n] for n in self.feeds},
        )

    def is_free(self, feed: str, start: date, end: date, *, but: str | None = None) -> bool:
        """Return whether no stay or block of *feed* except *but* has one of the nights ``[start, end)``."""
        others = (s for s in self._stays_of(self.feed(feed)) if s.id != but)
        return not any(Span(start, end).overlaps(span) for s in others for span in s.spans)

    # internal

    def _new(self, feed: str, start: date, end: date, *, every_days: int, times: int, over: bool) -> SimulatedStay:
        _require_span(start, end)
        if every_days and (self.feed(feed).platform != "google" or times < 1 or every_days < (end - start).days):
            raise SimulatorError("a series needs a google feed, and its occurrences must not overlap")
        number = len(self.stays) + 1
        stay = SimulatedStay(
            id=f"stay-{number}",
            number=number,
            feed=self.feed(feed).name,
            check_in=start,
            check_out=end,
            changed_at=self.now,
            every_days=every_days,
            times=times if every_days else 1,
        )
        self._require_free(stay, over=over)
        return stay

    def _require_free(self, stay: SimulatedStay, *, over: bool) -> None:
        if not over and not all(self.is_free(stay.feed, *span, but=stay.id) for span in stay.spans):
            raise SimulatorError(f"nights of {stay.check_in} to {stay.check_out} are taken on {stay.feed}")

    def _active(self, stay_id: str) -> SimulatedStay:
        if not self.stay(stay_id).is_active:
            raise SimulatorError(f"already cancelled: {stay_id}; `bring-back` undoes it")
        return self.stays[stay_id]

    def _save(self, stay: SimulatedStay, what: str) -> str:
        is_known = stay.id in self.stays
        self.stays[stay.id] = replace(stay, changed_at=self.now, sequence=stay.sequence + is_known)
        dates = {"check_in": stay.check_in, "check_out": stay.check_out}
        self.log.append(LogEntry(at=self.now, what=what, stay=stay.id, feed=stay.feed, **dates))
        return stay.id

    def _stays_of(self, feed: Feed) -> tuple[SimulatedStay, ...]:
        """Return the feed's own stays and blocks, and the stays of linked listings as blocks."""
        own = [s for s in self.stays.values() if s.feed == feed.name and s.is_active]
        linked = [s for s in self.stays.values() if s.feed in feed.options["linked"] and s.is_active]
        blocks = [replace(s, kind="block", guest="", phone="") for s in linked]
        return tuple(sorted((*own, *blocks), key=lambda s: (s.check_in, s.number)))

    def _view(self, feed: Feed, stamp: datetime) -> RenderContext:
        cancelled = tuple(s for s in self.stays.values() if s.feed == feed.name and not s.is_active)
        today, stays = self.today(feed.name), self._stays_of(feed)
        return RenderContext(seed=self.seed, feed=feed, now=stamp, today=today, stays=stays, cancelled=cancelled)

    def _render(self, feed: Feed, stamp: datetime, options: Mapping[str, Any]) -> bytes:
        platform = PLATFORMS[feed.platform]
        changed = replace(feed, options={**feed.options, **read_options(platform.options, options)})
        return platform.render(self._view(changed, stamp))

    def _windows(self, feed: Feed) -> frozenset[date]:
        return nights_of(PLATFORMS[feed.platform].windows(self._view(feed, self.now)), self.today(feed.name))

    def _held(self, feed: Feed) -> frozenset[date]:
        return nights_of((span for s in self._stays_of(feed) for span in s.spans), self.today(feed.name))

    def _other_feed(self, feed: Feed) -> bytes:
        """Return the feed of an invented other listing of the same platform. Its bookings change once a month."""
        world = World(seed=self.seed + 1, now=self.now)
        other = world.add_feed(f"{feed.platform}/someone-else", timezone=feed.timezone).name
        month = world.today(other).replace(day=1)
        for week in range(1, 7):
            start = max(month + DAY * 30, world.today(other)) + DAY * 7 * week
            world.book(other, start, start + DAY * (1 + week % 4))
        return world.render(other)


def _require_span(start: date, end: date) -> None:
    if start >= end:
        raise SimulatorError(f"no nights: {start} to {end}; the end must be after the start")


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        raise SimulatorError(f"no such timezone: {name}; use an IANA name such as Europe/Rome") from None
