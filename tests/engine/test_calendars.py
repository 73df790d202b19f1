"""Outgoing calendars: what each consumer sees, that unchanged data is unchanged bytes, and how long a path works."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.access import hash_token
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Scope, TenantId
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.engine.app import Bokit
from bokit.engine.bookings.pages import CalendarPublisher
from bokit.engine.bookings.stored_calendars import CALENDARS
from bokit.errors import InputError, StoreConflictError, UnknownIdError
from bokit.store.memory.store import MemoryStore
from bokit.values import replace
from tests.support.apartment import AIRBNB, VRBO, Flat
from tests.support.emulator import empty_table, needs_emulator
from tests.support.rows_app import CallCounter

DAY = timedelta(days=1)


@pytest.fixture
def home() -> Flat:
    """A flat on Airbnb and VRBO, read once, with a guest on each."""
    made = Flat()
    for feed in (AIRBNB, VRBO):
        made.add_feed(feed)
    made.sync()
    made.book(AIRBNB, 20, 24)
    made.book(VRBO, 30, 33)
    made.sync()
    return made


# ── what is exported ──


def test_each_consumer_gets_the_bookings_of_the_others(home):
    """Airbnb gets VRBO's guest and not its own; a general calendar has both; windows are in none."""
    assert home.events("airbnb") == [(30, 33)]
    assert home.events("vrbo") == [(20, 24)]
    home.world.set_options(AIRBNB, open_days=300)
    home.sync()
    assert any(r.remote.get("kind") == "window" for r in home.records())
    assert home.events("booking_com") == home.events() == [(20, 24), (30, 33)]


def test_a_source_may_be_the_consumer(home):
    """A source of the unit is named by id or name; another unit's is none."""
    source = home.store.load_sources(DEFAULT_TENANT)[0]
    other = home.add_unit("Loft")

    assert home.events(source.id) == home.events(source.name) == [(30, 33)]
    with pytest.raises(InputError, match="no such consumer"):
        home.calendar(source.id, other)


def test_a_booking_by_hand_is_exported_to_all(home):
    """Direct bookings and blocks, to every consumer, at once; edited and released, as edited and released."""
    made = home.make(40, 42)
    home.make(50, 51, kind="block")
    assert home.events("airbnb") == [(30, 33), (40, 42), (50, 51)]

    home.bokit.bookings.edit(DEFAULT_TENANT, made["id"], {"check_out": home.day(43)}, by="user:rosa")
    assert home.events("airbnb") == [(30, 33), (40, 43), (50, 51)]

    home.bokit.bookings.edit(DEFAULT_TENANT, made["id"], {"status": "cancelled"}, by="user:rosa")
    assert home.events("airbnb") == [(30, 33), (50, 51)]


def test_nights_that_a_person_adds_to_a_consumers_own_booking_are_exported_to_it(home):
    """Airbnb knows its four nights, and sees the fifth, until the edit is given up."""
    mine = next(b for b in home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat]) if b["check_in"] == home.day(20))

    home.bokit.bookings.edit(DEFAULT_TENANT, mine["id"], {"check_out": home.day(25)}, by="user:rosa")
    assert home.events("airbnb") == [(24, 25), (30, 33)]
    assert home.events("vrbo") == [(20, 25)]

    home.bokit.bookings.accept_remote(DEFAULT_TENANT, mine["id"], by="user:rosa")
    assert home.events("airbnb") == [(30, 33)]


def test_an_echo_is_not_exported(home):
    """VRBO closes what it imported of Airbnb's guest: it is exported once, and not to Airbnb."""
    home.world.block(VRBO, home.today + 20 * DAY, home.today + 24 * DAY)
    home.sync()

    states = {
        b["check_in"]: b["state"] for b in home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat]) if b["kind"] == "block"
    }
    assert states == {home.day(20): "echo"}
    assert home.events() == [(20, 24), (30, 33)]
    assert home.events("airbnb") == [(30, 33)]


def test_a_fading_closure_is_not_exported(home):
    """The guest cancels and VRBO still shows the echo: it is no longer exported, and no ring keeps it alive."""
    cancel_what_vrbo_repeats(home)

    assert home.events("booking_com") == [(30, 33), (60, 61), (64, 65)]
    assert home.events("airbnb") == [(30, 33)]


