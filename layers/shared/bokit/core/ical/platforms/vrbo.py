"""VRBO, Abritel and HomeAway: GUID UIDs that change with the dates; English or French summaries."""

from __future__ import annotations

import re

from bokit.core.ical.entries import EntryKind, Status
from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, Traits, block, is_cancelled, read_guest

_BLOCKED = re.compile(r"^(?:blocked|bloquée?)\b", re.I)
_UNAVAILABLE = re.compile(r"^(?:unavailable|not available|indisponible)\b", re.I)
_TENTATIVE = re.compile(r"^(?:tentative|provisoire)\b", re.I)


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts: ``Reserved - Melanie``, ``Blocked``, ``Tentative…`` and their French forms."""
    summary, cancelled = raw.summary.strip(), is_cancelled(raw)
    if _BLOCKED.match(summary) or _UNAVAILABLE.match(summary):
        status = Status.BLOCKED if _BLOCKED.match(summary) else Status.UNAVAILABLE
        return block(Status.CANCELLED if cancelled else status)
    status = Status.TENTATIVE if _TENTATIVE.match(summary) or raw.status == "TENTATIVE" else Status.CONFIRMED
    return {
        "kind": EntryKind.RESERVATION,
        "status": Status.CANCELLED if cancelled else status,
        "guest_name": read_guest(summary),
    }


PLATFORM = Platform(
    name="vrbo",
    prodids=("homeaway", "vrbo", "abritel"),
    hosts=("vrbo.com", "abritel.fr", "homeaway.com", "homeaway.fr", "homeaway.co.uk", "fewo-direkt.de", "stayz.com.au"),
    read_event=read_event,
    traits=Traits(uid_is_identity=False, own_guests=True, tells_imports=True),
)
