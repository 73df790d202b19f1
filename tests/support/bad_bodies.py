"""What a source wrongly answers, to a listing that was read well before: cut calendars, bad bodies, hostile feeds."""

from __future__ import annotations

import os
import pickle
import re
import resource
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from time import process_time

from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import held_nights, is_window
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, Presence, Record, RunId, SourceId
from bokit.core.model.runs import Outcome, SourceReport, Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.live.events import EventLog
from bokit.engine.live.notices import NoticePublisher
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.sync import SourceSync
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from simulator.world import FIRST_NOW, World
from tests.support.builders import a_source
from tests.support.damage import Damage
from tests.support.hostile_feeds import HostileFeed
from tests.support.machine_speed import MAX_FLOORS_A_READ, count_floors

PLATFORMS = ("airbnb", "booking_com", "vrbo")
REAL_LIFE = timedelta(days=4)
"""Within it a real cancellation is applied, whatever came before."""


class Listing:
    """One simulated listing, and the engine that syncs it: any body, at the world's time."""

    def __init__(self, platform: str, seed: int = 0, stays: int = 6) -> None:
        self.world, self.name = World(seed=seed), f"{platform}/villa"
        self.world.add_feed(self.name)
        today = self.world.today(self.name)
        self.stays = [self.world.book(self.name, *span(today, 5 + 7 * i, 1 + (seed + i) % 4)) for i in range(stays)]
        self.world.block(self.name, *span(today, 5 + 7 * stays, 3))
        self.body, self.store, self.alerts = b"", MemoryStore(), MemoryAlerts()
        kinds = {"ical": SourceKind(fetcher=self, rules=BookingRules(), collection=BOOKINGS)}
        self.sync = SourceSync(self.store, kinds, lambda: self.world.now)
        source = a_source(id=SourceId("src_villa"), timezone="Europe/Rome", shard_id=self.store.pick_shard(1))
        self.schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=FIRST_NOW, interval=timedelta(hours=1))
        self.source = self.store.save_source(Head(source=source), self.schedule)
        self.job = SyncJob(run_id=RunId("run_1"), trigger=Trigger.CLI, started_at=FIRST_NOW, options=Options())

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        return Fetched(body=self.body, host="feeds.example")

    def answer(self, body: bytes, *, hours: float = 1) -> SourceReport:
        """Sync with *body*, after *hours*."""
        self.world.advance(hours=hours)
        self.body = body
        report = self.sync.sync(self.store.load_head(self.source), self.schedule, self.job).report
        clock = self.sync.clock
        EventLog(self.store, clock, publisher=NoticePublisher(self.store, clock, self.alerts)).drain()
        return report

    def answer_rightly(self, *, hours: float = 1) -> SourceReport:
        self.world.advance(hours=hours)
        return self.answer(self.right(), hours=0)

    def right(self) -> bytes:
        return self.world.render(self.name)

    def records(self) -> list[Record]:
        return list(self.store.load_records(DEFAULT_TENANT, BOOKINGS, self.source.scope))

    def bookings(self) -> dict[str, tuple[Fields, str]]:
        """What an owner sees of each booking: its fields, and whether it still stands."""
        return {r.id: (r.fields, "gone" if r.presence is Presence.GONE else "held") for r in self.records() if not is_window(r)}

    def held(self) -> set[date]:
        """The nights to come that are not for sale: what the outgoing calendar says."""
        today = self.world.today(self.name)
        return {night for record in self.records() for night in held_nights(record) if night >= today}

    def held_truly(self) -> frozenset[date]:
        return self.world.truth().closed[self.name]


def span(today: date, days: int, nights: int) -> tuple[date, date]:
    return today + timedelta(days=days), today + timedelta(days=days + nights)


def events_of(body: bytes) -> list[bytes]:
    return re.findall(rb"BEGIN:VEVENT.*?END:VEVENT\r?\n", body, re.S)


def with_events(body: bytes, events: list[bytes]) -> bytes:
    """*body* with these events instead of its own."""
    return re.split(rb"BEGIN:VEVENT|END:VCALENDAR", body)[0] + b"".join(events) + b"END:VCALENDAR\r\n"


