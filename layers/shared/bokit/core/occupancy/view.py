"""Bookings as the API and the command line show them: joint ones once with all sources, echoes with what they repeat."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, NotRequired, TypedDict, cast

from bokit.core.bookings.nights import DAY, nights_of, read_spans
from bokit.core.bookings.stay import (
    BOOKING_FIELDS,
    REST,
    BookingRecordDocument,
    describe_booking,
    doubtful_nights,
    is_window,
    published_nights,
    time_or_none,
)
from bokit.core.ical.entries import EntryKind
from bokit.core.model.documents import Day, Time, write_time
from bokit.core.model.records import Json, Presence, Record, Scope
from bokit.core.occupancy.echo_verdict import EchoState
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
    fading_nights: NotRequired[
        Annotated[list[Day], "Nights that are not exported, because the booking that they repeated was removed."]
    ]
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
    documents = []
    for record in records:
        booking = occupancy.by_record.get(record.id)
        if not is_window(record) and (booking is None or booking.id == record.id):
            documents.append(describe_one(record, occupancy))
    return sorted(documents, key=lambda doc: (str(doc["check_in"] or ""), doc["id"]))


def describe_one(record: Record, occupancy: Occupancy) -> BookingDocument:
    """Return the document of *record*'s booking with all its sources; a record that holds nothing stands alone."""
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
        shown["fades_until"] = time_or_none(booking.verdict.until)
    return shown


def _describe_joint(booking: Booking) -> dict[str, Json]:
    """Return the values that the sources of *booking* make together, in place of the first one's."""
    edits: dict[str, Any] = {}
    disagreements: dict[str, Any] = {}
    confirm = None
    for doc in map(describe_booking, reversed(booking.records)):
        edits |= doc["edits"]
        confirm = doc["confirm"] or confirm
        disagreements |= doc["disagreements"]
    shown = [r for r in booking.records if r.missing_since is None]
    missing = [r.missing_since for r in booking.records if r.missing_since]
    return {
        **{name: booking.fields.get(name) for name in BOOKING_FIELDS},
        "edits": edits,
        "disagreements": disagreements,
        "confirm": confirm,
        "presence": str(shown[0].presence) if shown else "missing",
        "missing_since": None if shown else time_or_none(max(missing, default=None)),
    }


def _describe_source(record: Record) -> BookingSourceDocument:
    """Return what one source says of a booking."""
    remote = record.remote
    return {
        "source_id": record.source_id,
        "booking_id": record.id,
        "kind": remote.get("kind"),
        "status": remote.get("status"),
        "check_in": remote.get("check_in"),
        "check_out": remote.get("check_out"),
        "presence": record.presence,
        "seen_at": write_time(record.created_at),
        "missing_since": time_or_none(record.missing_since),
    }


def explain_night(occupancy: Occupancy, unit_id: Scope, night: date) -> list[ExplainedBooking]:
    """Return the bookings that hold *night* of a unit, originals first, each with why and since when."""
    return [_explain(booking, occupancy, night) for booking in occupancy.holding(unit_id, night)]


def _explain(booking: Booking, occupancy: Occupancy, night: date) -> ExplainedBooking:
    doc = describe_one(booking.records[0], occupancy)
    edited = sorted({edit["by"] for edit in doc["edits"].values()})
    reasons = [reason for record in booking.records for reason in _reasons(record, night)]
    reasons += _why_judged(booking, night)
    why = {"since": write_time(booking.seen_at), "edited_by": edited, "why": list(dict.fromkeys(reasons))}
    return cast("ExplainedBooking", {**doc, **why})


def _why_judged(booking: Booking, night: date) -> list[str]:
    """Return in words why a closure counts as a repetition, or does not."""
    verdict, bit = booking.verdict, booking.grid.span(night, night + DAY)
    reasons = []
    if booking.kind is EntryKind.RESERVATION and any(bits & bit for _, bits in verdict.doubtful):
        reasons.append(
            "it repeats another booking, or it was sold twice: its channel had not read the other in a calendar of ours"
        )
    elif verdict.repeats & bit:
        reasons.append("it repeats another booking")
    if verdict.fades & bit:
        reasons.append("what it repeated was removed")
    if verdict.sold:
        reasons.append("its channel sold it itself: it left other nights of the booking that it meets open")
    return reasons


def _why_closed(window: Record, night: date) -> str:
    if night in doubtful_nights(window):
        return f"its calendar closes it, in a state that is held back; `bokit source show {window.source_id}` shows why"
    if night in nights_of(read_spans(window.remote.get(REST, ()))):
        return "its calendar closes it, and shows more bookings than are allowed: it is held as a night alone"
    if night in published_nights(window):
        return "its calendar closes it, as nights that move on with each day"
    return "the calendar's own rules close it"


def _reasons(record: Record, night: date) -> list[str]:
    """Return the reasons for which *record* holds *night*, in words."""
    day, local, remote = night.isoformat(), record.fields, record.remote
    reasons = []
    if is_window(record):
        reasons.append(_why_closed(record, night))
    elif local["check_in"] <= day < local["check_out"]:
        reasons.append("its dates hold the night")
    elif remote["check_in"] <= day < remote["check_out"]:
        reasons.append("the source's dates hold it, although a person's do not; `bokit booking edit --release` releases it")
    if record.missing_since:
        reasons.append(f"missing from the feed since {record.missing_since:%Y-%m-%d %H:%M} UTC, and held until that is sure")
    return reasons
