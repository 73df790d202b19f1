"""TripAdvisor: ``Tripadvisor …: Name`` is a reservation of that guest."""

from __future__ import annotations

import re

from bokit.core.ical.entries import EntryKind, Status
from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, Traits, is_cancelled, read_general

_NAMED = re.compile(r"^trip ?advisor\b[^:]*:\s*(\S.*)$", re.I)


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts; one that names its guest is confirmed."""
    named = _NAMED.match(raw.summary.strip())
    if not named:
        return read_general(raw)
    status = Status.CANCELLED if is_cancelled(raw) else Status.CONFIRMED
    return {"kind": EntryKind.RESERVATION, "status": status, "guest_name": named[1].strip()}


PLATFORM = Platform(
    name="tripadvisor",
    prodids=("tripadvisor", "flipkey"),
    hosts=("tripadvisor.com", "tripadvisorrentals.com", "flipkey.com", "holidaylettings.co.uk"),
    read_event=read_event,
    traits=Traits(own_guests=True),
)
