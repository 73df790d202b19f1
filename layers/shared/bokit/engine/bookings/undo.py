"""Undoing: what a run, an edit or another undo did to records, planned first, then written as any person's edit.

    a run's id, or a change's ─► lines of change logs ─► plan (by the rules) ─► shown ─► written, reconciled, logged

A run keeps no list of what it changed: its records are found by the times of their last lines, and their logs say the rest.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypedDict

from bokit.core.model.catalog import BOOKINGS, Source
from bokit.core.model.collections import RecordSettings, places_of, settings_of
from bokit.core.model.records import CollectionName, LoggedChange, Presence, Record, RecordId, RunId, Scope, SourceId, TenantId
from bokit.core.model.runs import Outcome, Run, RunStatus, SourceReport, Trigger
from bokit.core.model.undo import UndoStep, UndoStepDocument, UndoTerms, describe_undo
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import load_options
from bokit.engine.bookings.unit_groups import UnitGroupReader
from bokit.engine.records.service import RecordService
from bokit.engine.runs.history import log_run, save_run
from bokit.engine.sync.lease import await_lease, released_on_error
from bokit.errors import StateError, StoreConflictError, UnknownIdError
from bokit.store.limits import MAX_KEPT_CHANGES
from bokit.store.protocols import Store
from bokit.store.writes import written_at
from bokit.values import Value, replace

PAGE = 100
"""Lines of a change log that are read at a time."""


class UndoDocument(TypedDict):
    """What an undo would do, or did."""

    undo: Annotated[str, "The run or change."]
    applied: bool
    run_id: Annotated[str | None, "The run that undid a run; undoing it undoes that."]
    plan: Annotated[str, "Identifies what was shown."]
    items: list[UndoStepDocument]


class UndoPlan(Value):
    """What an undo does, record by record."""

    tenant: TenantId
    undone: str
    """The id of the run or the change."""
    steps: tuple[UndoStep, ...]
    at: datetime
    """When it was made, which is when the change logs will say that it was done."""
    of_run: bool = False

    @property
    def active(self) -> list[UndoStep]:
        """The steps that change something."""
        return [step for step in self.steps if step.change]

    @property
    def frees(self) -> int:
        """How many nights to come it frees."""
        return sum(len(step.frees) for step in self.steps)

    @property
    def plan_hash(self) -> str:
        """Identifies what was shown."""
        shown = json.dumps([describe_undo(step) for step in self.steps], sort_keys=True, default=str)
        return hashlib.sha256(shown.encode()).hexdigest()[:16]

    def as_dict(self, *, applied: bool = False, run_id: RunId | None = None) -> UndoDocument:
        """As ``bokit undo --json`` prints it."""
        items = [describe_undo(step) for step in self.steps]
        return {"undo": self.undone, "applied": applied, "run_id": run_id, "plan": self.plan_hash, "items": items}


class UndoService:
    """Gives back what changes of records did, as far as nothing changed it since."""

    def __init__(
        self,
        store: Store,
        records: RecordService,
        clock: Clock,
        *,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.store, self.records, self.clock, self.wait = store, records, clock, wait
        self.reader = UnitGroupReader(store, records.defaults)

    def plan(self, tenant: TenantId, undone: str, *, by: str, releases: bool = False) -> UndoPlan:
        """Return what undoing the run or change of this id does; nothing is written.

        Raises UnknownIdError for a run, or a change, that the history does not hold, and StateError for a run that goes on.
        """
        is_change = "@" in undone
        found = self._find_change(tenant, undone) if is_change else self._find_logs(self._load_run(tenant, RunId(undone)))
        at, terms = self.clock(), dict[tuple[Scope, SourceId | None], UndoTerms]()
        steps = []
        for record, log, lines in found:
            key = record.scope, record.source_id
            if key not in terms:
                terms[key] = replace(self._load_terms(record, by, at), releases=releases)
            steps.append(self.records.plan_undo(record, log, lines, terms[key]))
        return UndoPlan(tenant=tenant, undone=undone, steps=tuple(steps), at=at, of_run=not is_change)

    def apply(self, plan: UndoPlan, *, by: str, confirmed: bool) -> RunId | None:
        """Write *plan*; return the run that undid a run.

        Raises StateError where it frees nights and nobody *confirmed* it, and where a record was changed since it was made.
        """
        if plan.frees and not confirmed:
            raise StateError("this would free nights; look at the plan, and confirm it", code="frees-nights", nights=plan.frees)
        run_id = RunId(self.records.new_run_id(plan.at)) if plan.of_run and plan.active else None
        try:
            self.records.save_changes([_write(step, run_id) for step in plan.active], by=by)
        except StoreConflictError as error:
            message = "a record was changed since the plan was made; look at it again"
            raise StateError(message, code="plan-changed", **error.facts) from error
        sources = self._load_sources(plan)
        for source in sources.values():
            if any(_is_back(step) for step in plan.active if step.before.source_id == source.id):
                self._look_again(source)
        if run_id:
            self._save_run(plan, run_id, sources)
        return run_id

    def list_changes(self, run: Run) -> list[LoggedChange]:
        """Return what the change logs still hold of *run*, record by record."""
        return [line for _, log, lines in self._find_logs(run) for line in log if line.line in lines]

    # ── finding ──

    def _load_terms(self, record: Record, by: str, at: datetime) -> UndoTerms:
        """Return the terms of a record: the day of a booking's unit, the settings of another's collection."""
        if record.collection == BOOKINGS:
            return UndoTerms(by=by, at=at, today=self.reader.load_group(record.tenant, record.scope, at).today)
        found = (c for c in self.store.load_collections(record.tenant) if c.name == record.collection)
        settings = next(map(settings_of, found), RecordSettings())
        source = self.store.load_source(record.tenant, record.source_id) if record.source_id else None
        is_table = source is not None and "tables" in source.settings
        return UndoTerms(by=by, at=at, today=at.date(), settings=settings, is_judged_again=not is_table)

    def _load_run(self, tenant: TenantId, run_id: RunId) -> Run:
        if self.store.find_open_run(tenant, run_id):
            raise StateError("the run has not ended; wait until it has", code="running", id=run_id)
        return self.store.load_run(tenant, run_id)

    def _find_change(self, tenant: TenantId, change_id: str) -> Iterator[tuple[Record, list[LoggedChange], set[str]]]:
        record_id = RecordId(change_id.rpartition("@")[0])
        record = self.store.load_record(tenant, self._collection_of(tenant, record_id), record_id)
        log = list[LoggedChange]()
        for change in self._read_log(record):
            log.append(change)
            if change.id == change_id:
                yield record, log, {change.line}
                return
        raise UnknownIdError("no such change; `bokit booking changes` lists those that the log holds", id=change_id)

    def _collection_of(self, tenant: TenantId, record_id: RecordId) -> CollectionName:
        """Return the collection whose name the id begins with, else that of bookings."""
        name = record_id.rpartition(".")[0].partition("~")[0]
        return next((c.name for c in self.store.load_collections(tenant) if c.name == name), BOOKINGS)

    def _find_logs(self, run: Run) -> Iterator[tuple[Record, list[LoggedChange], set[str]]]:
        """Yield each record that *run* changed, its log from then on, and the run's lines in it."""
        for source in self._sources_of(run):
            for record in self._load_records(source):
                if record.source_id == source.id and _may_have_changed(record, run):
                    log = list(self._read_log(record, since=run.started_at))
                    if lines := {c.line for c in log if c.run_id == run.run_id}:
                        yield record, log, lines

    def _load_records(self, source: Source) -> Iterator[Record]:
        for name, scope in places_of(source):
            yield from self.store.load_records(source.tenant, name, scope)

    def _sources_of(self, run: Run) -> list[Source]:
        """Return the sources of which *run* may have changed something."""
        changed = {report.source_id for report in run.sources if report.outcome not in (Outcome.UNCHANGED, Outcome.NOT_MODIFIED)}
        return [source for source in self.store.load_sources(run.tenant) if source.id in changed]

    def _read_log(self, record: Record, since: datetime | None = None) -> Iterator[LoggedChange]:
        """Yield the record's lines, newest first, back to *since*."""
        cursor: str | None = None
        while True:
            page = self.store.load_changes(record.tenant, record.id, limit=PAGE, cursor=cursor)
            for change in page.items:
                if since and change.at < since:
                    return
                yield change
            if (cursor := page.cursor) is None:
                return

    # ── writing ──

    def _load_sources(self, plan: UndoPlan) -> Mapping[SourceId, Source]:
        ids = {step.before.source_id for step in plan.active}
        return {s.id: s for s in self.store.load_sources(plan.tenant) if s.id in ids}

    def _look_again(self, source: Source) -> None:
        """Let the next sync judge the whole feed from scratch, also where it did not change."""
        if source.removed_at is not None:
            return
        lease = await_lease(self.store, source, self.records.new_id("undo"), self.clock, self.wait)
        with released_on_error(self.store, lease):
            head = self.store.load_head(source)
            fresh = replace(head, etag=None, last_modified=None, content_hash=None, held_hash=None)
            self.store.save_head(fresh, lease=lease)

    def _save_run(self, plan: UndoPlan, run_id: RunId, sources: Mapping[SourceId, Source]) -> None:
        reports = tuple(_report(source, plan.active) for source in sources.values())
        run = Run(
            run_id=run_id,
            tenant=plan.tenant,
            trigger=Trigger.MANUAL,
            status=RunStatus.SUCCEEDED,
            started_at=plan.at,
            finished_at=self.clock(),
            sources=reports,
        )
        save_run(self.store, run, load_options(self.store, plan.tenant, self.records.defaults))
        log_run(run)


