"""Syncs the tables of a SQL source: each row is a record, and what did not change is neither loaded nor written.

    check      every table: columns, key, condition                    one clear error, before anything is written
    survey     every range of keys: hash its rows, compare the sum     says nothing new: nothing more is done
    settle     the ranges that differ: load their chunk, compare row by row, write the records that differ, then the chunk
    judge      the whole table: what it no longer shows is held, missing or gone, as the source's policy says
    close      manifest, notices, head

The survey reads in the snapshot in which the rows are settled, so that a row that cannot be read stops the sync before
its first write. Memory holds one page of rows and one chunk of hashes, whatever the table's size. A sync that takes
longer than its worker lives writes how far it came, and goes on from there when its source is called up again.
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
from bokit.core.tables.chunks import KeyRange, TableState, names_of, unpack_manifest
from bokit.core.tables.progress import find_hold, make_hold, note_columns, read_table_memory
from bokit.core.tables.spec import TableSettings, TableSpec, read_table_settings
from bokit.core.tables.values import SeenRow, pack_key, step_back, unpack_key
from bokit.engine.sync.finish import Finisher, next_head, report_source
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult, context_of
from bokit.engine.sync.lease import acquire_lease
from bokit.engine.tables.losses import approve_losses, judge_table
from bokit.engine.tables.ranges import TablePass
from bokit.engine.tables.session import BATCH, TableSyncSession
from bokit.errors import InputError, SourceMalformedError
from bokit.observability import log_event
from bokit.sources.sql.protocols import TableReader, Tables

log = logging.getLogger("bokit.tables")


class TableSync:
    """Syncs SQL sources, with the same finishing step as all others."""

    def __init__(self, finisher: Finisher, reader: TableReader) -> None:
        self.store, self.clock, self.finisher, self.reader = finisher.store, finisher.clock, finisher, reader

    def run(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SyncResult:
        """Sync the tables of *head*'s source that *job* asks for."""
        with self._begin(head, job, exclusive=exclusive) as visit, ExitStack() as stack:
            chosen = choose(visit.settings, job)
            visit.take_up(is_whole=len(chosen) == len(visit.settings.tables) and not job.new_only)
            with recorder.step("connect"):
                tables = stack.enter_context(self.reader.open(visit.head.source, visit.settings))
            with recorder.step("check"):
                for table in chosen:
                    check_table(visit, tables, table)
            with recorder.step("read"):
                finished = self._read_all(visit, tables, chosen)
            return self._close(visit, recorder, finished=finished)

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says, from the agreed state alone: the database is not asked."""
        with self._begin(head, job, exclusive=True) as visit:
            visit.take_up(is_whole=False)
            hold = find_hold(visit.snapshot.memory)
            with recorder.step("apply"):
                if hold and job.approved == hold.plan_hash:
                    approve_losses(visit)
                if hold and hold.plan_hash in (job.approved, job.discarded):
                    visit.memory = replace(visit.memory, holds={})
            return self._close(visit, recorder, finished=True).report

    # ── beginning ──

    @contextmanager
    def _begin(self, head: Head, job: SyncJob, *, exclusive: bool) -> Iterator[TableSyncSession]:
        """Begin a sync; *exclusive*: under the lease from the start. Whatever ends it early gives the lease back."""
        lease, now = None, self.clock()
        if exclusive and not job.dry_run:
            lease = acquire_lease(self.store, head.source, job.run_id, self.clock)
        visit = None
        try:
            fresh = replace(self.store.load_head(head.source), fence=lease.fence) if lease else head
            visit = self._open(fresh, job, exclusive=exclusive)
            visit.lease, visit.leased_at = lease, now
            yield visit
        except BaseException:
            if visit:
                visit.release()
            elif lease:
                self.store.release_lease(lease)
            raise

    def _open(self, head: Head, job: SyncJob, *, exclusive: bool) -> TableSyncSession:
        source, settings = head.source, read_table_settings(head.source.settings)
        snapshot = self.store.load_snapshot(source)
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
            exclusive=exclusive,
            left=memory.part,
            names=names_of(states.values()),
            other_sources=self._find_rivals(source, settings),
        )

    def _find_rivals(self, source: Source, settings: TableSettings) -> Mapping[CollectionName, frozenset[SourceId]]:
        """Return the other sources that feed the tables' collections now: their records are theirs."""
        others = [s for s in self.store.load_sources(source.tenant) if s.id != source.id and s.removed_at is None]
        wanted = {table.collection for table in settings.tables}
        return {name: frozenset(s.id for s in others if name in collections_of(s)) for name in wanted}

    # ── reading ──

    def _read_all(self, visit: TableSyncSession, tables: Tables, chosen: Sequence[TableSpec]) -> bool:
        """Read every table; tell whether there was time for all."""
        for table in chosen:
            if visit.is_finished(table):
                continue
            before = dict(visit.counts)
            if not self._read_table(visit, tables, table):
                return False
            visit.finish(table)
            told = {name: n - before.get(name, 0) for name, n in visit.counts.items() if name in COUNTS}
            facts = {name: n for name, n in told.items() if n}
            log_event(log, "table read", source_id=visit.head.source.id, table=table.name, run_id=visit.job.run_id, **facts)
        return True

    def _read_table(self, visit: TableSyncSession, tables: Tables, table: TableSpec) -> bool:
        """Read one table as it is its turn: only what is new, what changed lately, or all of it."""
        if visit.job.new_only:
            take_all(visit, tables, table, only_new=True)
            return True
        if may_catch_up(visit, table):
            catch_up(visit, tables, table)
            return True
        mark = tables.find_mark(table) if table.updated_at else None
        if not TablePass(visit, tables, table).run():
            return False
        if table.updated_at:
            kept = pack_key((mark,))[0] if mark is not None else None
            visit.states[table.name] = replace(visit.states[table.name], mark=kept, full_at=visit.at)
        judge_table(visit, tables, table)
        return True

    # ── the end ──

    def _close(self, visit: TableSyncSession, recorder: StepRecorder, *, finished: bool) -> SyncResult:
        """Write what was agreed, tell the owner, give the lease back, and report."""
        with recorder.step("close"):
            if finished:
                visit.prune_orphans()
            visit.end_part(finished=finished)
            visit.save_state()
            hold = make_hold(visit.memory.holds)
            if finished:
                self._save_head(visit, hold)
            visit.release()
        return SyncResult(report=self._report(visit, recorder, hold), unfinished=not finished)

    def _save_head(self, visit: TableSyncSession, hold: Hold | None) -> None:
        """Write the head where a sync wrote anything, or something is to be told; an unchanged one leaves it alone."""
        head, at = visit.head, visit.at
        settle_at = visit.settle_at if visit.is_whole else head.settle_at
        after = next_head(head, hold, settle_at=settle_at, changed_at=at if visit.has_changed else None)
        after = replace(after, entries=sum(state.rows for state in visit.states.values()))
        is_news = after != head or (visit.lease is not None and not visit.exclusive)
        if visit.job.dry_run or not is_news:
            return
        lease = visit.renew_lease()
        self.finisher.save(head, replace(after, synced_at=at), hold, lease)
        visit.lease = None

    def _report(self, visit: TableSyncSession, recorder: StepRecorder, hold: Hold | None) -> SourceReport:
        unchanged = max(0, visit.counts["seen"] - visit.counts["seen_changed"])
        counts = {**{name: visit.counts[name] for name in COUNTS}, "unchanged": unchanged, "refused": int(hold is not None)}
        outcome = Outcome.HELD if hold else Outcome.CHANGED if visit.has_changed else Outcome.UNCHANGED
        report = report_source(visit.head, recorder, outcome, hold)
        problems = tuple(p.as_dict() for p in visit.problems)
        return replace(report, counts=counts, plan=tuple(visit.actions), problems=problems)


