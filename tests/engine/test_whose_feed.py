"""Whose feed, through the whole engine: wrong pastes, our own calendar, addresses, and held plans that a person applies."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import held_nights
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source, UnitId
from bokit.core.model.plan import Hold
from bokit.core.model.records import Presence, Record, Scope
from bokit.core.model.runs import SourceReport
from bokit.core.occupancy.out_calendar import CalendarChoice
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import SourceUnavailableError, StateError
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from bokit.wiring import make_booking_reconciler
from tests.support.simulated_app import TickingClock

FIRST = date(2026, 12, 1)
AIRBNB, GENERIC = "-//Airbnb Inc//Hosting Calendar 1.0//EN", "-//Small PMS//EN"


def event(uid: str, first: int, end: int, code: str | None = None, summary: str = "Reserved") -> str:
    """Return an event that begins so many days after the first of December."""
    start, stop = (f"{FIRST + timedelta(days=n):%Y%m%d}" for n in (first, end))
    lines = ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART;VALUE=DATE:{start}", f"DTEND;VALUE=DATE:{stop}", f"SUMMARY:{summary}"]
    if code:
        lines.append(f"DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/{code}")
    return "\r\n".join([*lines, "END:VEVENT", ""])


def stay(letter: str, first: int, end: int, *, coded: bool = True) -> str:
    """Return a reservation of Airbnb, or what is left of it where the feed has lost its DESCRIPTION."""
    return event(f"1418fb94e984-{letter}@airbnb.com", first, end, f"HM{letter * 8}" if coded else None)


def calendar(*events: str, prodid: str = AIRBNB) -> bytes:
    """Return a calendar of *events*."""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{prodid}\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


class Feeds:
    """A fetcher: a body and an address for each URL; None: the server does not answer."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes | None] = {}
        self.addresses: dict[str, str] = {}

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        body = self.bodies[source.url]
        if body is None:
            raise SourceUnavailableError("it did not answer", code="timeout")
        return Fetched(body=body, host="feeds.example", url=self.addresses.get(source.url, source.url))


class Host:
    """A host with two flats, whose sources show what a test says."""

    def __init__(self, *, delivers: bool = False) -> None:
        self.clock, self.store, self.feeds, self.alerts = TickingClock(), MemoryStore(), Feeds(), MemoryAlerts(delivers=delivers)
        self.clock.at = self.clock.at.replace(year=2026, month=11, day=20)
        kind = SourceKind(fetcher=self.feeds, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)
        parts = EngineParts(
            store=self.store,
            kinds={"ical": kind},
            alerts=self.alerts,
            clock=self.clock,
            calendar_key=lambda: "k" * 43,
            api_url="https://api.example",
        )
        self.bokit = Bokit(parts)
        place = self.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Rosa", "timezone": "Europe/Rome"})
        self.flat, self.loft = (self.bokit.catalog.add_unit(DEFAULT_TENANT, place.id, {"name": n}).id for n in ("Flat", "Loft"))

    def add(self, name: str, body: bytes, unit: UnitId | None = None, **values: Any) -> Source:
        """Add a source as the command line does, with a preview, and sync it."""
        given = {"name": name, "url": f"https://feeds.example/{name}.ics", **values}
        self.feeds.bodies[given["url"]] = body
        self.bokit.catalog.sources.preview(DEFAULT_TENANT, unit or self.flat, given)
        source = self.bokit.catalog.sources.add(DEFAULT_TENANT, unit or self.flat, given)
        self.show(source, body)
        return source

    def show(self, source: Source, body: bytes | None, *, times: int = 1) -> SourceReport:
        """Let an hour pass, sync *source*, and return the last report."""
        self.feeds.bodies[source.url] = body
        for _ in range(times):
            self.clock.move(hours=1)
            run = self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
        return run.sources[0]

    def hold(self, source: Source) -> Hold:
        """Return the source's held plan."""
        hold = self.bokit.records.find_hold(DEFAULT_TENANT, source.id)
        assert hold is not None
        return hold

    def settle(self, source: Source, *, apply: bool) -> None:
        """Apply or discard the plan that is held."""
        shown = self.hold(source).plan_hash
        self.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=shown, apply=apply, by="user:rosa")

    def records(self, *presences: Presence) -> list[Record]:
        """Return the flat's bookings."""
        found = self.store.load_records(DEFAULT_TENANT, BOOKINGS, Scope(self.flat))
        return [r for r in found if r.remote["kind"] != "window" and (not presences or r.presence in presences)]

    def held(self) -> set[int]:
        """Return the nights that the flat holds, in days after the first of December."""
        records = self.store.load_records(DEFAULT_TENANT, BOOKINGS, Scope(self.flat))
        return {(n - FIRST).days for r in records for n in held_nights(r)}


