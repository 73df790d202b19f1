"""Which router serves which paths: each is imported at the first request for one of its own, so that no start pays for all."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from bokit.http.routing import Routes

ROUTERS: Mapping[str, tuple[str, ...]] = {
    "sync": ("routes_sync",),
    "properties": ("routes_places",),
    "units": ("routes_places", "routes_calendars"),
    "calendars": ("routes_calendars",),
    "sources": ("routes_sources",),
    "bookings": ("routes_bookings",),
    "conflicts": ("routes_conflicts",),
    "options": ("routes_options",),
    "collections": ("routes_collections",),
    "tokens": ("routes_tokens",),
    "openapi.json": ("routes_document",),
    "health": ("routes_public",),
    "feeds": ("routes_feeds",),
}
"""The first part of a path, and the modules of its routes."""


def load_routers(first: str | None = None) -> list[Routes]:
    """Return the routers of the paths that begin with ``/first``; None: every router, once."""
    modules = ROUTERS[first] if first else dict.fromkeys(module for mine in ROUTERS.values() for module in mine)
    return [import_module(f"bokit.http.{module}").routes for module in modules]
