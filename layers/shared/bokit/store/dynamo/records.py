"""Records, their change logs, and the agreed state of their source, in the table."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from bokit.core.model.catalog import Source
from bokit.core.model.codec import pack_snapshot, read_document, unpack_snapshot, write_document, write_time
from bokit.core.model.records import (
    CollectionName,
    LoggedChange,
    Record,
    RecordId,
    Scope,
    TenantId,
    scope_of,
)
from bokit.core.model.scheduling import Head, Lease
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.cursors import RecordWrite, check_lease_of, cut_transactions, cut_writes, pair_changes
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import is_version
from bokit.store.dynamo.gateway import Check, Delete, Put, Transaction, Update
from bokit.store.dynamo.model import Row
from bokit.store.dynamo.parts import PartRows
from bokit.store.protocols import Page, Snapshot


class RecordRows(PartRows):
    """``RecordStore`` on the table."""

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        """Return every record of the scope, gone ones included, in the order of their ids."""
        rows = self._rows.query(keys.record_partition(tenant, collection, scope))
        return sorted((_read_record(row) for row in rows), key=lambda record: record.id)

    def load_record(self, tenant: TenantId, collection: CollectionName, id: RecordId) -> Record:
        """Return one record; raises UnknownIdError."""
        row = self._rows.get(_record_key(tenant, collection, id))
        if row is None:
            raise UnknownIdError("no such record", id=id)
        return _read_record(row)

    def apply_records(
        self, records: Sequence[Record], changes: Sequence[LoggedChange], *, lease: Lease | None
    ) -> Sequence[Record]:
        """Write *records* and *changes* under *lease*; return the records with their new versions."""
        writes = pair_changes(records, changes)
        puts = {write.record.id: _put_write(write) for write in writes}
        sizes = [sum(len(put.attributes["doc"]) for put in puts[write.record.id]) for write in writes]
        for transaction in cut_transactions(writes, sizes):
            self._send([put for write in transaction for put in puts[write.record.id]], lease)
        return [write.record for write in writes]

    def _send(self, puts: Sequence[Put], lease: Lease | None, deletes: Sequence[Delete] = ()) -> None:
        """Write all of it if the lease is still ours and every version is the one that was read."""
        failed = self._rows.transact(Transaction(checks=[_check(lease)] if lease else (), puts=puts, deletes=deletes))
        if lease and keys.head_key(lease.source.shard_id, lease.source.id) in failed:
            raise StaleFenceError("the lease was taken over by another run", source_id=lease.source.id)
        if failed:
            raise StoreConflictError("a record was changed by another since it was read; read it again")

    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Return those of the records that are there, a hundred in one batched read."""
        by_key = {key: id for id in ids if (key := keys.find_key(_record_key, tenant, collection, id))}
        return {by_key[key]: _read_record(row) for key, row in self._rows.get_all(by_key).items()}

    def load_snapshot(self, source: Source) -> Snapshot:
        """Return the source's agreed state; an empty one before the first."""
        row, packed = self._load_packed(keys.snapshot_key(source))
        return unpack_snapshot(packed, int(row.version)) if row else Snapshot()

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot:
        """Write the source's agreed state under *lease*; return it with its new version.

        Chunks come first, under a stamp of their own; the item that names them comes last, with the version's
        condition. Who dies between leaves the old state whole, and chunks that the next save tidies away.
        """
        key = keys.snapshot_key(lease.source)
        saved = replace(snapshot, version=snapshot.version + 1)
        attributes, parts = self._cut(key, pack_snapshot(saved), turn=lease.fence)
        for part in parts:
            self._send([part], lease)
        condition = is_version(snapshot.version)
        self._send([Put(key=key, attributes={**attributes, "version": saved.version}, condition=condition)], lease)
        self._tidy_parts(key, attributes.get("stamp"), turn=lease.fence)
        return saved

    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the named chunks of the source's agreed state that are there, a hundred in one batched read."""
        by_key = {keys.chunk_key(source, name): name for name in names}
        rows = self._rows.get_all(by_key)
        found = {name: (rows[key], self._join_parts(rows[key])) for key, name in by_key.items() if key in rows}
        return {name: zlib.decompress(told if told is not None else self._reload(row)) for name, (row, told) in found.items()}

    def _reload(self, row: Row) -> bytes:
        return self._load_packed(keys.Key(row.pk, row.sk))[1]

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        """Write chunks under *lease*, and forget those that are None.

        As with a snapshot: parts first, the items that name them after all parts, many in one transaction, and last
        what they replaced.
        """
        check_lease_of(source, lease)
        gone = [keys.chunk_key(source, name) for name, chunk in chunks.items() if chunk is None]
        told = ((keys.chunk_key(source, name), chunk) for name, chunk in chunks.items() if chunk is not None)
        cut = {key: self._cut(key, zlib.compress(chunk), turn=lease.fence) for key, chunk in told}
        for part in (part for _, parts in cut.values() for part in parts):
            self._send([part], lease)
        puts = [Put(key=key, attributes=attributes) for key, (attributes, _) in cut.items()]
        for some in cut_writes(puts, [len(put.attributes.get("packed", b"")) for put in puts]):
            self._send(some, lease)
        for keys_gone in cut_writes(gone):
            self._send([], lease, deletes=[Delete(key=key) for key in keys_gone])
        for key in chain(cut, gone):
            self._tidy_parts(key, cut[key][0].get("stamp") if key in cut else None, turn=lease.fence)

    def save_head(self, head: Head, *, lease: Lease) -> None:
        """Write what a slow sync learned, and give the lease back with it."""
        ours = Row.fence == lease.fence
        unchanged = Row.version == head.version
        key = keys.head_key(lease.source.shard_id, lease.source.id)
        told = write_document(replace(head, fence=0, version=0))
        actions = [Row.doc.set(told), Row.version.add(1), Row.holder.remove(), Row.until.remove()]
        if self._rows.update(Update(key=key, actions=actions, condition=ours & unchanged)) is None:
            row = self._rows.get(key)
            if row is None or row.fence != lease.fence:
                raise StaleFenceError("the lease was taken over by another run", source_id=lease.source.id)
            raise StoreConflictError("the source was changed by another since it was read; read it again", id=head.source.id)

    def load_changes(self, tenant: TenantId, id: RecordId, *, limit: int = 100, cursor: str | None = None) -> Page[LoggedChange]:
        """Return a page of the record's change log, newest first."""
        rows, rest = self._load_page(keys.change_partition(tenant, id), limit, cursor)
        return Page(items=tuple(read_document(LoggedChange, row.doc) for row in rows), cursor=rest)


def _check(lease: Lease) -> Check:
    return Check(key=keys.head_key(lease.source.shard_id, lease.source.id), condition=Row.fence == lease.fence)


def _record_key(tenant: TenantId, collection: CollectionName, id: RecordId) -> keys.Key:
    return keys.record_key(tenant, collection, scope_of(id), id)


def _read_record(row: Row) -> Record:
    return replace(read_document(Record, row.doc), version=int(row.version))


def _put_write(write: RecordWrite) -> list[Put]:
    """Return the puts of one record, if its version is the one that was read, and of its changes."""
    record = write.record
    put = Put(
        key=keys.record_key(record.tenant, record.collection, record.scope, record.id),
        attributes={"doc": write_document(replace(record, version=0)), "version": record.version},
        condition=is_version(record.version - 1),
    )
    return [put, *(_put_change(record, change, place) for place, change in enumerate(write.changes))]


def _put_change(record: Record, change: LoggedChange, place: int) -> Put:
    key = keys.change_key(record.tenant, record.id, write_time(change.at), record.version, place)
    return Put(key=key, attributes={"doc": write_document(change)})