def _may_have_changed(record: Record, run: Run) -> bool:
    """Return whether the names of the record's last lines leave room for one of *run*."""
    times = [written_at(line) for line in record.lines]
    if not times or times[-1] < run.started_at:
        return False
    ended = run.finished_at or times[-1]
    return len(times) >= MAX_KEPT_CHANGES or any(run.started_at <= at <= ended for at in times)


def _write(step: UndoStep, run_id: RunId | None) -> tuple[Record, Record, LoggedChange]:
    """Return what is written: the booking before and after, and the line.

    A cancelled booking holds its nights again since when it held them: its night history is that of before it went.
    """
    if step.change is None:
        raise ValueError("a step that changes nothing is not written")
    before, change = step.before, replace(step.change, run_id=run_id)
    if _is_back(step):
        before = replace(before, presence=step.after.presence, remote=step.after.remote)
    return before, step.after, change


def _is_back(step: UndoStep) -> bool:
    return step.before.presence is Presence.GONE and step.after.presence is not Presence.GONE


def _report(source: Source, steps: Sequence[UndoStep]) -> SourceReport:
    mine = [step for step in steps if step.before.source_id == source.id]
    restored = sum(map(_is_back, mine))
    counts = {"restored": restored, "updated": len(mine) - restored}
    return SourceReport(source_id=source.id, name=source.name, outcome=Outcome.CHANGED, counts=counts)
