"""Conflicts as records: opened, changed and closed by the runs that find them, acknowledged by a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypedDict

from bokit.core.bookings.stay import time_or_none
from bokit.core.model.documents import Count, Day, Time, write_time
from bokit.core.model.merge import compare_fields
from bokit.core.model.records import CollectionName, Fields, Json, LoggedChange, Presence, Record, RunId, TenantId, new_record
from bokit.core.occupancy.conflicts import Certainty, Conflict
from bokit.errors import StateError

CONFLICTS = CollectionName("conflicts")
PAST = "its nights are past"
NO_LONGER_SHARED = "the bookings no longer share a night"
NOT_ACKNOWLEDGED = {"acknowledged_at": None, "acknowledged_by": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictAuthor:
    """For which tenant, when and by whom conflicts are written."""

    tenant: TenantId
    at: datetime
    today: date
    by: str
    run_id: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictChange:
    """One conflict's record to write, the line for its log, and the event to publish."""

    record: Record
    line: LoggedChange
    news: str | None = None
    """``opened`` or ``closed``."""


def plan_conflicts(known: Iterable[Record], found: Iterable[Conflict], author: ConflictAuthor) -> list[ConflictChange]:
    """Return what must be written so that the records agree with the conflicts found.

    known           found        result
    none, closed    yes          opened
    open            the same     nothing; nights that passed are not a change
    open            otherwise    changed; where a person acknowledged it, it is reported again
    open            no           closed
    none, closed    doubtful     nothing: one of the two is missing; if it comes back, that run opens it
    """
    stored, there = {r.id: r for r in known}, {c.id: c for c in found}
    changes = [_plan_found(stored.get(conflict_id), conflict, author) for conflict_id, conflict in there.items()]
    ended = [r for r in stored.values() if r.presence is not Presence.GONE and r.id not in there]
    return [c for c in changes if c] + [_close(r, author) for r in ended]


def _plan_found(before: Record | None, conflict: Conflict, author: ConflictAuthor) -> ConflictChange | None:
    values: dict[str, Json] = {
        "nights": [night.isoformat() for night in conflict.nights],
        "bookings": list(conflict.bookings),
        "unit_ids": list(conflict.unit_ids),
        "certainty": str(conflict.certainty),
        "is_turnover": conflict.is_turnover,
    }
    if before is None or before.presence is Presence.GONE:
        return None if conflict.is_doubtful else _open(before, conflict, values, author)
    left = [night for night in before.remote["nights"] if night >= author.today.isoformat()]
    known = {**{name: before.remote.get(name) for name in values}, "nights": left}
    if known == values:
        return None
    is_other = left != values["nights"] or known["bookings"] != values["bookings"]
    reopens = is_other and before.remote.get("acknowledged_at") is not None
    again = {"opened": before.remote["opened"] + 1, **NOT_ACKNOWLEDGED} if reopens else {}
    after = replace(before, remote={**before.remote, **values, **again}, updated_at=author.at)
    return _change(before, after, "change", "it changed", author, "opened" if reopens else None)


def _open(before: Record | None, conflict: Conflict, values: Fields, author: ConflictAuthor) -> ConflictChange:
    """Return the conflict opened, for the first time or again."""
    record = before or new_record(conflict.id, author.tenant, CONFLICTS, author.at, remote={"opened": 0})
    opened = {"opened": record.remote["opened"] + 1, "opened_at": write_time(author.at)}
    after = replace(record.as_present(record.key), remote={**values, **NOT_ACKNOWLEDGED, **opened}, updated_at=author.at)
    return _change(before, after, "open", "two bookings hold the same nights", author, "opened")


def _close(before: Record, author: ConflictAuthor) -> ConflictChange:
    is_past = all(night < author.today.isoformat() for night in before.remote["nights"])
    reason = PAST if is_past else NO_LONGER_SHARED
    return _change(before, replace(before.as_gone(author.at, reason), updated_at=author.at), "close", reason, author, "closed")


def _change(
    before: Record | None, after: Record, action: str, reason: str, author: ConflictAuthor, news: str | None
) -> ConflictChange:
    line = _log(before, after, action, reason, author.by, author.at)
    return ConflictChange(record=after, line=replace(line, run_id=author.run_id), news=news)


def _log(before: Record | None, after: Record, action: str, reason: str, by: str, at: datetime) -> LoggedChange:
    fields = compare_fields(before.remote if before else {}, after.remote)
    return LoggedChange(record_id=after.id, at=at, by=by, action=action, reason=reason, fields=fields)


def acknowledge_conflict(record: Record, by: str, at: datetime) -> tuple[Record, LoggedChange | None]:
    """Return the conflict acknowledged by a person: muted until it changes. Raises StateError for a closed one."""
    if record.presence is Presence.GONE:
        raise StateError("the conflict is closed; nothing is left to acknowledge", code="closed", id=record.id)
    if record.remote.get("acknowledged_at") is not None:
        return record, None
    remote = {**record.remote, "acknowledged_at": write_time(at), "acknowledged_by": by}
    after = replace(record, remote=remote, updated_at=at)
    return after, _log(record, after, "acknowledge", "acknowledged by a person", by, at)


def is_open(record: Record, today: date) -> bool:
    """Return whether the conflict stands; one whose nights are past does not, even if no run has closed it yet."""
    return record.presence is not Presence.GONE and any(n >= today.isoformat() for n in record.remote["nights"])


class ConflictDocument(TypedDict):
    """A double booking: two bookings that hold the same nights of a unit, or too little time between two guests."""

    id: str
    unit_id: str
    unit_ids: list[str]
    nights: list[Day]
    bookings: list[str]
    first: Annotated[str, "Which of the two bookings was there first."]
    certainty: Certainty
    is_turnover: Annotated[bool, "true: no night is taken twice, but there is less time between the guests than the unit needs."]
    status: Literal["open", "acknowledged", "closed"]
    opened_at: Time
    acknowledged_at: Time | None
    acknowledged_by: str | None
    closed_at: Time | None
    closed_reason: str | None
    updated_at: Time
    version: Count


def describe_conflict(record: Record, today: date) -> ConflictDocument:
    """Return a conflict as the API and the command line show it."""
    values: Mapping[str, Any] = record.remote
    stands, acknowledged = is_open(record, today), values.get("acknowledged_at")
    return {
        "id": record.id,
        "unit_id": record.scope,
        "unit_ids": values["unit_ids"],
        "nights": values["nights"],
        "bookings": values["bookings"],
        "first": values["bookings"][0],
        "certainty": values["certainty"],
        "is_turnover": values["is_turnover"],
        "status": ("acknowledged" if acknowledged else "open") if stands else "closed",
        "opened_at": values["opened_at"],
        "acknowledged_at": acknowledged,
        "acknowledged_by": values.get("acknowledged_by"),
        "closed_at": time_or_none(record.gone_at),
        "closed_reason": None if stands else record.gone_reason or PAST,
        "updated_at": write_time(record.updated_at),
        "version": record.version,
    }
