"""VRBO, Abritel and HomeAway: GUID UIDs that change with the dates; English or French summaries."""

from __future__ import annotations

import re

from bokit.core.ical.entries import Status
from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, Traits, UidRole, block, read_guest, reservation

_BLOCKED = re.compile(r"^(?:blocked|bloquée?)\b", re.I)
_UNAVAILABLE = re.compile(r"^(?:unavailable|not available|indisponible)\b", re.I)
_TENTATIVE = re.compile(r"^(?:tentative|provisoire)\b", re.I)


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts: ``Reserved - Melanie``, ``Blocked``, ``Tentative…`` and their French forms."""
    summary = raw.summary.strip()
    if _BLOCKED.match(summary) or _UNAVAILABLE.match(summary):
        return block(raw, Status.BLOCKED if _BLOCKED.match(summary) else Status.UNAVAILABLE)
    status = Status.TENTATIVE if _TENTATIVE.match(summary) or raw.status == "TENTATIVE" else Status.CONFIRMED
    return reservation(raw, status, guest_name=read_guest(summary))


PLATFORM = Platform(
    name="vrbo",
    prodids=("homeaway", "vrbo", "abritel"),
    hosts=("vrbo.com", "abritel.fr", "homeaway.com", "homeaway.fr", "homeaway.co.uk", "fewo-direkt.de", "stayz.com.au"),
    read_event=read_event,
    traits=Traits(reservation_uids=UidRole.UNKNOWN, block_uids=UidRole.UNKNOWN, own_guests=True, marks_imports=True),
)
