"""The rules of a SQL source: its rows become records like any other; only what is shown of it first is its own."""

from __future__ import annotations

import json

from bokit.core.items.reader import Row
from bokit.core.items.rules import RecordRules
from bokit.core.model.records import Json
from bokit.core.model.source_rules import Context, Seen, Verdict


class TableRules(RecordRules):
    """Records of tables: planned row by row by the engine (``engine.tables.sync``), shown by a sample of the first rows."""

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[Row]:
        """Return what a sample shows: that its tables can be read."""
        tables = json.loads(body)["tables"]
        shown = any(table["rows"] for table in tables)
        return Seen(verdict=Verdict.OK if shown else Verdict.EMPTY, whole=False)

    def inspect(self, body: bytes, seen: Seen[Row], context: Context) -> dict[str, Json]:
        """Return the tables, their columns and first rows, as ``source test`` shows them."""
        told: dict[str, Json] = json.loads(body)
        return {"entries": [row for table in told["tables"] for row in table["rows"]], **told}
