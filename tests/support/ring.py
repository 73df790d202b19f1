"""Platforms that import Bokit's calendars and show what they imported in their own: the ring that makes ghosts elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from icalendar import Calendar

from bokit.core.model.catalog import DEFAULT_TENANT, Property, PropertyId, Unit, UnitId
from bokit.core.model.records import Scope
from bokit.core.occupancy.out_calendar import CalendarChoice, OutCalendar
from simulator.model import SimulatorError, Span, cut
from tests.support.simulated_app import SimulatedApp

DAY = timedelta(days=1)
UNIT = UnitId("unit_garden")
PLATFORMS = ("airbnb/garden", "booking_com/garden", "vrbo/garden")


@dataclass
class Importer:
    """One listing: what it imported of Bokit's calendar, and of other feeds directly, shown in its own feed as closures."""

    app: SimulatedApp
    feed: str
    calendar: OutCalendar
    direct: tuple[str, ...] = ()
    """The feeds that it reads itself, with all that these show."""
    every: int = 1
    """It reads in each so many rounds."""
    rounds: int = 0
    owner: set[Span] = field(default_factory=set)
    """What the owner closed here; shown as one with the imported nights beside it."""
    imported: dict[Span, str] = field(default_factory=dict)
    """The closures that it made, by the events they were made from."""
    last: bytes = b""
    closed: set[Span] = field(default_factory=set)
    """What *last* closes."""

    def read(self) -> bool:
        """Read Bokit's calendar as the platform would, and the other feeds; return whether the calendar was new."""
        self.rounds += 1
        if self.rounds % self.every:
            return False
        page = self.app.bokit.feeds.serve(self.app.bokit.calendars.token_of(self.calendar))
        assert page is not None, "the calendar is not published"
        is_new, self.last = page.body != self.last, page.body
        if is_new:
            self.closed = {Span(e["DTSTART"].dt, e["DTEND"].dt) for e in Calendar.from_ical(page.body).events}
        self.agree(self.closed)
        return is_new

    def agree(self, events: set[Span]) -> None:
        """Close what the calendar and the other feeds have and is free, open what they no longer have."""
        world, stays = self.app.world, list(self.app.world.stays.values())
        shown = {span for s in stays if s.feed in self.direct and s.is_active for span in s.spans}
        for stay_id in self.imported.values():
            if world.stays[stay_id].is_active:
                world.unblock(stay_id)
        imports = set(self.imported.values())
        mine = [span for s in stays if s.feed == self.feed and s.is_active and s.id not in imports for span in s.spans]
        self.imported.clear()
        today = world.today(self.feed)
        wanted = [part for span in sorted(events | shown) if span.end > today for part in cut(span, mine)]
        for span in join([*wanted, *self.owner]):
            self.imported[span] = world.block(self.feed, span.start, span.end, over=True)


