"""What is kept of a table between two syncs: a hash for each row, in chunks by key range, and one small list of the chunks.

    manifest     chunk 1: keys up to 2000     chunk 2: up to 4000     chunk 3: to the end
                 a digest of all its rows     …                       …
    chunk        key ─ hash of its row, for every key of the range

The ranges are the database's own: it is asked for the rows between two keys, and compares them as its collation says.
A range whose digest is the manifest's says nothing new, and its chunk is not even loaded. A row that a range no longer
shows stays in its chunk, doubted, until a whole pass over the table says what to make of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bokit.core.model.merge import write_time
from bokit.core.model.records import Json
from bokit.core.tables.values import Key, SeenRow, pack_key, unpack_key

CHUNK_ROWS = 2000
CHUNK_BYTES = 200_000
"""Of keys and hashes, before the store compresses them: an item of a table holds 400 KB."""
FORMAT = 1

REFUSED = ""
"""In place of a hash: the row could not be taken as a record, and is tried again by the next pass."""
UNCONFIRMED = "?"
"""In place of a hash: the range no longer showed the row, and nobody judged that yet."""
MISSING = "!"
"""In place of a hash: a whole pass agreed that it is missing, and its record waits for its grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a chunk keeps of one row."""

    at: Key
    hash: str

    @property
    def is_present(self) -> bool:
        """Return whether the row was there when its range was last read."""
        return self.hash not in (UNCONFIRMED, MISSING)


Chunk = Mapping[str, Mark]
"""The rows of one range, by the text of their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkNote:
    """What the manifest says of one chunk."""

    name: str
    until: Key | None
    """The last key of its range, which begins behind the chunk before; None: to the end of the table."""
    rows: int = 0
    """Rows that it shows."""
    digest: str = ""
    doubted: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """What was agreed on one table."""

    fingerprint: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Record field: what its column held ("integer", "text" …); a change of it is told, not followed."""
    chunks: tuple[ChunkNote, ...] = ()
    named: int = 0
    """Chunks named so far: no name is used twice."""
    agreed: int = 0
    """Rows that the last whole pass showed; what the next is measured by."""
    mark: Json = None
    """The last updated-at value seen, packed."""
    full_at: datetime | None = None
    """When the last whole pass ended; kept for tables that are read incrementally in between."""

    @property
    def rows(self) -> int:
        """Rows that the chunks show."""
        return sum(note.rows for note in self.chunks)

    @property
    def doubted(self) -> int:
        """Rows that ranges no longer show, and nobody judged yet."""
        return sum(note.doubted for note in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """The keys behind *after* and up to *until*, as the database orders them; None: no end on that side."""

    after: Key | None = None
    until: Key | None = None


def ranges_of(state: TableState) -> list[tuple[KeyRange, ChunkNote | None]]:
    """Return the ranges that a pass over the table reads, with their chunks; they leave no key out.

    What no pass has read yet is one range without a chunk, at the end.
    """
    found: list[tuple[KeyRange, ChunkNote | None]] = []
    after: Key | None = None
    for note in state.chunks:
        found.append((KeyRange(after=after, until=note.until), note))
        after = note.until
    if not found or after is not None:
        found.append((KeyRange(after=after), None))
    return found


class Digest:
    """Adds up the rows of one range, in key order."""

    def __init__(self) -> None:
        self._hash, self.rows = hashlib.blake2b(digest_size=12), 0

    def add(self, key: str, hash: str) -> None:
        """Take one more row."""
        self._hash.update(f"{len(key)}:{key}={hash};".encode("utf-8", "surrogatepass"))
        self.rows += 1

    def tell(self) -> str:
        """Return what all rows make together."""
        return self._hash.hexdigest() if self.rows else ""


def note_chunk(name: str, until: Key | None, chunk: Chunk) -> ChunkNote:
    """Return the manifest's line of *chunk*, whose rows that are present stand in key order."""
    digest, doubted, missing = Digest(), 0, 0
    for key, mark in chunk.items():
        doubted += mark.hash == UNCONFIRMED
        missing += mark.hash == MISSING
        if mark.is_present:
            digest.add(key, mark.hash)
    return ChunkNote(name=name, until=until, rows=digest.rows, digest=digest.tell(), doubted=doubted, missing=missing)


