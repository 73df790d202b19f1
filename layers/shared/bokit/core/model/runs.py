"""Runs: the history of what was synced, when, by what, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NotRequired, TypedDict, cast

from bokit.core.model.documents import ContentProblem, Count, ErrorDocument
from bokit.core.model.plan import Action, ActionDocument
from bokit.core.model.records import Fields, RunId, SourceId, TenantId
from bokit.values import Value, field


class Counts(TypedDict):
    """How many records; `updated` counts those in which a field really changed."""

    seen: Count
    created: Count
    updated: Count
    unchanged: Count
    missing: Count
    cancelled: Count
    restored: Count
    preserved: Count
    refused: Count


COUNTS = tuple(Counts.__annotations__)


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    TRAFFIC = "traffic"
    MONITOR = "monitor"
    QUEUE = "queue"
    CLI = "cli"


class RunStatus(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"


class Outcome(StrEnum):
    """How one source fared in a run."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NOT_MODIFIED = "not-modified"
    HELD = "held"
    FAILED = "failed"
    SKIPPED = "skipped"


class RunStep(Value):
    """One recorded step of a source's sync."""

    name: str
    started_at: datetime
    duration_ms: int
    error: str | None = None


class TableReport(Value):
    """What one run made of one table of a database."""

    name: str
    outcome: Outcome
    error: Mapping[str, str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class SourceReport(Value):
    """What one run made of one source."""

    source_id: SourceId
    name: str
    outcome: Outcome
    error: Mapping[str, str] | None = None  # ``{"code", "message"}``: why it failed, was held or skipped
    counts: Mapping[str, int] = field(default_factory=dict)
    duration_ms: int = 0
    steps: tuple[RunStep, ...] = ()
    plan: tuple[Action, ...] = ()  # filled in a dry run, and if the caller asked for details
    problems: tuple[Fields, ...] = ()
    """The first items that could not be used: ``{"code", "message", "uid", "field"}``."""
    tables: tuple[TableReport, ...] = ()
    """Of a database: each of the tables that were asked for."""

    @property
    def is_failed_in_part(self) -> bool:
        """Return whether some of its tables could not be read, and others were."""
        failed = [table.outcome is Outcome.FAILED for table in self.tables]
        return any(failed) and not all(failed)


class Run(Value):
    """One run of one tenant."""

    run_id: RunId
    tenant: TenantId
    trigger: Trigger
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None
    sources: tuple[SourceReport, ...] = ()
    dry_run: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """The sum over its sources, in the contract's order."""
        return {name: sum(s.counts.get(name, 0) for s in self.sources) for name in COUNTS}


class OpenRun(Value):
    """A run whose work goes through the queue: its request, which sources are pending, and until when.

        queued ─► running ─► ended        the last pending source ends it; at *overdue_at* the tick ends the rest

    A source leaves *pending* with its report, in one write: a message that is delivered twice counts once. As long as workers
    make headway, they put *overdue_at* off.
    """

    run: Run  # QUEUED or RUNNING, with the reports so far
    pending: frozenset[SourceId]
    overdue_at: datetime
    new_only: bool | None = None
    force: bool = False
    named: bool = False
    """A person named its sources, so paused ones are synced as well."""
    waiting: frozenset[SourceId] = frozenset()
    """Those that no message names any more, since their chain of messages was too long; the next tick sends them again."""

    @property
    def due_at(self) -> datetime:
        """When the tick looks at it."""
        return self.run.started_at if self.waiting else self.overdue_at

    @property
    def is_done(self) -> bool:
        """Whether every source has its report."""
        return not self.pending


class IdempotentResponse(Value):
    """The first request under an Idempotency-Key, and its response."""

    key: str
    request_hash: str  # of method, route and body; another request under the same key is refused
    status: int
    body: str  # JSON
    run_id: RunId | None
    expires_at: datetime  # from then on the key is free. The table's TTL only deletes the row.


def judge_run(reports: tuple[SourceReport, ...]) -> RunStatus:
    """Return how a run ended: the sources' outcomes decide.

    none, or all skipped             skipped
    all failed, each as a whole      failed
    some failed or held              partial
    else                             succeeded
    """
    outcomes = [r.outcome for r in reports]
    if all(o is Outcome.SKIPPED for o in outcomes):
        return RunStatus.SKIPPED
    if all(r.outcome in (Outcome.FAILED, Outcome.SKIPPED) and not r.is_failed_in_part for r in reports):
        return RunStatus.FAILED
    if Outcome.FAILED in outcomes or Outcome.HELD in outcomes:
        return RunStatus.PARTIAL
    return RunStatus.SUCCEEDED


class TableReportDocument(TypedDict):
    """What one run did with one table of a database."""

    name: str
    outcome: Outcome
    error: ErrorDocument | None
    counts: Counts


class SourceReportDocument(TypedDict):
    """What one run did with one source."""

    source_id: str
    name: Annotated[str, "What it was called then."]
    full_name: Annotated[str, "With its unit's full name, as it is called now: `Garden flat / Airbnb`."]
    outcome: Outcome
    error: ErrorDocument | None
    counts: Counts
    duration_ms: Count
    problems: NotRequired[Annotated[list[ContentProblem], "The first of them; left out where there are none."]]
    tables: NotRequired[Annotated[list[TableReportDocument], "Of a database: each table that was read, or could not be."]]


class RunDocument(TypedDict):
    """One run."""

    run_id: str
    trigger: Trigger
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    counts: Counts
    sources: list[SourceReportDocument]
    plan: NotRequired[Annotated[list[ActionDocument], "In a dry run: what would change."]]
    plan_total: NotRequired[Annotated[Count, "Where `plan` is too large to be shown whole: how many actions it has."]]


def describe_run(run: Run, names: Mapping[SourceId, str]) -> RunDocument:
    """Return *run*'s document; *names*: the full names of the tenant's sources."""
    doc: RunDocument = {
        "run_id": run.run_id,
        "trigger": run.trigger,
        "status": run.status,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "counts": _fill_counts(run.counts),
        "sources": [_describe_report(r, names) for r in run.sources],
    }
    if run.dry_run:
        doc["plan"] = [action.as_dict() for report in run.sources for action in report.plan]
    return doc


def _describe_report(report: SourceReport, names: Mapping[SourceId, str]) -> SourceReportDocument:
    doc: SourceReportDocument = {
        "source_id": report.source_id,
        "name": report.name,
        "full_name": names.get(report.source_id, report.name),
        "outcome": report.outcome,
        "error": _describe_error(report.error),
        "counts": _fill_counts(report.counts),
        "duration_ms": report.duration_ms,
    }
    if report.problems:
        doc["problems"] = [cast("ContentProblem", dict(p)) for p in report.problems]
    if report.tables:
        doc["tables"] = [_describe_table(table) for table in report.tables]
    return doc


def _describe_table(table: TableReport) -> TableReportDocument:
    counts, error = _fill_counts(table.counts), _describe_error(table.error)
    return {"name": table.name, "outcome": table.outcome, "error": error, "counts": counts}


def _describe_error(error: Mapping[str, str] | None) -> ErrorDocument | None:
    return cast("ErrorDocument", dict(error)) if error else None


def _fill_counts(counts: Mapping[str, int]) -> Counts:
    return cast("Counts", {name: counts.get(name, 0) for name in COUNTS})
