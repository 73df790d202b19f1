"""Quotas: what is over them is refused or waits, and no newly closed night waits with it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from bokit.core.bookings.stay import is_window
from bokit.core.bookings.stay import published_nights as nights_of_window
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, ShardId, Source
from bokit.core.model.due_times import interval_of
from bokit.core.model.options import LEAST_INTERVAL, Options
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas, day_of, next_day, read_quotas
from bokit.core.model.records import Record, RecordId, Scope, SourceId
from bokit.core.model.runs import Outcome, SourceReport
from bokit.core.occupancy.out_calendar import CalendarChoice
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.errors import InputError, QuotaError
from tests.support.feed_bodies import TODAY, airbnb_event, booking_event, calendar, vrbo_event
from tests.support.json_app import JsonApp
from tests.support.one_feed_app import OneFeedApp
from tests.support.published_nights import nights, published_nights

DAY = timedelta(days=1)
EVENTS = {"airbnb": airbnb_event, "booking_com": booking_event, "vrbo": vrbo_event}


class BoundedApp(OneFeedApp):
    """A host of one flat whose quotas a test sets, and whose calendar is published."""

    def __init__(self) -> None:
        super().__init__()
        self.calendar = self.bokit.calendars.open(DEFAULT_TENANT, self.unit, CalendarChoice())

    def bound(self, **limits: int) -> None:
        self.store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName(name)): limit for name, limit in limits.items()})

    def used(self, name: str) -> int:
        return self.store.load_usage(DEFAULT_TENANT, day_of(self.clock()))[QuotaName(name)]

    def bookings(self) -> list[Record]:
        return [r for r in self.records() if not is_window(r)]

    def published(self) -> set[date]:
        """Return the nights that the outgoing calendar closes."""
        page = self.bokit.feeds.serve(self.bokit.calendars.token_of(self.calendar))
        assert page is not None
        return published_nights(page.body)

    def next_day(self, body: bytes | None = None) -> SourceReport:
        self.clock.at = next_day(self.clock.at)
        return self.sync(body)

    def notices(self) -> list[str]:
        return sorted(n.type for n in self.alerts.notices.values())


def feed_of(platform: str, stays: Iterable[tuple[int, int]]) -> bytes:
    """Return a feed of stays of two nights, by their numbers and the days on which they begin."""
    return calendar(platform, (EVENTS[platform](number, TODAY + DAY * start, 2) for number, start in stays))


def closed_by(stays: Iterable[tuple[int, int]]) -> set[date]:
    return {n for _, start in stays for n in nights(TODAY + DAY * start, TODAY + DAY * (start + 2))}


@pytest.mark.parametrize("platform", EVENTS)
def test_over_the_quota_of_records_the_rest_is_held_as_nights(platform: str) -> None:
    """Of nine bookings the five nearest are there; the nights of the rest are in one window, held and published at once."""
    app, stays = BoundedApp(), [(n, 3 * n) for n in range(1, 10)]
    app.bound(records=5)
    app.add(feed_of(platform, stays))

    assert app.held() == app.published() == closed_by(stays)
    assert [str(r.remote["check_in"]) for r in app.bookings()] == [(TODAY + DAY * s).isoformat() for _, s in stays[:5]]
    assert app.used("records") == 5
    [window] = [r for r in app.records() if is_window(r)]
    assert nights_of_window(window) == closed_by(stays[5:])


def test_the_owner_is_notified_once_and_the_status_says_it() -> None:
    """A source that waits for room is held, with one notice, however often it is synced and its feed changes."""
    app, stays = BoundedApp(), [(n, 3 * n) for n in range(1, 10)]
    app.bound(records=5)
    app.add(feed_of("airbnb", stays))
    report = app.sync(times=5)
    for more in range(10, 15):
        report = app.sync(feed_of("airbnb", [*stays, (more, 3 * more)]))

    assert app.notices() == ["source.held"]
    assert (report.outcome, report.error and report.error["code"]) == (Outcome.HELD, "quota")
    status = app.bokit.status.load_status(DEFAULT_TENANT)
    hold = status["sources"][0]["hold"]
    assert hold is not None
    assert all(word in hold["message"] for word in ("5 records", "TenantRecords", "published"))
    assert {(q["name"], q["used"], q["limit"]) for q in status["quotas"]} >= {("records", 5, 5), ("sources", 1, None)}


@pytest.mark.parametrize("limits", [{"records": 5}, {"writes": 3}])
def test_the_same_content_over_a_quota_costs_its_work_once(limits: dict[str, int]) -> None:
    """Where a quota holds a source, its unchanged calendar is not planned again that day: no lease, no write, no night lost."""
    app, stays = BoundedApp(), [(n, 3 * n) for n in range(1, 10)]
    app.bound(**limits)
    app.clock.at = next_day(app.clock.at)
    source = app.add(feed_of("vrbo", stays))
    fences = []
    for _ in range(6):
        app.sync()
        fences.append(app.store.load_head(source).fence)

    assert len(set(fences)) == 1
    assert app.held() == app.published() == closed_by(stays)
    assert app.notices() == ["source.held"]


@pytest.mark.parametrize("way", ["by the next change", "by the next day"])
def test_with_room_again_the_nights_become_bookings(way: str) -> None:
    """Once the quota is raised, every stay is a booking, by the next change or day; no night is open meanwhile."""
    app, stays = BoundedApp(), [(n, 3 * n) for n in range(1, 10)]
    app.bound(records=5)
    app.add(feed_of("airbnb", stays))
    app.bound(records=100)
    if way == "by the next change":
        stays.append((10, 40))
        report = app.sync(feed_of("airbnb", stays))
    else:
        report = app.next_day()

    assert report.outcome is Outcome.CHANGED
    assert len(app.bookings()) == len(stays)
    assert app.held() == app.published() == closed_by(stays)
    assert not any(nights_of_window(r) for r in app.records() if is_window(r))


def test_when_the_days_writes_are_used_up_new_nights_come_and_all_else_waits() -> None:
    """A new stay and a moved one close their nights at once; a cancelled one stays closed; the next day all is as shown."""
    app, before = BoundedApp(), [(n, 3 * n) for n in range(1, 6)]
    app.add(feed_of("airbnb", before))
    app.bound(writes=app.used("writes"))
    written = app.used("writes")
    after = [(1, 3), (2, 60), (4, 12), (5, 15), (9, 80)]  # 2 moved, 3 is gone, 9 is new
    report = app.sync(feed_of("airbnb", after))

    assert report.error
    assert report.error["code"] == "quota"
    assert app.held() == app.published() == closed_by(before) | closed_by(after)
    assert app.used("writes") == written + 1
    app.next_day()
    app.bound()
    app.sync(times=3)
    assert len(app.bookings()) == 6
    assert app.held() >= closed_by(after)
    assert not closed_by([(2, 6)]) & app.held()


@pytest.mark.parametrize("seed", range(12))
def test_no_quota_opens_or_delays_a_night(seed: int) -> None:
    """Twelve random months of feeds under random quotas: after every sync what the feed closes is held and published.

    Each night that a stay held while the feed shows it open may be held longer, as without quotas.
    """
    chance, app, tried = random.Random(seed), BoundedApp(), 0
    platform = chance.choice(sorted(EVENTS))
    stays = {n: 3 * n for n in range(1, 7)}
    app.add(feed_of(platform, stays.items()))
    for number in range(10, 40):
        app.bound(**{name: app.used(name) + chance.randint(0, 4) for name in ("records", "writes") if chance.random() < 0.7})
        for _ in range(chance.randint(0, 3)):
            stays.pop(chance.choice(sorted(stays)), None) if chance.random() < 0.3 and len(stays) > 4 else None
            start = chance.randint(2, 200)
            if not closed_by([(0, start)]) & closed_by(stays.items()):
                stays[number * 10 + len(stays)] = start
        if chance.random() < 0.2:
            app.clock.at = next_day(app.clock.at)
        app.sync(feed_of(platform, stays.items()))
        today = app.clock().date() + DAY  # the flat is east of UTC
        due = {n for n in closed_by(stays.items()) if n >= today}
        tried += 1

        assert due <= app.held()
        assert due <= app.published()
    assert tried == 30


def test_an_unchanged_sync_counts_nothing() -> None:
    """A sync without news writes what it wrote before quotas: its number of writes stays, over and under a quota."""
    app, stays = BoundedApp(), [(n, 3 * n) for n in range(1, 4)]
    app.add(feed_of("airbnb", stays))
    app.sync(times=2)
    counts = []
    for limits in ({}, {"records": 0}, {"writes": 0}):
        app.bound(**limits)
        before = app.used("writes")
        app.sync(times=3)
        counts.append(app.used("writes") - before)

    assert counts == [0, 0, 0]
    assert app.feed.answers[-9:] == ["304"] * 9


def test_a_person_reads_the_limit_and_nothing_is_written() -> None:
    """A booking by hand and an edit over a quota are refused with the limit, what is used and the parameter."""
    app = BoundedApp()
    days = {"check_in": "2027-01-01", "check_out": "2027-01-04"}
    made = app.bokit.bookings.create(DEFAULT_TENANT, app.unit, days, by="user:rosa")
    app.bound(records=1)
    with pytest.raises(QuotaError) as full:
        app.bokit.bookings.create(DEFAULT_TENANT, app.unit, {"check_in": "2027-02-01", "check_out": "2027-02-04"}, by="user:rosa")
    app.bound(writes=app.used("writes") + 1)
    with pytest.raises(QuotaError) as written:
        app.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, RecordId(made["id"]), {"notes": "late"}, by="user:rosa")

    assert full.value.facts == {"quota": "records", "limit": 1, "used": 1, "parameter": "TenantRecords"}
    assert written.value.facts == {"quota": "writes", "limit": 3, "used": 2, "parameter": "TenantWrites"}
    assert [r.fields.get("notes") for r in app.records()] == [None]


def test_items_of_an_api_wait_for_room_and_the_others_are_kept_up() -> None:
    """Of a JSON API as many records are made as there is room for; those that are there follow it; the rest comes later."""
    app = JsonApp()
    app.sync()
    known = len(app.records())
    app.store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName.RECORDS): known + 2})
    app.hour()
    for _ in range(5):
        app.api.add(app.clock.at)
    app.api.change(1, app.clock.at, name="Renamed")
    first = app.sync().sources[0]
    there = len(app.records())
    app.store.quotas = Quotas()
    app.clock.at = next_day(app.clock.at)
    second = app.sync().sources[0]

    assert (first.outcome, first.error and first.error["code"], there) == (Outcome.HELD, "quota", known + 2)
    assert app.record(1).fields["name"] == "Renamed"
    assert (second.outcome, len(app.records())) == (Outcome.CHANGED, known + 5)


LEAST: dict[str, Any] = {LEAST_INTERVAL: 900}


def test_no_interval_is_below_the_stacks_least() -> None:
    """A source, the option and a config file with a shorter interval are refused with the parameter; at the least they pass."""
    app, refused = OneFeedApp(**LEAST), []
    catalog = app.bokit.catalog
    given = {"name": "Feed", "url": "https://feeds.example/flat.ics"}
    source = catalog.sources.add(DEFAULT_TENANT, app.unit, {**given, "interval": 900})
    for act in (
        lambda: catalog.sources.add(
            DEFAULT_TENANT, app.unit, {"name": "B", "url": "https://feeds.example/b.ics", "interval": 899}
        ),
        lambda: catalog.sources.edit(DEFAULT_TENANT, source.id, {"interval": "10m"}),
        lambda: catalog.options.set(DEFAULT_TENANT, "sync.interval", 60),
        lambda: catalog.collections.declare(DEFAULT_TENANT, {"name": "clients", "interval": 300}),
        lambda: app.bokit.monitors.start(DEFAULT_TENANT, interval=60, by="user:rosa"),
    ):
        with pytest.raises(InputError) as error:
            act()
        refused.append((error.value.stable_code, error.value.facts["limit"], error.value.facts["parameter"]))

    assert refused == [("quota", 900, "LeastInterval")] * 5
    assert catalog.options.set(DEFAULT_TENANT, "sync.interval", 900)["value"] == 900
    assert catalog.sources.load(DEFAULT_TENANT, source.id).interval == timedelta(seconds=900)


@pytest.mark.parametrize(("own", "tenant", "seconds"), [(60, None, 900), (None, 60, 900), (None, None, 3600), (1800, 60, 1800)])
def test_stored_intervals_are_lengthened_to_the_least(own: int | None, tenant: int | None, seconds: int) -> None:
    """Where the least interval was raised later, a shorter one that is stored counts as the least."""
    source = Source(
        id=SourceId("a"),
        tenant=DEFAULT_TENANT,
        name="a",
        kind="ical",
        url="",
        scope=Scope("u"),
        shard_id=ShardId(""),
        interval=None if own is None else timedelta(seconds=own),
    )
    options = Options({} if tenant is None else {"sync.interval": tenant}, LEAST)

    assert interval_of(source, options) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["tenant.sources", "tenant.sources=-1", "tenant.beds=3", "stack.records=3", "interval=59", "x"])
def test_bad_quotas_are_refused(text: str) -> None:
    """An unknown quota, a bad number and too short an interval raise; no default takes their place."""
    with pytest.raises(ValueError):
        read_quotas(f"tenant.units=4 {text}")


FILE: dict[str, Any] = {
    "properties": [
        {
            "name": "Rosa",
            "timezone": "Europe/Rome",
            "units": [
                {"name": "Flat", "sources": [{"name": "A", "kind": "ical", "url": "https://feeds.example/a.ics"}]},
                {
                    "name": "Loft",
                    "sources": [{"name": "A", "kind": "ical", "url": "https://feeds.example/b.ics", "interval": 900}],
                },
            ],
        }
    ],
}


@pytest.mark.parametrize(
    ("limits", "options", "code"),
    [
        ({"units": 1}, {}, "quota"),
        ({"sources": 1}, {}, "quota"),
        ({}, {LEAST_INTERVAL: 1800}, "quota"),
        ({"units": 2, "sources": 2}, {}, None),
    ],
)
def test_a_config_file_over_a_quota_changes_nothing(limits: dict[str, int], options: dict[str, Any], code: str | None) -> None:
    """What a file adds is checked before anything is written; what is there already counts once."""
    app = BoundedApp() if not options else OneFeedApp(**options)
    app.store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName(name)): limit for name, limit in limits.items()})
    catalog = app.bokit.catalog
    act = partial(import_config, catalog, DEFAULT_TENANT, read_config(FILE))
    if code is None:
        act()
        assert act().added == []
        return
    with pytest.raises(InputError) as refused:
        act()

    assert refused.value.stable_code == code
    assert [u.name for u in catalog.list_units(DEFAULT_TENANT)] == ["Flat"]
    assert catalog.sources.list_sources(DEFAULT_TENANT) == []
