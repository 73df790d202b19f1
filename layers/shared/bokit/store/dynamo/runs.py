"""The history of runs in the table: open ones, ended ones, and the first answers to repeated requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition

from bokit.core.model.codec import pack, read_document, unpack, write_document, write_micros
from bokit.core.model.events import event_of_end, event_of_start, join_events
from bokit.core.model.records import RunId, SourceId, TenantId
from bokit.core.model.runs import IdempotentResponse, OpenRun, Run, SourceReport
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.events import put_events
from bokit.store.dynamo.faults import CollisionError
from bokit.store.dynamo.former_open_runs import read_former_run, write_former_reports
from bokit.store.dynamo.gateway import PutItem, Transaction
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.open_run_reads import DynamoOpenRunReads
from bokit.store.dynamo.open_runs import (
    Reports,
    RunProgress,
    add_reports,
    is_open_run,
    join_open_run,
    read_progress,
    write_open_run,
    write_postponed,
    write_progress,
)
from bokit.store.limits import MAX_FORMER_REPORT_BYTES, MAX_FORMER_REPORTS_PER_WRITE, MAX_WRITE_TRIES
from bokit.store.protocols import Page
from bokit.store.writes import check_pending


class DynamoRuns(DynamoOpenRunReads):
    """``RunStore`` on the table."""

    def open_run(
        self,
        open_run: OpenRun,
        *,
        expires_at: datetime,
        answered: IdempotentResponse | None,
        now: datetime,
        together: Iterable[Iterable[SourceId]] = (),
    ) -> IdempotentResponse | None:
        """Write a queued run and the answer to its key in one transaction; return the first answer if there is one.

        time ─────────┬───────────────────────┬──────────────────────────►
        request A     │ run 1 and its answer  ·
        request B     ·                       │ same key: neither run 2 nor an answer; it gets A's

        Its progress is written before it, and belongs to nothing until the run is there.
        """
        check_pending(open_run)
        run = open_run.run
        attributes, progress = write_open_run(open_run, together, expires_at)
        for put in progress:
            self._table.put(put)
        absent = ItemRow.pk.does_not_exist()
        puts = [PutItem(key=keys.run_key(run.tenant, run.run_id), attributes=attributes, condition=absent)]
        puts += put_events(run.tenant, run.started_at, [event_of_start(open_run)])
        if answered:
            puts.append(self._put_answer(run.tenant, answered, now))
        for _ in range(MAX_WRITE_TRIES):
            if (failed := self._try(puts)) == []:
                return None
            if answered and (first := self.find_answer(run.tenant, answered.key, now)):
                return first
            if failed == [puts[0].key]:
                raise StoreConflictError("a run of this id exists already", id=run.run_id)
        raise StoreConflictError("the table is busy; try again", code="store-busy")

    def _try(self, puts: Sequence[PutItem]) -> list[Key] | None:
        """Return the keys whose condition failed; None if the table refused ours since two transactions met."""
        try:
            return self._table.transact(Transaction(puts=puts))
        except CollisionError:
            return None

    def save_answer(self, tenant: TenantId, answered: IdempotentResponse, now: datetime) -> IdempotentResponse | None:
        put = self._put_answer(tenant, answered, now)
        for _ in range(MAX_WRITE_TRIES):
            if self._table.put(put):
                return None
            if first := self.find_answer(tenant, answered.key, now):
                return first
        raise StoreConflictError("the answer was changed by others at the same time; try again")

    def _put_answer(self, tenant: TenantId, answered: IdempotentResponse, now: datetime) -> PutItem:
        """Write the answer's parts; return the write of its item, on the condition that the key is free or expired."""
        key, until = keys.answer_key(tenant, answered.key), answered.expires_at
        attributes, parts = self._split(key, pack(write_document(answered)), expires_at=until)
        for part in parts:
            self._table.put(part)
        free = ItemRow.pk.does_not_exist()
        expired = ItemRow.until <= write_micros(now)
        return PutItem(key=key, attributes={**attributes, "until": write_micros(until)}, condition=free | expired)

    def find_answer(self, tenant: TenantId, key: str, now: datetime) -> IdempotentResponse | None:
        row, packed = self._load_packed(keys.answer_key(tenant, key))
        return read_document(IdempotentResponse, unpack(packed)) if row and row.until > write_micros(now) else None

    def find_open_run(self, tenant: TenantId, run_id: RunId) -> OpenRun | None:
        key = keys.find_key(keys.run_key, tenant, run_id)
        row = self._table.get(key) if key else None
        return self._read_open_run(row) if row else None

    def report_sources(self, tenant: TenantId, run_id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Store the reports of pending sources, one conditional write for each progress item that has some of them.

            time ────────┬─────────────────────┬──────────────────────┬─────────────────────►
            message      │ s1 and s2 reported: no longer pending
            again        ·                     │ brings s2 and s3: only s3 is pending, and stored
            closer       ·                     ·                      │ ends the run; a later report finds none

        Progress is read again after the writes: of two that report the last sources of two items, at least one sees that
        the run is done.
        """
        key = keys.find_key(keys.run_key, tenant, run_id)
        row = self._table.get(key) if key else None
        if row is None or row.groups is None or not reports:
            return self._report_former(row, reports) if row else None
        by_source = {report.source_id: report for report in reversed(reports)}
        before = self._load_progress(row)
        mine = {part.key: self._add(part, by_source) for part in before if not part.pending.isdisjoint(by_source)}
        now = {part.key: part for part in self._load_progress(row)} if len(before) > len(mine) > 0 else {p.key: p for p in before}
        is_open = not mine or self._is_open(row)
        return join_open_run(row, {**now, **mine}.values()) if is_open else None

    def _is_open(self, row: ItemRow) -> bool:
        """Return whether the run of *row*, as it was read, is open still."""
        now = self._table.get(Key(row.pk, row.sk))
        return now is not None and now.groups is not None

    def _add(self, progress: RunProgress, reports: Reports) -> RunProgress:
        """Store those of *reports* whose sources are pending, whatever others report meanwhile; return what is stored then."""
        for _ in range(MAX_WRITE_TRIES * 4):
            after = add_reports(progress, reports)
            if after.pending == progress.pending:
                return progress
            if row := self._table.update(write_progress(after)):
                return read_progress(row)
            row = self._table.get(progress.key)
            if row is None:
                raise _changed()
            progress = read_progress(row)
        raise _changed()

    def _report_former(self, row: ItemRow, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Store the reports of a run that a former release opened."""
        open_run = self._read_open_run(row)
        by_source = {report.source_id: report for report in reversed(reports)}
        sources = list(by_source)
        for at in range(0, len(sources), MAX_FORMER_REPORTS_PER_WRITE):
            if open_run is not None:
                group = sources[at : at + MAX_FORMER_REPORTS_PER_WRITE]
                open_run = self._add_former(Key(row.pk, row.sk), {source: by_source[source] for source in group})
        return open_run

    def _add_former(self, key: Key, reports: dict[SourceId, SourceReport]) -> OpenRun | None:
        share = MAX_FORMER_REPORT_BYTES
        for _ in range(len(reports) + 2):  # each time fewer reports, or the share that was read
            if row := self._table.update(write_former_reports(key, reports, share)):
                return read_former_run(row)
            row = self._table.get(key)
            open_run = read_former_run(row) if row else None
            if row is None or open_run is None:
                return None
            reports = {source: report for source, report in reports.items() if source in open_run.pending}
            if not reports:
                return open_run
            share = int(row.share)
        raise _changed()

    def postpone_run(self, open_run: OpenRun, *, overdue_at: datetime, waiting: frozenset[SourceId]) -> bool:
        row = self._table.get(keys.run_key(open_run.run.tenant, open_run.run.run_id))
        now = self._read_open_run(row) if row else None
        if row is None or now is None or (now.overdue_at, now.waiting) != (open_run.overdue_at, open_run.waiting):
            return False
        return self._table.update(write_postponed(row, overdue_at, waiting)) is not None

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        return self._table.write(self._put_run(run, expires_at, condition=is_open_run()), _put_end(run))

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        self._table.write(self._put_run(run, expires_at), _put_end(run))

    def _put_run(self, run: Run, expires_at: datetime, condition: Condition | None = None) -> PutItem:
        """Write the run's parts; return the write of its item."""
        key = keys.run_key(run.tenant, run.run_id)
        attributes, parts = self._split(key, pack(write_document(run)), expires_at=expires_at)
        for part in parts:
            self._table.put(part)
        return PutItem(key=key, attributes=attributes, condition=condition)

    def load_run(self, tenant: TenantId, run_id: RunId) -> Run:
        row, packed = self._load_packed(keys.run_key(tenant, run_id))
        if row is None:
            raise UnknownIdError("no such run", id=run_id)
        return self._read_run(row, packed)

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        rows, rest = self._load_page(keys.runs_partition(tenant), limit, cursor)
        found = (self._load_packed(Key(row.pk, row.sk)) if row.parts else (row, row.packed) for row in rows)
        return Page(items=tuple(self._read_run(row, packed) for row, packed in found if row), cursor=rest)

    def _read_run(self, row: ItemRow, packed: bytes) -> Run:
        open_run = self._read_open_run(row)
        return open_run.run if open_run else read_document(Run, unpack(packed))


def _put_end(run: Run) -> list[PutItem]:
    """Return the outbox's part of a run's end."""
    return put_events(run.tenant, run.finished_at or run.started_at, join_events([event_of_end(run)]))


def _changed() -> StoreConflictError:
    return StoreConflictError("the run was changed by others at the same time; try again")
