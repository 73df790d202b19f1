"""What the store in memory holds, and what its parts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import RLock
from typing import Any, Protocol, TypeVar

from bokit.core.model.access import Token
from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState
from bokit.core.model.catalog import Collection, Parent, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.connections import Connection, ConnectionId, Ticket
from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.core.model.events import Event, NewEvent, OutboxItem, fill_outbox, notice_items
from bokit.core.model.monitor import Monitor
from bokit.core.model.notices import AlertNote, Notice
from bokit.core.model.quotas import QUOTAS, UNBOUNDED, QuotaName, QuotaOwner, Quotas
from bokit.core.model.readers import UnreadCalendar
from bokit.core.model.records import CollectionName, Json, LoggedChange, Record, RecordId, RunId, Scope, SourceId, TenantId
from bokit.core.model.runs import IdempotentResponse, OpenRun, Run
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule, earliest
from bokit.core.model.webhooks import Delivery, Endpoint, Webhook, WebhookFailure, WebhookId
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.limits import clamp_limit
from bokit.store.protocols import Page, PublishedDocument, Snapshot
from bokit.values import replace

K = TypeVar("K")
V = TypeVar("V")


class Versioned(Protocol):
    """A value that is written on the version that was read."""

    @property
    def version(self) -> int: ...


@dataclass(slots=True, kw_only=True)
class ShardState:
    """A shard, and what the table stores with it."""

    shard: Shard
    lowered: datetime | None = None
    """The earliest due time written outside the present claim; the end of the claim must not exceed it."""
    runs: dict[int, HeartbeatRun] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class HeadState:
    """A head and its lease."""

    head: Head
    holder: str | None = None
    until: datetime | None = None

    @property
    def leased_head(self) -> Head:
        """The head as it is read, with its lease."""
        return replace(self.head, leased_until=self.until)


@dataclass(slots=True, kw_only=True)
class EndpointState:
    """An endpoint, its lease, and when it is due."""

    endpoint: Endpoint
    due_at: datetime | None
    holder: str | None = None
    until: datetime | None = None


class MemoryState:
    """The dictionaries, behind one lock."""

    def __init__(self, quotas: Quotas = UNBOUNDED) -> None:
        self._lock = RLock()
        self.quotas = quotas
        self._schema: int | None = None
        self._used: Counter[tuple[TenantId | None, QuotaName]] = Counter()
        """How much there is of what is counted, by tenant and of the stack (None)."""
        self._written: Counter[tuple[TenantId, date]] = Counter()
        self._tenants: dict[TenantId, Tenant] = {}
        self._properties: dict[tuple[TenantId, PropertyId], Property] = {}
        self._units: dict[tuple[TenantId, UnitId], Unit] = {}
        self._sources: dict[tuple[TenantId, SourceId], Source] = {}
        self._collections: dict[tuple[TenantId, CollectionName], Collection] = {}
        self._uses: Counter[Parent] = Counter()
        """How often something was written within each parent."""
        self._options: dict[TenantId, dict[str, Json]] = {}
        self._shards: dict[ShardId, ShardState] = {}
        self._heads: dict[SourceId, HeadState] = {}
        self._records: dict[tuple[TenantId, CollectionName, Scope], dict[RecordId, Record]] = {}
        self._unsorted: set[tuple[TenantId, CollectionName, Scope]] = set()
        """Scopes whose dictionary of records is not in the order of the ids."""
        self._changes: dict[tuple[TenantId, RecordId], dict[str, LoggedChange]] = {}
        self._aged: dict[tuple[TenantId, RecordId], dict[str, datetime]] = {}
        """When lines of change logs that newer ones pushed out are deleted."""
        self._snapshots: dict[SourceId, Snapshot] = {}
        self._chunks: dict[tuple[TenantId, SourceId], dict[str, bytes]] = {}
        self._runs: dict[TenantId, dict[RunId, Run]] = {}
        self._open_runs: dict[tuple[TenantId, RunId], OpenRun] = {}
        self._answers: dict[tuple[TenantId, str], IdempotentResponse] = {}
        self._monitors: dict[TenantId, Monitor] = {}
        self._tokens: dict[str, Token] = {}
        self._published: dict[str, PublishedDocument] = {}
        self._readers_due: dict[str, datetime] = {}
        """When the readers of each document are to be looked at."""
        self._unread_calendars: dict[tuple[TenantId, str], UnreadCalendar] = {}
        self._hold_events()

    def _hold_events(self) -> None:
        """Make room for the outbox, the event logs, and what is read of them."""
        self._outbox: dict[tuple[int, str], OutboxItem] = {}
        self._events: dict[TenantId, dict[int, Event]] = {}
        self._last_seq: dict[TenantId, int] = {}
        self._seq_stamps: dict[TenantId, str] = {}
        self._unread: dict[TenantId, datetime] = {}
        """When each log that was not read to its end is due."""
        self._webhooks: dict[tuple[TenantId, WebhookId], Webhook] = {}
        self._endpoints: dict[tuple[TenantId, WebhookId], EndpointState] = {}
        self._deliveries: dict[tuple[TenantId, WebhookId], dict[int, Delivery]] = {}
        self._stale: dict[tuple[TenantId, SourceId], datetime] = {}
        self._alert_channels: dict[tuple[TenantId, AlertChannelId], AlertChannel] = {}
        self._alert_states: dict[tuple[TenantId, AlertChannelId], AlertState] = {}
        self._alert_notes: dict[tuple[TenantId, SourceId], AlertNote] = {}
        self._tickets: dict[str, Ticket] = {}
        self._connections: dict[tuple[TenantId, ConnectionId], Connection] = {}
        self._unclosed: dict[str, datetime] = {}
        """Since when each revoked token's connections are to be closed."""
        self._webhook_failures: dict[tuple[TenantId, WebhookId], WebhookFailure] = {}

    def _put_outbox(self, *items: OutboxItem) -> None:
        self._outbox.update({(item.partition, item.sort_key): item for item in items})

    def _put_events(self, tenant: TenantId, at: datetime | None, *events: NewEvent) -> None:
        """Write the outbox's part of a change; without a time there is nobody to hear of it."""
        if at is not None:
            self._put_outbox(*fill_outbox(tenant, at, events))

    def _put_notices(self, notices: Iterable[Notice]) -> None:
        self._put_outbox(*notice_items(notices))

    def _load_head_state(self, source: Source) -> HeadState:
        state = self._heads.get(source.id)
        if state is None or state.head.source.tenant != source.tenant:
            raise UnknownIdError("no such source", id=source.id)
        return state

    def _parents_of(self, kind: type[Property | Unit | Collection]) -> dict[tuple[TenantId, Any], Any]:
        tables: dict[type[Any], dict[tuple[TenantId, Any], Any]] = {
            Property: self._properties,
            Unit: self._units,
            Collection: self._collections,
        }
        return tables[kind]

    def _use(self, within: Iterable[Parent]) -> None:
        """Count a use of each parent; raises as ``_check_parents`` does, and then counts none."""
        parents = list(within)
        self._check_parents(parents)
        self._uses.update(parent._replace(version=None) for parent in parents)

    def _check_parents(self, within: Iterable[Parent]) -> None:
        """Raise UnknownIdError if a parent does not exist, and StoreConflictError if it has another version than it names."""
        for parent in within:
            name = parent.kind.__name__.lower()
            stored = load_one(self._parents_of(parent.kind), (parent.tenant, parent.id), name, parent.id)
            if parent.version not in (None, stored.version):
                raise StoreConflictError(f"the {name} was changed by another since it was read; read it again", id=parent.id)

    def count_writes(self, tenant: TenantId, day: date, writes: int, *, forced: bool = False) -> None:
        with self._lock:
            if not forced:
                self.quotas.check(QuotaOwner.TENANT, QuotaName.WRITES, self._written[tenant, day], writes)
            self._written[tenant, day] += writes

    def _count(self, tenant: TenantId, counted: QuotaName, more: int) -> None:
        """Change what the tenant and the stack have; raises QuotaError where that is too much, and then changes nothing."""
        owners = {QuotaOwner.TENANT: tenant} | ({QuotaOwner.STACK: None} if QUOTAS[counted].stack is not None else {})
        if more > 0:
            for owner, name in owners.items():
                self.quotas.check(owner, counted, self._used[name, counted], more)
        for name in owners.values():
            self._used[name, counted] += more

    def _check(self, lease: Lease) -> HeadState:
        state = self._heads.get(lease.source.id)
        if state is None or state.head.fence != lease.fence:
            raise StaleFenceError("the lease was taken over by another run", source_id=lease.source.id)
        return state

    def _put_schedule(self, state: ShardState, source_id: SourceId, schedule: SourceSchedule) -> None:
        state.lowered = earliest(state.lowered, schedule.due_at)
        next_due = earliest(state.shard.next_due, schedule.due_at)
        state.shard = replace(state.shard, schedules={**state.shard.schedules, source_id: schedule}, next_due=next_due)


