"""Conflicts as records: opened, changed and closed by the runs that make them, acknowledged by a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from bokit.core.model.merge import compare_fields, write_time
from bokit.core.model.records import CollectionName, Fields, Json, LoggedChange, Presence, Record, RunId, TenantId
from bokit.core.occupancy.conflicts import Conflict
from bokit.errors import StateError

CONFLICTS = CollectionName("conflicts")
PAST = "its nights are past"
APART = "the bookings no longer share a night"
TOLD = ("nights", "bookings", "unit_ids", "certainty", "is_turnover")
"""What tells a conflict from what it was."""
NOT_ACKNOWLEDGED = {"acknowledged_at": None, "acknowledged_by": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """For whom, when and by whom conflicts are written."""

    tenant: TenantId
    at: datetime
    today: date
    by: str
    run_id: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictChange:
    """One conflict's record as it is to be written, the line for its log, and whether somebody should hear of it."""

    record: Record
    line: LoggedChange
    news: str | None = None
    """``opened`` or ``closed``."""


def plan_conflicts(known: Iterable[Record], found: Iterable[Conflict], author: Author) -> list[ConflictChange]:
    """Return what must be written for the records to say what was found; nothing where they do.

    known           found        result
    none, closed    yes          opened
    open            the same     nothing; that nights of it passed is no change
    open            otherwise    changed; what a person acknowledged was something else, it is told anew
    open            no           closed
    none, closed    doubtful     nothing: one of the two is missing; if it comes back, that run opens it
    """
    stored = {r.id: r for r in known}
    there = {c.id: c for c in found}
    changes = [_settle_found(stored.get(id), conflict, author) for id, conflict in there.items()]
    open_ones = [r for r in stored.values() if r.presence is not Presence.GONE and r.id not in there]
    return [c for c in changes if c] + [_close(r, author) for r in open_ones]


def _settle_found(before: Record | None, conflict: Conflict, author: Author) -> ConflictChange | None:
    told = _read_told(conflict)
    if before is None or before.presence is Presence.GONE:
        return None if conflict.is_doubtful else _open(before, conflict, told, author)
    left = [night for night in before.remote["nights"] if night >= author.today.isoformat()]
    shown = {**{name: before.remote.get(name) for name in TOLD}, "nights": left}
    if shown == told:
        return None
    is_other = left != told["nights"] or shown["bookings"] != told["bookings"]
    wakes = is_other and before.remote.get("acknowledged_at") is not None
    remote = {**before.remote, **told} | ({"opened": before.remote["opened"] + 1, **NOT_ACKNOWLEDGED} if wakes else {})
    return _change(before, replace(before, remote=remote, updated_at=author.at), "change", "it changed", author, wakes)


def _read_told(conflict: Conflict) -> dict[str, Json]:
    return {
        "nights": [night.isoformat() for night in conflict.nights],
        "bookings": list(conflict.bookings),
        "unit_ids": list(conflict.unit_ids),
        "certainty": str(conflict.certainty),
        "is_turnover": conflict.is_turnover,
    }


def _open(before: Record | None, conflict: Conflict, told: Fields, author: Author) -> ConflictChange:
    """Return the conflict opened, for the first time or again."""
    fresh = before or Record(
        id=conflict.id,
        tenant=author.tenant,
        collection=CONFLICTS,
        scope=conflict.unit_id,
        source_id=None,
        key=conflict.id,
        remote={"opened": 0},
        created_at=author.at,
        updated_at=author.at,
    )
    remote: dict[str, Any] = {
        **told,
        **NOT_ACKNOWLEDGED,
        "opened": fresh.remote["opened"] + 1,
        "opened_at": write_time(author.at),
    }
    after = replace(fresh, remote=remote, presence=Presence.PRESENT, gone_at=None, gone_reason=None, updated_at=author.at)
    return _change(before, after, "open", "two bookings hold the same nights", author, is_news=True)


def _close(before: Record, author: Author) -> ConflictChange:
    is_past = all(night < author.today.isoformat() for night in before.remote["nights"])
    reason = PAST if is_past else APART
    after = replace(before, presence=Presence.GONE, gone_at=author.at, gone_reason=reason, updated_at=author.at)
    made = _change(before, after, "close", reason, author, is_news=False)
    return replace(made, news="closed")


def _change(before: Record | None, after: Record, action: str, reason: str, author: Author, is_news: bool) -> ConflictChange:
    fields = compare_fields(before.remote if before else {}, after.remote)
    line = LoggedChange(
        record_id=after.id, at=author.at, by=author.by, action=action, reason=reason, fields=fields, run_id=author.run_id
    )
    return ConflictChange(record=after, line=line, news="opened" if is_news else None)


def acknowledge_conflict(record: Record, by: str, at: datetime) -> tuple[Record, LoggedChange | None]:
    """Return the conflict acknowledged by a person: quiet until it changes. Raises StateError for a closed one."""
    if record.presence is Presence.GONE:
        raise StateError("the conflict is closed; nothing is left to acknowledge", code="closed", id=record.id)
    if record.remote.get("acknowledged_at") is not None:
        return record, None
    remote = {**record.remote, "acknowledged_at": write_time(at), "acknowledged_by": by}
    after = replace(record, remote=remote, updated_at=at)
    fields = compare_fields(record.remote, remote)
    line = LoggedChange(record_id=record.id, at=at, by=by, action="acknowledge", reason="acknowledged by a person", fields=fields)
    return after, line


def is_open(record: Record, today: date) -> bool:
    """Return whether the conflict stands; one whose nights are past does not, whoever noticed that already."""
    return record.presence is not Presence.GONE and any(n >= today.isoformat() for n in record.remote["nights"])


def describe_conflict(record: Record, today: date) -> dict[str, Json]:
    """Return a conflict as the API and the command line show it."""
    told: Mapping[str, Any] = record.remote
    stands = is_open(record, today)
    acknowledged = told.get("acknowledged_at")
    return {
        "id": record.id,
        "unit_id": record.scope,
        "unit_ids": told["unit_ids"],
        "nights": told["nights"],
        "bookings": told["bookings"],
        "first": told["bookings"][0],
        "certainty": told["certainty"],
        "is_turnover": told["is_turnover"],
        "status": ("acknowledged" if acknowledged else "open") if stands else "closed",
        "opened_at": told["opened_at"],
        "acknowledged_at": acknowledged,
        "acknowledged_by": told.get("acknowledged_by"),
        "closed_at": write_time(record.gone_at) if record.gone_at else None,
        "closed_reason": _closed_reason(record, stands),
        "updated_at": write_time(record.updated_at),
        "version": record.version,
    }


def _closed_reason(record: Record, stands: bool) -> str | None:
    return None if stands else record.gone_reason or PAST
