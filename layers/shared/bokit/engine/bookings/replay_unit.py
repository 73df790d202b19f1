"""Replay several feeds' histories as the sources of one unit, in merged time order: what is joint, an echo, or double."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Property, PropertyId, Source, Unit, UnitId
from bokit.core.model.documents import write_time
from bokit.core.model.options import Options
from bokit.core.model.records import Json, Presence, Record, RecordId, RunId, Scope, SourceId
from bokit.core.model.runs import Outcome, Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.core.occupancy.conflict_records import CONFLICTS, describe_conflict
from bokit.core.occupancy.echoes import EchoState
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.engine.bookings.conflicts import BookingReconciler
from bokit.engine.bookings.replay import CHANGES, INTERVAL, History, Progress, ReplayFetcher, StayHistory, read_history
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.sync import SourceSync
from bokit.outlets.memory import MemoryAlerts
from bokit.outlets.protocols import Alerts
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Store

UNIT = Scope("unit_replay")


def replay_unit(folders: Sequence[Path], *, progress: Progress | None = None) -> dict[str, Json]:
    """Return the document of a replay of *folders*' histories, each a source of one unit."""
    histories = [read_history(folder) for folder in folders]
    replay = UnitReplay([folder.name for folder in folders], histories)
    fetches = sorted((at, number, path) for number, history in enumerate(histories) for at, path in history.fetches)
    for count, (at, number, path) in enumerate(fetches, start=1):
        replay.play(number, at, path.read_bytes())
        if progress:
            progress(count, len(fetches))
    return replay.as_dict()


@dataclass(slots=True)
class SourceReplay:
    """One source, and the history of its stays so far."""

    source: Source
    schedule: SourceSchedule
    stays: StayHistory = field(default_factory=StayHistory)
    fetches: int = 0


class UnitReplay:
    """Several sources of one unit on a store of its own, fed body by body."""

    def __init__(self, names: Sequence[str], histories: Sequence[History]) -> None:
        start = min(h.fetches[0][0] for h in histories)
        self.store, self.fetcher, self.echoes = MemoryStore(), ReplayFetcher(at=start), EchoHistory()
        house = PropertyId("prop_replay")
        self.store.save_property(Property(id=house, tenant=DEFAULT_TENANT, name="replay", timezone=histories[0].timezone))
        self.store.save_unit(Unit(id=UnitId(UNIT), tenant=DEFAULT_TENANT, property_id=house, name="replay"))
        kind = SourceKind(fetcher=self.fetcher, rules=BookingRules(), collection=BOOKINGS, reconciler=self._make_reconciler)
        self.sync = SourceSync(self.store, {"ical": kind}, MemoryAlerts(), self.fetcher.clock)
        self.job = SyncJob(run_id=RunId("run_replay"), trigger=Trigger.CLI, started_at=start, options=Options())
        self.sources = [self._add_source(n, name, h) for n, (name, h) in enumerate(zip(names, histories, strict=True), start=1)]

    def _make_reconciler(self, store: Store, alerts: Alerts, defaults: Mapping[str, Json]) -> BookingReconciler:
        return BookingReconciler(store, alerts, defaults, observe=lambda view: self.echoes.note(view.group.at, view.occupancy))

    def _add_source(self, number: int, name: str, history: History) -> SourceReplay:
        source = Source(
            id=SourceId(f"src_{number}"),
            tenant=DEFAULT_TENANT,
            name=name,
            kind="ical",
            url=f"replay:{number}",
            scope=UNIT,
            platform=history.platform,
            timezone=history.timezone,
            shard_id=self.store.pick_shard(100),
        )
        schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=self.fetcher.at, interval=INTERVAL)
        return SourceReplay(source=self.store.save_source(Head(source=source), schedule), schedule=schedule)

    def play(self, number: int, at: datetime, body: bytes) -> None:
        """Sync one source with *body*, as it was fetched at *at*."""
        source = self.sources[number]
        self.fetcher.at, self.fetcher.body = at, body
        source.fetches += 1
        synced = self.sync.sync(self.store.load_head(source.source), source.schedule, self.job)
        source.schedule = synced.next_schedule(source.schedule, self.job, at)
        if synced.report.outcome in (Outcome.HELD, Outcome.FAILED):
            source.stays.refuse(at, (synced.report.error or {}).get("code", "failed"))
        elif any(step.name == "apply" for step in synced.report.steps):
            records = self.store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)
            source.stays.note(at, [r for r in records if r.source_id == source.source.id])

    def as_dict(self) -> dict[str, Json]:
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

    def _describe_conflicts(self) -> list[dict[str, Json]]:
        """Return every conflict that there ever was, with its history and the bookings' dates when it was last open."""
        today = self.fetcher.at.date()
        records = self.store.load_records(DEFAULT_TENANT, CONFLICTS, UNIT)
        found = [{**describe_conflict(r, today), "history": self._history(r)} for r in records]
        return sorted(found, key=lambda doc: (doc["opened_at"], doc["id"]))

    def _history(self, record: Record) -> list[dict[str, Json]]:
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


def _describe_echo(booking: Booking) -> dict[str, Json]:
    record = booking.records[0]
    return {
        "id": booking.id,
        "source_id": record.source_id,
        **_dates(record),
        "state": str(booking.state),
        "echo_of": list(booking.echo_of),
        "is_shown": record.presence is Presence.PRESENT,
    }


def _dates(record: Record) -> dict[str, Json]:
    return {"check_in": record.fields.get("check_in"), "check_out": record.fields.get("check_out")}
