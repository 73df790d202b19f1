"""What the engine needs of a store. Both stores, the table and the memory, pass one contract suite.

Times are aware and in UTC. A store never reads a clock: every time is passed in. Library errors become StoreConflictError,
StaleFenceError, UnknownIdError or StoreUnreachableError at the adapter. ``load_`` raises UnknownIdError for a single thing
that does not exist, ``find_`` returns None. ``delete_`` of a missing thing does nothing. Lists are in the order of their ids
unless another is named. Where a value has a version, ``save_`` writes it only if that is the stored one (0: new), raises
StoreConflictError otherwise, and returns the value with its new version.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from bokit.core.model.access import Token, TokenId
from bokit.core.model.catalog import Collection, Parent, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.events import NewEvent, OutboxItem
from bokit.core.model.monitor import Monitor
from bokit.core.model.notices import Notice
from bokit.core.model.quotas import QuotaName, Quotas
from bokit.core.model.records import (
    CollectionName,
    Fields,
    Json,
    LoggedChange,
    Record,
    RecordId,
    RunId,
    Scope,
    SourceId,
    TenantId,
)
from bokit.core.model.runs import IdempotentResponse, OpenRun, Run, SourceReport
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule
from bokit.store.alert_protocol import AlertStore
from bokit.store.change_protocol import ChangeStore
from bokit.store.connection_protocol import ConnectionStore
from bokit.store.connection_protocol import DueClosings as DueClosings
from bokit.store.event_protocol import EventStore
from bokit.store.page import Page as Page
from bokit.store.published_protocol import PublishedDocument as PublishedDocument
from bokit.store.published_protocol import PublishedStore as PublishedStore
from bokit.store.published_protocol import ReadersChange as ReadersChange
from bokit.store.schema import SchemaStore
from bokit.store.webhook_protocol import DueDeliveries as DueDeliveries
from bokit.store.webhook_protocol import WebhookStore as WebhookStore
from bokit.values import Value, field


class Due(Value, not_compared=("cursor",)):
    """What is due now."""

    shards: tuple[Shard, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    runs: tuple[OpenRun, ...] = ()
    """Open runs that are overdue."""
    cursor: str | None = None
    """Send it to get what is due after these; None: that is all."""


class Snapshot(Value, not_compared=("in_parts",)):
    """The source's agreed state: the last accepted content, read, and what the rules keep."""

    content: bytes = b""
    memory: Fields = field(default_factory=dict)
    version: int = 0
    in_parts: bool = False
    """It is larger than one item of the table, and stored in parts; kept by the store."""


class Places(Value):
    """A tenant's units and properties, and the options that it set."""

    units: tuple[Unit, ...]
    properties: tuple[Property, ...]
    options: Fields


class DayWrites(Value):
    """On which day's quota the records and changes of a write count; *forced*: they are written however many there were."""

    day: date
    forced: bool = False


