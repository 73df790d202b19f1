"""Nights: a stay holds the nights from its check-in to the night before its check-out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

Span = tuple[date, date]
"""Half-open: the first night, and the day after the last."""
DAY = timedelta(days=1)


def nights(check_in: date, check_out: date) -> set[date]:
    """Return the nights of ``[check_in, check_out)``.

    >>> len(nights(date(2026, 2, 27), date(2026, 3, 2)))
    3
    """
    return {date.fromordinal(n) for n in range(check_in.toordinal(), check_out.toordinal())}


def nights_of(spans: Iterable[Span]) -> set[date]:
    """Return the nights of several spans together."""
    return {night for span in spans for night in nights(*span)}


def read_spans(values: Iterable[Sequence[str]]) -> list[Span]:
    """Return spans written as pairs of ISO dates."""
    return [(date.fromisoformat(first), date.fromisoformat(end)) for first, end, *_ in values]


def join_nights(held: Iterable[date]) -> list[Span]:
    """Return the spans that *held* makes, as few and as long as can be, in order.

    >>> join_nights([date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5)])[0]
    (datetime.date(2026, 1, 1), datetime.date(2026, 1, 3))
    """
    spans: list[Span] = []
    for night in sorted(held):
        if spans and spans[-1][1] == night:
            spans[-1] = (spans[-1][0], night + DAY)
        else:
            spans.append((night, night + DAY))
    return spans


def write_spans(held: Iterable[date]) -> list[list[str]]:
    """Return *held* as JSON keeps it: pairs of ISO dates."""
    return [[first.isoformat(), end.isoformat()] for first, end in join_nights(held)]
