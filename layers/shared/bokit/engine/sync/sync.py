"""One source's sync, in reading order: lease, fetch, read, identify, plan, guard, apply, aftermath, history, notice.

    unchanged     fetch ── hash equal, nothing ripe ──► done: no lease, no read of the store, no write
    else          lease ─► read ─► identify ─► plan ─► guard ─► apply ─► snapshot ─► aftermath ─► notice ─► head
                                                                                                  (gives the lease back)

Records are written before the snapshot, then what hangs on them, then the notices are sent, and the head comes last: whoever
dies in between leaves a head that still asks for the same work, and records that are planned again from what they have become.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.catalog import Source
from bokit.core.model.collections import source_scopes
from bokit.core.model.due_times import freshness, next_full_at
from bokit.core.model.plan import Action, ActionKind, Hold, Plan, count_actions
from bokit.core.model.records import CollectionName, Json, LoggedChange, Record, SourceId
from bokit.core.model.runs import Outcome, SourceReport
from bokit.core.model.scheduling import Failure, Head, HoldNote, Lease, SourceSchedule
from bokit.core.model.source_rules import AnyRules, Context, Seen, Verdict
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import Reconciler, ReconcileRequest, ReconcilerFactory, earliest
from bokit.engine.sync.job import (
    StepRecorder,
    SyncJob,
    SyncResult,
    context_of,
    may_help_again,
    pace_source,
    plan_pass,
    retry_after_of,
)
from bokit.engine.sync.notices import notice_failure, notice_hold, notice_recovery
from bokit.errors import BokitError, ConfigError, StoreConflictError, StoreUnreachableError, UnknownIdError
from bokit.outlets.protocols import Alerts, Notice
from bokit.sources.protocols import Fetched, Fetcher
from bokit.store.protocols import Snapshot, Store

if TYPE_CHECKING:
    from bokit.sources.sql.protocols import TableReader

log = logging.getLogger("bokit.sync")

LEASE_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """A kind of source: how it is fetched, and what it means."""

    fetcher: Fetcher
    rules: AnyRules
    collection: CollectionName | None = None
    """The collection whose records these rules read, where a person made them."""
    reconciler: ReconcilerFactory | None = None
    """Makes what follows when records of *collection* were written; None: nothing does."""
    tables: TableReader | None = None
    """Reads tables, range by range, where the content is too much for one body; the fetcher then shows the first rows alone."""
    is_shared: bool = False
    """Several sources, and people, may make records of the same scope: the rules see all of them."""
    check_url: Callable[[str], object] | None = None
    """Judges its URLs; None: as the stack judges all that are fetched over HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncInput:
    """What a slow sync works on: the content, read, beside what is known."""

    context: Context
    known: Sequence[Record]
    seen: Seen[object]
    snapshot: Snapshot
    fetched: Fetched | None
    """None: planned from the snapshot alone."""


