"""A calendar that is polled very often: how often the table is read, and that nobody is served for long what is over."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from bokit.core.model.access import hash_token
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.limits import MAX_KEPT_SECONDS
from bokit.engine.bookings.limits import MAX_KEPT_BYTES, MAX_KEPT_PAGES, MIN_POLLS_KEPT
from bokit.engine.bookings.page_memory import PageMemory
from bokit.engine.bookings.serving import CalendarServer
from tests.support.apartment import Flat
from tests.support.builders import NOW, a_page
from tests.support.rows_app import CallCounter, ManualClock

MINUTE = timedelta(seconds=MAX_KEPT_SECONDS)


class Polled(Flat):
    """A flat whose calendar platforms poll, and the processes that serve it."""

    def __init__(self) -> None:
        super().__init__()
        self.made = self.calendar("airbnb")
        self.token = self.bokit.calendars.token_of(self.made)
        self.server, self.asked = self.serve_process()

    def serve_process(self, clock: ManualClock | None = None) -> tuple[CalendarServer, list[str]]:
        counting = CallCounter(self.store)
        return self.open(counting, clock, keep_seconds=MAX_KEPT_SECONDS).feeds, counting.calls

    def poll(self, times: int = MIN_POLLS_KEPT, server: CalendarServer | None = None) -> bytes | None:
        """Poll so often within a moment; return the last body."""
        pages = [(server or self.server).serve(self.token, "Airbnb/1.0") for _ in range(times)]
        return pages[-1].body if pages[-1] else None

    def block(self, first: int) -> None:
        days = {"check_in": self.day(first), "check_out": self.day(first + 1)}
        self.bokit.bookings.create(DEFAULT_TENANT, self.flat, days, by="user:rosa")

    @property
    def stored(self) -> bytes:
        page = self.store.find_published(self.made.token_hash)
        return page.body if page else b""


@pytest.fixture
def home() -> Polled:
    return Polled()


def test_a_thousand_polls_cost_one_read_a_minute(home: Polled) -> None:
    """At each process, whatever their rate; the first ones show how often it is polled. Its reader is written once."""
    clock, reads = ManualClock(home.clock()), []
    home.server, home.asked = home.serve_process(clock)
    for _ in range(5):
        for _ in range(1000):
            home.poll(1)
            clock.move(milliseconds=MAX_KEPT_SECONDS)
        reads.append(Counter(home.asked))
        home.asked.clear()

    assert [each["find_published"] for each in reads] == [MIN_POLLS_KEPT, 1, 1, 1, 1]
    assert [each.total() - each["find_published"] for each in reads] == [1, 0, 0, 0, 0]


def test_a_calendar_that_is_polled_as_platforms_do_is_never_kept(home: Polled) -> None:
    """What is stored is served at once, and each poll is one read."""
    for n in range(20):
        home.block(40 + 2 * n)
        home.asked.clear()
        assert home.poll(2) == home.stored
        assert home.asked.count("find_published") == 2
        home.move(seconds=MAX_KEPT_SECONDS / 4)


def test_what_is_stored_is_served_a_minute_later_at_most(home: Polled) -> None:
    """A night that was taken meanwhile is shown then, however often the calendar is polled."""
    before = home.poll()
    home.block(40)
    assert home.poll() == before

    home.move(seconds=MAX_KEPT_SECONDS)

    assert home.poll(1) == home.stored != before


def test_a_path_that_was_removed_ends_within_the_minute(home: Polled) -> None:
    """And is there again within seconds, where the calendar is opened again."""
    assert home.poll()
    home.bokit.calendars.remove(DEFAULT_TENANT, home.made.id)
    home.move(seconds=MAX_KEPT_SECONDS)
    assert home.poll() is None

    home.made = home.calendar("airbnb")
    home.token = home.bokit.calendars.token_of(home.made)
    home.move(seconds=10)

    assert home.poll(1) == home.stored


def test_a_rotated_path_ends_at_its_time_though_it_is_kept(home: Polled) -> None:
    """The end is a part of what is kept."""
    home.bokit.calendars.rotate(DEFAULT_TENANT, home.made.id, timedelta(seconds=30))
    assert home.poll()

    home.move(seconds=30)

    assert home.poll(1) is None


def test_who_got_a_new_page_is_recorded_when_nobody_gets_the_former_one_any_more(home: Polled) -> None:
    """Two processes: one keeps the former page; what it serves must not count as a read of the new one, nor may the other's."""
    other, _ = home.serve_process()
    home.poll(server=other)
    home.move(hours=1)
    former = home.poll()
    home.block(40)

    assert home.poll(1) == former
    assert home.poll(1, server=other) == home.stored
    assert home.store.find_published(home.made.token_hash).first_read_at is None
    home.move(seconds=MAX_KEPT_SECONDS)
    assert home.poll(1) == home.stored

    assert home.store.find_published(home.made.token_hash).first_read_at is not None


