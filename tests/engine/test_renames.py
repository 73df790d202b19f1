"""A feed that renames everything at each fetch: its names, UIDs and events are damped, its nights are not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.bookings.stay import is_window
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.records import Record, RecordId
from bokit.core.model.runs import Outcome
from bokit.core.occupancy.out_calendar import CalendarChoice
from tests.support.feed_bodies import TODAY
from tests.support.one_feed_app import OneFeedApp
from tests.support.published_nights import nights, published_nights

DAY = timedelta(days=1)
FIRST = (
    "Anna",
    "Bert",
    "Carla",
    "Dirk",
    "Emil",
    "Frida",
    "Gustav",
    "Hanna",
    "Ivo",
    "Jule",
    "Karl",
    "Lena",
    "Mia",
    "Nils",
    "Olga",
)
LAST = ("Abel", "Brandt", "Clausen", "Dorn", "Ebert", "Fink", "Gruber", "Heller", "Iversen", "Jansen", "Kurz", "Lang", "Moser")
Write = Callable[[int, int], str]
"""Writes a part of a stay's event, by the number of the stay and of the fetch."""


def name(stay: int, fetch: int) -> str:
    return f"{FIRST[(stay + 7 * fetch) % 15]} {LAST[(stay * 5 + fetch) % 13]}{fetch}"


PARTS: dict[str, dict[str, Write]] = {
    "uid": {"new": lambda n, k: f"u{k}-{n}@feeds.example", "same": lambda n, k: f"u{n}@feeds.example"},
    "name": {"new": name, "same": lambda n, k: name(n, 0), "label": lambda n, k: "Reserved"},
}
RENAMING = [(uid, named) for uid in PARTS["uid"] for named in PARTS["name"] if "new" in (uid, named)]
"""Which parts are other ones at each fetch."""


class RenamingApp(OneFeedApp):
    """A host of one flat with a feed that renames its stays in one of these ways, and a published calendar."""

    def __init__(self, uid: str = "new", named: str = "new") -> None:
        super().__init__()
        self.write = {"UID": PARTS["uid"][uid], "SUMMARY": PARTS["name"][named]}
        self.calendar = self.bokit.calendars.open(DEFAULT_TENANT, self.unit, CalendarChoice())
        self.fetches, self.head = 0, "-//House//Diary//EN"
        self.outcomes: list[Outcome] = []

    def show(self, stays: Mapping[int, tuple[int, int]], *, renamed: bool = True, times: int = 1) -> None:
        """Let the feed show these stays, by their numbers, so many fetches long; *renamed*: called otherwise at each."""
        for _ in range(times):
            self.fetches += renamed
            body = feed(stays, self.write, self.fetches, self.head)
            if not self.bokit.catalog.sources.list_sources(DEFAULT_TENANT):
                self.add(body)
            else:
                self.outcomes.append(self.sync(body).outcome)

    def bookings(self) -> list[Record]:
        return [r for r in self.records() if not is_window(r)]

    def lines(self) -> int:
        logs = [self.store.load_changes(DEFAULT_TENANT, r.id, limit=1000).items for r in self.records()]
        return sum(map(len, logs))

    def published(self) -> set[date]:
        page = self.bokit.feeds.serve(self.bokit.calendars.token_of(self.calendar))
        assert page is not None
        return published_nights(page.body)

    def notices(self, kind: str) -> int:
        return [n.type for n in self.alerts.notices.values()].count(kind)

    def status(self) -> Any:
        return self.bokit.status.load_status(DEFAULT_TENANT)["sources"][0]


