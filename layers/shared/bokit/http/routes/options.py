"""``/options``: options of the tenant."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from bokit.http.bodies import Body
from bokit.http.params import Cursor, Limit
from bokit.http.replies import Reply, reply
from bokit.http.routing import ADMIN, VIEWER, Routes, lists, shows, updates

routes = Routes("options")


class OptionValue(Body):
    """An option's new value."""

    value: Any = Field(description="Of the option's type.", examples=[900])


OptionName = Annotated[str, Path(description="A name that `GET /options` lists.")]


@routes.serve("GET", "/options", VIEWER, lists("Option"))
def list_options(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the options with their values, by name."""
    call = routes.call
    found = call.engine.catalog.options.list_options(call.tenant)
    return call.reply_page(found, dict, lambda o: (o["name"],), ("options",), limit, cursor)


@routes.serve("GET", "/options/{name}", VIEWER, shows("Option"))
def show_option(name: OptionName) -> Reply:
    """Show one option."""
    call = routes.call
    return reply(call.engine.catalog.options.get(call.tenant, name))


@routes.serve("PUT", "/options/{name}", ADMIN, updates("Option"))
def set_option(name: OptionName, body: OptionValue) -> Reply:
    """Set an option; the schedule is updated at once."""
    call = routes.call
    return reply(call.engine.catalog.options.set(call.tenant, name, body.value))


@routes.serve("DELETE", "/options/{name}", ADMIN, shows("Option", "The default is restored."))
def unset_option(name: OptionName) -> Reply:
    """Restore an option's default; the schedule is updated at once."""
    call = routes.call
    return reply(call.engine.catalog.options.unset(call.tenant, name))