def is_available(held_by: str | None, held_until: datetime | None, holder: str, now: datetime) -> bool:
    """Return whether *holder* may acquire a claim or lease: it is free, expired, or its own."""
    return held_by is None or held_by == holder or held_until is None or held_until <= now


def next_version(given: Versioned, stored: Versioned | None) -> int:
    """Return the version after that of *given*; raises StoreConflictError if *stored* has another."""
    if given.version != (stored.version if stored else 0):
        raise StoreConflictError("changed by another since it was read; read it again")
    return given.version + 1


def load_one(values: Mapping[K, V], key: K, what: str, value_id: str) -> V:
    """Return the value of *key*; raises UnknownIdError."""
    if (value := values.get(key)) is None:
        raise UnknownIdError(f"no such {what}", id=value_id)
    return value


def load_all(values: Mapping[tuple[TenantId, K], V], tenant: TenantId) -> list[V]:
    """Return the tenant's values, in the order of their keys."""
    return [values[key] for key in sorted(key for key in values if key[0] == tenant)]


def load_page(rows: Mapping[Any, V], list_id: str, limit: int, cursor: str | None) -> Page[V]:
    """Return the rows after *cursor*, the greatest key first."""
    after = None if cursor is None else read_cursor(list_id, cursor)
    keys = [key for key in sorted(rows, reverse=True) if after is None or key < after]
    taken = keys[: clamp_limit(limit)]
    rest = write_cursor(list_id, taken[-1]) if len(keys) > len(taken) else None
    return Page(items=tuple(rows[key] for key in taken), cursor=rest)
