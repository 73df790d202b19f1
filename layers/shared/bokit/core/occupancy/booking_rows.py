"""Bookings and their changes as rows of a table, and as events of a calendar file. Pure.

what          which bookings                                            event
arrivals      guests who arrive in the time                             the day of arrival
departures    guests who leave in the time                              the day of departure
bookings      guests and blocks with a night in the time                their nights
changes       lines of change logs written in the time, of any          the minute of the change
              booking: a row for each field
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from bokit.core.bookings.stay import GUEST_FIELDS, read_span
from bokit.core.ical.entries import EntryKind
from bokit.core.ical.writer import CalendarEvent, make_uid
from bokit.core.model.day_times import DEFAULT_TIMES
from bokit.core.model.documents import write_time
from bokit.core.model.records import Json, LoggedChange, Scope, SourceId
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.outgoing import read_details
from bokit.core.occupancy.turnovers import UnitTimes
from bokit.core.occupancy.view import BookingDocument
from bokit.values import Value

Row = list[Json]
DAY = timedelta(days=1)
CHANGE_LENGTH = timedelta(minutes=1)
"""How long the event of a change is: an end at its beginning is not allowed (RFC 5545, section 3.8.2.2)."""


class ExportKind(StrEnum):
    """What is exported."""

    ARRIVALS = "arrivals"
    DEPARTURES = "departures"
    BOOKINGS = "bookings"
    CHANGES = "changes"


_DATES = ("check_in", "check_in_time", "check_out", "check_out_time", "nights")
_GUEST = (
    *("guest_name", "guests", "adults", "children", "phone", "phone_last4", "email", "country", "reservation_code"),
    *("reservation_url", "ota", "ota_reference", "comments", "notes"),
)
_CHANGE = ("change_id", "at", "booking_id", "unit_id", "unit", "guest_name", "check_in", "check_out", "action", "by", "reason")


class RowNames(Value):
    """What rows are written with: names of units and channels, and the units' times."""

    unit_of: Callable[[str], str]
    channel_of: Callable[[SourceId | None], str]
    times: UnitTimes
    is_anonymous: bool = False
    """Whether everything about guests is left out."""


ChangedBooking = tuple[BookingDocument, LoggedChange]


def booking_columns(*, is_anonymous: bool) -> tuple[str, ...]:
    """Return the columns of rows of bookings, arrivals and departures."""
    own = ("booking_id", "unit_id", "unit", "channels", "kind", "status", *_DATES)
    return own if is_anonymous else (*own, *_GUEST)


def change_columns(*, is_anonymous: bool) -> tuple[str, ...]:
    """Return the columns of rows of changes."""
    own = tuple(name for name in _CHANGE if not (is_anonymous and name in GUEST_FIELDS))
    return (*own, "field", "from", "to")


def select_bookings(
    docs: Iterable[BookingDocument], kind: ExportKind, first: date, end: date | None
) -> list[tuple[date, BookingDocument]]:
    """Return the bookings that are exported for ``[first, end)``, each with its day, in order; None: without an end."""
    found = []
    for doc in docs:
        if not doc["blocks_nights"] or doc["state"] != EchoState.OWN or not doc["check_in"] or not doc["check_out"]:
            continue
        check_in, check_out = read_span(doc)
        day = check_out if kind is ExportKind.DEPARTURES else check_in
        if kind is ExportKind.BOOKINGS:
            is_in = check_out > first and (end is None or check_in < end)
        else:
            is_in = doc["kind"] == EntryKind.RESERVATION and first <= day and (end is None or day < end)
        if is_in:
            found.append((day, doc))
    return sorted(found, key=lambda pair: (pair[0], pair[1]["unit_id"], pair[1]["id"]))


def booking_row(doc: BookingDocument, names: RowNames) -> Row:
    """Return the row of a booking."""
    values: Mapping[str, Any] = {**doc, **_describe_place(doc, names)}
    return [values[name] for name in booking_columns(is_anonymous=names.is_anonymous)]


