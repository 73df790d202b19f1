"""Records, their change logs, and the agreed state of their source, in the table."""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any

from bokit.core.model.catalog import Parent, Source
from bokit.core.model.codec import read_document, write_document
from bokit.core.model.events import NewEvent, OutboxItem
from bokit.core.model.notices import Notice
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import CollectionName, LoggedChange, Record, RecordId, Scope, TenantId, scope_of
from bokit.core.model.scheduling import Head, Lease
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import check_parents, has_version, use_parents
from bokit.store.dynamo.events import put_bulk, put_events, put_notices
from bokit.store.dynamo.gateway import CheckItem, DeleteItem, PutItem, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.packing import pack_document, pack_snapshot, unpack_document, unpack_snapshot
from bokit.store.dynamo.parts import DynamoParts
from bokit.store.dynamo.shards import RELEASE, write_head
from bokit.store.dynamo.usage import DynamoUsage, UsageChange
from bokit.store.limits import (
    MAX_CHUNK_BYTES,
    MAX_READ_BYTES,
    MAX_REMEMBERED,
    MAX_TRANSACTION_ACTIONS,
    MAX_TRANSACTION_BYTES,
    clamp_limit,
)
from bokit.store.protocols import DayWrites, Page, Snapshot
from bokit.store.writes import RecordWrite, check_lease_source, events_of, pair_changes, split_transactions, written_last
from bokit.values import replace

REMEMBERED = 1000
"""Documents of records that are not read again where they are stored unchanged: a few megabytes."""


