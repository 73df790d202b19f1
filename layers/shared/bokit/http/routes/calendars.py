"""``/units/{id}/calendars`` and ``/calendars``: which calendars a unit has for others, and where these read them.

An address is a secret: whoever knows it reads the calendar. So operators see it, and viewers see that there is a calendar.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from bokit.core.model.catalog import UnitId
from bokit.core.occupancy.outgoing import CalendarId, OutCalendar, Variant
from bokit.engine.bookings.outgoing import OVERLAP, describe_calendar
from bokit.http.bodies import Body
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply, reply_nothing
from bokit.http.routing import ADMIN, NOTHING, OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("calendars")
LONGEST = timedelta(days=30)


class NewCalendar(Body):
    """A calendar to open."""

    consumer: str | None = Field(
        default=None,
        alias="for",
        max_length=200,
        examples=["airbnb"],
        description="Who reads it: a platform, or a source of the unit (id or name); it is not told its own. null: anybody.",
    )
    variant: Literal["occupied", "bookings", "arrivals", "departures"] = "occupied"
    details: bool | None = Field(default=None, description="Name the guests or not; null: as `export.anonymous` says.")


class Rotation(Body):
    """How long the former address works."""

    overlap_seconds: int = Field(
        default=int(OVERLAP.total_seconds()),
        ge=0,
        le=int(LONGEST.total_seconds()),
        description="So long the former address works besides; 0: it ends now.",
    )


def _describe(calendar: OutCalendar) -> dict[str, Any]:
    """Return the calendar's document, with its address for those who may know it."""
    call = routes.call
    url = call.engine.calendars.url_of(calendar) if call.principal.role.may(OPERATOR) else None
    return describe_calendar(calendar, url)


def by_age(calendar: OutCalendar) -> Key:
    """Return where a calendar stands in its list."""
    return calendar.created_at.isoformat(), calendar.id


@routes.serve("GET", "/units/{id}/calendars", VIEWER, lists("Calendar"))
def list_calendars(id: Id, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The calendars that a unit has for others, oldest first; operators see their addresses."""
    call, unit = routes.call, UnitId(id)
    call.engine.catalog.load_unit(call.tenant, unit)
    found = call.engine.calendars.list_calendars(call.tenant, unit)
    return call.reply_page(found, _describe, by_age, of=("calendars", id), limit=limit, cursor=cursor)


@routes.serve("POST", "/units/{id}/calendars", OPERATOR, makes("Calendar", "It is there; the same one where it was before."))
def open_calendar(id: Id, body: NewCalendar | None = None) -> Reply:
    """Open a unit's calendar for one that reads it, and tell its address."""
    call, asked = routes.call, body or NewCalendar()
    calendar = call.engine.calendars.open(
        call.tenant, UnitId(id), consumer=asked.consumer, variant=Variant(asked.variant), details=asked.details
    )
    return reply(_describe(calendar), 201, at=f"/calendars/{calendar.id}")


@routes.serve("GET", "/calendars/{id}", VIEWER, shows("Calendar"))
def show_calendar(id: Id) -> Reply:
    """One calendar; operators see its address."""
    call = routes.call
    return reply(_describe(call.engine.calendars.find(call.tenant, CalendarId(id))))


@routes.serve("POST", "/calendars/{id}/rotate", OPERATOR, shows("Calendar", "It has another address."))
def rotate_calendar(id: Id, body: Rotation | None = None) -> Reply:
    """Give a calendar another address; the former one works for a while."""
    call, asked = routes.call, body or Rotation()
    overlap = timedelta(seconds=asked.overlap_seconds)
    return reply(_describe(call.engine.calendars.rotate(call.tenant, CalendarId(id), overlap)))


@routes.serve("DELETE", "/calendars/{id}", ADMIN, NOTHING)
def remove_calendar(id: Id) -> Reply:
    """Forget a calendar: its addresses are unknown from now on."""
    call = routes.call
    call.engine.calendars.remove(call.tenant, CalendarId(id))
    return reply_nothing()
