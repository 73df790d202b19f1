"""The truth beside the feeds: who booked which nights on which channel, and what a channel's address answers. Imports nothing
of Bokit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.model.styles import EPOCH, STYLES, Shown, Style, code_of, make_uid, name_of, span, spans, write_calendar

ZONE = ZoneInfo("Europe/Rome")
START = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GHOST = 5000
"""Numbers from here on are another listing's."""
FAULTS = ("down", "html", "empty", "half", "cut", "other", "stale")


@dataclass(slots=True)
class Item:
    """A guest's stay, or an owner's closure, on one channel."""

    number: int
    channel: int
    is_guest: bool
    first: int
    end: int
    cancelled_at: datetime | None = None

    @property
    def nights(self) -> int:
        """Its nights, as bits."""
        return span(self.first, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an address answered: a body with what it shows, or nothing."""

    fault: str | None = None
    body: bytes | None = None
    events: tuple[Shown, ...] = ()

    @property
    def nights(self) -> int:
        """Every night that it closes."""
        bits = 0
        for event in self.events:
            bits |= event.nights
        return bits


@dataclass(slots=True)
class Channel:
    """One listing: its feed, and what it imports."""

    number: int
    style: Style
    imports: bool
    imported: int = 0
    links: set[int] = field(default_factory=set)
    linked: int = 0
    """Nights that it imported from other channels directly."""
    address: int = 0
    fault: str | None = None
    fault_until: datetime | None = None
    fetches: int = 0
    last: Answer | None = None
    """Its last answer without fault."""


class World:
    """Channels of one flat, and the time."""

    def __init__(self, specs: Sequence[tuple[int, bool, int]]) -> None:
        self.now = START
        self.channels = [Channel(n, STYLES[style % len(STYLES)], imports) for n, (style, imports, _) in enumerate(specs)]
        self.items: dict[int, Item] = {}
        self._numbers = 0
        night = self.today + 6
        for turn in range(max((count for *_, count in specs), default=0)):
            for number, (*_, count) in enumerate(specs):
                if turn < count:
                    length = 2 + (turn + number) % 4
                    self.add(number, night, night + length)
                    night += length + (turn + number) % 3

    @property
    def today(self) -> int:
        """The flat's day."""
        return (self.now.astimezone(ZONE).date() - EPOCH).days

    @property
    def to_come(self) -> int:
        """Every night from today on, as bits."""
        return ~((1 << self.today) - 1)

    # ── what guests and owners do ──

    def add(self, channel: int, first: int, end: int, *, is_guest: bool = True) -> Item:
        """Add a stay or a closure; a closure's number is negative."""
        self._numbers += 1
        item = Item(self._numbers if is_guest else -self._numbers, channel, is_guest, first, end)
        self.items[item.number] = item
        return item

    def live(self, channel: int | None = None) -> list[Item]:
        """Return what is not cancelled and not over."""
        found = (i for i in self.items.values() if channel in (None, i.channel))
        return [i for i in found if i.cancelled_at is None and i.end > self.today]

    def own_nights(self, channel: int) -> int:
        """Return the nights that a channel sold or closed itself."""
        bits = 0
        for item in self.live(channel):
            bits |= item.nights
        return bits

    def is_free(self, channel: int, first: int, end: int, but: Item | None = None) -> bool:
        """Return whether the channel takes a booking of these nights: it knows of nothing there."""
        mine = self.channels[channel].imported | self.channels[channel].linked
        for item in self.live(channel):
            mine |= item.nights if item is not but else 0
        return not mine & span(first, end)

    def read_calendar(self, channel: int, nights: int) -> None:
        """Let a channel import what it reads in Bokit's calendar."""
        if self.channels[channel].imports:
            self.channels[channel].imported = nights & self.to_come

    def read_links(self) -> None:
        """Let every channel import those that it is linked with directly."""
        for channel in self.channels:
            channel.linked = 0
            for other in channel.links:
                there = self.channels[other]
                channel.linked |= (self.own_nights(other) | there.imported | there.linked) & self.to_come

    # ── what addresses answer ──

    def answer(self, number: int) -> Answer:
        """Return what the channel's address answers now."""
        channel = self.channels[number]
        channel.fetches += 1
        fault = channel.fault
        if fault and channel.fault_until and self.now >= channel.fault_until:
            channel.fault = fault = None
        if fault == "stale" and channel.last:
            return Answer(fault=fault, body=channel.last.body, events=channel.last.events)
        if fault is None or fault == "stale":
            events = self._events(channel)
            channel.last = Answer(body=write_calendar(channel.style, events, self.now), events=tuple(events))
            return channel.last
        return self._fail(channel, fault)

    def _fail(self, channel: Channel, fault: str) -> Answer:
        events: list[Shown] = []
        if fault == "down":
            return Answer(fault=fault)
        if fault == "html":
            return Answer(fault=fault, body=b"<!DOCTYPE html><html><body>Sign in</body></html>")
        if fault in ("half", "cut"):
            events = self._events(channel)
            events = events[: len(events) // 2] if fault == "half" else events[: len(events) * 2 // 3]
        if fault == "other":
            events = [self._ghost(channel, n) for n in range(5)]
        body = write_calendar(channel.style, events, self.now)
        if fault == "cut":
            body = body[: -len(b"END:VCALENDAR\r\n")] + b"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:2026"
        return Answer(fault=fault, body=body, events=tuple(events))

    def _ghost(self, channel: Channel, number: int) -> Shown:
        """Return an event of another listing."""
        first = self.today + 9 + number * 9
        return self._show(
            channel, GHOST + channel.number * 100 + number, first, first + 3 + number % 2, is_guest=True, salt="ghost"
        )

    def _events(self, channel: Channel) -> list[Shown]:
        style, found = channel.style, []
        for item in self.items.values():
            if item.channel == channel.number and self._is_shown(style, item):
                first = max(item.first, self.today) if style.clips and item.end > self.today else item.first
                shown = self._show(
                    channel, item.number, first, item.end, is_guest=item.is_guest, cancelled=bool(item.cancelled_at)
                )
                found.append(shown)
        imports = (channel.imported | channel.linked) & ~self.own_nights(channel.number) & self.to_come
        if style.merged:
            bits = imports
            for shown in found:
                bits |= shown.nights
            found = []
            imports = bits
        found += [self._show(channel, None, first, end, is_guest=False) for first, end in spans(imports)]
        return sorted(found, key=lambda e: (e.first, e.uid))

    def _is_shown(self, style: Style, item: Item) -> bool:
        if item.cancelled_at is not None:
            return style.states and self.now - item.cancelled_at < 48 * HOUR and item.end > self.today
        return item.end > self.today and not (style.upcoming and item.first < self.today)

    def _show(
        self,
        channel: Channel,
        number: int | None,
        first: int,
        end: int,
        *,
        is_guest: bool,
        cancelled: bool = False,
        salt: str = "",
    ) -> Shown:
        style = channel.style
        label = style.guest if is_guest else style.imported if number is None else style.closure
        return Shown(
            of=number,
            first=first,
            end=end,
            uid=make_uid(style, f"c{channel.number}{salt}", number, (first, end), channel.fetches),
            summary=label.format(name_of(number)) if number is not None else label,
            code=code_of(number) if style.coded and is_guest and number is not None else None,
            cancelled=cancelled,
            is_import=number is None and not style.merged,
        )
