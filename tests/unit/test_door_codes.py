"""Door codes by themselves: sealing, choosing, and books that random lives of stays pass through."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.bookings.door_codes import (
    CodeOrigin,
    draw_code,
    is_weak,
    open_code,
    read_code,
    read_phone_code,
    seal_code,
)
from bokit.core.model.records import RecordId, Scope, TenantId
from bokit.core.occupancy.door_code_book import (
    BookTerms,
    DoorCodeBook,
    DoorStay,
    follow_stays,
    list_sealed,
    read_book,
    replace_code,
    report_changes,
    write_book,
)

START = date(2026, 12, 1)
KEY = "k" * 43
DAY, REST = timedelta(days=1), timedelta(days=90)
codes = st.from_regex(r"[0-9]{4,10}", fullmatch=True)


@given(code=codes, seed=st.integers(0, 2**32), place=st.text(max_size=20))
def test_what_is_sealed_opens_with_its_key_and_place_alone(code, seed, place):
    """Sealed twice it differs, and no length of a code shows."""
    draw = random.Random(seed).randbytes
    sealed, again = seal_code(code, KEY, place, draw), seal_code(code, KEY, place, draw)

    assert sealed != again
    assert len({len(sealed), len(seal_code("1234", KEY, place, draw))}) == 1
    assert open_code(sealed, KEY, place) == code
    assert open_code(sealed, "another", place) is None
    assert open_code(sealed, KEY, place + "x") is None


@pytest.mark.parametrize("sealed", ["", "x", "AAAA", "é", "A" * 46, "A" * 48])
def test_what_nobody_sealed_opens_as_nothing(sealed):
    assert open_code(sealed, KEY, "p") is None


@given(length=st.integers(4, 10), seed=st.integers(0, 2**32))
def test_a_drawn_code_is_free_and_no_obvious_one(length, seed):
    code = draw_code(set(), length, random.Random(seed).randbytes)
    assert code == read_code(code or "")
    assert len(code) == length
    assert not is_weak(code)


def test_the_last_free_code_is_found_and_then_none():
    every = {f"{n:04d}" for n in range(10_000)}
    draw = random.Random(1).randbytes
    assert draw_code(every - {"4711"}, 4, draw) == "4711"
    assert draw_code(every, 4, draw) is None


def test_digits_of_a_phone():
    assert [read_phone_code(p, 4) for p in ("+39 055 120-8421", "8421", "842", "", None)] == ["8421", "8421", None, None, None]


class Life:
    """Stays of one unit that come, move, go and come back, and what their codes are."""

    def __init__(self, seed: int) -> None:
        self.chance, self.today = random.Random(seed), START
        self.stays: dict[str, DoorStay] = {}
        self.gone: dict[str, DoorStay] = {}
        self.book = DoorCodeBook()
        self.given: dict[str, str] = {}
        self.used: list[tuple[str, str]] = []
        """Every code that was read, and whose."""

    def terms(self) -> BookTerms:
        def find_validity(span):
            return tuple(datetime.combine(day, time(hour), UTC) for day, hour in zip(span, (15, 11), strict=True))

        return BookTerms(at=datetime.combine(self.today, time(12), UTC), today=self.today, find_validity=find_validity)

    def step(self) -> None:
        """Let something happen, then follow it, and read every code as an owner would."""
        happen = self.chance.choice([self.book_one, self.book_one, self.move, self.cancel, self.restore, self.wait, self.rename])
        happen()
        self.follow()
        for number in list(self.stays):
            self.read(number)
        self.check()

    def span(self) -> tuple[date, date]:
        first = self.today + self.chance.randrange(0, 150) * DAY
        return first, first + self.chance.randrange(1, 9) * DAY

    def book_one(self) -> None:
        number = f"u.{len(self.used)}{self.chance.randrange(10**9)}"
        self.stays[number] = DoorStay(id=RecordId(number), records=(RecordId(number),), span=self.span())

    def pick(self, stays):
        return self.chance.choice(sorted(stays)) if stays else None

    def move(self) -> None:
        if number := self.pick([n for n in self.stays if self.stays[n].span[0] > self.today]):
            old = self.stays[number]
            self.stays[number] = DoorStay(id=old.id, records=old.records, span=self.span())

    def cancel(self) -> None:
        if number := self.pick([n for n in self.stays if self.stays[n].span[0] > self.today]):
            self.gone[number] = self.stays.pop(number)

    def restore(self) -> None:
        if number := self.pick([n for n in self.gone if self.gone[n].span[0] > self.today]):
            self.stays[number] = self.gone.pop(number)

    def rename(self) -> None:
        """A second source reports a stay, and the first one's record no longer leads it."""
        if number := self.pick(self.stays):
            old = self.stays[number]
            other = RecordId(f"{number}x{self.chance.randrange(99)}")
            self.stays[number] = DoorStay(id=other, records=(other, *old.records), span=old.span)

    def wait(self) -> None:
        self.today += self.chance.randrange(1, 40) * DAY

    def follow(self) -> None:
        shown = [s for s in self.stays.values() if s.span[1] >= self.today - 45 * DAY]
        before, self.book = self.book, follow_stays(self.book, shown, self.terms())
        record = write_book(None, self.book, TenantId("t"), Scope("u"), self.terms().at)
        assert read_book(record).codes == self.book.codes
        assert all(news["kind"] in ("created", "changed", "revoked") for news in self.book.news)
        if before.codes == self.book.codes:
            assert self.book.news == ()

    def read(self, number: str) -> None:
        stay = self.stays[number]
        code = self.book.find(stay)
        if code is None or code.valid_until <= self.terms().at:
            return
        if code.sealed is None:
            taken = {open_code(sealed, KEY, place) for place, sealed in list_sealed(self.book.codes.values())}
            drawn = draw_code(taken, 4, self.draw_one_of_few)
            assert drawn is not None
            sealed = seal_code(drawn, KEY, code.id, self.chance.randbytes)
            code = replace_code(code, sealed, CodeOrigin.RANDOM, stay)
            self.book = report_changes(self.book, {**self.book.codes, code.id: code}, self.terms())
        opened = open_code(code.sealed or "", KEY, code.id)
        assert opened == self.given.setdefault(number, opened or "?"), "its code changed"
        self.used.append((opened or "", number))

    def draw_one_of_few(self, count: int) -> bytes:
        return self.chance.randrange(300).to_bytes(count, "big")

    def check(self) -> None:
        """No two stays that were ever less than 90 days apart had the same code."""
        by_code: dict[str, set[str]] = {}
        for code, number in self.used:
            by_code.setdefault(code, set()).add(number)
        for code, numbers in by_code.items():
            spans = sorted(self.all_stays()[number].span for number in numbers)
            for (_, end), (later, _) in itertools.pairwise(spans):
                assert later > end + REST, code

    def all_stays(self):
        return {**self.gone, **self.stays}


@pytest.mark.parametrize("seed", range(12))
def test_codes_are_stable_and_rest_through_random_lives(seed):
    """A stay keeps its code whatever happens to it, and no other stay of the unit has it within 90 days of its end.

    With so few codes that chance alone would repeat one soon.
    """
    life = Life(seed)
    for _ in range(150):
        life.step()
    assert len(life.given) > 20
