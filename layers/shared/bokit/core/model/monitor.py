"""The monitor: syncs a tenant's sources at an interval, a number of times; it takes the schedule's place while it runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict

from bokit.core.model.documents import Count
from bokit.core.model.records import RunId, TenantId
from bokit.values import Value, replace


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


class Monitor(Value):
    """One tenant's monitor while it runs; it is deleted when it stops."""

    tenant: TenantId
    interval: timedelta
    new_only: bool | None = None  # None: the value of ``sync.new_only``
    max_runs: int | None = None  # None: until it is stopped
    runs: int = 0  # runs that it has started
    started_at: datetime
    started_by: str
    next_at: datetime
    last_run: RunId | None = None
    next_run: RunId | None = None
    """The run that is being started. Found later, it is left from a crash, and is continued."""
    version: int = 0  # the condition of its next write; 0: not stored yet

    @property
    def is_over(self) -> bool:
        """Whether it has started all of its runs."""
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
    """Return *monitor* with another run; missed ones are skipped.

    Due 12:00, every 60 s, run at 12:07:30: next at 12:08:00.
    """
    return replace(postpone_monitor(monitor, now), runs=monitor.runs + 1, last_run=run_id, next_run=None)


def postpone_monitor(monitor: Monitor, now: datetime) -> Monitor:
    """Return *monitor* due at its next interval, without a run: syncing is off, or its last run is not over."""
    missed = max(0, (now - monitor.next_at) // monitor.interval)
    return replace(monitor, next_at=monitor.next_at + monitor.interval * (missed + 1))