def tidy(notes: Sequence[ChunkNote]) -> tuple[ChunkNote, ...]:
    """Return *notes*, which cover the whole table, without those that keep nothing; the range behind takes theirs in."""
    kept = [note for note in notes if note.rows or note.doubted or note.missing]
    if not kept:
        return tuple(notes[-1:])
    return (*kept[:-1], replace(kept[-1], until=None))


def mark_row(row: SeenRow) -> Mark:
    """Return what a chunk keeps of *row*."""
    return Mark(at=row.at, hash=row.hash)


def doubt(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return *marks* as those of rows that their range no longer shows; what was missing already stays so."""
    return {key: mark if mark.hash == MISSING else replace(mark, hash=UNCONFIRMED) for key, mark in marks.items()}


# ── as the store keeps them ──


def pack_chunk(chunk: Chunk) -> bytes:
    """Return *chunk* as bytes."""
    rows = [[key, mark.hash, *_pack_place(key, mark.at)] for key, mark in chunk.items()]
    return _pack({"v": FORMAT, "rows": rows})


def unpack_chunk(packed: bytes) -> dict[str, Mark]:
    """Return the chunk that :func:`pack_chunk` packed."""
    told = _unpack(packed)
    return {row[0]: Mark(at=unpack_key(row[2]) if len(row) > 2 else (row[0],), hash=row[1]) for row in told.get("rows", ())}


def _pack_place(key: str, at: Key) -> list[Json]:
    """Return the key's values, unless they are its text itself."""
    return [] if at == (key,) else [pack_key(at)]


def pack_manifest(tables: Mapping[str, TableState]) -> bytes:
    """Return what was agreed on every table, as bytes."""
    return _pack({"v": FORMAT, "tables": {name: _write_state(state) for name, state in sorted(tables.items())}})


def unpack_manifest(packed: bytes) -> dict[str, TableState]:
    """Return what :func:`pack_manifest` packed; nothing of b"", or of another version's."""
    told = _unpack(packed)
    return {name: _read_state(state) for name, state in told.get("tables", {}).items()}


def _write_state(state: TableState) -> dict[str, Json]:
    return {
        "fingerprint": state.fingerprint,
        "columns": dict(state.columns),
        "named": state.named,
        "agreed": state.agreed,
        "mark": state.mark,
        "full_at": write_time(state.full_at) if state.full_at else None,
        "chunks": [
            [n.name, None if n.until is None else pack_key(n.until), n.rows, n.digest, n.doubted, n.missing] for n in state.chunks
        ],
    }


def _read_state(told: Mapping[str, Json]) -> TableState:
    return TableState(
        fingerprint=told["fingerprint"],
        columns=told["columns"],
        named=told["named"],
        agreed=told["agreed"],
        mark=told["mark"],
        full_at=datetime.fromisoformat(told["full_at"]) if told["full_at"] else None,
        chunks=tuple(_read_note(note) for note in told["chunks"]),
    )


def _read_note(told: list[Json]) -> ChunkNote:
    name, until, rows, digest, doubted, missing = told
    until = None if until is None else unpack_key(until)
    return ChunkNote(name=name, until=until, rows=rows, digest=digest, doubted=doubted, missing=missing)


def _pack(told: Json) -> bytes:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _unpack(packed: bytes) -> dict[str, Json]:
    if not packed:
        return {}
    told: dict[str, Json] = json.loads(packed.decode("utf-8", "surrogatepass"))
    return told if told.get("v") == FORMAT else {}


def names_of(states: Iterable[TableState]) -> set[str]:
    """Return the names of every chunk that is in use."""
    return {note.name for state in states for note in state.chunks}
