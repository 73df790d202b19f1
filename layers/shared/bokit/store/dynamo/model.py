"""The one table as PynamoDB sees it: every attribute that an item may have, and which items have it.

One model serves all kinds of item, since PynamoDB makes a client for each model class, and 32 threads at a cold start would
make 32. It declares no ``VersionAttribute``: ``batch_write`` ignores that, and ``update()`` without a ``get`` resets it.
Versions are plain numbers, and each condition on one is written where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pynamodb.attributes import (
    Attribute,
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

from bokit.aws import CONNECT_SECONDS, READ_SECONDS


class LinesAttribute(Attribute[Mapping[str, str]]):
    """A map of texts, read without an object for each."""

    attr_type = "M"

    def serialize(self, value: Mapping[str, str]) -> Any:
        return {name: {"S": text} for name, text in value.items()}

    def deserialize(self, value: Any) -> Mapping[str, str]:
        return {name: text["S"] for name, text in value.items()}


class PlainNumberAttribute(NumberAttribute):
    """A number that is whole, as all of ours are: its digits are read as such, and not by a parser of JSON."""

    def deserialize(self, value: str) -> Any:
        return int(value) if value.isdecimal() else super().deserialize(value)  # type: ignore[no-untyped-call]


class DueIndexMeta:
    """Keys only: copying the schedules as well would double the cost of every claim."""

    index_name = "due"
    projection = KeysOnlyProjection()


class DueIndex(GlobalSecondaryIndex["ItemRow"]):  # type: ignore[no-untyped-call]
    """Items by the time at which they are due. Sparse: shards, monitors, open runs, unread event logs, endpoints, alert
    channels, connections, revoked tokens and published documents that are read have its keys.
    """

    Meta = DueIndexMeta

    due_pk = UnicodeAttribute(hash_key=True)
    due_at = NumberAttribute(range_key=True)


class ItemRow(Model):
    """One item. Times are microseconds since 1970, documents are JSON."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = DueIndex()

    doc = UnicodeAttribute(null=True)
    """The value itself: tenant, property, unit, source, collection, options, head, record, change, monitor, token, open run,
    webhook, endpoint, delivery, alert channel and its state, ticket, connection, calendar that is unread."""
    version = PlainNumberAttribute(null=True)
    """The condition of the next write of a property, unit, source, collection, options, head, record, snapshot, monitor,
    webhook, published document, alert channel or its state. Progress of an open run: raised with each report."""
    uses = PlainNumberAttribute(null=True)
    """Property, unit and collection: how often something was written within it since it was written itself.
    Endpoint: how often it was woken."""
    tenant = UnicodeAttribute(null=True)
    """Owner of a head, token, ticket, published document or outbox item, whose keys do not hold it."""

    fence = PlainNumberAttribute(null=True)
    """Shard, head and endpoint: raised at each claim or lease."""
    holder = UnicodeAttribute(null=True)
    """Shard and head: the run that has the claim or lease. Endpoint: who sends."""
    open_leases = PlainNumberAttribute(null=True)
    """Head: leases that were acquired and neither released nor ended by a success."""
    until = PlainNumberAttribute(null=True)
    """Shard, head and endpoint: end of the claim or lease. Answer: until when its key is taken."""
    nonce = UnicodeAttribute(null=True)
    """Shard and head: which request claimed or leased it. Elsewhere: which request wrote the item, if it had a condition."""

    schedules = LinesAttribute(attr_name="beats", null=True)
    """Shard: one schedule line for each source."""
    due_pk = UnicodeAttribute(null=True)
    """Shard, monitor, open run, unread log, endpoint, an alert channel's state, connection, revoked token and published document:
    present if it has a due time.
    """
    due_at = PlainNumberAttribute(null=True)
    """Shard: the next due time. Monitor: the next run. Open run: when it is overdue. Alert channel: when to look again.
    Event log: when those who read it are looked for. Endpoint: the next attempt.
    Connection: its end. Token: when it was revoked, until its connections are closed.
    Published document: when one of its readers is missed."""
    lowered = PlainNumberAttribute(null=True)
    """Shard: the earliest due time that was written outside the present claim."""
    recent_0 = BinaryAttribute(null=True, legacy_encoding=False)
    """Shard, like the next three: an unchanged batch's run, compressed. The claim's fence selects the slot."""
    recent_1 = BinaryAttribute(null=True, legacy_encoding=False)
    recent_2 = BinaryAttribute(null=True, legacy_encoding=False)
    recent_3 = BinaryAttribute(null=True, legacy_encoding=False)
    sources = PlainNumberAttribute(null=True)
    """The list of shards: the number of the shard's sources."""

    seq = PlainNumberAttribute(null=True)
    """Counter of an event log: the number of its last event."""
    groups = PlainNumberAttribute(null=True)
    """Open run: the number of items that hold its progress. An ended run has none."""
    pending = UnicodeSetAttribute(null=True)
    """Progress of an open run: the sources that have not reported. A former release's open run: the same."""
    reports: MapAttribute[str, bytes] = MapAttribute(null=True)  # type: ignore[no-untyped-call]
    """A former release's open run: what each source reported, compressed. An ended run has none."""
    share = PlainNumberAttribute(null=True)
    """A former release's open run: the bytes that one report may take, for all to fit."""
    used_at = PlainNumberAttribute(null=True)
    """Token: its last use. Published document: when it was last read."""
    first_used_at = PlainNumberAttribute(null=True)
    """Published document: when it was first read after it was written."""
    readers = UnicodeAttribute(null=True)
    """Published document: which kinds of program read it."""
    revoked_at = PlainNumberAttribute(null=True)
    """Token: when it was revoked."""

    packed = BinaryAttribute(null=True, legacy_encoding=False)
    """Snapshot, chunk, run, answer, published document, and their parts: compressed bytes. Progress: the reports. Record: its
    document, where that is too large for one item."""
    parts = PlainNumberAttribute(null=True)
    """As *packed*: the number of parts that hold the bytes, where one item does not."""
    stamp = UnicodeAttribute(null=True)
    """As *packed*: which content's parts. Open run: which progress items. Monitor: which of the tenant's monitors.
    Stale source: its last success. Delivery: the event's id."""
    expires_at = TTLAttribute(null=True)
    """Run, progress, answer, published document, number of a day's writes, event, delivery, ticket, connection, and a change that
    is not among its record's last: when TTL may delete it."""
    used = PlainNumberAttribute(null=True)
    """Usage: how much there is of what is counted."""
    schema_number = PlainNumberAttribute(attr_name="schema", null=True)
    """Schema: the number of the form in which items are written."""

    @classmethod
    def from_raw_data(cls, data: dict[str, dict[str, Any]]) -> Self:
        """Return the item that DynamoDB returned. Only what it has is read, not each attribute that an item may have.

        A query of a hundred records takes a fifth of the CPU.
        """
        row, attributes = cls.__new__(cls), cls._by_stored_name()
        row.attribute_values = {}
        for stored_name, value in data.items():
            name, attribute = attributes.get(stored_name, (None, None))
            if name is not None and attribute is not None and "NULL" not in value:
                found = attribute.deserialize(attribute.get_value(value))
                if "M" in value:  # the attribute makes an object of it
                    setattr(row, name, found)
                else:
                    row.attribute_values[name] = found
        return row

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        """Return the item as DynamoDB takes it. Only what it has is written, as in :meth:`from_raw_data`.

        An item of five attributes takes a quarter of the CPU.
        """
        attributes = self.get_attributes()
        given = [(attributes[name], value) for name, value in self.attribute_values.items() if value is not None]
        if any(isinstance(attribute, MapAttribute) for attribute, _ in given):
            return super().serialize(null_check)
        found = ((attribute, attribute.serialize(value)) for attribute, value in given)
        return {attribute.attr_name: {attribute.attr_type: value} for attribute, value in found if value is not None}

    @classmethod
    @cache
    def _by_stored_name(cls) -> dict[str, tuple[str, Attribute[Any]]]:
        return {attr.attr_name: (name, attr) for name, attr in cls.get_attributes().items()}

    @classmethod
    def shared_connection(cls) -> Connection:
        """Return the table's one connection, which transactions use too."""
        return cls._get_connection().connection


def bind_row(table: str, region_name: str | None, endpoint_url: str | None) -> type[ItemRow]:
    """Return the model of one table at one endpoint. Each has its own connection."""

    class BoundItemRow(ItemRow):
        class Meta:
            table_name = table
            region = region_name
            host = endpoint_url
            billing_mode = "PAY_PER_REQUEST"
            connect_timeout_seconds = CONNECT_SECONDS
            read_timeout_seconds = READ_SECONDS
            max_retry_attempts = 3
            max_pool_connections = 64

    return BoundItemRow
