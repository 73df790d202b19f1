"""Loads what each calendar that is read says of a night: the evidence that a night is free, or taken."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from bokit.core.bookings.stay import time_or_none
from bokit.core.model.collections import unit_of
from bokit.core.model.due_times import SourceState, freshness
from bokit.core.model.records import Fields, Scope, TenantId
from bokit.core.model.source_memory import read_memory
from bokit.core.occupancy.night_evidence import NightEvidence, judge_evidence
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import zone_of_source
from bokit.engine.bookings.unit_groups import UnitGroupView
from bokit.engine.runs.status import SourceStatus, StatusService
from bokit.store.protocols import Store


class EvidenceReader:
    """Reads what calendars say of nights."""

    def __init__(self, store: Store, clock: Clock, defaults: Fields) -> None:
        self.store, self._status = store, StatusService(store, clock, defaults)

    def load_feeds(self, tenant: TenantId) -> list[SourceStatus]:
        """Return every source of a unit."""
        return [s for s in self._status.load_sources(tenant) if unit_of(s.head.source) is not None]

    def describe(self, feeds: Iterable[SourceStatus], view: UnitGroupView, unit: Scope, night: date) -> list[NightEvidence]:
        """Return what the feeds of *unit*, its parts, and what it is a part of say of *night*, by their full names."""
        mine = [f for f in feeds if f.head.source.scope in view.occupancy.links[unit]]
        found = [self._describe(feed, view, night) for feed in mine]
        return sorted(found, key=lambda doc: (doc["name"].casefold(), doc["source_id"]))

    def _describe(self, feed: SourceStatus, view: UnitGroupView, night: date) -> NightEvidence:
        source, options = feed.head.source, view.group.options
        records = [r for r in view.records if r.source_id == source.id]
        read_at = self._load_read_at(feed)
        zone, horizon = zone_of_source(feed.head, options), timedelta(days=options["sync.horizon_days"])
        says, until, shows_until = judge_evidence(records, night, read_at=read_at, zone=zone, horizon=horizon)
        return {
            "source_id": source.id,
            "name": view.group.names.of(source),
            "unit_id": str(source.scope),
            "state": feed.state,
            "read_at": time_or_none(read_at),
            "until": until.isoformat() if until else None,
            "shows_until": shows_until.isoformat() if shows_until else None,
            "says": says,
        }

    def _load_read_at(self, feed: SourceStatus) -> datetime | None:
        """Return when the content was read, or made, that counts: of a held source, before a guard held what came."""
        head = feed.head
        if feed.state is SourceState.HELD:
            return read_memory(self.store.load_snapshot(head.source).memory).read_at
        read_at = freshness(head, feed.schedule)
        return min(read_at, head.stale.since) if read_at and head.stale else read_at