class SourceSync:
    """Syncs one source at a time; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, SourceKind],
        alerts: Alerts,
        clock: Clock,
        defaults: Mapping[str, Json] | None = None,
    ) -> None:
        self.store, self.kinds, self.alerts, self.clock = store, kinds, alerts, clock
        self.defaults = defaults or {}
        self._reconcilers: dict[CollectionName, Reconciler] = {}

    def reconciler_of(self, collection: CollectionName) -> Reconciler | None:
        """Return what follows when records of *collection* were written; made at first use, since most syncs need none."""
        if collection not in self._reconcilers:
            make = next((k.reconciler for k in self.kinds.values() if k.collection == collection and k.reconciler), None)
            if make is None:
                return None
            self._reconcilers[collection] = make(self.store, self.alerts, self.defaults)
        return self._reconcilers[collection]

    def follow(self, collection: CollectionName, occasion: ReconcileRequest) -> datetime | None:
        """Make what hangs on a scope's records agree with them; return when time alone asks for it again."""
        reconciler = self.reconciler_of(collection)
        return reconciler.settle(occasion) if reconciler else None

    def kind_of(self, source: Source) -> SourceKind:
        """Return how this source is fetched and read, or raise ConfigError."""
        if source.kind not in self.kinds:
            raise ConfigError("this process does not sync sources of this kind", kind=source.kind)
        return self.kinds[source.kind]

    def sync(self, head: Head, schedule: SourceSchedule, job: SyncJob, *, exclusive: bool = False) -> SyncResult:
        """Sync the source of *head*, whatever happens inside; only an unreachable store raises.

        *exclusive*: take the lease before the fetch (a run outside a shard's claim), not just on the slow path.
        """
        recorder, job = StepRecorder(self.clock), replace(job, last_read=freshness(head, schedule))
        job = plan_pass(head, job, self.clock())
        try:
            if reader := self.kind_of(head.source).tables:
                return self._sync_tables(reader, head, job, recorder, exclusive=exclusive)
            report = self._attempt(head, job, recorder, exclusive=exclusive)
        except StoreUnreachableError:
            raise
        except StoreConflictError as error:
            return self._overtaken(head, schedule, job, recorder, error)
        except Exception as error:
            return self._failed(head, schedule, job, recorder, error)
        return SyncResult(report=report, full_by=self._next_full(head, job))

    def _sync_tables(
        self, reader: TableReader, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool
    ) -> SyncResult:
        from bokit.engine.tables.sync import TableSync

        ended = TableSync(self, reader).run(head, job, recorder, exclusive=exclusive)
        return SyncResult(report=ended.report, unfinished=ended.unfinished)

    def _next_full(self, head: Head, job: SyncJob) -> datetime | None:
        """Return when all of the source is to be read next, after this pass."""
        now, is_full = self.clock(), job.force and not job.new_only
        return next_full_at(replace(head, full_at=now) if is_full else head, job.options, now)

    def _attempt(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SourceReport:
        if job.dry_run:
            return self._dry(head, job, recorder)
        if exclusive:
            with self._lease(head, job, recorder) as lease:
                head = replace(self.store.load_head(head.source), fence=lease.fence)
                fetched = self._fetch(head, job, recorder)
                if outcome := self._nothing_new(head, job, fetched):
                    self.store.release_lease(lease)
                    return self._unchanged(head, recorder, outcome)
                return self._settle(head, job, recorder, lease, fetched)
        fetched = self._fetch(head, job, recorder)
        if outcome := self._nothing_new(head, job, fetched):
            return self._unchanged(head, recorder, outcome)
        with self._lease(head, job, recorder) as lease:
            if lease.fence != head.fence + 1:
                raise StoreConflictError("another run synced it meanwhile", code="lease-held")
            return self._settle(head, job, recorder, lease, fetched)

    # ── the steps ──

    @contextmanager
    def _lease(self, head: Head, job: SyncJob, recorder: StepRecorder) -> Iterator[Lease]:
        """Hold the source's lease; a failure inside gives it back, success has given it back with the head."""
        with recorder.step("lease"):
            now = self.clock()
            lease = self.store.acquire_lease(head.source, holder=job.run_id, now=now, until=now + LEASE_FOR)
            if lease is None:
                raise StoreConflictError("another run is syncing it", code="lease-held")
        try:
            yield lease
        except BaseException:
            self.store.release_lease(lease)
            raise

    def _fetch(self, head: Head, job: SyncJob, recorder: StepRecorder) -> Fetched:
        fetcher, source = self.kind_of(head.source).fetcher, pace_source(head.source, job)
        with recorder.step("fetch"):
            if job.force or not self._may_skip(head):
                return fetcher.fetch(source)
            return fetcher.fetch(source, etag=head.etag, last_modified=head.last_modified)

    def _may_skip(self, head: Head) -> bool:
        """Return whether an unchanged answer could mean that there is nothing to do: nothing failed, nothing is ripe."""
        ripe = head.settle_at is not None and self.clock() >= head.settle_at
        return head.content_hash is not None and head.failure is None and not ripe

    def _nothing_new(self, head: Head, job: SyncJob, fetched: Fetched) -> Outcome | None:
        if job.force or not self._may_skip(head):
            return None
        if fetched.not_modified:
            return Outcome.NOT_MODIFIED
        context = context_of(head, job, self.clock(), {}, fetched.host)
        same = self.kind_of(head.source).rules.hash_content(fetched.body, context) == head.content_hash
        return Outcome.UNCHANGED if same else None

    def _look(self, head: Head, job: SyncJob, recorder: StepRecorder, fetched: Fetched) -> SyncInput:
        rules, source = self.kind_of(head.source).rules, head.source
        snapshot = self.store.load_snapshot(source)
        context = context_of(head, job, self.clock(), snapshot.memory, fetched.host)
        context = replace(context, other_sources=self._other_sources(source))
        with recorder.step("read"):
            recall = fetched.not_modified
            seen = rules.recall(snapshot.content, context) if recall else rules.read(fetched.body, context, snapshot.content)
        return SyncInput(context=context, known=self._known(source), seen=seen, snapshot=snapshot, fetched=fetched)

    def _known(self, source: Source) -> list[Record]:
        """Return the source's own records; of a shared scope, every one."""
        scopes, shared = source_scopes(source), self.kind_of(source).is_shared
        records = [r for scope in scopes for r in self.store.load_records(source.tenant, source.collection, scope)]
        return [r for r in records if shared or r.source_id == source.id]

    def _other_sources(self, source: Source) -> frozenset[SourceId]:
        """Return the other sources that feed a shared scope now."""
        if not self.kind_of(source).is_shared:
            return frozenset()
        others = (s for s in self.store.load_sources(source.tenant) if s.collection == source.collection and s.id != source.id)
        return frozenset(s.id for s in others if s.removed_at is None)

    def _plan(self, source: Source, sync_input: SyncInput, recorder: StepRecorder) -> Plan:
        rules = self.kind_of(source).rules
        with recorder.step("identify"):
            matches = rules.match(sync_input.known, sync_input.seen, sync_input.context)
        with recorder.step("plan"):
            plan = rules.plan(matches, sync_input.context)
        with recorder.step("guard"):
            return rules.guard(plan, matches, sync_input.context)

    def _settle(self, head: Head, job: SyncJob, recorder: StepRecorder, lease: Lease, fetched: Fetched) -> SourceReport:
        sync_input = self._look(head, job, recorder, fetched)
        plan = self._plan(head.source, sync_input, recorder)
        with recorder.step("apply"):
            agreed = self._apply_plan(head, plan, job, lease, sync_input)
        if self.reconciler_of(head.source.collection):
            with recorder.step("reconcile"):
                plan = replace(plan, settle_at=earliest(plan.settle_at, self._follow(head.source, job, sync_input, plan.hold)))
        with recorder.step("notice"):
            self.publish(notice_recovery(head, self.clock()), self._news(head, plan))
        self.store.save_head(self._next_head(head, plan, sync_input, agreed=agreed), lease=lease)
        return self._planned(head, job, recorder, plan)

    def _follow(self, source: Source, job: SyncJob, sync_input: SyncInput, hold: Hold | None) -> datetime | None:
        """Let what hangs on the records follow, whether the plan changed any or not: a run that died may have left it undone."""
        occasion = ReconcileRequest(
            tenant=source.tenant,
            scope=source.scope,
            at=sync_input.context.at,
            by=job.by or f"source:{source.id}",
            run_id=job.run_id,
            held={source.id: hold.since if hold else None},
        )
        return self.follow(source.collection, occasion)

    def _news(self, head: Head, plan: Plan) -> Notice | None:
        """Return the notice of a hold that was not told yet: a new one, or one that is offered once more."""
        told, hold = head.hold, plan.hold
        if hold is None or (told and (told.code, told.since, told.offered_at) == (hold.code, hold.since, hold.offered_at)):
            return None
        return notice_hold(head.source, hold, self.clock())

    def _dry(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Plan as if it were done: no lease, no write, and no validator, so that there is something to plan."""
        fetched = self._fetch(replace(head, content_hash=None), job, recorder)
        plan = self._plan(head.source, self._look(head, job, recorder, fetched), recorder)
        return self._planned(head, job, recorder, plan)

    def settle(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Plan from the agreed state alone, as *job* approves or discards what is held, and apply that."""
        if reader := self.kind_of(head.source).tables:
            from bokit.engine.tables.sync import TableSync

            return TableSync(self, reader).settle(head, job, recorder)
        nothing_new = Fetched(not_modified=True)
        with self._lease(head, job, recorder) as lease:
            fresh = replace(self.store.load_head(head.source), fence=lease.fence)
            return self._settle(fresh, job, recorder, lease, nothing_new)

    # ── writing ──

    def _apply_plan(self, head: Head, plan: Plan, job: SyncJob, lease: Lease, sync_input: SyncInput) -> bool:
        """Write records and snapshot, but not the head; tell whether the content is now the agreed state."""
        at = sync_input.context.at
        changes = [log_action(a, at=at, by=job.by or f"source:{head.source.id}", job=job) for a in plan.actions if is_visible(a)]
        if plan.actions:
            self.store.apply_records([a.after for a in plan.actions], changes, lease=lease)
        agreed = is_agreed(plan, sync_input, job)
        content = sync_input.seen.snapshot if agreed and sync_input.seen.snapshot else sync_input.snapshot.content
        if content != sync_input.snapshot.content or dict(plan.memory) != dict(sync_input.snapshot.memory):
            self.store.save_snapshot(replace(sync_input.snapshot, content=content, memory=plan.memory), lease=lease)
        return agreed

    def _next_head(self, head: Head, plan: Plan, sync_input: SyncInput, *, agreed: bool) -> Head:
        """Return the head to store: only a wholly read, accepted fetch leaves its ETag and hash."""
        at, fetched = sync_input.context.at, sync_input.fetched
        changed = any(is_visible(a) for a in plan.actions)
        head = replace(
            head,
            failure=None,
            synced_at=at,
            changed_at=at if changed else head.changed_at,
            settle_at=plan.settle_at,
            hold=note_hold(plan.hold),
        )
        if not agreed:
            return head if sync_input.context.new_only else replace(head, etag=None, last_modified=None, content_hash=None)
        if fetched is None or fetched.not_modified:
            return head
        if sync_input.seen.whole:
            head = replace(head, full_at=at)
        digest = self.kind_of(head.source).rules.hash_content(fetched.body, sync_input.context)
        return replace(
            head,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            content_hash=digest,
            entries=len(sync_input.seen.entries) if sync_input.seen.whole else plan.seen,
        )

    # ── telling ──

    def _unchanged(self, head: Head, recorder: StepRecorder, outcome: Outcome) -> SourceReport:
        counts = {"seen": head.entries, "unchanged": head.entries}
        if not head.hold:
            return replace(self._report(head, recorder, outcome), counts=counts)
        error = {"code": head.hold.code, "message": head.hold.message}
        return replace(self._report(head, recorder, Outcome.HELD), counts=counts, error=error)

    def _planned(self, head: Head, job: SyncJob, recorder: StepRecorder, plan: Plan) -> SourceReport:
        counts = {**count_actions(plan), "seen": plan.seen, "unchanged": plan.unchanged, "refused": int(plan.refused)}
        changed = any(is_visible(a) for a in plan.actions)
        outcome = Outcome.HELD if plan.hold else Outcome.CHANGED if changed else Outcome.UNCHANGED
        report = self._report(head, recorder, outcome)
        error = {"code": plan.hold.code, "message": plan.hold.message} if plan.hold else None
        kept = tuple(a for a in plan.actions if is_visible(a)) if job.dry_run or job.details else ()
        return replace(report, counts=counts, error=error, plan=kept, problems=plan.problems)

    def _report(self, head: Head, recorder: StepRecorder, outcome: Outcome, error: BokitError | None = None) -> SourceReport:
        told = {"code": error.stable_code, "message": error.message} if error else None
        return SourceReport(
            source_id=head.source.id,
            name=head.source.name,
            outcome=outcome,
            error=told,
            duration_ms=recorder.duration_ms(),
            steps=tuple(recorder.steps),
        )

    def _failed(self, head: Head, schedule: SourceSchedule, job: SyncJob, recorder: StepRecorder, error: Exception) -> SyncResult:
        if not isinstance(error, BokitError):
            log.exception("a source failed unexpectedly", extra={"facts": {"source_id": head.source.id}})
        shown = (
            error if isinstance(error, BokitError) else BokitError("an error of Bokit's own; the log has it", code="unexpected")
        )
        again, retry_after = may_help_again(error), retry_after_of(error)
        is_far = retry_after is not None and retry_after > schedule.interval.total_seconds()
        self._note_failure(head, schedule, job, shown, urgent=not again or is_far)
        report = self._report(head, recorder, Outcome.FAILED, shown)
        return SyncResult(report=report, failed=True, again=again, retry_after=retry_after)

    def _overtaken(
        self, head: Head, schedule: SourceSchedule, job: SyncJob, recorder: StepRecorder, error: StoreConflictError
    ) -> SyncResult:
        """Leave the source to whoever was faster; conflicts are told as a failure when they last.

        another run synced it meanwhile, or it was removed    nothing is wrong
        else                                                  again in some minutes
        else, in a row, and no success for an interval        again, and the owner hears of it
        """
        report = self._report(head, recorder, Outcome.SKIPPED, error)
        try:
            fresh = self.store.load_head(head.source)
        except UnknownIdError:
            return SyncResult(report=report)
        if fresh.synced_at is not None and fresh.synced_at >= job.started_at:
            return SyncResult(report=report)
        last = freshness(fresh, schedule)
        if schedule.failures and (last is None or self.clock() - last >= schedule.interval):
            self._note_failure(head, schedule, job, error, urgent=True)
        return SyncResult(report=report, failed=True, again=True)

    def _note_failure(self, head: Head, schedule: SourceSchedule, job: SyncJob, error: BokitError, *, urgent: bool) -> None:
        """Keep why it failed in the head, where that is news; tell the owner once in a row of failures.

        A failure that trying again may soon mend is told the second time, an *urgent* one at once. Where noting it meets
        a conflict, the next attempt notes it: no failure of one source ends its batch.
        """
        before = head.failure
        told = bool(before and before.told) or urgent or schedule.failures >= 1
        since = before.since if before else freshness(head, schedule)
        failure = Failure(code=error.stable_code, message=error.message, since=since, told=told)
        if failure == before or job.dry_run:
            return
        try:
            self._record_failure(head, schedule, job, failure)
        except (StoreConflictError, UnknownIdError):
            log.exception("a failure was not noted", extra={"facts": {"source_id": head.source.id}})

    def _record_failure(self, head: Head, schedule: SourceSchedule, job: SyncJob, failure: Failure) -> None:
        """Tell, and write the head: in this order. Where another holds the lease, a second failure is told all the same."""
        now = self.clock()
        is_news = failure.told and not (head.failure and head.failure.told)
        lease = self.store.acquire_lease(head.source, holder=job.run_id, now=now, until=now + LEASE_FOR)
        if is_news and (lease or schedule.failures):
            self.publish(notice_failure(head.source, failure, now))
        if lease:
            self.store.save_head(replace(self.store.load_head(head.source), failure=failure), lease=lease)

    def publish(self, *notices: Notice | None) -> None:
        """Tell the owner, before the head says that it was told: whoever dies in between tells the same thing again."""
        try:
            self.alerts.publish([n for n in notices if n is not None])
        except BokitError:
            log.exception("a notice was not taken")


def is_visible(action: Action) -> bool:
    """Return whether a person should see this action: what is merely remembered is no event."""
    return action.kind is not ActionKind.TOUCH or bool(action.preserved)


def note_hold(hold: Hold | None) -> HoldNote | None:
    """Return the short of *hold* for the head."""
    if hold is None:
        return None
    return HoldNote(code=hold.code, message=hold.message, since=hold.since, plan_hash=hold.plan_hash, offered_at=hold.offered_at)


def is_agreed(plan: Plan, sync_input: SyncInput, job: SyncJob) -> bool:
    """Return whether this content becomes the agreed state: wholly read, accepted, and not just looked at for what is new."""
    return not plan.refused and not job.new_only and sync_input.seen.verdict in (Verdict.OK, Verdict.EMPTY)


def log_action(action: Action, *, at: object, by: str, job: SyncJob) -> LoggedChange:
    """Return the line of the change log that tells of *action*."""
    return LoggedChange(
        record_id=action.record_id,
        at=at,
        by=by,
        action=str(action.kind),
        reason=action.reason,  # type: ignore[arg-type]
        fields=action.fields,
        preserved=action.preserved,
        run_id=job.run_id,
    )
