"""The keys of the one table: what lies beside what. ``docs/decisions/0001-one-table.md`` tells why.

Everything of a tenant begins with ``T#<tenant>#``; shards cross tenants. ``#`` parts a key and never stands inside a part.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.records import CollectionName, RecordId, RunId, Scope, SourceId, TenantId
from bokit.errors import UnknownIdError

_SAFE = " !$&'()*+,/:;=?@[]^`{|}<>\"\\~"
_LONGEST_PARTITION, _LONGEST_SORT = 2048, 1024
_LONGEST_TEXT = 800

DUE = "DUE"
"""The one partition of the index of what is due: shards, monitors and open runs."""


class Key(NamedTuple):
    """Partition and sort key of one item."""

    pk: str
    sk: str


def join(*parts: str) -> str:
    """Return a key of *parts*, each quoted so that no part can pass for two.

    Raises UnknownIdError for what is too long to be anybody's id.
    """
    key = "#".join(_quote(part) for part in parts)
    if len(key) > _LONGEST_PARTITION:
        raise UnknownIdError("no such id: too long")
    return key


def _quote(part: str) -> str:
    return quote(part, safe=_SAFE, errors="surrogatepass")


def fit(text: str) -> str:
    """Return a part for a user's own text of any length: itself, or its hash where it is too long for a key.

    No quoted text holds ``%-``, so that no hash can pass for a text.
    """
    part = _quote(text)
    return part if len(part) <= _LONGEST_TEXT else f"%-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def make_key(pk: str, sk: str) -> Key:
    """Return a key that the table takes; raises UnknownIdError for what is empty, or too long to be anybody's id."""
    if not sk or len(sk) > _LONGEST_SORT:
        raise UnknownIdError("no such id: empty or too long")
    return Key(pk, sk)


def find_key(make: Callable[..., Key], *parts: str) -> Key | None:
    """Return the key that *make* makes of *parts*; None where no item can stand there."""
    try:
        return make(*parts)
    except UnknownIdError:
        return None


def tenant_prefix(tenant: TenantId) -> str:
    """Return what every partition of the tenant begins with."""
    return join("T", tenant) + "#"


def tenant_key(tenant: TenantId) -> Key:
    """Return where a tenant stands in the list of them."""
    return make_key("TENANTS", join(tenant))


def catalog_partition(tenant: TenantId) -> str:
    """Return the partition of properties, units, sources and options."""
    return join("T", tenant, "CATALOG")


def catalog_key(tenant: TenantId, kind: str, id: str) -> Key:
    """Return where one property, unit or source stands."""
    return make_key(catalog_partition(tenant), join(kind, id))


def options_key(tenant: TenantId) -> Key:
    """Return where all options of a tenant stand."""
    return make_key(catalog_partition(tenant), "OPTIONS")


def monitor_key(tenant: TenantId) -> Key:
    """Return where a tenant's monitor stands."""
    return make_key(join("T", tenant, "MONITOR"), "MONITOR")


def token_key(hash: str) -> Key:
    """Return where a token stands: a request knows its hash, and not yet its tenant."""
    return make_key(join("TOKEN", hash), "TOKEN")


def page_key(hash: str) -> Key:
    """Return where a published page stands: who asks knows its path, and no tenant."""
    return make_key(join("PAGE", hash), "PAGE")


def shard_partition(shard: ShardId) -> str:
    """Return the partition of a shard: its state, and its sources' heads beside it."""
    return join("SHARD", shard)


def state_key(shard: ShardId) -> Key:
    """Return where a shard's claim, lines and due time stand."""
    return make_key(shard_partition(shard), "STATE")


def shard_of(key: Key) -> ShardId:
    """Return the shard whose state stands at *key*."""
    return ShardId(unquote(key.pk.partition("#")[2], errors="surrogatepass"))


def is_state(key: Key) -> bool:
    """Return whether a shard's claim, lines and due time stand at *key*."""
    return key.sk == "STATE" and key.pk.startswith("SHARD#")


def is_monitor(key: Key) -> bool:
    """Return whether a tenant's monitor stands at *key*."""
    return key.sk == "MONITOR" and key.pk.endswith("#MONITOR")


def head_key(shard: ShardId, source: SourceId) -> Key:
    """Return where a source's head and lease stand."""
    return make_key(shard_partition(shard), join("HEAD", source))


def directory_key(shard: ShardId) -> Key:
    """Return where the list of shards counts a shard's sources."""
    return make_key("SHARDS", join(shard))


def record_partition(tenant: TenantId, collection: CollectionName, scope: Scope) -> str:
    """Return the partition of a scope's records."""
    return join("T", tenant, "R", collection, scope)


def record_key(tenant: TenantId, collection: CollectionName, scope: Scope, id: RecordId) -> Key:
    """Return where one record stands."""
    return make_key(record_partition(tenant, collection, scope), join(id))


def change_partition(tenant: TenantId, record: RecordId) -> str:
    """Return the partition of a record's change log."""
    return join("T", tenant, "C", record)


def change_key(tenant: TenantId, record: RecordId, at: int, version: int, place: int) -> Key:
    """Return where one line of a change log stands: they sort by time, then by the record's version."""
    return make_key(change_partition(tenant, record), f"{at:020d}#{version:010d}#{place:03d}")


def snapshot_key(source: Source) -> Key:
    """Return where a source's agreed state stands."""
    return make_key(join("T", source.tenant, "SNAPSHOT", source.id), "SNAPSHOT")


def chunk_key(source: Source, name: str) -> Key:
    """Return where one chunk of a source's agreed state stands."""
    return make_key(join("T", source.tenant, "SNAPSHOT", source.id), f"CHUNK#{fit(name)}")


def runs_partition(tenant: TenantId) -> str:
    """Return the partition of a tenant's history."""
    return join("T", tenant, "RUNS")


def run_key(tenant: TenantId, run: RunId) -> Key:
    """Return where one run stands."""
    return make_key(runs_partition(tenant), join(run))


def answer_key(tenant: TenantId, key: str) -> Key:
    """Return where the first answer under an Idempotency-Key stands."""
    return make_key(join("T", tenant, "ANSWERS"), f"KEY#{fit(key)}")


def part_partition(owner: Key) -> str:
    """Return the partition of the chunks of an item that is too large for one."""
    return f"{owner.pk}#PARTS#{owner.sk}"


def part_key(owner: Key, stamp: str, place: int) -> Key:
    """Return where one chunk stands; *stamp* tells one content's chunks from another's."""
    return make_key(part_partition(owner), f"{stamp}#{place:04d}")
