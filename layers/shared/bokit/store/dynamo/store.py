"""The store on DynamoDB: one table, keys led by the tenant. ``docs/decisions/0001-one-table.md`` has the access patterns."""

from __future__ import annotations

from typing import Any

from bokit.store.dynamo.access import TokenRows
from bokit.store.dynamo.catalog import CatalogRows
from bokit.store.dynamo.gateway import Rows
from bokit.store.dynamo.monitors import MonitorRows
from bokit.store.dynamo.published import PageRows
from bokit.store.dynamo.records import RecordRows
from bokit.store.dynamo.runs import RunRows
from bokit.store.dynamo.schedule import ScheduleRows


class DynamoStore(CatalogRows, ScheduleRows, RecordRows, RunRows, MonitorRows, TokenRows, PageRows):
    """All of ``Store`` on one table.

    Making one makes its client, once for all threads, and asks nothing of the network yet.
    """

    def __init__(self, table_name: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self.table_name = table_name
        self._rows = Rows(table_name, region=region, endpoint_url=endpoint_url)

    @property
    def client(self) -> Any:
        """The one botocore client, whose events tell, and can cut, every request."""
        return self._rows.client
