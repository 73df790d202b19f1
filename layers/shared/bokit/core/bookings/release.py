"""What a person releases: nights that a source still holds, and records of a source that is removed."""

from __future__ import annotations

from datetime import date, datetime

from bokit.core.bookings.nights import nights
from bokit.core.bookings.stay import NIGHTS, PROVISIONAL, RELEASED, REST, ROLLING, GoneReason, is_window, read_span
from bokit.core.ical.entries import BLOCKING, Status
from bokit.core.model.merge import change_action
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record
from bokit.values import replace


def nights_to_release(record: Record, values: Fields) -> list[str]:
    """Return the nights that the source holds and *record*, edited with *values*, does not; and those released before."""
    local = {**record.fields, **values}
    released = _blocked_nights(record.remote) - _blocked_nights(local)
    return sorted({*local.get(RELEASED, ()), *(night.isoformat() for night in released)})


def _blocked_nights(values: Fields) -> set[date]:
    if values.get("status") not in BLOCKING:
        return set()
    return nights(*read_span(values))


def release_record(record: Record, *, by: str, at: datetime, today: date) -> tuple[Record, LoggedChange] | None:
    """Return *record* released, and the line for its change log; None where there is nothing to release.

    record                       result
    gone already                 nothing
    a stay that is over          nothing: the past stays what it was
    a window                     its nights are released
    a booking                    deleted; an edit that would hold its nights yields
    any other                    gone
    """
    if record.presence is Presence.GONE or str(record.remote.get("check_out", "9999")) <= today.isoformat():
        return None
    reason = str(GoneReason.SOURCE_REMOVED)
    edits = {n: e for n, e in record.edits.items() if not (n == "status" and e.value in BLOCKING)}
    after = replace(record.as_gone(at, reason), remote=released_values(record), edits=edits, missing_since=None)
    action = change_action(record, after, reason, at, kind=ActionKind.CANCEL)
    if action is None:
        return None
    line = LoggedChange(record_id=record.id, at=at, by=by, action="release", reason=reason, fields=action.fields)
    return action.after, line


def released_values(record: Record) -> dict[str, Json]:
    """Return the source's values of *record* as they hold no night any more."""
    remote = dict(record.remote)
    if is_window(record):
        none: dict[str, Json] = {n: [] for n in (NIGHTS, ROLLING, PROVISIONAL, REST) if n != REST or n in remote}
        return remote | none | {"status": str(Status.VANISHED)}
    return remote | {"status": str(Status.DELETED)} if "status" in remote else remote