def cancel_what_vrbo_repeats(home: Flat) -> None:
    """Let VRBO import Airbnb's guest, who then cancels and is released; VRBO still shows what it imported."""
    stay = next(s.id for s in home.world.stays.values() if s.feed == AIRBNB)
    home.world.block(VRBO, home.today + 20 * DAY, home.today + 24 * DAY)
    home.book(AIRBNB, 60, 61)
    home.book(AIRBNB, 64, 65)
    home.sync()
    home.world.cancel(stay)
    for _ in range(27):
        home.sync()


def test_a_linked_unit_exports_its_whole_and_its_parts(home):
    """The flat's guests close the villa, the villa's the flat; Airbnb knows a booking only in its own listing."""
    app = home.add_unit("Whole villa", parts=[home.flat])
    home.make(40, 42, app)

    assert home.events("airbnb") == [(30, 33), (40, 42)]
    assert home.events("airbnb", app) == [(20, 24), (30, 33), (40, 42)]

    home.bokit.catalog.edit_unit(DEFAULT_TENANT, app, {"parts": []})
    assert home.events("airbnb") == [(30, 33)]
    assert home.events("airbnb", app) == [(40, 42)]


def test_each_variant_exports_its_own_events(home):
    """Occupied: all. Bookings: reservations. Arrivals and departures: a day for each."""
    home.make(50, 52, kind="block")

    assert home.events(variant=CalendarVariant.OCCUPIED) == [(20, 24), (30, 33), (50, 52)]
    assert home.events(variant=CalendarVariant.BOOKINGS) == [(20, 24), (30, 33)]
    assert home.events(variant=CalendarVariant.ARRIVALS) == [(20, 21), (30, 31)]
    assert home.events(variant=CalendarVariant.DEPARTURES) == [(24, 25), (33, 34)]


def test_no_guest_is_named_unless_it_is_asked_for(home):
    """By default no name, code, phone, note or address of a person is anywhere in the bytes, folded or not."""
    guest = {
        "guest_name": "Sentinel Guest",
        "reservation_code": "HMSENTINEL",
        "phone": "+39 055 012345",
        "phone_last4": "2345",
        "email": "sentinel@guests.example",
        "notes": "sentinel notes",
        "comments": "sentinel comments",
        "summary": "Sentinel sums",
        "reservation_url": "https://sentinel.example/1",
        "ota_reference": "SENT-1",
    }
    home.make(40, 42, **guest)
    plain, details = home.calendar(), home.calendar(details=True)
    names = {r.fields.get(name) for r in home.records() for name in guest} - {None, "Reserved"}

    def hidden(calendar: OutCalendar) -> bytes:
        return home.body(calendar).replace(b"\r\n ", b"")

    digits = {name for name in names if re.fullmatch(r"[0-9]{4}", str(name))}  # of phones; by chance, also of an id
    beside_ids = re.sub(rb"[0-9a-f]{12,}|[0-9]{8}T[0-9]{6}Z", b"", hidden(plain))
    assert not [name for name in names - digits if str(name).encode() in hidden(plain)]
    assert not [name for name in digits if str(name).encode() in beside_ids]
    assert b"entinel" not in hidden(plain)
    assert b"Sentinel Guest" in hidden(details)
    assert b"HMSENTINEL" in hidden(details)
    assert b"sentinel notes" not in hidden(details)

    home.bokit.catalog.options.set(DEFAULT_TENANT, "export.anonymous", False)
    assert b"Sentinel Guest" in hidden(plain)
    assert b"entinel" not in hidden(home.calendar("airbnb", details=False))
    home.bokit.catalog.options.unset(DEFAULT_TENANT, "export.anonymous")
    assert b"entinel" not in hidden(plain)


# ── what stays the same ──


def test_unchanged_data_is_unchanged_bytes(home):
    """Also after syncs that say nothing new, forced ones, another day, and another process on the same table."""
    calendar = home.calendar("airbnb")
    before = home.page(calendar)
    writes = home.store.load_record(DEFAULT_TENANT, CALENDARS, calendar.id).version

    for _ in range(3):
        home.sync(hours=20)
    home.bokit.calendars.publish_all(DEFAULT_TENANT)
    again = home.open().feeds.serve(home.bokit.calendars.token_of(calendar))

    assert before is not None
    assert again == before
    assert again.version == before.version
    assert home.open().calendars.write(calendar) == before.body
    assert home.store.load_record(DEFAULT_TENANT, CALENDARS, calendar.id).version == writes


