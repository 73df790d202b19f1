"""Bookings as the API and the command line show them: joint ones once with all sources, echoes with what they repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, NotRequired, TypedDict, cast

from bokit.core.bookings.nights import DAY, nights, nights_of, read_spans, write_spans
from bokit.core.bookings.stay import (
    BOOKING_FIELDS,
    REST,
    BookingRecordDocument,
    describe_booking,
    doubtful_nights,
    held_nights,
    is_moved,
    is_window,
    published_nights,
    read_span,
    time_or_none,
)
from bokit.core.ical.entries import EntryKind
from bokit.core.model.documents import Day, Time, write_time
from bokit.core.model.records import Json, Presence, Record, Scope
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.occupancy import Booking, Occupancy


class HeldReason(StrEnum):
    """Why a booking or a window holds a night."""

    DATES = "dates"
    SOURCE_DATES = "source-dates"
    MISSING = "missing"
    HELD_BACK = "held-back"
    BEYOND_LIMIT = "beyond-limit"
    ROLLING = "rolling"
    RULES = "rules"
    DOUBTFUL_ECHO = "doubtful-echo"
    ECHO = "echo"
    ORIGINAL_REMOVED = "original-removed"
    SOLD = "sold"


WHY_HELD = {
    HeldReason.DATES: "its dates hold the night",
    HeldReason.SOURCE_DATES: (
        "the source's dates hold it, although a person's do not; `bokit booking edit --release` releases it"
    ),
    HeldReason.MISSING: "missing from the feed since {missing:%Y-%m-%d %H:%M} UTC, and held until that is sure",
    HeldReason.HELD_BACK: "its calendar closes it, in a state that is held back; `bokit source show {source}` shows why",
    HeldReason.BEYOND_LIMIT: "its calendar closes it, and shows more bookings than are allowed: it is held as a night alone",
    HeldReason.ROLLING: "its calendar closes it, as nights that move on with each day",
    HeldReason.RULES: "the calendar's own rules close it",
    HeldReason.DOUBTFUL_ECHO: (
        "it repeats another booking, or it was sold twice: its channel had not read the other in a calendar of ours"
    ),
    HeldReason.ECHO: "it repeats another booking",
    HeldReason.ORIGINAL_REMOVED: "what it repeated was removed",
    HeldReason.SOLD: "its channel sold it itself: it left other nights of the booking that it meets open",
}


class BookingSourceDocument(TypedDict):
    """What one source says of a booking."""

    source_id: Annotated[str | None, "null: entered by hand."]
    uid: Annotated[str | None, "Its UID in the source's calendar; of a recurring one with the instance. null: entered by hand."]
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
    held_nights: NotRequired[
        Annotated[
            list[list[Day]],
            "The nights that it holds, where they are not exactly those of its dates: pairs of the first one and the day after "
            "the last. So it is where a person moved it and the source still closes the former nights, and in a window.",
        ]
    ]
    provisional_nights: NotRequired[
        Annotated[list[list[Day]], "Of a window: nights that its calendar closes while a guard holds it back; pairs as well."]
    ]


class ExplainedBooking(BookingDocument):
    """A booking that holds the night, and why."""

    since: Annotated[Time, "When it was first seen."]
    edited_by: list[str]
    reasons: list[HeldReason]
    why: Annotated[list[str], "The reasons, in words."]


def describe_bookings(occupancy: Occupancy, records: Iterable[Record]) -> list[BookingDocument]:
    """Return the documents of *records*, a joint booking's once, by arrival.

    Windows are left out, and what bookings left behind that moved to another unit.
    """
    documents = []
    for record in records:
        booking = occupancy.by_record.get(record.id)
        if not is_window(record) and not is_moved(record) and (booking is None or booking.id == record.id):
            documents.append(describe_one(record, occupancy))
    return sorted(documents, key=lambda doc: (str(doc["check_in"] or ""), doc["id"]))


def describe_one(record: Record, occupancy: Occupancy) -> BookingDocument:
    """Return the document of *record*'s booking with all its sources; a record that holds nothing stands alone."""
    booking = occupancy.by_record.get(record.id)
    if booking is None:
        alone = {"state": None, "echo_of": [], "echoes": [], "sources": [_describe_source(record)]}
        return _add_nights({**describe_booking(record), **alone}, [record])
    doc = describe_booking(booking.records[0])
    if len(booking.records) > 1:
        doc = cast("BookingRecordDocument", {**doc, **_describe_joint(booking)})
    relations = {
        "state": booking.state,
        "echo_of": list(booking.echo_of),
        "echoes": [b.id for b in occupancy.echoes_of(booking.id)],
        "sources": [_describe_source(r) for r in booking.records],
    }
    shown = _add_nights({**doc, **relations}, booking.records)
    if fades := booking.grid.nights(booking.verdict.fades):
        shown["fading_nights"] = [night.isoformat() for night in fades]
        shown["fades_until"] = time_or_none(booking.verdict.until)
    return shown


