"""How a run ends: judged, stored for ``history.keep_days``, and logged."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from bokit.core.model.options import Options
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Outcome, Run, RunStatus, SourceReport, judge_run
from bokit.engine.sync.job import SyncJob
from bokit.observability import log_event
from bokit.store.protocols import RunStore
from bokit.values import replace

log = logging.getLogger("bokit.run")

UNCHANGED_OUTCOMES = frozenset({Outcome.UNCHANGED, Outcome.NOT_MODIFIED})


def end_run(job: SyncJob, tenant: TenantId, reports: tuple[SourceReport, ...], now: datetime) -> Run:
    """Return the run as it ended."""
    return Run(
        run_id=job.run_id,
        tenant=tenant,
        trigger=job.trigger,
        status=judge_run(reports),
        started_at=job.started_at,
        finished_at=now,
        sources=reports,
        dry_run=job.dry_run,
    )


def is_unchanged(run: Run) -> bool:
    """Return whether the shard's heartbeat says all that happened in *run*."""
    return bool(run.sources) and all(r.outcome in UNCHANGED_OUTCOMES for r in run.sources)


def expiry_of(run: Run, options: Options) -> datetime:
    """Return until when the run is kept."""
    return run.started_at + timedelta(days=options["history.keep_days"])


def save_run(store: RunStore, run: Run, options: Options) -> None:
    """Store *run* without its plans, which the change logs hold; an empty skipped run is not stored."""
    kept = replace(run, sources=tuple(replace(r, plan=()) for r in run.sources))
    if run.sources or run.status is not RunStatus.SKIPPED:
        store.save_run(kept, expires_at=expiry_of(run, options))


def count_outcomes(reports: Iterable[SourceReport]) -> dict[str, int]:
    """Return how many sources ended with each outcome that occurs."""
    outcomes = [r.outcome for r in reports]
    return {str(o): outcomes.count(o) for o in Outcome if o in outcomes}


def log_source(job: SyncJob, report: SourceReport) -> None:
    """Log a line for a source whose sync was not unchanged."""
    if report.outcome in UNCHANGED_OUTCOMES:
        return
    level = logging.WARNING if report.outcome in (Outcome.FAILED, Outcome.HELD) else logging.INFO
    error = {"code": report.error["code"]} if report.error else {}
    facts = {"run_id": job.run_id, "source": report.name, "source_id": report.source_id, **error, **_positive(report.counts)}
    log_event(log, f"source {report.outcome}", level, **facts)


def log_run(run: Run) -> None:
    """Log a line for the whole run."""
    facts = {"run_id": run.run_id, "trigger": str(run.trigger), "tenant": run.tenant, "sources": len(run.sources)}
    log_event(log, f"run {run.status}", logging.INFO, **{**facts, **_positive(run.counts), **count_outcomes(run.sources)})


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: n for name, n in counts.items() if n}