class DynamoRecords(DynamoParts, DynamoUsage):
    """``RecordStore`` on the table."""

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        rows = self._table.query(keys.record_partition(tenant, collection, scope))
        return sorted(self._read_all(rows), key=lambda record: record.id)

    def load_scopes(
        self, tenant: TenantId, collections: Iterable[CollectionName], scopes: Sequence[Scope]
    ) -> Mapping[CollectionName, Sequence[Record]]:
        return {name: [r for scope in scopes for r in self.load_records(tenant, name, scope)] for name in collections}

    def load_record_page(
        self, tenant: TenantId, collection: CollectionName, scope: Scope, *, limit: int, after: RecordId | None = None
    ) -> Page[Record]:
        begin = None if after is None else ItemRow.sk > keys.join(after)
        found, has_more = self._table.query_page(keys.record_partition(tenant, collection, scope), begin, clamp_limit(limit))
        sizes = accumulate(int(row.parts or 0) * MAX_CHUNK_BYTES + len(row.packed or row.doc or "") for row in found)
        rows = found[: max(1, sum(size <= MAX_READ_BYTES for size in sizes))]
        is_last = not rows or (not has_more and len(rows) == len(found))
        cursor = None if is_last else keys.last_part(keys.Key(rows[-1].pk, rows[-1].sk))
        return Page(items=tuple(self._read_all(rows)), cursor=cursor)

    def load_record(self, tenant: TenantId, collection: CollectionName, record_id: RecordId) -> Record:
        row = self._table.get(_record_key(tenant, collection, record_id))
        for record in self._read_all([row] if row else []):
            return record
        raise UnknownIdError("no such record", id=record_id)

    def apply_records(
        self,
        records: Sequence[Record],
        changes: Sequence[LoggedChange],
        *,
        lease: Lease | None,
        within: Sequence[Parent] = (),
        counted: Container[RecordId] = (),
        kept_days: int | None = None,
        bulk: OutboxItem | None = None,
        notices: Sequence[Notice] = (),
        writes: DayWrites | None = None,
        snapshot: Snapshot | None = None,
    ) -> Sequence[Record]:
        if writes and records:
            self.count_writes(records[0].tenant, writes.day, len(records) + len(changes), forced=writes.forced)
        paired = pair_changes(records, changes, kept_days)
        puts = {write.record.id: self._put_write(write) for write in paired}

        def size_of(write: RecordWrite) -> int:
            return sum(len(a.get("doc") or a.get("packed") or b"") for a in (put.attributes for put in puts[write.record.id]))

        def actions_of(write: RecordWrite) -> int:
            return len(puts[write.record.id]) + len(write.aged)

        groups = split_transactions(paired, actions_of, size_of)
        with_them = self._put_with(snapshot, lease, sum(map(actions_of, paired)), sum(map(size_of, paired)))
        for number, group in enumerate(groups):
            outbox = put_bulk(bulk, number) if bulk else put_events(group[0].record.tenant, written_last(group), events_of(group))
            said = put_notices(notices) if number == 0 else []
            group_puts = [*(put for write in group for put in puts[write.record.id]), *with_them, *outbox, *said]
            aged = [update for write in group for update in _age_changes(write)]
            new = [w.record for w in group if w.record.version == 1 and w.record.id in counted]
            self._send(group_puts, lease, within=within, updates=aged, changes=_count_records(new))
            for write in group:
                self._tidy_parts(write.record, puts[write.record.id][0])
        if lease is not None and snapshot is not None and with_them:
            if snapshot.in_parts:  # what a crash left of others is deleted where one is saved by itself, as an erasure does
                self._delete_old_parts(with_them[0].key, None, turn=lease.fence)
        elif lease is not None and snapshot is not None:
            self.save_snapshot(snapshot, lease=lease)
        return [replace(w.record, in_parts="parts" in puts[w.record.id][0].attributes) for w in paired]

    def _put_with(self, snapshot: Snapshot | None, lease: Lease | None, actions: int, size: int) -> list[PutItem]:
        """Return the put of *snapshot* where it fits the transaction of records of so many actions and bytes; else none."""
        if snapshot is None or lease is None or not 0 < actions < MAX_TRANSACTION_ACTIONS:
            return []
        put, *parts = self._put_snapshot(snapshot, lease)
        return [put] if not parts and size + len(put.attributes["packed"]) <= MAX_TRANSACTION_BYTES else []

    def _put_snapshot(self, snapshot: Snapshot, lease: Lease) -> list[PutItem]:
        """Return the put of a snapshot's item, on its version, and those of its parts."""
        key, saved = keys.snapshot_key(lease.source), replace(snapshot, version=snapshot.version + 1)
        attributes, parts = self._split(key, pack_snapshot(saved), turn=lease.fence)
        condition = has_version(snapshot.version)
        return [PutItem(key=key, attributes={**attributes, "version": saved.version}, condition=condition), *parts]

    def delete_records(self, records: Sequence[Record], *, counted: bool = True) -> None:
        """Delete each record with its last changes in one transaction, and the oldest of a very long log before it."""
        logs = {record.id: self._table.query_keys(keys.change_partition(record.tenant, record.id)) for record in records}
        most = MAX_TRANSACTION_ACTIONS - 1
        self._table.delete_all(key for log in logs.values() for key in log[:-most])
        for group in split_transactions(records, lambda record: 1 + len(logs[record.id][-most:])):
            mine = {record.id: logs[record.id][-most:] for record in group}
            self._delete_group({_record_key(r.tenant, r.collection, r.id): r for r in group}, mine, counted=counted)

    def _delete_group(
        self, group: Mapping[keys.Key, Record], logs: Mapping[RecordId, Sequence[keys.Key]], *, counted: bool
    ) -> None:
        stored = self._table.get_all(group)
        if not stored:
            return
        found = {key: group[key] for key in stored}
        deletes = [DeleteItem(key=key, condition=has_version(record.version)) for key, record in found.items()]
        deletes += [DeleteItem(key=line) for record in found.values() for line in logs[record.id]]
        fewer = UsageChange(tenant=next(iter(found.values())).tenant, counted=QuotaName.RECORDS, more=-len(found))
        self._send([], None, deletes=deletes, changes=[fewer] if counted else [])
        parts = (part for key, row in stored.items() if row.parts for part in self._table.query_keys(keys.part_partition(key)))
        self._table.delete_all(parts)

    def _put_write(self, write: RecordWrite) -> list[PutItem]:
        """Return the puts of one record, on the version that was read, of the parts of a large one, and of its changes."""
        record = write.record
        key = keys.record_key(record.tenant, record.collection, record.scope, record.id)
        attributes: dict[str, Any] = pack_document(write_document(replace(record, version=0, in_parts=False)))
        parts: list[PutItem] = []
        if "packed" in attributes:
            attributes, parts = self._split(key, attributes["packed"], turn=record.version)
        put = PutItem(key=key, attributes={**attributes, "version": record.version}, condition=has_version(record.version - 1))
        partition = keys.change_partition(record.tenant, record.id)
        lines = zip(write.changes, write.lines, strict=True)
        changes = (PutItem(key=keys.make_key(partition, line), attributes=pack_document(write_document(c))) for c, line in lines)
        return [put, *changes, *parts]

    def _tidy_parts(self, record: Record, put: PutItem) -> None:
        """Delete the parts of a record that its last write replaced."""
        if record.in_parts or "parts" in put.attributes:
            self._delete_old_parts(put.key, put.attributes.get("stamp"), turn=record.version)

    def _read_all(self, rows: Iterable[ItemRow]) -> Iterator[Record]:
        """Yield the records in *rows*; one in parts is joined, and read again where a writer replaces it meanwhile."""
        for row in rows:
            values = row.attribute_values  # once: each attribute that is read by its name takes a few microseconds
            if not values.get("parts"):
                yield _read_record(values, values.get("packed"))
                continue
            whole, packed = self._load_packed(keys.Key(row.pk, row.sk))
            if whole is not None:
                yield _read_record(whole.attribute_values, packed or whole.packed)

    def _send(
        self,
        puts: Sequence[PutItem],
        lease: Lease | None,
        *,
        deletes: Sequence[DeleteItem] = (),
        within: Sequence[Parent] = (),
        updates: Sequence[UpdateItem] = (),
        changes: Sequence[UsageChange] = (),
    ) -> None:
        """Write all of it, if the lease is still ours, every version is the one that was read, and the parents exist."""
        checks = [_check(lease)] if lease else []
        sent = Transaction(checks=checks, puts=puts, deletes=deletes, updates=[*use_parents(within), *updates])
        failed = self.transact_counted(sent, changes) if changes else self._table.transact(sent)
        check_parents(failed, within)
        if lease and keys.head_key(lease.source) in failed:
            raise _taken_over(lease)
        if failed:
            raise StoreConflictError("a record was changed by another since it was read; read it again")

    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        by_key = {key: record for record in ids if (key := keys.find_key(_record_key, tenant, collection, record))}
        return {record.id: record for record in self._read_all(self._table.get_all(by_key).values())}

    def load_snapshot(self, source: Source) -> Snapshot:
        row, packed = self._load_packed(keys.snapshot_key(source))
        return unpack_snapshot(packed, int(row.version), in_parts=bool(row.parts)) if row else Snapshot()

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot:
        """Write its parts first and the item with their stamp last, on the version.

        A crash in between leaves the old state whole, and parts that the next save by itself deletes.
        """
        put, *parts = self._put_snapshot(snapshot, lease)
        for part in parts:
            self._send([part], lease)
        self._send([put], lease)
        self._delete_old_parts(put.key, put.attributes.get("stamp"), turn=lease.fence)
        return replace(snapshot, version=snapshot.version + 1, in_parts=bool(parts))

    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        by_key = {keys.chunk_key(source, name): name for name in names}
        chunks = {}
        for key, row in self._table.get_all(by_key).items():
            packed = self._join_parts(row)
            chunks[by_key[key]] = zlib.decompress(packed if packed is not None else self._load_packed(key)[1])
        return chunks

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        """Write all parts first, then the items with their stamps, then delete what they replaced."""
        check_lease_source(source, lease)
        named = {keys.chunk_key(source, name): chunk for name, chunk in chunks.items()}
        deleted = [key for key, chunk in named.items() if chunk is None]
        cut = {key: self._split(key, zlib.compress(chunk), turn=lease.fence) for key, chunk in named.items() if chunk is not None}
        for part in chain.from_iterable(parts for _, parts in cut.values()):
            self._send([part], lease)
        puts = [PutItem(key=key, attributes=attributes) for key, (attributes, _) in cut.items()]
        for group in split_transactions(puts, size_of=lambda put: len(put.attributes.get("packed", b""))):
            self._send(group, lease)
        for group_deleted in split_transactions(deleted):
            self._send([], lease, deletes=[DeleteItem(key=key) for key in group_deleted])
        for key in named:
            self._delete_old_parts(key, cut[key][0].get("stamp") if key in cut else None, turn=lease.fence)

    def save_head(
        self,
        head: Head,
        *,
        lease: Lease,
        at: datetime | None = None,
        events: Sequence[NewEvent] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        ours = ItemRow.fence == lease.fence
        unchanged = ItemRow.version == head.version
        key = keys.head_key(lease.source)
        ended = ItemRow.open_leases.remove() if head.failure is None else ItemRow.open_leases.add(-1)
        written = write_head(head)
        actions = [ItemRow.doc.set(written), ItemRow.version.add(1), *RELEASE, ended]
        update = UpdateItem(key=key, actions=actions, condition=ours & unchanged)
        outbox = [*(put_events(head.source.tenant, at, events) if at else []), *put_notices(notices)]
        if not self._table.write(update, outbox):
            row = self._table.get(key)
            if row is None or row.fence != lease.fence:
                raise _taken_over(lease)
            if (row.version, row.doc) == (head.version + 1, written):  # by this lease: the answer to the first try was lost
                return
            raise StoreConflictError("the source was changed by another since it was read; read it again", id=head.source.id)

    def load_changes(
        self, tenant: TenantId, record_id: RecordId, *, limit: int = 100, cursor: str | None = None
    ) -> Page[LoggedChange]:
        rows, rest = self._load_page(keys.change_partition(tenant, record_id), limit, cursor)
        # a line that somebody deleted from the table leaves a row without a document when it is aged
        return Page(items=tuple(_read_change(row) for row in rows if row.doc or row.packed), cursor=rest)

    def rewrite_changes(self, tenant: TenantId, record_id: RecordId, lines: Mapping[str, LoggedChange]) -> None:
        partition = keys.change_partition(tenant, record_id)
        for line, change in lines.items():
            self._table.update(_rewrite_change(keys.make_key(partition, line), change))


def _rewrite_change(key: keys.Key, change: LoggedChange) -> UpdateItem:
    """Return the update that replaces a line's document, where there is one; its age stays."""
    attributes: dict[str, Any] = pack_document(write_document(replace(change, line="")))
    is_packed = "packed" in attributes
    new = ItemRow.packed.set(attributes["packed"]) if is_packed else ItemRow.doc.set(attributes["doc"])
    other = ItemRow.doc.remove() if is_packed else ItemRow.packed.remove()
    return UpdateItem(key=key, actions=[new, other], condition=ItemRow.doc.exists() | ItemRow.packed.exists())


def _taken_over(lease: Lease) -> StaleFenceError:
    return StaleFenceError("the lease was taken over by another run", source_id=lease.source.id)


def _check(lease: Lease) -> CheckItem:
    return CheckItem(key=keys.head_key(lease.source), condition=ItemRow.fence == lease.fence)


def _record_key(tenant: TenantId, collection: CollectionName, record: RecordId) -> keys.Key:
    return keys.record_key(tenant, collection, scope_of(record), record)


def _read_record(values: Mapping[str, Any], packed: bytes | None) -> Record:
    """Return the record in an item with these *values*."""
    document = unpack_document(packed) if packed else values["doc"]
    read = _read_again if len(document) <= MAX_REMEMBERED else _read_stored
    return read(document, int(values["version"]), bool(values.get("parts")))


def _read_stored(document: str, version: int, in_parts: bool) -> Record:
    return read_document(Record, document, {"version": version, "in_parts": in_parts})


_read_again = lru_cache(maxsize=REMEMBERED)(_read_stored)
"""A slow sync loads a unit's records twice, before its writes and after them, and most are the same text."""


def _read_change(row: ItemRow) -> LoggedChange:
    document = row.doc if row.packed is None else unpack_document(row.packed)
    return replace(read_document(LoggedChange, document), line=row.sk)


def _count_records(new: Sequence[Record]) -> list[UsageChange]:
    return [UsageChange(tenant=new[0].tenant, counted=QuotaName.RECORDS, more=len(new))] if new else []


def _age_changes(write: RecordWrite) -> list[UpdateItem]:
    """Return the updates by which TTL deletes the changes that newer ones push out of the last."""
    partition = keys.change_partition(write.record.tenant, write.record.id)
    aged = ((keys.make_key(partition, line), at) for line, at in write.aged)
    return [UpdateItem(key=key, actions=[ItemRow.expires_at.set(at)]) for key, at in aged]