def join(spans: list[Span]) -> list[Span]:
    """Return *spans* as few: platforms show neighbouring closures as one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


class Ring:
    """A flat on three platforms, each of which imports Bokit's calendar."""

    def __init__(
        self, seed: int, *, cancel_after: timedelta | None = None, links: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Set up the flat; *links* are the feeds that a platform reads directly, beside Bokit's calendar."""
        self.luck, self.app = Random(seed), SimulatedApp(queue=False)
        app = self.app
        app.save_tenant()
        house = app.store.save_property(
            Property(id=PropertyId("prop_rosa"), tenant=DEFAULT_TENANT, name="Villa Rosa", timezone="Europe/Rome")
        )
        app.store.save_unit(Unit(id=UNIT, tenant=DEFAULT_TENANT, property_id=house.id, name="Garden flat"))
        for feed in PLATFORMS:
            app.add_source(feed, scope=Scope(UNIT), cancel_after=cancel_after)
        self.importers = [Importer(app, feed, self._open(feed), (links or {}).get(feed, ())) for feed in PLATFORMS]
        self._move_in()
        self.booked_on = PLATFORMS[0]

    def _move_in(self) -> None:
        """Let some guests have booked already: a calendar of one entry that changes is another listing's to any guard."""
        world, night = self.app.world, self.app.world.today(PLATFORMS[0]) + DAY * 70
        for number in range(15):
            world.book(PLATFORMS[number % 3], night, night + DAY * (2 + number % 4))
            night += DAY * 8

    def approve_holds(self) -> None:
        """Let the owner look at what guards hold since yesterday, and apply it: these feeds say the truth."""
        for source in self.app.store.load_sources(DEFAULT_TENANT):
            hold = self.app.bokit.records.find_hold(DEFAULT_TENANT, source.id)
            if hold and hold.can_apply and self.app.clock.at - hold.since > DAY:
                self.app.bokit.records.resolve_hold(
                    DEFAULT_TENANT, source.id, plan_hash=hold.plan_hash, apply=True, by="user:owner"
                )

    def _open(self, feed: str) -> OutCalendar:
        return self.app.bokit.calendars.open(DEFAULT_TENANT, UNIT, CalendarChoice(consumer=feed.partition("/")[0]))

    def guests(self) -> list[str]:
        """Return the ids of the stays that guests hold, wherever they booked."""
        stays = self.app.world.stays.values()
        return [s.id for s in stays if s.kind == "reservation" and s.is_active]

    def truth(self) -> set[date]:
        """Return the nights to come that guests hold, or the owner closed."""
        world, today = self.app.world, self.app.world.today(PLATFORMS[0])
        held = [span for s in world.stays.values() if s.kind == "reservation" and s.is_active for span in s.spans]
        held += [span for importer in self.importers for span in importer.owner]
        return {night for span in held for night in span.nights() if night >= today}

    def link_directly(self) -> None:
        """Let each platform have read the others' own bookings already, before Bokit was there."""
        for importer in self.importers:
            others = [s for s in self.app.world.stays.values() if s.feed != importer.feed and s.kind == "reservation"]
            importer.agree({span for s in others for span in s.spans})

    def shown_to(self, feed: str) -> set[date]:
        """Return the nights to come that Bokit's calendar for this platform closes."""
        (importer,) = (i for i in self.importers if i.feed == feed)
        today = self.app.world.today(feed)
        return {night for span in importer.closed for night in span.nights() if night >= today}

    def shown(self) -> list[set[Span]]:
        """Return what each platform found in Bokit's calendar for it."""
        return [importer.closed for importer in self.importers]

    def own(self, feed: str) -> set[date]:
        """Return the nights to come that this platform's guests hold, or the owner closed there."""
        world, today = self.app.world, self.app.world.today(feed)
        spans = [
            span for s in world.stays.values() if s.feed == feed and s.kind == "reservation" for span in s.spans if s.is_active
        ]
        spans += [span for i in self.importers if i.feed == feed for span in i.owner]
        return {night for span in spans for night in span.nights() if night >= today}

    def held(self) -> set[date]:
        """Return the nights to come that Bokit holds."""
        occupancy = self.app.bokit.calendars.load_occupancy(DEFAULT_TENANT, Scope(UNIT))
        today = self.app.world.today(PLATFORMS[0])
        return {n for b in occupancy.bookings for n in b.nights if n >= today}

    def act(self) -> None:
        """Let a guest book, move or cancel somewhere; what is taken there is refused, as platforms do."""
        world = self.app.world
        what = self.luck.choice(("book", "book", "book", "move", "cancel"))
        stays = self.guests()
        try:
            if what == "book" or not stays:
                feed = self.luck.choice(PLATFORMS)
                start = world.today(feed) + DAY * self.luck.randint(2, 60)
                world.book(feed, start, start + DAY * self.luck.randint(1, 7))
            elif what == "move":
                stay = world.stay(self.luck.choice(stays))
                world.move(stay.id, stay.check_in + DAY * self.luck.choice((-3, -1, 1, 2, 10)))
            else:
                world.cancel(self.luck.choice(stays))
        except SimulatorError:
            return

    def round(self, hours: float = 1) -> bool:
        """Let an hour pass: Bokit reads every feed, every platform reads Bokit; return whether any calendar changed."""
        self.app.move(hours=hours)
        self.app.bokit.tick()
        news = [importer.read() for importer in self.importers]
        return any(news)
