"""The rules of a SQL source: its rows become records like any other; only its preview is its own."""

from __future__ import annotations

import json
from typing import Any

from bokit.core.items.reader import SeenItem
from bokit.core.items.rules import RecordRules
from bokit.core.model.records import Json
from bokit.core.model.source_rules import Context, Problem, Seen, Verdict


class TableRules(RecordRules):
    """Records of tables: planned batch by batch by ``engine.tables``, previewed by a sample of the first rows."""

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[SeenItem]:
        """Return what a sample shows: whether its tables have rows, and which of them cannot be read."""
        tables = json.loads(body)["tables"]
        errors = [(table["name"], table["error"]) for table in tables if table.get("error")]
        problems = tuple(Problem(code=error["code"], message=error["message"]) for _, error in errors)
        if errors:
            return Seen(
                verdict=Verdict.PARTIAL if len(errors) < len(tables) else Verdict.UNREADABLE, problems=problems, whole=False
            )
        has_rows = any(table["rows"] for table in tables)
        return Seen(verdict=Verdict.OK if has_rows else Verdict.EMPTY, whole=False)

    def inspect(self, body: bytes, seen: Seen[SeenItem], context: Context) -> dict[str, Json]:
        """Return the tables, their columns and first rows, as ``source test`` shows them."""
        sample: dict[str, Any] = json.loads(body)
        return {"entries": [row for table in sample["tables"] for row in table["rows"]], **sample}
