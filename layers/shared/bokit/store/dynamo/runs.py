"""The history of runs in the table: open ones, ended ones, and the first answers to repeated requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition

from bokit.core.model.codec import pack, read_document, unpack, write_document, write_micros
from bokit.core.model.records import RunId, SourceId, TenantId
from bokit.core.model.runs import IdempotentResponse, OpenRun, Run, SourceReport
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import PutItem, Transaction
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.open_runs import is_open_run, read_open_run, write_open_run, write_reports
from bokit.store.dynamo.parts import DynamoParts
from bokit.store.limits import MAX_REPORT_BYTES, MAX_REPORTS_PER_WRITE, MAX_WRITE_TRIES
from bokit.store.protocols import Page
from bokit.store.writes import check_pending


class DynamoRuns(DynamoParts):
    """``RunStore`` on the table."""

    def open_run(
        self, open_run: OpenRun, *, expires_at: datetime, answered: IdempotentResponse | None, now: datetime
    ) -> IdempotentResponse | None:
        """Write a queued run and the answer to its key in one transaction; return the first answer if there is one.

        time ─────────┬───────────────────────┬──────────────────────────►
        request A     │ run 1 and its answer  ·
        request B     ·                       │ same key: neither run 2 nor an answer; it gets A's
        """
        check_pending(open_run)
        run = open_run.run
        attributes = write_open_run(open_run, expires_at)
        absent = ItemRow.pk.does_not_exist()
        puts = [PutItem(key=keys.run_key(run.tenant, run.run_id), attributes=attributes, condition=absent)]
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
        except StoreConflictError as error:
            if error.stable_code != "store-busy":
                raise
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
        return read_open_run(row) if row else None

    def report_sources(self, tenant: TenantId, run_id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Store the reports of pending sources, fifty in each conditional write.

            time ────────┬─────────────────────┬──────────────────────┬─────────────────────►
            message      │ s1 and s2 reported: no longer pending
            again        ·                     │ brings s2 and s3: only s3 is pending, and stored
            closer       ·                     ·                      │ ends the run; a later report finds none

        The condition names every source that it writes: all reports of a write are stored, or none. If none, those that are
        still pending are written again, in the share that was read.
        """
        key = keys.find_key(keys.run_key, tenant, run_id)
        if key is None or not reports:
            return self.find_open_run(tenant, run_id)
        by_source = {report.source_id: report for report in reversed(reports)}
        sources = list(by_source)
        for at in range(0, len(sources), MAX_REPORTS_PER_WRITE):
            group = sources[at : at + MAX_REPORTS_PER_WRITE]
            open_run = self._report(key, {source: by_source[source] for source in group})
            if open_run is None:
                break
        return open_run

    def _report(self, key: Key, reports: dict[SourceId, SourceReport]) -> OpenRun | None:
        share = MAX_REPORT_BYTES
        for _ in range(len(reports) + 2):  # each time fewer reports, or the share that was read
            if row := self._table.update(write_reports(key, reports, share)):
                return read_open_run(row)
            row = self._table.get(key)
            open_run = read_open_run(row) if row else None
            if row is None or open_run is None:
                return None
            reports = {source: report for source, report in reports.items() if source in open_run.pending}
            if not reports:
                return open_run
            share = int(row.share)
        raise StoreConflictError("the run was changed by others at the same time; try again")

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        return self._table.put(self._put_run(run, expires_at, condition=is_open_run()))

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        self._table.put(self._put_run(run, expires_at))

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
        return _read_run(row, packed)

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        rows, rest = self._load_page(keys.runs_partition(tenant), limit, cursor)
        found = (self._load_packed(Key(row.pk, row.sk)) if row.parts else (row, row.packed) for row in rows)
        return Page(items=tuple(_read_run(row, packed) for row, packed in found if row), cursor=rest)


def _read_run(row: ItemRow, packed: bytes) -> Run:
    open_run = read_open_run(row)
    return open_run.run if open_run else read_document(Run, unpack(packed))
