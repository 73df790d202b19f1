"""What a platform is to the simulator: how it renders a view of the truth, and which nights its own rules close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from simulator.feeds.options import Option
from simulator.truth import Feed, Span, Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one feed is rendered from."""

    seed: int
    feed: Feed
    now: datetime
    """In UTC; the stamp of this answer."""
    today: date
    """Where the property is."""
    stays: tuple[Stay, ...]
    """What holds nights here, by check-in; blocks, and those that linked listings bring, among them."""
    gone: tuple[Stay, ...] = ()
    """Cancelled stays, for the platforms that say so."""

    def option(self, name: str) -> Any:
        """Return one of the feed's options."""
        return self.feed.options[name]

    def day_option(self, name: str) -> date | None:
        """Return an option that is a date, if it is set."""
        told = self.option(name)
        return date.fromisoformat(told) if told else None

    @property
    def taken(self) -> tuple[Span, ...]:
        """The spans of all stays and blocks."""
        return tuple(span for stay in self.stays for span in stay.spans)


def no_windows(view: View) -> tuple[Span, ...]:
    """Return no nights: such platforms close none by themselves."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One file each."""

    name: str
    title: str
    """As owners write it."""
    render: Callable[[View], bytes]
    windows: Callable[[View], tuple[Span, ...]] = no_windows
    options: Mapping[str, Option] = field(default_factory=dict)
    """What a feed of it can be told, beside what every feed can."""
