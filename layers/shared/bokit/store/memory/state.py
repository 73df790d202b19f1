"""What the store in memory keeps, and what its protocols share."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock
from typing import Any, Protocol, TypeVar

from bokit.core.model.access import Token
from bokit.core.model.catalog import Collection, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import CollectionName, Json, LoggedChange, Record, RecordId, RunId, Scope, SourceId, TenantId
from bokit.core.model.runs import Answered, OpenRun, Run
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.cursors import clamp_limit, earliest, make_cursor, read_cursor
from bokit.store.protocols import Page, Published, Snapshot

K = TypeVar("K")
V = TypeVar("V")


class Versioned(Protocol):
    """What is written by the version that was read."""

    @property
    def version(self) -> int: ...


@dataclass(slots=True, kw_only=True)
class ShardState:
    """A shard, and what the table keeps beside it."""

    shard: Shard
    lowered: datetime | None = None
    """The earliest due time written outside the present claim; the end of the claim must not rise above it."""
    runs: dict[int, HeartbeatRun] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class HeadState:
    """A head, and its lease."""

    head: Head
    holder: str | None = None
    until: datetime | None = None


class MemoryState:
    """Dictionaries behind one lock."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._tenants: dict[TenantId, Tenant] = {}
        self._properties: dict[tuple[TenantId, PropertyId], Property] = {}
        self._units: dict[tuple[TenantId, UnitId], Unit] = {}
        self._sources: dict[tuple[TenantId, SourceId], Source] = {}
        self._collections: dict[tuple[TenantId, CollectionName], Collection] = {}
        self._options: dict[TenantId, dict[str, Json]] = {}
        self._shards: dict[ShardId, ShardState] = {}
        self._heads: dict[SourceId, HeadState] = {}
        self._records: dict[tuple[TenantId, CollectionName, Scope], dict[RecordId, Record]] = {}
        self._unsorted: set[tuple[TenantId, CollectionName, Scope]] = set()
        """Scopes of records whose dictionary is out of order."""
        self._changes: dict[tuple[TenantId, RecordId], list[LoggedChange]] = {}
        self._snapshots: dict[SourceId, Snapshot] = {}
        self._chunks: dict[tuple[TenantId, SourceId], dict[str, bytes]] = {}
        self._runs: dict[TenantId, dict[RunId, Run]] = {}
        self._open: dict[tuple[TenantId, RunId], OpenRun] = {}
        self._answers: dict[tuple[TenantId, str], Answered] = {}
        self._monitors: dict[TenantId, Monitor] = {}
        self._tokens: dict[str, Token] = {}
        self._published: dict[str, Published] = {}

    def _find_head(self, source: Source) -> HeadState:
        state = self._heads.get(source.id)
        if state is None or state.head.source.tenant != source.tenant:
            raise UnknownIdError("no such source", id=source.id)
        return state

    def _check(self, lease: Lease) -> HeadState:
        state = self._heads.get(lease.source.id)
        if state is None or state.head.fence != lease.fence:
            raise StaleFenceError("the lease was taken over by another run", source_id=lease.source.id)
        return state

    def _put_beat(self, state: ShardState, source_id: SourceId, schedule: SourceSchedule) -> None:
        state.lowered = earliest(state.lowered, schedule.due_at)
        next_due = earliest(state.shard.next_due, schedule.due_at)
        state.shard = replace(state.shard, beats={**state.shard.beats, source_id: schedule}, next_due=next_due)


def new_shard(id: ShardId) -> ShardState:
    """Return a shard without a source."""
    return ShardState(shard=Shard(id=id))


def is_open(held_by: str | None, held_until: datetime | None, holder: str, now: datetime) -> bool:
    """Return whether *holder* may take what is held: it is free, expired, or already its own."""
    return held_by is None or held_by == holder or held_until is None or held_until <= now


def next_version(given: Versioned, stored: Versioned | None) -> int:
    """Return the version that *given* gets over *stored*; raises StoreConflictError where another was read."""
    if given.version != (stored.version if stored else 0):
        raise StoreConflictError("changed by another since it was read; read it again")
    return given.version + 1


def find(rows: Mapping[K, V], key: K, message: str, id: str) -> V:
    """Return the row of this key; raises UnknownIdError."""
    if (row := rows.get(key)) is None:
        raise UnknownIdError(message, id=id)
    return row


def of_tenant(rows: Mapping[tuple[TenantId, K], V], tenant: TenantId) -> list[V]:
    """Return the tenant's rows, in the order of their keys."""
    return [rows[key] for key in sorted(key for key in rows if key[0] == tenant)]


def drop_tenant(rows: MutableMapping[Any, Any], tenant: TenantId) -> None:
    """Forget the tenant's rows."""
    for key in [key for key in rows if key[0] == tenant]:
        del rows[key]


def cut_page(rows: Mapping[Any, V], partition: str, limit: int, cursor: str | None) -> Page[V]:
    """Return the rows behind *cursor*, the greatest key first."""
    behind = None if cursor is None else read_cursor(partition, cursor)
    keys = [key for key in sorted(rows, reverse=True) if behind is None or key < behind]
    taken = keys[: clamp_limit(limit)]
    rest = make_cursor(partition, taken[-1]) if len(keys) > len(taken) else None
    return Page(items=tuple(rows[key] for key in taken), cursor=rest)
