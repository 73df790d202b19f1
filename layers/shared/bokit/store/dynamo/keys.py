"""The keys of the one table, which decide what is stored together. ``docs/decisions/0001-one-table.md`` says why.

Everything of a tenant begins with ``T#<tenant>#``; shards cross tenants. ``#`` separates the parts of a key and never occurs
inside one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.codec import write_micros
from bokit.core.model.connections import ConnectionId
from bokit.core.model.events import OutboxItem
from bokit.core.model.records import CollectionName, RecordId, RunId, Scope, SourceId, TenantId
from bokit.core.model.webhooks import Delivery, WebhookId
from bokit.errors import UnknownIdError
from bokit.store.limits import MAX_KEY_TEXT, MAX_PARTITION_KEY, MAX_SORT_KEY

_SAFE = " !$&'()*+,/:;=?@[]^`{|}<>\"\\~"

DUE = "DUE"
"""The partition of the index of due items that has shards, monitors and open runs."""
DUE_DELIVERIES = "DUE#DELIVERIES"
"""Another partition of that index: unread logs and endpoints. However many there are, they keep no sync waiting."""
DUE_ALERTS = "DUE#ALERTS"
"""A third one: alert channels. However many are due, no sync waits for them."""
DUE_CLOSINGS = "DUE#CLOSINGS"
"""A fourth one: connections of the WebSocket by their end, and revoked tokens whose connections are to be closed."""
DUE_READERS = "DUE#READERS"
"""A fifth one: published documents, by when one of their readers is missed."""
SHARDS = "SHARDS"
TENANTS = "TENANTS"
USAGE = "USAGE"
"""The partition of what counts against quotas of the stack."""


class Key(NamedTuple):
    """Partition and sort key of one item."""

    pk: str
    sk: str


SCHEMA = Key("SCHEMA", "SCHEMA")
"""The key of the table's schema number."""


def join(*parts: str) -> str:
    """Return a key of *parts*, each quoted, so two parts never read as one.

    Raises UnknownIdError for one that is too long to be an existing id.
    """
    key = "#".join(_quote(part) for part in parts)
    if len(key) > MAX_PARTITION_KEY:
        raise UnknownIdError("no such id: too long")
    return key


def _quote(part: str) -> str:
    return quote(part, safe=_SAFE, errors="surrogatepass")


def fit(text: str) -> str:
    """Return a part for a user's own text of any length: itself, or its hash if it is too long for a key.

    Quoted text never contains ``%-``, so a hash never equals a text.
    """
    part = _quote(text)
    return part if len(part) <= MAX_KEY_TEXT else f"%-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def make_key(pk: str, sk: str) -> Key:
    """Return a key that the table accepts; raises UnknownIdError for an empty one, or one too long for an existing id."""
    if not sk or len(sk) > MAX_SORT_KEY:
        raise UnknownIdError("no such id: empty or too long")
    return Key(pk, sk)


def find_key(make: Callable[..., Key], *parts: str) -> Key | None:
    """Return the key that *make* makes of *parts*; None if no item can have it."""
    try:
        return make(*parts)
    except UnknownIdError:
        return None


def tenant_prefix(tenant: TenantId) -> str:
    """Return the beginning of every partition of the tenant."""
    return join("T", tenant) + "#"


def tenant_key(tenant: TenantId) -> Key:
    """Return the key of a tenant in the list of tenants."""
    return make_key(TENANTS, join(tenant))


def catalog_partition(tenant: TenantId) -> str:
    """Return the partition of properties, units, sources and options."""
    return join("T", tenant, "CATALOG")


def catalog_key(tenant: TenantId, kind: str, item_id: str) -> Key:
    """Return the key of one property, unit, source, collection or token id."""
    return make_key(catalog_partition(tenant), join(kind, item_id))


def options_key(tenant: TenantId) -> Key:
    """Return the key of all options of a tenant."""
    return make_key(catalog_partition(tenant), "OPTIONS")


def monitor_key(tenant: TenantId) -> Key:
    """Return the key of a tenant's monitor."""
    return make_key(join("T", tenant, "MONITOR"), "MONITOR")


def usage_key(tenant: TenantId | None, name: str) -> Key:
    """Return the key of a number that counts against a quota of the tenant, or of the stack (None)."""
    return make_key(USAGE if tenant is None else join("T", tenant, "USAGE"), join(name))


def last_part(key: Key) -> str:
    """Return the id at the end of a sort key."""
    return unquote(key.sk.rpartition("#")[2], errors="surrogatepass")


def token_key(digest: str) -> Key:
    """Return the key of a token: a request brings its hash, and does not say its tenant."""
    return make_key(join("TOKEN", digest), "TOKEN")


