"""Published pages in the table: found by the hash of their path alone, in one read."""

from __future__ import annotations

from dataclasses import replace

from bokit.core.model.codec import pack_page, unpack_page
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import is_version
from bokit.store.dynamo.gateway import Put
from bokit.store.dynamo.parts import PartRows
from bokit.store.dynamo.shards import TRIES
from bokit.store.protocols import Published


class PageRows(PartRows):
    """``PublishedStore`` on the table."""

    def save_published(self, page: Published, *, only_if_unmoved: bool = False) -> None:
        """Write it whole, replacing what stood under its hash; *only_if_unmoved*: if its version is the stored one.

        Parts come first, the item that names them last: who reads meanwhile has the old page or the new one. The
        version is the turn by which old parts are told, so it is the condition; of two writers the later wins, unless
        they ask for an unmoved page: then the second is refused.
        """
        key, packed = keys.page_key(page.hash), pack_page(page)
        for _ in range(TRIES):
            stored = self._rows.get(key)
            turn = int(stored.version) + 1 if stored else 1
            if only_if_unmoved and page.version != turn - 1:
                raise StoreConflictError("the page was written by another meanwhile; make it anew", id=page.id)
            attributes, parts = self._cut(key, packed, turn=turn, tenant=page.tenant, expires_at=page.expires_at)
            for part in parts:
                self._rows.put(part)
            if self._rows.put(Put(key=key, attributes={**attributes, "version": turn}, condition=is_version(turn - 1))):
                if parts or (stored and stored.parts):
                    self._tidy_parts(key, attributes.get("stamp"), turn=turn)
                return
        raise StoreConflictError("the page was written by others at the same time; try again", id=page.id)

    def find_published(self, hash: str) -> Published | None:
        """Return the page under this hash, in one read (large ones take more), an expired one too; None: there is none."""
        key = keys.find_key(keys.page_key, hash)
        row, packed = self._load_packed(key) if key else (None, b"")
        return replace(unpack_page(packed), version=int(row.version)) if row else None

    def delete_published(self, hash: str) -> None:
        """Forget it; nothing happens where there is none."""
        key = keys.page_key(hash)
        if (stored := self._rows.get(key)) is None:
            return
        self._rows.delete(key)
        if stored.parts:
            self._tidy_parts(key, None, turn=int(stored.version))
