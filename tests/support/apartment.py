"""One flat on several simulated platforms, and its outgoing calendars."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from icalendar import Calendar

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, UnitId
from bokit.core.model.records import Record, Scope
from bokit.core.occupancy.out_calendar import CalendarChoice, OutCalendar
from bokit.engine.bookings.conflicts import BookingReconciler
from bokit.engine.sync.kinds import SourceKind
from bokit.store.protocols import PublishedDocument
from tests.support.builders import a_schedule
from tests.support.simulated_app import SimulatedApp

DAY = timedelta(days=1)
AIRBNB, BOOKING, VRBO = "airbnb/r", "booking_com/r", "vrbo/r"


class Apartment(SimulatedApp):
    """Units of one property, with feeds on each."""

    def __init__(self, store=None):
        super().__init__(store=store)
        self.save_tenant()
        self.rosa = self.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Rosa", "timezone": "Europe/Rome"})
        self.flat = self.add_unit("Flat")
        self.today = self.world.now.date()

    def open(self, store=None, clock=None, **given):
        fetcher = self.calls.watch_part(self.fetcher)
        kind = SourceKind(fetcher=fetcher, rules=BookingRules(), collection=BOOKINGS, reconciler=BookingReconciler)
        return super().open(store, clock, **{"kinds": {"ical": kind}} | given)

    def add_unit(self, name, **values):
        return self.bokit.catalog.add_unit(DEFAULT_TENANT, self.rosa.id, {"name": name, **values}).id

    def add_feed(self, feed, unit=None):
        source = super().add_source(feed, scope=Scope(unit or self.flat))
        return self.store.save_source(self.store.load_head(source), a_schedule(due_at=self.clock()))

    def sync(self, **span):
        self.move(**(span or {"hours": 1}))
        self.bokit.tick()
        self.deliver_all()
        self.bokit.events.drain()

    def book(self, feed, first, end):
        return self.world.book(feed, self.today + first * DAY, self.today + end * DAY)

    def day(self, number):
        return (self.today + number * DAY).isoformat()

    def conflicts(self, *units, everything=False):
        return self.bokit.bookings.list_conflicts(DEFAULT_TENANT, list(units or [self.flat]), everything=everything)

    def news(self):
        self.bokit.events.drain()
        return sorted(n.type for n in self.alerts.notices.values() if n.type.startswith("conflict"))


class Flat(Apartment):
    """An apartment whose calendars are published."""

    def open(self, store=None, clock=None, **given):
        return SimulatedApp.open(self, store, clock, api_url="https://api.example", **given)

    def calendar(self, consumer: str | None = None, unit: UnitId | None = None, **given: Any) -> OutCalendar:
        return self.bokit.calendars.open(DEFAULT_TENANT, unit or self.flat, CalendarChoice(consumer=consumer, **given))

    def page(self, calendar: OutCalendar) -> PublishedDocument | None:
        """Return what a platform gets that knows the calendar's address."""
        return self.bokit.feeds.serve(self.bokit.calendars.token_of(calendar))

    def body(self, calendar: OutCalendar) -> bytes:
        page = self.page(calendar)
        assert page is not None
        return page.body

    def events(self, consumer: str | None = None, unit: UnitId | None = None, **given: Any) -> list[tuple[int, int]]:
        """Return the events of a calendar, as days from today."""
        events = Calendar.from_ical(self.body(self.calendar(consumer, unit, **given))).events
        return sorted(((e["DTSTART"].dt - self.today).days, (e["DTEND"].dt - self.today).days) for e in events)

    def make(self, first: int, end: int, unit: UnitId | None = None, **values: Any) -> Any:
        """Write a booking by hand."""
        days = {"check_in": self.day(first), "check_out": self.day(end)}
        return self.bokit.bookings.create(DEFAULT_TENANT, unit or self.flat, days | values, by="user:rosa")

    def records(self, unit: UnitId | None = None) -> list[Record]:  # type: ignore[override]
        return list(self.store.load_records(DEFAULT_TENANT, BOOKINGS, Scope(unit or self.flat)))
