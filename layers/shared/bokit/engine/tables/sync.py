"""Syncs the tables of a SQL source: each row is a record, and unchanged rows are neither loaded nor written.

    check      every table: columns, key, condition             a table that fails is left as it was, and stops no other
    survey     every key range: add up the rows' digests        the sum is the agreed one: nothing more is done
    update     the ranges that differ: load their chunk, compare row by row, write records that differ, then the chunk
    missing    rows that the whole table no longer shows are held, missing or gone, by the source's policy; rows that it shows
               as deleted are held or gone
    former     the same for what a table showed under a former key or collection, or before it was removed
    close      manifest, notices, head

A range is surveyed and updated in one snapshot. A row that cannot be read stops itself alone, as a table does. One page
of rows and one chunk are in memory at a time, whatever the table's size. A sync that outlasts its worker stores a checkpoint
and resumes there when its source is due again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from bokit.core.model.due_times import DAILY, has_full_passes, plan_next_full
from bokit.core.model.plan import Hold
from bokit.core.model.runs import COUNTS, SourceReport
from bokit.core.model.scheduling import Head
from bokit.core.model.source_memory import read_memory
from bokit.core.tables.agreement import assign_states, is_former
from bokit.core.tables.chunks import KeyRange, chunk_names, unpack_manifest
from bokit.core.tables.limits import MAX_UNSTAMPED_ROWS
from bokit.core.tables.progress import make_hold, read_table_memory
from bokit.core.tables.spec import TableSettings, TableSpec, read_table_settings
from bokit.engine.sync.elsewhere import find_feeding
from bokit.engine.sync.finish import Finisher, next_head
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult, context_of
from bokit.engine.sync.pass_session import begin_pass
from bokit.engine.tables.columns import SLOW, check_columns, check_values, note_column_hold
from bokit.engine.tables.former import apply_held_removals, discard_former, resolve_former
from bokit.engine.tables.missing import resolve_missing
from bokit.engine.tables.ranges import TablePass
from bokit.engine.tables.reports import note_failure, note_tables, report_tables
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import SyncedTable
from bokit.engine.tables.updates import UpdatePass, save_new
from bokit.errors import InputError, QuotaError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.observability import log_event
from bokit.sources.sql.protocols import DatabaseReader, DatabaseSnapshot
from bokit.values import replace

log = logging.getLogger("bokit.tables")


class TableSync:
    """Syncs SQL sources, with the same finishing step as all others."""

    def __init__(self, finisher: Finisher, reader: DatabaseReader) -> None:
        self.store, self.clock, self.finisher, self.reader = finisher.store, finisher.clock, finisher, reader

    def run(self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool) -> SyncResult:
        """Sync the tables of *head*'s source that *job* asks for."""
        with self._begin(head, job, exclusive=exclusive) as session, ExitStack() as stack:
            chosen = choose_tables(session.settings, job)
            session.asked = frozenset(spec.name for spec in chosen)
            session.resume(is_whole=len(chosen) == len(session.settings.tables) and not job.new_only)
            with recorder.step("connect"):
                database = stack.enter_context(self.reader.open(session.head.source, session.settings, job.seconds_left))
            tables = [SyncedTable(session, spec) for spec in chosen]
            with recorder.step("check"):
                for table in tables:
                    with stopping_alone(table, database):
                        check_columns(table, database)
            with recorder.step("read"):
                finished = self._read_all(tables, database)
                if finished and session.covers_all:
                    resolve_former(session)
            if finished and all(table.name in session.failed for table in tables):
                raise session.failed[tables[0].name]
            return self._close(session, recorder, tables, finished=finished)

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says, from the agreed state alone: the database is not asked."""
        with self._begin(head, job, exclusive=True) as session:
            session.resume(is_whole=False)
            hold = read_memory(session.snapshot.memory).hold
            with recorder.step("apply"):
                if hold and job.approved == hold.plan_hash:
                    apply_held_removals(session)
                if hold and job.discarded == hold.plan_hash:
                    discard_former(session)
                if hold and hold.plan_hash in (job.approved, job.discarded):
                    session.memory = replace(session.memory, holds={})
            return self._close(session, recorder, [], finished=True).report

    # ── beginning ──

    def _begin(self, head: Head, job: SyncJob, *, exclusive: bool) -> AbstractContextManager[TableSyncSession]:
        open_session = partial(self._open, job=job, exclusive=exclusive)
        return begin_pass(self.store, self.clock, head, job, open_session, exclusive=exclusive)

    def _open(self, head: Head, job: SyncJob, *, exclusive: bool) -> TableSyncSession:
        settings = read_table_settings(head.source.settings)
        snapshot = self.store.load_snapshot(head.source)
        memory, stored = read_table_memory(snapshot.memory), unpack_manifest(snapshot.content)
        return TableSyncSession(
            store=self.store,
            clock=self.clock,
            head=head,
            job=job,
            settings=settings,
            snapshot=snapshot,
            memory=memory,
            context=context_of(head, job, self.clock(), {}),
            states=assign_states(stored, settings),
            former_chunks=chunk_names(stored.values()),
            exclusive=exclusive,
            unfinished=memory.part,
            is_resumed=memory.part is not None,
            other_sources=find_feeding(self.store, head.source, *{table.collection for table in settings.tables}),
        )

    # ── reading ──

    def _read_all(self, tables: Sequence[SyncedTable], database: DatabaseSnapshot) -> bool:
        """Read every table; return whether there was time for all. Those that have records go first: theirs they stay."""
        for table in sorted(tables, key=lambda t: not t.state.rows):
            session, before = table.session, dict(table.session.counts)
            if session.is_out_of_time:
                return False
            table.begin()
            if table.is_finished or table.name in session.failed:
                continue
            finished = True
            with stopping_alone(table, database):
                finished = self._read_table(table, database)
            counts = {name: session.counts[name] - before.get(name, 0) for name in (*COUNTS, "seen_changed")}
            for name, rows in counts.items():
                table.count(name, rows)
            if not finished or session.is_out_of_time:
                return False
            if table.name not in session.failed:
                note_column_hold(table)
                table.finish()
                log_event(
                    log,
                    "table read",
                    source_id=session.head.source.id,
                    table=table.name,
                    run_id=session.job.run_id,
                    **table.counts,
                )
        return True

    def _read_table(self, table: SyncedTable, database: DatabaseSnapshot) -> bool:
        """Read what is new in the table, what changed lately, or all of it; return whether there was time."""
        if table.session.job.new_only:
            save_new(table, database.fetch_rows(table.spec, KeyRange()))
            return True
        if is_incremental(table) and UpdatePass(table, database).run():
            return True
        check_values(table, database)
        watermark = table.note_watermark(database) if table.spec.updated_at else None
        if not TablePass(table, database).run():
            return False
        table.agree()
        if values := table.counted("left_out"):
            table.session.advice.append(f"table {table.spec.table!r}: {values} values cannot be read, and keep what they were")
        if table.spec.updated_at:
            is_useful = advise_on_stamps(table, database)
            table.state = replace(table.state, full_at=table.session.at, watermark=watermark if is_useful else None, unstamped="")
        resolve_missing(table, database)
        return True

    # ── the end ──

    def _close(
        self, session: TableSyncSession, recorder: StepRecorder, tables: Sequence[SyncedTable], *, finished: bool
    ) -> SyncResult:
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
        advanced = not finished and session.has_advanced
        report = report_tables(session, recorder, hold, tables)
        return SyncResult(report=report, unfinished=not finished, advanced=advanced)

    def _save_head(self, session: TableSyncSession, hold: Hold | None) -> None:
        """Save the head if a sync wrote anything, or the head has changed."""
        head, at = session.head, session.at
        settle_at = session.settle_at if session.is_whole else head.settle_at
        after = next_head(head, hold, settle_at=settle_at, changed_at=at if session.has_changed else None)
        rows = sum(state.live for name, state in session.states.items() if not is_former(name))
        advice = "; ".join(session.advice) or None if session.is_whole else head.advice
        after = replace(after, entries=rows, advice=advice, failure=note_failure(session), tables=note_tables(session))
        if session.is_whole and not session.failed and has_full_passes(head.source, session.job.options):
            after = replace(after, full_at=at)
        is_new = after != head or head.open_leases > 1 or (session.lease is not None and not session.exclusive)
        if session.job.dry_run or not is_new:
            return
        lease = session.renew_lease()
        self.finisher.save(head, replace(after, synced_at=at), hold, lease)
        session.lease = None


def choose_tables(settings: TableSettings, job: SyncJob) -> list[TableSpec]:
    """Return the tables that *job* asks for: those it names, those of its collection, or all."""
    tables = [t for t in settings.tables if not job.tables or {t.name, t.table} & set(job.tables)]
    found = [t for t in tables if job.collection in (None, t.collection)]
    if not found:
        known = ", ".join(table.name for table in settings.tables)
        raise InputError("the source reads no such table", code="not-found", known=known)
    return found


@contextmanager
def stopping_alone(table: SyncedTable, database: DatabaseSnapshot) -> Iterator[None]:
    """Note inside errors of one table as its own, a quota that it reached among them; those of the whole database are raised."""
    try:
        with database.isolated():
            yield
    except (SourceMalformedError, SourceRefusedError) as error:
        table.fail(error)
    except QuotaError as error:
        table.fail(QuotaError(f"table {table.spec.table!r}: {error.message}", **error.facts))
    except SourceUnavailableError as error:
        if error.stable_code not in OF_ONE_TABLE:
            raise
        if error.stable_code == SLOW and table.session.seconds_left() < LATE:
            table.session.is_out_of_time = True
        else:
            table.fail(error)


LATE = 50.0
"""A statement that is stopped with fewer seconds left than these had less time than others: the worker's own end came too soon.

