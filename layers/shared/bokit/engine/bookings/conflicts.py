"""Bookings of linked units, looked at together: who holds each night, and which of them are double."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bokit.core.bookings.night_history import record_night_history
from bokit.core.bookings.stay import is_window
from bokit.core.model.catalog import BOOKINGS, Unit
from bokit.core.model.options import Options
from bokit.core.model.records import Json, Presence, Record, Scope, SourceId, TenantId
from bokit.core.occupancy.conflict_records import CONFLICTS, Author, ConflictChange, plan_conflicts
from bokit.core.occupancy.conflicts import find_conflicts
from bokit.core.occupancy.links import find_group
from bokit.core.occupancy.occupancy import Occupancy, read_occupancy
from bokit.engine.base.reconcile import ReconcileRequest, earliest
from bokit.engine.base.retry import again
from bokit.errors import BokitError
from bokit.outlets.protocols import Alerts, Notice
from bokit.store.protocols import Store

log = logging.getLogger("bokit.bookings")

TRIES = 5
"""How often conflicts are found anew where another run wrote them meanwhile."""
RECENT = timedelta(days=45)
"""Bookings that ended before this are no concern of the nights to come, whatever the turnover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Linked units, and what the nights of each depend on."""

    tenant: TenantId
    units: tuple[Unit, ...]
    scopes: tuple[Scope, ...]
    today: date
    at: datetime
    turnover: Mapping[Scope, int]
    """Days that each unit needs between a departure and an arrival."""


class GroupReader:
    """Loads linked units and their records."""

    def __init__(self, store: Store, defaults: Mapping[str, Json]) -> None:
        self.store, self.defaults = store, defaults

    def load_group(self, tenant: TenantId, scope: Scope, at: datetime) -> Group:
        """Return *scope*'s unit with every unit that is linked to it."""
        return self.load_groups(tenant, [scope], at)[0]

    def load_groups(self, tenant: TenantId, scopes: Sequence[Scope], at: datetime) -> list[Group]:
        """Return the groups that the units of these *scopes* are in, each once."""
        units = self.store.load_units(tenant)
        properties = {p.id: p for p in self.store.load_properties(tenant)}
        zone = Options(self.store.load_options([tenant]).get(tenant), self.defaults)["timezone"]
        found = dict.fromkeys(find_group(scope, units) for scope in scopes)
        groups = []
        for group in found:
            mine = tuple(u for u in units if Scope(u.id) in group)
            houses = {u.id: properties.get(u.property_id) for u in mine}
            zones = [u.timezone or getattr(houses[u.id], "timezone", None) or zone for u in mine] or [zone]
            days = {Scope(u.id): _first(u.turnover_days, getattr(houses[u.id], "turnover_days", None), 0) for u in mine}
            today = min(at.astimezone(ZoneInfo(name)).date() for name in zones)
            groups.append(Group(tenant=tenant, units=mine, scopes=group, today=today, at=at, turnover=days))
        return groups

    def load_records(self, group: Group) -> list[Record]:
        """Return every booking record of the group's units, gone ones included."""
        return [r for scope in group.scopes for r in self.store.load_records(group.tenant, BOOKINGS, scope)]

    def load_occupancy(
        self, group: Group, records: Sequence[Record], held: Mapping[SourceId, datetime | None] | None = None
    ) -> Occupancy:
        """Return who holds the group's nights; *held* are sources in hand, with the time since when a guard holds their feed.

        Heads are loaded only where it matters whether a feed is held.
        """
        occupancy = read_occupancy(group.units, records, today=group.today, at=group.at)
        if not occupancy.outlived:
            return occupancy
        since = self.load_held(group.tenant, occupancy.outlived) | dict(held or {})
        told = {source: at for source, at in since.items() if at is not None}
        return read_occupancy(group.units, records, today=group.today, at=group.at, held_since=told) if told else occupancy

    def load_held(self, tenant: TenantId, ids: frozenset[SourceId]) -> dict[SourceId, datetime | None]:
        """Return since when a guard holds the feed of each source, as the heads have it; None: it does not."""
        heads = [self.store.load_head(s) for s in self.store.load_sources(tenant) if s.id in ids]
        return {head.source.id: head.hold.since if head.hold else None for head in heads}

    def load_conflicts(self, group: Group) -> list[Record]:
        """Return every conflict's record of the group's units, closed ones included."""
        return [r for scope in group.scopes for r in self.store.load_records(group.tenant, CONFLICTS, scope)]


