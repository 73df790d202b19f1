"""Passes that do not read the whole table: only rows that were updated since the watermark, or only rows that are new.

No row is found missing in them. Rows that are shown as deleted are removed, unless that is half of the table: then, or where
updated rows have lost a field that no row has any more, the pass becomes a whole one, which the guards judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bokit.core.model.agreement import PARTIAL, Loss
from bokit.core.model.due_times import interval_of
from bokit.core.tables.chunks import KeyRange, RangeDigest
from bokit.core.tables.limits import MAX_UNSTAMPED_ROWS
from bokit.core.tables.progress import hold_rows
from bokit.core.tables.values import SeenRow, rewind_watermark, unpack_key
from bokit.engine.tables.columns import has_changed_fields
from bokit.engine.tables.table import BATCH, RowFaults, SyncedTable
from bokit.engine.tables.tombstones import find_doomed, remove_doomed
from bokit.sources.sql.protocols import DatabaseSnapshot
from bokit.values import replace


def save_new(table: SyncedTable, rows: Iterable[SeenRow]) -> None:
    """Save the rows without a record; chunks are neither read nor written."""
    for batch in _read_batches(table, rows):
        table.count("refused", len(table.save_rows([row for row in batch if not row.is_deleted], only_new=True)))


def _read_batches(table: SyncedTable, rows: Iterable[SeenRow]) -> Iterator[list[SeenRow]]:
    """Yield the usable rows, a batch at a time; at the end, note what could not be read of the others."""
    batch, faults = list[SeenRow](), RowFaults()
    for row in rows:
        table.session.counts["seen"] += 1
        faults.add(row)
        batch += [row] if row.is_usable else []
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch
    table.note_faults(faults)


class UpdatePass:
    """Reads the rows of one table that were updated since its watermark, and some time before it.

    Rows without a time are compared as well.
    """

    def __init__(self, table: SyncedTable, database: DatabaseSnapshot) -> None:
        self.table, self.session, self.database = table, table.session, database
        self.doomed: list[str] = []
        self._counts, self._problems = Counter(self.session.counts), list(self.session.problems)

    def run(self) -> bool:
        """Save what was updated; return False where the table has to be read as a whole.

        So it is where too many rows have no time, the watermark is not one, or a guard has to judge the whole table.
        """
        table, state = self.table, self.table.state
        overlap = table.spec.overlap or 2 * interval_of(self.session.head.source, self.session.job.options)
        since = rewind_watermark(unpack_key([state.watermark])[0], overlap)
        unstamped = self.database.fetch_unstamped(table.spec, MAX_UNSTAMPED_ROWS + 1)
        if since is None or len(unstamped) > MAX_UNSTAMPED_ROWS:
            return False
        watermark = self.database.fetch_watermark(table.spec, self.session.at)
        digest = _digest(unstamped)
        is_trusted = digest == state.unstamped or self._save(unstamped)
        if not is_trusted or not self._save(self.database.fetch_rows(table.spec, KeyRange(), since)):
            self._forget()
            return False
        remove_doomed(table, self.doomed)
        table.state = replace(table.state, unstamped=digest)
        self._end(watermark)
        return True

    def _save(self, rows: Iterable[SeenRow]) -> bool:
        """Save rows; return False, and leave the rest, where a guard has to judge the whole table."""
        for batch in _read_batches(self.table, rows):
            shown = [row for row in batch if not row.is_deleted]
            self.doomed += find_doomed(self.table, (row for row in batch if row.is_deleted))
            if self._is_shrunken() or has_changed_fields(self.table, self.database, shown):
                return False
            self.table.count("refused", len(self.table.save_rows(shown)))
        return True

    def _is_shrunken(self) -> bool:
        known, gone = self.table.state.live, len(set(self.doomed))
        return Loss(shown=1, known=known, gone=gone, agreed_since=self.session.at).is_shrunken

    def _forget(self) -> None:
        """Take back what was counted of rows that the whole pass reads again; what was written stays counted."""
        read = [name for name in self.session.counts if name.partition(":")[0] in ("seen", "refused", "unknown", "left_out")]
        for name in read:
            self.session.counts[name] = self._counts[name]
        self.session.problems = self._problems

    def _end(self, watermark: Any) -> None:
        table, session = self.table, self.session
        session.is_whole = False
        if watermark is not None:
            table.save_watermark(watermark)
        if table.counted("refused"):
            before = session.memory.holds.get(table.name)
            held = before if before and before.code != PARTIAL else hold_rows(before, session.at)
            session.memory = replace(session.memory, holds={**session.memory.holds, table.name: held})


def _digest(rows: Sequence[SeenRow]) -> str:
    """Return a digest of *rows*, by which two passes are seen to read the same."""
    digest = RangeDigest()
    for row in rows:
        digest.add(row.key, row.digest)
    return digest.hexdigest()
