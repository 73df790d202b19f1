"""``/units/{id}/calendars`` and ``/calendars``: a unit's outgoing calendars and their addresses.

An address is a secret: anybody who has it can read the calendar. Operators see it, viewers do not.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from bokit.core.model.catalog import UnitId
from bokit.engine.bookings.calendar_terms import CalendarChoice, CalendarId, CalendarVariant, OutCalendar
from bokit.engine.bookings.outgoing import ROTATION_OVERLAP, CalendarDocument
from bokit.http.bodies import Body
from bokit.http.limits import MAX_ROTATION_OVERLAP
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply, reply_nothing
from bokit.http.routing import ADMIN, NOTHING, OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("calendars")


class NewCalendar(Body):
    """A calendar to create."""

    consumer: str | None = Field(
        default=None,
        alias="for",
        max_length=200,
        examples=["airbnb"],
        description="The consumer, whose own bookings are left out: a platform, or a source of the unit. null: anybody.",
    )
    variant: Literal["occupied", "bookings", "arrivals", "departures", "turnovers"] = "occupied"
    details: bool | None = Field(default=None, description="Whether to name guests; null: as `export.anonymous` says.")


class Rotation(Body):
    """How long the former address works."""

    overlap_seconds: int = Field(
        default=int(ROTATION_OVERLAP.total_seconds()),
        ge=0,
        le=int(MAX_ROTATION_OVERLAP.total_seconds()),
        description="How long the former address still works; 0: not at all.",
    )


def _describe(calendar: OutCalendar) -> CalendarDocument:
    """Return the calendar's document, with its address for operators."""
    call = routes.call
    return call.engine.calendars.describe(calendar, with_url=call.principal.role.may(OPERATOR))


def by_age(calendar: OutCalendar) -> Key:
    """Return the sort key of a calendar."""
    return calendar.created_at.isoformat(), calendar.id


@routes.serve("GET", "/units/{id}/calendars", VIEWER, lists("Calendar"))
def list_calendars(id: Id, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List a unit's outgoing calendars, oldest first; operators see their addresses."""
    call, unit = routes.call, UnitId(id)
    call.engine.catalog.load_unit(call.tenant, unit)
    found = call.engine.calendars.list_calendars(call.tenant, unit)
    return call.reply_page(found, _describe, by_age, ("calendars", id), limit, cursor)


@routes.serve("POST", "/units/{id}/calendars", OPERATOR, makes("Calendar", "Created, or found: a consumer has one calendar."))
def create_calendar(id: Id, body: NewCalendar | None = None) -> Reply:
    """Create a unit's calendar for a consumer, with its address."""
    call, wanted = routes.call, body or NewCalendar()
    choice = CalendarChoice(consumer=wanted.consumer, variant=CalendarVariant(wanted.variant), details=wanted.details)
    calendar = call.engine.calendars.open(call.tenant, UnitId(id), choice)
    return reply(_describe(calendar), 201, location=f"/calendars/{calendar.id}")


@routes.serve("GET", "/calendars/{id}", VIEWER, shows("Calendar"))
def show_calendar(id: Id) -> Reply:
    """Show one calendar; operators see its address."""
    call = routes.call
    return reply(_describe(call.engine.calendars.find(call.tenant, CalendarId(id))))


@routes.serve("POST", "/calendars/{id}/rotate", OPERATOR, shows("Calendar", "It has a new address."))
def rotate_calendar(id: Id, body: Rotation | None = None) -> Reply:
    """Give a calendar a new address; the former one still works for a while."""
    call, overlap = routes.call, timedelta(seconds=(body or Rotation()).overlap_seconds)
    return reply(_describe(call.engine.calendars.rotate(call.tenant, CalendarId(id), overlap)))


@routes.serve("DELETE", "/calendars/{id}", ADMIN, NOTHING)
def remove_calendar(id: Id) -> Reply:
    """Delete a calendar; its address stops working immediately."""
    call = routes.call
    call.engine.calendars.remove(call.tenant, CalendarId(id))
    return reply_nothing()
