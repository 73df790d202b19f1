"""Draws the sources of a shard together that were added at different times: each group costs a claim and a write an interval.

    time            12:00       12:07       12:15          12:20        12:30         12:34        12:45
    most of them    │ synced                │ synced                    │ synced                   │
    the others                  │ synced                   │ 90 s early               │ 90 s early
                                                           └─ … until all of them are due at once

A group is drawn to a larger one of the same interval, by a tenth of the interval at most each time, and only to be earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from bokit.core.model.due_times import MAX_SPREAD
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import SourceSchedule
from bokit.values import Value, replace

MAX_SHARE_EARLIER = 0.1
"""Of its interval: how much earlier than usual a source may be due."""
LEAST_SHARE_LATER = 0.85
"""Of its interval: how much later a source is due at least after a success that nothing brings forward."""
Lines = Mapping[SourceId, SourceSchedule]


class DueGroup(Value, kw_only=False):
    """Sources of one interval that are due together."""

    first_due: datetime
    ids: frozenset[SourceId]

    @property
    def rank(self) -> tuple[int, str]:
        """The larger one is less, and of two that are as large the one with the first id."""
        return -len(self.ids), min(self.ids)


def draw_together(ended: Lines, others: Lines, now: datetime) -> dict[SourceId, SourceSchedule]:
    """Return the lines of a batch that *ended*, drawn to a larger group among the *others* of its shard.

    Lines that failed, or that are due already, neither move nor draw; and only those move that are due an interval later, not
    those that were put off, or whose full pass comes first: they would be due at each tick until then.
    """
    drawn = dict(ended)
    for interval in {line.interval for line in ended.values()} & {line.interval for line in others.values()}:
        ours = _find_largest(ended, interval, now + interval * LEAST_SHARE_LATER)
        theirs = _find_largest(others, interval, now)
        if ours is None or theirs is None or ours.rank < theirs.rank:
            continue
        ahead = (ours.first_due - theirs.first_due) % interval
        if min(ahead, interval - ahead) > MAX_SPREAD:
            earlier = min(ahead, interval * MAX_SHARE_EARLIER)
            drawn |= {source_id: _advance(ended[source_id], earlier) for source_id in ours.ids}
    return drawn


def _advance(line: SourceSchedule, earlier: timedelta) -> SourceSchedule:
    return replace(line, due_at=line.due_at and line.due_at - earlier)


def _find_largest(lines: Lines, interval: timedelta, after: datetime) -> DueGroup | None:
    """Return the largest group of an interval that is due later, within what chance spreads; None: there is none."""
    timed = sorted(
        (line.due_at, source_id)
        for source_id, line in lines.items()
        if line.interval == interval and line.due_at is not None and line.due_at > after and not line.failures
    )
    return min(_group(timed), key=lambda group: group.rank, default=None)


def _group(timed: Iterable[tuple[datetime, SourceId]]) -> list[DueGroup]:
    """Return *timed* ids, which are in the order of their times, in groups: each ends a spread after its first."""
    found: list[tuple[datetime, set[SourceId]]] = []
    for due, source_id in timed:
        if not found or due - found[-1][0] > MAX_SPREAD:
            found.append((due, set()))
        found[-1][1].add(source_id)
    return [DueGroup(first, frozenset(ids)) for first, ids in found]
