"""Published documents in the table: found by the hash of their path alone, in one read."""

from __future__ import annotations

from datetime import datetime

from bokit.core.model.codec import write_micros
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import has_version
from bokit.store.dynamo.gateway import PutItem, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.packing import pack_published, unpack_published
from bokit.store.dynamo.parts import DynamoParts
from bokit.store.dynamo.shards import read_optional_time
from bokit.store.limits import MAX_WRITE_TRIES
from bokit.store.protocols import PublishedDocument


class DynamoPublished(DynamoParts):
    """``PublishedStore`` on the table."""

    def save_published(self, published: PublishedDocument, *, only_if_unchanged: bool = False) -> None:
        """Write its parts first and the item with their stamp last: readers get the old document or the new one.

        The version is the turn that distinguishes old parts from new ones, and so it is always the condition. Of two writers the
        later wins, unless it asked for an unchanged document.
        """
        key, packed = keys.published_key(published.hash), pack_published(published)
        for _ in range(MAX_WRITE_TRIES):
            stored = self._table.get(key)
            turn = int(stored.version) + 1 if stored else 1
            if only_if_unchanged and published.version != turn - 1:
                raise StoreConflictError("the document was written by another meanwhile; make it again", id=published.id)
            attributes, parts = self._split(key, packed, turn=turn, tenant=published.tenant, expires_at=published.expires_at)
            for part in parts:
                self._table.put(part)
            used_at = stored.used_at if stored else published.read_at and write_micros(published.read_at)
            written = {**attributes, "version": turn, "used_at": used_at}
            put = PutItem(key=key, attributes=written, condition=has_version(turn - 1))
            if self._table.put(put):
                if parts or (stored and stored.parts):
                    self._delete_old_parts(key, attributes.get("stamp"), turn=turn)
                return
        raise StoreConflictError("the document was written by others at the same time; try again", id=published.id)

    def find_published(self, digest: str) -> PublishedDocument | None:
        key = keys.find_key(keys.published_key, digest)
        row, packed = self._load_packed(key) if key else (None, b"")
        if row is None:
            return None
        times = read_optional_time(row.used_at), read_optional_time(row.first_used_at)
        return unpack_published(packed, int(row.version), *times)

    def touch_published(self, digest: str, at: datetime) -> None:
        newer = ItemRow.used_at.does_not_exist() | (ItemRow.used_at < write_micros(at))
        first = ItemRow.first_used_at.set(ItemRow.first_used_at | write_micros(at))
        actions = [ItemRow.used_at.set(write_micros(at)), first]
        condition = ItemRow.version.exists() & newer
        self._table.update(UpdateItem(key=keys.published_key(digest), actions=actions, condition=condition))

    def delete_published(self, digest: str) -> None:
        key = keys.published_key(digest)
        if (stored := self._table.get(key)) is None:
            return
        self._table.delete(key)
        if stored.parts:
            self._delete_old_parts(key, None, turn=int(stored.version))