@pytest.fixture
def host() -> Host:
    return Host()


# ── at `source add` ──


def test_a_wrong_paste_is_refused(host):
    """The loft's address is pasted for the flat: refused, naming the source that knows the bookings."""
    host.add("Loft-Airbnb", calendar(stay("A", 3, 6)), host.loft)

    with pytest.raises(StateError, match="bookings of the source Loft / Loft-Airbnb; paste the address"):
        host.add("Flat-Airbnb", calendar(stay("A", 3, 6), stay("B", 10, 13)))


def test_a_wrong_paste_says_where_both_addresses_are_the_same(host):
    """A short link leads to the loft's own address."""
    loft = host.add("Loft-Airbnb", calendar(stay("A", 3, 6)), host.loft)
    host.feeds.addresses["https://feeds.example/short.ics"] = loft.url

    with pytest.raises(StateError, match="Both addresses lead to the same calendar"):
        host.add("short", calendar(stay("A", 3, 6)))


def test_the_same_guests_on_another_platform_of_the_unit_are_no_wrong_paste(host):
    """A channel manager shows what Airbnb shows, of the same flat."""
    host.add("Airbnb", calendar(event("id-1@pms", 3, 6, summary="Ann Lee")))

    assert host.add("PMS", calendar(event("id-1@pms", 3, 6, summary="Ann Lee"), prodid=GENERIC)).name == "PMS"


def test_our_own_calendar_is_not_a_source(host):
    """Pasted as a source, it would hold its own nights for ever."""
    host.add("Airbnb", calendar(stay("A", 3, 6), stay("B", 20, 23)))
    page = outgoing(host)

    with pytest.raises(StateError, match="Bokit itself publishes"):
        host.add("Self", page)


def test_our_own_calendar_that_was_added_without_a_preview_closes_nothing(host):
    """The loop: once the guest has cancelled, the nights open, although our own calendar still showed them."""
    airbnb = host.add("Airbnb", calendar(stay("A", 3, 6), stay("B", 20, 23)))
    url = "https://feeds.example/self.ics"
    mine = host.bokit.catalog.sources.add(DEFAULT_TENANT, host.flat, {"name": "Self", "url": url})

    for _ in range(30):
        host.show(airbnb, calendar(stay("B", 20, 23)))
        report = host.show(mine, outgoing(host))

    assert report.error is not None
    assert (report.error["code"], host.held()) == ("own-calendar", {20, 21, 22})


def outgoing(host: Host) -> bytes:
    """Return what the flat's outgoing calendar shows."""
    made = host.bokit.calendars.open(DEFAULT_TENANT, host.flat, CalendarChoice())
    page = host.bokit.feeds.serve(host.bokit.calendars.token_of(made))
    assert page is not None
    return bytes(page.body)


# ── at a sync ──


def test_a_swapped_address_is_held_and_names_the_other_source(host):
    """The flat's address serves the loft's calendar: held, whatever the time, until a person decides."""
    host.add("Loft-Airbnb", calendar(stay("A", 3, 6)), host.loft)
    flat = host.add("Flat-Airbnb", calendar(stay("B", 10, 13)))

    report = host.show(flat, calendar(stay("A", 3, 6)), times=40)

    assert report.error is not None
    assert (report.error["code"], host.hold(flat).opens_at) == ("other-listing", None)
    assert "bookings of the source Loft / Loft-Airbnb" in host.hold(flat).message


