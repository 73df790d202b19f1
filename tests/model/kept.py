"""Sequences that once failed: their channels, and their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.model.choice import Spec, Step

END: Step = ("finish",)
KEPT: Mapping[str, tuple[Sequence[Spec], Sequence[Step]]] = {
    "a-provisional-booking-is-no-echo-of-its-echo": (
        [(7, True, 0), (3, True, 5)],
        [("book", 0, 47, 1), ("hours", 0), END],
    ),
    "nor-where-uids-change-at-every-fetch": (
        [(9, True, 1), (2, False, 1), (5, True, 1)],
        [("fault", 0, 0, 0), ("book", 2, 24, 1), ("hours", 0), ("hours", 3)],
    ),
    "nor-where-a-person-applies-the-hold": (
        [(3, False, 1), (0, True, 1), (5, False, 3)],
        [("book", 2, 42, 1), ("book", 2, 49, 1), ("move", 39, 1), ("hours", 1), ("apply", 2)],
    ),
    "nor-where-guest-and-dates-change": ([(7, False, 1), (4, True, 1)], [("swap", 0), ("move", 1, -3), ("hours", 3)]),
    "a-closure-that-is-part-of-another-guests-stay": (
        [(10, False, 5), (3, False, 5), (0, False, 3)],
        [("close", 0, 30, 1), ("hours", 1), ("fault", 2, 2, 2), ("hours", 0)],
    ),
    "two-listings-of-nights-alone": ([(7, True, 1), (7, True, 1)], [("hours", 0), ("apply", 1), ("apply", 0)]),
}