def change_event(body: bytes, number: int, old: bytes, new: bytes) -> bytes:
    """*body*, one of its events changed where the pattern *old* says."""
    events = events_of(body)
    events[number] = re.sub(old, new, events[number])
    assert events[number] != events_of(body)[number]
    return with_events(body, events)


def someone_else(platform: str) -> bytes:
    """Another listing's feed, its stays on other days."""
    other = World(seed=99)
    other.add_feed(f"{platform}/someone-else")
    for week in range(1, 7):
        other.book(f"{platform}/someone-else", *span(other.today(f"{platform}/someone-else"), 3 + 9 * week, 1 + week % 3))
    return other.render(f"{platform}/someone-else")


START, END = rb"DTSTART([^:]*):\d+", rb"DTEND([^:]*):\d+"
HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body></html>"
Spoil = Callable[[bytes, str], bytes]
BAD_BODIES: dict[str, Spoil] = {
    "nothing": lambda body, platform: b"",
    "blanks": lambda body, platform: b" \r\n\r\n",
    "a byte order mark": lambda body, platform: b"\xef\xbb\xbf",
    "zero bytes": lambda body, platform: b"\0" * 2000,
    "a web page": lambda body, platform: HTML % (b"Oops", b"Something went wrong"),
    "a login page": lambda body, platform: HTML % (b"Sign in", b"<form><input name=password></form>"),
    "a calendar in a web page": lambda body, platform: HTML % (b"Calendar", body.replace(b"\r\n", b"<br>")),
    "an error in JSON": lambda body, platform: b'{"code":500,"message":"There was an error processing your request"}',
    "a list in JSON": lambda body, platform: b"[]",
    "an error in XML": lambda body, platform: b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "a word": lambda body, platform: b"Error: room synchroniser not enabled",
    "compressed": lambda body, platform: zlib.compress(body),
    "other bytes": lambda body, platform: bytes((i * i >> 3) % 256 for i in range(5000)),
    "an empty calendar": lambda body, platform: with_events(body, []),
    "an empty calendar with a to-do": lambda body, platform: with_events(body, [b"BEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\n"]),
    "a calendar's head": lambda body, platform: body[: body.index(b"BEGIN:VEVENT")],
    "two calendars, both empty": lambda body, platform: with_events(body, []) * 2,
    "its first half": lambda body, platform: with_events(body, events_of(body)[: len(events_of(body)) // 2]),
    "its second half": lambda body, platform: with_events(body, events_of(body)[(len(events_of(body)) + 1) // 2 :]),
    "every other event": lambda body, platform: with_events(body, events_of(body)[::2]),
    "the others": lambda body, platform: with_events(body, events_of(body)[1::2]),
    "one event": lambda body, platform: with_events(body, events_of(body)[:1]),
    "the last event": lambda body, platform: with_events(body, events_of(body)[-1:]),
    "another listing's": lambda body, platform: someone_else(platform),
    "another platform's": lambda body, platform: someone_else("vrbo" if platform == "airbnb" else "airbnb"),
    "a bad first day": lambda body, platform: change_event(body, 0, START, rb"DTSTART\1:2026XX99"),
    "bad days": lambda body, platform: re.sub(START, rb"DTSTART\1:20261399", body),
    "no first day": lambda body, platform: change_event(body, 2, START + rb"\r?\n", b""),
    "an end before the start": lambda body, platform: change_event(body, 1, END, rb"DTEND\1:20200101"),
    "an event without its end": lambda body, platform: change_event(body, 3, rb"END:VEVENT\r?\n", b""),
    "cut in the middle": lambda body, platform: body[: len(body) // 2],
    "cut after an event": lambda body, platform: body[: body.rindex(b"END:VCALENDAR")],
    "cut and repeated": lambda body, platform: body[: len(body) // 2] + b"\r\n" + with_events(body, []),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was known before the bad answers: the bookings, and the nights held."""

    bookings: dict[str, tuple[Fields, str]]
    held: set[date]

    @classmethod
    def of(cls, listing: Listing) -> Before:
        return cls(bookings=listing.bookings(), held=listing.held())

    def judge(self, listing: Listing, report: SourceReport | None = None) -> Damage:
        """Return what is lost of it; a bad answer whose *report* is not held, or without a hold, counts as lost too."""
        now, today = listing.bookings(), listing.world.today(listing.name)
        changed = sum(now.get(key) != booking for key, booking in self.bookings.items())
        opened = {night for night in self.held - listing.held() if night >= today}
        is_held = report is None or (report.outcome is Outcome.HELD and listing.store.load_head(listing.source).hold is not None)
        return Damage(lost=changed + (not is_held), open_nights=len(opened))


def cut_everywhere(platform: str) -> Damage:
    """Cut a feed after each of its bytes: each such fetch is held and reported, and the next good one is as before."""
    listing = Listing(platform, stays=3)
    listing.answer_rightly()
    before, damage = Before.of(listing), Damage()
    for cut in range(len(listing.right().rstrip())):
        body = listing.right()  # with a fresh stamp: a body that never changes its stamps is stale
        report = listing.answer(body[:cut], hours=1 / 3600)
        trial = before.judge(listing, report) + Damage(tried=1, doubled=len(listing.bookings().keys() - before.bookings.keys()))
        notices = len(listing.alerts.notices)
        listing.answer_rightly(hours=1 / 3600)
        trial += Damage(lost=int(not notices), late=int((listing.bookings(), listing.held()) != (before.bookings, before.held)))
        damage += trial.at(f"{platform} cut after {cut} bytes")
        listing.alerts.notices.clear()
    return damage


def play_bad_body(name: str, platform: str) -> Damage:
    """Answer six hours with a bad body; then with good ones, in which one booking is really cancelled."""
    listing = Listing(platform, seed=len(name))
    for _ in range(3):
        listing.answer_rightly(hours=8)
    body, before, damage = listing.right(), Before.of(listing), Damage(tried=1)
    damage += Damage(open_nights=len(listing.held_truly() - before.held))
    listing.alerts.notices.clear()

    bad = BAD_BODIES[name](body, platform)
    for _ in range(6):
        damage += before.judge(listing, listing.answer(bad))
    damage += Damage(doubled=abs([notice.type for notice in listing.alerts.notices.values()].count("source.held") - 1))

    listing.world.cancel(listing.stays[3])
    until = listing.world.now + REAL_LIFE
    while listing.world.now < until:
        listing.answer_rightly(hours=2)
    gone = listing.world.stay(listing.stays[3])
    states = {(fields["check_in"], state) for fields, state in listing.bookings().values() if state == "gone"}
    is_settled = states == {(gone.check_in.isoformat(), "gone")} and listing.store.load_head(listing.source).hold is None
    opened = listing.held_truly() - listing.held()
    late = int(not is_settled) + len(listing.held() - listing.held_truly())
    return (damage + Damage(open_nights=len(opened), late=late)).at(f"{name}, {platform}")


def meet_hostile_feed(feed: HostileFeed) -> Damage:
    """Answer with it at the first sync, and at the second and third (held) of a listing that was read well; then well again.

    Each of the three may take 5 s of CPU, on a slow machine as many floors; longer counts as late.
    """
    body, new, listing = feed.make(), Listing("airbnb", stays=0), Listing("airbnb")
    listing.answer_rightly()
    before, damage = Before.of(listing), Damage(tried=3)
    for one, hours in ((new, 1), (listing, 1), (listing, 2)):
        begun = process_time()
        report = one.answer(body, hours=hours)
        is_slow = count_floors(process_time() - begun) > MAX_FLOORS_A_READ
        damage += Damage(lost=int(_is_unexpected(report)), late=int(is_slow)) + before.judge(listing)
    listing.answer_rightly()
    return (damage + before.judge(listing)).at(feed.name)


def meet_apart(feed: HostileFeed) -> Damage:
    """Do so in a child process that may take a minute of CPU; one that takes longer, or dies, loses all three syncs."""
    answers, answer = os.pipe()
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        os.write(answer, pickle.dumps(meet_hostile_feed(feed)))
        os._exit(0)
    os.close(answer)
    with os.fdopen(answers, "rb") as file:
        found = file.read()
    os.waitpid(child, 0)
    died = Damage(tried=3, lost=3, traces=("its process took more than a minute of CPU, or died",))
    damage: Damage = pickle.loads(found) if found else died.at(feed.name)  # noqa: S301 - our own child's
    return damage


def _is_unexpected(report: SourceReport) -> bool:
    return report.outcome is Outcome.FAILED and (report.error or {}).get("code") == "unexpected"