def feed(stays: Mapping[int, tuple[int, int]], write: Mapping[str, Write], fetch: int, head: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{head}"]
    for number, (start, length) in stays.items():
        lines += ["BEGIN:VEVENT", f"DTSTART;VALUE=DATE:{TODAY + DAY * start:%Y%m%d}"]
        lines += [f"DTEND;VALUE=DATE:{TODAY + DAY * (start + length):%Y%m%d}"]
        lines += [f"{key}:{text}" for key, part in write.items() if (text := part(number, fetch))]
        lines.append("END:VEVENT")
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def closed(stays: Iterable[tuple[int, int]]) -> set[date]:
    return {n for start, length in stays for n in nights(TODAY + DAY * start, TODAY + DAY * (start + length))}


def stays_of(count: int) -> dict[int, tuple[int, int]]:
    """Return so many stays, of two to four nights."""
    return {n: (20 + 6 * n, 2 + n % 3) for n in range(count)}


@pytest.mark.parametrize("count", [1, 2, 3, 6, 40])
@pytest.mark.parametrize("way", RENAMING, ids="-".join)
def test_renaming_ends_in_nothing_new(way: tuple[str, str], count: int) -> None:
    """After three fetches that rename everything, twenty more make no record, no line and no other outcome."""
    app, stays = RenamingApp(*way), stays_of(count)
    app.show(stays, times=6)
    records, lines = len(app.records()), app.lines()
    app.show(stays, times=20)

    assert (len(app.records()), set(app.outcomes[-20:])) == (records, {Outcome.UNCHANGED})
    assert app.lines() - lines <= 2 * (records - count)  # what the first fetches made is cancelled in its time
    assert app.held() == app.published() == closed(stays.values())
    assert app.notices("source.renaming") == (way[1] == "new")  # nobody sees UIDs
    assert (app.status()["renames_since"] is not None) == (way[1] == "new")
    assert app.status()["state"] == "ok"


@pytest.mark.parametrize("way", RENAMING, ids="-".join)
def test_an_edit_stays_with_its_nights(way: tuple[str, str]) -> None:
    """What a person wrote about a booking before stays on the booking with its nights."""
    app, stays = RenamingApp(*way), stays_of(3)
    app.show(stays)
    edited = {r.id: f"note {n}" for n, r in enumerate(app.bookings())}
    for record_id, note in edited.items():
        app.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, {"notes": note}, by="user:rosa")
    before = {r.id: (r.fields["check_in"], r.fields["notes"]) for r in app.bookings()}
    app.show(stays, times=40)
    after = {r.id: (r.fields["check_in"], r.fields.get("notes")) for r in app.bookings() if r.gone_at is None}

    assert {i: after[RecordId(i)] for i in before} == before
    assert len(after) == 3


@pytest.mark.parametrize("seed", range(6))
def test_nights_come_at_once_and_go_by_evidence(seed: int) -> None:
    """Six random weeks of a renaming feed: what it closes is held and published at once; what it opens, open in two days."""
    chance = random.Random(seed)
    way = chance.choice(RENAMING)
    app, stays = RenamingApp(*way), stays_of(chance.randint(1, 8))
    app.show(stays, times=5)
    tried = 0
    for number in range(100, 120):
        start = chance.randint(120, 400)
        if not closed([(start, 4)]) & closed(stays.values()):
            stays[number] = (start, chance.randint(1, 4))
        if chance.random() < 0.3 and len(stays) > 2:
            del stays[chance.choice(sorted(stays))]
        for _ in range(chance.randint(1, 12)):
            app.show(stays)
            tried += 1
            assert closed(stays.values()) <= app.held()
            assert closed(stays.values()) <= app.published()
    assert tried > 50
    if way == ("new", "label"):
        return  # without names and UIDs, whose feed it is depends on the nights alone, as decision 11 says
    app.show(stays, times=50)

    assert app.held() == app.published() == closed(stays.values())
    assert len([r for r in app.bookings() if r.gone_at is None]) == len(stays)


def test_one_renaming_is_believed_as_before() -> None:
    """A feed that issues other UIDs once, and keeps them, is taken over; nothing is damped."""
    app, stays = RenamingApp("new", "same"), stays_of(4)
    app.show(stays)
    app.show(stays)
    app.show(stays | {50: (200, 2)}, renamed=False)
    app.show(stays | {50: (200, 2), 51: (210, 2)}, renamed=False, times=3)

    assert {r.key for r in app.bookings()} == {f"u2-{n}@feeds.example" for n in (*range(4), 50, 51)}
    assert app.notices("source.renaming") == 0
    assert app.status()["renames_since"] is None


def test_a_feed_that_is_renamed_each_week_is_believed() -> None:
    """Renamings that are days apart are three events, not a habit: each is taken over."""
    app, stays = RenamingApp("new", "same"), stays_of(4)
    for _ in range(6):
        app.show(stays)
        app.show(stays, renamed=False, times=30)

    assert {r.key for r in app.bookings()} == {f"u6-{n}@feeds.example" for n in range(4)}
    assert app.status()["renames_since"] is None


def test_once_it_calls_them_the_same_for_a_day_they_are_called_so() -> None:
    """A feed that has stopped is taken over after a day: names and UIDs are its own, on the same bookings, in one line each."""
    app, stays = RenamingApp(), stays_of(4)
    app.show(stays, times=30)
    ids, lines = {r.id for r in app.bookings() if r.gone_at is None}, app.lines()
    app.show(stays, renamed=False, times=22)
    known = [r.fields["summary"] for r in app.bookings() if r.gone_at is None]
    app.show(stays, renamed=False, times=6)
    live = [r for r in app.bookings() if r.gone_at is None]

    assert known == [name(n, 1) for n in range(4)]
    assert [r.fields["summary"] for r in live] == [name(n, 30) for n in range(4)]
    assert {r.key for r in live} == {f"u30-{n}@feeds.example" for n in range(4)}
    assert {r.id for r in live} == ids
    assert app.lines() == lines + 4
    assert app.status()["renames_since"] is None
    app.show(stays, times=30)
    assert app.notices("source.renaming") == 2


