"""The platforms that the simulator plays: one file each."""

from __future__ import annotations

from simulator.feeds import airbnb, beds24, booking_com, google, vrbo
from simulator.feeds.base import Platform, View

PLATFORMS = {p.name: p for p in (airbnb.PLATFORM, booking_com.PLATFORM, vrbo.PLATFORM, beds24.PLATFORM, google.PLATFORM)}

__all__ = ["PLATFORMS", "Platform", "View"]
