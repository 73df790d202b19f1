"""Whether platforms read our calendars: days of reads, played with the clock; the tick finds who stopped."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.documents import write_time
from bokit.core.model.events import EventType
from bokit.core.occupancy.out_calendar import OutCalendar
from tests.support.apartment import AIRBNB, Flat
from tests.support.emulator import empty_table, needs_emulator
from tests.support.rows_app import CallCounter

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
AGENT, PERSON = "Airbnb/1.0", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class ReadFlat(Flat):
    """A flat whose calendars are read, and whose schedule ticks."""

    def read(self, calendar: OutCalendar, agent: str | None = AGENT) -> None:
        """Read a calendar under its current path."""
        assert self.bokit.feeds.serve(self.bokit.calendars.token_of(calendar), agent) is not None

    def read_every(self, hours: float, times: int, calendar: OutCalendar, agent: str | None = AGENT) -> None:
        """Read a calendar at once, and then so many times; the schedule ticks before each read."""
        self.read(calendar, agent)
        for _ in range(times):
            self.move(hours=hours)
            self.bokit.tick()
            self.read(calendar, agent)

    def pass_hours(self, hours: float) -> list[dict[str, Any]]:
        """Let time pass, with a tick each quarter of an hour; return what was reported, with the hours after which."""
        found = []
        for quarter in range(1, int(hours * 4) + 1):
            self.move(minutes=15)
            found += [{**event, "after": quarter / 4} for event in self.reported()]
        return found

    def reported(self) -> list[dict[str, Any]]:
        """Tick; return the events of calendars that are new in the log."""
        before = self.store.load_last_seq(DEFAULT_TENANT)
        self.bokit.tick()
        self.bokit.events.drain()
        events = self.store.load_events(DEFAULT_TENANT, after=before, until=before + 100)
        return [dict(event.data) for event in events if event.type is EventType.CALENDAR_UNREAD]

    def unread(self) -> list[tuple[str, str]]:
        """Return the units and readers that the status names."""
        return [(doc["unit"], doc["kind"]) for doc in self.bokit.status.load_status(DEFAULT_TENANT)["unread"]]

    def readers(self, calendar: OutCalendar) -> list[tuple[str, int | None, bool]]:
        found = self.bokit.calendars.describe(calendar, with_url=False)["readers"]
        return [(r["kind"], r["usual_interval_s"], r["unread"]) for r in found]


@pytest.fixture
def home() -> ReadFlat:
    """A flat with a guest on Airbnb."""
    made = ReadFlat()
    made.add_feed(AIRBNB)
    made.sync()
    made.book(AIRBNB, 20, 24)
    made.sync()
    return made


def test_a_platform_that_stops_reading_is_reported_once(home):
    """Three days every three hours; nine hours after the last read there is one event, and no other for days."""
    calendar = home.calendar("airbnb")
    home.read_every(3, 24, calendar)
    assert home.unread() == []
    page = home.store.find_published(calendar.token_hash)

    (found,) = home.pass_hours(72)

    assert found == {
        "id": calendar.id,
        "unit_id": home.flat,
        "kind": "airbnb",
        "last_read_at": write_time(page.read_at),
        "usual_interval_s": 10_800,
        "after": 9,
    }
    assert home.unread() == [("Flat", "airbnb")]
    assert home.readers(calendar) == [("airbnb", 10_800, True)]


def test_what_is_read_again_is_well_again_and_may_be_reported_again(home):
    """The next tick after the read clears the status; a second silence is a second event."""
    calendar = home.calendar("airbnb")
    home.read_every(3, 8, calendar)
    assert len(home.pass_hours(12)) == 1

    home.read(calendar)
    assert home.reported() == []
    assert home.unread() == []
    assert home.readers(calendar) == [("airbnb", 10_800, False)]
    home.read_every(3, 8, calendar)
    assert [event["after"] for event in home.pass_hours(24)] == [9]


def test_new_addresses_and_people_are_not_believed(home):
    """Three reads are no rhythm yet; a browser, a phone and an uneven program never have one."""
    new, watched = home.calendar("airbnb"), home.calendar()
    home.read_every(3, 2, new)
    for hours in (0.5, 1, 9, 2, 22, 0.3, 14, 5, 30):
        for agent in (PERSON, "iOS/26.0 (24A123) dataaccessd/1.0", "curl/8.5.0", None):
            home.read(watched, agent)
        home.move(hours=hours)

    assert home.pass_hours(24 * 14) == []
    assert home.unread() == []
    assert [kind for kind, _, _ in home.readers(watched)] == ["apple", "browser", "other"]


def test_each_kind_of_reader_is_judged_by_itself(home):
    """Google goes on with a calendar that Airbnb no longer reads, and a person's browser does not stand for it."""
    calendar = home.calendar()
    for _ in range(16):
        home.read(calendar)
        home.read(calendar, "Google-Calendar-Importer")
        home.move(hours=6)
    reported = []
    for _ in range(16):
        home.read(calendar, "Google-Calendar-Importer")
        home.read(calendar, PERSON)
        reported += home.pass_hours(6)

    assert [event["kind"] for event in reported] == ["airbnb"]
    assert home.unread() == [("Flat", "airbnb")]


