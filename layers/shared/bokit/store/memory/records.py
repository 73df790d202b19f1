"""Records, their change logs, and the agreed state of their source, in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from bokit.core.model.catalog import Parent, Source
from bokit.core.model.codec import copy_json, copy_record
from bokit.core.model.events import NewEvent, OutboxItem
from bokit.core.model.notices import Notice
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import CollectionName, LoggedChange, Record, RecordId, Scope, TenantId, scope_of
from bokit.core.model.scheduling import Head, Lease
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.limits import clamp_limit
from bokit.store.memory.state import MemoryState, load_one, load_page, next_version
from bokit.store.protocols import DayWrites, Page, Snapshot
from bokit.store.writes import RecordWrite, check_lease_source, events_of, pair_changes, split_transactions, written_last
from bokit.values import replace


class MemoryRecords(MemoryState):
    """``RecordStore`` in memory."""

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        with self._lock:
            place = (tenant, collection, scope)
            records = self._records.get(place, {})
            if place in self._unsorted:
                self._unsorted.discard(place)
                records = self._records[place] = dict(sorted(records.items()))
            return list(records.values())

    def load_scopes(
        self, tenant: TenantId, collections: Iterable[CollectionName], scopes: Sequence[Scope]
    ) -> Mapping[CollectionName, Sequence[Record]]:
        return {name: [r for scope in scopes for r in self.load_records(tenant, name, scope)] for name in collections}

    def load_record_page(
        self, tenant: TenantId, collection: CollectionName, scope: Scope, *, limit: int, after: RecordId | None = None
    ) -> Page[Record]:
        records = self.load_records(tenant, collection, scope)
        start = 0 if after is None else bisect_right(records, after, key=lambda record: record.id)
        size = clamp_limit(limit)
        page = records[start : start + size]
        return Page(items=tuple(page), cursor=page[-1].id if len(records) > start + size else None)

    def load_record(self, tenant: TenantId, collection: CollectionName, record_id: RecordId) -> Record:
        with self._lock:
            return load_one(self._records.get((tenant, collection, scope_of(record_id)), {}), record_id, "record", record_id)

    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        with self._lock:
            found = {}
            for record_id in ids:
                with suppress(UnknownIdError):
                    found[record_id] = self.load_record(tenant, collection, record_id)
            return found

    def load_snapshot(self, source: Source) -> Snapshot:
        with self._lock:
            state = self._heads.get(source.id)
            ours = state is not None and state.head.source.tenant == source.tenant
            return self._snapshots.get(source.id, Snapshot()) if ours else Snapshot()

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
        for group in split_transactions(paired, lambda write: write.actions):
            is_first, is_last = group[0] is paired[0], group[-1] is paired[-1]
            with self._lock:
                if lease is not None:
                    self._check(lease)
                if lease is not None and snapshot is not None and is_first and is_last:
                    next_version(snapshot, self._snapshots.get(lease.source.id))
                self._write_all(group, within, counted)
                if bulk is None:
                    self._put_events(group[0].record.tenant, written_last(group), *events_of(group))
                elif is_first:
                    self._put_outbox(bulk)
                self._put_notices(notices if is_first else ())
                if lease is not None and snapshot is not None and is_last:
                    self.save_snapshot(snapshot, lease=lease)
        return [write.record for write in paired]

    def _write_all(self, writes: Sequence[RecordWrite], within: Sequence[Parent], counted: Container[RecordId]) -> None:
        for record in (write.record for write in writes):
            stored = self._records.get((record.tenant, record.collection, record.scope), {}).get(record.id)
            if record.version - 1 != (stored.version if stored else 0):
                raise StoreConflictError("a record was changed by another since it was read; read it again", id=record.id)
        new = [w.record for w in writes if w.record.version == 1 and w.record.id in counted]
        self._check_parents(within)
        if new:
            self._count(new[0].tenant, QuotaName.RECORDS, len(new))
        self._use(within)
        for write in writes:
            self._put_record(copy_record(write.record))
            log = self._changes.setdefault((write.record.tenant, write.record.id), {})
            log.update((line, replace(change, line=line)) for line, change in zip(write.lines, write.changes, strict=True))
            self._delete_aged(log, write)

    def delete_records(self, records: Sequence[Record], *, counted: bool = True) -> None:
        with self._lock:
            for record in records:
                place = self._records.get((record.tenant, record.collection, record.scope), {})
                if record.id not in place:
                    continue
                next_version(record, place[record.id])
                del place[record.id]
                for logs in (self._changes, self._aged):
                    logs.pop((record.tenant, record.id), None)
                self._count(record.tenant, QuotaName.RECORDS, -int(counted))

    def _delete_aged(self, log: dict[str, LoggedChange], write: RecordWrite) -> None:
        """Delete what TTL would have deleted by now: the time of the newest line."""
        self._aged.setdefault((write.record.tenant, write.record.id), {}).update(write.aged)
        now = max((change.at for change in write.changes), default=None)
        aged = self._aged[write.record.tenant, write.record.id]
        for name in [name for name, at in aged.items() if now and at <= now]:
            del aged[name]
            log.pop(name, None)

    def _put_record(self, record: Record) -> None:
        place = (record.tenant, record.collection, record.scope)
        records = self._records.setdefault(place, {})
        is_unsorted = record.id not in records and bool(records) and next(reversed(records)) > record.id
        records[record.id] = record
        if is_unsorted:  # sorted by the next load, which makes the loads after it plain copies
            self._unsorted.add(place)

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot:
        with self._lock:
            self._check(lease)
            version = next_version(snapshot, self._snapshots.get(lease.source.id))
            saved = self._snapshots[lease.source.id] = replace(snapshot, memory=copy_json(snapshot.memory), version=version)
            return saved

    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        with self._lock:
            stored = self._chunks.get((source.tenant, source.id), {})
            return {name: stored[name] for name in names if name in stored}

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        check_lease_source(source, lease)
        with self._lock:
            self._check(lease)
            all_chunks = {**self._chunks.get((source.tenant, source.id), {}), **chunks}
            self._chunks[source.tenant, source.id] = {name: chunk for name, chunk in all_chunks.items() if chunk is not None}

    def save_head(
        self,
        head: Head,
        *,
        lease: Lease,
        at: datetime | None = None,
        events: Sequence[NewEvent] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        with self._lock:
            state = self._check(lease)
            version = next_version(head, state.head)
            opened = max(0, state.head.open_leases - 1) if head.failure else 0
            state.head = replace(head, fence=lease.fence, version=version, open_leases=opened)
            state.holder = state.until = None
            self._put_events(head.source.tenant, at, *events)
            self._put_notices(notices)

    def load_changes(
        self, tenant: TenantId, record_id: RecordId, *, limit: int = 100, cursor: str | None = None
    ) -> Page[LoggedChange]:
        with self._lock:
            return load_page(self._changes.get((tenant, record_id), {}), f"{tenant}#{record_id}", limit, cursor)

    def rewrite_changes(self, tenant: TenantId, record_id: RecordId, lines: Mapping[str, LoggedChange]) -> None:
        with self._lock:
            log = self._changes.get((tenant, record_id), {})
            log.update((line, replace(change, line=line)) for line, change in lines.items() if line in log)
