"""Which router serves which paths: each is imported at the first request for one of its own, so that no start pays for all."""

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
    "bookings": ("bookings",),
    "conflicts": ("conflicts",),
    "options": ("options",),
    "collections": ("collections",),
    "tokens": ("tokens",),
    "openapi.json": ("document",),
    "health": ("public",),
    "feeds": ("feeds",),
}
"""The first part of a path, and the modules of its routes."""


def load_routers(first: str | None = None) -> list[Routes]:
    """Return the routers of the paths that begin with ``/first``; None: every router, once."""
    modules = ROUTERS[first] if first else dict.fromkeys(module for mine in ROUTERS.values() for module in mine)
    return [import_module(f"bokit.http.routes.{module}").routes for module in modules]
