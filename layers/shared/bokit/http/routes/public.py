"""Public routes, without a token."""

from __future__ import annotations

from bokit import __version__
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.http.replies import Reply, reply
from bokit.http.routing import Routes, shows

routes = Routes("public")


@routes.serve("GET", "/health", None, shows("Health", "The API is up."))
def show_health() -> Reply:
    """Check that the API is up; the table is not read."""
    engine = routes.call.engine
    engine.traffic.begin(DEFAULT_TENANT)
    return reply({"status": "ok", "version": __version__, "stage": engine.stage})
