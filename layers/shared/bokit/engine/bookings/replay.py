"""Replay a feed's history: the real engine on the memory store, in the history's own time.

A replay reports what was agreed. What a held fetch brought (a new stay in a calendar that was read in part) is reported
at the next accepted fetch that shows it. Nights that a held fetch closes are reported at once, as provisional windows, and
so are stays that it releases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bokit.core.bookings.nights import Span, read_spans
from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import NIGHTS, PROVISIONAL, ROLLING, GoneReason, is_window
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.documents import write_time
from bokit.core.model.merge import compare_fields
from bokit.core.model.options import Options, read_timezone
from bokit.core.model.platform_names import find_platform_name
from bokit.core.model.records import Json, Presence, Record, RecordId, RunId, Scope, SourceId
from bokit.core.model.runs import Outcome, Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.base.reconcile import ReconcilerFactory
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.sync import SourceSync
from bokit.errors import InputError, OptionError
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from bokit.values import Value

TIME_FORMAT = "%Y%m%dT%H%M%SZ"
CHANGES = ("created", "moved", "changed", "cancelled", "restored", "merged")
Progress = Callable[[int, int], None]
"""Called with how many fetches are done, and of how many."""
INTERVAL = timedelta(hours=1)
UNIT = Scope("unit_replay")


class History(Value):
    """A folder of bodies, each named by the time at which it was fetched."""

    fetches: tuple[tuple[datetime, Path], ...]
    platform: str | None = None
    timezone: str = "UTC"


def read_history(folder: Path) -> History:
    """Return the history in *folder*; of ``meta.json`` only platform and timezone are read.

    Raises InputError where the folder has no fetches, or a name or ``meta.json`` is wrong.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=str(folder))
    fetches = tuple((_read_stamp(path), path) for path in sorted(folder.glob("*.ics")))
    if not fetches:
        raise InputError("the folder holds no <YYYYMMDDTHHMMSSZ>.ics", path=str(folder))
    meta = _read_meta(folder / "meta.json")
    return History(fetches=fetches, platform=meta.get("platform"), timezone=meta.get("timezone") or "UTC")


def _read_stamp(path: Path) -> datetime:
    try:
        return datetime.strptime(path.stem, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise InputError("a file's name is not its time; write <YYYYMMDDTHHMMSSZ>.ics", file=path.name) from None


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        meta = json.loads(path.read_text())
    except ValueError:
        raise InputError("meta.json is not JSON") from None
    if not isinstance(meta, dict):
        raise InputError("meta.json is not an object")
    platform, zone = meta.get("platform"), meta.get("timezone")
    if platform is not None and find_platform_name(str(platform)) is None:
        raise InputError("meta.json names an unknown platform", platform=platform)
    try:
        return {"platform": platform and str(platform), "timezone": zone and read_timezone(zone)}
    except OptionError as error:
        raise InputError("meta.json names an unknown timezone", timezone=zone) from error


def replay_history(folder: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Return the contract's document of a replay of *folder*'s history."""
    replay = Replay({SourceId("src_replay"): ("replay", read_history(folder))})
    replay.run(progress)
    (source,) = replay.sources
    return {"fetches": source.fetches, **source.stays.as_dict()}


@dataclass(slots=True)
class ReplayFetcher:
    """A fetcher with one body at a time, and the clock that goes with it."""

    at: datetime
    body: bytes = b""

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return the present body."""
        return Fetched(body=self.body)

    def clock(self) -> datetime:
        """Return the present time of the history."""
        return self.at


@dataclass(slots=True, kw_only=True)
class SourceReplay:
    """One source, and the history of its stays so far."""

    source: Source
    schedule: SourceSchedule
    feed: History
    stays: StayHistory
    fetches: int = 0


class Replay:
    """Sources of one unit on a store of their own, fed body by body in the order of time."""

    def __init__(self, feeds: Mapping[SourceId, tuple[str, History]], reconciler: ReconcilerFactory | None = None) -> None:
        start = min(history.fetches[0][0] for _, history in feeds.values())
        self.store, self.fetcher = MemoryStore(), ReplayFetcher(at=start)
        kind = SourceKind(fetcher=self.fetcher, rules=BookingRules(), collection=BOOKINGS, reconciler=reconciler)
        self.sync = SourceSync(self.store, {"ical": kind}, self.fetcher.clock)
        self.job = SyncJob(run_id=RunId("run_replay"), trigger=Trigger.CLI, started_at=start, options=Options())
        self.sources = [self._add_source(source_id, *feed) for source_id, feed in feeds.items()]

    def _add_source(self, source_id: SourceId, name: str, history: History) -> SourceReplay:
        source = Source(
            id=source_id,
            tenant=DEFAULT_TENANT,
            name=name,
            kind="ical",
            url="replay:",
            scope=UNIT,
            platform=history.platform,
            timezone=history.timezone,
            shard_id=self.store.pick_shard(100),
        )
        schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=self.fetcher.at, interval=INTERVAL)
        saved = self.store.save_source(Head(source=source), schedule)
        return SourceReplay(source=saved, schedule=schedule, feed=history, stays=StayHistory())

    def run(self, progress: Progress | None = None) -> None:
        """Play every fetch."""
        fetches = sorted((at, number, path) for number, s in enumerate(self.sources) for at, path in s.feed.fetches)
        for count, (at, number, path) in enumerate(fetches, start=1):
            self._play(self.sources[number], at, path.read_bytes())
            if progress:
                progress(count, len(fetches))

    def _play(self, played: SourceReplay, at: datetime, body: bytes) -> None:
        self.fetcher.at, self.fetcher.body = at, body
        played.fetches += 1
        result = self.sync.sync(self.store.load_head(played.source), played.schedule, self.job)
        played.schedule = result.next_schedule(played.schedule, self.job, at)
        if result.report.outcome in (Outcome.HELD, Outcome.FAILED):
            played.stays.refuse(at, (result.report.error or {}).get("code", "failed"))
            played.stays.note_held(at, self._records_of(played))
        elif any(step.name == "apply" for step in result.report.steps):
            played.stays.note(at, self._records_of(played))

    def _records_of(self, played: SourceReplay) -> list[Record]:
        records = self.store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)
        return [r for r in records if r.source_id == played.source.id]


