"""Sequences that once failed: their channels, and their steps, as the names and numbers of ``choice.CHOICES``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.model.choice import Spec, Step

Kept = tuple[Sequence[Spec], str]
KEPT: Mapping[str, Kept] = {
    "a-provisional-booking-is-no-echo-of-its-echo": (
        [(7, True, 0), (3, True, 5)],
        "book 0 47 1, hours 0, finish",
    ),
    "nor-where-uids-change-at-every-fetch": (
        [(9, True, 1), (2, False, 1), (5, True, 1)],
        "fault 0 0 0, book 2 24 1, hours 0, hours 3",
    ),
    "nor-where-a-person-applies-the-hold": (
        [(3, False, 1), (0, True, 1), (5, False, 3)],
        "book 2 42 1, book 2 49 1, move 39 1, hours 1, apply 2",
    ),
    "nor-where-guest-and-dates-change": (
        [(7, False, 1), (4, True, 1)],
        "swap 0, move 1 -3, hours 3",
    ),
    "a-closure-that-is-part-of-another-guests-stay": (
        [(10, False, 5), (3, False, 5), (0, False, 3)],
        "close 0 30 1, hours 1, fault 2 2 2, hours 0",
    ),
    "two-listings-of-nights-alone": (
        [(7, True, 1), (7, True, 1)],
        "hours 0, apply 1, apply 0",
    ),
    "a-closure-that-moves-and-is-missing": (
        [(0, False, 0)],
        "cancel 0, book 0 0 1, hours 0, close 0 49 1, close 0 12 1, close 0 21 1, fault 0 3 1, sync 0, edit 1, "
        "book 0 17 1, move 2 -9, again 0",
    ),
    "what-an-empty-answer-does-not-prove": (
        [(10, False, 1), (2, False, 1)],
        "cancel 0, book 0 51 4, book 0 1 2, book 1 48 1, sync 0, book 0 45 6, fault 1 2 2, swap 0, hours 4, cancel 2, finish",
    ),
    "missed-before-the-calendar-was-empty": (
        [(8, False, 0), (0, False, 2)],
        "hours 3, cancel 0, hours 1, cancel 0, hours 3, hours 3, hours 3",
    ),
    "a-held-fetch-closes-a-night-of-a-missing-stay": (
        [(9, False, 2), (7, False, 2)],
        "hours 4, cancel 2, book 0 0 1, cancel 1, hours 2, cancel 0, cancel 0, hours 0, pause 0, hours 3, "
        "close 0 8 1, sync 0, cancel 0, hours 4, finish",
    ),
    "another-guest-where-another-stay-was-clipped": (
        [(9, False, 0)],
        "book 0 2 2, hours 0, move 0 -1, hours 3, cancel 0, book 0 1 3, hours 3, book 0 3 1, edit 0, close 0 10 1, "
        "book 0 14 1, hours 0, swap 0, cancel 0, cancel 0, cancel 0, finish",
    ),
    "another-guest-where-all-others-cancel": (
        [(9, False, 0)],
        "book 0 2 2, hours 0, move 0 -1, hours 3, cancel 0, book 0 2 2, hours 3, book 0 3 1, edit 1, close 0 10 1, "
        "book 0 14 1, hours 0, swap 0, cancel 0, cancel 0, cancel 0, finish",
    ),
    "a-joined-closure-is-no-disagreement": (
        [(4, True, 1), (9, True, 2), (6, True, 4)],
        "hours 4, hours 3, fault 1 0 20, cancel 2, fault 0 5 20, hours 3, hours 3, hours 3, again 0",
    ),
    "a-longer-stay-beside-a-doubtful-empty-calendar": (
        [(9, False, 0), (1, False, 1)],
        "address 1, cancel 0, close 1 0 1, hours 4, hours 1, book 0 0 7, hours 3, hours 4, hours 0",
    ),
    "a-longer-stay-beside-a-paused-source": (
        [(9, False, 4), (3, False, 2)],
        "swap 0, book 0 15 6, cancel 2, hours 2, hours 1, pause 1, hours 4, hours 3",
    ),
    "another-listing-closes-what-a-guest-left-open": (
        [(6, False, 1), (5, False, 2), (3, False, 4)],
        "book 1 32 1, hours 3, close 0 0 1, swap 0, hours 3, cancel 5, hours 4, fault 1 5 10, hours 2, sync 0, "
        "cancel 0, hours 3, finish",
    ),
    "a-closure-that-went-while-a-hold-agreed": (
        [(2, False, 4), (0, False, 0)],
        "link 0 1, cancel 0, remove 0, cancel 0, cancel 0, book 1 0 3, close 1 17 1, book 0 2 1, swap 1, hours 3, "
        "cancel 2, cancel 2, resize 0 1, hours 3, cancel 1, hours 3",
    ),
    "absences-that-are-contradicted-begin-again": (
        [(4, False, 4), (1, False, 0)],
        "fault 0 3 10, hours 2, swap 0, cancel 2, pause 0, hours 4, hours 3, crash 0 0, book 1 9 7, hours 0",
    ),
    "a-cut-page-closes-a-night-of-ours": (
        [(9, False, 1)],
        "hours 4, cancel 0, book 0 14 1, book 0 0 1, pause 0, cancel 1, crash 0 0, fault 0 4 1, book 0 0 5, sync 0, hours 4, "
        "resize 1 -1, hours 4, again 0, hours 0, again 0",
    ),
    "two-first-fetches-at-one-time": (
        [(2, False, 0), (5, False, 2), (7, False, 4)],
        "book 0 13 1, hours 0, cancel 0, cancel 17, hours 0",
    ),
    "a-stay-that-may-have-been-clipped-during-a-pause": (
        [(4, False, 1)],
        "hours 4, move 0 -3, hours 0, edit 0, cancel 0, book 0 3 0, pause 0, book 0 2 1, hours 3, hours 2, finish",
    ),
    "a-note-that-asks-to-be-confirmed": (
        [(1, True, 0), (5, True, 0)],
        "close 0 0 1, book 0 2 2, hours 0, move 1 -1, hours 0, edit 2, finish",
    ),
    "a-cut-page-closes-a-night-that-another-guest-leaves": (
        [(3, False, 4)],
        "swap 0, crash 0 0, cancel 0, book 0 42 1, fault 0 4 2, move 2 2, book 0 1 6, book 0 0 1, cancel 0, close 0 37 1, "
        "hours 0, cancel 3, finish",
    ),
    "what-is-kept-of-a-renaming-feed-proves-nothing": (
        [(5, True, 2), (5, True, 1), (5, True, 2)],
        "option 2, fault 0 4 4, hours 3, swap 34, again 1",
    ),
    "two-guests-of-the-same-nights-the-first-of-them-gone-in-a-held-page": (
        [(0, False, 0), (0, False, 1), (3, False, 1)],
        "cancel 1, cancel 0, book 2 1 4, move 0 1, hours 3, cancel 0, book 0 1 4, hours 0",
    ),
    "a-joint-booking-is-shortened-on-one-platform": (
        [(0, False, 1), (8, False, 2), (3, False, 0)],
        "book 2 6 5, book 0 27 1, resize 0 3, book 0 28 1, cancel 1, hours 0, resize 2 -1, finish",
    ),
    "a-closure-where-a-moved-booking-was": (
        [(0, False, 2), (0, False, 4), (5, False, 4)],
        "book 0 2 1, hours 1, book 0 3 1, hours 4, cancel 0, move 1 1, sync 2, hours 0, close 0 10 1, hours 2, hours 0, "
        "pause 2, hours 4, sync 0, finish",
    ),
    "a-closure-where-a-booking-was-that-moved-and-went": (
        [(2, False, 2), (2, False, 4), (2, False, 4)],
        "book 0 2 1, book 0 3 1, hours 4, cancel 0, move 1 1, swap 0, close 0 10 1, hours 0, pause 2, cancel 0, hours 4, finish",
    ),
    "a-booking-is-shortened-and-then-its-feed-is-empty": (
        [(1, True, 1), (1, True, 1), (0, False, 4)],
        "resize 26 -2, hours 0, book 0 43 1, cancel 25, swap 1, book 1 40 1, cancel 35, cancel 0, cancel 0, cancel 0, hours 3, "
        "finish",
    ),
    "a-guest-who-took-some-nights-of-another-and-moves-away": (
        [(4, False, 1)],
        "hours 0, book 0 34 3, unhand 3, hours 0, hours 0, swap 29, resize 1 -2, hours 0, hours 1, move 29 -3, sync 1",
    ),
    "the-same-among-many-and-in-one-word-for-all": (
        [(9, False, 4)],
        "book 0 56 2, book 0 42 7, cancel 0, cancel 9, move 25 10, edit 7, close 1 9 4, hours 4, sync 2, again 2, again 0, "
        "sync 1, hours 3, hours 3, hours 0, resize 17 -1, hours 1, close 2 48 4, sync 1, cancel 9, book 0 6 2, close 0 45 1, "
        "book 2 33 4, cancel 0, again 0, hours 0, pause 2, fault 1 1 1, move 19 -3, crash 2 18, book 2 33 2, close 1 27 5, "
        "book 1 33 2, close 1 16 1, move 17 -3, fault 1 1 1, sync 0, finish",
    ),
    "nights-that-a-calendar-shows-open-after-days-of-empty-bodies": (
        [(1, False, 4), (4, False, 4)],
        "fault 1 5 20, crash 0 28, book 2 56 7, discard 0, unhand 1, edit 26, swap 22, edit 9, apply 2, "
        "fault 1 6 20, cancel 11, cancel 3, hours 0, swap 0, cancel 0, address 0, cancel 19, edit 12, hours 0, "
        "cancel 14, resize 37 3, remove 1, resize 15 -2, unhand 1, book 1 50 6, sync 1, cancel 28, cancel 18, "
        "cancel 5, close 1 13 4, edit 9, cancel 27, hours 4, book 1 1 3, cancel 39, hours 4, book 0 52 4, "
        "book 1 31 2, again 1, finish",
    ),
    "an-old-answer-between-two-of-other-guests-is-no-renaming": (
        [(8, False, 1), (7, False, 0), (2, False, 0)],
        "book 2 3 3, again 1, close 0 5 3, sync 0, discard 2, fault 1 5 13, book 2 7 4, sync 2, book 0 56 3, "
        "cancel 21, cancel 2, sync 1, book 2 48 1, close 0 34 5, hours 1, move 24 1, hours 1, fault 2 3 13, again 1, "
        "hours 0, edit 22, book 0 17 1, hours 4, again 2, crash 0 21, close 0 5 2, hand 11 4, book 1 29 3, hours 3, "
        "hours 3, cancel 33, swap 11, edit 12, move 25 1, swap 11, hours 1, move 21 1, hours 0, discard 2, finish",
    ),
}
STRICT: Mapping[str, Kept] = {
    "an-import-of-the-second-fetch": (
        [(6, True, 0), (7, False, 1)],
        "again 0",
    ),
    "what-is-left-of-a-closure-repeats-another": (
        [(4, False, 1), (1, True, 2), (4, False, 4)],
        "hours 3, remove 2, hours 2, hours 3, close 0 27 1, finish",
    ),
    "a-removed-channel-that-another-reads-directly": (
        [(4, False, 1), (2, True, 0), (1, False, 0)],
        "remove 0, link 0 1, finish",
    ),
}
"""Those of strict play."""


def read_steps(text: str) -> list[Step]:
    """Return the steps that *text* lists.

    >>> read_steps("book 0 47 1, finish")
    [('book', 0, 47, 1), ('finish',)]
    """
    words = (step.split() for step in text.split(", "))
    return [(name, *map(int, numbers)) for name, *numbers in words]
