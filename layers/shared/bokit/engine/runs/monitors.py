"""The tenants' monitors: people start and stop them, the tick begins their runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from bokit.core.model.catalog import Source
from bokit.core.model.monitor import Monitor, advance_monitor, postpone_monitor
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, RunId, TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import check_interval, load_all_options, load_options
from bokit.engine.runs.limits import MAX_MONITOR_RUNS, MAX_MONITOR_SECONDS, MAX_SOURCES_PER_RUN, MIN_MONITOR_SECONDS
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.queued_runs import QueuedRuns
from bokit.engine.runs.tick import EARLY, PartResult, do_each, may_sync
from bokit.errors import InputError, StateError, StoreConflictError
from bokit.observability import log_event
from bokit.store.protocols import Store
from bokit.values import replace

log = logging.getLogger("bokit.monitor")


class MonitorService:
    """Starts, stops and finds monitors, and begins their runs."""

    def __init__(self, store: Store, queued_runs: QueuedRuns, clock: Clock, defaults: Fields) -> None:
        self.store, self.queued_runs, self.clock, self.defaults = store, queued_runs, clock, defaults

    def start(
        self, tenant: TenantId, *, interval: int, new_only: bool | None = None, max_runs: int | None = None, by: str
    ) -> Monitor:
        """Start the tenant's monitor, every *interval* seconds; its first run begins with the next tick.

        Raises StateError where one runs (``monitor-running``), or where automatic syncs are off (``sync-disabled``).
        """
        _check_number(interval, "interval", MIN_MONITOR_SECONDS, MAX_MONITOR_SECONDS)
        if max_runs is not None:
            _check_number(max_runs, "max_runs", 1, MAX_MONITOR_RUNS)
        options = load_options(self.store, tenant, self.defaults)
        check_interval(timedelta(seconds=interval), options)
        if not may_sync(options, Trigger.MONITOR):
            raise StateError("automatic syncs are off; set sync.enabled and install.complete to true first", code="sync-disabled")
        known = self._load(tenant)
        if known and known.is_over:
            self.store.delete_monitor(tenant)
        elif known:
            raise _running(tenant)
        now = self.clock()
        monitor = Monitor(
            tenant=tenant,
            interval=timedelta(seconds=interval),
            new_only=new_only,
            max_runs=max_runs,
            started_at=now,
            started_by=by,
            next_at=now,
        )
        try:
            saved = self.store.save_monitor(monitor)
        except StoreConflictError as error:
            raise _running(tenant) from error
        log_event(log, "monitor started", tenant=tenant, interval=interval, by=by)
        return saved

    def stop(self, tenant: TenantId) -> Monitor | None:
        """Stop the tenant's monitor at once: it begins no further run. Returns it; None where none ran."""
        known = self.find(tenant)
        self.store.delete_monitor(tenant)
        if known:
            log_event(log, "monitor stopped", tenant=tenant, runs=known.runs)
        return known

    def find(self, tenant: TenantId) -> Monitor | None:
        """Return the tenant's monitor; None where none runs."""
        known = self._load(tenant)
        return None if known is None or known.is_over else known

    def _load(self, tenant: TenantId) -> Monitor | None:
        return self.store.load_monitors([tenant]).get(tenant)

    # ── the tick ──

    def run_due_monitors(self, monitors: Sequence[Monitor]) -> PartResult:
        """Begin the runs of those that are due, and count them; one that fails does not stop the others."""
        now = self.clock()
        due = [m for m in monitors if m.next_at <= now + EARLY]
        options = load_all_options(self.store, [m.tenant for m in due], self.defaults)

        def begin(monitor: Monitor) -> bool:
            try:
                return self._begin_run(monitor, options[monitor.tenant], now)
            except StoreConflictError:
                # it was stopped, or another tick begins its run; after a mere conflict it is due at the next tick as well
                log_event(log, "monitor left to another", tenant=monitor.tenant)
                return False

        return do_each(due, begin)

    def _begin_run(self, monitor: Monitor, options: Options, now: datetime) -> bool:
        """Begin the run of one due monitor; return whether it began.

            save: next_run     │ fails where it was stopped, or another tick was first: a stopped one begins nothing more
            open, send         │ under that id, which can be opened once
            save: advanced     │ from here on it is due an interval later

        A crash after the first line leaves a monitor that is still due and names the run: the next tick continues with that
        one. Opening it twice is refused, sending it twice is harmless. So no run is lost or doubled; advancing first
        could lose one, and opening first could begin one after the stop.
        """
        if monitor.is_over:
            self.store.delete_monitor(monitor.tenant)
            return False
        sources = self._select(monitor.tenant)
        if not may_sync(options, Trigger.MONITOR) or self._is_busy(monitor, len(sources)):
            self.store.save_monitor(postpone_monitor(monitor, now))
            return False
        run_id = monitor.next_run or RunId(self.queued_runs.new_run_id(now))
        saved = self.store.save_monitor(replace(monitor, next_run=run_id))
        request = SyncRequest(tenant=saved.tenant, trigger=Trigger.MONITOR, everything=True, new_only=saved.new_only)
        for number in range(count_parts(len(sources))):
            first = number * MAX_SOURCES_PER_RUN
            self.queued_runs.begin(request, name_part(run_id, number), sources[first : first + MAX_SOURCES_PER_RUN])
        self._advance(saved, run_id, now)
        return True

    def _advance(self, monitor: Monitor, run_id: RunId, now: datetime) -> None:
        after = self.store.save_monitor(advance_monitor(monitor, run_id, now))
        log_event(log, "monitor run begun", tenant=after.tenant, run_id=run_id, runs=after.runs)
        if after.is_over:
            self.store.delete_monitor(after.tenant)

    def _is_busy(self, monitor: Monitor, sources: int) -> bool:
        """Return whether its last run, or a part of it, is still open."""
        if monitor.last_run is None:
            return False
        parts = (name_part(monitor.last_run, n) for n in range(count_parts(sources)))
        return any(self.store.find_open_run(monitor.tenant, part) for part in parts)

    def _select(self, tenant: TenantId) -> list[Source]:
        everything = self.queued_runs.manual.select(SyncRequest(tenant=tenant, everything=True))
        return sorted(everything, key=lambda s: (s.shard_id, s.id))


def count_parts(sources: int) -> int:
    """Return into how many runs so many sources are split; at least one, which shows in the history even without sources."""
    return max(1, -(-sources // MAX_SOURCES_PER_RUN))


def name_part(run_id: RunId, number: int) -> RunId:
    """Return the id of the run's part of this number: the first has the run's own.

    >>> name_part(RunId("run_1"), 0), name_part(RunId("run_1"), 1)
    ('run_1', 'run_1-2')
    """
    return RunId(f"{run_id}-{number + 1}") if number else run_id


def _running(tenant: TenantId) -> StateError:
    return StateError("a monitor runs already; stop it first", code="monitor-running", tenant=tenant)


def _check_number(value: int, field: str, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"out of range; it takes whole numbers from {least} to {most}", code="bad-field", field=field)
