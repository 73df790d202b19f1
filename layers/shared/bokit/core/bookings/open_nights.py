"""Open nights: those that a record holds and its feed shows open, each with the time since when, in the record's rules state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from bokit.core.bookings.nights import nights, write_spans
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Json, Record

OPEN = "open"
"""In a record's rules state: nights that it holds and its feed shows open, as ``[first, end, since]``."""
MISSED = "missed"
"""In a record's rules state: how many accepted fetches in a row missed it, as far as that matters, the times of the first
and the last, and when it was last shown."""
OpenNights = Mapping[date, datetime]
"""Nights that the feed shows open, each with the time since when."""


def open_nights(record: Record, shown: Iterable[date], since: datetime) -> dict[date, datetime]:
    """Return the nights that *record* holds and the feed shows open, each with the time since when."""
    known = read_open(record)
    return {night: known.get(night, since) for night in shown}


def read_open(record: Record) -> dict[date, datetime]:
    """Return the open nights in *record*'s rules state."""
    return {
        night: datetime.fromisoformat(since)
        for first, end, since in record.memory.get(OPEN, ())
        for night in nights(date.fromisoformat(first), date.fromisoformat(end))
    }


def with_open_nights(rules_state: Fields, opened: OpenNights, missed: list[Json] | None = None) -> dict[str, Json]:
    """Return *rules_state* with *opened* and *missed* in place of its open nights and missed fetches."""
    kept: dict[str, Json] = {name: value for name, value in rules_state.items() if name not in (OPEN, MISSED)}
    kept |= {MISSED: missed} if missed else {}
    by_time: dict[datetime, set[date]] = {}
    for night, since in opened.items():
        by_time.setdefault(since, set()).add(night)
    rows = [[*span, write_time(since)] for since, held in sorted(by_time.items()) for span in write_spans(held)]
    return {**kept, OPEN: rows} if rows else kept