@pytest.mark.parametrize("order", [(2, 1), (2, 1, 2), (2, 2, 1), (2, 3, 1), (2, 3), (2, 3, 3, 2)], ids=str)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_old_answers_between_new_ones_are_no_renaming(order: tuple[int, ...], count: int) -> None:
    """Each guest cancelled and others booked the same nights; a cache still shows the old ones now and then.

    The note of a guest who was shown again stays theirs, and goes to none of the others.
    """
    app, stays = RenamingApp(), stays_of(count)
    app.show(stays)
    ours = app.bookings()[0]
    app.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, ours.id, {"notes": "dog"}, by="user:rosa")
    for fetch in order * 6:
        app.fetches = fetch
        app.show(stays, renamed=False)

    noted = next(r for r in app.records() if r.id == ours.id)
    assert (noted.fields["notes"], noted.fields["summary"]) == ("dog", name(0, 1))
    assert (app.notices("source.renaming"), app.status()["renames_since"]) == (0, None)
    assert closed(stays.values()) <= app.held()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_guests_on_each_others_nights_are_no_renaming(count: int) -> None:
    """Others booked all nights, the first guests are back, each on the nights of the next, and then others booked once more.

    Every name of the third fetch is known, though on none of its own nights, so nothing was renamed there.
    """
    app, stays = RenamingApp(), stays_of(count)
    app.show(stays, times=2)
    app.fetches = 1
    app.show({n: stays[(n + 1) % count] for n in stays}, renamed=False)
    app.fetches = 2
    app.show(stays, times=2)

    assert (app.notices("source.renaming"), app.status()["renames_since"]) == (0, None)
    assert closed(stays.values()) <= app.held()
    app.show(stays)
    assert (app.notices("source.renaming"), app.status()["renames_since"] is None) == (1, False)


def test_another_listings_feed_is_held_as_before() -> None:
    """A renaming source that shows other nights altogether is another listing's: it is held, and its nights are closed."""
    app, stays = RenamingApp(), stays_of(5)
    app.show(stays, times=10)
    other = {n: (300 + 7 * n, 3) for n in range(5)}
    app.show(other)

    assert app.outcomes[-1] is Outcome.HELD
    assert app.held() == closed([*stays.values(), *other.values()])


@pytest.mark.parametrize("way", [("new", "new"), ("new", "label")], ids="-".join)
@pytest.mark.parametrize(("known", "shown"), [(1, 5), (5, 2), (5, 5)])
def test_what_is_kept_does_not_prove_whose_feed_it_is(way: tuple[str, str], known: int, shown: int) -> None:
    """Another listing's feed renames everything too, and one stay has the nights of ours: it is held for as long as it comes."""
    app, stays = RenamingApp(*way), stays_of(known)
    app.show(stays, times=10)
    other = {n: stays[n] if n < 1 else (300 + 7 * n, 3) for n in range(shown)}
    app.show(other, times=10)

    assert set(app.outcomes[-10:]) == {Outcome.HELD}
    assert app.held() == app.published() == closed([*stays.values(), *other.values()])


AIRBNB: dict[str, Write] = {
    "codes": lambda n, k: f"Reservation URL: https://www.airbnb.com/hosting/reservations/details/HM{k:04d}{n:04d}",
    "phones": lambda n, k: f"Phone Number (Last 4 Digits): {(n * 7 + k) % 10000:04d}",
}


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("part", AIRBNB)
def test_codes_and_telephones_that_change_at_each_fetch_are_damped(part: str, count: int) -> None:
    """The codes, or the telephone numbers, of a whole calendar change at each fetch: after three that ends in nothing new."""
    app, stays = RenamingApp("same", "label"), stays_of(count)
    app.write = {**app.write, "DESCRIPTION": AIRBNB[part]}
    app.head = "-//Airbnb Inc//Hosting Calendar 1.0//EN"
    app.show(stays, times=6)
    records, lines = len(app.records()), app.lines()
    app.show(stays, times=40)

    assert set(app.outcomes[-10:]) == {Outcome.UNCHANGED}
    assert len(app.records()) == records <= 3 * count + 1
    assert app.lines() - lines <= 2 * (records - count)
    assert app.held() == app.published() == closed(stays.values())
    assert app.notices("source.renaming") == 1
