"""``/conflicts``: double bookings."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from bokit.core.model.records import RecordId
from bokit.engine.bookings.terms import ConflictDocument
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit, UnitFilter
from bokit.http.replies import Reply, reply
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, shows, updates

routes = Routes("conflicts")

All = Annotated[bool, Query(alias="all", description="Closed ones too.")]


def by_night(doc: ConflictDocument) -> Key:
    """Return the sort key of a conflict."""
    return doc["nights"][0], doc["id"]


@routes.serve("GET", "/conflicts", VIEWER, lists("Conflict"))
def list_conflicts(unit_id: UnitFilter = None, everything: All = False, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the double bookings, of one unit or all, by first night."""
    call = routes.call
    units = [unit.id for unit in call.find_units(unit_id)]
    found = call.engine.bookings.list_conflicts(call.tenant, units, everything=everything)
    return call.reply_page(found, dict, by_night, ("conflicts", unit_id, everything), limit, cursor)


@routes.serve("GET", "/conflicts/{id}", VIEWER, shows("Conflict"))
def show_conflict(id: Id) -> Reply:
    """Show one double booking, open or closed."""
    call = routes.call
    return reply(call.engine.bookings.show_conflict(call.tenant, RecordId(id)))


@routes.serve("POST", "/conflicts/{id}/acknowledge", OPERATOR, updates("Conflict"))
def acknowledge_conflict(id: Id) -> Reply:
    """Acknowledge a double booking: it is muted until a booking or a night is added."""
    call = routes.call
    return reply(call.engine.bookings.acknowledge(call.tenant, RecordId(id), by=call.by))