@dataclass(slots=True)
class StayHistory:
    """The history of each stay so far: each difference between two states of the records is a line."""

    known: dict[RecordId, Record] = field(default_factory=dict)
    spans: dict[str, list[Span | None]] = field(default_factory=dict)
    """Of the window, by the name of its field: the first span, the second … of the calendar."""
    stays: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[dict[str, Json]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))

    def refuse(self, at: datetime, code: str) -> None:
        """Note that the fetch at *at* was refused."""
        self.refused.append({"at": write_time(at), "code": code})

    def note(self, at: datetime, records: Sequence[Record]) -> None:
        """Note how *records* differ from those of the last note."""
        for record in records:
            before = self.known.get(record.id)
            if before is not None and before.version == record.version:
                continue
            if is_window(record):
                self._note_window(at, record)
            elif change := judge_change(before, record):
                self._write(at, record.id, record, change, record.fields["check_in"], record.fields["check_out"])
            if before is not None or record.presence is Presence.PRESENT:
                self.known[record.id] = record

    def note_held(self, at: datetime, records: Sequence[Record]) -> None:
        """Note the nights that a held fetch closes, and the stays that it releases."""
        for record in filter(is_window, records):
            self._note_spans(at, record, PROVISIONAL)
        known = {record_id for record_id, record in self.known.items() if record.presence is not Presence.GONE}
        self.note(at, [r for r in records if r.presence is Presence.GONE and r.id in known and not is_window(r)])

    def _note_window(self, at: datetime, record: Record) -> None:
        """Note each span of the window as a stay of its own."""
        for name in (NIGHTS, ROLLING, PROVISIONAL):
            self._note_spans(at, record, name)

    def _note_spans(self, at: datetime, record: Record, name: str) -> None:
        spans: list[Span | None] = list(read_spans(record.remote.get(name, ())))
        known = self.spans.get(name, [])
        size = max(len(spans), len(known))
        before, after = known + [None] * (size - len(known)), spans + [None] * (size - len(spans))
        self.spans[name] = after
        prefix = record.id if name == NIGHTS else f"{record.id}-{name}"
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            shown = new or old
            if old == new or shown is None:
                continue
            stay_id = f"{prefix}-{number}"
            change = "cancelled" if new is None else "moved" if old else "restored" if stay_id in self.stays else "created"
            self._write(at, stay_id, record, change, shown[0].isoformat(), shown[1].isoformat())
            if name == PROVISIONAL:
                self.stays[stay_id][PROVISIONAL] = True

    def _write(self, at: datetime, stay_id: str, record: Record, change: str, check_in: Json, check_out: Json) -> None:
        kind, code = record.remote.get("kind"), record.remote.get("reservation_code")
        stay = self.stays.setdefault(stay_id, {"id": stay_id, "kind": kind, "code": code, "history": []})
        stay["history"].append({"at": write_time(at), "change": change, "check_in": check_in, "check_out": check_out})
        if not is_window(record):
            self.counts[change] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the notes as the contract's document has them."""
        counts = {**self.counts, "refused": len(self.refused)}
        return {"refused": self.refused, "stays": list(self.stays.values()), "counts": counts}


def judge_change(before: Record | None, after: Record) -> str | None:
    """Return in the contract's word how a stay changed between two notes; None: it did not.

    not noted yet    present               created
    not noted yet    missing, gone         nothing: no accepted fetch showed it
    held             gone                  merged where the feed joined it with another, else cancelled
    gone             held again            restored
    held             other dates           moved
    held             another field         changed
    """
    gone = after.presence is Presence.GONE
    if before is None:
        return "created" if after.presence is Presence.PRESENT else None
    if before.presence is Presence.GONE:
        return None if gone else "restored"
    if gone:
        return "merged" if after.gone_reason == GoneReason.JOINED else "cancelled"
    differs = compare_fields(before.fields, after.fields)
    if not differs:
        return None
    return "moved" if {"check_in", "check_out"} & set(differs) else "changed"
