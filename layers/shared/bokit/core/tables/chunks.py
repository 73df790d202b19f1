"""What is kept of a table between two syncs: a digest for each row, in chunks by key range, and a manifest of the chunks.

    manifest     chunk 1: keys up to 2000     chunk 2: up to 4000     chunk 3: to the end
                 a digest of all its rows     …                       …
    chunk        key ─ digest of its row, for every key of the range

The database orders the keys: it is asked for the rows between two keys, and compares them as its collation says. If the
digest of a range is the manifest's, its chunk is not even loaded. A row that a range no longer shows stays in its chunk,
unconfirmed, until a whole pass over the table decides about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Any

from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Json
from bokit.core.tables.values import TOMBSTONE, KeyValues, SeenRow, pack_key, unpack_key
from bokit.values import Value, field, replace

CHUNK_ROWS = 2000
CHUNK_BYTES = 200_000
"""Of keys and digests, before the store compresses them: an item of a table holds 400 KB."""
FORMAT = 1

REJECTED = ""
"""In place of a digest: the row could not become a record; the next pass tries it again."""
UNCONFIRMED = "?"
"""In place of a digest: its range no longer showed the row, and no whole pass has decided about it yet."""
MISSING = "!"
"""In place of a digest: a whole pass found it missing, and its record is not due for removal yet."""
PENDING = "~"
"""Before the digest of a row that is shown as deleted: its record is still there."""


class RowDigest(Value):
    """What a chunk keeps of one row."""

    key_values: KeyValues
    digest: str

    @property
    def is_present(self) -> bool:
        """Return whether the row was there when its range was last read."""
        return self.digest not in (UNCONFIRMED, MISSING)

    @property
    def is_pending(self) -> bool:
        """Return whether it is shown as deleted, and its record is still there."""
        return self.digest.startswith(PENDING)

    def as_pending(self) -> RowDigest:
        """Return it with its record still there."""
        return self if self.is_pending else replace(self, digest=PENDING + self.digest)

    def as_settled(self) -> RowDigest:
        """Return it with its record gone."""
        return replace(self, digest=self.digest.removeprefix(PENDING))

    @classmethod
    def of(cls, row: SeenRow) -> RowDigest:
        """Return what is kept of *row*."""
        return cls(key_values=row.key_values, digest=row.digest)


Chunk = Mapping[str, RowDigest]
"""The rows of one range, by the text of their keys."""


class ChunkSummary(Value):
    """A chunk's line in the manifest."""

    name: str
    until: KeyValues | None
    """The last key of its range, which begins after the chunk before; None: to the end of the table."""
    rows: int = 0
    """Rows that are present."""
    digest: str = ""
    unconfirmed: int = 0
    missing: int = 0
    pending: int = 0
    """Of *rows*, those that are shown as deleted while their records are still there."""
    deleted: int = 0
    """Of *rows*, the others that are shown as deleted: they have no record."""
    raw: str = ""
    """The digest of its rows as the driver returned them (:func:`digest_raw`); empty: each of them is read."""

    @property
    def is_empty(self) -> bool:
        """Return whether the chunk keeps nothing."""
        return not (self.rows or self.unconfirmed or self.missing)


