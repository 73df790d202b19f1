"""Syncs the tables of a SQL source: each row is a record, and unchanged rows are neither loaded nor written.

    check      every table: columns, key, condition             one clear error, before anything is written
    survey     every key range: add up the rows' digests        the sum is the agreed one: nothing more is done
    update     the ranges that differ: load their chunk, compare row by row, write records that differ, then the chunk
    missing    rows that the whole table no longer shows are held, missing or gone, by the source's policy
    close      manifest, notices, head

A range is surveyed and updated in one snapshot: a row that cannot be read stops the sync before its first write. One page
of rows and one chunk are in memory at a time, whatever the table's size. A sync that outlasts its worker stores a checkpoint
and resumes there when its source is due again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from bokit.core.model.catalog import Source
from bokit.core.model.collections import collections_of
from bokit.core.model.due_times import DAILY, interval_of, plan_next_full
from bokit.core.model.plan import Hold
from bokit.core.model.records import CollectionName, SourceId
from bokit.core.model.runs import COUNTS, Outcome, SourceReport
from bokit.core.model.scheduling import Head
from bokit.core.model.source_memory import read_memory
from bokit.core.tables.chunks import TableState, chunk_names, unpack_manifest
from bokit.core.tables.progress import changed_columns, make_hold, read_table_memory
from bokit.core.tables.spec import TableSettings, TableSpec, read_table_settings
from bokit.core.tables.values import rewind_watermark, unpack_key
from bokit.engine.sync.finish import Finisher, next_head, report_source
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult, context_of
from bokit.engine.sync.lease import acquire_lease
from bokit.engine.tables.missing import apply_held_removals, resolve_missing
from bokit.engine.tables.ranges import TablePass
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import SyncedTable
from bokit.errors import InputError, SourceMalformedError
from bokit.observability import log_event
from bokit.sources.sql.protocols import DatabaseReader, DatabaseSnapshot

log = logging.getLogger("bokit.tables")


class TableSync:
    """Syncs SQL sources, with the same finishing step as all others."""

    def __init__(self, finisher: Finisher, reader: DatabaseReader) -> None:
        self.store, self.clock, self.finisher, self.reader = finisher.store, finisher.clock, finisher, reader

    def run(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SyncResult:
        """Sync the tables of *head*'s source that *job* asks for."""
        with self._begin(head, job, exclusive=exclusive) as session, ExitStack() as stack:
            chosen = choose_tables(session.settings, job)
            session.resume(is_whole=len(chosen) == len(session.settings.tables) and not job.new_only)
            with recorder.step("connect"):
                database = stack.enter_context(self.reader.open(session.head.source, session.settings, job.seconds_left))
            with recorder.step("check"):
                for table in chosen:
                    check_columns(session, database, table)
            with recorder.step("read"):
                finished = self._read_all([SyncedTable(session, table) for table in chosen], database)
            return self._close(session, recorder, finished=finished)

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says, from the agreed state alone: the database is not asked."""
        with self._begin(head, job, exclusive=True) as session:
            session.resume(is_whole=False)
            hold = read_memory(session.snapshot.memory).hold
            with recorder.step("apply"):
                if hold and job.approved == hold.plan_hash:
                    apply_held_removals(session)
                if hold and hold.plan_hash in (job.approved, job.discarded):
                    session.memory = replace(session.memory, holds={})
            return self._close(session, recorder, finished=True).report

    # ── beginning ──

    @contextmanager
    def _begin(self, head: Head, job: SyncJob, *, exclusive: bool) -> Iterator[TableSyncSession]:
        """Begin a sync; *exclusive*: under the lease from the start. The lease is released here on error, or when it closes."""
        lease, now = None, self.clock()
        if exclusive and not job.dry_run:
            lease = acquire_lease(self.store, head.source, job.holder, self.clock)
        session = None
        try:
            fresh = replace(self.store.load_head(head.source), fence=lease.fence) if lease else head
            session = self._open(fresh, job, exclusive=exclusive)
            session.lease, session.leased_at = lease, now
            yield session
        except BaseException:
            if session:
                session.release_lease()
            elif lease:
                self.store.release_lease(lease)
            raise

    def _open(self, head: Head, job: SyncJob, *, exclusive: bool) -> TableSyncSession:
        settings = read_table_settings(head.source.settings)
        snapshot = self.store.load_snapshot(head.source)
        memory, states = read_table_memory(snapshot.memory), unpack_manifest(snapshot.content)
        return TableSyncSession(
            store=self.store,
            clock=self.clock,
            head=head,
            job=job,
            settings=settings,
            snapshot=snapshot,
            memory=memory,
            context=context_of(head, job, self.clock(), {}),
            states=states,
            former_chunks=chunk_names(states.values()),
            exclusive=exclusive,
            unfinished=memory.part,
            other_sources=self._find_other_sources(head.source, settings),
        )

    def _find_other_sources(self, source: Source, settings: TableSettings) -> Mapping[CollectionName, frozenset[SourceId]]:
        """Return the other sources that feed the tables' collections now."""
        others = [s for s in self.store.load_sources(source.tenant) if s.id != source.id and s.removed_at is None]
        collections = {table.collection for table in settings.tables}
        return {name: frozenset(s.id for s in others if name in collections_of(s)) for name in collections}

    # ── reading ──

    def _read_all(self, tables: Sequence[SyncedTable], database: DatabaseSnapshot) -> bool:
        """Read every table; return whether there was time for all."""
        for table in tables:
            if table.is_finished:
                continue
            session, before = table.session, dict(table.session.counts)
            if not self._read_table(table, database):
                return False
            table.finish()
            counts = {name: session.counts[name] - before.get(name, 0) for name in COUNTS if name in session.counts}
            facts = {name: n for name, n in counts.items() if n}
            log_event(log, "table read", source_id=session.head.source.id, table=table.name, run_id=session.job.run_id, **facts)
        return True

    def _read_table(self, table: SyncedTable, database: DatabaseSnapshot) -> bool:
        """Read what is new in the table, what changed lately, or all of it; return whether there was time."""
        if table.session.job.new_only:
            table.save_all(database, only_new=True)
            return True
        if is_incremental(table):
            read_updated(table, database)
            return True
        watermark = database.fetch_watermark(table.spec) if table.spec.updated_at else None
        if not TablePass(table, database).run():
            return False
        if table.spec.updated_at:
            table.save_watermark(watermark)
            table.state = replace(table.state, full_at=table.session.at)
        resolve_missing(table, database)
        return True

    # ── the end ──

    def _close(self, session: TableSyncSession, recorder: StepRecorder, *, finished: bool) -> SyncResult:
        """Store what was agreed, save the head, release the lease, and report."""
        with recorder.step("close"):
            if finished:
                session.prune_orphans()
            session.checkpoint(finished=finished)
            hold = make_hold(session.memory.holds)
            if finished:
                session.release_bulk()
                self._save_head(session, hold)
            session.release_lease()
        return SyncResult(report=self._report(session, recorder, hold), unfinished=not finished)

    def _save_head(self, session: TableSyncSession, hold: Hold | None) -> None:
        """Save the head if a sync wrote anything, or the head has changed."""
        head, at = session.head, session.at
        settle_at = session.settle_at if session.is_whole else head.settle_at
        after = next_head(head, hold, settle_at=settle_at, changed_at=at if session.has_changed else None)
        after = replace(after, entries=sum(state.rows for state in session.states.values()))
        is_new = after != head or head.open_leases > 1 or (session.lease is not None and not session.exclusive)
        if session.job.dry_run or not is_new:
            return
        lease = session.renew_lease()
        self.finisher.save(head, replace(after, synced_at=at), hold, lease)
        session.lease = None

    def _report(self, session: TableSyncSession, recorder: StepRecorder, hold: Hold | None) -> SourceReport:
        unchanged = max(0, session.counts["seen"] - session.counts["seen_changed"])
        counts = {**{name: session.counts[name] for name in COUNTS}, "unchanged": unchanged, "refused": int(hold is not None)}
        outcome = Outcome.HELD if hold else Outcome.CHANGED if session.has_changed else Outcome.UNCHANGED
        report = report_source(session.head, recorder, outcome, hold)
        problems = tuple(p.as_dict() for p in session.problems)
        return replace(report, counts=counts, plan=tuple(session.actions), problems=problems)


