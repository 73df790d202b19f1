"""A simulated platform: how it renders a feed, and which nights its own rules close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from simulator.feeds.options import FeedOption
from simulator.model import Feed, SimulatedStay, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """The input of rendering one feed."""

    seed: int
    feed: Feed
    now: datetime
    """In UTC; the DTSTAMP of this response."""
    today: date
    """In the property's timezone."""
    stays: tuple[SimulatedStay, ...]
    """Active stays and blocks by check-in, including those of linked listings."""
    cancelled: tuple[SimulatedStay, ...] = ()
    """Cancelled stays, for platforms that show them."""

    def option(self, name: str) -> Any:
        """Return an option's value."""
        return self.feed.options[name]

    def day_option(self, name: str) -> date | None:
        """Return the value of an option that is a date, or None."""
        value = self.option(name)
        return date.fromisoformat(value) if value else None

    @property
    def taken(self) -> tuple[Span, ...]:
        """The spans of all stays and blocks."""
        return tuple(span for stay in self.stays for span in stay.spans)


def no_windows(view: RenderContext) -> tuple[Span, ...]:
    """Return no nights: the platform closes none by itself."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPlatform:
    """A platform's name, renderer, windows and options."""

    name: str
    title: str
    """The name that owners know."""
    render: Callable[[RenderContext], bytes]
    windows: Callable[[RenderContext], tuple[Span, ...]] = no_windows
    options: Mapping[str, FeedOption] = field(default_factory=dict)
    """Options of its feeds, in addition to the common ones."""
