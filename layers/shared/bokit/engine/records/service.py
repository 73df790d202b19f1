"""What people do with records of any collection: read, create, edit, accept the source's values, resolve held plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from bokit.core.items.planning import RecordDocument, describe_record
from bokit.core.items.rules import RecordRules
from bokit.core.model.catalog import BOOKINGS, Parent, Source, Unit
from bokit.core.model.merge import accept_remote, compare_fields, edit_record
from bokit.core.model.plan import Hold
from bokit.core.model.records import (
    CollectionName,
    Fields,
    LoggedChange,
    Record,
    RecordId,
    RunId,
    Scope,
    SourceId,
    TenantId,
    make_record_id,
    new_record,
)
from bokit.core.model.runs import Outcome, Run, Trigger
from bokit.core.model.source_rules import AnyRules
from bokit.core.model.undo import UndoStep, UndoTerms
from bokit.engine.base.clock import Clock, Ids, new_id
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import load_options
from bokit.engine.base.usage import save_edit
from bokit.engine.records.limits import MAX_RECORD_EDIT_TRIES
from bokit.engine.records.writes import ANY, Preconditions
from bokit.engine.runs.history import end_run, log_run, save_run
from bokit.engine.sync.job import StepRecorder, SyncJob
from bokit.engine.sync.plan_limit import read_quota_hold
from bokit.engine.sync.sync import SourceSync
from bokit.errors import StateError
from bokit.store.protocols import Page, Store

Patcher = Callable[[Record, datetime], tuple[Record, LoggedChange | None]]
"""Changes a record for a person, at a time; without a log line nothing is written."""


class RecordService:
    """Records as people see and edit them."""

    def __init__(
        self,
        store: Store,
        sync: SourceSync,
        clock: Clock,
        new_run_id: Callable[[datetime], str],
        defaults: Fields,
        new_id: Ids = new_id,
    ) -> None:
        self.store, self.sync, self.clock = store, sync, clock
        self.new_run_id, self.defaults, self.new_id = new_run_id, defaults, new_id

    def list_records(self, tenant: TenantId, collection: CollectionName, scopes: Sequence[Scope]) -> list[Record]:
        """Return every record of these scopes, gone ones included."""
        return [r for scope in scopes for r in self.store.load_records(tenant, collection, scope)]

    def find_record(self, tenant: TenantId, collection: CollectionName, record_id: RecordId) -> Record:
        """Return the record, or raise UnknownIdError."""
        return self.store.load_record(tenant, collection, record_id)

    def show(self, tenant: TenantId, collection: CollectionName, record_id: RecordId) -> RecordDocument:
        """Return a record's document; raises UnknownIdError."""
        return describe_record(self.find_record(tenant, collection, record_id))

    def create(self, tenant: TenantId, collection: CollectionName, scope: Scope, values: Fields, *, by: str) -> Record:
        """Create a record that no source feeds."""
        at = self.clock()
        record_id = make_record_id(scope, self.new_id("hand").replace(".", "-"))
        remote = dict(self._rules_of_collection(collection).read_edit(None, values))
        made = new_record(record_id, tenant, collection, at, remote=remote)
        fields = compare_fields({}, remote)
        change = LoggedChange(record_id=record_id, at=at, by=by, action="create", reason="made by a person", fields=fields)
        made, within = self._with_history(None, made, at), _parents_of(made)

        def write() -> Record:
            return save_edit(self.store, made, change, self.defaults, within=within, counted={record_id})

        saved = retry_on_conflict(write, MAX_RECORD_EDIT_TRIES)
        self._reconcile(saved, at, by)
        return saved

    def edit(
        self,
        tenant: TenantId,
        collection: CollectionName,
        record_id: RecordId,
        values: Fields,
        *,
        by: str,
        terms: Preconditions = ANY,
    ) -> Record:
        """Set a person's *values* in the record; they stand until given up, and every change is logged.

        Raises StateError where *terms* do not hold of the record.
        """

        def patch(record: Record, at: datetime) -> tuple[Record, LoggedChange | None]:
            terms.check(record)
            return edit_record(record, self._rules_of(record).read_edit(record, values), by=by, at=at)

        return self._apply(tenant, collection, record_id, patch, by)

    def accept_remote(
        self, tenant: TenantId, collection: CollectionName, record_id: RecordId, fields: Sequence[str] | None = None, *, by: str
    ) -> Record:
        """Give up a person's edits (all, or those of *fields*): the record follows its source again."""
        return self._apply(tenant, collection, record_id, lambda record, at: accept_remote(record, fields, by=by, at=at), by)

    def list_changes(
        self, tenant: TenantId, record_id: RecordId, *, limit: int = 100, cursor: str | None = None
    ) -> Page[LoggedChange]:
        """Return the record's change log, newest first."""
        return self.store.load_changes(tenant, record_id, limit=limit, cursor=cursor)

    # ── held plans ──

    def find_hold(self, tenant: TenantId, source_id: SourceId) -> Hold | None:
        """Return the source's held plan, in full; None: nothing is held."""
        source = self.store.load_source(tenant, source_id)
        return self._find_plan(source) or read_quota_hold(self.store.load_head(source))

    def _find_plan(self, source: Source) -> Hold | None:
        """Return the held plan that a person can decide on."""
        return self.sync.kind_of(source).rules.read_hold(self.store.load_snapshot(source).memory)

    def resolve_hold(self, tenant: TenantId, source_id: SourceId, *, plan_hash: str | None, apply: bool, by: str) -> Run:
        """Apply or discard the held plan; raises StateError if it is not the one of *plan_hash* any more (None: any)."""
        source = self.store.load_source(tenant, source_id)
        hold = self._find_plan(source)
        if hold is None:
            raise StateError("nothing is held for this source", code="nothing-held", id=source_id)
        shown = hold.plan_hash
        if plan_hash not in (None, shown):
            raise StateError("the held plan has changed since it was shown; look at it again", code="plan-changed", plan=shown)
        if apply and not hold.can_apply:
            raise StateError("there is nothing to apply; fix the feed, or discard the held plan", code="nothing-to-apply")
        started = self.clock()
        job = SyncJob(
            run_id=RunId(self.new_run_id(started)),
            trigger=Trigger.MANUAL,
            started_at=started,
            options=load_options(self.store, tenant, self.defaults),
            by=by,
            approved=shown if apply else None,
            discarded=None if apply else shown,
        )
        report = self.sync.apply_held(self.store.load_head(source), job, StepRecorder(self.clock))
        run = end_run(job, tenant, (report,), self.clock())
        save_run(self.store, run, job.options)
        log_run(run)
        if apply and report.outcome is Outcome.HELD and self.sync.kind_of(source).rules.plans_current_body:
            raise StateError("the calendar has changed since the plan was shown; look at it again", code="plan-changed")
        return run

    # ── writes ──

    def apply_patch(self, tenant: TenantId, collection: CollectionName, record_id: RecordId, patch: Patcher) -> Record:
        """Write the record that *patch* returns; on a conflict load the record and call *patch* again."""

        def attempt() -> Record:
            record = self.store.load_record(tenant, collection, record_id)
            after, change = patch(record, self.clock())
            if change is None or after == record:
                return record
            return save_edit(self.store, after, change, self.defaults, within=_parents_of(after))

        return retry_on_conflict(attempt, MAX_RECORD_EDIT_TRIES)

    def save_changes(self, changes: Sequence[tuple[Record, Record, LoggedChange]], *, by: str) -> None:
        """Write records as a person changed them, each before, after, and its line; then reconcile each scope once.

        Raises StoreConflictError where one was changed since it was read; those before it are written.
        """
        written = dict[Scope, Record]()
        try:
            for before, after, change in changes:
                kept = self._with_history(before, after, change.at)
                save_edit(self.store, kept, change, self.defaults, within=_parents_of(kept))
                written[after.scope] = after
        finally:
            for record in written.values():
                self._reconcile(record, self.clock(), by)

    def _apply(self, tenant: TenantId, collection: CollectionName, record_id: RecordId, patch: Patcher, by: str) -> Record:
        """Write what *patch* makes of a record, with its history, and reconcile what is derived from it."""

        def patch_with_history(record: Record, at: datetime) -> tuple[Record, LoggedChange | None]:
            after, change = patch(record, at)
            return (after if after == record else self._with_history(record, after, at)), change

        saved = self.apply_patch(tenant, collection, record_id, patch_with_history)
        self._reconcile(saved, self.clock(), by)
        return saved

    def plan_undo(self, record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoStep:
        """Return what undoing these lines of the record's change log does, by the rules of its source or collection."""
        is_pushed = record.source_id is None and record.collection != BOOKINGS
        rules = RecordRules() if is_pushed else self._rules_of(record)
        return rules.plan_undo(record, log, lines, terms)

    def _rules_of(self, record: Record) -> AnyRules:
        """Return the rules of the record's source; without a source, those of its collection."""
        if record.source_id:
            return self.sync.kind_of(self.store.load_source(record.tenant, record.source_id)).rules
        return self._rules_of_collection(record.collection)

    def _rules_of_collection(self, collection: CollectionName) -> AnyRules:
        for kind in self.sync.kinds.values():
            if kind.collection == collection:
                return kind.rules
        raise StateError("records of this collection cannot be edited", code="read-only", collection=collection)

    def _with_history(self, before: Record | None, after: Record, at: datetime) -> Record:
        reconciler = self.sync.reconciler_of(after.collection)
        return reconciler.record_history(before, after, at) if reconciler else after

    def _reconcile(self, record: Record, at: datetime, by: str) -> None:
        self.sync.reconcile(record.collection, ReconcileRequest(tenant=record.tenant, scope=record.scope, at=at, by=by))


def _parents_of(record: Record) -> list[Parent]:
    """Return what must not be deleted while a person writes *record*: a booking's unit."""
    return [Parent(Unit, record.tenant, record.scope)] if record.collection == BOOKINGS else []
