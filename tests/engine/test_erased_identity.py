"""What is decided of an erased guest's booking is what would be decided without the erasure, whatever the feed does after it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bokit.core.bookings.stay import is_window
from bokit.core.model.catalog import DEFAULT_TENANT
from tests.support.door_app import AIRBNB, GENERIC, calendar, event, stay
from tests.support.one_feed_app import OneFeedApp

NAMES = ("Ann Lee", "Bob Ray", "Cleo Ross", "Dan Fox", "Eva Moss", "Finn Hale", "Gus Orr", "Hal Penn", "Ida Quist", "Jo Stern")
STEPS = 14


class FeedLife:
    """A feed with the ups and downs of a year: bookings that come, move, are extended, cancelled and renamed."""

    def __init__(self, seed: int, *, coded: bool) -> None:
        self.random, self.coded, self.next = random.Random(seed), coded, 0
        self.stays: dict[int, tuple[str, int, int]] = {}
        for _ in range(4):
            self.book()

    def book(self) -> None:
        first = self.random.randrange(2, 90)
        if self.next < len(NAMES) and not any(first <= end and start <= first + 4 for _, start, end in self.stays.values()):
            self.stays[self.next] = f"uid-{self.next}", first, first + self.random.randrange(1, 5)
            self.next += 1

    def step(self) -> bytes:
        """Let something happen, and return what the feed shows then."""
        what = self.random.choice(["book", "move", "extend", "cancel", "rename", "rename all", "nothing", "empty"])
        number = self.random.choice(list(self.stays)) if self.stays else None
        if what == "book" or number is None:
            self.book()
        elif what == "cancel":
            del self.stays[number]
        elif what == "rename all":
            self.stays = {n: (f"{uid}x", first, end) for n, (uid, first, end) in self.stays.items()}
        elif what in ("move", "extend", "rename"):
            uid, first, end = self.stays[number]
            shift = {"move": (1, 1), "extend": (0, 1), "rename": (0, 0)}[what]
            self.stays[number] = f"{uid}y" if what == "rename" else uid, first + shift[0], end + shift[1]
        return self.body([] if what == "empty" else sorted(self.stays))

    def body(self, numbers: list[int]) -> bytes:
        events = [self.write(number) for number in numbers]
        return calendar(*events, prodid=AIRBNB if self.coded else GENERIC)

    def write(self, number: int) -> str:
        uid, first, end = self.stays[number]
        if self.coded:
            return stay("ABCDEFGHIJ"[number], first, end, uid=uid, phone=f"{7000 + number}")
        return event(uid, first, end, summary=NAMES[number])


def decided(app: OneFeedApp) -> list[Any]:
    """Return what is known of each booking beyond its guest."""
    found = [r for r in app.records() if not is_window(r)]
    return sorted((r.remote["check_in"], r.remote["check_out"], r.presence, r.remote["status"], r.key) for r in found)


def erase_all(app: OneFeedApp) -> None:
    service = app.bokit.bookings.erasing
    ids = [r.id for r in app.records() if not is_window(r)]
    service.apply(service.plan(DEFAULT_TENANT, ids), by="user:rosa", reason="request")


@pytest.mark.parametrize("coded", [True, False], ids=["codes", "names"])
@pytest.mark.parametrize("seed", range(8))
def test_an_erasure_changes_no_decision(seed: int, coded: bool) -> None:
    """Two hosts read the same feed for two weeks, and one erases everybody twice: nights, states and UIDs are the same."""
    life, kept, erased = FeedLife(seed, coded=coded), OneFeedApp(), OneFeedApp()
    first = life.body(sorted(life.stays))
    for app in (kept, erased):
        app.add(first)
    for number in range(STEPS):
        if number in (1, 7):
            erase_all(erased)
        body = life.step()
        for app in (kept, erased):
            app.sync(body)
            app.clock.move(hours=23)
        assert decided(erased) == decided(kept), f"after step {number}"
        assert erased.held() == kept.held()
