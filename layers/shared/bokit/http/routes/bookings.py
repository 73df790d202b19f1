"""``/bookings``: who stays when, what a person corrected, and what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.bookings.edit import read_edit
from bokit.core.bookings.release import nights_to_release
from bokit.core.bookings.stay import RELEASED
from bokit.core.ical.entries import Kind, Status
from bokit.core.model.catalog import BOOKINGS, UnitId
from bokit.core.model.records import RecordId
from bokit.engine.catalog.view import describe_change
from bokit.errors import InputError
from bokit.http.bodies import Body, Count, Day, Text, Word
from bokit.http.paging import Key
from bokit.http.params import DAY, Cursor, Id, Limit, UnitFilter, words
from bokit.http.replies import Reply, reply
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("bookings")


class BookingWords(Body):
    """What may be said of any booking."""

    summary: Text = None
    guest_name: Text = None
    reservation_code: Text = None
    reservation_url: Text = None
    phone_last4: Text = None
    phone: Text = None
    email: Text = None
    country: Text = None
    ota: Text = None
    ota_reference: Text = None
    comments: Text = None
    notes: Text = None
    guests: Count = None
    adults: Count = None
    children: Count = None


class BookingEdit(BookingWords):
    """What a person says of a booking; it stands, whatever the source says."""

    kind: str | None = Field(default=None, max_length=20, description="`reservation` or `block`.")
    status: str | None = Field(default=None, max_length=20, examples=["confirmed"])
    check_in: Day | None = None
    check_out: Day | None = None
    released_nights: list[Day] = Field(default=[], max_length=4000, description="Nights that it holds no longer.")
    release: bool = Field(
        default=False, description="Release every night that the source still holds and the booking, so edited, does not."
    )


class NewBooking(BookingWords):
    """A booking by hand: a stay that no source tells, or nights that are closed; no sync touches it."""

    unit_id: Word
    check_in: Day
    check_out: Day
    kind: str = Field(default="reservation", max_length=20, description="`reservation` or `block`.")
    status: str = Field(default="confirmed", max_length=20, examples=["confirmed"])


class Acceptance(Body):
    """Which edits are given up."""

    fields: list[Word] | None = Field(default=None, max_length=100, description="null or left out: all of them.")


A_DATE = {"format": "date"}
From = Annotated[
    str | None,
    Query(alias="from", pattern=DAY, json_schema_extra=A_DATE, description="Those with a night on this day or later."),
]
Until = Annotated[str | None, Query(pattern=DAY, json_schema_extra=A_DATE, description="Those with a night before this day.")]
KindFilter = Annotated[
    str | None,
    Query(
        json_schema_extra=words(Kind),
        description="One or several, with commas between; left out: all but windows, which hold nights and are no bookings.",
    ),
]
StatusFilter = Annotated[
    str | None, Query(json_schema_extra=words(Status), description="One or several, with commas between; left out: all.")
]


Night = Annotated[
    str, Query(alias="date", pattern=DAY, json_schema_extra=A_DATE, description="The night that begins on this day.")
]


@routes.serve("GET", "/bookings", VIEWER, lists("Booking"))
def list_bookings(
    unit_id: UnitFilter = None,
    since: From = None,
    until: Until = None,
    kind: KindFilter = None,
    status: StatusFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Reply:
    """The bookings, by arrival; gone ones included.

    One that several sources tell is one booking with several `sources`; an echo tells what it repeats.
    """
    call = routes.call
    wanted = _read_filter(since, until, kind, status)
    units = [unit.id for unit in call.find_units(unit_id)]
    found = call.engine.bookings.list_bookings(call.tenant, units, windows=True)
    of = ("bookings", unit_id, since, until, kind, status)
    return call.reply_page(filter(wanted, found), dict, by_arrival, of=of, limit=limit, cursor=cursor)


def by_arrival(doc: dict[str, Any]) -> Key:
    """Return where a booking stands in its list."""
    return str(doc["check_in"] or ""), doc["id"]


@routes.serve("POST", "/bookings", OPERATOR, makes("BookingInFull", "It was made; `conflicts` tells what it collides with."))
def make_booking(body: NewBooking) -> Reply:
    """Write a booking by hand, or close nights with a block."""
    call, values = routes.call, body.told()
    made = call.engine.bookings.create(call.tenant, UnitId(values.pop("unit_id")), values, by=call.by)
    return reply(made, 201, at=f"/bookings/{made['id']}")


@routes.serve("GET", "/bookings/explain", VIEWER, lists("HeldNight", "Every unit that was asked for."))
def explain_night(night: Night, unit_id: UnitFilter = None) -> Reply:
    """Who holds a night of a unit, or of each, and why: by which booking, from which sources, since when, edited by whom."""
    call = routes.call
    units = [unit.id for unit in call.find_units(unit_id)]
    day = date.fromisoformat(_read_day("date", night) or "")
    return reply({"items": call.engine.bookings.explain(call.tenant, units, day), "cursor": None})


def _read_filter(since: str | None, until: str | None, kind: str | None, status: str | None) -> Callable[[dict[str, Any]], bool]:
    """Return what tells whether a booking is asked for; a stay is half-open, so that its last day is no night of it."""
    first, end = _read_day("from", since) or "", _read_day("until", until) or "9999-99-99"
    if end <= first:
        raise InputError("until must be after from", code="bad-field", field="until")
    kinds = _read_words("kind", kind, Kind) or {Kind.RESERVATION, Kind.BLOCK}
    statuses = _read_words("status", status, Status)

    def wanted(doc: dict[str, Any]) -> bool:
        if doc["kind"] not in kinds or (statuses and doc["status"] not in statuses):
            return False
        return str(doc["check_out"] or "9999") > first and str(doc["check_in"] or "") < end

    return wanted


def _read_day(name: str, text: str | None) -> str | None:
    try:
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError("not a day of the calendar", code="bad-field", field=name) from None


def _read_words(name: str, text: str | None, known: Iterable[str]) -> set[str]:
    told, choices = set() if text is None else set(text.split(",")), [str(word) for word in known]
    if told - set(choices):
        raise InputError(f"not one of {', '.join(choices)}", code="bad-field", field=name)
    return told


@routes.serve("GET", "/bookings/{id}", VIEWER, shows("BookingInFull"))
def show_booking(id: Id) -> Reply:
    """One booking, with the conflicts that it is in; any id of its `sources` finds it."""
    call = routes.call
    return reply(call.engine.bookings.show(call.tenant, RecordId(id)))


@routes.serve("PATCH", "/bookings/{id}", OPERATOR, shows("BookingInFull", "As it is now."))
def edit_booking(id: Id, body: BookingEdit) -> Reply:
    """Correct a booking; the correction stands, whatever its source says."""
    call, values = routes.call, body.told()
    if values.pop("release", False):
        record = call.engine.desk.find_record(call.tenant, BOOKINGS, RecordId(id))
        values[RELEASED] = nights_to_release(record, read_edit(record, values))
    return reply(call.engine.bookings.edit(call.tenant, RecordId(id), values, by=call.by))


@routes.serve("POST", "/bookings/{id}/accept-remote", OPERATOR, shows("BookingInFull", "As it is now."))
def accept_remote(id: Id, body: Acceptance | None = None) -> Reply:
    """Give up corrections: the booking follows its source again."""
    call, fields = routes.call, body.fields if body else None
    return reply(call.engine.bookings.accept_remote(call.tenant, RecordId(id), fields, by=call.by))


@routes.serve("GET", "/bookings/{id}/changes", VIEWER, lists("Change"))
def list_changes(id: Id, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """What changed in a booking: when, by whom, and why; newest first."""
    call = routes.call
    record = call.engine.desk.find_record(call.tenant, BOOKINGS, RecordId(id))
    page = call.engine.desk.list_changes(call.tenant, record.id, limit=limit, cursor=cursor)
    return reply({"items": [describe_change(c) for c in page.items], "cursor": page.cursor})