def _add_nights(doc: Mapping[str, Any], records: Sequence[Record]) -> BookingDocument:
    """Return *doc* with the nights that its *records* hold together, where its dates do not say so."""
    held = {night for record in records for night in held_nights(record)}
    provisional = {night for record in records if is_window(record) for night in doubtful_nights(record)}
    dates = nights(*read_span(doc)) if doc["check_in"] and doc["check_out"] else set()
    added = {"held_nights": held if held != dates else set(), "provisional_nights": provisional}
    return cast("BookingDocument", {**doc, **{name: write_spans(found) for name, found in added.items() if found}})


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
        "uid": record.key if record.source_id else None,
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
    reasons = [(reason, _why_held(reason, record)) for record in booking.records for reason in _reasons(record, night)]
    reasons += [(reason, WHY_HELD[reason]) for reason in _why_judged(booking, night)]
    why = {"reasons": list(dict(reasons)), "why": list(dict.fromkeys(words for _, words in reasons))}
    return cast("ExplainedBooking", {**doc, "since": write_time(booking.seen_at), "edited_by": edited, **why})


def _why_held(reason: HeldReason, record: Record) -> str:
    """Return a reason in words."""
    return WHY_HELD[reason].format(source=record.source_id, missing=record.missing_since)


def _why_judged(booking: Booking, night: date) -> list[HeldReason]:
    """Return why a closure counts as a repetition, or does not."""
    verdict, bit = booking.verdict, booking.grid.span(night, night + DAY)
    reasons = []
    if booking.kind is EntryKind.RESERVATION and any(bits & bit for _, bits in verdict.doubtful):
        reasons.append(HeldReason.DOUBTFUL_ECHO)
    elif verdict.repeats & bit:
        reasons.append(HeldReason.ECHO)
    if verdict.fades & bit:
        reasons.append(HeldReason.ORIGINAL_REMOVED)
    if verdict.sold:
        reasons.append(HeldReason.SOLD)
    return reasons


def _why_closed(window: Record, night: date) -> HeldReason:
    if night in doubtful_nights(window):
        return HeldReason.HELD_BACK
    if night in nights_of(read_spans(window.remote.get(REST, ()))):
        return HeldReason.BEYOND_LIMIT
    if night in published_nights(window):
        return HeldReason.ROLLING
    return HeldReason.RULES


def _reasons(record: Record, night: date) -> list[HeldReason]:
    """Return the reasons for which *record* holds *night*."""
    day, local, remote = night.isoformat(), record.fields, record.remote
    reasons = []
    if is_window(record):
        reasons.append(_why_closed(record, night))
    elif local["check_in"] <= day < local["check_out"]:
        reasons.append(HeldReason.DATES)
    elif remote["check_in"] <= day < remote["check_out"]:
        reasons.append(HeldReason.SOURCE_DATES)
    if record.missing_since:
        reasons.append(HeldReason.MISSING)
    return reasons