class CatalogStore(Protocol):
    """Tenants, properties, units, sources, collections and options."""

    def load_tenants(self) -> Sequence[Tenant]: ...
    def save_tenant(self, tenant: Tenant) -> None:
        """Write it; one with its id is replaced."""

    def remove_tenant(self, tenant: TenantId) -> None:
        """Delete the tenant and all its data; a removal that was interrupted can be repeated."""

    def load_properties(self, tenant: TenantId) -> Sequence[Property]: ...
    def load_units(self, tenant: TenantId) -> Sequence[Unit]: ...
    def load_places(self, tenant: TenantId) -> Places:
        """Return what :meth:`load_units`, :meth:`load_properties` and :meth:`load_options` do, by fewer requests."""

    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        """Return every source of the tenant, with the removed ones."""

    def load_property(self, tenant: TenantId, property_id: PropertyId) -> Property: ...
    def load_unit(self, tenant: TenantId, unit_id: UnitId) -> Unit: ...
    def load_source(self, tenant: TenantId, source_id: SourceId) -> Source: ...
    def save_property(self, prop: Property, *, at: datetime | None = None) -> Property:
        """Write it; *at*, here and below: when, for the event log. None: nobody hears of it."""

    def save_unit(self, unit: Unit, *, within: Sequence[Parent] = (), at: datetime | None = None) -> Unit:
        """Write it on its version.

        Raises UnknownIdError if one of the parents that it newly belongs to does not exist, and StoreConflictError if one that
        names its version has another by now.
        """

    def save_source(
        self,
        head: Head,
        schedule: SourceSchedule,
        *,
        within: Sequence[Parent] = (),
        at: datetime | None = None,
        is_back: bool = False,
    ) -> Source:
        """Write ``head.source``, its head and its schedule in one transaction, on the source's version.

        The head's fence and version continue from the stored ones. The shard's next_due is lowered where needed. Raises
        UnknownIdError if one of its parents does not exist, and StoreConflictError if one has another version than it names.
        *is_back*: it was removed, and counts again.
        """

    def delete_parent(self, parent: Parent, check_empty: Callable[[], object], *, at: datetime | None = None) -> None:
        """Delete a property, unit or collection; nothing if it does not exist.

        *check_empty* reads what belongs to it, and raises an error if something does. What is written ``within`` it after
        that read, or at the same time, makes the deletion fail with StoreConflictError:

            time ───┬──────────────┬──────────────────┬────────────────────►
            delete  │ reads uses=3 │ nothing in it    │ deletes if uses=3: conflict
            add     ·              · writes, uses=4   ·
        """

    def load_collections(self, tenant: TenantId) -> Sequence[Collection]:
        """Return every collection that the tenant declared, by name."""

    def save_collection(
        self, collection: Collection, *, check_empty: Callable[[], object] | None = None, at: datetime | None = None
    ) -> Collection:
        """Write it on its version; *check_empty*: only where nothing is within it, as ``delete_parent`` checks it."""

    def pick_shard(self, limit: int, route: str = "shard") -> ShardId:
        """Return a shard with fewer than *limit* sources, created if there is none.

        Its id begins with *route*: sources that are claimed together are synced by one kind of worker.
        """

    def load_options(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Fields]:
        """Return the options that are set, by tenant, in one batched read; no entry where nothing is set."""

    def save_option(self, tenant: TenantId, name: str, value: Json | None) -> None:
        """Set one option; None unsets it."""


class ScheduleStore(Protocol):
    """Heads, shards, claims and leases: all that an unchanged sync touches."""

    def load_due(self, now: datetime, limit: int = 100, cursor: str | None = None) -> Due:
        """Return shards, monitors and open runs whose time is not after *now*, earliest first, by one index query.

        *cursor*: that of the page before, asked for with the same *now*.
        """

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]:
        """Return the shards that exist, in the order of *ids*."""

    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        """Claim *shard* as it was read; None if its fence has changed, or another holds it after *now*."""

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        """Return the shard and its sources' heads, in one query."""

    def load_head(self, source: Source) -> Head: ...
    def complete_batch(
        self,
        shard: ShardId,
        *,
        fence: int,
        schedules: Mapping[SourceId, SourceSchedule],
        next_due: datetime | None,
        run: HeartbeatRun | None,
    ) -> None:
        """Release a claim: write the batch's schedules, the next due time, and the run if nothing changed.

        A due time that somebody lowered meanwhile stays. Raises StaleFenceError if the claim was taken over.
        """

    def save_source_schedule(self, shard: ShardId, source_id: SourceId, schedule: SourceSchedule) -> None:
        """Write one schedule outside a claim (a manual run, a pause), and lower next_due where it is earlier."""

    def save_schedules(self, shard: ShardId, schedules: Mapping[SourceId, SourceSchedule]) -> None:
        """Write several schedules outside a claim, as :meth:`save_source_schedule` does one."""

    def acquire_lease(
        self, source: Source, *, holder: str, now: datetime, until: datetime, renewal: bool = False
    ) -> Lease | None:
        """Acquire the source's lease, and raise its fence, if it is free, expired or *holder*'s; else return None.

        It counts as one more of the head's ``open_leases``, unless it is the *renewal* of one that is held.
        """

    def release_lease(self, lease: Lease) -> None:
        """Release it, if it was not taken over; in any case it is no longer one of the head's ``open_leases``."""


