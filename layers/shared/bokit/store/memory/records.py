"""Records, their change logs, and the agreed state of their source, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from bokit.core.model.catalog import Source
from bokit.core.model.codec import settle_json, settle_record
from bokit.core.model.records import CollectionName, LoggedChange, Record, RecordId, Scope, TenantId, scope_of
from bokit.core.model.scheduling import Head, Lease
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.cursors import RecordWrite, check_lease_of, cut_transactions, pair_changes
from bokit.store.memory.state import MemoryState, cut_page, find, next_version
from bokit.store.protocols import Page, Snapshot


class MemoryRecords(MemoryState):
    """``RecordStore`` in memory."""

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        """Return every record of the scope, gone ones included, in the order of their ids."""
        with self._lock:
            place = (tenant, collection, scope)
            rows = self._records.get(place, {})
            if place in self._unsorted:
                self._unsorted.discard(place)
                rows = self._records[place] = dict(sorted(rows.items()))
            return list(rows.values())

    def load_record(self, tenant: TenantId, collection: CollectionName, id: RecordId) -> Record:
        """Return one record; raises UnknownIdError."""
        with self._lock:
            return find(self._records.get((tenant, collection, scope_of(id)), {}), id, "no such record", id)

    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Return those of the records that are there."""
        with self._lock:
            found = {}
            for id in ids:
                with suppress(UnknownIdError):
                    found[id] = self.load_record(tenant, collection, id)
            return found

    def load_snapshot(self, source: Source) -> Snapshot:
        """Return the source's agreed state; an empty one before the first."""
        with self._lock:
            state = self._heads.get(source.id)
            ours = state is not None and state.head.source.tenant == source.tenant
            return self._snapshots.get(source.id, Snapshot()) if ours else Snapshot()

    def apply_records(
        self, records: Sequence[Record], changes: Sequence[LoggedChange], *, lease: Lease | None
    ) -> Sequence[Record]:
        """Write *records* and *changes* under *lease*; return the records with their new versions."""
        writes = pair_changes(records, changes)
        for transaction in cut_transactions(writes):
            with self._lock:
                if lease is not None:
                    self._check(lease)
                self._write_all(transaction)
        return [write.record for write in writes]

    def _write_all(self, writes: Sequence[RecordWrite]) -> None:
        for record in (write.record for write in writes):
            stored = self._records.get((record.tenant, record.collection, record.scope), {}).get(record.id)
            if record.version - 1 != (stored.version if stored else 0):
                raise StoreConflictError("the record was changed by another", id=record.id)
        for write in writes:
            self._put_record(settle_record(write.record))
            self._changes.setdefault((write.record.tenant, write.record.id), []).extend(write.changes)

    def _put_record(self, record: Record) -> None:
        rows = self._records.setdefault((record.tenant, record.collection, record.scope), {})
        is_behind = record.id not in rows and bool(rows) and next(reversed(rows)) > record.id
        rows[record.id] = record
        if is_behind:  # a scope's dictionary is sorted when it is loaded next, so that the loads after are plain copies
            self._unsorted.add((record.tenant, record.collection, record.scope))

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot:
        """Write the source's agreed state under *lease*; return it with its new version."""
        with self._lock:
            self._check(lease)
            version = next_version(snapshot, self._snapshots.get(lease.source.id))
            saved = self._snapshots[lease.source.id] = replace(snapshot, memory=settle_json(snapshot.memory), version=version)
            return saved

    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the named chunks of the source's agreed state that are there."""
        with self._lock:
            kept = self._chunks.get((source.tenant, source.id), {})
            return {name: kept[name] for name in names if name in kept}

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        """Write chunks under *lease*, and forget those that are None."""
        check_lease_of(source, lease)
        with self._lock:
            self._check(lease)
            kept = self._chunks.setdefault((source.tenant, source.id), {})
            for name, chunk in chunks.items():
                if chunk is None:
                    kept.pop(name, None)
                else:
                    kept[name] = chunk

    def save_head(self, head: Head, *, lease: Lease) -> None:
        """Write what a slow sync learned, and give the lease back with it."""
        with self._lock:
            state = self._check(lease)
            version = next_version(head, state.head)
            state.head = replace(head, fence=lease.fence, version=version)
            state.holder = state.until = None

    def load_changes(self, tenant: TenantId, id: RecordId, *, limit: int = 100, cursor: str | None = None) -> Page[LoggedChange]:
        """Return a page of the record's change log, newest first."""
        with self._lock:
            lines = self._changes.get((tenant, id), [])
            rows = {f"{line.at.isoformat(timespec='microseconds')}#{n:012d}": line for n, line in enumerate(lines)}
            return cut_page(rows, f"{tenant}#{id}", limit, cursor)
