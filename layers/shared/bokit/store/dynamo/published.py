"""Published documents in the table: found by the hash of their path alone, in one read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pynamodb.expressions.update import Action

from bokit.core.model.codec import read_document, write_document, write_micros
from bokit.core.model.events import OutboxItem
from bokit.core.model.readers import UnreadCalendar, next_check
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import has_version
from bokit.store.dynamo.events import put_item
from bokit.store.dynamo.gateway import DeleteItem, PutItem, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.packing import pack_published, read_readers, unpack_published, write_readers
from bokit.store.dynamo.parts import DynamoParts
from bokit.store.dynamo.shards import read_optional_time
from bokit.store.limits import MAX_WRITE_TRIES
from bokit.store.protocols import PublishedDocument, ReadersChange
from bokit.values import replace


class DynamoPublished(DynamoParts):
    """``PublishedStore`` on the table."""

    def save_published(self, published: PublishedDocument, *, only_if_unchanged: bool = False) -> None:
        """Write its parts first and the item with their stamp last: readers get the old document or the new one.

        The version is the turn that distinguishes old parts from new ones, and so it is always the condition. Of two writers the
        later wins, unless it asked for an unchanged document: that is replaced without a look at it, where one item holds both.
        """
        key, packed = keys.published_key(published.hash), pack_published(published)
        if only_if_unchanged and published.version and self._replace_known(key, packed, published):
            return
        for _ in range(MAX_WRITE_TRIES):
            stored = self._table.get(key)
            turn = int(stored.version) + 1 if stored else 1
            if only_if_unchanged and published.version != turn - 1:
                raise StoreConflictError("the document was written by another meanwhile; make it again", id=published.id)
            attributes, parts = self._split(key, packed, turn=turn, tenant=published.tenant, expires_at=published.expires_at)
            for part in parts:
                self._table.put(part)
            written = {**attributes, "version": turn, **_kept_reads(stored, published)}
            put = PutItem(key=key, attributes=written, condition=has_version(turn - 1))
            if self._table.put(put):
                if parts or (stored and stored.parts):
                    self._delete_old_parts(key, attributes.get("stamp"), turn=turn)
                return
        raise StoreConflictError("the document was written by others at the same time; try again", id=published.id)

    def _replace_known(self, key: keys.Key, packed: bytes, published: PublishedDocument) -> bool:
        """Replace a document of one item that is still as it was read; who read it stays as it is stored. False: look at it."""
        attributes, parts = self._split(key, packed)
        if parts:
            return False
        ends = ItemRow.expires_at.set(published.expires_at) if published.expires_at else ItemRow.expires_at.remove()
        replaced = [ItemRow.packed.set(attributes["packed"]), ItemRow.version.set(published.version + 1)]
        is_known = has_version(published.version) & ItemRow.parts.does_not_exist()
        actions = [*replaced, ends, ItemRow.first_used_at.remove()]
        return self._table.update(UpdateItem(key=key, actions=actions, condition=is_known, once=True)) is not None

    def find_published(self, digest: str) -> PublishedDocument | None:
        key = keys.find_key(keys.published_key, digest)
        row, packed = self._load_packed(key) if key else (None, b"")
        if row is None:
            return None
        times = read_optional_time(row.used_at), read_optional_time(row.first_used_at)
        return replace(unpack_published(packed, int(row.version), *times), readers=read_readers(row.readers))

    def touch_published(self, digest: str, at: datetime, readers: ReadersChange | None = None) -> bool:
        first = ItemRow.first_used_at.set(ItemRow.first_used_at | write_micros(at))
        actions: list[Action] = [ItemRow.used_at.set(write_micros(at)), first]
        if readers is None:
            news = ItemRow.version.exists() & (ItemRow.used_at.does_not_exist() | (ItemRow.used_at < write_micros(at)))
            touch = UpdateItem(key=keys.published_key(digest), actions=actions, condition=news)
        else:
            touch = replace(_replace_readers(digest, readers, actions), once=True)
        return self._table.update(touch) is not None

    def save_readers(
        self, digest: str, readers: ReadersChange, unread: UnreadCalendar | None = None, item: OutboxItem | None = None
    ) -> bool:
        puts, deletes = [put_item(item)] if item else [], []
        if unread is not None:
            key = keys.unread_key(unread.tenant, unread.id)
            if unread.readers:
                puts.append(PutItem(key=key, attributes={"doc": write_document(unread)}))
            else:
                deletes.append(DeleteItem(key=key))
        update = _replace_readers(digest, readers)
        return not self._table.transact(Transaction(puts=puts, deletes=deletes, updates=[update]))

    def load_due_readers(self, now: datetime, limit: int) -> Sequence[str]:
        return [keys.digest_of(key) for key in self._table.query_due(write_micros(now), limit, keys.DUE_READERS)]

    def load_unread(self, tenant: TenantId) -> Sequence[UnreadCalendar]:
        return [read_document(UnreadCalendar, row.doc) for row in self._table.query(keys.unread_partition(tenant))]

    def delete_unread(self, tenant: TenantId, calendar_id: str) -> None:
        self._table.delete(keys.unread_key(tenant, calendar_id))

    def delete_published(self, digest: str) -> None:
        key = keys.published_key(digest)
        if (stored := self._table.get(key)) is None:
            return
        self._table.delete(key)
        if stored.parts:
            self._delete_old_parts(key, None, turn=int(stored.version))


def _kept_reads(stored: ItemRow | None, published: PublishedDocument) -> dict[str, Any]:
    """Return what the next item keeps of who read the document: as it is stored, else as the first one brings it."""
    if stored:
        return {name: getattr(stored, name) for name in ("used_at", "readers", "due_pk", "due_at")}
    due_at = next_check(published.readers)
    due = {"due_pk": keys.DUE_READERS, "due_at": write_micros(due_at)} if due_at else {}
    readers = write_readers(published.readers) if published.readers else None
    return {"used_at": published.read_at and write_micros(published.read_at), "readers": readers, **due}


def _replace_readers(digest: str, readers: ReadersChange, more: Iterable[Action] = ()) -> UpdateItem:
    """Return the write of a document's readers, on the condition that they are as they were read."""
    is_same = ItemRow.readers == write_readers(readers.before) if readers.before else ItemRow.readers.does_not_exist()
    stored = ItemRow.readers.set(write_readers(readers.after)) if readers.after else ItemRow.readers.remove()
    actions = [*more, stored, *_make_due(readers.due_at)]
    return UpdateItem(key=keys.published_key(digest), actions=actions, condition=ItemRow.version.exists() & is_same)


def _make_due(at: datetime | None) -> list[Action]:
    if at is None:
        return [ItemRow.due_pk.remove(), ItemRow.due_at.remove()]
    return [ItemRow.due_pk.set(keys.DUE_READERS), ItemRow.due_at.set(write_micros(at))]
