"""Syncs one source, in reading order: fetch, lease, read, identify, plan, guard, apply, reconcile, notice.

    unchanged     fetch ── same content, settle_at not reached ──► done: no lease, nothing else read or written
    else          lease ─► read ─► identify ─► plan ─► guard ─► apply ─► snapshot ─► reconcile ─► notice ─► head
                                                                                              (releases the lease)

Records are written before the snapshot, then derived data, then the notices are published, and the head comes last. A crash
in between leaves a head that still asks for the same work, and records that are planned again as they are then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.collections import source_scopes
from bokit.core.model.due_times import freshness, has_terms, is_long_ago, judge_staleness, next_full_at, terms_of
from bokit.core.model.plan import Action, Hold, Plan, count_actions
from bokit.core.model.records import CollectionName, Fields, Record, SourceId
from bokit.core.model.runs import Outcome, SourceReport
from bokit.core.model.scheduling import LONG_LIST, Head, Lease, SourceSchedule
from bokit.core.model.source_rules import ADVICE, Context, Seen, Verdict
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import Reconciler, ReconcileRequest, earliest
from bokit.engine.sync.actions import apply_actions, hold, make_bulk, visible_actions
from bokit.engine.sync.elsewhere import find_feeding, load_elsewhere
from bokit.engine.sync.finish import Finisher, next_head, recall_alert, report_source
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult, context_of, fetch_limits, plan_pass, with_request_delay
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.lease import LEASE_HELD, acquire_lease, is_unsynced, released_on_error
from bokit.engine.sync.plan_limit import PlanLimit, find_limit
from bokit.errors import ConfigError, QuotaError, StaleFenceError, StateError, StoreConflictError, StoreUnreachableError
from bokit.sources.limits import MAX_BODY_ITEMS, MAX_WHOLE_ITEMS
from bokit.sources.protocols import Fetched, LongList
from bokit.store.protocols import Snapshot, Store
from bokit.values import Value, replace

NO_DEFAULTS: Fields = {}


class LongListFoundError(Exception):
    """A fetch found a list that is too long for one body: its pages, which another syncer reads."""

    def __init__(self, pages: LongList) -> None:
        super().__init__("the list is too long for one body")
        self.pages = pages


class SyncInput(Value):
    """All that a slow sync works on, gathered once: the content that was read, beside what is known."""

    context: Context
    known: Sequence[Record]
    seen: Seen[object]
    snapshot: Snapshot
    fetched: Fetched

    @property
    def is_trusted(self) -> bool:
        """Return whether all of the content was asked for and read, so that an accepted plan may make it the agreed state."""
        return not self.context.new_only and self.seen.verdict in (Verdict.OK, Verdict.EMPTY)


class SourceSync:
    """Syncs one source at a time; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, SourceKind],
        clock: Clock,
        defaults: Fields = NO_DEFAULTS,
    ) -> None:
        self.store, self.kinds, self.clock, self.defaults = store, kinds, clock, defaults
        self.finisher = Finisher(store, clock)
        self._reconcilers: dict[CollectionName, Reconciler] = {}

    def reconciler_of(self, collection: CollectionName) -> Reconciler | None:
        """Return the reconciler of *collection*, made at first use, since most syncs need none."""
        if collection not in self._reconcilers:
            make = next((k.reconciler for k in self.kinds.values() if k.collection == collection and k.reconciler), None)
            if make is None:
                return None
            self._reconcilers[collection] = make(self.store, self.defaults)
        return self._reconcilers[collection]

    def reconcile(self, collection: CollectionName, request: ReconcileRequest) -> datetime | None:
        """Make what derives from a scope's records agree with them; return when time alone makes it necessary again."""
        reconciler = self.reconciler_of(collection)
        return reconciler.reconcile(request) if reconciler else None

    def kind_of(self, source: Source) -> SourceKind:
        """Return how this source is fetched and read, or raise ConfigError."""
        if source.kind not in self.kinds:
            raise ConfigError("this process does not sync sources of this kind", kind=source.kind)
        return self.kinds[source.kind]

    def sync(self, head: Head, schedule: SourceSchedule, job: SyncJob, *, exclusive: bool = False) -> SyncResult:
        """Sync the source of *head*; whatever fails inside becomes its result, and only an unreachable store raises.

        *exclusive*: acquire the lease before the fetch, not only on the slow path.
        """
        recorder = StepRecorder(self.clock)
        try:
            job = plan_pass(head, job, self.clock(), last_read=freshness(head, schedule))
            try:
                return self._attempt(head, job, recorder, exclusive=exclusive)
            except StaleFenceError as error:
                return self._attempt_again(head, job, recorder, error)
        except StoreUnreachableError:
            raise
        except StoreConflictError as error:
            return self.finisher.skip(head, schedule, job, recorder, error)
        except Exception as error:
            return self.finisher.fail(head, schedule, job, recorder, error)

    def give_up(self, head: Head, schedule: SourceSchedule, job: SyncJob) -> SyncResult:
        """Record that workers died with the source in hand, and notify its owner."""
        return self.finisher.give_up(head, schedule, job)

    def skip_until_due(self, head: Head) -> SyncResult:
        """Leave a source that was given up until it is due."""
        return self.finisher.skip_until_due(head)

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says: by the current body where the rules ask for it."""
        kind = self.kind_of(head.source)
        if make := kind.tables:
            return make(self.finisher).apply_held(head, job, recorder)
        if kind.lists and self._is_long(head):
            return kind.lists(self.finisher).apply_held(head, job, recorder)
        with self._lease(head, job, recorder) as lease:
            head = self.store.load_head(head.source)
            is_read = job.approved and self._needs_body(head.source)
            try:
                fetched = self._fetch(head, replace(job, force=True), recorder) if is_read else Fetched(not_modified=True)
            except LongListFoundError:
                raise StateError("the list has become a long one; sync it, and look again", code="plan-changed") from None
            return self._apply(head, job, recorder, lease, fetched)

    def _needs_body(self, source: Source) -> bool:
        rules = self.kind_of(source).rules
        if rules.plans_current_body:
            return True
        hold = rules.read_hold(self.store.load_snapshot(source).memory)
        return hold is not None and rules.needs_body(hold)

    def _next_full(self, head: Head, job: SyncJob) -> datetime | None:
        """Return when all of the source is to be read next, after this pass."""
        now, is_full = self.clock(), job.force and not job.new_only
        return next_full_at(replace(head, full_at=now) if is_full else head, job.options, now)

    def _attempt(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SyncResult:
        kind = self.kind_of(head.source)
        if make := kind.tables:
            return replace(make(self.finisher).run(head, job, recorder, exclusive=exclusive), full_by=self._next_full(head, job))
        full_by = self._next_full(head, job)
        if kind.lists and self._is_long(head):
            result = kind.lists(self.finisher).run(head, job, recorder, exclusive=exclusive)
            return replace(result, full_by=full_by)
        try:
            return SyncResult(report=self._sync_content(head, job, recorder, exclusive=exclusive), full_by=full_by)
        except LongListFoundError as found:
            if kind.lists is None:
                raise
            pages = found.pages
        result = kind.lists(self.finisher).run(head, job, recorder, exclusive=exclusive, pages=pages)
        return replace(result, full_by=full_by)

    def _is_long(self, head: Head) -> bool:
        """Return whether a source's list is known to be too long for one body, or a pass over it is unfinished."""
        is_paged = bool(head.source.settings.get("pages"))
        if head.content_hash == LONG_LIST or head.entries > (MAX_BODY_ITEMS if is_paged else MAX_WHOLE_ITEMS):
            return True
        return head.content_hash is None and bool(self.store.load_snapshot(head.source).memory.get("list"))

    def _attempt_again(self, head: Head, job: SyncJob, recorder: StepRecorder, error: StaleFenceError) -> SyncResult:
        """Sync a source whose lease was taken over, where nobody has synced it since and nobody holds it now.

            worker A  │ lease, fence 7 ·                              │ its write is refused: lease, fence 9 ─► sync
            worker B  ·                │ the same message again: its own lease, fence 8; it sees that A was there, and ends

        Without the second attempt each would leave the source to the other.
        """
        fresh = self.store.load_head(head.source)
        if fresh.synced_at is not None and fresh.synced_at >= job.started_at:
            raise error
        try:
            return self._attempt(fresh, replace(job, attempt=job.attempt + 1), recorder, exclusive=True)
        except StoreConflictError as held:
            # who holds it may be another worker of this message: the run has its report from that one
            raise error if held.stable_code == LEASE_HELD else held from held

    def _sync_content(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SourceReport:
        if job.dry_run:
            return self._plan_only(head, job, recorder)
        if exclusive:
            with self._lease(head, job, recorder) as lease:
                return self._sync_leased(head, job, recorder, lease)
        fetched = self._fetch(head, job, recorder)
        if outcome := self._is_unchanged(head, job, fetched):
            return report_unchanged(head, recorder, outcome)
        with self._lease(head, job, recorder) as lease:
            if not is_unsynced(head, lease):  # what was fetched may be older than what is stored
                return self._sync_leased(head, job, recorder, lease)
            return self._apply(head, job, recorder, lease, fetched)

    def _sync_leased(self, head: Head, job: SyncJob, recorder: StepRecorder, lease: Lease) -> SourceReport:
        """Fetch under the lease, from what the head says then: nobody else reads the source meanwhile."""
        head = self.store.load_head(head.source)
        fetched = self._fetch(head, job, recorder)
        if outcome := self._is_unchanged(head, job, fetched):
            self._end_unchanged(head, lease)
            return report_unchanged(head, recorder, outcome)
        return self._apply(head, job, recorder, lease, fetched)

    def _end_unchanged(self, head: Head, lease: Lease) -> None:
        """Release the lease; where workers died with the source in hand, the success ends that."""
        if head.open_leases > 1:  # one is this run's
            self.store.save_head(head, lease=lease)
        else:
            self.store.release_lease(lease)

    # ── the steps ──

    @contextmanager
    def _lease(self, head: Head, job: SyncJob, recorder: StepRecorder) -> Iterator[Lease]:
        with recorder.step("lease"):
            lease = acquire_lease(self.store, head.source, job.holder, self.clock)
        with released_on_error(self.store, lease):
            yield lease

    def _fetch(self, head: Head, job: SyncJob, recorder: StepRecorder) -> Fetched:
        fetcher, source = self.kind_of(head.source).fetcher, with_request_delay(head.source, job)
        may_skip = head.content_hash is not None and not job.force and self._may_skip(head, job)
        etag, last_modified = (head.etag, head.last_modified) if may_skip else (None, None)
        with recorder.step("fetch"):
            fetched = fetcher.fetch(source, etag=etag, last_modified=last_modified, **fetch_limits(job))
        if fetched.pages is not None:
            raise LongListFoundError(fetched.pages)
        return fetched

    def _may_skip(self, head: Head, job: SyncJob) -> bool:
        """Return whether an unchanged response may skip the slow path, where the hash of the last one is known.

        So it is where no failure is recorded, settle_at is not reached, and the plan was made with the settings of now.
        """
        is_due = head.settle_at is not None and self.clock() >= head.settle_at
        return head.failure is None and not is_due and has_terms(head, job.options)

    def _is_unchanged(self, head: Head, job: SyncJob, fetched: Fetched) -> Outcome | None:
        """Return how a fetch without news is reported; None: there may be news. Held content again is none, either."""
        known = head.content_hash or head.held_hash
        if job.force or known is None or not self._may_skip(head, job):
            return None
        if fetched.not_modified:
            return None if head.stamps_fetches else Outcome.NOT_MODIFIED
        context = context_of(head, job, self.clock(), {}, fetched)
        rules = self.kind_of(head.source).rules
        is_same = rules.hash_content(fetched.body, context) == known
        is_old = head.stamps_fetches and is_long_ago(head.source, rules.read_stamp(fetched.body), job.options, context.at)
        return Outcome.UNCHANGED if is_same and not is_old else None

    def _gather(self, head: Head, job: SyncJob, recorder: StepRecorder, fetched: Fetched) -> SyncInput:
        rules, source = self.kind_of(head.source).rules, head.source
        snapshot = self.store.load_snapshot(source)
        context = context_of(head, job, self.clock(), snapshot.memory, fetched)
        made_at = fetched.made_at(context.at)
        others = self._other_sources(source)
        context = replace(context, other_sources=others, made_at=made_at, fingerprint=fetched.fingerprint)
        with recorder.step("read"):
            is_recalled = fetched.not_modified
            seen = rules.recall(snapshot.content, context) if is_recalled else rules.read(fetched.body, context, snapshot.content)
        return SyncInput(context=context, known=self._load_known(source), seen=seen, snapshot=snapshot, fetched=fetched)

    def _load_known(self, source: Source) -> list[Record]:
        """Return the source's own records; of a shared scope, every one."""
        scopes, is_shared = source_scopes(source), self.kind_of(source).is_shared
        records = [r for scope in scopes for r in self.store.load_records(source.tenant, source.collection, scope)]
        return [r for r in records if is_shared or r.source_id == source.id]

    def _other_sources(self, source: Source) -> frozenset[SourceId]:
        """Return the other sources that feed a shared scope now."""
        name = source.collection
        return find_feeding(self.store, source, name)[name] if self.kind_of(source).is_shared else frozenset()

    def _plan(self, head: Head, sync_input: SyncInput, recorder: StepRecorder, room: PlanLimit | None = None) -> Plan:
        source, context = head.source, sync_input.context
        rules = self.kind_of(source).rules
        with recorder.step("identify"):
            matches = rules.match(sync_input.known, sync_input.seen, context)
            if rules.needs_elsewhere(matches, context):
                elsewhere = load_elsewhere(self.store, source, rules, sync_input.seen.platform)
                context = replace(context, elsewhere=elsewhere)
        with recorder.step("plan"):
            plan = rules.plan(matches, context)
        with recorder.step("guard"):
            plan = rules.guard(plan, matches, context)
            return room.bound(rules.bound(plan, matches, context, room.records), head, context) if room else plan

    def _plan_only(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Plan for a dry run: no lease, no write, and no validators, since an unchanged response leaves nothing to plan."""
        fetched = self._fetch(replace(head, content_hash=None), job, recorder)
        plan = self._plan(head, self._gather(head, job, recorder, fetched), recorder)
        return report_plan(head, job, recorder, plan)

    def _apply(self, head: Head, job: SyncJob, recorder: StepRecorder, lease: Lease, fetched: Fetched) -> SourceReport:
        """Gather, plan and write; over a quota, again with what it allows, which is less each time."""
        room: PlanLimit | None = None
        head = recall_alert(self.store, head)
        while True:
            try:
                return self._apply_within(head, job, recorder, lease, fetched, room)
            except (QuotaError, StoreConflictError) as error:
                if room is not None and room.records is None:
                    raise
                room = find_limit(error, room)

    def _apply_within(
        self, head: Head, job: SyncJob, recorder: StepRecorder, lease: Lease, fetched: Fetched, room: PlanLimit | None
    ) -> SourceReport:
        sync_input = self._gather(head, job, recorder, fetched)
        plan = self._plan(head, sync_input, recorder, room)
        with recorder.step("apply"):
            is_agreed = self._write(head, plan, job, lease, sync_input, forced=room is not None and room.records is None)
        if self.reconciler_of(head.source.collection):
            with recorder.step("reconcile"):
                again_at = self._reconcile_plan(head.source, job, sync_input, plan.hold)
                plan = replace(plan, settle_at=earliest(plan.settle_at, again_at))
        after = self._next_head(head, plan, job, sync_input, is_agreed=is_agreed)
        with recorder.step("notice"):
            self.finisher.save(head, after, plan.hold, lease)
        return report_plan(head, job, recorder, plan)

    # ── writing ──

    def _write(self, head: Head, plan: Plan, job: SyncJob, lease: Lease, sync_input: SyncInput, *, forced: bool) -> bool:
        """Write records and snapshot, but not the head; return whether the content is now the agreed state."""
        is_agreed, before = sync_input.is_trusted and not plan.refused, sync_input.snapshot
        shown = plan.content or sync_input.seen.snapshot
        content = shown if is_agreed and shown else before.content
        is_new = content != before.content or dict(plan.memory) != dict(before.memory)
        snapshot = replace(before, content=content, memory=plan.memory) if is_new else None
        if plan.actions:
            self._apply_actions(head, plan.actions, job, lease, sync_input.context.at, forced=forced, snapshot=snapshot)
        elif snapshot:
            self.store.save_snapshot(snapshot, lease=lease)
        return is_agreed

    def _apply_actions(
        self,
        head: Head,
        actions: Sequence[Action],
        job: SyncJob,
        lease: Lease,
        at: datetime,
        *,
        forced: bool,
        snapshot: Snapshot | None,
    ) -> None:
        """Write records, each with its event, and the snapshot with them.

        Of many, the one event is released when all of the records are written, before the snapshot: after a crash in between
        they are planned again.
        """
        bulk = make_bulk(head, actions, job, at)
        held, with_them = (hold(bulk), None) if bulk else (None, snapshot)
        apply_actions(self.store, head.source, actions, job, at=at, lease=lease, forced=forced, bulk=held, snapshot=with_them)
        if bulk:
            self.store.put_outbox(bulk)
            if snapshot:
                self.store.save_snapshot(snapshot, lease=lease)

    def _reconcile_plan(self, source: Source, job: SyncJob, sync_input: SyncInput, hold: Hold | None) -> datetime | None:
        """Reconcile whether the plan changed anything or not: a run that crashed may not have done so."""
        request = ReconcileRequest(
            tenant=source.tenant,
            scope=source.scope,
            at=sync_input.context.at,
            by=job.by or f"source:{source.id}",
            run_id=job.run_id,
            held={source.id: hold.since if hold else None},
        )
        return self.reconcile(source.collection, request)

    def _next_head(self, head: Head, plan: Plan, job: SyncJob, sync_input: SyncInput, *, is_agreed: bool) -> Head:
        """Return the head to store: only a wholly read, accepted fetch leaves its ETag and hash."""
        at, fetched, seen = sync_input.context.at, sync_input.fetched, sync_input.seen
        changed_at = at if visible_actions(plan.actions) else None
        first = at if head.synced_at is None and not plan.refused else head.first_synced_at
        head = next_head(head, plan.hold, settle_at=plan.settle_at, changed_at=changed_at)
        head = replace(head, synced_at=at, first_synced_at=first)
        stamps = plan.stamps_fetches or (plan.refused and head.stamps_fetches)
        stale, advice = judge_staleness(head, plan, job.options, at), read_advice(head, plan, seen)
        head = replace(head, stamps_fetches=stamps, stale=stale, advice=advice, renames_since=plan.renames_since)
        if not sync_input.context.new_only:  # else what was made with other settings is still planned again
            head = replace(head, terms=terms_of(head, job.options))
        if not is_agreed:
            held = self._hash_held(head, plan, sync_input)
            unset = replace(head, etag=None, last_modified=None, content_hash=None, held_hash=held)
            return head if sync_input.context.new_only else unset
        if fetched.not_modified:
            return replace(head, held_hash=None)
        return replace(
            head,
            held_hash=None,
            full_at=at if seen.whole else head.full_at,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            content_hash=self.kind_of(head.source).rules.hash_content(fetched.body, sync_input.context),
            entries=len(seen.entries) if seen.whole else plan.seen,
        )

    def _hash_held(self, head: Head, plan: Plan, sync_input: SyncInput) -> str | None:
        """Return the hash of held content that changes nothing for some time; None: it is matched again at the next fetch."""
        if plan.held_until is None or plan.held_until <= sync_input.context.at or sync_input.fetched.not_modified:
            return None
        return self.kind_of(head.source).rules.hash_content(sync_input.fetched.body, sync_input.context)


def read_advice(head: Head, plan: Plan, seen: Seen[object]) -> str | None:
    """Return what the owner should know of all of the content; None: nothing. Content that cannot be read says nothing of it."""
    if seen.verdict is Verdict.UNREADABLE:
        return head.advice
    return "; ".join(str(p["message"]) for p in plan.problems if p["code"] in ADVICE) or None


def report_unchanged(head: Head, recorder: StepRecorder, outcome: Outcome) -> SourceReport:
    """Return the report of a sync without news: what was agreed, or held, stands."""
    counts = {"seen": head.entries, "unchanged": head.entries}
    return report_source(head, recorder, Outcome.HELD if head.hold else outcome, head.hold, counts)


def report_plan(head: Head, job: SyncJob, recorder: StepRecorder, plan: Plan) -> SourceReport:
    """Return the report of what *plan* did, or in a dry run would do."""
    visible = visible_actions(plan.actions)
    outcome = Outcome.HELD if plan.hold else Outcome.CHANGED if visible else Outcome.UNCHANGED
    counts = {**count_actions(plan), "seen": plan.seen, "unchanged": plan.unchanged, "refused": int(plan.refused)}
    shown = visible if job.dry_run or job.details else ()
    report = report_source(head, recorder, outcome, plan.hold)
    return replace(report, counts=counts, plan=shown, problems=plan.problems)
