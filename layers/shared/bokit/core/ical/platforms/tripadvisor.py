"""TripAdvisor: ``Tripadvisor …: Name`` is a reservation of that guest."""

from __future__ import annotations

import re

from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, Traits, read_general, reservation

_NAMED = re.compile(r"^trip ?advisor\b[^:]*:\s*(\S.*)$", re.I)


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts; one that names its guest is confirmed."""
    named = _NAMED.match(raw.summary.strip())
    return reservation(raw, guest_name=named[1].strip()) if named else read_general(raw)


PLATFORM = Platform(
    name="tripadvisor",
    prodids=("tripadvisor", "flipkey"),
    hosts=("tripadvisor.com", "tripadvisorrentals.com", "flipkey.com", "holidaylettings.co.uk"),
    read_event=read_event,
    traits=Traits(own_guests=True),
)
