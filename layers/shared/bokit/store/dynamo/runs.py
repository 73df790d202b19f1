"""The history of runs in the table: open ones, ended ones, and the first answers to repeated requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition

from bokit.core.model.codec import pack, read_document, unpack, write_document, write_time
from bokit.core.model.records import RunId, SourceId, TenantId
from bokit.core.model.runs import Answered, OpenRun, Run, SourceReport
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.cursors import check_waiting
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Put, Transaction
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import Row
from bokit.store.dynamo.open_runs import MAX_REPORTS, ROOM, is_open, read_open_run, write_open_run, write_reports
from bokit.store.dynamo.parts import PartRows
from bokit.store.dynamo.shards import TRIES
from bokit.store.protocols import Page


class RunRows(PartRows):
    """``RunStore`` on the table."""

    def open_run(self, open: OpenRun, *, expires_at: datetime, answered: Answered | None, now: datetime) -> Answered | None:
        """Write a queued run and the answer to its key in one transaction; return the first answer where there is one.

        time ─────────┬───────────────────────┬──────────────────────────►
        request A     │ run 1 and its answer  ·
        request B     ·                       │ same key: neither run 2 nor an answer; it gets A's
        """
        check_waiting(open)
        run = open.run
        attributes = write_open_run(open, expires_at)
        absent = Row.pk.does_not_exist()
        puts = [Put(key=keys.run_key(run.tenant, run.run_id), attributes=attributes, condition=absent)]
        if answered:
            puts.append(self._put_answer(run.tenant, answered, now))
        for _ in range(TRIES):
            if (failed := self._try(puts)) == []:
                return None
            if answered and (first := self.find_answer(run.tenant, answered.key, now)):
                return first
            if failed == [puts[0].key]:
                raise StoreConflictError("a run of this id is there already", id=run.run_id)
        raise StoreConflictError("the table is busy; try again", code="store-busy")

    def _try(self, puts: Sequence[Put]) -> list[Key] | None:
        """Return the keys whose condition did not hold; None where two transactions met, and the table refused ours."""
        try:
            return self._rows.transact(Transaction(puts=puts))
        except StoreConflictError as error:
            if error.stable_code != "store-busy":
                raise
            return None

    def save_answer(self, tenant: TenantId, answered: Answered, now: datetime) -> Answered | None:
        """Keep an answer that opens no run; return the first where there is one."""
        put = self._put_answer(tenant, answered, now)
        for _ in range(TRIES):
            if self._rows.put(put):
                return None
            if first := self.find_answer(tenant, answered.key, now):
                return first
        raise StoreConflictError("the answer was changed by others at the same time; try again")

    def _put_answer(self, tenant: TenantId, answered: Answered, now: datetime) -> Put:
        """Write the answer's parts, and return the write of the item that names them: where the key is free or expired."""
        key, until = keys.answer_key(tenant, answered.key), answered.expires_at
        attributes, parts = self._cut(key, pack(write_document(answered)), expires_at=until)
        for part in parts:
            self._rows.put(part)
        free = Row.pk.does_not_exist()
        expired = Row.until <= write_time(now)
        return Put(key=key, attributes={**attributes, "until": write_time(until)}, condition=free | expired)

    def find_answer(self, tenant: TenantId, key: str, now: datetime) -> Answered | None:
        """Return the first answer under this key, unless it is expired at *now*."""
        row, packed = self._load_packed(keys.answer_key(tenant, key))
        return read_document(Answered, unpack(packed)) if row and row.until > write_time(now) else None

    def find_open_run(self, tenant: TenantId, id: RunId) -> OpenRun | None:
        """Return the run while it is open; None where it has ended, or there is none."""
        key = keys.find_key(keys.run_key, tenant, id)
        row = self._rows.get(key) if key else None
        return read_open_run(row) if row else None

    def report_sources(self, tenant: TenantId, id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Take the reports of those sources that are pending; return the run as it stands then.

            time ────────┬─────────────────────┬──────────────────────┬─────────────────────►
            message      │ s1 and s2 reported: neither is pending any more
            again        ·                     │ brings s2 and s3: s3 alone is pending, and taken
            closer       ·                     ·                      │ ends the run; a report after it finds none

        The condition names every source that it writes, so a write takes all of its reports or none. Where it took
        none, what is still pending, and fits, is read and tried again.
        """
        key = keys.find_key(keys.run_key, tenant, id)
        if key is None or not reports:
            return self.find_open_run(tenant, id)
        by_source = {report.source_id: report for report in reversed(reports)}
        ids = list(by_source)
        for at in range(0, len(ids), MAX_REPORTS):
            told = self._report(key, {id: by_source[id] for id in ids[at : at + MAX_REPORTS]})
            if told is None:
                break
        return told

    def _report(self, key: Key, reports: dict[SourceId, SourceReport]) -> OpenRun | None:
        share = ROOM
        for _ in range(len(reports) + 2):  # each time fewer, or with the share that is known now
            if row := self._rows.update(write_reports(key, reports, share)):
                return read_open_run(row)
            row = self._rows.get(key)
            open = read_open_run(row) if row else None
            if row is None or open is None:
                return None
            reports = {id: report for id, report in reports.items() if id in open.pending}
            if not reports:
                return open
            share = int(row.share)
        raise StoreConflictError("the run was changed by others at the same time; try again")

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        """Replace an open run with *run* as it ended; False where it was not open any more: of two closers one wins."""
        return self._rows.put(self._put_run(run, expires_at, condition=is_open()))

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        """Write it whole; a run of the same id is replaced. TTL tidies it, and its parts, away after *expires_at*."""
        self._rows.put(self._put_run(run, expires_at))

    def _put_run(self, run: Run, expires_at: datetime, condition: Condition | None = None) -> Put:
        """Write the run's parts, and return the write of the item that names them."""
        key = keys.run_key(run.tenant, run.run_id)
        attributes, parts = self._cut(key, pack(write_document(run)), expires_at=expires_at)
        for part in parts:
            self._rows.put(part)
        return Put(key=key, attributes=attributes, condition=condition)

    def load_run(self, tenant: TenantId, id: RunId) -> Run:
        """Return one run, an open one as it stands; raises UnknownIdError."""
        row, packed = self._load_packed(keys.run_key(tenant, id))
        if row is None:
            raise UnknownIdError("no such run", id=id)
        return _read_run(row, packed)

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return a page of the tenant's runs, newest first."""
        rows, rest = self._load_page(keys.runs_partition(tenant), limit, cursor)
        found = (self._load_packed(Key(row.pk, row.sk)) if row.parts else (row, row.packed) for row in rows)
        return Page(items=tuple(_read_run(row, packed) for row, packed in found if row), cursor=rest)


def _read_run(row: Row, packed: bytes) -> Run:
    open = read_open_run(row)
    return open.run if open else read_document(Run, unpack(packed))
