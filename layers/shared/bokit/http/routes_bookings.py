"""``/bookings``: who stays when, what a person corrected, and what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.booking import RELEASED, describe_booking
from bokit.core.booking_edit import read_edit
from bokit.core.catalog import BOOKINGS, UnitId
from bokit.core.entries import Kind, Status
from bokit.core.records import Record, RecordId, Scope
from bokit.core.release import nights_to_release
from bokit.engine.catalog_view import describe_change
from bokit.errors import InputError
from bokit.http.bodies import Body, Count, Day, Text, Word
from bokit.http.paging import Key
from bokit.http.params import DAY, Cursor, Id, Limit, UnitFilter, words
from bokit.http.replies import Reply, reply
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, shows

routes = Routes("bookings")


class BookingEdit(Body):
    """What a person says of a booking; it stands, whatever the source says."""

    kind: str | None = Field(default=None, max_length=20, description="`reservation` or `block`.")
    status: str | None = Field(default=None, max_length=20, examples=["confirmed"])
    check_in: Day | None = None
    check_out: Day | None = None
    released_nights: list[Day] = Field(default=[], max_length=4000, description="Nights that it holds no longer.")
    release: bool = Field(
        default=False, description="Release every night that the source still holds and the booking, so edited, does not."
    )
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
    Query(json_schema_extra=words(Kind), description="One or several, with commas between; left out: all but windows, which "
          "hold nights and are no bookings."),
]  # fmt: skip
StatusFilter = Annotated[
    str | None, Query(json_schema_extra=words(Status), description="One or several, with commas between; left out: all.")
]


@routes.serve("GET", "/bookings", VIEWER, lists("Booking"))
def list_bookings(
    unit_id: UnitFilter = None, since: From = None, until: Until = None, kind: KindFilter = None, status: StatusFilter = None,
    limit: Limit = 50, cursor: Cursor = None,
) -> Reply:  # fmt: skip
    """The bookings, by arrival; gone ones included."""
    call = routes.call
    catalog = call.engine.catalog
    wanted = _read_filter(since, until, kind, status)
    units = [catalog.load_unit(call.tenant, UnitId(unit_id))] if unit_id is not None else catalog.list_units(call.tenant)
    found = call.engine.desk.list_records(call.tenant, BOOKINGS, [Scope(u.id) for u in units])
    of = ("bookings", unit_id, since, until, kind, status)
    return call.reply_page(filter(wanted, found), describe_booking, by_arrival, of=of, limit=limit, cursor=cursor)


def by_arrival(record: Record) -> Key:
    """Return where a booking stands in its list."""
    return str(record.fields.get("check_in") or ""), record.id


def _read_filter(since: str | None, until: str | None, kind: str | None, status: str | None) -> Callable[[Record], bool]:
    """Return what tells whether a record is asked for; a stay is half-open, so that its last day is no night of it."""
    first, end = _read_day("from", since) or "", _read_day("until", until) or "9999-99-99"
    if end <= first:
        raise InputError("until must be after from", code="bad-field", field="until")
    kinds = _read_words("kind", kind, Kind) or {Kind.RESERVATION, Kind.BLOCK}
    statuses = _read_words("status", status, Status)

    def wanted(record: Record) -> bool:
        told = record.fields
        if told.get("kind") not in kinds or (statuses and told.get("status") not in statuses):
            return False
        return str(told.get("check_out") or "9999") > first and str(told.get("check_in") or "") < end

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


@routes.serve("GET", "/bookings/{id}", VIEWER, shows("Booking"))
def show_booking(id: Id) -> Reply:
    """One booking."""
    call = routes.call
    return reply(describe_booking(call.engine.desk.find_record(call.tenant, BOOKINGS, RecordId(id))))


@routes.serve("PATCH", "/bookings/{id}", OPERATOR, shows("Booking", "As it is now."))
def edit_booking(id: Id, body: BookingEdit) -> Reply:
    """Correct a booking; the correction stands, whatever its source says."""
    call, values = routes.call, body.told()
    desk = call.engine.desk
    if values.pop("release", False):
        record = desk.find_record(call.tenant, BOOKINGS, RecordId(id))
        values[RELEASED] = nights_to_release(record, read_edit(record, values))
    return reply(describe_booking(desk.edit(call.tenant, BOOKINGS, RecordId(id), values, by=call.by)))


@routes.serve("POST", "/bookings/{id}/accept-remote", OPERATOR, shows("Booking", "As it is now."))
def accept_remote(id: Id, body: Acceptance | None = None) -> Reply:
    """Give up corrections: the booking follows its source again."""
    call, fields = routes.call, body.fields if body else None
    return reply(describe_booking(call.engine.desk.accept_remote(call.tenant, BOOKINGS, RecordId(id), fields, by=call.by)))


@routes.serve("GET", "/bookings/{id}/changes", VIEWER, lists("Change"))
def list_changes(id: Id, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """What changed in a booking: when, by whom, and why; newest first."""
    call = routes.call
    record = call.engine.desk.find_record(call.tenant, BOOKINGS, RecordId(id))
    page = call.engine.desk.list_changes(call.tenant, record.id, limit=limit, cursor=cursor)
    return reply({"items": [describe_change(c) for c in page.items], "cursor": page.cursor})