class TableState(Value):
    """What the last sync agreed on for one table."""

    fingerprint: str = ""
    """Its own among the states of a source: begins the names of its chunks, and marks its records where tables share them."""
    collection: str = ""
    key: tuple[str, ...] = ()
    """With the collection, what a row is: a state belongs to these two (``core.tables.agreement``)."""
    table: str = ""
    name: str = ""
    """Of a former table: what it was called."""
    meaning: str = ""
    """Identifies how the last whole pass read a row: with another one, the next pass is whole. Empty: a former release's."""
    rules: str = ""
    """Identifies the collection's rules at the last whole pass: with others, every row is compared with its record."""
    policy: str = ""
    """What the missing rows were settled by; with another one they are judged again."""
    marks_records: bool = False
    """Each of its records is marked as this table's, since others feed the same collection."""
    recheck: bool = False
    """Records were written that the chunks do not show: the next pass compares every row with its record."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Record field: what its column held ("integer", "text" …); a change is reported, not accepted."""
    chunks: tuple[ChunkSummary, ...] = ()
    reading: str = ""
    """Identifies how the rows of the chunks' ``raw`` were read: for another reading these digests say nothing."""
    last_number: int = 0
    """Number of the last chunk made: no name is used twice."""
    agreed_rows: int = 0
    """Rows that the last whole pass showed, without deleted ones; the next one is measured by it."""
    filled: Mapping[str, int] = field(default_factory=dict)
    """Record field: in how many rows it had a value at the last whole pass; of fields that can be without one."""
    filled_of: int = 0
    """How many rows there were then."""
    watermark: Json = None
    """The last updated-at value seen, packed."""
    unstamped: str = ""
    """Identifies the rows without such a value, as the last incremental pass compared them."""
    full_at: datetime | None = None
    """When the last whole pass ended; kept for tables with a watermark."""

    @property
    def rows(self) -> int:
        """Rows that are present."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def unconfirmed(self) -> int:
        """Rows that ranges no longer show, and no whole pass has decided about."""
        return sum(chunk.unconfirmed for chunk in self.chunks)

    @property
    def missing(self) -> int:
        """Rows that a whole pass found missing."""
        return sum(chunk.missing for chunk in self.chunks)

    @property
    def pending(self) -> int:
        """Rows that are shown as deleted, and whose records are still there."""
        return sum(chunk.pending for chunk in self.chunks)

    @property
    def live(self) -> int:
        """Rows that are present, without those that are deleted and have no record any more."""
        return self.rows - sum(chunk.deleted for chunk in self.chunks)

    @property
    def is_empty(self) -> bool:
        """Return whether it keeps no row at all."""
        return all(chunk.is_empty for chunk in self.chunks)

    def with_reading(self, reading: str) -> TableState:
        """Return the state for rows that are read so: with another reading than before, each row is read once more."""
        if reading == self.reading:
            return self
        return replace(self, reading=reading, chunks=tuple(replace(chunk, raw="") for chunk in self.chunks))


class KeyRange(Value):
    """The keys after *after* and up to *until*, as the database orders them; None: open on that side."""

    after: KeyValues | None = None
    until: KeyValues | None = None


def key_ranges(state: TableState) -> list[tuple[KeyRange, ChunkSummary | None]]:
    """Return the ranges that cover the table, with their chunks; keys that no pass has read are the last one, without a chunk."""
    ranges: list[tuple[KeyRange, ChunkSummary | None]] = []
    after: KeyValues | None = None
    for chunk in state.chunks:
        ranges.append((KeyRange(after=after, until=chunk.until), chunk))
        after = chunk.until
    if not ranges or after is not None:
        ranges.append((KeyRange(after=after), None))
    return ranges


class RangeDigest:
    """Adds up the digests of one range's rows, in key order."""

    def __init__(self) -> None:
        self._hash, self.rows = hashlib.blake2b(digest_size=12), 0

    def add(self, key: str, digest: str) -> None:
        """Add one row."""
        self._hash.update(f"{len(key)}:{key}={digest};".encode("utf-8", "surrogatepass"))
        self.rows += 1

    def hexdigest(self) -> str:
        """Return the digest of all rows; empty if there are none."""
        return self._hash.hexdigest() if self.rows else ""


def digest_raw(rows: Iterable[bytes]) -> str:
    """Return the digest of a range's rows as the driver returned them; empty if there are none, or one is not known."""
    total, count = hashlib.blake2b(digest_size=12), 0
    for row in rows:
        if not row:
            return ""
        total.update(row)
        count += 1
    return total.hexdigest() if count else ""


def summarise_chunk(name: str, until: KeyValues | None, chunk: Chunk) -> ChunkSummary:
    """Return the manifest's line for *chunk*, whose present rows are in key order."""
    total = RangeDigest()
    for key, row in chunk.items():
        if row.is_present:
            total.add(key, row.digest)
    states = [row.digest for row in chunk.values()]
    return ChunkSummary(
        name=name,
        until=until,
        rows=total.rows,
        digest=total.hexdigest(),
        unconfirmed=states.count(UNCONFIRMED),
        missing=states.count(MISSING),
        pending=sum(state.startswith(PENDING) for state in states),
        deleted=sum(state.startswith(TOMBSTONE) for state in states),
    )


def drop_empty_chunks(chunks: Sequence[ChunkSummary]) -> tuple[ChunkSummary, ...]:
    """Return *chunks*, which cover the whole table, without the empty ones; each range grows over the empty ones before it."""
    kept = [chunk for chunk in chunks if not chunk.is_empty]
    if not kept:
        return tuple(chunks[-1:])
    return (*kept[:-1], replace(kept[-1], until=None))


