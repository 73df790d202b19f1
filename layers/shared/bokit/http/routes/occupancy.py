"""``/occupancy``: how full units were and will be, by month."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from bokit.engine.bookings.night_counts import read_period
from bokit.engine.bookings.terms import CountsBy, OccupancyDocument
from bokit.http.paging import Key
from bokit.http.params import A_DATE, DAY, Cursor, Limit, UnitFilter
from bokit.http.replies import Reply
from bokit.http.routing import VIEWER, Routes, lists

routes = Routes("occupancy")

From = Annotated[
    str | None,
    Query(alias="from", pattern=DAY, json_schema_extra=A_DATE, description="The first night; January 1 of this year if omitted."),
]
Until = Annotated[
    str | None,
    Query(
        pattern=DAY,
        json_schema_extra=A_DATE,
        description="The day after the last night, at most 366 days after the first; a year after it if omitted.",
    ),
]
By = Annotated[
    CountsBy, Query(description="What an item is of: a unit in a month, a unit, a month of all units, or all of them together.")
]


@routes.serve("GET", "/occupancy", VIEWER, lists("Occupancy"))
def list_occupancy(
    since: From = None,
    until: Until = None,
    unit_id: UnitFilter = None,
    by: By = CountsBy.UNIT_MONTH,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Reply:
    """List nights sold, blocked and free, by month and unit, with lengths of stay, lead times and channels.

    Nights are counted from the bookings that are held now, joint ones once; there are no amounts, since no calendar has any.
    Nights before the first calendar of a unit was read count as `not_covered` where nobody is known to have had them.
    """
    call = routes.call
    units = [unit.id for unit in call.find_units(unit_id)]
    today = call.engine.bookings.charts.load_today(call.tenant, units)
    period = read_period(since, until, today)
    found = call.engine.bookings.list_occupancy(call.tenant, units, period, by)
    return call.reply_page(found, dict, by_month, ("occupancy", unit_id, since, until, by), limit, cursor)


def by_month(doc: OccupancyDocument) -> Key:
    """Return the sort key of an item."""
    return doc["month"] or "", doc["unit_id"] or ""
