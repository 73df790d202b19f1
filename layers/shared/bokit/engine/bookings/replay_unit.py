"""Replay several feeds' histories as the sources of one unit, in merged time order: what is joint, an echo, or double."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT, Property, PropertyId, Unit, UnitId
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Json, Presence, Record, RecordId, SourceId
from bokit.core.occupancy.conflict_records import CONFLICTS, describe_conflict
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.engine.bookings.conflicts import BookingReconciler
from bokit.engine.bookings.replay import CHANGES, UNIT, History, Progress, Replay, read_history
from bokit.store.protocols import Store


def replay_unit(folders: Sequence[Path], *, progress: Progress | None = None) -> dict[str, Any]:
    """Return the document of a replay of *folders*' histories, each a source of one unit."""
    replay = UnitReplay([(folder.name, read_history(folder)) for folder in folders])
    replay.run(progress)
    return replay.as_dict()


class UnitReplay(Replay):
    """A replay that also notes what the bookings are to each other."""

    def __init__(self, feeds: Sequence[tuple[str, History]]) -> None:
        self.echoes = EchoHistory()
        super().__init__({SourceId(f"src_{n}"): feed for n, feed in enumerate(feeds, start=1)}, self._make_reconciler)
        house, timezone = PropertyId("prop_replay"), feeds[0][1].timezone
        self.store.save_property(Property(id=house, tenant=DEFAULT_TENANT, name="replay", timezone=timezone))
        self.store.save_unit(Unit(id=UnitId(UNIT), tenant=DEFAULT_TENANT, property_id=house, name="replay"))

    def _make_reconciler(self, store: Store, defaults: Fields) -> BookingReconciler:
        return BookingReconciler(store, defaults, observe=lambda view: self.echoes.note(view.group.at, view.occupancy))

    def as_dict(self) -> dict[str, Any]:
        """Return the document: each source's stays as `replay` has them, and what they are to each other."""
        histories = [(t, t.stays.as_dict()) for t in self.sources]
        sources = [{"source_id": t.source.id, "name": t.source.name, "fetches": t.fetches} for t in self.sources]
        refused = [{**r, "source_id": t.source.id} for t, doc in histories for r in doc["refused"]]
        stays = [{**stay, "source_id": t.source.id} for t, doc in histories for stay in doc["stays"]]
        counts = {name: sum(doc["counts"][name] for _, doc in histories) for name in (*CHANGES, "refused")}
        return {
            "fetches": sum(t.fetches for t in self.sources),
            "sources": sources,
            "refused": sorted(refused, key=itemgetter("at")),
            "stays": stays,
            "counts": counts,
            "conflicts": self._describe_conflicts(),
            "echoes": list(self.echoes.echoes.values()),
            "joint": list(self.echoes.joint.values()),
        }

    def _describe_conflicts(self) -> list[dict[str, Any]]:
        """Return every conflict that there ever was, with its history and the bookings' dates when it was last open."""
        today = self.fetcher.at.date()
        records = self.store.load_records(DEFAULT_TENANT, CONFLICTS, UNIT)
        found = [{**describe_conflict(r, today), "history": self._history(r)} for r in records]
        return sorted(found, key=lambda doc: (doc["opened_at"], doc["id"]))

    def _history(self, record: Record) -> list[dict[str, Any]]:
        lines = reversed(self.store.load_changes(DEFAULT_TENANT, record.id, limit=1000).items)
        return [{"at": write_time(line.at), "change": line.action, "reason": line.reason} for line in lines]


@dataclass(slots=True)
class EchoHistory:
    """Which bookings were echoes or joint, of what, and when."""

    echoes: dict[str, dict[str, Json]] = field(default_factory=dict)
    joint: dict[str, dict[str, Json]] = field(default_factory=dict)
    current: dict[RecordId, str] = field(default_factory=dict)
    """The key of the echo that each booking is at the moment."""

    def note(self, at: datetime, occupancy: Occupancy) -> None:
        """Note what the bookings are to each other at *at*."""
        found = {b.id: b for b in occupancy.bookings if b.state in (EchoState.ECHO, EchoState.FADING)}
        for booking_id, key in list(self.current.items()):
            if booking_id not in found or key != _key(found[booking_id]):
                self.echoes[self.current.pop(booking_id)]["until"] = write_time(at)
        for booking_id, booking in found.items():
            if booking_id not in self.current:
                self.current[booking_id] = key = _key(booking)
                self.echoes.setdefault(key, {**_describe_echo(booking), "from": write_time(at)})["until"] = None
        for booking in (b for b in occupancy.bookings if len(b.records) > 1):
            ids = [str(r.id) for r in booking.records]
            self.joint["/".join(ids)] = {"id": booking.id, "records": ids, **_dates(booking.records[0])}


def _key(booking: Booking) -> str:
    return "/".join([booking.id, str(booking.state), *booking.echo_of])


def _describe_echo(booking: Booking) -> dict[str, Any]:
    record = booking.records[0]
    return {
        "id": booking.id,
        "source_id": record.source_id,
        **_dates(record),
        "state": str(booking.state),
        "echo_of": list(booking.echo_of),
        "is_shown": record.presence is Presence.PRESENT,
    }


def _dates(record: Record) -> dict[str, Any]:
    return {"check_in": record.fields.get("check_in"), "check_out": record.fields.get("check_out")}
