"""What people do with records: look, edit, accept what the source says, settle what a guard holds. It knows no booking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bokit.core.model.merge import accept_remote, compare_fields, edit_record
from bokit.core.model.options import Options
from bokit.core.model.plan import Hold
from bokit.core.model.records import (
    CollectionName,
    Fields,
    Json,
    LoggedChange,
    Record,
    RecordId,
    RunId,
    Scope,
    SourceId,
    TenantId,
    make_record_id,
)
from bokit.core.model.runs import Run, Trigger
from bokit.core.model.source_rules import AnyRules
from bokit.engine.base.clock import Clock, Ids, new_id
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.runs.history import end_run, log_run, save_run
from bokit.engine.sync.job import StepRecorder, SyncJob
from bokit.engine.sync.sync import SourceSync
from bokit.errors import StateError
from bokit.store.protocols import Page, Store

Lay = Callable[[Record, datetime], tuple[Record, LoggedChange | None]]
"""Lays a person's word over a record, at a time; no line: nothing is to be written."""
TRIES = 5
"""How often an edit is laid anew over a record that a sync changed meanwhile."""


class RecordService:
    """Records as people see and edit them."""

    def __init__(
        self,
        store: Store,
        sync: SourceSync,
        clock: Clock,
        new_run_id: Callable[[datetime], str],
        defaults: Mapping[str, Json],
        new_id: Ids = new_id,
    ) -> None:
        self.store, self.sync, self.clock = store, sync, clock
        self.new_run_id, self.defaults, self.new_id = new_run_id, defaults, new_id

    def list_records(self, tenant: TenantId, collection: CollectionName, scopes: Sequence[Scope]) -> list[Record]:
        """Return every record of these scopes, gone ones included."""
        return [r for scope in scopes for r in self.store.load_records(tenant, collection, scope)]

    def find_record(self, tenant: TenantId, collection: CollectionName, id: RecordId) -> Record:
        """Return the record, or raise UnknownIdError."""
        return self.store.load_record(tenant, collection, id)

    def create(self, tenant: TenantId, collection: CollectionName, scope: Scope, values: Fields, *, by: str) -> Record:
        """Write a record by hand: no sync touches it."""
        at = self.clock()
        id = make_record_id(scope, self.new_id("hand").replace(".", "-"))
        told = self._rules_by_hand(collection).read_edit(None, values)
        made = Record(
            id=id,
            tenant=tenant,
            collection=collection,
            scope=scope,
            source_id=None,
            key=id,
            remote=dict(told),
            created_at=at,
            updated_at=at,
        )
        line = LoggedChange(
            record_id=id, at=at, by=by, action="create", reason="made by a person", fields=compare_fields({}, made.remote)
        )
        traced = self._trace(None, made, at)
        saved = self.store.apply_records([traced], [line], lease=None)[0]
        self._follow(saved, at, by)
        return saved

    def edit(self, tenant: TenantId, collection: CollectionName, id: RecordId, values: Fields, *, by: str) -> Record:
        """Lay a person's *values* over the record; they stand until given up, and every change is logged."""

        def lay(record: Record, at: datetime) -> tuple[Record, LoggedChange | None]:
            return edit_record(record, self._rules_of(record).read_edit(record, values), by=by, at=at)

        return self._write(tenant, collection, id, lay, by)

    def accept_remote(
        self, tenant: TenantId, collection: CollectionName, id: RecordId, fields: Sequence[str] | None = None, *, by: str
    ) -> Record:
        """Give up a person's edits (all, or those of *fields*): the record follows its source again."""
        return self._write(tenant, collection, id, lambda record, at: accept_remote(record, fields, by=by, at=at), by)

    def list_changes(self, tenant: TenantId, id: RecordId, *, limit: int = 100, cursor: str | None = None) -> Page[LoggedChange]:
        """Return the record's change log, newest first."""
        return self.store.load_changes(tenant, id, limit=limit, cursor=cursor)

    # ── held plans ──

    def find_hold(self, tenant: TenantId, source_id: SourceId) -> Hold | None:
        """Return what a guard holds of this source, in full."""
        source = self.store.load_source(tenant, source_id)
        memory = self.store.load_snapshot(source).memory
        return self.sync.kind_of(source).rules.read_hold(memory)

    def settle_hold(self, tenant: TenantId, source_id: SourceId, *, plan_hash: str | None, apply: bool, by: str) -> Run:
        """Apply or discard what is held, as it was shown: refused with StateError when the plan has changed since."""
        hold = self.find_hold(tenant, source_id)
        if hold is None:
            raise StateError("nothing is held for this source", code="nothing-held", id=source_id)
        if plan_hash is not None and plan_hash != hold.plan_hash:
            raise StateError(
                "the held plan has changed since it was shown; look at it again", code="plan-changed", plan=hold.plan_hash
            )
        if apply and not hold.can_apply:
            raise StateError("there is nothing to apply; mend the feed, or discard the hold", code="nothing-to-apply")
        started = self.clock()
        options = Options(self.store.load_options([tenant]).get(tenant), self.defaults)
        told = hold.plan_hash
        job = SyncJob(
            run_id=RunId(self.new_run_id(started)),
            trigger=Trigger.MANUAL,
            started_at=started,
            options=options,
            by=by,
            approved=told if apply else None,
            discarded=None if apply else told,
        )
        source = self.store.load_source(tenant, source_id)
        report = self.sync.apply_held(self.store.load_head(source), job, StepRecorder(self.clock))
        run = end_run(job, tenant, (report,), self.clock())
        save_run(self.store, run, job.options)
        log_run(run)
        return run

    # ── the write ──

    def _rules_of(self, record: Record) -> AnyRules:
        """Return the rules of the record's source; those of its collection where a person made it."""
        if record.source_id:
            return self.sync.kind_of(self.store.load_source(record.tenant, record.source_id)).rules
        return self._rules_by_hand(record.collection)

    def _rules_by_hand(self, collection: CollectionName) -> AnyRules:
        for kind in self.sync.kinds.values():
            if kind.collection == collection:
                return kind.rules
        raise StateError("records of this collection are not edited", code="read-only", collection=collection)

    def _trace(self, before: Record | None, after: Record, at: datetime) -> Record:
        reconciler = self.sync.reconciler_of(after.collection)
        return reconciler.record_history(before, after, at) if reconciler else after

    def _follow(self, record: Record, at: datetime, by: str) -> None:
        self.sync.reconcile(record.collection, ReconcileRequest(tenant=record.tenant, scope=record.scope, at=at, by=by))

    def _write(self, tenant: TenantId, collection: CollectionName, id: RecordId, lay: Lay, by: str) -> Record:
        """Write what *lay* makes of a record for a person, and let what hangs on it follow."""

        def traced(record: Record, at: datetime) -> tuple[Record, LoggedChange | None]:
            after, change = lay(record, at)
            return (after if after == record else self._trace(record, after, at)), change

        saved = self.write(tenant, collection, id, traced)
        self._follow(saved, self.clock(), by)
        return saved

    def write(self, tenant: TenantId, collection: CollectionName, id: RecordId, lay: Lay) -> Record:
        """Write what *lay* makes of the record; when a sync was faster, make it anew of what the sync left."""

        def attempt() -> Record:
            record = self.store.load_record(tenant, collection, id)
            after, change = lay(record, self.clock())
            if change is None or after == record:
                return record
            return self.store.apply_records([after], [change], lease=None)[0]

        return retry_on_conflict(attempt, TRIES)