def test_who_reads_a_page_that_just_changed_is_noted_all_the_same(home: Polled) -> None:
    """Else a platform that reads at the same minute as the feeds change would seem to have stopped."""
    home.poll(1)
    for night in (40, 42, 44):
        home.move(hours=2)
        home.block(night)
        begun = home.clock()
        home.poll(1)

        found = home.store.find_published(home.made.token_hash)
        assert [reader.read_at > begun for reader in found.readers] == [True]
        assert found.first_read_at is None


def test_the_first_read_of_a_new_calendar_is_recorded_at_once(home: Polled) -> None:
    """Nobody can have an older one: who pastes its address sees that it is read."""
    home.poll(1)

    assert home.store.find_published(home.made.token_hash).first_read_at is not None


def test_every_kind_of_reader_is_recorded_of_a_kept_calendar(home: Polled) -> None:
    """One that comes while the page is kept is news, and so is each a quarter of an hour later."""
    home.poll()
    home.move(minutes=2)
    home.poll()
    home.server.serve(home.token, "HomeAway/1.0")
    home.asked.clear()
    home.poll()
    assert not home.asked
    home.move(minutes=15)
    home.poll()

    readers = {r.kind: r.read_at for r in home.store.find_published(home.made.token_hash).readers}
    assert set(readers) == {"airbnb", "vrbo"}
    assert home.asked.count("touch_published") == 1


def test_guessed_paths_fill_no_memory() -> None:
    """However many they are, and however often each is tried."""
    memory = PageMemory(MINUTE)
    for n in range(3 * MAX_KEPT_PAGES):
        for _ in range(MIN_POLLS_KEPT):
            memory.recall(hash_token(str(n)), NOW)
        memory.remember(hash_token(str(n)), None, NOW)

    assert len(memory._polled) == MAX_KEPT_PAGES
    assert memory._bytes == 0


def test_large_calendars_are_forgotten_for_others() -> None:
    """Those that were polled longest ago, and only so many that the others fit."""
    memory, size = PageMemory(MINUTE), MAX_KEPT_BYTES // 4 + 1
    for n in range(6):
        poll_often(memory, n, size, NOW)

    assert [memory.recall(f"h{n}", NOW)[0] for n in (3, 4, 5)] == [True] * 3
    assert not any(memory.recall(f"h{n}", NOW)[0] for n in (0, 1, 2))
    assert memory._bytes == 3 * size


def test_one_calendar_larger_than_the_memory_is_not_kept() -> None:
    """It is read each time."""
    memory = PageMemory(MINUTE)
    poll_often(memory, 1, MAX_KEPT_BYTES + 1, NOW)

    assert memory.recall("h1", NOW) == (False, None)
    assert memory._bytes == 0


def poll_often(memory: PageMemory, n: int, size: int, now: datetime) -> None:
    for _ in range(MIN_POLLS_KEPT):
        memory.recall(f"h{n}", now)
    memory.remember(f"h{n}", a_page(hash=f"h{n}", body=bytes(size)), now)