def test_a_redirect_to_another_address_is_never_believed_by_time(host):
    """One booking, another address in the end: sixty hours held; at the same address a day is enough."""
    moved, same = host.add("One", calendar(stay("A", 3, 6))), host.add("Two", calendar(stay("B", 33, 36)))
    host.feeds.addresses[moved.url] = "https://elsewhere.example/"

    assert host.show(moved, calendar(stay("C", 50, 53)), times=60).error is not None
    assert host.show(same, calendar(stay("D", 60, 63)), times=25).error is None


# ── a person decides ──


def test_applying_closes_in_the_same_transaction_what_the_body_closes(host):
    """The listing has a new address: no night that its feed closes is open in between, and the rest is released."""
    source = host.add("Airbnb", calendar(stay("A", 3, 6)))
    host.show(source, calendar(stay("B", 10, 13), stay("C", 20, 23)))

    host.settle(source, apply=True)

    assert host.held() == {10, 11, 12, 20, 21, 22}
    assert host.show(source, calendar(stay("B", 10, 13), stay("C", 20, 23))).error is None


def test_a_plan_that_changed_since_it_was_shown_is_refused(host):
    """The body of now is whole again, but for a stay: the plan that was shown would release more."""
    source = host.add("Airbnb", calendar(*(stay(c, 3 * n, 3 * n + 2) for n, c in enumerate("ABCDEFG", start=1))))
    host.show(source, calendar(stay("A", 3, 5)))
    host.feeds.bodies[source.url] = calendar(stay("A", 3, 5), stay("B", 6, 8), stay("C", 9, 11))

    with pytest.raises(StateError, match="changed since the plan was shown"):
        host.settle(source, apply=True)
    assert not host.records(Presence.GONE)


def test_a_plan_cannot_be_applied_while_the_source_does_not_answer(host):
    """The body of that moment is what is applied; without one, nothing changes."""
    source = host.add("Airbnb", calendar(stay("A", 3, 6)))
    host.show(source, calendar(stay("B", 10, 13)))
    host.feeds.bodies[source.url] = None

    with pytest.raises(SourceUnavailableError):
        host.settle(source, apply=True)
    assert {3, 4, 5, 10, 11, 12} == host.held()


def test_the_advice_of_a_hold_loses_no_edit(host):
    """Airbnb leaves out every DESCRIPTION: the stays go on, with what the host wrote."""
    spans = [("A", 3, 6), ("B", 10, 13), ("C", 20, 25)]
    source = host.add("Airbnb", calendar(*(stay(*s) for s in spans)))
    (record,) = [r for r in host.records() if r.fields["reservation_code"] == "HMBBBBBBBB"]
    host.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record.id, {"guest_name": "Melanie", "notes": "late, dog"}, by="user:rosa")

    host.show(source, calendar(*(stay(*s, coded=False) for s in spans)), times=30)
    if host.bokit.records.find_hold(DEFAULT_TENANT, source.id):
        host.settle(source, apply=True)

    assert len(host.records(Presence.PRESENT)) == 3
    assert not host.records(Presence.GONE)
    assert "Melanie" in {r.fields.get("guest_name") for r in host.records()}


def test_a_hold_says_what_lifts_it_and_when(host):
    """The owner's notice: what is held, why, what lifts it and when, and what a person can do."""
    source = host.add("Airbnb", calendar(stay("A", 3, 6)))
    host.show(source, calendar(stay("B", 10, 13)))

    (notice,) = [n for n in host.alerts.notices.values() if n.type == "source.held"]

    assert re.search(r"another listing's calendar.*apply the held plan.*believes this calendar from .* on; discard", notice.text)


@pytest.mark.parametrize(("delivers", "opened"), [(True, True), (False, False)])
def test_an_empty_calendar_opens_only_what_was_announced(delivers, opened):
    """A distant closure opens after three days where the alert was accepted by what reaches a person."""
    host = Host(delivers=delivers)
    blocked = event("7f662ec65913-x@airbnb.com", 40, 44, summary="Airbnb (Not available)")
    source = host.add("Airbnb", calendar(stay("A", 3, 6), blocked))

    host.show(source, calendar(), times=80)

    assert host.held() == ({3, 4, 5} if opened else {3, 4, 5, 40, 41, 42, 43})
    assert "Closures from 2027-01-10 on open on" in host.hold(source).message or opened
