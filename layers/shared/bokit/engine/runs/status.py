"""Freshness by source, totals and runs. Staleness is judged when it is read, so a dead scheduler shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, NotRequired, TypedDict, cast

from bokit.core.model.alerts import AlertsDocument, describe_channel
from bokit.core.model.collections import fed_by_tables, scopes_of, source_scopes, unit_of
from bokit.core.model.documents import Count, ErrorDocument
from bokit.core.model.due_times import SourceState, freshness, judge_source
from bokit.core.model.full_names import FullNames
from bokit.core.model.monitor import MonitorDocument
from bokit.core.model.options import Options
from bokit.core.model.plan import HoldSummary
from bokit.core.model.quotas import QuotaDocument, QuotaOwner, day_of, describe_quotas
from bokit.core.model.readers import name_reader
from bokit.core.model.records import Fields, Presence, Record, RunId, SourceId, TenantId
from bokit.core.model.runs import Outcome, Run, RunStatus, SourceReport, Trigger
from bokit.core.model.scheduling import Head, HeartbeatRun, HoldNote, Shard, SourceSchedule, TableNote
from bokit.engine.base.clock import Clock
from bokit.engine.base.lookup import load_names
from bokit.engine.base.retention import RetentionDocument, describe_retention, load_state
from bokit.engine.base.tenant_options import load_options
from bokit.errors import UnknownIdError
from bokit.store.protocols import Page, Store
from bokit.values import Value


class FreshnessDocument(TypedDict):
    """When a source was last read, and how it went; null where it was removed."""

    state: SourceState | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_change_at: datetime | None
    next_due_at: datetime | None
    failures: Count | None
    error: ErrorDocument | None
    content_made_at: Annotated[
        datetime | None, "When the content that comes was made, where it is the same old one as before; null: it is not."
    ]
    advice: Annotated[str | None, "What the owner should know or change, by what the source last showed; null: nothing."]
    renames_since: Annotated[
        datetime | None, "Since when its calendar renames its bookings at each fetch: those that were known are kept."
    ]


class TableStatusDocument(TypedDict):
    """One table of a database."""

    name: str
    collection: str
    state: Annotated[SourceState, "`failing`: it could not be read; `held`: a guard holds something of it."]
    since: Annotated[datetime | None, "Since when it needs a person; null: it does not."]
    error: ErrorDocument | None


class SourceStatusDocument(FreshnessDocument):
    """One source's status."""

    source_id: str
    name: str
    full_name: Annotated[str, "With its unit's full name: `Garden flat / Airbnb`."]
    kind: str
    collection: str
    unit_id: str | None
    interval: Count
    hold: HoldSummary | None
    tables: NotRequired[Annotated[list[TableStatusDocument], "Of a database: its tables."]]


class UnreadDocument(TypedDict):
    """An outgoing calendar that a kind of program has not read for three times its usual interval."""

    calendar_id: str
    unit_id: str
    unit: Annotated[str, "The unit's full name."]
    kind: Annotated[str, "Of the program: `airbnb`, `booking_com`, …"]
    name: Annotated[str, "The program's name, as a person knows it."]
    last_read_at: datetime
    usual_interval_s: Count


class StatusDocument(TypedDict):
    """The tenant's status."""

    at: datetime
    enabled: bool
    install_complete: bool
    interval: Count
    monitor: MonitorDocument | None
    totals: dict[str, Count]
    quotas: Annotated[list[QuotaDocument], "How near the tenant is to its quotas."]
    sources: list[SourceStatusDocument]
    unread: Annotated[list[UnreadDocument], "Outgoing calendars that a platform no longer reads."]
    alerts: Annotated[AlertsDocument, "Who hears of what needs a person."]
    retention: Annotated[RetentionDocument | None, "How far the retention of guest details is; null: `guest.keep_days` is unset."]
    cursor: Annotated[str | None, "Send it to get the sources after these; null: these were the last."]


TROUBLED = frozenset({SourceState.FAILING, SourceState.HELD, SourceState.STALE})
"""States that need a person."""


class SourceStatus(Value):
    """One source, as the status shows it."""

    head: Head
    schedule: SourceSchedule
    state: SourceState

    def as_dict(self, names: FullNames) -> SourceStatusDocument:
        """As the status shows it."""
        head, source, hold = self.head, self.head.source, self.head.hold
        doc: SourceStatusDocument = {
            "source_id": source.id,
            "name": source.name,
            "full_name": names.of(source),
            "kind": source.kind,
            "collection": source.collection,
            "unit_id": unit_of(source),
            "state": self.state,
            "interval": int(self.schedule.interval.total_seconds()),
            "last_attempt_at": max((t for t in (self.schedule.attempted_at, head.synced_at) if t), default=None),
            "last_success_at": freshness(head, self.schedule),
            "last_change_at": head.changed_at,
            "next_due_at": self.schedule.due_at,
            "failures": self.schedule.failures,
            "error": {"code": head.failure.code, "message": head.failure.message} if head.failure else None,
            "content_made_at": head.stale.since if head.stale else None,
            "advice": head.advice,
            "renames_since": head.renames_since,
            "hold": _describe_note(hold) if hold else None,
        }
        if source.settings.get("tables"):
            doc["tables"] = self._describe_tables()
        return doc

    def _describe_tables(self) -> list[TableStatusDocument]:
        """Return the tables of a database, and those that it does not declare any more but that need a person."""
        declared, notes = fed_by_tables(self.head.source), self.head.tables
        names = [*declared, *(name for name in notes if name not in declared)]
        is_own = self.state not in (SourceState.HELD, SourceState.FAILING)
        own = SourceState.FAILING if self.head.failure and not notes else self.state if is_own else SourceState.OK
        return [_describe_table(name, declared.get(name, ""), notes.get(name), own) for name in names]


