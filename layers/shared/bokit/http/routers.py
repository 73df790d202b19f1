"""Which router serves which paths: each is imported at the first request for one of its own, so that no start pays for all."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from bokit.http.routing import Routes

ROUTERS: Mapping[str, str] = {
    "sync": "routes_sync",
    "properties": "routes_places",
    "units": "routes_places",
    "sources": "routes_sources",
    "bookings": "routes_bookings",
    "options": "routes_options",
    "collections": "routes_collections",
    "tokens": "routes_tokens",
    "openapi.json": "routes_document",
    "health": "routes_public",
}
"""The first part of a path, and the module of its routes."""


def load_router(first: str) -> Routes:
    """Return the router of the paths that begin with ``/first``."""
    router: Routes = import_module(f"bokit.http.{ROUTERS[first]}").routes
    return router


def load_routers() -> list[Routes]:
    """Return every router, once."""
    return [load_router(first) for first in {module: first for first, module in ROUTERS.items()}.values()]
