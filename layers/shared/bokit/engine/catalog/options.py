"""A tenant's options: read, set, unset; a change of the schedule takes effect at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypedDict

from bokit.core.model.catalog import ShardId
from bokit.core.model.due_times import plan_schedule
from bokit.core.model.options import OPTIONS, Options, find_option, read_option
from bokit.core.model.records import Json, SourceId, TenantId
from bokit.core.model.scheduling import SourceSchedule
from bokit.engine.base.tenant_options import check_interval, check_tenant, load_options
from bokit.engine.catalog.parts import CatalogParts

FULL_PASSES = frozenset({"sync.full_interval", "sync.new_only"})
"""Options that say when all of a source is read."""
PLANNING = frozenset({"timezone", "sync.cancel_after", "sync.horizon_days"})
"""Options with which a source's plan is computed."""
SCHEDULING = FULL_PASSES | PLANNING | {"sync.interval", "sync.enabled", "install.complete"}
PUBLISHED = frozenset({"export.anonymous"})
"""Options that change what outgoing calendars show."""
DOORS = frozenset({"access.codes", "access.source", "access.buffer_minutes", "timezone"})
"""Options that change which door codes there are, and when they are valid."""


class OptionDocument(TypedDict):
    """An option of the tenant."""

    name: str
    value: Json
    default: Json
    is_set: bool
    about: str
    fault: Annotated[str | None, "Why the stored value is not used; null: it is."]


class OptionService:
    """Reads and writes the options of a tenant."""

    def __init__(self, parts: CatalogParts) -> None:
        self.store, self.clock, self.defaults, self.publish = parts.store, parts.clock, parts.defaults, parts.publish
        self.follow_doors = parts.follow_doors

    def load(self, tenant: TenantId) -> Options:
        """Return the tenant's options over the stack's defaults."""
        return load_options(self.store, tenant, self.defaults)

    def list_options(self, tenant: TenantId) -> list[OptionDocument]:
        """Return every option: name, value, default, whether it is set, and what it does."""
        options = self.load(tenant)
        return [self._describe(options, name) for name in OPTIONS]

    def get(self, tenant: TenantId, name: str) -> OptionDocument:
        """Return one option, or raise OptionError."""
        find_option(name)
        return self._describe(self.load(tenant), name)

    def set(self, tenant: TenantId, name: str, value: Json) -> OptionDocument:
        """Set one option; the schedule follows at once."""
        read = read_option(name, value)
        if name == "sync.interval":
            check_interval(timedelta(seconds=int(str(read))), self.load(tenant), "value")
        return self._change(tenant, name, read)

    def unset(self, tenant: TenantId, name: str) -> OptionDocument:
        """Return to the default; the schedule follows at once."""
        find_option(name)
        return self._change(tenant, name, None)

    def _change(self, tenant: TenantId, name: str, value: Json) -> OptionDocument:
        """Compute what follows from the option's new *value* (None: its default), save it, and put it in force."""
        check_tenant(self.store, tenant)
        options = self.load(tenant).with_value(name, value)
        lines = self._plan_lines(tenant, options, again=name in FULL_PASSES) if name in SCHEDULING else ()
        self.store.save_option(tenant, name, value)
        for shard_id, source_id, line in lines:
            self.store.save_source_schedule(shard_id, source_id, line)
        if name in PUBLISHED:
            self.publish(tenant)
        if name in DOORS and (options["access.codes"] or name == "access.codes"):
            self.follow_doors(tenant)
        return self.get(tenant, name)

    def _describe(self, options: Options, name: str) -> OptionDocument:
        unset = Options({}, self.defaults)
        return {
            "name": name,
            "value": options[name],
            "default": unset[name],
            "is_set": options.is_set(name),
            "about": OPTIONS[name].about,
            "fault": options.faults.get(name),
        }

    def _plan_lines(self, tenant: TenantId, options: Options, *, again: bool) -> list[tuple[ShardId, SourceId, SourceSchedule]]:
        """Return the lines that *options* change, each with its shard and source."""
        now, changed = self.clock(), []
        for shard_id in sorted({s.shard_id for s in self.store.load_sources(tenant) if s.is_active}):
            shard, heads = self.store.load_heads(shard_id)
            mine = [h for h in heads if h.source.tenant == tenant and h.source.is_active and h.source.id in shard.schedules]
            for head in mine:
                before = shard.schedules[head.source.id]
                after = plan_schedule(before, head, options, now, again=again)
                changed += [(shard_id, head.source.id, after)] if after != before else []
        return changed
