"""The schema number in memory."""

from __future__ import annotations

from bokit.store.memory.state import MemoryState
from bokit.store.schema import SCHEMA, check_schema


class MemorySchema(MemoryState):
    """``SchemaStore`` in a dictionary."""

    def load_schema(self) -> int | None:
        return self._schema

    def raise_schema(self) -> None:
        check_schema(self._schema)
        self._schema = SCHEMA