def choose(settings: TableSettings, job: SyncJob) -> list[TableSpec]:
    """Return the tables that *job* asks for: the named ones, those of its collection, else all."""
    found = [
        t
        for t in settings.tables
        if (not job.tables or t.name in job.tables or t.table in job.tables) and job.collection in (None, t.collection)
    ]
    if not found:
        known = ", ".join(table.name for table in settings.tables)
        raise InputError("the source reads no such table", code="not-found", known=known)
    return found


def check_table(visit: TableSyncSession, tables: Tables, table: TableSpec) -> None:
    """See that the table is what it was, or raise."""
    columns, before = tables.check(table), visit.states.get(table.name, TableState())
    if before.fingerprint != table.fingerprint:
        visit.states[table.name] = TableState(fingerprint=table.fingerprint, columns=columns)
        return
    changed = note_columns(before.columns, columns)
    if changed and not visit.job.force:
        told = "; ".join(f"{name!r} held {was}, and holds {now}" for name, was, now in changed)
        raise SourceMalformedError(
            f"table {table.table!r}: a column has changed its type ({told}); if that is right, sync it once with --force",
            code="type-changed",
        )
    visit.states[table.name] = replace(before, columns=columns)


def may_catch_up(visit: TableSyncSession, table: TableSpec) -> bool:
    """Return whether what changed lately is enough: the table was read whole, not too long ago, and no pass is half done."""
    state, options = visit.states[table.name], visit.job.options
    if not table.updated_at or state.mark is None or state.full_at is None or visit.job.force or visit.left:
        return False
    return plan_next_full(options["sync.full_interval"] or DAILY, state.full_at, options) > visit.at


def catch_up(visit: TableSyncSession, tables: Tables, table: TableSpec) -> None:
    """Take the rows that were updated since the last pass, and some time before; nothing is missed here."""
    state = visit.states[table.name]
    overlap = table.overlap or 2 * interval_of(visit.head.source, visit.job.options)
    mark = tables.find_mark(table)
    take_all(visit, tables, table, since=step_back(unpack_key([state.mark])[0], overlap))
    visit.is_whole = False
    if mark is not None:
        visit.states[table.name] = replace(visit.states[table.name], mark=pack_key((mark,))[0])


def take_all(visit: TableSyncSession, tables: Tables, table: TableSpec, *, since: object = None, only_new: bool = False) -> None:
    """Take rows as they come, beside the chunks: those since a mark, or those of which there is no record."""
    batch: list[SeenRow] = []

    def take() -> None:
        visit.note_refused(table, len(visit.take_rows(table, batch, only_new=only_new)))
        batch.clear()

    for row in tables.read_rows(table, KeyRange(), since):
        visit.counts["seen"] += 1
        batch.append(row)
        if len(batch) >= BATCH:
            take()
    take()
