"""What a person lets go: nights that a source still holds, and records of a source that is removed."""

from __future__ import annotations

from datetime import date, datetime

from bokit.core.bookings.nights import nights
from bokit.core.bookings.stay import NIGHTS, PROVISIONAL, RELEASED, is_window
from bokit.core.ical.entries import BLOCKING, Status
from bokit.core.model.merge import change_action
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record

REMOVED = "its source was removed, and a person released it"


def nights_to_release(record: Record, values: Fields) -> list[str]:
    """Return the nights that the source holds and the record, edited with *values*, does not; those released before too."""
    local, said = {**record.fields, **values}, record.remote
    mine = _nights(local) if local.get("status") in BLOCKING else set()
    theirs = _nights(said) if said.get("status") in BLOCKING else set()
    return sorted({*local.get(RELEASED, ()), *(night.isoformat() for night in theirs - mine)})


def release_record(record: Record, *, by: str, at: datetime, today: date) -> tuple[Record, LoggedChange] | None:
    """Return *record* let go, and the line for its change log; None where there is nothing to let go.

    record                       result
    gone already                 nothing
    a stay that is over          nothing: the past stays what it was
    a window                     its nights are let go
    a booking                    deleted; an edit that would hold its nights yields
    any other                    gone
    """
    if record.presence is Presence.GONE or str(record.remote.get("check_out", "9999")) <= today.isoformat():
        return None
    kept = {n: e for n, e in record.edits.items() if not (n == "status" and e.value in BLOCKING)}
    action = change_action(
        record,
        REMOVED,
        at,
        kind=ActionKind.CANCEL,
        remote=_let_go(record),
        edits=kept,
        presence=Presence.GONE,
        missing_since=None,
        gone_at=at,
        gone_reason=REMOVED,
    )
    if action is None:
        return None
    told = LoggedChange(record_id=record.id, at=at, by=by, action="release", reason=REMOVED, fields=action.fields)
    return action.after, told


def _let_go(record: Record) -> dict[str, Json]:
    remote = dict(record.remote)
    if is_window(record):
        return remote | {NIGHTS: [], PROVISIONAL: [], "status": str(Status.VANISHED)}
    return remote | {"status": str(Status.DELETED)} if "status" in remote else remote


def _nights(values: Fields) -> set[date]:
    return nights(date.fromisoformat(values["check_in"]), date.fromisoformat(values["check_out"]))
