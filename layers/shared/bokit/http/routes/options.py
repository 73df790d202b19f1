"""``/options``: how the tenant is synced."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from bokit.http.bodies import Body
from bokit.http.params import Cursor, Limit
from bokit.http.replies import Reply, reply
from bokit.http.routing import ADMIN, VIEWER, Routes, lists, shows

routes = Routes("options")


class OptionValue(Body):
    """An option's new value."""

    value: Any = Field(description="In the option's own type.", examples=[900])


OptionName = Annotated[str, Path(description="As `GET /options` lists it.")]


@routes.serve("GET", "/options", VIEWER, lists("Option"))
def list_options(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The options with their values, by name."""
    call = routes.call
    found = call.engine.catalog.options.list_options(call.tenant)
    return call.reply_page(found, dict, lambda o: (o["name"],), of=("options",), limit=limit, cursor=cursor)


@routes.serve("GET", "/options/{name}", VIEWER, shows("Option"))
def show_option(name: OptionName) -> Reply:
    """One option."""
    call = routes.call
    return reply(call.engine.catalog.options.get(call.tenant, name))


@routes.serve("PUT", "/options/{name}", ADMIN, shows("Option", "As it is now."))
def set_option(name: OptionName, body: OptionValue) -> Reply:
    """Set an option; the schedule follows at once."""
    call = routes.call
    return reply(call.engine.catalog.options.set(call.tenant, name, body.value))


@routes.serve("DELETE", "/options/{name}", ADMIN, shows("Option", "As it is now: the default."))
def unset_option(name: OptionName) -> Reply:
    """Go back to the default; the schedule follows at once."""
    call = routes.call
    return reply(call.engine.catalog.options.unset(call.tenant, name))