def _describe_place(doc: BookingDocument, names: RowNames) -> dict[str, Json]:
    times, (check_in, check_out) = names.times.get(Scope(doc["unit_id"]), DEFAULT_TIMES), read_span(doc)
    is_guest = doc["kind"] == EntryKind.RESERVATION
    sources = (source["source_id"] for source in doc["sources"])
    return {
        "booking_id": doc["id"],
        "unit": names.unit_of(doc["unit_id"]),
        "channels": " + ".join(dict.fromkeys(names.channel_of(SourceId(s) if s else None) for s in sources)),
        "check_in_time": times.check_in if is_guest else None,
        "check_out_time": times.check_out if is_guest else None,
        "nights": (check_out - check_in).days,
    }


def change_rows(changed: ChangedBooking, names: RowNames) -> Iterator[Row]:
    """Yield a row for each field that a line of a change log names; one without a field where it names none."""
    doc, line = changed
    values: Mapping[str, Any] = {
        **doc,
        "change_id": line.id,
        "at": write_time(line.at),
        "booking_id": doc["id"],
        "unit": names.unit_of(doc["unit_id"]),
        "action": line.action,
        "by": _name_author(line, names),
        "reason": line.reason,
    }
    columns = change_columns(is_anonymous=names.is_anonymous)[:-3]
    row = [values[name] for name in columns]
    fields: list[Row] = [[name, c.before, c.after] for name, c in sorted(line.fields.items()) if _is_shown(name, names)]
    yield from ([*row, *field] for field in fields or [[None, None, None]])


def _is_shown(field: str, names: RowNames) -> bool:
    return not names.is_anonymous or field not in GUEST_FIELDS | {"summary", "extra"}


def _name_author(line: LoggedChange, names: RowNames) -> str:
    kind, _, name = line.by.partition(":")
    return names.channel_of(SourceId(name)) if kind == "source" else name or line.by


def booking_event(day: date, doc: BookingDocument, kind: ExportKind, names: RowNames) -> CalendarEvent:
    """Return the event of a booking: its nights, or the *day* on which the guest arrives or leaves."""
    place, (check_in, check_out) = _describe_place(doc, names), read_span(doc)
    who, details = ("", "") if names.is_anonymous else read_details(doc)
    clock = {
        ExportKind.ARRIVALS: f"Check-in from {place['check_in_time']}",
        ExportKind.DEPARTURES: f"Check-out by {place['check_out_time']}",
    }.get(kind, "")
    what = who or ("Reserved" if doc["kind"] == EntryKind.RESERVATION else "Not available")
    is_whole = kind is ExportKind.BOOKINGS
    return CalendarEvent(
        uid=make_uid(doc["id"], "export", kind),
        first=check_in if is_whole else day,
        end=check_out if is_whole else day + DAY,
        summary=f"{place['unit']}: {what}",
        description="\n".join(filter(None, (clock, str(place["channels"]), details))),
        changed_at=datetime.fromisoformat(doc["updated_at"]),
    )


def change_event(changed: ChangedBooking, names: RowNames) -> CalendarEvent:
    """Return the event of a change, at its time."""
    doc, line = changed
    who = "" if names.is_anonymous else str(doc["guest_name"] or "")
    facts = [f"{name}: {c.before} → {c.after}" for name, c in sorted(line.fields.items()) if _is_shown(name, names)]
    return CalendarEvent(
        uid=make_uid(line.id, "export", ExportKind.CHANGES),
        first=line.at,
        end=line.at + CHANGE_LENGTH,
        summary=f"{names.unit_of(doc['unit_id'])}: {', '.join(filter(None, (who, line.action)))}",
        description="\n".join(
            [f"{doc['check_in'] or '?'} – {doc['check_out'] or '?'}", f"{_name_author(line, names)}: {line.reason}", *facts]
        ),
        changed_at=line.at,
    )


def sort_changes(found: Iterable[ChangedBooking]) -> Sequence[ChangedBooking]:
    """Return changes by their time."""
    return sorted(found, key=lambda pair: (pair[1].at, pair[1].id))
