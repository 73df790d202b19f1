"""Sources: added, edited, paused, removed; each with its head and its line in a shard, written together.

add       URL checked ─► fetched and shown (preview) ─► source + head + line, due now
edit      under the source's lease, so no running sync overwrites it; another URL resets ETag and hash, and keeps
          the stays: the next fetch passes the guards
move      under the lease: its records are held there, then the source is there, then they are left here: no night opens
          in between, and a move that was interrupted is repeated
remove    nothing is fetched any more, future nights stay held until a person releases them
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from bokit.core.model.catalog import BOOKINGS, Parent, ShardId, Source, Unit, UnitId
from bokit.core.model.collections import places_of
from bokit.core.model.due_times import interval_of, plan_schedule
from bokit.core.model.events import bulk_item
from bokit.core.model.limits import MAX_SINGLE_EVENTS
from bokit.core.model.options import Options
from bokit.core.model.quotas import day_of
from bokit.core.model.records import LoggedChange, Record, RunId, Scope, SourceId, TenantId
from bokit.core.model.scheduling import Head, Lease, SourceSchedule
from bokit.engine.base.lookup import find_named, load_names
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import check_interval, days_kept, load_options, load_zone_of_unit, zone_of_source
from bokit.engine.catalog.fields import SOURCE_READERS, read_fields
from bokit.engine.catalog.limits import MAX_ADD_TRIES, MAX_SOURCES_PER_SHARD, RESTORE_SPAN
from bokit.engine.catalog.parts import CatalogParts
from bokit.engine.runs.messages import SQL_ROUTE
from bokit.engine.sync.lease import await_lease
from bokit.errors import InputError, StateError, StoreConflictError
from bokit.values import Value, replace

if TYPE_CHECKING:
    from bokit.engine.base.moves import SourceMove
    from bokit.engine.catalog.marks import MarkDocument
    from bokit.engine.catalog.preview import Preview
    from bokit.engine.sync.kinds import SourceKind

REFETCHED = frozenset({"url", "platform", "timezone", "ends_on", "ignore_transparent", "settings", "kind"})
"""Fields whose change makes ETag and hash worthless."""
SECRET = "secret:"  # noqa: S105 - a prefix, not a secret


class Removal(Value):
    """A removed source, and what its removal did with the nights that it held."""

    source: Source
    released: int = 0
    """Records released."""
    kept: int = 0
    """Records that still hold what they held."""


class SourceService:
    """Declares sources; safe beside running syncs."""

    def __init__(self, parts: CatalogParts) -> None:
        self.parts, self.store, self.clock = parts, parts.store, parts.clock

    def list_sources(self, tenant: TenantId, *, removed: bool = False) -> Sequence[Source]:
        """Return the tenant's sources by unit and name; removed ones only when asked for."""
        found = [s for s in self.store.load_sources(tenant) if removed or s.removed_at is None]
        return sorted(found, key=lambda s: (s.scope, s.name.casefold(), s.id))

    def find(self, tenant: TenantId, word: str, *, removed: bool = False) -> Source:
        """Return the source of this id or name; by name a removed one only where none of now has the same."""
        found = self.list_sources(tenant, removed=removed)
        present = {(s.scope, s.name) for s in found if s.removed_at is None}
        known = [s for s in found if s.removed_at is None or s.id == word or (s.scope, s.name) not in present]
        return find_named(known, word, "source", lambda: load_names(self.store, tenant))

    def load(self, tenant: TenantId, source_id: SourceId) -> Source:
        """Return the source of this id; a removed one, too."""
        return self.store.load_source(tenant, source_id)

    def preview(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Preview:
        """Fetch once what *values* describe and return what is read in it; nothing is written.

        Raises StateError where it is another source's calendar, or one of ours.
        """
        draft = self._draft(tenant, unit_id, values)
        self._check_new(draft)
        head = Head(source=draft, unit_timezone=self._zone_of(tenant, unit_id))
        preview = self._preview(head)
        if preview.objection:
            raise StateError(preview.objection, code="other-listing")
        return preview

    def test(self, tenant: TenantId, source_id: SourceId, *, seconds: float | None = None) -> Preview:
        """Fetch a source once, as a sync would, and return what is read in it; nothing is written."""
        source = self.store.load_source(tenant, source_id)
        return self._preview(self.store.load_head(source), seconds)

    def _preview(self, head: Head, seconds: float | None = None) -> Preview:
        from bokit.engine.catalog.preview import preview_source

        source = head.source
        options = self._options(source.tenant)
        return preview_source(self.store, head, self._kind(source), options, self.clock(), seconds=seconds)

    def add(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Source:
        """Add a source of *values* to a unit, due now; the tenant's first one completes the installation."""
        draft, zone = self._draft(tenant, unit_id, values), self._zone_of(tenant, unit_id)
        return self.save_new(draft, zone, within=[Parent(Unit, tenant, unit_id)])

    def save_new(self, source: Source, unit_timezone: str | None = None, *, within: Sequence[Parent]) -> Source:
        """Check and write a new source *within* its unit or collections, due now; a tenant's first one ends the installation."""
        self._check_new(source)
        options = self._options(source.tenant)
        check_interval(source.interval, options)
        shard = self.store.pick_shard(1, SQL_ROUTE) if source.kind == SQL_ROUTE else self.store.pick_shard(MAX_SOURCES_PER_SHARD)
        source = replace(source, shard_id=shard)
        head = Head(source=source, unit_timezone=unit_timezone)
        saved = self._save(head, self._schedule(source), within)
        if not options["install.complete"]:
            self.store.save_option(source.tenant, "install.complete", True)
        return saved

    def _save(self, head: Head, schedule: SourceSchedule, within: Sequence[Parent]) -> Source:
        """Write a new source; units and shards are busy where others are added at the same time."""
        return retry_on_conflict(lambda: self.store.save_source(head, schedule, within=within, at=self.clock()), MAX_ADD_TRIES)

    def edit(
        self,
        tenant: TenantId,
        source_id: SourceId,
        values: Mapping[str, Any],
        *,
        within: Sequence[Parent] = (),
        is_held: bool = False,
    ) -> Source:
        """Change what *values* names (None: back to the tenant's); nothing is written where nothing differs.

        *within*: the collections that it feeds by then; *is_held*: the caller holds its lease.
        """
        before = self._load_present(tenant, source_id)
        after, changed = self._read_edit(before, values)
        if not changed:
            return before
        with nullcontext() if is_held else self._lease(before):
            return self._rewrite(before, after, refetch=bool(changed & REFETCHED), within=within)

    def _read_edit(self, before: Source, values: Mapping[str, Any], unit_id: UnitId | None = None) -> tuple[Source, set[str]]:
        """Return the source as *values* change it, checked, and the names of what differs; *unit_id*: where it is then."""
        read = read_fields(values, SOURCE_READERS)
        after = replace(before, scope=Scope(unit_id or before.scope), **read)
        changed = {name for name in (*read, "scope") if getattr(before, name) != getattr(after, name)}
        if "kind" in changed:
            raise InputError("the kind of a source cannot change; add another one", code="bad-field", field="kind")
        if "interval" in changed:
            check_interval(after.interval, self._options(before.tenant))
        if "url" in changed:
            self._check_url(after)
        if changed & {"url", "name", "scope"}:
            self._check_unique(after)
        return after, changed

    def plan_move(self, tenant: TenantId, source_id: SourceId, unit_id: UnitId, *, by: str) -> SourceMove:
        """Return what :meth:`move` would do; nothing is written."""
        before = self._load_present(tenant, source_id)
        if before.collection != BOOKINGS:
            raise InputError("a source of a collection belongs to no unit", code="bad-field", field="unit_id")
        self.store.load_unit(tenant, unit_id)
        return self.parts.moves().plan(before, unit_id, by=by)

    def move(
        self,
        tenant: TenantId,
        source_id: SourceId,
        unit_id: UnitId,
        values: Mapping[str, Any] | None = None,
        *,
        by: str,
        release: bool = False,
    ) -> Source:
        """Move the source to another unit with its bookings, and change what *values* names; a repetition changes nothing.

        Raises StateError where that frees nights, unless a person said so by *release*, and where a plan of it is held.
        """
        before = self._load_present(tenant, source_id)
        after, changed = self._read_edit(before, values or {}, unit_id)
        within = [Parent(Unit, tenant, unit_id)]
        with self._lease(before) as lease:
            plan = self.plan_move(tenant, source_id, unit_id, by=by)
            if self.store.load_head(before).hold:
                raise StateError("a plan of this source is held; apply or discard it first", code="held", id=source_id)
            if plan.frees and not release:
                message = "this would free nights in the unit that it leaves; look at them, and confirm it"
                raise StateError(message, code="frees-nights", nights=len(plan.frees))
            self._write_moved(plan, plan.there, lease, within)
            if changed:  # else it was interrupted after this
                snapshot = self.store.load_snapshot(before)
                self.store.save_snapshot(replace(snapshot, memory=plan.memory), lease=lease)
                zone = self._zone_of(tenant, unit_id)
                after = self._rewrite(before, after, refetch=True, within=within, unit_timezone=zone, settle_at=None)
            self._write_moved(plan, plan.here, lease)
        for scope in plan.scopes:
            self.parts.reconcile(BOOKINGS, ReconcileRequest(tenant=tenant, scope=scope, at=self.clock(), by=by))
        return after

    def pause(self, tenant: TenantId, source_id: SourceId) -> Source:
        """Stop its automatic syncs; what it holds stays held."""
        return self.edit(tenant, source_id, {"enabled": False})

    def resume(self, tenant: TenantId, source_id: SourceId) -> Source:
        """Sync it again, from now on."""
        return self.edit(tenant, source_id, {"enabled": True})

    def remove(self, tenant: TenantId, source_id: SourceId, *, release: bool = False, by: str) -> Removal:
        """Stop fetching it; its future nights stay held until a call with *release*, which may come later."""
        source = self.store.load_source(tenant, source_id)
        with self._lease(source) as lease:
            head = self.store.load_head(source)
            released = self._release(head, lease, by) if release else 0
            if source.removed_at is None:
                removed = replace(source, removed_at=self.clock())
                head = replace(head, source=removed, settle_at=None, hold=None, failure=None)
                source = self.store.save_source(head, replace(self._schedule(removed), due_at=None), at=self.clock())
        if release:
            request = ReconcileRequest(tenant=tenant, scope=source.scope, at=self.clock(), by=by)
            self.parts.reconcile(source.collection, request)
        return Removal(source=source, released=released, kept=len(list(self._releases(head, by))))

    def restore(self, tenant: TenantId, source_id: SourceId) -> Source:
        """Take back its removal within RESTORE_SPAN: the same settings and bookings, due now; what was released stays so.

        Raises StateError where it was not removed, or too long ago, or where another source has its name or URL by now.
        """
        source = self.store.load_source(tenant, source_id)
        if source.removed_at is None:
            raise StateError("the source is not removed", code="not-removed", id=source_id)
        if self.clock() - source.removed_at > RESTORE_SPAN:
            raise StateError("the source was removed too long ago; add it again", code="removed", id=source_id)
        restored = replace(source, removed_at=None)
        self._check_new(restored)
        within = [Parent(Unit, tenant, UnitId(source.scope))] if source.collection == BOOKINGS else []
        with self._lease(source):
            head = replace(self.store.load_head(source), source=restored, etag=None, last_modified=None, content_hash=None)
            schedule = self._schedule(restored)
            return self.store.save_source(head, schedule, within=within, at=self.clock(), is_back=True)

    def set_unit_timezone(self, tenant: TenantId, unit_id: UnitId, zone: str | None) -> None:
        """Copy a unit's timezone to its sources, which are then read again."""
        for source in self.list_sources(tenant):
            if source.scope == Scope(unit_id):
                with self._lease(source):
                    self._rewrite(source, source, refetch=True, unit_timezone=zone)

    def list_marks(self, tenant: TenantId, source_id: SourceId) -> list[MarkDocument]:
        """Return until which time each table of the source, or its list, was read."""
        from bokit.engine.catalog.marks import describe_marks

        head = self.store.load_head(self.store.load_source(tenant, source_id))
        return describe_marks(self.store, head, self._options(tenant), self.clock())

    def reset_marks(self, tenant: TenantId, source_id: SourceId, table: str | None = None) -> list[MarkDocument]:
        """Have all of a *table* read again by the next sync, or all of the source, which is due now; return its marks."""
        from bokit.engine.catalog.marks import choose_marks, reset_marks

        source = self._load_present(tenant, source_id)
        names = choose_marks(self.store.load_head(source), table)
        with self._lease(source) as lease:
            reset_marks(self.store, self.store.load_head(source), names, lease)
            self._rewrite(source, source, refetch=True, full_at=None)
        return self.list_marks(tenant, source_id)

    # ── checks ──

    def _draft(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Source:
        self.store.load_unit(tenant, unit_id)
        read = read_fields({"kind": "ical", **values}, SOURCE_READERS)
        for name in ("name", "url"):
            if name not in read:
                raise InputError("a source needs a name and a URL", code="bad-field", field=name)
        made = SourceId(self.parts.new_id("src"))
        draft = Source(id=made, tenant=tenant, scope=Scope(unit_id), shard_id=ShardId(""), collection=BOOKINGS, **read)
        if self._kind(draft).collection is None:
            message = "sources of this kind are declared in a config file; `bokit config import` reads it"
            raise InputError(message, code="bad-field", field="kind")
        return draft

    def _check_new(self, source: Source) -> None:
        self._check_url(source)
        self._check_unique(source)

    def _kind(self, source: Source) -> SourceKind:
        if (kind := self.parts.kinds.get(source.kind)) is None:
            known = ", ".join(sorted(self.parts.kinds))
            raise InputError("sources of this kind are not synced here", code="unknown-kind", kind=source.kind, known=known)
        return kind

    def _check_url(self, source: Source) -> None:
        check = self._kind(source).check_url or self.parts.check_url
        if not source.url.startswith(SECRET):
            check(source.url)

    def _check_unique(self, source: Source) -> None:
        others = [s for s in self.list_sources(source.tenant) if s.id != source.id]
        if same := next((s for s in others if s.scope == source.scope and s.name == source.name), None):
            raise StateError("there is a source of this name already", code="duplicate", name=source.name, id=same.id)
        if same := next((s for s in others if (s.url, s.collection) == (source.url, source.collection)), None):
            name = load_names(self.store, source.tenant).of(same)
            raise StateError("another source has this URL already", code="duplicate", source=name, id=same.id)

    def _load_present(self, tenant: TenantId, source_id: SourceId) -> Source:
        source = self.store.load_source(tenant, source_id)
        if source.removed_at is not None:
            raise StateError("the source was removed; add it again", code="removed", id=source_id)
        return source

    # ── writing ──

    @contextmanager
    def hold(self, sources: Iterable[Source]) -> Iterator[frozenset[SourceId]]:
        """Hold the leases of *sources*: none is synced meanwhile, and what a sync has read before is read again."""
        with ExitStack() as stack:
            yield frozenset(stack.enter_context(self._lease(source)).source.id for source in sources)

    @contextmanager
    def _lease(self, source: Source) -> Iterator[Lease]:
        """Hold the source's lease, waiting some seconds for a running sync to end."""
        lease = await_lease(self.store, source, self.parts.new_id("edit"), self.clock, self.parts.wait)
        try:
            yield lease
        finally:
            self.store.release_lease(lease)

    def _rewrite(self, before: Source, after: Source, *, refetch: bool, within: Sequence[Parent] = (), **of_head: Any) -> Source:
        """Write *after* with its head and its line, under the lease; *refetch*: reset ETag and hash, and make it due."""
        head = replace(self.store.load_head(before), source=after, **of_head)
        if refetch:
            head = replace(head, etag=None, last_modified=None, content_hash=None, held_hash=None)
        schedule = self._reschedule(head, self._find_schedule(before), now=refetch or (after.enabled and not before.enabled))
        return self.store.save_source(head, schedule, within=within, at=self.clock())

    def _find_schedule(self, source: Source) -> SourceSchedule:
        shards = self.store.load_shards([source.shard_id])
        if not shards or source.id not in shards[0].schedules:
            raise StoreConflictError("the source has no line in its shard; try again", id=source.id)
        return shards[0].schedules[source.id]

    def _schedule(self, source: Source) -> SourceSchedule:
        """Return the first line of a source, or of one that is back: due now."""
        at, interval = self.clock(), interval_of(source, self._options(source.tenant))
        return SourceSchedule(tenant=source.tenant, due_at=at if source.enabled else None, interval=interval)

    def _reschedule(self, head: Head, before: SourceSchedule, *, now: bool) -> SourceSchedule:
        """Return a source's line after a change of its settings: due now, or when they say."""
        at = self.clock()
        planned = plan_schedule(before, head, self._options(head.source.tenant), at)
        due = at if now else planned.due_at
        return replace(planned, due_at=due if head.source.enabled else None)

    def _write_moved(self, plan: SourceMove, records: Sequence[Record], lease: Lease, within: Sequence[Parent] = ()) -> None:
        """Write one side of a move; of many records, one event stands for all."""
        if not records:
            return
        source, now, lines = lease.source, self.clock(), plan.lines_of(records)
        self.store.count_writes(source.tenant, day_of(now), len(records) + len(lines), forced=True)
        is_large = len(lines) > MAX_SINGLE_EVENTS
        bulk = bulk_item(source, BOOKINGS, RunId(f"{lease.holder}.{records[0].scope}"), now, {"updated": len(lines)})
        days = days_kept(self.store, records, self.parts.defaults)
        self.store.apply_records(records, lines, lease=lease, within=within, kept_days=days, bulk=bulk if is_large else None)

    def _release(self, head: Head, lease: Lease, by: str) -> int:
        """Release what the source's records hold, by its rules; return how many records."""
        released = list(self._releases(head, by))
        if released:
            days = days_kept(self.store, [r for r, _ in released], self.parts.defaults)
            self.store.apply_records([r for r, _ in released], [c for _, c in released], lease=lease, kept_days=days)
        return len(released)

    def _releases(self, head: Head, by: str) -> Iterator[tuple[Record, LoggedChange]]:
        rules, now = self._kind(head.source).rules, self.clock()
        zone = zone_of_source(head, self._options(head.source.tenant))
        for record in self._records(head.source):
            if made := rules.release(record, by=by, at=now, zone=zone):
                yield made

    def _records(self, source: Source) -> list[Record]:
        found = (r for name, scope in places_of(source) for r in self.store.load_records(source.tenant, name, scope))
        return [r for r in found if r.source_id == source.id]

    def _zone_of(self, tenant: TenantId, unit_id: UnitId) -> str | None:
        unit = self.store.load_unit(tenant, unit_id)
        return load_zone_of_unit(self.store, unit)

    def _options(self, tenant: TenantId) -> Options:
        return load_options(self.store, tenant, self.parts.defaults)