def test_one_change_leaves_every_other_event_as_it_was(home):
    """A new booking adds an event; UID and DTSTAMP of the others stay."""

    def blocks(body: bytes) -> set[bytes]:
        return set(re.findall(rb"BEGIN:VEVENT.*?END:VEVENT", body, re.S))

    before = blocks(home.body(home.calendar()))
    home.move(hours=5)
    home.make(70, 72)
    after = blocks(home.body(home.calendar()))

    assert before < after
    assert len(after - before) == 1


def test_when_a_source_fails_its_last_good_bookings_stay_in(home):
    """Errors, broken bodies, empty calendars and half ones change no byte; another listing's feed only adds."""
    calendar = home.calendar("booking_com")
    before = home.page(calendar)

    for kind in ("500", "404", "timeout", "empty-calendar", "html", "truncated", "half", "bad-date"):
        home.world.fault(VRBO, kind)
        home.sync(hours=2)
        home.sync(hours=30)
        assert home.page(calendar) == before, kind
        home.world.clear()
        home.sync(hours=2)
    assert home.page(calendar) == before
    home.world.fault(VRBO, "other-listing")
    home.sync(hours=2)
    home.sync(hours=30)
    assert set(home.events("booking_com")) > {(20, 24), (30, 33)}


def test_nights_that_a_doubtful_feed_newly_closes_are_exported(home):
    """A held plan frees nothing and closes at once: with half of the old events and a new one, the new one is exported too."""
    home.book(VRBO, 40, 42)
    home.book(VRBO, 44, 46)
    home.book(VRBO, 50, 52)
    home.sync()
    before = set(home.events("airbnb"))
    for stay in [s.id for s in home.world.stays.values() if s.feed == VRBO and s.is_active][:3]:
        home.world.cancel(stay)
    home.book(VRBO, 80, 82)
    home.sync()

    assert before < set(home.events("airbnb"))
    assert {(80, 82)} == set(home.events("airbnb")) - before


def test_a_new_name_and_a_new_option_are_published(home):
    """Every change is in the page at once."""
    calendar = home.calendar()
    before = home.page(calendar)
    home.move(minutes=1)

    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"name": "Rose flat"})

    after = home.page(calendar)
    assert b"X-WR-CALNAME:Rose flat" in after.body
    assert after.etag != before.etag
    assert after.changed_at > before.changed_at


def test_what_a_person_releases_is_no_longer_exported(home):
    """A held plan that is applied, and a source that is removed with its nights, change the page at once; not before."""
    guests = [home.book(VRBO, first, first + 2) for first in (40, 44, 50, 54)]
    home.sync()
    before = home.events("airbnb")
    for stay in guests[:3]:
        home.world.cancel(stay)
    home.sync()
    assert home.events("airbnb") == before
    source = next(s for s in home.store.load_sources(DEFAULT_TENANT) if s.url == VRBO)

    home.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=None, apply=True, by="user:rosa")
    assert home.events("airbnb") == [(30, 33), (54, 56)]
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")
    assert home.events("airbnb") == [(30, 33), (54, 56)]
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa")
    assert home.events("airbnb") == []


def test_two_changes_within_a_second_are_two_of_last_modified(home):
    """Last-Modified has whole seconds: another body gets another second."""
    calendar = home.calendar()
    seconds = set()
    for n in range(4):
        home.make(60 + 2 * n, 61 + 2 * n)
        seconds.add(home.page(calendar).changed_at.replace(microsecond=0))

    assert len(seconds) == 4


# ── paths ──


def test_a_calendar_is_opened_once(home):
    """The same consumer, variant and details are the same calendar, and the same address; others are others."""
    calendars = [
        home.calendar("airbnb"),
        home.calendar("AirBnB"),
        home.calendar("vrbo"),
        home.calendar(variant=CalendarVariant.ARRIVALS),
    ]
    urls = [home.bokit.calendars.url_of(c) for c in calendars]

    assert calendars[0] == calendars[1]
    assert len(set(urls)) == 3
    assert all(u.startswith("https://api.example/feeds/") and u.endswith(".ics") and len(u) == 73 for u in urls)
    assert len(home.bokit.calendars.list_calendars(DEFAULT_TENANT, home.flat)) == 3