def choose_tables(settings: TableSettings, job: SyncJob) -> list[TableSpec]:
    """Return the tables that *job* asks for: those it names, those of its collection, or all."""
    tables = [t for t in settings.tables if not job.tables or {t.name, t.table} & set(job.tables)]
    found = [t for t in tables if job.collection in (None, t.collection)]
    if not found:
        known = ", ".join(table.name for table in settings.tables)
        raise InputError("the source reads no such table", code="not-found", known=known)
    return found


def check_columns(session: TableSyncSession, database: DatabaseSnapshot, table: TableSpec) -> None:
    """Raise SourceMalformedError if a column has changed its type since the last sync."""
    columns, before = database.check_table(table), session.states.get(table.name, TableState())
    if before.fingerprint != table.fingerprint:
        session.states[table.name] = TableState(fingerprint=table.fingerprint, columns=columns)
        return
    changed = changed_columns(before.columns, columns)
    if changed and not session.job.force:
        changes = "; ".join(f"{name!r} held {was}, and holds {now}" for name, was, now in changed)
        message = f"a column has changed its type ({changes}); if that is right, sync it once with --force"
        raise SourceMalformedError(f"table {table.table!r}: {message}", code="type-changed")
    session.states[table.name] = replace(before, columns=columns)


def is_incremental(table: SyncedTable) -> bool:
    """Return whether only updated rows are to be read: the table has a watermark, and no full pass is due or unfinished."""
    state, session = table.state, table.session
    options = session.job.options
    if not table.spec.updated_at or state.watermark is None or state.full_at is None or session.job.force or session.unfinished:
        return False
    return plan_next_full(options["sync.full_interval"] or DAILY, state.full_at, options) > session.at


def read_updated(table: SyncedTable, database: DatabaseSnapshot) -> None:
    """Save the rows updated since the watermark, and some time before it; no row is found missing here."""
    session = table.session
    overlap = table.spec.overlap or 2 * interval_of(session.head.source, session.job.options)
    watermark = database.fetch_watermark(table.spec)
    table.save_all(database, since=rewind_watermark(unpack_key([table.state.watermark])[0], overlap))
    session.is_whole = False
    if watermark is not None:
        table.save_watermark(watermark)
