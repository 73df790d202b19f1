"""What people do with bookings: look at them by unit, see who holds a night, write one by hand, settle conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypedDict, cast

from bokit.core.bookings.stay import is_window
from bokit.core.model.catalog import BOOKINGS, UnitId
from bokit.core.model.documents import Day
from bokit.core.model.records import Fields, Json, Record, RecordId, Scope, TenantId
from bokit.core.occupancy.conflict_records import CONFLICTS, ConflictDocument, acknowledge_conflict, describe_conflict, is_open
from bokit.core.occupancy.occupancy import Occupancy
from bokit.core.occupancy.view import BookingDocument, ExplainedBooking, describe_bookings, describe_one, explain_night
from bokit.engine.base.clock import Clock
from bokit.engine.bookings.conflicts import Group, GroupReader
from bokit.engine.records.service import RecordService
from bokit.store.protocols import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Linked units as they are now: their records, and what these are to each other."""

    group: Group
    records: Sequence[Record]
    occupancy: Occupancy


class BookingInFull(BookingDocument):
    """A booking with the open conflicts that it is in."""

    conflicts: list[ConflictDocument]


class HeldNight(TypedDict):
    """Which bookings hold a unit's night."""

    unit_id: str
    unit: str
    night: Day
    held: bool
    by: list[ExplainedBooking]


class BookingService:
    """Bookings as people see them: joint ones once, echoes named, conflicts told."""

    def __init__(self, store: Store, desk: RecordService, clock: Clock, defaults: Mapping[str, Json]) -> None:
        self.store, self.desk, self.clock = store, desk, clock
        self.reader = GroupReader(store, defaults)

    def look(self, tenant: TenantId, units: Sequence[UnitId]) -> list[Look]:
        """Return the groups of linked units that *units* are in, each once."""
        groups = self.reader.load_groups(tenant, [Scope(u) for u in units], self.clock())
        told = ((group, self.reader.load_records(group)) for group in groups)
        return [Look(group=g, records=records, occupancy=self.reader.load_occupancy(g, records)) for g, records in told]

    def list_bookings(self, tenant: TenantId, units: Sequence[UnitId], *, windows: bool = False) -> list[BookingDocument]:
        """Return the documents of the units' own bookings, gone ones included, by arrival; *windows* besides."""
        looks = self.look(tenant, units)
        found = [doc for look in looks for doc in describe_bookings(look.occupancy, look.records)]
        if windows:
            found += [describe_one(r, look.occupancy) for look in looks for r in look.records if is_window(r)]
        return sorted((d for d in found if d["unit_id"] in units), key=lambda d: (str(d["check_in"] or ""), d["id"]))

    def show(self, tenant: TenantId, id: RecordId) -> BookingInFull:
        """Return one booking's document, with the open conflicts that it is in; any of its records' ids finds it."""
        record = self.store.load_record(tenant, BOOKINGS, id)
        return self._describe(record)

    def create(self, tenant: TenantId, unit: UnitId, values: Fields, *, by: str) -> BookingInFull:
        """Write a booking by hand (a reservation, or a block) and return its document, with the conflicts that it makes."""
        self.store.load_unit(tenant, unit)
        return self._describe(self.desk.create(tenant, BOOKINGS, Scope(unit), values, by=by))

    def edit(self, tenant: TenantId, id: RecordId, values: Fields, *, by: str) -> BookingInFull:
        """Correct a booking and return its document, with the conflicts that it is in."""
        return self._describe(self.desk.edit(tenant, BOOKINGS, id, values, by=by))

    def accept_remote(self, tenant: TenantId, id: RecordId, fields: Sequence[str] | None = None, *, by: str) -> BookingInFull:
        """Give up corrections and return the booking's document, with the conflicts that it is in."""
        return self._describe(self.desk.accept_remote(tenant, BOOKINGS, id, fields, by=by))

    def explain(self, tenant: TenantId, units: Sequence[UnitId], night: date) -> list[HeldNight]:
        """Return for each unit who holds *night*: bookings of its own, of its parts, and of what it is a part of."""
        told: list[HeldNight] = []
        for look in self.look(tenant, units):
            for unit in (u for u in look.group.units if u.id in units):
                by = explain_night(look.occupancy, Scope(unit.id), night)
                told.append({"unit_id": unit.id, "unit": unit.name, "night": night.isoformat(), "held": bool(by), "by": by})
        return sorted(told, key=lambda doc: list(units).index(UnitId(doc["unit_id"])))

    # ── conflicts ──

    def list_conflicts(self, tenant: TenantId, units: Sequence[UnitId], *, everything: bool = False) -> list[ConflictDocument]:
        """Return the conflicts in which *units* take part, by their nights; closed ones only where *everything* is asked for."""
        told: list[ConflictDocument] = []
        for group in self.reader.load_groups(tenant, [Scope(u) for u in units], self.clock()):
            for record in self.reader.load_conflicts(group):
                mine = set(record.remote["unit_ids"]) & set(units)
                if mine and (everything or is_open(record, group.today)):
                    told.append(describe_conflict(record, group.today))
        return sorted(told, key=lambda doc: (doc["nights"][0], doc["id"]))

    def show_conflict(self, tenant: TenantId, id: RecordId) -> ConflictDocument:
        """Return one conflict, open or closed."""
        record = self.store.load_record(tenant, CONFLICTS, id)
        return describe_conflict(record, self.reader.load_group(tenant, record.scope, self.clock()).today)

    def acknowledge(self, tenant: TenantId, id: RecordId, *, by: str) -> ConflictDocument:
        """Note that a person knows of a conflict: it is quiet until it changes."""
        record = self.desk.write(tenant, CONFLICTS, id, lambda record, at: acknowledge_conflict(record, by, at))
        return describe_conflict(record, self.reader.load_group(tenant, record.scope, self.clock()).today)

    def _describe(self, record: Record) -> BookingInFull:
        (look,) = self.look(record.tenant, [UnitId(record.scope)])
        doc = describe_one(record, look.occupancy)
        ids = {doc["id"], *(source["booking_id"] for source in doc["sources"])}
        found = (r for r in self.reader.load_conflicts(look.group) if is_open(r, look.group.today))
        conflicts = [describe_conflict(r, look.group.today) for r in found if ids & set(r.remote["bookings"])]
        return cast("BookingInFull", {**doc, "conflicts": conflicts})
