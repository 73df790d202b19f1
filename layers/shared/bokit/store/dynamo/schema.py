"""The schema number in the table: one item, read once by each process, before its first write."""

from __future__ import annotations

from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import TableGateway, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.schema import SCHEMA, check_schema


class DynamoSchema:
    """``SchemaStore`` on the table."""

    _table: TableGateway

    def load_schema(self) -> int | None:
        return self._table.load_schema()

    def raise_schema(self) -> None:
        stored = self._table.load_schema()
        check_schema(stored)
        if stored == SCHEMA:
            return
        is_older = ItemRow.schema_number.does_not_exist() | (ItemRow.schema_number < SCHEMA)
        raised = UpdateItem(key=keys.SCHEMA, actions=[ItemRow.schema_number.set(SCHEMA)], condition=is_older)
        self._table.remember_schema(SCHEMA if self._table.update(raised) else None)
