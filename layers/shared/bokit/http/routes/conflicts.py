"""``/conflicts``: double bookings, and what a person knows of."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from bokit.core.model.records import RecordId
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit, UnitFilter
from bokit.http.replies import Reply, reply
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, shows

routes = Routes("conflicts")

All = Annotated[bool, Query(alias="all", description="Closed ones, too.")]


def by_night(doc: dict[str, Any]) -> Key:
    """Return where a conflict stands in its list."""
    return doc["nights"][0], doc["id"]


@routes.serve("GET", "/conflicts", VIEWER, lists("Conflict"))
def list_conflicts(unit_id: UnitFilter = None, everything: All = False, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The double bookings in which a unit takes part, or any, by their first night."""
    call = routes.call
    units = [unit.id for unit in call.find_units(unit_id)]
    found = call.engine.bookings.list_conflicts(call.tenant, units, everything=everything)
    return call.reply_page(found, dict, by_night, of=("conflicts", unit_id, everything), limit=limit, cursor=cursor)


@routes.serve("GET", "/conflicts/{id}", VIEWER, shows("Conflict"))
def show_conflict(id: Id) -> Reply:
    """One double booking, open or closed."""
    call = routes.call
    return reply(call.engine.bookings.show_conflict(call.tenant, RecordId(id)))


@routes.serve("POST", "/conflicts/{id}/acknowledge", OPERATOR, shows("Conflict", "As it is now."))
def acknowledge_conflict(id: Id) -> Reply:
    """Say that you know of it: it is quiet until it changes."""
    call = routes.call
    return reply(call.engine.bookings.acknowledge(call.tenant, RecordId(id), by=call.by))
