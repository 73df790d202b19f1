"""The simulated world: a calendar that moves by command, the truth about every stay, and the feeds that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from simulator import faults
from simulator.client_api import make_clients
from simulator.faults import Answer, Fault
from simulator.feeds import PLATFORMS, View
from simulator.feeds.options import defaults, read_options
from simulator.life import live_hour
from simulator.truth import DAY, Feed, Happening, SimulatorError, Span, Stay, Truth, nights_of

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
    Every command refuses bad input with a SimulatorError of one line, and changes nothing then.
    """

    def __init__(self, seed: int = 0, now: datetime = FIRST_NOW) -> None:
        if now.tzinfo is None:
            raise SimulatorError("the world's now needs a timezone")
        self.seed = seed
        self.now = now.astimezone(UTC).replace(microsecond=0)
        self.feeds: dict[str, Feed] = {}
        self.stays: dict[str, Stay] = {}
        self.faults: dict[str, tuple[Fault, ...]] = {}
        self.clients = make_clients(seed, self.now)
        """The client API beside the feeds."""
        self.answers = 0
        """Counts what was answered: each answer is stamped a second later than the one before."""
        self.log: list[Happening] = []
        """What changed the truth, in order."""

    # the stage

    def add_feed(
        self,
        name: str,
        /,
        *,
        property: str = "Villa Rosa",
        unit: str = "Garden flat",
        timezone: str = "Europe/Rome",
        **options: Any,
    ) -> Feed:
        """Add a listing, as in ``add_feed("airbnb/garden", notice_days=1)``; *options* are the platform's and every feed's."""
        name_of_platform, _, listing = name.partition("/")
        platform = PLATFORMS.get(name_of_platform)
        if not platform or not listing or not listing.replace("-", "").isalnum():
            raise SimulatorError(f"not a feed: {name}; write <platform>/<listing>, platforms are {', '.join(PLATFORMS)}")
        if name in self.feeds:
            raise SimulatorError(f"there is a feed {name} already")
        _require_zone(timezone)
        self.feeds[name] = Feed(
            name=name,
            platform=name_of_platform,
            listing=listing,
            property=property,
            unit=unit,
            timezone=timezone,
            options=defaults(platform.options) | read_options(platform.options, options),
        )
        return self.feeds[name]

    def set_options(self, feed: str, /, **options: Any) -> Feed:
        """Change how *feed* is rendered from now on: another form, era, window or link."""
        old = self.feed(feed)
        self.feeds[feed] = replace(old, options={**old.options, **read_options(PLATFORMS[old.platform].options, options)})
        return self.feeds[feed]

    def feed(self, name: str) -> Feed:
        """Return the feed of this name."""
        if name not in self.feeds:
            raise SimulatorError(f"no such feed: {name}; there are {', '.join(sorted(self.feeds)) or 'none'}")
        return self.feeds[name]

    def stay(self, stay_id: str) -> Stay:
        """Return the stay of this id."""
        if stay_id not in self.stays:
            raise SimulatorError(f"no such stay: {stay_id}; `truth` lists them")
        return self.stays[stay_id]

    def today(self, feed: str) -> date:
        """Return the date where the feed's property is."""
        return self.now.astimezone(ZoneInfo(self.feed(feed).timezone)).date()

    # what guests and owners do

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
        """Let a guest stay ``[check_in, check_out)`` and return the stay's id; refused where nights are taken, unless *over*."""
        stay = self._new(feed, check_in, check_out, every_days=every_days, times=times, over=over)
        luck = Random(f"{self.seed}/guest/{stay.number}")
        stay = replace(
            stay,
            guest=luck.choice(_GUESTS) if guest is None else guest,
            phone=f"+39 333 {luck.randrange(10**7):07d}",
            adults=luck.randint(1, 4),
            children=luck.choice((0, 0, 0, 1, 2)),
            tentative=tentative,
        )
        return self._keep(stay, "booked")

    def block(self, feed: str, start: date, end: date, *, every_days: int = 0, times: int = 1, over: bool = False) -> str:
        """Close the nights ``[start, end)`` as the owner, and return the block's id; on google also as a series."""
        new = self._new(feed, start, end, every_days=every_days, times=times, over=over)
        return self._keep(replace(new, kind="block"), "blocked")

    def move(self, stay_id: str, check_in: date | None = None, check_out: date | None = None, *, over: bool = False) -> None:
        """Give a stay other dates; with *check_in* alone it keeps its length. Refused where nights are taken."""
        old = self._active(stay_id)
        start = check_in or old.check_in
        end = check_out or start + (old.check_out - old.check_in)
        _require_span(start, end)
        new = replace(old, check_in=start, check_out=end)
        self._require_free(new, over=over)
        self._keep(new, "moved")

    def change(self, stay_id: str, *, guest: str | None = None, phone: str | None = None, tentative: bool | None = None) -> None:
        """Change what is known of a guest, or whether the stay is certain."""
        old = self._active(stay_id)
        told: dict[str, Any] = {"guest": guest, "phone": phone, "tentative": tentative}
        self._keep(replace(old, **{name: value for name, value in told.items() if value is not None}), "changed")

    def cancel(self, stay_id: str, *, leave_block: bool = False) -> str | None:
        """Cancel a stay; with *leave_block* its nights stay closed, as VRBO sometimes does, and the block's id is returned."""
        old = self._active(stay_id)
        self._keep(replace(old, cancelled=True), "cancelled" if old.kind == "reservation" else "unblocked")
        return self.block(old.feed, old.check_in, old.check_out, over=True) if leave_block else None

    def unblock(self, stay_id: str) -> None:
        """Open the nights of a block again."""
        if self.stay(stay_id).kind != "block":
            raise SimulatorError(f"not a block: {stay_id}; `cancel` is for stays")
        self.cancel(stay_id)

    def bring_back(self, stay_id: str, *, over: bool = False) -> None:
        """Undo a cancellation: the same stay, the same code, the same dates. Refused where nights are taken by now."""
        old = self.stay(stay_id)
        if old.is_active:
            raise SimulatorError(f"not cancelled: {stay_id}")
        self._require_free(old, over=over)
        self._keep(replace(old, cancelled=False), "brought-back" if old.kind == "reservation" else "blocked")

    def advance(self, *, days: float = 0, hours: float = 0) -> datetime:
        """Let time pass, and return the new now."""
        if days < 0 or hours < 0:
            raise SimulatorError("time only goes forward; write a positive number")
        self.now += timedelta(days=days, hours=hours)
        return self.now

    def live(self, days: float = 0, *, hours: float = 0, faulty: bool = False) -> list[Happening]:
        """Let guests and owners live as they do for so long, hour by hour, and return what happened."""
        before = len(self.log)
        for _ in range(round(days * 24 + hours)):
            self.advance(hours=1)
            live_hour(self, faulty=faulty)
        return self.log[before:]

    # what goes wrong

    def fault(self, feed: str, kind: str, times: int | None = None) -> None:
        """Make *feed* answer wrongly, *times* times or until cleared; several wait their turn."""
        name = self.feed(feed).name
        self.faults[name] = (*self.faults.get(name, ()), faults.read_fault(kind, times))

    def clear(self, feed: str | None = None) -> None:
        """Make *feed* (or every one) answer rightly again."""
        for name in [self.feed(feed).name] if feed else list(self.feeds):
            self.faults.pop(name, None)

    # what can be seen

    def render(self, feed: str, /, **options: Any) -> bytes:
        """Return the feed as it rightly is now; *options* for this once only. Changes nothing."""
        return self._render(self.feed(feed), self.now, options)

    def answer(self, feed: str, /, **options: Any) -> Answer:
        """Return what an HTTP client gets now, faults and all; counts the answer."""
        told = self.feed(feed)
        self.answers += 1
        body = self._render(told, self.now + timedelta(seconds=self.answers % 3600), options)
        waiting = self.faults.get(feed, ())
        if not waiting:
            return faults.answer_rightly(body, etag=told.options["etag"])
        self.faults[feed] = faults.count_down(waiting)
        return faults.spoil(waiting[0].kind, body, self._other(told), Random(f"{self.seed}/fault/{self.answers}"))

    def truth(self) -> Truth:
        """Return what is true now."""
        windows = {name: self._windows(feed) for name, feed in self.feeds.items()}
        held = {name: self._held(feed) for name, feed in self.feeds.items()}
        return Truth(
            now=self.now,
            stays=tuple(self.stays.values()),
            windows={n: w - held[n] for n, w in windows.items()},
            closed={n: held[n] | windows[n] for n in self.feeds},
        )

    def is_free(self, feed: str, start: date, end: date, *, but: str | None = None) -> bool:
        """Return whether no stay or block of *feed*, *but* apart, touches the nights ``[start, end)``."""
        others = (s for s in self._stays_of(self.feed(feed)) if s.id != but)
        return not any(Span(start, end).overlaps(span) for s in others for span in s.spans)

    # inside

    def _new(self, feed: str, start: date, end: date, *, every_days: int, times: int, over: bool) -> Stay:
        _require_span(start, end)
        if every_days and (self.feed(feed).platform != "google" or times < 1 or every_days < (end - start).days):
            raise SimulatorError("a series is for google feeds, and its stays must not overlap")
        number = len(self.stays) + 1
        stay = Stay(
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

    def _require_free(self, stay: Stay, *, over: bool) -> None:
        if not over and not all(self.is_free(stay.feed, *span, but=stay.id) for span in stay.spans):
            raise SimulatorError(f"nights of {stay.check_in} to {stay.check_out} are taken on {stay.feed}")

    def _active(self, stay_id: str) -> Stay:
        if not self.stay(stay_id).is_active:
            raise SimulatorError(f"cancelled already: {stay_id}; `bring-back` undoes it")
        return self.stays[stay_id]

    def _keep(self, stay: Stay, what: str) -> str:
        known = stay.id in self.stays
        self.stays[stay.id] = replace(stay, changed_at=self.now, sequence=stay.sequence + known)
        self.log.append(
            Happening(at=self.now, what=what, stay=stay.id, feed=stay.feed, check_in=stay.check_in, check_out=stay.check_out)
        )
        return stay.id

    def _stays_of(self, feed: Feed) -> tuple[Stay, ...]:
        """The feed's own stays and blocks, and the stays of linked listings as blocks."""
        own = [s for s in self.stays.values() if s.feed == feed.name and s.is_active]
        linked = [s for s in self.stays.values() if s.feed in feed.options["linked"] and s.is_active]
        lent = [replace(s, kind="block", guest="", phone="") for s in linked]
        return tuple(sorted((*own, *lent), key=lambda s: (s.check_in, s.number)))

    def _view(self, feed: Feed, stamp: datetime) -> View:
        gone = tuple(s for s in self.stays.values() if s.feed == feed.name and not s.is_active)
        return View(seed=self.seed, feed=feed, now=stamp, today=self.today(feed.name), stays=self._stays_of(feed), gone=gone)

    def _render(self, feed: Feed, stamp: datetime, options: Mapping[str, Any]) -> bytes:
        platform = PLATFORMS[feed.platform]
        told = replace(feed, options={**feed.options, **read_options(platform.options, options)})
        return platform.render(self._view(told, stamp))

    def _windows(self, feed: Feed) -> frozenset[date]:
        return nights_of(PLATFORMS[feed.platform].windows(self._view(feed, self.now)), self.today(feed.name))

    def _held(self, feed: Feed) -> frozenset[date]:
        return nights_of((span for s in self._stays_of(feed) for span in s.spans), self.today(feed.name))

    def _other(self, feed: Feed) -> bytes:
        """Another listing's feed of the same platform, made up where there is none."""
        stand_in = World(seed=self.seed + 1, now=self.now)
        twin = stand_in.add_feed(f"{feed.platform}/someone-else", timezone=feed.timezone)
        for week in range(1, 7):
            start = stand_in.today(twin.name) + DAY * 7 * week
            stand_in.book(twin.name, start, start + DAY * (1 + week % 4))
        return stand_in.render(twin.name)


def _require_span(start: date, end: date) -> None:
    if start >= end:
        raise SimulatorError(f"no nights: {start} to {end}; the end must lie after the start")


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        raise SimulatorError(f"no such timezone: {name}; write an IANA name, as in Europe/Rome") from None