def test_the_path_is_stored_nowhere(home):
    """Records and pages keep its hash."""
    calendar = home.calendar("airbnb")
    token = home.bokit.calendars.token_of(calendar)

    assert token not in repr(home.store.__dict__)
    assert hash_token(token) == calendar.token_hash


def test_serving_is_one_read_for_any_reader(home):
    """A valid path, an invented one, one that is none, an expired one and a removed one cost the same: one read."""
    calendar = home.calendar("airbnb")
    token = home.bokit.calendars.token_of(calendar)
    home.bokit.calendars.rotate(DEFAULT_TENANT, calendar.id, timedelta(hours=1))
    gone = home.calendar("vrbo")
    home.bokit.calendars.remove(DEFAULT_TENANT, gone.id)
    current = home.bokit.calendars.token_of(home.calendar("airbnb"))
    home.move(hours=2)
    home.open().feeds.serve(current)
    counting = CallCounter(home.store)
    server = home.open(counting).feeds

    for text in (current, token, home.bokit.calendars.token_of(gone), "A" * 43, "x", "ü" * 5000, "../../etc", ""):
        counting.calls.clear()
        assert (server.serve(text) is not None) is (text == current)
        assert counting.calls == ["find_published"], text


def test_a_read_is_recorded_once_in_a_quarter_of_an_hour(home):
    """One conditional write, and one more for a page that changed; publishing keeps it."""
    calendar = home.calendar("airbnb")
    token, counting = home.bokit.calendars.token_of(calendar), CallCounter(home.store)
    server = home.open(counting).feeds

    for minutes, writes in ((0, 1), (5, 1), (9, 1), (1, 2)):
        home.move(minutes=minutes)
        server.serve(token)
        assert counting.calls.count("touch_published") == writes, minutes
    read_at = home.store.find_published(calendar.token_hash).read_at
    home.make(40, 42)

    assert read_at == home.clock() or read_at < home.clock()
    assert home.store.find_published(calendar.token_hash).read_at == read_at
    for _ in range(3):
        server.serve(token)
    assert counting.calls.count("touch_published") == 3, "a page that changed is news once"


def test_a_page_is_served_where_its_read_cannot_be_recorded(home):
    """Recording is best effort."""

    class Throttled(CallCounter):
        def touch_published(self, *args):
            raise StoreConflictError("throttled")

    calendar = home.calendar("airbnb")
    page = home.open(Throttled(home.store)).feeds.serve(home.bokit.calendars.token_of(calendar))

    assert page is not None
    assert page.body


def test_a_rotated_path_works_for_its_overlap(home):
    """Both show the same meanwhile, and the same changes; then the former is unknown."""
    first = home.calendar("airbnb")
    second = home.bokit.calendars.rotate(DEFAULT_TENANT, first.id, timedelta(hours=3))
    home.make(40, 42)

    assert home.body(first) == home.body(second)
    home.move(hours=2.9)
    home.make(44, 45)
    assert home.body(first) == home.body(second)
    home.move(hours=0.2)
    assert home.page(first) is None
    home.make(47, 48)
    assert home.page(first) is None
    assert home.page(second) is not None


def test_a_path_that_is_rotated_without_overlap_ends_at_once(home):
    """For an address that leaked."""
    first = home.calendar("airbnb")
    second = home.bokit.calendars.rotate(DEFAULT_TENANT, first.id, timedelta())

    assert home.page(first) is None
    assert home.page(second) is not None


def test_a_second_rotation_ends_the_first_path(home):
    """One former path at a time."""
    first = home.calendar("airbnb")
    second = home.bokit.calendars.rotate(DEFAULT_TENANT, first.id)
    third = home.bokit.calendars.rotate(DEFAULT_TENANT, first.id)

    assert home.page(first) is None
    assert home.page(second).body == home.page(third).body


