"""What is true in the simulated world: stays, feeds, and what happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

Kind = Literal["reservation", "block"]
Status = Literal["confirmed", "tentative", "cancelled"]
DAY = timedelta(days=1)


class SimulatorError(Exception):
    """Bad input; the message is one line that says what, and how to mend it."""


class Span(NamedTuple):
    """Nights from *start* up to, not with, *end*."""

    start: date
    end: date

    def nights(self) -> Iterator[date]:
        """Return every night, in order."""
        return (self.start + DAY * n for n in range((self.end - self.start).days))

    def overlaps(self, other: Span) -> bool:
        """Return whether the two share a night."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A guest's stay, or nights that the owner closed. What a platform makes of it is the platform's matter."""

    id: str
    number: int
    """Counts the stays of a world; codes and UIDs are made of it."""
    feed: str
    kind: Kind = "reservation"
    check_in: date
    check_out: date
    guest: str = ""
    phone: str = ""
    adults: int = 2
    children: int = 0
    tentative: bool = False
    cancelled: bool = False
    sequence: int = 0
    """How often it was changed."""
    changed_at: datetime
    every_days: int = 0
    """A series: again after so many days; 0 for none."""
    times: int = 1

    @property
    def is_active(self) -> bool:
        """Whether it holds its nights."""
        return not self.cancelled

    @property
    def status(self) -> Status:
        """In the words of calendars."""
        return "cancelled" if self.cancelled else "tentative" if self.tentative else "confirmed"

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its nights; several spans for a series."""
        shifts = (DAY * self.every_days * n for n in range(self.times))
        return tuple(Span(self.check_in + shift, self.check_out + shift) for shift in shifts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One calendar address: a listing on a platform."""

    name: str
    """``<platform>/<listing>``, which is its path without the ending."""
    platform: str
    listing: str
    property: str
    unit: str
    timezone: str = "UTC"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One change of the truth."""

    at: datetime
    what: str
    """``booked``, ``moved``, ``changed``, ``cancelled``, ``brought-back``, ``blocked`` or ``unblocked``."""
    stay: str
    feed: str
    check_in: date
    check_out: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A picture of the world at one moment."""

    now: datetime
    stays: tuple[Stay, ...]
    """Every stay that ever was, the cancelled ones too."""
    closed: Mapping[str, frozenset[date]]
    """By feed: the nights from its today on that nobody can book there, windows among them."""
    windows: Mapping[str, frozenset[date]]
    """By feed: the closed nights that no stay holds, only a rule of the platform."""

    def active(self, feed: str) -> tuple[Stay, ...]:
        """Return the stays that hold nights on *feed*, blocks among them."""
        return tuple(stay for stay in self.stays if stay.feed == feed and stay.is_active)


def nights_of(spans: Iterable[Span], since: date = date.min) -> frozenset[date]:
    """Return the nights of all *spans* from *since* on."""
    return frozenset(night for span in spans for night in span.nights() if night >= since)


def cut(span: Span, taken: Iterable[Span]) -> tuple[Span, ...]:
    """Return what is left of *span* outside the *taken* ones."""
    left, start = [], span.start
    for other in sorted(t for t in taken if t.overlaps(span)):
        if other.start > start:
            left.append(Span(start, other.start))
        start = max(start, other.end)
    return (*left, Span(start, span.end)) if start < span.end else tuple(left)
