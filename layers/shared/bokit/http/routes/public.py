"""Public routes, without a token. The function that serves them answers by ``http.public``, and does not import this."""

from __future__ import annotations

from bokit.http.public import serve_health
from bokit.http.replies import Reply, reply_answer
from bokit.http.routing import Routes, shows

routes = Routes("public")


@routes.serve("GET", "/health", None, shows("Health", "The API is up."))
def show_health() -> Reply:
    """Check that the API is up; the table is not read."""
    return reply_answer(serve_health(routes.call.visit()))
