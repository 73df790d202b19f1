"""What derives from bookings where two write them at the same time: in the end it agrees with the bookings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import DOOR_CODES
from bokit.core.occupancy.conflict_records import CONFLICTS
from bokit.engine.app import Bokit
from bokit.values import replace
from tests.support.apartment import Flat
from tests.support.door_app import FIRST, DoorApp
from tests.support.rows_app import CallCounter

DAY = timedelta(days=1)


class Overtaken(CallCounter):
    """A store that lets another act just before a call, the first for which *is_late* holds."""

    def __init__(self, inner: Any, is_late: Callable[[str, tuple[Any, ...]], bool], act: Callable[[], object]) -> None:
        super().__init__(inner)
        self.is_late, self.act, self.acted = is_late, act, 0

    def __getattr__(self, name: str) -> Any:
        call = super().__getattr__(name)

        def raced(*args: Any, **given: Any) -> Any:
            if not self.acted and self.is_late(name, args):
                self.acted += 1
                self.act()
            return call(*args, **given)

        return raced


Days = dict[str, str]


def edit_while_another_edits_back(
    home: Flat | DoorApp, booking: Any, days: list[Days], is_late: Callable[[str, tuple[Any, ...]], bool]
) -> None:
    """Let rosa move a booking to the first of *days*, and marco back to the second just before what *is_late* names."""
    away, back = days
    store = Overtaken(home.store, is_late, lambda: home.bokit.bookings.edit(DEFAULT_TENANT, booking, back, by="user:marco"))
    Bokit(replace(home.bokit._parts, store=store)).bookings.edit(DEFAULT_TENANT, booking, away, by="user:rosa")
    assert store.acted == 1


def writes(collection: str) -> Callable[[str, tuple[Any, ...]], bool]:
    """Return whether a call writes records of *collection*."""
    return lambda name, args: name == "apply_records" and args[0][0].collection == collection


def test_a_slow_page_does_not_open_nights_that_another_closed_again() -> None:
    """It was made from bookings of before. The other's differs from the stored one in its times, and so it is written."""
    home = Flat()
    calendar = home.calendar()
    booking = home.make(20, 24)["id"]
    days = [{"check_in": home.day(first), "check_out": home.day(first + 4)} for first in (30, 20)]

    edit_while_another_edits_back(home, booking, days, lambda name, _: name == "save_published")

    assert home.events() == [(20, 24)]
    assert home.page(calendar) is not None


def test_a_slow_close_does_not_hide_a_double_booking_that_is_back() -> None:
    """It was planned from bookings of before; the other found the conflict open, and had nothing to write."""
    home = Flat()
    home.make(20, 24)
    booking = home.make(22, 26)["id"]
    days = [{"check_in": home.day(first), "check_out": home.day(first + 4)} for first in (30, 22)]

    edit_while_another_edits_back(home, booking, days, writes(CONFLICTS))

    assert [c["nights"] for c in home.conflicts()] == [[home.day(22), home.day(23)]]


def test_a_slow_change_of_a_door_code_does_not_lock_the_guest_out() -> None:
    """Its times were those of the other days. The other writes the book as well: the slow one is refused, and looks again."""
    home = DoorApp()
    booking = home.by_hand(20, 24)
    before, _ = home.access(booking), home.news()
    begins = [FIRST + 30 * DAY, FIRST + 20 * DAY]
    days = [{"check_in": day.isoformat(), "check_out": (day + 4 * DAY).isoformat()} for day in begins]

    edit_while_another_edits_back(home, booking, days, writes(DOOR_CODES))

    after = home.access(booking)
    assert (after["valid_from"], after["valid_until"]) == (before["valid_from"], before["valid_until"])
    assert home.news() == [("changed", ["valid_from", "valid_until"])] * 2  # there, and back
