"""Open runs: what is reported to them, when they are overdue, what waits for the tick, and their end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from bokit.core.model.records import Fields, SourceId
from bokit.core.model.runs import OpenRun, Outcome, Run, RunStatus, SourceReport, judge_run
from bokit.engine.base.clock import Clock
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import load_options
from bokit.engine.runs.history import expiry_of, log_run
from bokit.engine.runs.limits import MAX_POSTPONE_TRIES, MAX_RUN_AGE, OVERDUE_AFTER
from bokit.errors import StoreConflictError
from bokit.store.protocols import Store
from bokit.values import replace


class OpenRuns:
    """Reports to open runs, puts them off, and ends them."""

    def __init__(self, store: Store, clock: Clock, defaults: Fields) -> None:
        self.store, self.clock, self.defaults = store, clock, defaults

    def report(self, run: Run, reports: Sequence[SourceReport]) -> None:
        """Add reports to the run; the last one ends it."""
        after = self.store.report_sources(run.tenant, run.run_id, reports)
        if after is not None and after.is_done:
            self.end(after)

    def end(self, opened: OpenRun) -> None:
        """End a run without pending sources, once."""
        status = judge_run(opened.run.sources) if opened.run.sources else RunStatus.SUCCEEDED
        run = replace(opened.run, status=status, finished_at=self.clock())
        if self.store.close_run(run, expires_at=self.expiry(run)):
            log_run(run)

    def give_up(self, opened: OpenRun, error: Mapping[str, str]) -> None:
        """End a run, its pending sources as failed."""
        names = {s.id: s.name for s in self.store.load_sources(opened.run.tenant)}
        failed = [
            SourceReport(source_id=source_id, name=names.get(source_id, source_id), outcome=Outcome.FAILED, error=error)
            for source_id in sorted(opened.pending)
        ]
        if failed:
            self.report(opened.run, failed)
        else:
            self.end(opened)

    def expiry(self, run: Run) -> datetime:
        """Return when the run leaves the history."""
        return expiry_of(run, load_options(self.store, run.tenant, self.defaults))

    # ── how long it goes on ──

    def postpone(self, opened: OpenRun, *, waiting: Collection[SourceId], has_headway: bool) -> None:
        """Put off when the run is overdue, where it has made headway, and leave *waiting* to the tick.

        While half of its time is left, headway alone writes nothing: most runs never come so far.
        """
        now = self.clock()
        is_late = has_headway and opened.overdue_at - now < OVERDUE_AFTER / 2
        if not waiting and not is_late:
            return

        def change(found: OpenRun) -> OpenRun:
            until = min(now + OVERDUE_AFTER, found.run.started_at + MAX_RUN_AGE) if is_late else found.overdue_at
            left = found.waiting | (found.pending & frozenset(waiting))
            return replace(found, overdue_at=max(found.overdue_at, until), waiting=left)

        self._change(opened, change)

    def clear_waiting(self, opened: OpenRun, sent: frozenset[SourceId]) -> None:
        """Note that the tick has sent what waited."""
        self._change(opened, lambda found: replace(found, waiting=found.waiting - sent))

    def _change(self, opened: OpenRun, change: Callable[[OpenRun], OpenRun]) -> None:
        """Store what *change* makes of the run as it is now; of one that has ended, nothing."""

        def write() -> None:
            found = self.store.find_open_run(opened.run.tenant, opened.run.run_id)
            if found is None or (after := change(found)) == found:
                return
            if not self.store.postpone_run(found, overdue_at=after.overdue_at, waiting=after.waiting):
                raise StoreConflictError("the run was changed by others at the same time; try again")

        retry_on_conflict(write, MAX_POSTPONE_TRIES)
