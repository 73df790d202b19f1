"""How iCalendar text is written: escaping, folding, and the events that most platforms share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from simulator.records import Listing, Stay
from simulator.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Nights that a feed shows as one event, and the stay behind them (None: a rule of the platform's)."""

    start: date
    end: date
    stay: Stay | None = None


def shown_stays(world: World, listing: Listing) -> Iterator[Stay]:
    """Yield the listing's stays that hold their nights, by date."""
    return (s for s in sorted(world.stays_of(listing.id), key=lambda s: (s.check_in, s.id)) if s.holds_nights)


def linked_stays(world: World, listing: Listing) -> Iterator[Stay]:
    """Yield the stays of the linked listings, by date: they show as blocks here."""
    return (stay for id in listing.linked for stay in shown_stays(world, world.find_listing(id)))


def stamp(at: datetime) -> str:
    """Return a moment as iCalendar writes it, in UTC."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def day(value: date) -> str:
    """Return a date as iCalendar writes it."""
    return value.strftime("%Y%m%d")


def escape(text: str) -> str:
    r"""Return *text* as a TEXT value: backslash, comma, semicolon and line ends escaped.

    >>> print(escape("a, b"))
    a\, b
    """
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text


def fold(line: str) -> Iterator[str]:
    """Yield the line in pieces of at most 75 octets, never cutting a character."""
    piece, room = "", 75
    for character in line:
        size = len(character.encode())
        if size > room:
            yield piece
            piece, room = " ", 74
        piece += character
        room -= size
    yield piece


def write(lines: Iterable[str], *, line_end: str = "\r\n", folds: bool = True) -> bytes:
    """Return the calendar's bytes."""
    folded = [piece for line in lines for piece in (fold(line) if folds else (line,))]
    return (line_end.join(folded) + line_end).encode()


def wrap_event(lines: Sequence[str]) -> list[str]:
    """Return the lines of one event."""
    return ["BEGIN:VEVENT", *lines, "END:VEVENT"]
