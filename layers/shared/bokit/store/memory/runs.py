"""The history of runs in memory: open ones, ended ones, and the first answers to repeated requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bokit.core.model.events import event_of_end, event_of_start, join_events
from bokit.core.model.records import RunId, SourceId, TenantId
from bokit.core.model.runs import IdempotentResponse, OpenRun, Run, RunStatus, SourceReport
from bokit.errors import StoreConflictError
from bokit.store.memory.state import MemoryState, load_one, load_page
from bokit.store.protocols import Page
from bokit.store.writes import check_pending
from bokit.values import replace


class MemoryRuns(MemoryState):
    """``RunStore`` in memory."""

    def open_run(
        self,
        open_run: OpenRun,
        *,
        expires_at: datetime,
        answered: IdempotentResponse | None,
        now: datetime,
        together: Iterable[Iterable[SourceId]] = (),
    ) -> IdempotentResponse | None:
        check_pending(open_run)
        with self._lock:
            run = open_run.run
            if answered and (first := self.find_answer(run.tenant, answered.key, now)):
                return first
            if run.run_id in self._runs.get(run.tenant, {}):
                raise StoreConflictError("a run of this id exists already", id=run.run_id)
            self._put_open_run(open_run)
            self._put_events(run.tenant, run.started_at, event_of_start(open_run))
            return self.save_answer(run.tenant, answered, now) if answered else None

    def _put_open_run(self, open_run: OpenRun) -> OpenRun:
        run = replace(open_run.run, sources=tuple(sorted(open_run.run.sources, key=lambda report: report.source_id)))
        self._runs.setdefault(run.tenant, {})[run.run_id] = run
        stored = self._open_runs[run.tenant, run.run_id] = replace(open_run, run=run)
        return stored

    def save_answer(self, tenant: TenantId, answered: IdempotentResponse, now: datetime) -> IdempotentResponse | None:
        with self._lock:
            if first := self.find_answer(tenant, answered.key, now):
                return first
            self._answers[tenant, answered.key] = answered
            return None

    def find_answer(self, tenant: TenantId, key: str, now: datetime) -> IdempotentResponse | None:
        with self._lock:
            answered = self._answers.get((tenant, key))
            return answered if answered and answered.expires_at > now else None

    def find_open_run(self, tenant: TenantId, run_id: RunId) -> OpenRun | None:
        with self._lock:
            return self._open_runs.get((tenant, run_id))

    def report_sources(self, tenant: TenantId, run_id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        with self._lock:
            open_run = self._open_runs.get((tenant, run_id))
            if open_run is None:
                return None
            first = {report.source_id: report for report in reversed(reports) if report.source_id in open_run.pending}
            if not first:
                return open_run
            run = replace(open_run.run, status=RunStatus.RUNNING, sources=(*open_run.run.sources, *first.values()))
            return self._put_open_run(replace(open_run, run=run, pending=open_run.pending - first.keys()))

    def postpone_run(self, open_run: OpenRun, *, overdue_at: datetime, waiting: frozenset[SourceId]) -> bool:
        with self._lock:
            now = self._open_runs.get((open_run.run.tenant, open_run.run.run_id))
            if now is None or (now.overdue_at, now.waiting) != (open_run.overdue_at, open_run.waiting):
                return False
            self._put_open_run(replace(now, overdue_at=overdue_at, waiting=waiting))
            return True

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        with self._lock:
            if (run.tenant, run.run_id) not in self._open_runs:
                return False
            self.save_run(run, expires_at=expires_at)
            return True

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        with self._lock:
            self._open_runs.pop((run.tenant, run.run_id), None)
            self._runs.setdefault(run.tenant, {})[run.run_id] = run
            self._put_events(run.tenant, run.finished_at or run.started_at, *join_events([event_of_end(run)]))

    def load_run(self, tenant: TenantId, run_id: RunId) -> Run:
        with self._lock:
            return load_one(self._runs.get(tenant, {}), run_id, "run", run_id)

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        with self._lock:
            return load_page(self._runs.get(tenant, {}), tenant, limit, cursor)
