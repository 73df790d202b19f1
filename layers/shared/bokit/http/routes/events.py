"""``/events``: what happened, in order."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from bokit.engine.live.limits import MAX_EVENTS_PER_PAGE
from bokit.http.replies import Reply, reply
from bokit.http.routing import VIEWER, Routes, shows

routes = Routes("events")

Since = Annotated[
    int | None, Query(ge=0, le=10**12 - 1, description="The `seq` of an answer before; left out: only the current `seq`.")
]
EventLimit = Annotated[int, Query(ge=1, le=MAX_EVENTS_PER_PAGE, description="Events in an answer.")]


@routes.serve("GET", "/events", VIEWER, shows("Events"))
def list_events(since: Since = None, limit: EventLimit = MAX_EVENTS_PER_PAGE) -> Reply:
    """List the events after `since`, in the order of the log, and where to read on.

    410 `resync`: the log does not go on from there, since it is older than seven days, or the table was restored. Load
    everything again, and read on from the problem's `seq`.
    """
    call = routes.call
    return reply(call.engine.events.read(call.tenant, since, limit))
