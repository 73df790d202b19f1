"""One run's sync of one source: what was asked, which steps it took, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from bokit.core.model.catalog import Source
from bokit.core.model.due_times import cancel_after_of, interval_of, is_full_due, plan_next_due, plan_retry
from bokit.core.model.options import Options
from bokit.core.model.records import CollectionName, Fields, RunId
from bokit.core.model.runs import RunStep, SourceReport, Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.core.model.source_rules import Context
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import zone_of_source
from bokit.engine.sync.limits import MIN_SECONDS_TO_SAVE
from bokit.errors import BokitError
from bokit.sources.protocols import Fetched
from bokit.values import Value, replace


class SyncJob(Value):
    """What a run asks of each of its sources."""

    run_id: RunId
    trigger: Trigger
    started_at: datetime
    options: Options
    claimed_at: datetime | None = None
    """When its batch was claimed: the next due times count from it, however long its message waited; None: from the start."""
    new_only: bool | None = None
    """None: as the tenant's options and the source say, with a full pass when one is due (``plan_pass``)."""
    force: bool = False
    """Fetch and read again, whatever ETag and hash say."""
    dry_run: bool = False
    approved: str | None = None
    """The hash of the held plan that a person applies with this run."""
    discarded: str | None = None
    """The hash of the held plan that a person discards with this run."""
    by: str | None = None
    """The person who applies or discards a held plan; None: changes are the source's."""
    details: bool = False
    """Keep the plan in the report."""
    collection: CollectionName | None = None
    """Of a source that feeds several collections: this one alone."""
    tables: tuple[str, ...] = ()
    """Of a source with tables: these alone; empty: all."""
    seconds_left: Callable[[], float] | None = None
    """This worker's remaining time, for a sync that can stop and resume; None: unlimited."""
    last_read: datetime | None = None
    """When the source was last read well, before this run."""
    attempt: int = 1
    """Which attempt of this worker it is: the second is made where another worker of the same run took over the first."""

    @property
    def holder(self) -> str:
        """Who holds the source's lease. A message that comes again takes over the lease of the run's first attempt alone."""
        return self.run_id if self.attempt == 1 else f"{self.run_id}/{self.attempt}"


class SyncResult(Value):
    """How one source's sync ended: the report for people, and what the schedule needs."""

    report: SourceReport
    failed: bool = False
    again: bool = False
    """It failed, and a retry soon may help."""
    retry_after: float | None = None
    is_left: bool = False
    """It was not tried: another run has it in hand, or it waits for its day. Its line in the shard stays as it is stored."""
    unfinished: bool = False
    """There was no time for all of it: it stays due, and resumes at its checkpoint."""
    advanced: bool = False
    """It is unfinished, and has come further than before."""
    full_by: datetime | None = None
    """When the next full pass is due, where not every pass is one."""

    def next_schedule(self, schedule: SourceSchedule, job: SyncJob, now: datetime) -> SourceSchedule:
        """Return the source's next line in its shard."""
        if not self.failed:
            due = plan_next_due(schedule, self.report.source_id, job.claimed_at or job.started_at)
            due = min(due, self.full_by) if self.full_by and self.full_by > now else due
            return replace(schedule, due_at=due, attempted_at=now, succeeded_at=now, failures=0)
        tried = replace(schedule, attempted_at=now, failures=schedule.failures + 1)
        again = plan_retry(tried, self.report.source_id, now, again=self.again, retry_after=self.retry_after)
        return replace(tried, due_at=again)


class StepRecorder:
    """Records the steps of one source's sync, each with its start, duration and error."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.started_at = clock()
        self.steps: list[RunStep] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the step of this *name*, however it ends."""
        began, error = self._clock(), None
        try:
            yield
        except BokitError as failure:
            error = failure.stable_code
            raise
        except Exception:
            error = "unexpected"
            raise
        finally:
            self.steps.append(RunStep(name=name, started_at=began, duration_ms=self._since(began), error=error))

    def duration_ms(self) -> int:
        """Return the milliseconds since the sync began."""
        return self._since(self.started_at)

    def _since(self, began: datetime) -> int:
        return max(0, int((self._clock() - began) / timedelta(milliseconds=1)))


def context_of(head: Head, job: SyncJob, at: datetime, memory: Fields, fetched: Fetched | None = None) -> Context:
    """Return what the rules may know of *head*'s source and of a fetch at *at*."""
    source, options = head.source, job.options
    return Context(
        tenant=source.tenant,
        source_id=source.id,
        collection=source.collection,
        scope=source.scope,
        at=at,
        timezone=zone_of_source(head, options),
        last_read=job.last_read,
        platform=source.platform,
        host=fetched.host if fetched else None,
        interval=interval_of(source, options),
        alerted_at=head.hold.delivered_at if head.hold else None,
        cancel_after=cancel_after_of(source, options),
        horizon=timedelta(days=options["sync.horizon_days"]),
        ends_on=source.ends_on,
        ignore_transparent=source.ignore_transparent,
        new_only=bool(job.new_only),
        memory=memory,
        approved=job.approved,
        discarded=job.discarded,
        settings=source.settings,
    )


def plan_pass(head: Head, job: SyncJob, now: datetime, *, last_read: datetime | None) -> SyncJob:
    """Return *job* with *last_read*, and with the decision for this source: read only what is new, or all.

    job.new_only is set                           as it says
    new_only is off                               all; of an incremental source, what changed lately
    new_only is on                                only what is new
    either, and a full pass is due, or forced     all, read again whatever ETag and hash say
    """
    if job.new_only is not None:
        return replace(job, last_read=last_read)
    is_on = bool(job.options["sync.new_only"] or head.source.settings.get("new_only"))
    full = job.force or is_full_due(head, job.options, now)
    return replace(job, new_only=is_on and not full, force=full, last_read=last_read)


def fetch_limits(job: SyncJob) -> dict[str, float]:
    """Return the seconds that the host still gives a fetch, without those to save what it brings; empty: without end."""
    return {"seconds": max(job.seconds_left() - MIN_SECONDS_TO_SAVE, 1.0)} if job.seconds_left else {}


def with_request_delay(source: Source, job: SyncJob) -> Source:
    """Return *source* with ``sync.request_delay``, for a fetch that makes several requests."""
    delay = job.options["sync.request_delay"]
    return replace(source, settings={**source.settings, "request_delay": delay}) if delay else source