def _describe_note(hold: HoldNote) -> HoldSummary:
    return {
        "code": hold.code,
        "message": hold.message,
        "since": hold.since,
        "plan": hold.plan_hash,
        "opens_at": hold.opens_at,
    }


def _describe_table(name: str, collection: str, note: TableNote | None, state: SourceState) -> TableStatusDocument:
    if note is None:
        return {"name": name, "collection": collection, "state": state, "since": None, "error": None}
    state, error = SourceState.HELD if note.is_held else SourceState.FAILING, note.message
    return {
        "name": name,
        "collection": collection,
        "state": state,
        "since": note.since,
        "error": {"code": note.code, "message": error},
    }


class StatusService:
    """Reads status, totals and history."""

    def __init__(self, store: Store, clock: Clock, defaults: Fields, *, has_topic: bool = False) -> None:
        self.store, self.clock, self.defaults, self._has_topic = store, clock, defaults, has_topic

    def load_sources(self, tenant: TenantId) -> list[SourceStatus]:
        """Return every source of the tenant that was not removed, with one query a shard."""
        return self._judge_sources(tenant, self._options(tenant))

    def _judge_sources(self, tenant: TenantId, options: Options) -> list[SourceStatus]:
        found, now = [], self.clock()
        for shard, head in self._load_heads(tenant):
            schedule = shard.schedules[head.source.id]
            found.append(SourceStatus(head=head, schedule=schedule, state=judge_source(head, schedule, options, now)))
        return sorted(found, key=lambda s: (s.head.source.scope, s.head.source.name, s.head.source.id))

    def load_freshness(self, tenant: TenantId, source_id: SourceId) -> FreshnessDocument:
        """Return the freshness of one source; None throughout where it was removed."""
        found = self._find_source(tenant, source_id)
        doc: Fields = found.as_dict(FullNames()) if found else {}
        return cast("FreshnessDocument", {name: doc.get(name) for name in FreshnessDocument.__annotations__})

    def _find_source(self, tenant: TenantId, source_id: SourceId) -> SourceStatus | None:
        """Return the status of one source, from its own items alone; None where it was removed."""
        source = self.store.load_source(tenant, source_id)
        shards = self.store.load_shards([source.shard_id])
        if source.removed_at is not None or not shards or source_id not in shards[0].schedules:
            return None
        head, schedule = self.store.load_head(source), shards[0].schedules[source_id]
        return SourceStatus(head=head, schedule=schedule, state=judge_source(head, schedule, self._options(tenant), self.clock()))

    def load_status(self, tenant: TenantId) -> StatusDocument:
        """Return the tenant's status, its sources by their full names."""
        options, names = self._options(tenant), load_names(self.store, tenant)
        sources = self._judge_sources(tenant, options)
        shown = sorted((s.as_dict(names) for s in sources), key=lambda doc: (doc["full_name"].casefold(), doc["source_id"]))
        monitor = self.store.load_monitors([tenant]).get(tenant)
        states = [s.state for s in sources]
        return {
            "at": self.clock(),
            "enabled": options["sync.enabled"],
            "install_complete": options["install.complete"],
            "interval": options["sync.interval"],
            "monitor": None if monitor is None or monitor.is_over else monitor.as_dict(),
            "totals": {"sources": len(sources), **{str(s): states.count(s) for s in SourceState}},
            "quotas": self.load_quotas(tenant),
            "sources": shown,
            "unread": self.list_unread(tenant, names),
            "alerts": self.load_alerts(tenant),
            "retention": self._load_retention(tenant, options),
            "cursor": None,
        }

    def _load_retention(self, tenant: TenantId, options: Options) -> RetentionDocument | None:
        days = options["guest.keep_days"]
        return None if days is None else describe_retention(load_state(self.store, tenant, self.clock()), int(days))

    def load_alerts(self, tenant: TenantId) -> AlertsDocument:
        """Return who hears of what needs a person."""
        channels, states = self.store.load_alert_channels(tenant), self.store.load_alert_states(tenant)
        return {"topic": self._has_topic, "channels": [describe_channel(c, states.get(c.id)) for c in channels]}

    def list_unread(self, tenant: TenantId, names: FullNames) -> list[UnreadDocument]:
        """Return the outgoing calendars that some readers no longer read, by unit."""
        found: list[UnreadDocument] = [
            {
                "calendar_id": calendar.id,
                "unit_id": calendar.unit_id,
                "unit": names.of_unit(calendar.unit_id),
                "kind": reader.kind,
                "name": name_reader(reader.kind),
                "last_read_at": reader.read_at,
                "usual_interval_s": int((reader.usual_interval or timedelta()).total_seconds()),
            }
            for calendar in self.store.load_unread(tenant)
            for reader in calendar.readers
        ]
        return sorted(found, key=lambda doc: (doc["unit"].casefold(), doc["calendar_id"], doc["kind"]))

    def list_troubled(self, tenant: TenantId) -> list[str]:
        """Return the full names of the sources that need a person."""
        names = load_names(self.store, tenant)
        return [names.of(s) for s in names.sorted(s.head.source for s in self.load_sources(tenant) if s.state in TROUBLED)]

    def load_quotas(self, tenant: TenantId | None) -> list[QuotaDocument]:
        """Return how much of its quotas the tenant (None: the stack) uses."""
        now, owner = self.clock(), QuotaOwner.STACK if tenant is None else QuotaOwner.TENANT
        return describe_quotas(self.store.quotas, owner, self.store.load_usage(tenant, day_of(now)), now)

    def load_stats(self, tenant: TenantId) -> dict[str, Any]:
        """Return totals over records, sources and the kept runs."""
        sources = self.load_sources(tenant)
        scopes = {(s.collection, scope) for s in self.store.load_sources(tenant) for scope in source_scopes(s)}
        scopes |= {(c.name, scope) for c in self.store.load_collections(tenant) for scope in scopes_of(c.name, c.buckets)}
        collections: dict[str, dict[str, int]] = {}
        for collection, scope in sorted(scopes):
            counts = collections.setdefault(collection, new_counts())
            add_records(counts, self.store.load_records(tenant, collection, scope))
        runs = self.load_history(tenant, limit=100).items
        statuses = [r.status for r in runs]
        return {
            "sources": len(sources),
            "collections": collections,
            "runs": {"counted": len(runs), **{str(s): statuses.count(s) for s in RunStatus if s in statuses}},
            "last_success_at": max((f for s in sources if (f := freshness(s.head, s.schedule))), default=None),
        }

    def load_history(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return the runs, newest first: the stored ones, and on the first page the unchanged batches of the shards."""
        page = self.store.load_runs(tenant, limit=limit, cursor=cursor)
        if cursor is not None:
            return page
        oldest = page.items[-1].run_id if page.cursor else ""
        stored = {r.run_id for r in page.items}
        unchanged = [r for r in self._heartbeat_runs(tenant).values() if r.run_id >= oldest and r.run_id not in stored]
        merged = sorted([*page.items, *unchanged], key=lambda r: r.run_id, reverse=True)
        return Page(items=tuple(merged), cursor=page.cursor)

    def load_run(self, tenant: TenantId, run_id: RunId) -> Run:
        """Return one run, or raise UnknownIdError."""
        try:
            return self.store.load_run(tenant, run_id)
        except UnknownIdError:
            if run := self._heartbeat_runs(tenant).get(run_id):
                return run
            raise

    def _heartbeat_runs(self, tenant: TenantId) -> dict[RunId, Run]:
        """Return the unchanged batches as runs: their heartbeat is their record."""
        found = self._load_heads(tenant)
        names = {head.source.id: head.source.name for _, head in found}
        shards = {shard.id: shard for shard, _ in found}
        runs = (_read_heartbeat(heartbeat, tenant, names) for shard in shards.values() for heartbeat in shard.recent)
        return {run.run_id: run for run in runs if run.sources}

    def _load_heads(self, tenant: TenantId) -> list[tuple[Shard, Head]]:
        sources = [s for s in self.store.load_sources(tenant) if s.removed_at is None]
        ids = {s.id for s in sources}
        found = []
        for shard_id in sorted({s.shard_id for s in sources}):
            shard, heads = self.store.load_heads(shard_id)
            found += [(shard, h) for h in heads if h.source.id in ids and h.source.id in shard.schedules]
        return found

    def _options(self, tenant: TenantId) -> Options:
        return load_options(self.store, tenant, self.defaults)


def new_counts() -> dict[str, int]:
    """Return the counts of no records."""
    return dict.fromkeys(("records", *map(str, Presence), "edited"), 0)


def add_records(counts: dict[str, int], records: Iterable[Record]) -> None:
    """Count *records*, by their presence, and how many a person edited."""
    for record in records:
        counts["records"] += 1
        counts[str(record.presence)] += 1
        counts["edited"] += bool(record.edits)


def _read_heartbeat(heartbeat: HeartbeatRun, tenant: TenantId, names: Mapping[SourceId, str]) -> Run:
    known = [source_id for source_id in heartbeat.sources if source_id in names]
    return Run(
        run_id=heartbeat.run_id,
        tenant=tenant,
        trigger=Trigger(heartbeat.trigger),
        status=RunStatus.SUCCEEDED,
        started_at=heartbeat.started_at,
        finished_at=heartbeat.finished_at,
        sources=tuple(SourceReport(source_id=s, name=names[s], outcome=Outcome.UNCHANGED) for s in known),
    )