def test_a_removed_calendar_is_unknown_and_comes_back_under_another_path(home):
    """Nothing publishes it again, and its old address stays dead when it is opened again."""
    first = home.calendar("airbnb")
    home.bokit.calendars.remove(DEFAULT_TENANT, first.id)
    home.make(40, 42)

    assert home.page(first) is None
    with pytest.raises(UnknownIdError):
        home.bokit.calendars.rotate(DEFAULT_TENANT, first.id)
    again = home.calendar("airbnb")
    assert again.id == first.id
    assert home.page(first) is None
    assert home.page(again) is not None


def test_a_removed_unit_takes_its_calendars_along(home):
    """The pages of a removed unit are unknown."""
    loft = home.add_unit("Loft")
    home.make(-3, -1, loft)
    calendar = home.calendar(unit=loft)
    assert home.page(calendar) is not None

    home.bokit.catalog.remove_unit(DEFAULT_TENANT, loft)

    assert home.page(calendar) is None


def test_another_tenant_has_none_of_it(home):
    """Ids of one tenant's calendars and units say nothing to another."""
    calendar, other = home.calendar("airbnb"), TenantId("other")
    home.bokit.catalog.add_tenant("Other", "other")
    for ask in (
        lambda: home.bokit.calendars.find(other, calendar.id),
        lambda: home.bokit.calendars.rotate(other, calendar.id),
        lambda: home.bokit.calendars.remove(other, calendar.id),
        lambda: home.bokit.calendars.open(other, home.flat),
    ):
        with pytest.raises(UnknownIdError):
            ask()
    assert home.bokit.calendars.list_calendars(other, home.flat) == []


def test_another_secret_takes_no_address_away(home):
    """A stack that lost its secret serves the old paths, shows no wrong address, and makes a right one by rotation."""
    calendar = home.calendar("airbnb")
    token = home.bokit.calendars.token_of(calendar)
    bokit = home.open(calendar_key=lambda: "another secret")
    calendars = bokit.calendars

    assert calendars.url_of(calendar) is None
    assert bokit.feeds.serve(token) is not None
    rotated = calendars.rotate(DEFAULT_TENANT, calendar.id)
    assert bokit.feeds.serve(token) is not None
    assert calendars.url_of(rotated).startswith("https://")


def test_what_time_alone_changes_is_exported_when_it_is_requested(home):
    """A page is published again by the first request after its ``refresh_at``, although no sync comes."""
    cancel_what_vrbo_repeats(home)
    calendar = home.calendar("booking_com")
    page = home.page(calendar)
    assert (20, 24) not in home.events("booking_com")
    assert page.refresh_at is not None
    home.clock.at = page.refresh_at + DAY

    renewed = home.page(calendar)

    assert (20, 24) in home.events("booking_com")  # it outlived what it repeated: a closure of its own
    assert renewed.refresh_at is None


# ── races ──


class Slow:
    """A store that waits where a test says, so that another writes in between."""

    def __init__(self, inner: Any, at: str, meanwhile: Any) -> None:
        self._inner, self._at, self._meanwhile = inner, at, meanwhile

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name != self._at or self._meanwhile is None:
            return method
        meanwhile, self._meanwhile = self._meanwhile, None

        def call(*args: Any, **given: Any) -> Any:
            meanwhile()
            return method(*args, **given)

        return call


def publish_slowly(home: Flat, at: str, meanwhile: Any) -> None:
    """Publish, and sleep before the first call of *at* while *meanwhile* happens."""
    CalendarPublisher(Slow(home.store, at, meanwhile), {}).publish(DEFAULT_TENANT, [Scope(home.flat)], home.clock())


def spoil(home: Flat, calendar: OutCalendar) -> None:
    """Make the page one that has to be written again."""
    page = home.page(calendar)
    assert page is not None
    home.store.save_published(replace(page, etag='"0"'))


def test_a_slow_publisher_never_has_the_last_word(home):
    """A publisher that is delayed while another writes and publishes a booking does not lose it: the page has both."""
    calendar = home.calendar("airbnb")
    for first in (40, 44):
        spoil(home, calendar)
        publish_slowly(home, "save_published", lambda first=first: home.make(first, first + 2))

    assert home.events("airbnb") == [(30, 33), (40, 42), (44, 46)]


