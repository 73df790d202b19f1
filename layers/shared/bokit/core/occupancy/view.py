"""Bookings as people and programs see them: joint ones once with all their sources, echoes with what they repeat."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, NotRequired, TypedDict, cast

from bokit.core.bookings.stay import DETAIL_FIELDS, BookingRecordDocument, describe_booking
from bokit.core.model.documents import Day, Time, write_time
from bokit.core.model.records import Json, Presence, Record, Scope
from bokit.core.occupancy.echoes import EchoState
from bokit.core.occupancy.occupancy import Booking, Occupancy


class BookingSourceDocument(TypedDict):
    """What one source says of a booking."""

    source_id: Annotated[str | None, "null: entered by hand."]
    booking_id: str
    kind: str | None
    status: str | None
    check_in: Day | None
    check_out: Day | None
    presence: Presence
    seen_at: Time
    missing_since: Time | None


class BookingDocument(BookingRecordDocument):
    """A stay or a block of nights. Dates are half-open, from check-in to check-out."""

    state: Annotated[EchoState | None, "`echo`: it repeats another booking; null: it blocks no nights."]
    echo_of: Annotated[list[str], "Ids of the bookings that this one repeats."]
    echoes: Annotated[list[str], "Ids of echo bookings, which repeat this one."]
    sources: Annotated[list[BookingSourceDocument], "Sources reporting this booking."]
    fading_nights: NotRequired[Annotated[list[Day], "Nights of a closed original, not exported to other channels."]]
    fades_until: NotRequired[
        Annotated[Time | None, "Given with `fading_nights`: from then on they count as a closure of its own, if still shown."]
    ]


class ExplainedBooking(BookingDocument):
    """A booking that holds the night, and why."""

    since: Annotated[Time, "When it was first seen."]
    edited_by: list[str]
    why: Annotated[list[str], "The reasons, in words."]


def describe_bookings(occupancy: Occupancy, records: Iterable[Record]) -> list[BookingDocument]:
    """Return the documents of *records*, a joint booking's once, by arrival; windows are left out."""
    told = []
    for record in records:
        booking = occupancy.by_record.get(record.id)
        if record.remote.get("kind") != "window" and (booking is None or booking.records[0].id == record.id):
            told.append(describe_one(record, occupancy))
    return sorted(told, key=lambda doc: (str(doc["check_in"] or ""), doc["id"]))


def describe_one(record: Record, occupancy: Occupancy) -> BookingDocument:
    """Return the document of *record*'s booking: all that its sources say, or of one that holds nothing, itself."""
    booking = occupancy.by_record.get(record.id)
    if booking is None:
        alone = {"state": None, "echo_of": [], "echoes": [], "sources": [_describe_source(record)]}
        return cast("BookingDocument", {**describe_booking(record), **alone})
    doc = describe_booking(booking.records[0])
    if len(booking.records) > 1:
        doc = cast("BookingRecordDocument", {**doc, **_describe_joint(booking)})
    relations = {
        "state": booking.state,
        "echo_of": list(booking.echo_of),
        "echoes": [b.id for b in occupancy.echoes_of(booking.id)],
        "sources": [_describe_source(r) for r in booking.records],
    }
    shown = cast("BookingDocument", {**doc, **relations})
    if fades := booking.grid.nights(booking.verdict.fades):
        shown["fading_nights"] = [night.isoformat() for night in fades]
        shown["fades_until"] = _time(booking.verdict.until)
    return shown


def _describe_joint(booking: Booking) -> dict[str, Json]:
    """Return what the sources of *booking* say together, in place of what the first says alone."""
    fields = booking.fields
    told = ("kind", "status", "check_in", "check_out", "starts_at", "ends_at", *DETAIL_FIELDS)
    edits: dict[str, Any] = {}
    disagreements: dict[str, Any] = {}
    for doc in map(describe_booking, reversed(booking.records)):
        edits |= doc["edits"]
        disagreements |= doc["disagreements"]
    shown = [r for r in booking.records if r.missing_since is None]
    return {
        **{name: fields.get(name) for name in told},
        "edits": edits,
        "disagreements": disagreements,
        "presence": str(shown[0].presence) if shown else "missing",
        "missing_since": None if shown else _missing_since(booking),
    }


def _missing_since(booking: Booking) -> str | None:
    return _time(max((r.missing_since for r in booking.records if r.missing_since), default=None))


def _describe_source(record: Record) -> BookingSourceDocument:
    """Return what one source says of a booking."""
    said = record.remote
    return {
        "source_id": record.source_id,
        "booking_id": record.id,
        "kind": said.get("kind"),
        "status": said.get("status"),
        "check_in": said.get("check_in"),
        "check_out": said.get("check_out"),
        "presence": record.presence,
        "seen_at": write_time(record.created_at),
        "missing_since": _time(record.missing_since),
    }


def explain_night(occupancy: Occupancy, unit_id: Scope, night: date) -> list[ExplainedBooking]:
    """Return who holds *night* of a unit, originals first, and for each why, since when, and by whose word."""
    return [_explain(booking, occupancy, night) for booking in occupancy.holding(unit_id, night)]


def _explain(booking: Booking, occupancy: Occupancy, night: date) -> ExplainedBooking:
    doc = describe_one(booking.records[0], occupancy)
    edited = sorted({edit["by"] for edit in doc["edits"].values()})
    reasons = [reason for record in booking.records for reason in _reasons(record, night)]
    why = {"since": write_time(booking.seen_at), "edited_by": edited, "why": list(dict.fromkeys(reasons))}
    return cast("ExplainedBooking", {**doc, **why})


def _reasons(record: Record, night: date) -> list[str]:
    """Return the reasons for which *record* holds *night*, in words."""
    told, local, said = night.isoformat(), record.fields, record.remote
    reasons = []
    if said.get("kind") == "window":
        reasons.append("the calendar's own rules close it")
    elif local["check_in"] <= told < local["check_out"]:
        reasons.append("its dates hold the night")
    elif said["check_in"] <= told < said["check_out"]:
        reasons.append("the source's dates hold it, although a person's do not; `bokit booking edit --release` lets it go")
    if record.missing_since:
        reasons.append(f"missing from the feed since {record.missing_since:%Y-%m-%d %H:%M} UTC, and held until that is sure")
    return reasons


def _time(at: Any) -> str | None:
    return write_time(at) if at else None
