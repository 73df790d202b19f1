"""``/turnovers``: who leaves, who comes next, and the time between."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from bokit.engine.bookings.terms import TurnoverDocument, limit_period, read_day
from bokit.http.limits import MAX_TURNOVER_SPAN, TURNOVER_SPAN
from bokit.http.paging import Key
from bokit.http.params import A_DATE, DAY, Cursor, Limit, UnitFilter
from bokit.http.replies import Reply
from bokit.http.routing import VIEWER, Routes, lists

routes = Routes("turnovers")

From = Annotated[
    str | None,
    Query(alias="from", pattern=DAY, json_schema_extra=A_DATE, description="The first day of departure; today if omitted."),
]
Until = Annotated[
    str | None,
    Query(
        pattern=DAY,
        json_schema_extra=A_DATE,
        description="The day after the last one, at most 366 days after the first; 31 days after it if omitted.",
    ),
]


@routes.serve("GET", "/turnovers", VIEWER, lists("Turnover"))
def list_turnovers(
    since: From = None, until: Until = None, unit_id: UnitFilter = None, limit: Limit = 50, cursor: Cursor = None
) -> Reply:
    """List who leaves which unit, who comes next, and the time between, by day.

    Guests of a unit that is made of parts leave all of these, so there is an item for each. `warning` says where cleaning
    takes longer than there is time, and where the next guest has nights in common with this one.
    """
    call = routes.call
    units = [unit.id for unit in call.find_units(unit_id)]
    first = date.fromisoformat(read_day("from", since)) if since else call.engine.bookings.charts.load_today(call.tenant, units)
    end = date.fromisoformat(read_day("until", until)) if until else first + TURNOVER_SPAN
    found = call.engine.bookings.list_turnovers(call.tenant, units, limit_period(first, end, MAX_TURNOVER_SPAN))
    return call.reply_page(found, dict, by_day, ("turnovers", unit_id, since, until), limit, cursor)


def by_day(doc: TurnoverDocument) -> Key:
    """Return the sort key of a turnover."""
    return doc["date"], doc["unit_id"], doc["leaves"]
