"""``/properties`` and ``/units``: what is let, and where it stands."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from bokit.core.model.catalog import Property, PropertyId, Unit, UnitId
from bokit.engine.catalog.view import describe_property, describe_unit
from bokit.http.bodies import Body, Name, Turnover, Word, Zone
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply, reply_nothing
from bokit.http.routing import ADMIN, NOTHING, OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("places")


class NewProperty(Body):
    """A property to add."""

    name: Name
    timezone: Zone = None
    turnover_days: Turnover = None


class PropertyEdit(Body):
    """What to change of a property."""

    name: Name = ""
    timezone: Zone = None
    turnover_days: Turnover = None


class NewUnit(Body):
    """A unit to add to a property."""

    property_id: Word
    name: Name
    timezone: Zone = None
    turnover_days: Turnover = None
    parts: list[Word] = Field(default=[], max_length=100, description="Ids of the units that it is made of.")


class UnitEdit(Body):
    """What to change of a unit."""

    name: Name = ""
    timezone: Zone = None
    turnover_days: Turnover = None
    parts: list[Word] = Field(default=[], max_length=100, description="Ids of the units that it is made of.")


PropertyFilter = Annotated[str | None, Query(description="Of this property alone.")]


def by_name(place: Property | Unit) -> Key:
    """Return where a place stands in its list."""
    return place.name.casefold(), place.id


@routes.serve("GET", "/properties", VIEWER, lists("Property"))
def list_properties(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The properties, by name."""
    call = routes.call
    found = call.engine.catalog.list_properties(call.tenant)
    return call.reply_page(found, describe_property, by_name, of=("properties",), limit=limit, cursor=cursor)


@routes.serve("POST", "/properties", OPERATOR, makes("Property"))
def add_property(body: NewProperty) -> Reply:
    """Add a property."""
    call = routes.call
    made = call.engine.catalog.add_property(call.tenant, body.told())
    return reply(describe_property(made), 201, at=f"/properties/{made.id}")


@routes.serve("GET", "/properties/{id}", VIEWER, shows("Property"))
def show_property(id: Id) -> Reply:
    """One property."""
    call = routes.call
    return reply(describe_property(call.engine.catalog.load_property(call.tenant, PropertyId(id))))


@routes.serve("PATCH", "/properties/{id}", OPERATOR, shows("Property", "As it is now."))
def edit_property(id: Id, body: PropertyEdit) -> Reply:
    """Change what the body names; a new timezone reaches the sources of its units."""
    call = routes.call
    return reply(describe_property(call.engine.catalog.edit_property(call.tenant, PropertyId(id), body.told())))


@routes.serve("DELETE", "/properties/{id}", ADMIN, NOTHING)
def remove_property(id: Id) -> Reply:
    """Forget a property; one with units is refused."""
    call = routes.call
    call.engine.catalog.remove_property(call.tenant, PropertyId(id))
    return reply_nothing()


@routes.serve("GET", "/units", VIEWER, lists("Unit"))
def list_units(property_id: PropertyFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The units, by name."""
    call = routes.call
    of = PropertyId(property_id) if property_id else None
    if of:
        call.engine.catalog.load_property(call.tenant, of)
    found = call.engine.catalog.list_units(call.tenant, of)
    return call.reply_page(found, describe_unit, by_name, of=("units", of), limit=limit, cursor=cursor)


@routes.serve("POST", "/units", OPERATOR, makes("Unit"))
def add_unit(body: NewUnit) -> Reply:
    """Add a unit to a property."""
    call = routes.call
    values = body.told()
    made = call.engine.catalog.add_unit(call.tenant, PropertyId(values.pop("property_id")), values)
    return reply(describe_unit(made), 201, at=f"/units/{made.id}")


@routes.serve("GET", "/units/{id}", VIEWER, shows("Unit"))
def show_unit(id: Id) -> Reply:
    """One unit."""
    call = routes.call
    return reply(describe_unit(call.engine.catalog.load_unit(call.tenant, UnitId(id))))


@routes.serve("PATCH", "/units/{id}", OPERATOR, shows("Unit", "As it is now."))
def edit_unit(id: Id, body: UnitEdit) -> Reply:
    """Change what the body names; a new timezone reaches its sources."""
    call = routes.call
    return reply(describe_unit(call.engine.catalog.edit_unit(call.tenant, UnitId(id), body.told())))


@routes.serve("DELETE", "/units/{id}", ADMIN, NOTHING)
def remove_unit(id: Id) -> Reply:
    """Forget a unit; one with sources, or that is a part of another, is refused."""
    call = routes.call
    call.engine.catalog.remove_unit(call.tenant, UnitId(id))
    return reply_nothing()