The limit of a statement that begins 130 s before the worker's end or later is lowered, so that 46 s are left (``QueryLimit``).
"""
OF_ONE_TABLE = (SLOW, "sql-busy")
"""Errors that pass, and need not be those of the table after it."""


def is_incremental(table: SyncedTable) -> bool:
    """Return whether only updated rows are to be read.

    The table has a watermark, the last whole pass read it as it is read now, and no full pass is due or unfinished.
    """
    state, session = table.state, table.session
    options = session.job.options
    if not table.spec.updated_at or state.watermark is None or state.full_at is None or session.job.force or session.unfinished:
        return False
    if table.is_recheck_due or not table.is_read_alike:
        return False
    return plan_next_full(options["sync.full_interval"] or DAILY, state.full_at, options) > session.at


def advise_on_stamps(table: SyncedTable, database: DatabaseSnapshot) -> bool:
    """Note what is wrong with the times of a table's rows; return whether they show which rows are new."""
    missing, ahead = database.count_stamps(table.spec, table.session.at)
    column, is_useful = table.spec.updated_at, missing <= MAX_UNSTAMPED_ROWS
    if ahead:
        table.advise("future-stamp", f"rows stamped later than now in {column!r}: {ahead}; they are read at every sync")
    if missing:
        then = "they are compared at every sync" if is_useful else "every sync reads the whole table"
        table.advise("no-stamp", f"rows without a time in {column!r}: {missing}; {then}")
    return is_useful
