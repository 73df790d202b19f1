"""The tenants' monitors: started and stopped by people, carried by the tick."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bokit.core.model.catalog import Source
from bokit.core.model.monitor import Monitor, advance_monitor, postpone_monitor
from bokit.core.model.options import Options
from bokit.core.model.records import Json, RunId, TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.base.clock import Clock
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.queued_runs import MAX_SOURCES_PER_RUN, QueuedRuns
from bokit.engine.runs.tick import EARLY, Done, do_each, may_sync
from bokit.errors import InputError, StateError, StoreConflictError
from bokit.observability import log_event
from bokit.store.protocols import Store

log = logging.getLogger("bokit.monitor")

SHORTEST, LONGEST = 60, 366 * 86_400
MAX_RUNS = 1_000_000_000


class MonitorService:
    """Starts, stops, finds and carries monitors."""

    def __init__(self, store: Store, queued_runs: QueuedRuns, clock: Clock, defaults: Mapping[str, Json]) -> None:
        self.store, self.queued_runs, self.clock, self.defaults = store, queued_runs, clock, defaults

    def start(
        self, tenant: TenantId, *, interval: int, new_only: bool | None = None, max_runs: int | None = None, by: str
    ) -> Monitor:
        """Start the tenant's monitor, every *interval* seconds; its first run begins with the next tick.

        Raises StateError where one runs (``monitor-running``), or where nothing syncs by itself (``sync-disabled``).
        """
        _check_number(interval, "interval", SHORTEST, LONGEST)
        if max_runs is not None:
            _check_number(max_runs, "max_runs", 1, MAX_RUNS)
        if not may_sync(self._options([tenant])[tenant], Trigger.MONITOR):
            raise StateError(
                "syncing by itself is off; set sync.enabled and install.complete to true first", code="sync-disabled"
            )
        known = self._load(tenant)
        if known and known.is_over:
            self.store.delete_monitor(tenant)
        elif known:
            raise _running(known)
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
            raise _running(monitor) from error
        log_event(log, "monitor started", tenant=tenant, interval=interval, by=by)
        return saved

    def stop(self, tenant: TenantId) -> Monitor | None:
        """Stop the tenant's monitor at once: it begins no further run. Returns it; None where none ran."""
        known = self._load(tenant)
        self.store.delete_monitor(tenant)
        if known is None or known.is_over:
            return None
        log_event(log, "monitor stopped", tenant=tenant, runs=known.runs)
        return known

    def find(self, tenant: TenantId) -> Monitor | None:
        """Return the tenant's monitor; None where none runs."""
        known = self._load(tenant)
        return None if known is None or known.is_over else known

    # ── the tick ──

    def run_due_monitors(self, monitors: Sequence[Monitor]) -> Done:
        """Begin the runs of those that are due, and count them; one that fails keeps no other from its run."""
        now = self.clock()
        due = [m for m in monitors if m.next_at <= now + EARLY]
        options = self._options([m.tenant for m in due])

        def begin(monitor: Monitor) -> bool:
            try:
                return self._carry(monitor, options[monitor.tenant], now)
            except StoreConflictError:
                # it was stopped, or another tick carries it: either way it is not ours; one that the table was merely
                # too busy for is due at the next tick as well
                log_event(log, "monitor left to another", tenant=monitor.tenant)
                return False

        return do_each(due, begin)

    def _carry(self, monitor: Monitor, options: Options, now: datetime) -> bool:
        """Begin the run of one due monitor; tell whether it was begun.

            save: next_run     │ fails where it was stopped, or another tick was faster: a stopped one begins nothing more
            open, send         │ under that id, which is free once
            save: advanced     │ from here on it is due an interval later

        Whoever dies after the first line leaves a monitor that is still due and says which run it was about: the next tick
        goes on with that one. Opening it twice is refused, sending it twice does no harm. So no run is lost, and none is
        doubled, whereas advancing first would lose one, and opening first would begin one after the stop.
        """
        if monitor.is_over:
            self.store.delete_monitor(monitor.tenant)
            return False
        sources = self._sources(monitor.tenant)
        if not may_sync(options, Trigger.MONITOR) or self._is_busy(monitor, len(sources)):
            self.store.save_monitor(postpone_monitor(monitor, now))
            return False
        run_id = monitor.next_run or RunId(self.queued_runs.new_run_id(now))
        mine = self.store.save_monitor(replace(monitor, next_run=run_id))
        request = SyncRequest(tenant=mine.tenant, trigger=Trigger.MONITOR, everything=True, new_only=mine.new_only)
        for number in range(count_parts(len(sources))):
            self.queued_runs.begin(
                request, name_part(run_id, number), sources[number * MAX_SOURCES_PER_RUN : (number + 1) * MAX_SOURCES_PER_RUN]
            )
        self._advance(mine, run_id, now)
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

    def _sources(self, tenant: TenantId) -> list[Source]:
        everything = self.queued_runs.manual.select(SyncRequest(tenant=tenant, everything=True))
        return sorted(everything, key=lambda s: (s.shard_id, s.id))

    def _load(self, tenant: TenantId) -> Monitor | None:
        return self.store.load_monitors([tenant]).get(tenant)

    def _options(self, tenants: Sequence[TenantId]) -> dict[TenantId, Options]:
        stored = self.store.load_options(sorted(set(tenants)))
        return {t: Options(stored.get(t), self.defaults) for t in tenants}


def count_parts(sources: int) -> int:
    """Return into how many runs so many sources are cut; one at least, so that a run without any shows in the history."""
    return max(1, -(-sources // MAX_SOURCES_PER_RUN))


def name_part(run_id: RunId, number: int) -> RunId:
    """Return the id of the run's part of this number: the first bears the run's own.

    >>> name_part(RunId("run_1"), 0), name_part(RunId("run_1"), 1)
    ('run_1', 'run_1-2')
    """
    return RunId(f"{run_id}-{number + 1}") if number else run_id


def _running(monitor: Monitor) -> StateError:
    return StateError("a monitor runs already; stop it first", code="monitor-running", tenant=monitor.tenant)


def _check_number(value: int, field: str, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"out of range; it takes whole numbers from {least} to {most}", code="bad-field", field=field)