def _first(*days: int | None) -> int:
    return next(d for d in days if d is not None)


def recent_records(records: Sequence[Record], today: date) -> list[Record]:
    """Return the records that matter to nights to come."""
    since = (today - RECENT).isoformat()
    return [r for r in records if is_window(r) or str(max(_ends(r))) >= since]


def _ends(record: Record) -> list[str]:
    return [str(values.get("check_out", "9999")) for values in (record.remote, record.fields)]


Consequence = Callable[[Group, Occupancy], datetime | None]
"""What else hangs on who holds a group's nights (outgoing calendars); returns when time alone asks for it again."""


class BookingReconciler:
    """Finds conflicts after bookings were written, keeps them as records, tells of them, and publishes outgoing calendars."""

    def __init__(self, store: Store, alerts: Alerts, defaults: Mapping[str, Json], *, then: Sequence[Consequence] = ()) -> None:
        self.store, self.alerts, self.reader, self.then = store, alerts, GroupReader(store, defaults), then

    def trace(self, before: Record | None, after: Record, at: datetime) -> Record:
        """Return *after* remembering which nights a person gained and let go; what a person adds was not there before."""
        return record_night_history(before, after, at=at, last_read=at)

    def settle(self, occasion: ReconcileRequest) -> datetime | None:
        """Open, change and close the conflicts of the unit and of those linked to it, in agreement with their bookings.

        Everything is read after the run's own writes, strongly consistent: of two runs that end at the same time, the
        later one sees both. Where both write the same conflict, the slower one looks again.
        """
        return again(lambda: self._settle(occasion), TRIES)

    def _settle(self, occasion: ReconcileRequest) -> datetime | None:
        group = self.reader.load_group(occasion.tenant, occasion.scope, occasion.at)
        records = recent_records(self.reader.load_records(group), group.today)
        occupancy = self.reader.load_occupancy(group, records, occasion.held)
        author = Author(tenant=occasion.tenant, at=occasion.at, today=group.today, by=occasion.by, run_id=occasion.run_id)
        known = self.reader.load_conflicts(group)
        changes = plan_conflicts(known, find_conflicts(occupancy, group.turnover), author)
        self._write(group, changes)
        return earliest(
            self._look_again(group, occupancy, occasion), occupancy.settle_at, *(follow(group, occupancy) for follow in self.then)
        )

    def _look_again(self, group: Group, occupancy: Occupancy, occasion: ReconcileRequest) -> datetime | None:
        """Ask for another run at once where a hold just ended: who reads the head before this run writes it sees it still."""
        ended = {source for source, since in occasion.held.items() if since is None} & occupancy.outlived
        is_news = ended and any(self.reader.load_held(group.tenant, frozenset(ended)).values())
        return occasion.at if is_news else None

    def _write(self, group: Group, changes: Sequence[ConflictChange]) -> None:
        """Tell first, then write: whoever dies in between finds the same conflict again, and tells it by the same id."""
        if not changes:
            return
        names = {str(u.id): u.name for u in group.units}
        self._publish([notice_conflict(c.record, c.news, group.at, names) for c in changes if c.news])
        self.store.apply_records([c.record for c in changes], [c.line for c in changes], lease=None)

    def _publish(self, notices: Sequence[Notice]) -> None:
        try:
            self.alerts.publish(notices)
        except BokitError:
            log.exception("a notice was not taken")


def notice_conflict(record: Record, news: str, at: datetime, names: Mapping[str, str]) -> Notice:
    """Tell that a conflict opened or closed; once for each time that it did."""
    told = record.remote
    where = " and ".join(names.get(unit, unit) for unit in told["unit_ids"])
    nights = f"{len(told['nights'])} night{'s' if len(told['nights']) > 1 else ''} from {told['nights'][0]}"
    text = f"{where}: two bookings hold {nights}; `bokit conflicts` tells which."
    if told["is_turnover"]:
        text = f"{where}: less time between two stays than the unit needs, {nights}; `bokit conflicts` tells which."
    if record.presence is Presence.GONE:
        text = f"{where}: the conflict over {nights} is closed, {record.gone_reason}."
    same = "/".join([news, record.id, str(told["opened"])])
    return Notice(
        id="ntc_" + hashlib.sha256(same.encode()).hexdigest()[:20],
        type=f"conflict.{news}",
        tenant=record.tenant,
        at=at,
        text=text,
        facts={"conflict_id": record.id, "unit_id": record.scope, "certainty": told["certainty"]},
    )
