"""The evidence that a night is free, in words: which calendars were read, when, up to which date they speak, what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bokit_cli.show import ago_words, day_words

if TYPE_CHECKING:
    from bokit.engine.bookings.terms import NightEvidence

NO_FEED = "no calendar is read for this unit: what a platform sells is not known here; `bokit source add` adds one"
DOUBTS = {
    "failing": "it cannot be read now: a newer booking may be missing",
    "stale": "it stands still: a newer booking may be missing",
    "paused": "it is paused: a newer booking may be missing",
    "held": "what came since is held back: nights that it closes are held, and none is freed",
}
"""What a source's state means for a night that it shows as free."""


def evidence_lines(feeds: Sequence[NightEvidence], night: date, now: datetime) -> Iterator[str]:
    """Yield a line for each calendar, and for what its state leaves open."""
    yield "no booking, block or closed night holds it" if feeds else NO_FEED
    for feed in feeds:
        yield f"{feed['name']}: {_claim_words(feed, night, now)}"
        if feed["read_at"] and (doubt := DOUBTS.get(feed["state"])):
            yield f"  {doubt}"


def _claim_words(feed: NightEvidence, night: date, now: datetime) -> str:
    """Return what a calendar says of *night*: ``free, read 12 min ago; it speaks up to Tue 28 Nov 2028, …``."""
    if feed["read_at"] is None or feed["until"] is None:
        return "not read yet: its bookings are missing here"
    shown = f"its last taken night is {_last_night(feed['shows_until'])}" if feed["shows_until"] else "it shows no night as taken"
    silent = "says nothing of so late a night" if night.isoformat() >= feed["until"] else "says nothing of nights that are past"
    says = {"free": "free", "taken": "taken, and released by a person", "nothing": silent}[feed["says"]]
    read = f"read {ago_words(datetime.fromisoformat(feed['read_at']), now)}"
    return f"{says}, {read}; it speaks up to {_last_night(feed['until'])}, {shown}"


def _last_night(end: str) -> str:
    return day_words(date.fromisoformat(end) - timedelta(days=1))
