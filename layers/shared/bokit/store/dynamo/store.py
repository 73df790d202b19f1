"""The store on DynamoDB: one table, keys led by the tenant. ``docs/decisions/0001-one-table.md`` has the access patterns."""

from __future__ import annotations

from typing import Any

from bokit.core.model.quotas import UNBOUNDED, Quotas
from bokit.store.dynamo.access import DynamoTokens
from bokit.store.dynamo.alerts import DynamoAlerts
from bokit.store.dynamo.catalog import DynamoCatalog
from bokit.store.dynamo.connections import DynamoConnections
from bokit.store.dynamo.events import DynamoEvents
from bokit.store.dynamo.gateway import TableGateway
from bokit.store.dynamo.items import DynamoItems
from bokit.store.dynamo.monitors import DynamoMonitors
from bokit.store.dynamo.pauses import Pauses
from bokit.store.dynamo.published import DynamoPublished
from bokit.store.dynamo.records import DynamoRecords
from bokit.store.dynamo.runs import DynamoRuns
from bokit.store.dynamo.schedule import DynamoSchedule
from bokit.store.dynamo.schema import DynamoSchema
from bokit.store.dynamo.webhooks import DynamoWebhooks


class DynamoStore(
    DynamoCatalog,
    DynamoSchedule,
    DynamoRecords,
    DynamoRuns,
    DynamoMonitors,
    DynamoTokens,
    DynamoPublished,
    DynamoEvents,
    DynamoWebhooks,
    DynamoAlerts,
    DynamoConnections,
    DynamoSchema,
    DynamoItems,
):
    """All of ``Store`` on one table. Its client is made with it, once for all threads, and sends nothing yet."""

    def __init__(
        self,
        table_name: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        quotas: Quotas = UNBOUNDED,
        pauses: Pauses | None = None,
    ) -> None:
        self.table_name, self.quotas = table_name, quotas
        self._table = TableGateway(table_name, region=region, endpoint_url=endpoint_url, pauses=pauses)

    @property
    def client(self) -> Any:
        """Return the one botocore client, whose events can count and refuse every request."""
        return self._table.client
