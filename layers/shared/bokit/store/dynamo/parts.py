"""What records, runs and published pages share: pages of a partition, and values that outgrow one item."""

from __future__ import annotations

import hashlib
from typing import Any

from bokit.core.model.codec import cut_chunks
from bokit.errors import StoreConflictError
from bokit.store.cursors import clamp_limit, make_cursor, read_cursor
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Put, Rows
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import Row

_READS = 8


class PartRows:
    """An item holds its bytes itself, or names the stamp and number of the parts that do."""

    _rows: Rows

    def _load_page(self, pk: str, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
        """Return a partition's rows behind *cursor*, the last first, and where the next page begins."""
        behind = None if cursor is None else Row.sk < read_cursor(pk, cursor)
        most = clamp_limit(limit)
        rows = self._rows.query(pk, behind, newest_first=True, limit=most + 1)
        return rows[:most], make_cursor(pk, rows[most - 1].sk) if len(rows) > most else None

    def _load_packed(self, key: Key) -> tuple[Row | None, bytes]:
        """Return an item and its bytes; a writer may replace both while we read, so it may take a second look."""
        for _ in range(_READS):
            row = self._rows.get(key)
            packed = self._join_parts(row) if row else b""
            if packed is not None:
                return row, packed
        raise StoreConflictError("the value was changed by another while it was read; read it again")

    def _join_parts(self, row: Row) -> bytes | None:
        """Return the bytes that *row* holds or names; None where its parts are no longer there."""
        if not row.parts:
            return row.packed or b""
        rows = self._rows.query(keys.part_partition(Key(row.pk, row.sk)), Row.sk.startswith(f"{row.stamp}#"))
        return b"".join(part.packed for part in rows) if len(rows) == row.parts else None

    def _cut(self, key: Key, packed: bytes, *, turn: int = 0, **beside: Any) -> tuple[dict[str, Any], list[Put]]:
        """Return the attributes of the item at *key*, and the parts to write before it; *beside* goes into each.

        *turn* tells which of the writes of this item it is, where old parts are tidied away: see :meth:`_tidy_parts`.
        """
        chunks = cut_chunks(packed)
        if len(chunks) == 1:
            return {"packed": packed, **beside}, []
        stamp = f"{turn:012d}-{hashlib.sha256(packed).hexdigest()[:16]}"
        parts = [
            Put(key=keys.part_key(key, stamp, place), attributes={"packed": chunk, **beside})
            for place, chunk in enumerate(chunks)
        ]
        return {"parts": len(chunks), "stamp": stamp, **beside}, parts

    def _tidy_parts(self, key: Key, stamp: str | None, *, turn: int) -> None:
        """Remove the parts of *key* that belong to another content than *stamp*'s, written in this turn or before it.

        time ──────────┬──────────────────┬───────────────────────┬──────►
        A, turn 6      │ writes its item  ·                       │ wakes up, tidies: turns up to 6
        B, turn 7      ·                  │ writes parts and item ·         B's parts stand
        """
        found = self._rows.query_keys(keys.part_partition(key))
        old = [part for part in found if _turn_of(part) <= turn and not part.sk.startswith(f"{stamp}#")]
        if old:
            self._rows.delete_all(old)


def _turn_of(part: Key) -> int:
    turn, dash, _ = part.sk.partition("-")
    return int(turn) if dash else -1  # written before parts told their turn
