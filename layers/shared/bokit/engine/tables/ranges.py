"""One whole pass over a table, range by range of its keys: surveyed first, and settled where something differs.

The survey adds up the hashes of a range's rows; where the sum is the one that was agreed, nothing else is done. Where it
is not, the range is read once more, in the same snapshot, and compared row by row with its chunk. A range that was never
read becomes as many chunks as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bokit.core.tables.chunks import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    REFUSED,
    ChunkNote,
    Digest,
    KeyRange,
    Mark,
    doubt,
    mark_row,
    note_chunk,
    ranges_of,
)
from bokit.core.tables.progress import advance
from bokit.core.tables.spec import TableSpec
from bokit.core.tables.values import Key, SeenRow
from bokit.engine.tables.session import BATCH, TableSyncSession
from bokit.errors import SourceMalformedError
from bokit.sources.sql.protocols import Tables

RESERVE = 45.0
"""Seconds that a worker keeps back for writing how far it came."""
CHECKPOINT = 25
"""Chunks of a first pass after which it is written how far it came, however much time is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One range, surveyed."""

    keys: KeyRange
    note: ChunkNote | None
    differs: bool
    is_cut: bool = False
    """There was no time for all of it: *keys* end where it was cut."""


class TablePass:
    """A whole pass over one table."""

    def __init__(self, visit: TableSyncSession, tables: Tables, table: TableSpec) -> None:
        self.visit, self.tables, self.table = visit, tables, table
        self.force = visit.job.force or bool(visit.left and visit.left.is_open)
        """Compare every row with its record: a person asked for it, or who began this pass died while writing."""

    def run(self) -> bool:
        """Read what the pass has not read yet; tell whether there was time for all of it."""
        done = self._done()
        while done < len(ranges := ranges_of(self.visit.states[self.table.name])):
            found = self._survey(ranges[done:])
            if not self._settle(found, done):
                return False
            done = self._done() if self.visit.memory.part else done + len(found)
        return True

    def _done(self) -> int:
        part = self.visit.memory.part
        return part.done.get(self.table.name, 0) if part else 0

    # ── survey ──

    def _survey(self, ranges: Sequence[tuple[KeyRange, ChunkNote | None]]) -> list[Finding]:
        """Return the ranges that there was time to read, in half of what is left, and which of them differ."""
        end = max(self.visit.seconds_left() / 2, RESERVE) if self.visit.is_timed else float("-inf")

        def is_late() -> bool:
            return self.visit.seconds_left() < end

        found: list[Finding] = []
        for keys, note in ranges:
            if found and is_late():
                break
            finding = self._survey_range(keys, note, is_late)
            found.append(replace(finding, differs=finding.differs or self.force))
        return found

    def _survey_range(self, keys: KeyRange, note: ChunkNote | None, is_late: Callable[[], bool]) -> Finding:
        """Read one range and compare its sum; one that was never read may be cut where the time ends."""
        digest = Digest()
        for row in self.tables.read_rows(self.table, keys):
            digest.add(row.key, row.hash)
            if note is None and digest.rows % CHUNK_ROWS == 0 and is_late():
                return Finding(keys=replace(keys, until=row.at), note=None, differs=True, is_cut=True)
        return Finding(keys=keys, note=note, differs=note is None or digest.tell() != note.digest)

    # ── settle ──

    def _settle(self, found: Sequence[Finding], done: int) -> bool:
        """Take what differs, range by range; tell whether there is time to go on."""
        old = self.visit.states[self.table.name].chunks
        notes = list(old[:done])
        for number, finding in enumerate(found, start=done):
            if finding.note is not None and not finding.differs:
                self.visit.counts["seen"] += finding.note.rows
                notes.append(finding.note)
                whole = True
            elif number > done and self.visit.seconds_left() < RESERVE:
                return False
            else:
                whole = self._settle_range(finding, notes)
            self._note_progress([*notes, *old[number + 1 :]], len(notes))
            if not whole:
                return False
        return not any(f.is_cut for f in found) or self.visit.seconds_left() >= RESERVE

    def _note_progress(self, notes: Sequence[ChunkNote], done: int) -> None:
        """Remember how far the pass has come; it is written with the next state."""
        visit, name = self.visit, self.table.name
        if tuple(notes) != visit.states[name].chunks:
            visit.states[name] = replace(visit.states[name], chunks=tuple(notes))
        if visit.memory.part or visit.is_timed:
            visit.memory = replace(visit.memory, part=advance(visit.memory.part, name, done))

    def _settle_range(self, finding: Finding, notes: list[ChunkNote]) -> bool:
        """Compare one range row by row, and append its new chunks to *notes*; tell whether there was time for all of it."""
        pen = ChunkWriter(self.visit, self.table, finding, notes)
        batch: list[SeenRow] = []

        def take() -> None:
            pen.refuse(self.visit.take_rows(self.table, batch))
            batch.clear()

        for row in self.tables.read_rows(self.table, finding.keys):
            self.visit.counts["seen"] += 1
            if pen.add(row) or self.force:
                batch.append(row)
            if len(batch) >= BATCH or pen.is_full:
                take()
            if pen.is_full:
                pen.cut()
                if finding.note is None and self._must_stop(notes):
                    self.visit.counts["seen"] -= pen.waiting  # they are read again
                    return False
        take()
        pen.end()
        return True

    def _must_stop(self, notes: Sequence[ChunkNote]) -> bool:
        """Write now and then how far a first pass came; tell whether there is no time for more of it."""
        self._note_progress(notes, len(notes))
        if len(notes) % CHECKPOINT == 0 and not self.visit.job.dry_run:
            self.visit.save_state()
        return self.visit.seconds_left() < RESERVE


class ChunkWriter:
    """Writes the chunks of one range, as its rows come by in key order."""

    def __init__(self, visit: TableSyncSession, table: TableSpec, finding: Finding, notes: list[ChunkNote]) -> None:
        self._visit, self._table, self._keys, self._notes = visit, table, finding.keys, notes
        self._name = finding.note.name if finding.note else None
        self._before = visit.load_chunk(finding.note.name) if finding.note else {}
        self._left, self._marks, self._size = dict(self._before), dict[str, Mark](), 0

    @property
    def waiting(self) -> int:
        """Rows that are in no chunk yet."""
        return len(self._marks)

    @property
    def is_full(self) -> bool:
        """Return whether there are rows for two chunks."""
        return len(self._marks) >= 2 * CHUNK_ROWS or self._size >= 2 * CHUNK_BYTES

    def add(self, row: SeenRow) -> bool:
        """Note one more row; tell whether it is new, or says something else than before."""
        if row.key in self._marks:
            raise SourceMalformedError(
                f"table {self._table.table!r}: two rows share a key; name the columns that tell each row from every other",
                code="duplicate-key",
            )
        mark, before = mark_row(row), self._left.pop(row.key, None)
        self._marks[row.key] = mark
        self._size += len(row.key) + len(mark.hash) + 8
        return before is None or before.hash != mark.hash

    def refuse(self, keys: set[str]) -> None:
        """Keep in mind that these rows could not be taken: the next pass tries them again."""
        for key in keys:
            self._marks[key] = replace(self._marks[key], hash=REFUSED)
        if keys:
            self._visit.note_refused(self._table, len(keys))

    def cut(self) -> None:
        """Write the first half of the rows as a chunk of its own."""
        keys = list(self._marks)[: len(self._marks) // 2]
        first = {key: self._marks.pop(key) for key in keys}
        self._size //= 2
        self._write(first, first[keys[-1]].at)

    def end(self) -> None:
        """Write the rest, with the rows that the range no longer shows."""
        self._write({**self._marks, **doubt(self._left)}, self._keys.until)

    def _write(self, chunk: dict[str, Mark], until: Key | None) -> None:
        name, is_same = self._name or self._visit.name_chunk(self._table), self._name is not None and chunk == self._before
        self._name = None
        if not is_same:
            self._visit.save_chunk(name, chunk)
        self._notes.append(note_chunk(name, until, chunk))
