"""A feed that lists several rooms at once, and the feeds that do not."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.ical.rooms import note_rooms

TODAY = date(2026, 7, 1)
WORDS = "this feed lists several rooms; give each room its own address"


def a_stay(first, end, uid, *, kind=EntryKind.RESERVATION, status=Status.CONFIRMED, **values):
    days = {"check_in": TODAY + timedelta(days=first), "check_out": TODAY + timedelta(days=end)}
    return Entry(uid=uid, kind=kind, status=status, **days, **values)


def stays(*spans, **values):
    return [a_stay(first, end, f"uid-{n}", **values) for n, (first, end) in enumerate(spans)]


@pytest.mark.parametrize(
    ("entries", "guests"),
    [
        (stays((1, 5), (2, 6), (3, 4)), 3),
        (stays((1, 5), (1, 5), (1, 5), (1, 5), (1, 5)), 5),
        (stays((1, 5), (4, 6), (10, 12), (11, 13)), 2),
        (stays((-3, 2), (-2, 3), (-1, 1)), 3),
    ],
)
def test_a_feed_of_several_rooms_is_noted(entries, guests):
    """Three reservations of one night, or two on spans apart; in any order of the feed."""
    random.Random(1).shuffle(entries)

    (note,) = note_rooms(entries, TODAY)

    assert (note.code, note.message.startswith(WORDS)) == ("several-rooms", True)
    assert f"({guests} reservations on the night of " in note.message


@pytest.mark.parametrize(
    "entries",
    [
        [],
        stays((1, 5), (5, 8), (8, 9), (9, 30)),
        stays((1, 5), (4, 8)),
        stays((1, 20), (2, 8), (9, 12)),
        stays((-9, -4), (-8, -3), (-7, -2)),
        stays((1, 5), (2, 6), (3, 4), kind=EntryKind.BLOCK),
        stays((1, 5), (2, 6), (3, 4), kind=EntryKind.WINDOW),
        stays((1, 5), (2, 6), (3, 4), status=Status.CANCELLED),
        stays((1, 5), (2, 6), (3, 4), status=Status.INQUIRY),
        stays((1, 5), (2, 6), (3, 4), guest_name="Ann"),
        stays((1, 5), (2, 6), (3, 4), reservation_code="HMABCDEF12"),
        [a_stay(n, 5, "one") for n in (1, 2, 3)],
    ],
)
def test_one_room_is_not_noted(entries):
    """Changing guests, one double booking, what is past, what no guest holds, and one guest in several events."""
    assert note_rooms(entries, TODAY) == []


def test_the_note_counts_as_a_count_of_nights_does():
    """500 random feeds: three on a night, or two on two spans apart, counted night by night."""
    seen = set()
    for seed in range(500):
        rng = random.Random(seed)
        entries = stays(*((first, first + rng.randint(1, 6)) for first in rng.sample(range(-5, 40), rng.randint(2, 8))))
        nights = [TODAY + timedelta(days=n) for n in range(60)]
        coming = [e for e in entries if e.check_out > TODAY]
        crowd = {night: sum(e.check_in <= night < e.check_out for e in coming) for night in nights}
        full = [night for night in nights if crowd[night] > 1]
        spans = sum(not any(_is_one_span(coming, before, night) for before in full if before < night) for night in full)
        expected = max(crowd.values()) > 2 or spans > 1
        assert bool(note_rooms(entries, TODAY)) is expected, seed
        seen.add(expected)
    assert seen == {True, False}


def _is_one_span(entries, first, last):
    """Return whether stays follow from *first* to *last* without a day on which nobody stays over."""
    days = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    return all(any(e.check_in < day < e.check_out for e in entries) for day in days)
