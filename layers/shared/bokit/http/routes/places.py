"""``/properties`` and ``/units``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.model.catalog import Property, PropertyId, Unit, UnitId
from bokit.core.model.limits import MAX_KEY_LENGTH
from bokit.engine.catalog.limits import MAX_UNIT_PARTS
from bokit.engine.catalog.view import describe_property, describe_unit
from bokit.http.bodies import Body, ClockTime, Minutes, Name, Turnover, Word, Zone
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply, reply_nothing
from bokit.http.routing import ADMIN, NOTHING, OPERATOR, VIEWER, Routes, lists, makes, shows, updates

routes = Routes("places")

UnitParts = Annotated[list[Word], Field(max_length=MAX_UNIT_PARTS, description="Ids of the units that it is made of.")]


class PropertyFields(Body):
    """Fields of properties and units."""

    timezone: Zone = None
    turnover_days: Turnover = None
    check_in_time: ClockTime = None
    check_out_time: ClockTime = None
    cleaning_minutes: Minutes = None


class NewProperty(PropertyFields):
    """A property to add."""

    name: Name


class PropertyEdit(PropertyFields):
    """Changes to a property."""

    name: Name = ""


class NewUnit(NewProperty):
    """A unit to add to a property."""

    property_id: Word
    parts: UnitParts = []


class UnitEdit(PropertyEdit):
    """Changes to a unit."""

    property_id: Word = ""
    parts: UnitParts = []


PropertyFilter = Annotated[str | None, Query(max_length=MAX_KEY_LENGTH, description="Only of this property.")]


def by_name(place: Property | Unit) -> Key:
    """Return the sort key of a property or unit."""
    return place.name.casefold(), place.id


@routes.serve("GET", "/properties", VIEWER, lists("Property"))
def list_properties(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the properties, by name."""
    call = routes.call
    found = call.engine.catalog.list_properties(call.tenant)
    return call.reply_page(found, describe_property, by_name, ("properties",), limit, cursor)


@routes.serve("POST", "/properties", OPERATOR, makes("Property"))
def add_property(body: NewProperty) -> Reply:
    """Add a property."""
    call = routes.call
    made = call.engine.catalog.add_property(call.tenant, body.sent())
    return reply(describe_property(made), 201, location=f"/properties/{made.id}")


@routes.serve("GET", "/properties/{id}", VIEWER, shows("Property"))
def show_property(id: Id) -> Reply:
    """Show one property."""
    call = routes.call
    return reply(describe_property(call.engine.catalog.load_property(call.tenant, PropertyId(id))))


@routes.serve("PATCH", "/properties/{id}", OPERATOR, updates("Property"))
def edit_property(id: Id, body: PropertyEdit) -> Reply:
    """Change a property. A new timezone also applies to the sources of its units."""
    call = routes.call
    return reply(describe_property(call.engine.catalog.edit_property(call.tenant, PropertyId(id), body.sent())))


@routes.serve("DELETE", "/properties/{id}", ADMIN, NOTHING)
def remove_property(id: Id) -> Reply:
    """Delete a property; refused while it has units."""
    call = routes.call
    call.engine.catalog.remove_property(call.tenant, PropertyId(id))
    return reply_nothing()


@routes.serve("GET", "/units", VIEWER, lists("Unit"))
def list_units(property_id: PropertyFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the units, by name."""
    call = routes.call
    of = PropertyId(property_id) if property_id else None
    if of:
        call.engine.catalog.load_property(call.tenant, of)
    found = call.engine.catalog.list_units(call.tenant, of)
    describe = partial(describe_unit, names=call.names)
    return call.reply_page(found, describe, by_name, ("units", of), limit, cursor)


@routes.serve("POST", "/units", OPERATOR, makes("Unit"))
def add_unit(body: NewUnit) -> Reply:
    """Add a unit to a property."""
    call = routes.call
    values = body.sent()
    made = call.engine.catalog.add_unit(call.tenant, PropertyId(values.pop("property_id")), values)
    return reply(describe_unit(made, call.names), 201, location=f"/units/{made.id}")


@routes.serve("GET", "/units/{id}", VIEWER, shows("Unit"))
def show_unit(id: Id) -> Reply:
    """Show one unit."""
    call = routes.call
    return reply(describe_unit(call.engine.catalog.load_unit(call.tenant, UnitId(id)), call.names))


@routes.serve("PATCH", "/units/{id}", OPERATOR, updates("Unit"))
def edit_unit(id: Id, body: UnitEdit) -> Reply:
    """Change a unit. A new timezone also applies to its sources.

    With another `property_id` it moves there: its bookings, sources and calendars stay its own.
    """
    call = routes.call
    return reply(describe_unit(call.engine.catalog.edit_unit(call.tenant, UnitId(id), body.sent()), call.names))


@routes.serve("DELETE", "/units/{id}", ADMIN, NOTHING)
def remove_unit(id: Id) -> Reply:
    """Delete a unit; refused while it has sources or is part of another unit."""
    call = routes.call
    call.engine.catalog.remove_unit(call.tenant, UnitId(id))
    return reply_nothing()
