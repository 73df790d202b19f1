"""The outbox and the event logs in the table.

    writer     one transaction: the change, and its outbox item
    notify     one transaction: counter n ──► n + k, if it is still n; events n + 1 … n + k; the outbox item deleted, if it exists

The deletion makes numbering idempotent: a second drain finds no item, and writes nothing. The counter's condition makes
it free of gaps: of two that number a log at the same time one starts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pynamodb.expressions.update import Action

from bokit.core.model.codec import pack, read_document, read_micros, unpack, write_document, write_micros
from bokit.core.model.events import Event, NewEvent, OutboxItem, fill_outbox, notice_items
from bokit.core.model.limits import OUTBOX_PARTITIONS
from bokit.core.model.notices import AlertNote, Notice
from bokit.core.model.records import SourceId, TenantId
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.faults import CollisionError
from bokit.store.dynamo.gateway import DeleteItem, PutItem, TableGateway, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.event_protocol import StaleNote
from bokit.store.limits import MAX_NUMBERING_TRIES, MAX_OUTBOX_ITEMS
from bokit.values import replace

LAST_EVENT = "9" * 12
"""The sort key after which no event's comes."""


class DynamoEvents:
    """``EventStore`` on the table."""

    _table: TableGateway

    def put_outbox(self, item: OutboxItem) -> None:
        self._table.put(put_item(item))

    def load_outbox(
        self, partition: int, *, limit: int = MAX_OUTBOX_ITEMS, after: OutboxItem | None = None
    ) -> Sequence[OutboxItem]:
        later = None if after is None else ItemRow.sk > keys.outbox_key(after).sk
        rows = self._table.query(keys.outbox_partition(partition), later, limit=limit)
        former = None if partition < OUTBOX_PARTITIONS else partition
        return [replace(read_document(OutboxItem, unpack(row.packed)), former_partition=former) for row in rows]

    def number_events(self, item: OutboxItem, *, expires_at: datetime, unread_at: datetime | None = None) -> int | None:
        key, counter = keys.outbox_key(item), keys.event_counter_key(item.tenant)
        for attempt in range(MAX_NUMBERING_TRIES):
            last = self.load_last_seq(item.tenant)
            failed = self._number(item, last, expires_at, unread_at)
            if failed == []:
                return last + len(item.events)
            if failed and key in failed:
                return None
            if failed is None or counter in failed:
                self._table.pauses.wait(attempt, first=0.01, most=0.5)
        raise StoreConflictError("the event log was written by others at the same time; try again")

    def _number(self, item: OutboxItem, last: int, expires_at: datetime, unread_at: datetime | None) -> list[keys.Key] | None:
        """Return the keys whose condition failed, none if it was written; None if DynamoDB refused two that met."""
        events = item.numbered(last)
        unchanged = ItemRow.seq == last if last else ItemRow.pk.does_not_exist()
        attributes = [{"doc": write_document(event), "expires_at": expires_at} for event in events]
        puts = [
            PutItem(key=keys.event_key(item.tenant, event.seq), attributes=own, condition=ItemRow.pk.does_not_exist())
            for event, own in zip(events, attributes, strict=True)
        ]
        count = UpdateItem(
            key=keys.event_counter_key(item.tenant),
            actions=[ItemRow.seq.set(last + len(events)), *make_due(unread_at)],
            condition=unchanged,
        )
        delete = DeleteItem(key=keys.outbox_key(item), condition=ItemRow.pk.exists())
        try:
            return self._table.transact(Transaction(deletes=[delete], puts=puts, updates=[count]))
        except CollisionError:
            return None

    def delete_outbox(self, item: OutboxItem) -> None:
        self._table.delete(keys.outbox_key(item))

    def save_alert_note(self, note: AlertNote) -> None:
        is_new = ItemRow.pk.does_not_exist() | (ItemRow.stamp != note.hold)
        attributes = {"stamp": note.hold, "doc": write_document(note)}
        self._table.put(PutItem(key=keys.alert_note_key(note.tenant, note.source_id), attributes=attributes, condition=is_new))

    def load_alert_note(self, tenant: TenantId, source_id: SourceId) -> AlertNote | None:
        row = self._table.get(keys.alert_note_key(tenant, source_id))
        return read_document(AlertNote, row.doc) if row else None

    def load_stale_notes(self, sources: Iterable[tuple[TenantId, SourceId]]) -> Mapping[SourceId, datetime]:
        by_key = {keys.stale_key(tenant, source_id): source_id for tenant, source_id in sources}
        return {by_key[key]: read_micros(int(row.stamp)) for key, row in self._table.get_all(by_key).items()}

    def save_stale_note(self, note: StaleNote, item: OutboxItem) -> bool:
        since = str(write_micros(note.since))
        is_new = ItemRow.pk.does_not_exist() | (ItemRow.stamp != since)
        put = PutItem(key=keys.stale_key(note.tenant, note.source_id), attributes={"stamp": since}, condition=is_new)
        return self._table.write(put, [put_item(item)])

    def clear_unread(self, tenant: TenantId, seq: int) -> None:
        actions = [ItemRow.due_pk.remove(), ItemRow.due_at.remove()]
        self._table.update(UpdateItem(key=keys.event_counter_key(tenant), actions=actions, condition=ItemRow.seq == seq))

    def load_last_seq(self, tenant: TenantId) -> int:
        row = self._table.get(keys.event_counter_key(tenant))
        return int(row.seq) if row else 0

    def load_events(self, tenant: TenantId, *, after: int, until: int) -> Sequence[Event]:
        if until <= after:
            return []
        between = ItemRow.sk.between(f"{after + 1:012d}", f"{until:012d}")
        return [read_document(Event, row.doc) for row in self._table.query(keys.events_partition(tenant), between)]

    def find_next_event(self, tenant: TenantId, *, after: int) -> int | None:
        between = ItemRow.sk.between(f"{after + 1:012d}", LAST_EVENT)
        return next((int(row.sk) for row in self._table.query(keys.events_partition(tenant), between, limit=1)), None)

    def raise_last_seq(self, tenant: TenantId, *, by: int, stamp: str) -> bool:
        is_new = ItemRow.stamp.does_not_exist() | (ItemRow.stamp != stamp)
        actions = [ItemRow.seq.add(by), ItemRow.stamp.set(stamp)]
        key = keys.event_counter_key(tenant)
        return self._table.update(UpdateItem(key=key, actions=actions, condition=is_new, once=True)) is not None


def make_due(at: datetime | None) -> list[Action]:
    """Return the actions that make an unread log, or an endpoint, due at *at*; None: none."""
    return [] if at is None else [ItemRow.due_pk.set(keys.DUE_DELIVERIES), ItemRow.due_at.set(write_micros(at))]


def put_item(item: OutboxItem) -> PutItem:
    """Return the write of an outbox item."""
    return PutItem(key=keys.outbox_key(item), attributes={"packed": pack(write_document(item)), "tenant": item.tenant})


def put_bulk(item: OutboxItem, number: int) -> list[PutItem]:
    """Return the outbox's part of a transaction of this number, of several that one item stands for: it is in the first."""
    return [] if number else [put_item(item)]


def put_events(tenant: TenantId, at: datetime, events: Sequence[NewEvent]) -> list[PutItem]:
    """Return the outbox's part of a transaction."""
    return [put_item(item) for item in fill_outbox(tenant, at, events)]


def put_notices(notices: Iterable[Notice]) -> list[PutItem]:
    """Return the outbox's part of a transaction that says these notices."""
    return [put_item(item) for item in notice_items(notices)]
