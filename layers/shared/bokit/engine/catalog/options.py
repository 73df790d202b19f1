"""A tenant's options: read, set, unset; a change of the schedule takes effect at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from bokit.core.model.catalog import Source
from bokit.core.model.due_times import interval_of, plan_next_due
from bokit.core.model.options import OPTIONS, Options, find_option, read_option
from bokit.core.model.records import Json, TenantId
from bokit.core.model.scheduling import SourceSchedule
from bokit.engine.base.tenant_options import check_tenant, load_options
from bokit.engine.catalog.parts import CatalogParts

SCHEDULING = frozenset({"sync.interval", "sync.enabled", "install.complete"})
PUBLISHED = frozenset({"export.anonymous"})
"""Options that change what outgoing calendars show."""


class OptionDocument(TypedDict):
    """An option of the tenant."""

    name: str
    value: Json
    default: Json
    is_set: bool
    about: str


class OptionService:
    """Reads and writes the options of a tenant."""

    def __init__(self, parts: CatalogParts) -> None:
        self.store, self.clock, self.defaults, self.publish = parts.store, parts.clock, parts.defaults, parts.publish

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
        check_tenant(self.store, tenant)
        self.store.save_option(tenant, name, read)
        return self._put_in_force(tenant, name)

    def unset(self, tenant: TenantId, name: str) -> OptionDocument:
        """Return to the default; the schedule follows at once."""
        find_option(name)
        check_tenant(self.store, tenant)
        self.store.save_option(tenant, name, None)
        return self._put_in_force(tenant, name)

    def _put_in_force(self, tenant: TenantId, name: str) -> OptionDocument:
        if name in SCHEDULING:
            self._reschedule(tenant)
        if name in PUBLISHED:
            self.publish(tenant)
        return self.get(tenant, name)

    def _describe(self, options: Options, name: str) -> OptionDocument:
        unset = Options({}, self.defaults)
        return {
            "name": name,
            "value": options[name],
            "default": unset[name],
            "is_set": options.is_set(name),
            "about": OPTIONS[name].about,
        }

    def _reschedule(self, tenant: TenantId) -> None:
        """Write the due times that follow from the tenant's options now."""
        options, now = self.load(tenant), self.clock()
        sources = {s.id: s for s in self.store.load_sources(tenant) if s.is_active}
        for shard in self.store.load_shards(sorted({s.shard_id for s in sources.values()})):
            for source_id, schedule in shard.schedules.items():
                if source_id not in sources:
                    continue
                after = plan_schedule(schedule, sources[source_id], options, now)
                if after != schedule:
                    self.store.save_source_schedule(shard.id, source_id, after)


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