def test_a_slow_publisher_brings_no_removed_path_back(home):
    """Removed while it slept, before there ever was a page, or after."""
    for is_first in (True, False):
        calendar = home.calendar("airbnb")
        if is_first:
            home.store.delete_published(calendar.token_hash)
        else:
            spoil(home, calendar)
        publish_slowly(home, "save_published", lambda calendar=calendar: home.bokit.calendars.remove(DEFAULT_TENANT, calendar.id))

        assert home.page(calendar) is None


def test_a_slow_publisher_gives_no_rotated_path_more_time(home):
    """Rotated while it slept: the former path still ends."""
    calendar = home.calendar("airbnb")
    spoil(home, calendar)
    hour = timedelta(hours=1)
    publish_slowly(home, "save_published", lambda: home.bokit.calendars.rotate(DEFAULT_TENANT, calendar.id, hour))
    assert home.page(calendar) is not None

    home.move(hours=2)

    assert home.page(calendar) is None


def test_a_path_that_ends_between_its_calendar_and_its_page_stays_ended(home):
    """A publisher read the calendar, slept while the path was rotated or removed, and only then read the page."""
    for end in (
        lambda c: home.bokit.calendars.rotate(DEFAULT_TENANT, c.id, timedelta()),
        lambda c: home.bokit.calendars.remove(DEFAULT_TENANT, c.id),
    ):
        calendar = home.calendar("airbnb")

        publish_slowly(home, "find_published", lambda end=end, calendar=calendar: end(calendar))

        assert home.page(calendar) is None


@pytest.mark.parametrize("at", ["find_published", "load_places", "save_published"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_slow_run_does_not_undo_a_new_option(home, at, linked):
    """A booking is written while the option changes, at any moment of the run: its guest is named."""
    calendar = home.calendar("airbnb", home.add_unit("Whole villa", parts=[home.flat]) if linked else None)
    slow = home.open(Slow(home.store, at, lambda: home.bokit.catalog.options.set(DEFAULT_TENANT, "export.anonymous", False)))

    days = {"check_in": home.day(40), "check_out": home.day(42), "guest_name": "Ann"}
    slow.bookings.create(DEFAULT_TENANT, home.flat, days, by="user:rosa")

    assert b"Ann" in home.body(calendar)


@pytest.fixture(params=["memory", pytest.param("emulator", marks=[needs_emulator, pytest.mark.enable_socket])])
def store(request: pytest.FixtureRequest) -> Any:
    """The stores that stand threads."""
    if request.param == "memory":
        return MemoryStore()
    request.getfixturevalue("aws")
    return empty_table(request.getfixturevalue("emulated_store"))


@pytest.mark.slow
def test_of_many_writers_at_once_the_last_page_has_the_last_state(store):
    """Four write bookings by hand, one rotates, one renames, all at once: both paths have every booking in the end."""
    home = Flat(store)
    calendar, processes = home.calendar("airbnb"), [home.open() for _ in range(4)]
    broken: list[BaseException] = []
    start = threading.Barrier(6)

    def book(bokit: Bokit, number: int) -> None:
        for turn in range(3):
            first = 10 + 20 * number + 4 * turn
            days = {"check_in": home.day(first), "check_out": home.day(first + 2)}
            bokit.bookings.create(DEFAULT_TENANT, home.flat, days, by="user:rosa")

    def run(work: Any, *args: Any) -> None:
        try:
            start.wait(30)
            work(*args)
        except BaseException as error:
            broken.append(error)

    jobs = [(book, bokit, n) for n, bokit in enumerate(processes)]
    jobs += [(home.open().calendars.rotate, DEFAULT_TENANT, calendar.id)]
    jobs += [(home.open().catalog.edit_unit, DEFAULT_TENANT, home.flat, {"name": "Rose flat"})]
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert broken == []
    after = home.bokit.calendars.find(DEFAULT_TENANT, calendar.id)
    body = home.body(after)
    assert body == home.body(calendar) == home.bokit.calendars.write(after)
    assert body.count(b"BEGIN:VEVENT") == 12
    assert b"Rose flat" in body
    expires = {home.store.find_published(c.token_hash).expires_at for c in (calendar, after)}
    assert len(expires) == 2
