"""The one table, as PynamoDB sees it: every attribute that an item may carry, and which items carry it.

There is one model for all kinds of item, since PynamoDB makes a client for each model class, and 32 threads at a cold
start would make 32. It declares no ``VersionAttribute``: ``batch_write`` skips that, and ``update()`` without a
``get`` resets it. Versions are plain numbers, and every condition on one is written out where it counts.
"""

from __future__ import annotations

from pynamodb.attributes import (
    BinaryAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.connection import Connection
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model


class DueIndex(GlobalSecondaryIndex["Row"]):  # type: ignore[no-untyped-call]
    """What is due, by its time; sparse, since only shards, monitors and open runs carry its keys."""

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
    """The value itself: tenant, property, unit, source, collection, options, head, record, change, monitor, token, open run."""
    version = NumberAttribute(null=True)
    """Property, unit, source, collection, options, head, record, snapshot, monitor, page: the condition of the next write.

    Open run: raised with each report."""
    tenant = UnicodeAttribute(null=True)
    """Head, token and page: whose it is, since their keys do not tell."""

    fence = NumberAttribute(null=True)
    """Shard and head: raised at each claim or lease."""
    holder = UnicodeAttribute(null=True)
    """Shard and head: who has the claim or lease."""
    until = NumberAttribute(null=True)
    """Shard and head: how long. Answer: up to when its key is taken."""

    beats: MapAttribute[str, str] = MapAttribute(null=True)  # type: ignore[no-untyped-call]
    """Shard: one line a source."""
    due_pk = UnicodeAttribute(null=True)
    """Shard, monitor and open run: present where something is due at all."""
    due_at = NumberAttribute(null=True)
    """Shard, monitor and open run: the next due time, the next run, and when it is overdue."""
    lowered = NumberAttribute(null=True)
    """Shard: the earliest due time written outside the present claim."""
    recent_0 = BinaryAttribute(null=True, legacy_encoding=False)
    """Shard, as the next three: an unchanged batch's run, compressed; the claim's fence picks the place."""
    recent_1 = BinaryAttribute(null=True, legacy_encoding=False)
    recent_2 = BinaryAttribute(null=True, legacy_encoding=False)
    recent_3 = BinaryAttribute(null=True, legacy_encoding=False)
    sources = NumberAttribute(null=True)
    """The list of shards: how many sources the shard has."""

    pending = UnicodeSetAttribute(null=True)
    """Open run: the sources that have not reported."""
    reports: MapAttribute[str, bytes] = MapAttribute(null=True)  # type: ignore[no-untyped-call]
    """Open run: what each source reported, compressed; an ended run has none."""
    share = NumberAttribute(null=True)
    """Open run: the most bytes that one report takes, so that all fit."""
    used_at = NumberAttribute(null=True)
    """Token: its last use."""
    revoked_at = NumberAttribute(null=True)
    """Token: since when it is worthless."""

    packed = BinaryAttribute(null=True, legacy_encoding=False)
    """Snapshot, chunk, run, answer, page, and their parts: compressed bytes."""
    parts = NumberAttribute(null=True)
    """As *packed*: how many parts hold the bytes, where one item does not."""
    stamp = UnicodeAttribute(null=True)
    """As *packed*: which content's parts. Monitor: which of the tenant's monitors."""
    expires_at = TTLAttribute(null=True)
    """Run, answer and page: when TTL may tidy it away."""

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
