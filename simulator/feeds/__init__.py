"""The simulated platforms, one file each."""

from __future__ import annotations

from simulator.feeds import airbnb, beds24, booking_com, google, nights, vrbo
from simulator.feeds.base import RenderContext, SimulatedPlatform

PLATFORMS = {
    p.name: p for p in (airbnb.PLATFORM, booking_com.PLATFORM, vrbo.PLATFORM, beds24.PLATFORM, google.PLATFORM, nights.PLATFORM)
}

__all__ = ["PLATFORMS", "SimulatedPlatform", "RenderContext"]
