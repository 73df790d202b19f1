"""Which module serves which paths. Each is imported at the first request for one of its paths, to keep cold starts short."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from bokit.http.routing import Routes

ROUTERS: Mapping[str, tuple[str, ...]] = {
    "sync": ("sync",),
    "properties": ("places",),
    "units": ("places", "calendars"),
    "calendars": ("calendars",),
    "sources": ("sources",),
    "bookings": ("bookings", "door_codes"),
    "conflicts": ("conflicts",),
    "turnovers": ("turnovers",),
    "occupancy": ("occupancy",),
    "guests": ("guests",),
    "events": ("events",),
    "options": ("options",),
    "collections": ("collections",),
    "tokens": ("tokens",),
    "webhooks": ("webhooks",),
    "alerts": ("alerts",),
    "openapi.json": ("document",),
    "health": ("public",),
    "": ("page",),
    "page.json": ("page",),
    "assets": ("page",),
    "icons": ("page",),
    "manifest.webmanifest": ("page",),
    "worker.js": ("page",),
    "feeds": ("feeds",),
}
"""A path's first segment, and the modules of its routes."""


def load_routers(segment: str | None = None) -> list[Routes]:
    """Return the routers of the paths that begin with ``/segment``; None: every router, once."""
    modules = ROUTERS[segment] if segment is not None else dict.fromkeys(module for mine in ROUTERS.values() for module in mine)
    return [import_module(f"bokit.http.routes.{module}").routes for module in modules]
