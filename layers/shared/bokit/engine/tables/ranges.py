"""A whole pass over a table by key ranges: each range is surveyed first, and compared row by row only if its digest differs.

The survey adds up what the driver returned for a range's rows, unread. If the sum is the agreed one, nothing else is done.
Otherwise the range is read again, in the same snapshot, and each row is compared with the range's chunk. Where a row had a
problem, or is read in another way than before, the survey reads each, and adds up the rows' own digests. A range that was
never read becomes as many chunks as it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bokit.core.model.source_rules import Problem
from bokit.core.tables.chunks import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    REJECTED,
    ChunkSummary,
    KeyRange,
    RangeDigest,
    RowDigest,
    digest_raw,
    key_ranges,
    mark_unconfirmed,
    summarise_chunk,
)
from bokit.core.tables.progress import PassProgress
from bokit.core.tables.values import KeyValues, SeenRow, reject_row
from bokit.engine.tables.table import BATCH, RowFaults, SyncedTable
from bokit.engine.tables.tombstones import find_doomed
from bokit.sources.sql.protocols import DatabaseSnapshot
from bokit.values import Value, field, replace

RESERVE = 45.0
"""Seconds that a worker keeps for saving its progress."""
CHECKPOINT = 25
"""A first pass saves its progress after this many chunks, however much time is left."""
SAME_KEY = "two rows have this key as text; the first of them is used"


class RangeSurvey(Value):
    """The survey of one range."""

    keys: KeyRange
    chunk: ChunkSummary | None
    """Its chunk, as the survey leaves it; None: the range was never read."""
    differs: bool
    rows: int = 0
    """Rows that it showed, where nothing differs."""
    faults: RowFaults = field(default_factory=RowFaults)


class TablePass:
    """A whole pass over one table."""

    def __init__(self, table: SyncedTable, database: DatabaseSnapshot) -> None:
        self.table, self.session, self.database = table, table.session, database
        left = self.session.unfinished
        self.force = self.session.job.force or bool(left and left.is_open) or table.is_recheck_due
        """Compare every row with its record: a person asked for it, or other rules; or who began this pass died while writing."""

    def run(self) -> bool:
        """Read the ranges that this pass has not read yet; return whether there was time for all."""
        self._compare_reading()
        done = self._done()
        while done < len(ranges := key_ranges(self.table.state)):
            surveys = self._survey(ranges[done:])
            if not self._update(surveys, done):
                return False
            done = self._done() if self.session.memory.part else done + len(surveys)
        return True

    def _compare_reading(self) -> None:
        """Read each row once more where rows are read in another way than those of the last pass."""
        reading = f"{self.table.meaning}/{self.database.reading_of(self.table.spec)}"
        self.table.state = self.table.state.with_reading(reading)

    def _done(self) -> int:
        progress = self.session.memory.part
        return progress.done.get(self.table.name, 0) if progress else 0

    def _is_late(self) -> bool:
        return self.session.seconds_left() < RESERVE

    # ── survey ──

    def _survey(self, ranges: Sequence[tuple[KeyRange, ChunkSummary | None]]) -> list[RangeSurvey]:
        """Survey as many ranges as fit into half of the time left, at least one."""
        end = max(self.session.seconds_left() / 2, RESERVE) if self.session.is_timed else float("-inf")

        def is_late() -> bool:
            return self.session.seconds_left() < end

        surveys: list[RangeSurvey] = []
        for keys, chunk in ranges:
            if surveys and is_late():
                break
            surveys.append(self._survey_range(keys, chunk))
        return surveys

    def _survey_range(self, keys: KeyRange, chunk: ChunkSummary | None) -> RangeSurvey:
        """Compare the digest of one range; what is compared row by row in any case is not read for it."""
        if self.force or chunk is None:
            return RangeSurvey(keys=keys, chunk=chunk, differs=True)
        if chunk.raw:
            raw = digest_raw(self.database.fetch_raw(self.table.spec, keys))
            return RangeSurvey(keys=keys, chunk=chunk, differs=raw != chunk.raw, rows=chunk.rows)
        return self._survey_rows(keys, chunk)

    def _survey_rows(self, keys: KeyRange, chunk: ChunkSummary) -> RangeSurvey:
        """Read each row of one range, and compare the digest of all; if it is the agreed one, the next survey need not."""
        digest, faults, raws = RangeDigest(), RowFaults(), list[bytes]()
        for row in self.database.fetch_rows(self.table.spec, keys):
            faults.add(row)
            raws.append(row.raw)
            if row.key:
                digest.add(row.key, row.digest)
        seen = replace(chunk, raw=digest_raw(raws))
        differs = digest.hexdigest() != chunk.digest
        return RangeSurvey(keys=keys, chunk=seen, differs=differs, rows=len(raws), faults=faults)

    # ── update ──

    def _update(self, surveys: Sequence[RangeSurvey], done: int) -> bool:
        """Update what differs, range by range; return whether there is time to continue."""
        old = self.table.state.chunks
        chunks = list(old[:done])
        for number, survey in enumerate(surveys, start=done):
            is_complete = True
            if survey.chunk is not None and not survey.differs:
                self.session.counts["seen"] += survey.rows
                self.table.note_faults(survey.faults)
                chunks.append(survey.chunk)
            elif number > done and self._is_late():
                return False
            else:
                is_complete = self._update_range(survey, chunks)
            self._note_progress([*chunks, *old[number + 1 :]], len(chunks))
            if not is_complete:
                return False
        return True

    def _note_progress(self, chunks: Sequence[ChunkSummary], done: int) -> None:
        """Keep how far the pass has come; it is stored with the next state."""
        session = self.session
        if tuple(chunks) != self.table.state.chunks:
            self.table.state = replace(self.table.state, chunks=tuple(chunks))
        if session.memory.part or session.is_timed:
            progress = session.memory.part or PassProgress()
            session.memory = replace(session.memory, part=progress.with_done(self.table.name, done))

    def _update_range(self, survey: RangeSurvey, chunks: list[ChunkSummary]) -> bool:
        """Compare a range row by row, and append its new chunks to *chunks*; return whether there was time for all."""
        writer, faults = ChunkWriter(self.table, survey, chunks), RowFaults()
        batch: list[SeenRow] = []

        def save() -> None:
            writer.reject(self.table.save_rows([row for row in batch if not row.is_deleted], known=writer.known))
            writer.doom(find_doomed(self.table, (row for row in batch if row.is_deleted)))
            batch.clear()

        for row in self.database.fetch_rows(self.table.spec, survey.keys):
            faults.add(row)
            self.session.counts["seen"] += 1
            if not row.key:
                writer.doubt()
                continue
            if writer.has(row.key):  # the database distinguishes them: 1 and '1' of a column without a type
                faults.add(reject_row(Problem(code="duplicate-key", message=SAME_KEY, uid=row.key)))
                writer.doubt()
                continue
            if (writer.add(row) or self.force) and row.is_usable:
                batch.append(row)
            if len(batch) >= BATCH or writer.is_full:
                save()
            if writer.is_full:
                writer.cut()
                if survey.chunk is None and self._must_stop(chunks):
                    writer.stop()
                    self._note_progress(chunks, len(chunks))
                    self.table.note_faults(faults)
                    return False
        save()
        writer.end()
        self.table.note_faults(faults)
        return True

    def _must_stop(self, chunks: Sequence[ChunkSummary]) -> bool:
        """Store the progress of a first pass now and then; return whether the time is over."""
        self._note_progress(chunks, len(chunks))
        if len(chunks) % CHECKPOINT == 0 and not self.session.job.dry_run:
            self.session.save_state()
        return self._is_late()


class ChunkWriter:
    """Writes the chunks of one range, given its rows in key order."""

    def __init__(self, table: SyncedTable, survey: RangeSurvey, chunks: list[ChunkSummary]) -> None:
        self._table, self._keys, self._chunks = table, survey.keys, chunks
        self._name = survey.chunk.name if survey.chunk else None
        self._before = table.session.load_chunk(survey.chunk.name) if survey.chunk else {}
        self._unseen, self._rows, self._size = dict(self._before), dict[str, RowDigest](), 0
        self._raws = dict[str, bytes]()
        self.known = {key for key, row in self._before.items() if row.digest != REJECTED} if table.is_shared else set()
        """Keys of records that are this table's, where other tables feed the same collection."""

    @property
    def is_full(self) -> bool:
        """Return whether there are rows for two chunks."""
        return len(self._rows) >= 2 * CHUNK_ROWS or self._size >= 2 * CHUNK_BYTES

    def has(self, key: str) -> bool:
        """Return whether a row of this key was added, and not written yet."""
        return key in self._rows

    def add(self, row: SeenRow) -> bool:
        """Add the next row; return whether it is new or changed."""
        before = self._unseen.pop(row.key, None)
        self._rows[row.key], self._raws[row.key] = RowDigest.of(row), row.raw
        self._size += len(row.key) + len(row.digest) + 8
        return before is None or before.digest != row.digest

    def reject(self, keys: set[str]) -> None:
        """Mark these rows as rejected: the next pass tries them again."""
        for key in keys:
            self._rows[key], self._raws[key] = replace(self._rows[key], digest=REJECTED), b""
        self._table.count("refused", len(keys))

    def doom(self, keys: Sequence[str]) -> None:
        """Mark these rows, which are shown as deleted: their records are removed at the end of the pass."""
        for key in keys:
            self._rows[key], self._raws[key] = self._rows[key].as_pending(), b""

    def doubt(self) -> None:
        """Note that the next row is in no chunk: the chunk that it would be in is read row by row by the next survey."""
        self._raws[next(reversed(self._raws), "")] = b""

    def cut(self) -> None:
        """Write the first half of the rows as a chunk of its own."""
        keys = list(self._rows)[: len(self._rows) // 2]
        first = {key: self._rows.pop(key) for key in keys}
        raws = [self._raws.pop(key) for key in ("", *keys) if key in self._raws]
        self._size //= 2
        self._write(first, first[keys[-1]].key_values, raws)

    def stop(self) -> None:
        """Write the rows so far: each has its record by now, and none may be without a chunk."""
        last = list(self._rows.values())[-1]
        self._write(self._rows, last.key_values, self._raws.values())
        self._rows, self._raws, self._size = {}, {}, 0

    def end(self) -> None:
        """Write the rest, with the rows that the range no longer shows."""
        self._write({**self._rows, **mark_unconfirmed(self._unseen)}, self._keys.until, self._raws.values())

    def _write(self, chunk: dict[str, RowDigest], until: KeyValues | None, raws: Iterable[bytes]) -> None:
        name, is_same = self._name or self._table.name_chunk(), self._name is not None and chunk == self._before
        self._name = None
        if not is_same:
            self._table.session.save_chunk(name, chunk)
        self._chunks.append(replace(summarise_chunk(name, until, chunk), raw=digest_raw(raws)))
