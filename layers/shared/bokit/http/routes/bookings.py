"""``/bookings``: bookings and blocks, edits and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.model.catalog import BOOKINGS, Unit, UnitId
from bokit.core.model.records import RecordId
from bokit.engine.bookings.terms import RELEASED, BookingDocument, EntryKind, Status, nights_to_release, read_day, read_edit
from bokit.engine.catalog.view import describe_change
from bokit.errors import InputError
from bokit.http.bodies import Body, Day, EditsToDrop, GuestCount, Text, Word
from bokit.http.limits import MAX_HEADER_LENGTH, MAX_RELEASED_NIGHTS
from bokit.http.paging import Key, cut_page, read_position
from bokit.http.params import A_DATE, DAY, Cursor, Id, Limit, UnitFilter, words
from bokit.http.replies import Reply, reply, reply_list, reply_stored
from bokit.http.routing import OPERATOR, VIEWER, Call, Routes, lists, makes, shows, updates

routes = Routes("bookings")


class BookingFields(Body):
    """Fields of any booking."""

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
    guests: GuestCount = None
    adults: GuestCount = None
    children: GuestCount = None


class BookingEdit(BookingFields):
    """Edits of a booking. They survive syncs."""

    kind: str | None = Field(default=None, max_length=20, description="`reservation` or `block`.")
    status: str | None = Field(default=None, max_length=20, examples=["confirmed"])
    check_in: Day | None = None
    check_out: Day | None = None
    released_nights: list[Day] = Field(default=[], max_length=MAX_RELEASED_NIGHTS, description="Nights that it no longer holds.")
    confirm: None = Field(default=None, description="Confirms that the edits are this guest's; so does any other edit.")
    release: bool = Field(
        default=False, description="Release every night that the source still holds and the edited booking does not."
    )


class NewBooking(BookingFields):
    """A booking or a block entered by hand. Syncs do not change it."""

    unit_id: Word
    check_in: Day
    check_out: Day
    kind: str = Field(default="reservation", max_length=20, description="`reservation` or `block`.")
    status: str = Field(default="confirmed", max_length=20, examples=["confirmed"])


From = Annotated[
    str | None,
    Query(alias="from", pattern=DAY, json_schema_extra=A_DATE, description="With a night on this day or later."),
]
Until = Annotated[str | None, Query(pattern=DAY, json_schema_extra=A_DATE, description="With a night before this day.")]
KindFilter = Annotated[
    str | None,
    Query(
        max_length=MAX_HEADER_LENGTH,
        json_schema_extra=words(EntryKind),
        description="Comma-separated; left out: all but windows, which hold nights but are not bookings.",
    ),
]
StatusFilter = Annotated[
    str | None,
    Query(max_length=MAX_HEADER_LENGTH, json_schema_extra=words(Status), description="Comma-separated; left out: all."),
]


Order = Annotated[
    Literal["arrival", "unit"],
    Query(
        description="`unit`: unit after unit, by id, and by arrival in each. A page then reads only the units that it shows; "
        "by arrival each page reads them all. What is added or removed between two pages moves no other item."
    ),
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
    order: Order = "arrival",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Reply:
    """List the bookings, by arrival; cancelled and removed ones included.

    A booking reported by several sources is listed once, with all its `sources`. An echo booking names what it repeats.
    """
    call = routes.call
    wanted = _read_filter(since, until, kind, status)
    units = [unit.id for unit in call.find_units(unit_id)]
    list_id = ("bookings", unit_id, since, until, kind, status, order)
    if order == "arrival":
        found = filter(wanted, call.engine.bookings.list_bookings(call.tenant, units, windows=True))
        return call.reply_page(found, dict, by_arrival, list_id, limit, cursor)
    after = read_position((call.tenant, *list_id), cursor) or ("",)
    page = _read_units(call, [unit for unit in sorted(units) if unit >= after[0]], wanted, after, limit)
    return call.reply_page(page, dict, by_unit, list_id, limit, cursor)


def _read_units(
    call: Call, units: Sequence[UnitId], wanted: Callable[[BookingDocument], bool], after: Key, limit: int
) -> list[BookingDocument]:
    """Return what is wanted of as many of *units*, from the first on, as fill a page and show whether another follows."""
    found: list[BookingDocument] = []
    for docs in call.engine.bookings.iterate_bookings(call.tenant, units, windows=True):
        found += [doc for doc in docs if wanted(doc) and by_unit(doc) > after]
        if len(found) > limit:
            break
    return found


def by_arrival(doc: BookingDocument) -> Key:
    """Return the sort key of a booking."""
    return str(doc["check_in"] or ""), doc["id"]


def by_unit(doc: BookingDocument) -> Key:
    """Return the sort key of a booking where those of a unit follow each other."""
    return doc["unit_id"], *by_arrival(doc)


@routes.serve("POST", "/bookings", OPERATOR, makes("BookingInFull", "Created; see `conflicts`."))
def create_booking(body: NewBooking) -> Reply:
    """Enter a booking by hand, or block nights."""
    call, values = routes.call, body.sent()
    made = call.engine.bookings.create(call.tenant, UnitId(values.pop("unit_id")), values, by=call.by)
    return reply(made, 201, location=f"/bookings/{made['id']}")


@routes.serve("GET", "/bookings/explain", VIEWER, lists("HeldNight", "One item for each unit."))
def explain_night(night: Night, unit_id: UnitFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """Explain which bookings hold a night, of one unit or all: their sources, since when, edited by whom, and why."""
    call = routes.call
    day = date.fromisoformat(read_day("date", night))
    list_id = (call.tenant, "explain", unit_id, night)
    page, following = cut_page(call.find_units(unit_id), by_unit_name, list_id=list_id, limit=limit, cursor=cursor)
    return reply_list(call.engine.bookings.explain(call.tenant, [unit.id for unit in page], day), following)


def by_unit_name(unit: Unit) -> Key:
    """Return the sort key of a unit."""
    return unit.name.casefold(), unit.id


def _read_filter(since: str | None, until: str | None, kind: str | None, status: str | None) -> Callable[[BookingDocument], bool]:
    """Return whether a booking is wanted, as a function. A stay is half-open: its last day is not a night of it."""
    first, end = read_day("from", since) if since else "", read_day("until", until) if until else "9999-99-99"
    if end <= first:
        raise InputError("until must be after from", code="bad-field", field="until")
    kinds = _read_words("kind", kind, EntryKind) or {EntryKind.RESERVATION, EntryKind.BLOCK}
    statuses = _read_words("status", status, Status)

    def wanted(doc: BookingDocument) -> bool:
        if doc["kind"] not in kinds or (statuses and doc["status"] not in statuses):
            return False
        return str(doc["check_out"] or "9999") > first and str(doc["check_in"] or "") < end

    return wanted


def _read_words(name: str, text: str | None, known: Iterable[str]) -> set[str]:
    wanted, choices = set() if text is None else set(text.split(",")), [str(word) for word in known]
    if wanted - set(choices):
        raise InputError(f"not one of {', '.join(choices)}", code="bad-field", field=name)
    return wanted


@routes.serve("GET", "/bookings/{id}", VIEWER, shows("BookingInFull"))
def show_booking(id: Id) -> Reply:
    """Show one booking with its conflicts; any id of its `sources` finds it."""
    call = routes.call
    return reply(call.engine.bookings.show(call.tenant, RecordId(id)))


@routes.serve("PATCH", "/bookings/{id}", OPERATOR, updates("BookingInFull"))
def edit_booking(id: Id, body: BookingEdit) -> Reply:
    """Edit a booking; edits survive syncs."""
    call, values = routes.call, body.sent()
    if values.pop("release", False):
        record = call.engine.records.find_record(call.tenant, BOOKINGS, RecordId(id))
        values[RELEASED] = nights_to_release(record, read_edit(record, values))
    return reply(call.engine.bookings.edit(call.tenant, RecordId(id), values, by=call.by))


@routes.serve("POST", "/bookings/{id}/accept-remote", OPERATOR, updates("BookingInFull"))
def accept_remote(id: Id, body: EditsToDrop | None = None) -> Reply:
    """Drop edits: the booking takes the values of its source again."""
    call, fields = routes.call, body.fields if body else None
    return reply(call.engine.bookings.accept_remote(call.tenant, RecordId(id), fields, by=call.by))


@routes.serve("GET", "/bookings/{id}/changes", VIEWER, lists("Change"))
def list_changes(id: Id, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the changes of a booking: when, by whom, and why; newest first."""
    call = routes.call
    record = call.engine.records.find_record(call.tenant, BOOKINGS, RecordId(id))
    fetch = partial(call.engine.records.list_changes, call.tenant, record.id, cursor=cursor)
    return reply_stored(lambda most: fetch(limit=most), describe_change, limit)
