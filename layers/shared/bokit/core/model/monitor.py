"""The monitor: a tenant's sources synced every so many seconds, so many times; it takes the schedule's place meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypedDict

from bokit.core.model.documents import Count
from bokit.core.model.records import RunId, TenantId


class MonitorDocument(TypedDict):
    """A tenant's monitor while it runs."""

    interval: Count
    new_only: bool | None
    max_runs: Count | None
    runs: Count
    started_at: datetime
    started_by: str
    next_at: datetime
    last_run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One tenant's monitor while it runs; a stopped one is not stored."""

    tenant: TenantId
    interval: timedelta
    new_only: bool | None = None
    """None: as ``sync.new_only`` says."""
    max_runs: int | None = None
    """None: until it is stopped."""
    runs: int = 0
    """Runs that it has begun."""
    started_at: datetime
    started_by: str
    next_at: datetime
    """When its next run begins."""
    last_run: RunId | None = None
    next_run: RunId | None = None
    """The run that is being begun: who finds one was preceded by somebody that died over it, and goes on with it."""
    version: int = 0
    """The condition of its next write; 0: not stored yet."""

    @property
    def is_over(self) -> bool:
        """Return whether it has begun all its runs."""
        return self.max_runs is not None and self.runs >= self.max_runs

    def as_dict(self) -> MonitorDocument:
        """As the status shows it."""
        return {
            "interval": int(self.interval.total_seconds()),
            "new_only": self.new_only,
            "max_runs": self.max_runs,
            "runs": self.runs,
            "started_at": self.started_at,
            "started_by": self.started_by,
            "next_at": self.next_at,
            "last_run_id": self.last_run,
        }


def advance_monitor(monitor: Monitor, run_id: RunId, now: datetime) -> Monitor:
    """Return *monitor* with one run more, due an interval after it was; what it slept through is not made up for.

    >>> # due 12:00, every 60 s, carried at 12:07:30: next at 12:08:00
    """
    missed = max(0, (now - monitor.next_at) // monitor.interval)
    next_at = monitor.next_at + monitor.interval * (missed + 1)
    return replace(monitor, runs=monitor.runs + 1, last_run=run_id, next_run=None, next_at=next_at)


def postpone_monitor(monitor: Monitor, now: datetime) -> Monitor:
    """Return *monitor* due an interval later, without a run: syncing is off, or its last run is not over."""
    missed = max(0, (now - monitor.next_at) // monitor.interval)
    return replace(monitor, next_at=monitor.next_at + monitor.interval * (missed + 1))
