"""VRBO, Abritel and HomeAway: GUID UIDs that change with the dates; summaries in the language of the site."""

from __future__ import annotations

from bokit.core.ical.entries import Status
from bokit.core.ical.labels import Label, read_label
from bokit.core.ical.platforms.base import (
    Facts,
    Platform,
    RawEvent,
    Traits,
    UidRole,
    block,
    closure,
    reservation,
    status_of,
)


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts: ``Reserved - Melanie``, ``Blocked``, ``Tentative…`` in any language that we know.

    An unknown label proves no guest: the nights may be imported ones, which VRBO shows as a block.
    """
    said = read_label(raw.summary)
    if said.label is Label.CLOSURE:
        return closure(raw, said)
    if said.label is None:
        return block(raw, Status.UNDEFINED)
    status = Status.TENTATIVE if raw.status == "TENTATIVE" else status_of(said.label)
    return reservation(raw, status, guest_name=said.guest)


PLATFORM = Platform(
    name="vrbo",
    prodids=("homeaway", "vrbo", "abritel"),
    hosts=("vrbo.com", "abritel.fr", "homeaway.com", "homeaway.fr", "homeaway.co.uk", "fewo-direkt.de", "stayz.com.au"),
    read_event=read_event,
    traits=Traits(reservation_uids=UidRole.UNKNOWN, block_uids=UidRole.UNKNOWN, own_guests=True, marks_imports=True),
)
