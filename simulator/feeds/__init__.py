"""One file a platform: how it shows a listing's stays as a calendar. Pure: the world goes in, bytes come out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from simulator.feeds import airbnb, beds24, booking_com, google, vrbo
from simulator.records import Listing
from simulator.world import World

Renderer = Callable[[World, Listing, datetime], bytes]
_RENDERERS: dict[str, Renderer] = {
    "airbnb": airbnb.render,
    "booking_com": booking_com.render,
    "vrbo": vrbo.render,
    "beds24": beds24.render,
    "google": google.render,
}


def render(world: World, feed: str, at: datetime | None = None) -> bytes:
    """Return what the platform answers for *feed* (``airbnb/garden-flat``) now; *at* is the stamp, the present by default."""
    listing = world.find_listing(feed)
    return _RENDERERS[listing.platform](world, listing, at or world.now)
