"""A tenant's options: read, set, unset; a change of the schedule takes effect at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bokit.core.model.catalog import DEFAULT_TENANT, Source
from bokit.core.model.due_times import interval_of, plan_next_due
from bokit.core.model.options import OPTIONS, Options, find_option, read_option
from bokit.core.model.records import Json, TenantId
from bokit.core.model.scheduling import SourceSchedule
from bokit.engine.catalog.parts import CatalogParts
from bokit.errors import UnknownIdError

SCHEDULING = frozenset({"sync.interval", "sync.enabled", "install.complete"})
TOLD = frozenset({"export.anonymous"})
"""Options that say what others are told."""


class OptionService:
    """Reads and writes the options of a tenant."""

    def __init__(self, parts: CatalogParts) -> None:
        self.store, self.clock, self.defaults, self.publish = parts.store, parts.clock, parts.defaults, parts.publish

    def load(self, tenant: TenantId) -> Options:
        """Return the tenant's options over the stack's defaults."""
        return Options(self.store.load_options([tenant]).get(tenant), self.defaults)

    def list_options(self, tenant: TenantId) -> list[dict[str, Json]]:
        """Return every option: name, value, default, whether it is set, and what it does."""
        options = self.load(tenant)
        return [self._describe(options, name) for name in OPTIONS]

    def get(self, tenant: TenantId, name: str) -> dict[str, Json]:
        """Return one option, or raise OptionError."""
        find_option(name)
        return self._describe(self.load(tenant), name)

    def set(self, tenant: TenantId, name: str, value: Json) -> dict[str, Json]:
        """Set one option, and let the schedule follow it at once."""
        read = read_option(name, value)
        self._check_tenant(tenant)
        self.store.save_option(tenant, name, read)
        return self._follow(tenant, name)

    def unset(self, tenant: TenantId, name: str) -> dict[str, Json]:
        """Go back to the default, and let the schedule follow it at once."""
        find_option(name)
        self._check_tenant(tenant)
        self.store.save_option(tenant, name, None)
        return self._follow(tenant, name)

    def _follow(self, tenant: TenantId, name: str) -> dict[str, Json]:
        if name in SCHEDULING:
            self._reschedule(tenant)
        if name in TOLD:
            self.publish(tenant)
        return self.get(tenant, name)

    def _check_tenant(self, tenant: TenantId) -> None:
        if tenant != DEFAULT_TENANT and all(t.id != tenant for t in self.store.load_tenants()):
            raise UnknownIdError("no such tenant; `bokit tenant list` shows them", id=tenant)

    def _describe(self, options: Options, name: str) -> dict[str, Json]:
        unset = Options({}, self.defaults)
        return {
            "name": name,
            "value": options[name],
            "default": unset[name],
            "is_set": options.is_set(name),
            "about": OPTIONS[name].about,
        }

    def _reschedule(self, tenant: TenantId) -> None:
        """Write the due times that the tenant's options ask for now."""
        options, now = self.load(tenant), self.clock()
        sources = {s.id: s for s in self.store.load_sources(tenant) if s.removed_at is None and s.enabled}
        for shard in self.store.load_shards(sorted({s.shard_id for s in sources.values()})):
            for id, schedule in shard.beats.items():
                if id in sources and (moved := plan_schedule(schedule, sources[id], options, now)) != schedule:
                    self.store.save_source_schedule(shard.id, id, moved)


def plan_schedule(schedule: SourceSchedule, source: Source, options: Options, now: datetime) -> SourceSchedule:
    """Return the line of *source* with the interval in force and the due time that follows from it; a past one is now.

    last attempt    due
    none            as it was
    failed          as it was, unless the new interval comes sooner
    went well       an interval after it
    """
    after = replace(schedule, interval=interval_of(source, options))
    due = schedule.due_at or now
    if after.interval != schedule.interval and schedule.attempted_at is not None:
        planned = plan_next_due(after, source.id, schedule.attempted_at)
        due = min(planned, due) if schedule.failures else planned
    return replace(after, due_at=max(due, now))
