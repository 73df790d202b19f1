"""The values of the simulated world: stays, feeds, the log of changes, and the ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

StayKind = Literal["reservation", "block"]
StayStatus = Literal["confirmed", "tentative", "cancelled"]
DAY = timedelta(days=1)


class SimulatorError(Exception):
    """Bad input; the message is one line that says what is wrong and how to fix it."""


class Span(NamedTuple):
    """Nights from *start* to *end*, half-open."""

    start: date
    end: date

    def nights(self) -> Iterator[date]:
        """Return every night, in order."""
        return (self.start + DAY * n for n in range((self.end - self.start).days))

    def overlaps(self, other: Span) -> bool:
        """Return whether the two share a night."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedStay:
    """A guest's stay, or nights that the owner closed. Each platform renders it in its own way."""

    id: str
    number: int
    """Serial number within the world; codes and UIDs derive from it."""
    feed: str
    kind: StayKind = "reservation"
    check_in: date
    check_out: date
    guest: str = ""
    phone: str = ""
    adults: int = 2
    children: int = 0
    tentative: bool = False
    cancelled: bool = False
    sequence: int = 0
    """Number of changes so far."""
    changed_at: datetime
    every_days: int = 0
    """Days between two occurrences of a series; 0 if it does not repeat."""
    times: int = 1

    @property
    def is_active(self) -> bool:
        """Whether it holds its nights."""
        return not self.cancelled

    @property
    def status(self) -> StayStatus:
        """The iCalendar status."""
        return "cancelled" if self.cancelled else "tentative" if self.tentative else "confirmed"

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its nights: one span, or several for a series."""
        shifts = (DAY * self.every_days * n for n in range(self.times))
        return tuple(Span(self.check_in + shift, self.check_out + shift) for shift in shifts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One calendar address: a listing on a platform."""

    name: str
    """``<platform>/<listing>``: the URL path without ``.ics``."""
    platform: str
    listing: str
    property: str
    """The property of its unit in ``simulator config``; empty: not in that file."""
    unit: str
    timezone: str = "UTC"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One change of a stay."""

    at: datetime
    what: str
    """``booked``, ``moved``, ``changed``, ``cancelled``, ``brought-back``, ``blocked`` or ``unblocked``."""
    stay: str
    feed: str
    check_in: date
    check_out: date


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruth:
    """What is really booked and closed at one moment."""

    now: datetime
    stays: tuple[SimulatedStay, ...]
    """All stays, including cancelled ones."""
    closed: Mapping[str, frozenset[date]]
    """By feed: the nights from its today on that cannot be booked there, windows included."""
    windows: Mapping[str, frozenset[date]]
    """By feed: the nights closed by a rule of the platform and by no stay."""

    def active(self, feed: str) -> tuple[SimulatedStay, ...]:
        """Return the stays and blocks that hold nights on *feed*."""
        return tuple(stay for stay in self.stays if stay.feed == feed and stay.is_active)


def nights_of(spans: Iterable[Span], since: date = date.min) -> frozenset[date]:
    """Return the nights of all *spans*, from *since* on."""
    return frozenset(night for span in spans for night in span.nights() if night >= since)


def cut(span: Span, taken: Iterable[Span]) -> tuple[Span, ...]:
    """Return *span* without the *taken* ones."""
    left, start = [], span.start
    for other in sorted(t for t in taken if t.overlaps(span)):
        if other.start > start:
            left.append(Span(start, other.start))
        start = max(start, other.end)
    return (*left, Span(start, span.end)) if start < span.end else tuple(left)
