"""The one table, as PynamoDB sees it: every attribute that an item may carry, and which items carry it.

There is one model for all kinds of item, since PynamoDB makes a client for each model class, and 32 threads at a cold
start would make 32. It declares no ``VersionAttribute``: ``batch_write`` skips that, and ``update()`` without a
``get`` resets it. Versions are plain numbers, and every condition on one is written out where it counts.
"""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, MapAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model


class DueIndex(GlobalSecondaryIndex["Row"]):  # type: ignore[no-untyped-call]
    """Shards by their next due time; sparse, since only shards carry its keys."""

    class Meta:
        """Keys alone: copying the lines as well would double the cost of every claim and beat."""

        index_name = "due"
        projection = KeysOnlyProjection()

    due_pk = UnicodeAttribute(hash_key=True)
    due_at = NumberAttribute(range_key=True)


class Row(Model):
    """One item. Times are microseconds since 1970, documents are JSON."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = DueIndex()

    doc = UnicodeAttribute(null=True)
    """The value itself: tenant, property, unit, source, options, head, record, change."""
    version = NumberAttribute(null=True)
    """Property, unit, source, options, head, record, snapshot: the condition of the next write."""
    tenant = UnicodeAttribute(null=True)
    """Head: whose it is, since heads of many tenants share a partition."""

    fence = NumberAttribute(null=True)
    """Shard and head: raised at each claim or lease."""
    holder = UnicodeAttribute(null=True)
    """Shard and head: who has the claim or lease."""
    until = NumberAttribute(null=True)
    """Shard and head: how long."""

    beats: MapAttribute[str, str] = MapAttribute(null=True)  # type: ignore[no-untyped-call]
    """Shard: one line a source."""
    due_pk = UnicodeAttribute(null=True)
    """Shard: present where something is due at all."""
    due_at = NumberAttribute(null=True)
    """Shard: the next due time."""
    lowered = NumberAttribute(null=True)
    """Shard: the earliest due time written outside the present claim."""
    recent_0 = BinaryAttribute(null=True, legacy_encoding=False)
    """Shard, as the next three: an unchanged batch's run, compressed; the claim's fence picks the place."""
    recent_1 = BinaryAttribute(null=True, legacy_encoding=False)
    recent_2 = BinaryAttribute(null=True, legacy_encoding=False)
    recent_3 = BinaryAttribute(null=True, legacy_encoding=False)
    sources = NumberAttribute(null=True)
    """The list of shards: how many sources the shard has."""

    packed = BinaryAttribute(null=True, legacy_encoding=False)
    """Snapshot, run, and their parts: compressed bytes."""
    parts = NumberAttribute(null=True)
    """Snapshot and run: how many parts hold the bytes, where one item does not."""
    stamp = UnicodeAttribute(null=True)
    """Snapshot and run: which content's parts."""
    expires_at = TTLAttribute(null=True)
    """Run: when TTL may tidy it away."""

    @classmethod
    def shared_connection(cls) -> Connection:
        """Return the table's one connection, which transactions use too."""
        return cls._get_connection().connection


def bind_row(table: str, region_name: str | None, endpoint_url: str | None) -> type[Row]:
    """Return the model of one table at one endpoint; each has one connection of its own."""

    class BoundRow(Row):
        class Meta:
            table_name = table
            region = region_name
            host = endpoint_url
            billing_mode = "PAY_PER_REQUEST"
            connect_timeout_seconds = 3
            read_timeout_seconds = 10
            max_retry_attempts = 3
            max_pool_connections = 64

    return BoundRow