class RecordStore(ChangeStore, Protocol):
    """Records, their change logs, and the agreed state of their source."""

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        """Return every record of the scope, with those that are gone, strongly consistent."""

    def load_scopes(
        self, tenant: TenantId, collections: Iterable[CollectionName], scopes: Sequence[Scope]
    ) -> Mapping[CollectionName, Sequence[Record]]:
        """Return every record of these scopes by its collection, read one collection after another, as :meth:`load_records`."""

    def load_record_page(
        self, tenant: TenantId, collection: CollectionName, scope: Scope, *, limit: int, after: RecordId | None = None
    ) -> Page[Record]:
        """Return some records of the scope, those behind *after*, in an order of the store's own that does not change.

        They are at most *limit*, and about a megabyte as stored. The cursor is where the next page begins (None: this was
        the last); any record's id may be given as *after*, also that of one that is not stored any more.
        """

    def load_record(self, tenant: TenantId, collection: CollectionName, record_id: RecordId) -> Record: ...
    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Return those of the records that exist, strongly consistent, a hundred in one batched read."""

    def load_snapshot(self, source: Source) -> Snapshot: ...  # an empty one before the first
    def apply_records(
        self,
        records: Sequence[Record],
        changes: Sequence[LoggedChange],
        *,
        lease: Lease | None,
        within: Sequence[Parent] = (),
        counted: Container[RecordId] = (),
        kept_days: int | None = None,
        bulk: OutboxItem | None = None,
        notices: Sequence[Notice] = (),
        writes: DayWrites | None = None,
        snapshot: Snapshot | None = None,
    ) -> Sequence[Record]:
        """Write *records*, each on its version, with their changes, in transactions of at most 97 actions and the lease's check.

        A record, its changes and its event are in one transaction; with *bulk* that one outbox item is put with the first
        transaction, and stands for all of them; so are *notices*. Without a lease (a person's edit) the versions and the
        parents *within* which the records are written decide. Raises StaleFenceError or StoreConflictError, or UnknownIdError
        if a parent does not exist. Returns the records with their new versions.

        *counted*: the new ones among them that count against the tenant's quota of records; where it has no room for a
        transaction's, QuotaError is raised, and what the transactions before it wrote stays.

        *writes*: they count against a day's quota, before anything is written, as :meth:`count_writes` counts.

        *snapshot*: the lease's source's, saved as :meth:`save_snapshot` does. Where records and snapshot fit one transaction
        it is written in theirs, else after them.

        A line of a change log is kept for ever while it is among the last MAX_KEPT_CHANGES of its record, and for *kept_days*
        more (None: for ever) after newer ones pushed it out.
        """

    def delete_records(self, records: Sequence[Record], *, counted: bool = True) -> None:
        """Delete records of one tenant with their change logs, each on its version; they count against no quota any more.

        *counted* is False for those that never did: what Bokit keeps for itself.

        A record that does not exist any more is left out. Raises StoreConflictError where one was changed by another; those
        before it may be deleted by then.
        """

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot: ...
    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return those of the named chunks that exist: the source's agreed state in key ranges, if too large for a snapshot."""

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        """Write chunks of any size (None: delete), each whole or not at all; raises StaleFenceError."""

    def save_head(
        self,
        head: Head,
        *,
        lease: Lease,
        at: datetime | None = None,
        events: Sequence[NewEvent] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """Write a slow sync's result, last of all and on the lease's fence, and release the lease with it.

        Its events and notices are put into the outbox in the same transaction.

        A head without a failure ends a success: no lease is open any more.
        """

    def load_changes(
        self, tenant: TenantId, record_id: RecordId, *, limit: int = 100, cursor: str | None = None
    ) -> Page[LoggedChange]:
        """Return a page of the record's change log, newest first."""


class MonitorStore(Protocol):
    """The tenants' monitors: at most one each."""

    def load_monitors(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Monitor]:
        """Return the running monitors, by tenant, in one batched read."""

    def save_monitor(self, monitor: Monitor) -> Monitor:
        """Write it; one that was stopped and started again since it was read is a conflict too."""

    def delete_monitor(self, tenant: TenantId) -> None: ...


class AccessStore(Protocol):
    """Tokens, found by the hash of what a request carries."""

    def save_token(self, token: Token) -> None:
        """Write a new token; raises StoreConflictError if its id or hash exists."""

    def find_token(self, digest: str) -> Token | None:
        """Return the token with this hash, in one read. It may be expired or revoked."""

    def load_token(self, tenant: TenantId, token_id: TokenId) -> Token: ...
    def load_tokens(self, tenant: TenantId) -> Sequence[Token]:
        """Return every token of the tenant, with the revoked ones, oldest first."""

    def touch_token(self, token: Token, at: datetime) -> None:
        """Record its last use, unless it was deleted, revoked, or used later."""

    def rename_token(self, tenant: TenantId, token_id: TokenId, name: str) -> Token:
        """Change its name and nothing else."""

    def revoke_token(self, tenant: TenantId, token_id: TokenId, at: datetime) -> Token:
        """Revoke it; a second time changes nothing."""


class UsageStore(Protocol):
    """What counts against quotas.

    Sources, units, tokens and new records are counted by the write that adds or removes them, in one transaction, so of two
    that want the last place one gets it. The other raises QuotaError, and writes nothing.
    """

    @property
    def quotas(self) -> Quotas:
        """The quotas that this store enforces."""

    def load_usage(self, tenant: TenantId | None, day: date) -> Mapping[QuotaName, int]:
        """Return how much of each thing the tenant (None: the stack) has, and how much it wrote on *day*."""

    def count_writes(self, tenant: TenantId, day: date, writes: int, *, forced: bool = False) -> None:
        """Add to the writes of *day*, by one conditional write.

        Raises QuotaError, and adds nothing, if the tenant may not have so many; *forced*: they are counted nevertheless.
        """


class RunStore(Protocol):
    """The history of runs."""

    def open_run(
        self,
        open_run: OpenRun,
        *,
        expires_at: datetime,
        answered: IdempotentResponse | None,
        now: datetime,
        together: Iterable[Iterable[SourceId]] = (),
    ) -> IdempotentResponse | None:
        """Write a queued run and the answer to its Idempotency-Key in one transaction, and return None.

        *together*: sources that will report at the same time, which makes their reports cheap.

        If the key has an answer that is not expired at *now*, nothing is written, and that answer is returned. A run with
        the same id raises StoreConflictError; one that waits for more than a thousand sources raises InputError
        ``too-large``. Until it ends, the history shows it with the reports so far.
        """

    def save_answer(self, tenant: TenantId, answered: IdempotentResponse, now: datetime) -> IdempotentResponse | None:
        """Store the answer to an Idempotency-Key that opens no run (a dry one); return the first one if there is one."""

    def find_answer(self, tenant: TenantId, key: str, now: datetime) -> IdempotentResponse | None:
        """Return the first answer to this key, unless it is expired at *now*."""

    def find_open_run(self, tenant: TenantId, run_id: RunId) -> OpenRun | None:
        """Return the run while it is open, strongly consistent; None if it has ended or does not exist."""

    def report_sources(self, tenant: TenantId, run_id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Store the reports of sources that are pending, end their waiting, and set the run RUNNING.

        Each source's first report counts; the run holds them in the order of their sources. Very long reports may lose their
        plan, their steps and the ends of long words. Each call rewrites the reports of sources that report together: pass all
        at hand. Returns the run as it is then, or None if it has ended. The last report sees that the run is done; of two at
        the same time, one or both.
        """

    def postpone_run(self, open_run: OpenRun, *, overdue_at: datetime, waiting: frozenset[SourceId]) -> bool:
        """Store when an open run is overdue, and which sources wait for the tick; its reports are not touched.

        Returns False, and writes nothing, if it has ended, or either was changed since *open_run* was read.
        """

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        """Replace an open run with *run* as it ended; return False, and write nothing, if it is not open any more."""

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        """Write a run; one with its id is replaced. *expires_at* is for the table's TTL."""

    def load_run(self, tenant: TenantId, run_id: RunId) -> Run: ...
    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return a page of the tenant's runs, newest first. Run ids sort by their start."""


class Store(
    CatalogStore,
    ScheduleStore,
    RecordStore,
    RunStore,
    MonitorStore,
    AccessStore,
    PublishedStore,
    EventStore,
    WebhookStore,
    AlertStore,
    ConnectionStore,
    UsageStore,
    SchemaStore,
    Protocol,
):
    """All of the above."""