def mark_unconfirmed(rows: Chunk) -> dict[str, RowDigest]:
    """Return *rows*, which their range no longer shows, as unconfirmed; missing ones stay missing."""
    return {key: row if row.digest == MISSING else replace(row, digest=UNCONFIRMED) for key, row in rows.items()}


def chunk_names(states: Iterable[TableState]) -> set[str]:
    """Return the names of all chunks in use."""
    return {chunk.name for state in states for chunk in state.chunks}


# ── stored form ──


def pack_chunk(chunk: Chunk) -> bytes:
    """Return *chunk* as bytes."""
    rows = [[key, row.digest, *_pack_values(key, row.key_values)] for key, row in chunk.items()]
    return _pack({"v": FORMAT, "rows": rows})


def _pack_values(key: str, values: KeyValues) -> list[Json]:
    """Return the key's values, unless they are its text itself."""
    return [] if values == (key,) else [pack_key(values)]


def unpack_chunk(packed: bytes) -> dict[str, RowDigest]:
    """Return the chunk that :func:`pack_chunk` packed."""
    rows = _unpack(packed).get("rows", ())
    return {
        key: RowDigest(key_values=unpack_key(values[0]) if values else (key,), digest=digest) for key, digest, *values in rows
    }


def pack_manifest(tables: Mapping[str, TableState]) -> bytes:
    """Return the state of every table as bytes."""
    return _pack({"v": FORMAT, "tables": {name: _write_state(state) for name, state in sorted(tables.items())}})


def unpack_manifest(packed: bytes) -> dict[str, TableState]:
    """Return what :func:`pack_manifest` packed; nothing for b"" and other formats."""
    return {name: _read_state(state) for name, state in _unpack(packed).get("tables", {}).items()}


_LATER = (
    *("collection", "table", "name", "meaning", "rules", "policy", "marks_records", "recheck", "unstamped"),
    *("filled", "filled_of", "reading"),
)
"""Fields that came later: left out where they are empty, so that a former release reads the rest."""


def _write_state(state: TableState) -> dict[str, Json]:
    return {
        "fingerprint": state.fingerprint,
        "columns": dict(state.columns),
        "named": state.last_number,
        "agreed": state.agreed_rows,
        "mark": state.watermark,
        "full_at": write_time(state.full_at) if state.full_at else None,
        "chunks": [_write_summary(chunk) for chunk in state.chunks],
        **({"key": list(state.key)} if state.key else {}),
        **({"raw": [chunk.raw for chunk in state.chunks]} if any(chunk.raw for chunk in state.chunks) else {}),
        **{name: dict(value) if name == "filled" else value for name in _LATER if (value := getattr(state, name))},
    }


def _read_state(stored: Fields) -> TableState:
    return TableState(
        fingerprint=stored["fingerprint"],
        columns=stored["columns"],
        last_number=stored["named"],
        agreed_rows=stored["agreed"],
        watermark=stored["mark"],
        full_at=datetime.fromisoformat(stored["full_at"]) if stored["full_at"] else None,
        chunks=tuple(map(_read_summary, stored["chunks"], chain(stored.get("raw", ()), repeat("")))),
        key=tuple(stored.get("key", ())),
        **{name: stored[name] for name in _LATER if name in stored},
    )


def _write_summary(chunk: ChunkSummary) -> list[Json]:
    until = None if chunk.until is None else pack_key(chunk.until)
    deleted = [chunk.pending, chunk.deleted] if chunk.pending or chunk.deleted else []
    return [chunk.name, until, chunk.rows, chunk.digest, chunk.unconfirmed, chunk.missing, *deleted]


def _read_summary(stored: Sequence[Any], raw: str) -> ChunkSummary:
    name, until, rows, digest, unconfirmed, missing, *more = stored
    pending, deleted = more or (0, 0)
    return ChunkSummary(
        name=name,
        until=None if until is None else unpack_key(until),
        rows=rows,
        digest=digest,
        unconfirmed=unconfirmed,
        missing=missing,
        pending=pending,
        deleted=deleted,
        raw=raw,
    )


def _pack(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _unpack(packed: bytes) -> dict[str, Any]:
    if not packed:
        return {}
    document: dict[str, Any] = json.loads(packed.decode("utf-8", "surrogatepass"))
    return document if document.get("v") == FORMAT else {}
