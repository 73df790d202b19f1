"""The history of runs in memory: open ones, ended ones, and the first answers to repeated requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bokit.core.model.records import RunId, TenantId
from bokit.core.model.runs import Answered, OpenRun, Run, RunStatus, SourceReport
from bokit.errors import StoreConflictError
from bokit.store.cursors import check_waiting
from bokit.store.memory.state import MemoryState, cut_page, find
from bokit.store.protocols import Page


class MemoryRuns(MemoryState):
    """``RunStore`` in memory."""

    def open_run(self, open: OpenRun, *, expires_at: datetime, answered: Answered | None, now: datetime) -> Answered | None:
        """Write a queued run and the answer to its key; return the first answer where the key is taken."""
        check_waiting(open)
        with self._lock:
            run = open.run
            if answered and (first := self.find_answer(run.tenant, answered.key, now)):
                return first
            if run.run_id in self._runs.get(run.tenant, {}):
                raise StoreConflictError("a run of this id is there already", id=run.run_id)
            self._keep_open(open)
            if answered:
                self._answers[run.tenant, answered.key] = answered
            return None

    def _keep_open(self, open: OpenRun) -> OpenRun:
        run = replace(open.run, sources=tuple(sorted(open.run.sources, key=lambda report: report.source_id)))
        kept = self._open[run.tenant, run.run_id] = replace(open, run=run)
        self._runs.setdefault(run.tenant, {})[run.run_id] = run
        return kept

    def save_answer(self, tenant: TenantId, answered: Answered, now: datetime) -> Answered | None:
        """Keep an answer that opens no run; return the first where there is one."""
        with self._lock:
            if first := self.find_answer(tenant, answered.key, now):
                return first
            self._answers[tenant, answered.key] = answered
            return None

    def find_answer(self, tenant: TenantId, key: str, now: datetime) -> Answered | None:
        """Return the first answer under this key, unless it is expired at *now*."""
        with self._lock:
            answered = self._answers.get((tenant, key))
            return answered if answered and answered.expires_at > now else None

    def find_open_run(self, tenant: TenantId, id: RunId) -> OpenRun | None:
        """Return the run while it is open; None where it has ended, or there is none."""
        with self._lock:
            return self._open.get((tenant, id))

    def report_sources(self, tenant: TenantId, id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Take the reports of those sources that are pending; return the run as it stands then."""
        with self._lock:
            open = self._open.get((tenant, id))
            if open is None:
                return None
            first = {report.source_id: report for report in reversed(reports) if report.source_id in open.pending}
            if not first:
                return open
            run = replace(open.run, status=RunStatus.RUNNING, sources=(*open.run.sources, *first.values()))
            return self._keep_open(replace(open, run=run, pending=open.pending - first.keys()))

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        """Replace an open run with *run* as it ended; False where it was not open any more."""
        with self._lock:
            if (run.tenant, run.run_id) not in self._open:
                return False
            self.save_run(run, expires_at=expires_at)
            return True

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        """Write it whole; a run of the same id is replaced."""
        with self._lock:
            self._open.pop((run.tenant, run.run_id), None)
            self._runs.setdefault(run.tenant, {})[run.run_id] = run

    def load_run(self, tenant: TenantId, id: RunId) -> Run:
        """Return one run; raises UnknownIdError."""
        with self._lock:
            return find(self._runs.get(tenant, {}), id, "no such run", id)

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return a page of the tenant's runs, newest first."""
        with self._lock:
            return cut_page(self._runs.get(tenant, {}), tenant, limit, cursor)