def test_many_polls_are_few_writes(home):
    """A thousand polls in an hour by two kinds of reader: a write each quarter of an hour for each kind."""
    calendar, counting = home.calendar("airbnb"), CallCounter(home.store)
    server, token = home.open(counting).feeds, home.bokit.calendars.token_of(calendar)
    for second in range(0, 3600, 4):
        server.serve(token, AGENT if second % 8 else PERSON)
        home.move(seconds=4)

    assert counting.calls.count("touch_published") == 8
    assert set(counting.calls) == {"find_published", "touch_published"}


def test_reads_at_the_same_moment_lose_no_kind(home):
    """Each sees the page before any of the others wrote: all of them are recorded, each once."""
    calendar = home.calendar("airbnb")
    agents = [AGENT, "Booking.com", "HomeAway"]
    gate, token, late = threading.Barrier(len(agents)), home.bokit.calendars.token_of(calendar), threading.local()

    class Together(CallCounter):
        """Lets the readers write when all of them have read."""

        def touch_published(self, *args):
            if not getattr(late, "is_again", False):
                late.is_again = True
                gate.wait(timeout=10)
            return home.store.touch_published(*args)

    server = home.open(Together(home.store)).feeds
    threads = [threading.Thread(target=server.serve, args=(token, agent)) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert [kind for kind, _, _ in home.readers(calendar)] == ["airbnb", "booking_com", "vrbo"]


def test_a_rotated_calendar_is_missed_where_its_platform_keeps_the_former_address(home):
    """The former path works for two days, and its reads count; after that Airbnb gets 404, and is missed nine hours later."""
    calendar = home.calendar("airbnb")
    home.read_every(3, 12, calendar)
    former = home.bokit.calendars.token_of(calendar)
    rotated = home.bokit.calendars.rotate(DEFAULT_TENANT, calendar.id)
    assert home.readers(rotated) == [("airbnb", 10_800, False)]

    reported = []
    for _ in range(24):
        reported += home.pass_hours(3)
        home.bokit.feeds.serve(former, AGENT)

    assert [event["id"] for event in reported] == [calendar.id]
    assert home.unread() == [("Flat", "airbnb")]
    home.read(rotated)
    home.reported()
    assert home.unread() == []


def test_a_calendar_that_was_removed_is_missed_by_nobody(home):
    """Neither later, nor in the status where it was reported before."""
    first, second = home.calendar("airbnb"), home.calendar("vrbo")
    for _ in range(6):
        home.move(hours=3)
        home.read(first)
        home.read(second)
    home.bokit.calendars.remove(DEFAULT_TENANT, first.id)
    assert [event["id"] for event in home.pass_hours(48)] == [second.id]

    home.bokit.calendars.remove(DEFAULT_TENANT, second.id)

    assert home.unread() == []


def test_a_calendar_that_fails_does_not_stop_the_others(home):
    """Its error is the tick's; it is judged again by the next one."""
    broken, whole = home.calendar("airbnb"), home.calendar("vrbo")
    for _ in range(6):
        home.move(hours=3)
        home.read(broken)
        home.read(whole)
    home.move(hours=30)

    class Failing(CallCounter):
        def find_published(self, digest):
            if digest == broken.token_hash:
                raise RuntimeError("out of order")
            return home.store.find_published(digest)

    report = home.open(Failing(home.store)).tick()
    assert (report.unread, str(report.error)) == (1, "out of order")
    assert home.bokit.tick().unread == 1
    assert sorted(home.unread()) == [("Flat", "airbnb"), ("Flat", "airbnb")]


def test_what_needs_a_person_names_who_stopped(home):
    """In ``today`` and ``status --check``, within hours and not after days."""
    calendar = home.calendar("airbnb")
    home.read_every(3, 6, calendar)
    home.pass_hours(10)

    needs = home.bokit.bookings.charts.load_agenda(DEFAULT_TENANT, [home.flat], 0)["needs"]

    (need,) = [need for need in needs if need["kind"] == "calendar" and need["state"] == "unread"]
    assert need["id"] == calendar.id
    assert need["message"] == "Airbnb has not read it for 10 hours; it usually reads it every 3 hours"


@needs_emulator
@pytest.mark.enable_socket
def test_days_on_the_table(aws, emulated_store):
    """What is reported, and when, is the same as in memory."""
    home = ReadFlat(empty_table(emulated_store))
    calendar = home.calendar("airbnb")
    home.read_every(3, 5, calendar)
    home.move(hours=8.9)
    early = home.reported()
    home.move(hours=0.2)

    assert (early, [event["kind"] for event in home.reported()], home.reported()) == ([], ["airbnb"], [])
    assert home.unread() == [("Flat", "airbnb")]
