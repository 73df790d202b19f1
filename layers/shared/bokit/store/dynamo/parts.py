"""What records, runs and published documents share: pages of a partition, and values larger than one item."""

from __future__ import annotations

import hashlib
from typing import Any

from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.errors import StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import PutItem, TableGateway
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.packing import cut_chunks
from bokit.store.limits import MAX_PAGE_CURSOR, MAX_READ_TRIES, clamp_limit


class DynamoParts:
    """Items that hold their bytes themselves, or the stamp and the number of the parts that do."""

    _table: TableGateway

    def _load_page(self, pk: str, limit: int, cursor: str | None) -> tuple[list[ItemRow], str | None]:
        """Return a partition's rows after *cursor*, the last first, and the cursor of the next page."""
        after = None if cursor is None else ItemRow.sk < read_cursor(pk, cursor, max_length=MAX_PAGE_CURSOR)
        size = clamp_limit(limit)
        rows = self._table.query(pk, after, newest_first=True, limit=size + 1)
        return rows[:size], write_cursor(pk, rows[size - 1].sk) if len(rows) > size else None

    def _load_packed(self, key: Key) -> tuple[ItemRow | None, bytes]:
        """Return an item and its bytes. Reads again where a writer replaces both in between."""
        for _ in range(MAX_READ_TRIES):
            row = self._table.get(key)
            packed = self._join_parts(row) if row else b""
            if packed is not None:
                return row, packed
        raise StoreConflictError("the value was changed by another while it was read; read it again")

    def _join_parts(self, row: ItemRow) -> bytes | None:
        """Return the bytes of *row*; None if its parts have been deleted."""
        if not row.parts:
            return row.packed or b""
        rows = self._table.query(keys.part_partition(Key(row.pk, row.sk)), ItemRow.sk.startswith(f"{row.stamp}#"))
        return b"".join(part.packed for part in rows) if len(rows) == row.parts else None

    def _split(self, key: Key, packed: bytes, *, turn: int = 0, **attributes: Any) -> tuple[dict[str, Any], list[PutItem]]:
        """Return the attributes of the item at *key*, and its parts, to be written first; *attributes* go into each.

        *turn* numbers the writes of this item, where old parts are deleted: see :meth:`_delete_old_parts`.
        """
        chunks = cut_chunks(packed)
        if len(chunks) == 1:
            return {"packed": packed, **attributes}, []
        stamp = f"{turn:012d}-{hashlib.sha256(packed).hexdigest()[:16]}"
        parts = [
            PutItem(key=keys.part_key(key, stamp, place), attributes={"packed": chunk, **attributes})
            for place, chunk in enumerate(chunks)
        ]
        return {"parts": len(chunks), "stamp": stamp, **attributes}, parts

    def _delete_old_parts(self, key: Key, stamp: str | None, *, turn: int) -> None:
        """Delete the parts of *key* with another stamp, written in this turn or before it.

        time ──────────┬──────────────────┬───────────────────────┬──────►
        A, turn 6      │ writes its item  ·                       │ wakes up, deletes turns up to 6
        B, turn 7      ·                  │ writes parts and item ·         B's parts stay
        """
        found = self._table.query_keys(keys.part_partition(key))
        old = [part for part in found if _turn_of(part) <= turn and not part.sk.startswith(f"{stamp}#")]
        if old:
            self._table.delete_all(old)


def _turn_of(part: Key) -> int:
    turn, dash, _ = part.sk.partition("-")
    return int(turn) if dash else -1  # written by a release whose stamps had no turn