def is_token(key: Key) -> bool:
    """Return whether *key* is that of a token."""
    return key.sk == "TOKEN"


def ticket_key(digest: str) -> Key:
    """Return the key of a ticket: who opens a socket brings its hash, and does not say its tenant."""
    return make_key(join("TICKET", digest), "TICKET")


def connections_partition(tenant: TenantId) -> str:
    """Return the partition of a tenant's open connections."""
    return join("T", tenant, "CONNECTIONS")


def connection_key(tenant: TenantId, connection_id: ConnectionId) -> Key:
    """Return the key of an open connection."""
    return make_key(connections_partition(tenant), f"OPEN#{join(connection_id)}")


def published_key(digest: str) -> Key:
    """Return the key of a published document: a reader knows its path, and no tenant."""
    return make_key(join("PAGE", digest), "PAGE")


def digest_of(key: Key) -> str:
    """Return the hash of the published document with *key*."""
    return unquote(key.pk.partition("#")[2], errors="surrogatepass")


def unread_partition(tenant: TenantId) -> str:
    """Return the partition of the tenant's calendars that some readers no longer read."""
    return join("T", tenant, "UNREAD")


def unread_key(tenant: TenantId, calendar_id: str) -> Key:
    """Return the key of such a calendar."""
    return make_key(unread_partition(tenant), join(calendar_id))


def shard_partition(shard: ShardId) -> str:
    """Return the partition of a shard's state and of its sources' heads."""
    return join("SHARD", shard)


def state_key(shard: ShardId) -> Key:
    """Return the key of a shard's claim, schedules and due time."""
    return make_key(shard_partition(shard), "STATE")


def shard_of(key: Key) -> ShardId:
    """Return the shard whose state has *key*."""
    return ShardId(unquote(key.pk.partition("#")[2], errors="surrogatepass"))


def is_state(key: Key) -> bool:
    """Return whether *key* is that of a shard's state."""
    return key.sk == "STATE" and key.pk.startswith("SHARD#")


def is_monitor(key: Key) -> bool:
    """Return whether *key* is that of a tenant's monitor."""
    return key.sk == "MONITOR" and key.pk.endswith("#MONITOR")


def head_key(source: Source) -> Key:
    """Return the key of a source's head and lease."""
    return make_key(shard_partition(source.shard_id), join("HEAD", source.id))


def directory_key(shard: ShardId) -> Key:
    """Return the key in the list of shards that counts a shard's sources."""
    return make_key(SHARDS, join(shard))


def record_partition(tenant: TenantId, collection: CollectionName, scope: Scope) -> str:
    """Return the partition of a scope's records."""
    return join("T", tenant, "R", collection, scope)


def record_key(tenant: TenantId, collection: CollectionName, scope: Scope, record: RecordId) -> Key:
    """Return the key of one record."""
    return make_key(record_partition(tenant, collection, scope), join(record))


def change_partition(tenant: TenantId, record: RecordId) -> str:
    """Return the partition of a record's change log."""
    return join("T", tenant, "C", record)


def snapshot_key(source: Source) -> Key:
    """Return the key of a source's agreed state."""
    return make_key(join("T", source.tenant, "SNAPSHOT", source.id), "SNAPSHOT")


def chunk_key(source: Source, name: str) -> Key:
    """Return the key of one chunk of a source's agreed state."""
    return make_key(join("T", source.tenant, "SNAPSHOT", source.id), f"CHUNK#{fit(name)}")


def runs_partition(tenant: TenantId) -> str:
    """Return the partition of a tenant's history."""
    return join("T", tenant, "RUNS")


def run_key(tenant: TenantId, run: RunId) -> Key:
    """Return the key of one run."""
    return make_key(runs_partition(tenant), join(run))


def progress_partition(run: Key) -> str:
    """Return the partition of the progress of the open run with this key."""
    return f"{run.pk}#PROGRESS#{run.sk}"


def run_of(pk: str) -> tuple[TenantId, RunId] | None:
    """Return whose progress the partition *pk* holds: the tenant's open run; None of any other partition."""
    parts = pk.split("#")
    if len(parts) != 5 or (parts[0], *parts[2:4]) != ("T", "RUNS", "PROGRESS"):
        return None
    return TenantId(unquote(parts[1], errors="surrogatepass")), RunId(unquote(parts[4], errors="surrogatepass"))


def progress_key(run: Key, stamp: str, number: int) -> Key:
    """Return the key of one progress item; *stamp* separates one division of the run's sources from another."""
    return make_key(progress_partition(run), f"{stamp}#{number:04d}")


def answer_key(tenant: TenantId, idempotency_key: str) -> Key:
    """Return the key of the first answer to an Idempotency-Key."""
    return make_key(join("T", tenant, "ANSWERS"), f"KEY#{fit(idempotency_key)}")


