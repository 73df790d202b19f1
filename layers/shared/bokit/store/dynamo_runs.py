"""The history of runs in the table."""

from __future__ import annotations

from datetime import datetime

from bokit.core.records import RunId, TenantId
from bokit.core.runs import Run
from bokit.errors import UnknownIdError
from bokit.store import keys
from bokit.store.base import Page
from bokit.store.codec import pack, read_document, unpack, write_document
from bokit.store.dynamo_parts import PartRows
from bokit.store.keys import Key
from bokit.store.rows import Put


class RunRows(PartRows):
    """``RunStore`` on the table."""

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        """Write it whole; a run of the same id is replaced. TTL tidies it, and its parts, away after *expires_at*."""
        key = keys.run_key(run.tenant, run.run_id)
        attributes, parts = self._cut(key, pack(write_document(run)), expires_at=expires_at)
        for part in parts:
            self._rows.put(part)
        self._rows.put(Put(key=key, attributes=attributes))

    def load_run(self, tenant: TenantId, id: RunId) -> Run:
        """Return one run; raises UnknownIdError."""
        row, packed = self._load_packed(keys.run_key(tenant, id))
        if row is None:
            raise UnknownIdError("no such run", id=id)
        return read_document(Run, unpack(packed))

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return a page of the tenant's runs, newest first."""
        rows, rest = self._load_page(keys.runs_partition(tenant), limit, cursor)
        packed = (row.packed or self._load_packed(Key(row.pk, row.sk))[1] for row in rows)
        return Page(items=tuple(read_document(Run, unpack(told)) for told in packed), cursor=rest)
