"""How the table's open runs are read, for the history and for the tick that ends overdue ones."""

from __future__ import annotations

from bokit.core.model.runs import OpenRun
from bokit.store.dynamo import keys
from bokit.store.dynamo.former_open_runs import read_former_run
from bokit.store.dynamo.gateway import TableGateway
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.open_runs import RunProgress, join_open_run, read_progress
from bokit.store.dynamo.parts import DynamoParts


class DynamoOpenRunReads(DynamoParts):
    """Reads of open runs, each with one query of its progress."""

    _table: TableGateway

    def _read_open_run(self, row: ItemRow) -> OpenRun | None:
        """Return the open run of its row; None if it has ended."""
        return read_former_run(row) if row.groups is None else join_open_run(row, self._load_progress(row))

    def _load_progress(self, row: ItemRow) -> list[RunProgress]:
        """Return the progress of the open run of *row*."""
        partition = keys.progress_partition(Key(row.pk, row.sk))
        return [read_progress(part) for part in self._table.query(partition, ItemRow.sk.startswith(f"{row.stamp}#"))]
