"""The platforms, and how a feed finds its own. A new platform file is added to ``PLATFORMS``."""

from __future__ import annotations

from bokit.core.ical.platforms import airbnb, beds24, booking_com, smoobu, tripadvisor, vrbo
from bokit.core.ical.platforms.base import Platform, Traits
from bokit.core.ical.platforms.generic import GENERIC
from bokit.core.ical.platforms.generic import PLATFORMS as PLAIN
from bokit.core.model.platform_names import find_platform_name

PLATFORMS: tuple[Platform, ...] = (
    airbnb.PLATFORM,
    booking_com.PLATFORM,
    vrbo.PLATFORM,
    beds24.PLATFORM,
    smoobu.PLATFORM,
    tripadvisor.PLATFORM,
    *PLAIN,
    GENERIC,
)
BY_NAME = {platform.name: platform for platform in PLATFORMS}


def find_platform(name: str | None = None, prodid: str | None = None, host: str | None = None) -> Platform:
    """Return the platform: by the owner's *name*, else by PRODID, else by the URL's *host*, else generic."""
    if known := find_platform_name(name or ""):
        return BY_NAME[known]
    by_content = (p for p in PLATFORMS if prodid and p.has_prodid(prodid))
    by_host = (p for p in PLATFORMS if host and p.has_host(host))
    return next(by_content, None) or next(by_host, GENERIC)


def traits_of(name: str | None) -> Traits:
    """Return the traits of the platform of this *name*; the general ones for an unknown one."""
    known = BY_NAME.get(name or "")  # as records have it; an owner may spell it in another way
    return (known or BY_NAME[find_platform_name(name or "") or GENERIC.name]).traits
