"""Sources: added, edited, paused, removed; each with its head and its line in a shard, written together.

add       url judged ─► fetched and shown (preview) ─► source + head + line, due now
edit      under the source's lease, so that no sync in hand writes over it; another URL forgets ETag and hash,
          and keeps the stays: the next fetch passes the guards
remove    nothing is fetched any more, future nights stay held until a person releases them
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import BOOKINGS, ShardId, Source, UnitId
from bokit.core.model.collections import places_of
from bokit.core.model.due_times import interval_of
from bokit.core.model.options import Options
from bokit.core.model.records import LoggedChange, Record, Scope, SourceId, TenantId
from bokit.core.model.scheduling import Head, Lease, SourceSchedule
from bokit.engine.base.lookup import find_named
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.catalog.fields import SOURCE_READERS, read_fields
from bokit.engine.catalog.parts import CatalogParts
from bokit.engine.runs.messages import SQL
from bokit.errors import InputError, StateError, StoreConflictError

if TYPE_CHECKING:
    from bokit.core.model.plan import Hold
    from bokit.engine.catalog.preview import Preview
    from bokit.engine.sync.sync import Kind

SHARD_SIZE = 100
LEASE_FOR = timedelta(seconds=30)
TRIES = 20
PAUSE = 0.25
READ_ANEW = frozenset({"url", "platform", "timezone", "settings", "kind"})
"""Fields after whose change ETag and hash prove nothing."""
SECRET = "secret:"  # noqa: S105 - a prefix, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A removed source, and what its removal did with the nights that it held."""

    source: Source
    released: int = 0
    """Records let go."""
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
        """Return the source of this id or name."""
        return find_named(self.list_sources(tenant, removed=removed), word, "source")

    def load(self, tenant: TenantId, id: SourceId) -> Source:
        """Return the source of this id, and of no name; a removed one, too."""
        return self.store.load_source(tenant, id)

    def preview(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Preview:
        """Fetch once what *values* describe and return what is read in it; nothing is written."""
        draft = self._draft(tenant, unit_id, values)
        self._check_new(draft)
        head = Head(source=draft, unit_timezone=self._zone_of(tenant, unit_id))
        return self._preview(head)

    def test(self, tenant: TenantId, id: SourceId) -> Preview:
        """Fetch a source once, as a sync would, and return what is read in it; nothing is written."""
        source = self.store.load_source(tenant, id)
        return self._preview(self.store.load_head(source))

    def _preview(self, head: Head) -> Preview:
        from bokit.engine.catalog.preview import preview_source

        source = head.source
        return preview_source(head, self._kind(source), self._options(source.tenant), self.clock())

    def add(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Source:
        """Add a source of *values* to a unit, due now; the tenant's first one completes the installation."""
        return self.save_new(self._draft(tenant, unit_id, values), self._zone_of(tenant, unit_id))

    def save_new(self, source: Source, unit_timezone: str | None = None) -> Source:
        """Write a new source, judged, due now; the tenant's first one completes the installation."""
        self._check_new(source)
        shard = self.store.pick_shard(1, SQL) if source.kind == SQL else self.store.pick_shard(SHARD_SIZE)
        source = replace(source, shard_id=shard)
        saved = self.store.save_source(Head(source=source, unit_timezone=unit_timezone), self._schedule(source))
        if not self._options(source.tenant)["install.complete"]:
            self.store.save_option(source.tenant, "install.complete", True)
        return saved

    def edit(self, tenant: TenantId, id: SourceId, values: Mapping[str, Any]) -> Source:
        """Change what *values* names (None: back to the tenant's); nothing is written where nothing differs."""
        before = self._load_present(tenant, id)
        read = read_fields(values, SOURCE_READERS)
        after = replace(before, **read)
        changed = {name for name in read if getattr(before, name) != getattr(after, name)}
        if not changed:
            return before
        if "kind" in changed:
            raise InputError("a source stays of its kind; add another one", code="bad-field", field="kind")
        if "url" in changed:
            self._check_url(after)
        if changed & {"url", "name"}:
            self._check_unique(after)
        return self._rewrite(before, after, anew=bool(changed & READ_ANEW))

    def pause(self, tenant: TenantId, id: SourceId) -> Source:
        """Sync it no more by itself; what it holds stays held."""
        return self.edit(tenant, id, {"enabled": False})

    def resume(self, tenant: TenantId, id: SourceId) -> Source:
        """Sync it again, beginning now."""
        return self.edit(tenant, id, {"enabled": True})

    def remove(self, tenant: TenantId, id: SourceId, *, release: bool = False, by: str) -> Removal:
        """Fetch it no more; its future nights stay held until *release*, with which it may be called again later."""
        source = self.store.load_source(tenant, id)
        with self._lease(source) as lease:
            head = self.store.load_head(source)
            gone = self._let_go(head, lease, by) if release else 0
            if source.removed_at is None:
                ended = replace(source, removed_at=self.clock())
                kept = replace(head, source=ended, settle_at=None, hold=None, failure=None)
                source = self.store.save_source(kept, replace(self._schedule(ended), due_at=None))
        if release:
            occasion = ReconcileRequest(tenant=tenant, scope=source.scope, at=self.clock(), by=by)
            self.parts.follow(source.collection, occasion)
        return Removal(source=source, released=gone, kept=self._count_held(head))

    def set_unit_timezone(self, tenant: TenantId, unit_id: UnitId, zone: str | None) -> None:
        """Tell a unit's sources where it lies, so that they are read anew."""
        for source in self.list_sources(tenant):
            if source.scope == Scope(unit_id):
                self._rewrite(source, source, anew=True, unit_timezone=zone)

    def find_hold(self, tenant: TenantId, id: SourceId) -> Hold | None:
        """Return what a guard holds of this source, in full."""
        source = self.store.load_source(tenant, id)
        return self._kind(source).rules.read_hold(self.store.load_snapshot(source).memory)

    # ── what may be said ──

    def _draft(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Source:
        self.store.load_unit(tenant, unit_id)
        read = read_fields({"kind": "ical", **values}, SOURCE_READERS)
        for name in ("name", "url"):
            if name not in read:
                raise InputError("a source needs a name and a URL", code="bad-field", field=name)
        made = SourceId(self.parts.new_id("src"))
        draft = Source(id=made, tenant=tenant, scope=Scope(unit_id), shard_id=ShardId(""), collection=BOOKINGS, **read)
        if self._kind(draft).collection is None:
            raise InputError(
                "sources of this kind are declared in a config file; `bokit config import` reads it",
                code="bad-field",
                field="kind",
            )
        return draft

    def _check_new(self, source: Source) -> None:
        self._check_url(source)
        self._check_unique(source)

    def _kind(self, source: Source) -> Kind:
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
            raise StateError("another source has this URL already", code="duplicate", source=same.name, id=same.id)

    def _load_present(self, tenant: TenantId, id: SourceId) -> Source:
        source = self.store.load_source(tenant, id)
        if source.removed_at is not None:
            raise StateError("the source was removed; add it anew", code="removed", id=id)
        return source

    # ── writing ──

    @contextmanager
    def _lease(self, source: Source) -> Iterator[Lease]:
        """Hold the source's lease, waiting some seconds for a sync in hand to end."""
        holder = self.parts.new_id("edit")
        for _ in range(TRIES):
            now = self.clock()
            lease = self.store.take_lease(source, holder=holder, now=now, until=now + LEASE_FOR)
            if lease is not None:
                break
            self.parts.wait(PAUSE)
        else:
            raise StateError("the source is being synced; try again in a moment", code="lease-held", id=source.id)
        try:
            yield lease
        finally:
            self.store.release_lease(lease)

    def _rewrite(self, before: Source, after: Source, *, anew: bool, **of_head: Any) -> Source:
        """Write *after* with its head and its line, under the lease; *anew*: ETag and hash are forgotten, and it is due."""
        with self._lease(before):
            head = replace(self.store.load_head(before), source=after, **of_head)
            if anew:
                head = replace(head, etag=None, last_modified=None, content_hash=None)
            schedule = self._schedule(after, self._find_schedule(before), now=anew or (after.enabled and not before.enabled))
            return self.store.save_source(head, schedule)

    def _find_schedule(self, source: Source) -> SourceSchedule:
        shards = self.store.load_shards([source.shard_id])
        if not shards or source.id not in shards[0].beats:
            raise StoreConflictError("the source has no line in its shard; try again", id=source.id)
        return shards[0].beats[source.id]

    def _schedule(self, source: Source, before: SourceSchedule | None = None, *, now: bool = True) -> SourceSchedule:
        """Return a source's line: due now, or where it was, but never later than its interval says."""
        at, interval = self.clock(), interval_of(source, self._options(source.tenant))
        schedule = before or SourceSchedule(tenant=source.tenant, due_at=at, interval=interval)
        due = at if now or schedule.due_at is None else min(schedule.due_at, at + interval)
        return replace(schedule, interval=interval, due_at=due if source.enabled else None)

    def _let_go(self, head: Head, lease: Lease, by: str) -> int:
        """Release what a source's records hold, as its rules say."""
        done = list(self._releases(head, by))
        if done:
            self.store.apply_records([r for r, _ in done], [c for _, c in done], lease=lease)
        return len(done)

    def _count_held(self, head: Head) -> int:
        return len(list(self._releases(head, "")))

    def _releases(self, head: Head, by: str) -> Iterator[tuple[Record, LoggedChange]]:
        rules, now, zone = self._kind(head.source).rules, self.clock(), self._zone(head)
        for record in self._records(head.source):
            if made := rules.release(record, by=by, at=now, zone=zone):
                yield made

    def _records(self, source: Source) -> list[Record]:
        found = (r for name, scope in places_of(source) for r in self.store.load_records(source.tenant, name, scope))
        return [r for r in found if r.source_id == source.id]

    def _zone(self, head: Head) -> ZoneInfo:
        return ZoneInfo(head.source.timezone or head.unit_timezone or self._options(head.source.tenant)["timezone"])

    def _zone_of(self, tenant: TenantId, unit_id: UnitId) -> str | None:
        unit = self.store.load_unit(tenant, unit_id)
        return unit.timezone or self.store.load_property(tenant, unit.property_id).timezone

    def _options(self, tenant: TenantId) -> Options:
        return Options(self.store.load_options([tenant]).get(tenant), self.parts.defaults)