def part_partition(owner: Key) -> str:
    """Return the partition of the parts of an item that is too large for one."""
    return f"{owner.pk}#PARTS#{owner.sk}"


def part_key(owner: Key, stamp: str, place: int) -> Key:
    """Return the key of one part; *stamp* separates the parts of one content from another's."""
    return make_key(part_partition(owner), f"{stamp}#{place:04d}")


def outbox_partition(number: int) -> str:
    """Return one of the outbox's partitions, which cross tenants."""
    return join("OUT", f"{number:02d}")


def outbox_key(item: OutboxItem) -> Key:
    """Return the key of an outbox item."""
    return make_key(outbox_partition(item.partition), item.sort_key)


def outbox_number(pk: str) -> int | None:
    """Return which of the outbox's partitions *pk* is; None of any other partition."""
    return int(pk.removeprefix("OUT#")) if pk.startswith("OUT#") else None


def events_partition(tenant: TenantId) -> str:
    """Return the partition of a tenant's event log."""
    return join("T", tenant, "EVENTS")


def event_key(tenant: TenantId, seq: int) -> Key:
    """Return the key of one event; they sort by their numbers."""
    return make_key(events_partition(tenant), f"{seq:012d}")


def event_counter_key(tenant: TenantId) -> Key:
    """Return the key of the number of a tenant's last event."""
    return make_key(events_partition(tenant), "SEQ")


def alert_note_key(tenant: TenantId, source: SourceId) -> Key:
    """Return the key of the note that a notice of a source's hold was accepted."""
    return make_key(join("T", tenant, "ALERTED"), join(source))


def stale_key(tenant: TenantId, source: SourceId) -> Key:
    """Return the key of the note that a source is stale."""
    return make_key(join("T", tenant, "STALE"), join(source))


def webhook_key(tenant: TenantId, webhook_id: WebhookId) -> Key:
    """Return the key of a webhook, beside the tenant's other declarations."""
    return catalog_key(tenant, "WEBHOOK", webhook_id)


def endpoint_key(tenant: TenantId, webhook_id: WebhookId) -> Key:
    """Return the key of a webhook's endpoint."""
    return make_key(join("T", tenant, "ENDPOINT", webhook_id), "ENDPOINT")


def endpoint_of(key: Key) -> tuple[TenantId, WebhookId]:
    """Return whose endpoint, or event log, has *key*: the tenant, and the webhook."""
    _, tenant, _, webhook_id = key.pk.split("#")
    return TenantId(unquote(tenant, errors="surrogatepass")), WebhookId(unquote(webhook_id, errors="surrogatepass"))


def tenant_of(key: Key) -> TenantId:
    """Return the tenant whose partition has *key*."""
    return TenantId(unquote(key.pk.split("#")[1], errors="surrogatepass"))


def is_endpoint(key: Key) -> bool:
    """Return whether *key* is that of an endpoint."""
    return key.sk == "ENDPOINT"


def deliveries_partition(tenant: TenantId, webhook_id: WebhookId) -> str:
    """Return the partition of a webhook's deliveries."""
    return join("T", tenant, "DELIVERIES", webhook_id)


def delivery_key(tenant: TenantId, webhook_id: WebhookId, seq: int) -> Key:
    """Return the key of one delivery; they sort by their events."""
    return make_key(deliveries_partition(tenant, webhook_id), f"{seq:012d}")


def waiting_partition(tenant: TenantId, webhook_id: WebhookId) -> str:
    """Return the partition that lists a webhook's waiting deliveries by their next attempt."""
    return join("T", tenant, "WAITING", webhook_id)


def waiting_key(delivery: Delivery, at: datetime) -> Key:
    """Return the key of a delivery's line in the list of waiting ones."""
    partition = waiting_partition(delivery.tenant, delivery.webhook_id)
    return make_key(partition, f"{write_micros(at):020d}#{delivery.event.seq:012d}")


def alerts_partition(tenant: TenantId) -> str:
    """Return the partition of a tenant's alert channels."""
    return join("T", tenant, "ALERTS")


def alert_channel_key(tenant: TenantId, channel_id: str) -> Key:
    """Return the key of an alert channel."""
    return make_key(alerts_partition(tenant), join("CHANNEL", channel_id))


def webhook_failure_key(tenant: TenantId, webhook_id: WebhookId) -> Key:
    """Return the key of what a tenant's alert channels should hear of a webhook."""
    return make_key(alerts_partition(tenant), join("FAILURE", webhook_id))


def alert_state_key(tenant: TenantId, channel_id: str) -> Key:
    """Return the key of what an alert channel has read and must send."""
    return make_key(alerts_partition(tenant), join("STATE", channel_id))
