"""What a platform is to the reader: how to tell its feeds, what its events say, and which of them are windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from bokit.core.ical.entries import Entry, EntryKind, Status

Facts = Mapping[str, Any]
"""Values of Entry's fields, by name, beyond identity and dates; always *kind* and *status*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """The texts of one event, unescaped, as the feed has them."""

    uid: str = ""
    summary: str = ""
    description: str = ""
    status: str = ""
    """STATUS in upper case; ``CANCELLED`` where the calendar's METHOD is CANCEL."""
    url: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Which facts of an entry are evidence that it is the same booking as before."""

    uid_is_identity: bool = True
    """The same UID is the same booking, whatever its dates."""
    uid_tells_start: bool = False
    """The UID is made of room and first night: nothing of the booking, but it tells one room's feed from another's."""
    own_guests: bool = False
    """A booking platform: the reservations that it names are its own guests', never another platform's."""
    tells_imports: bool = False
    """What it imported from other calendars it shows as a block: its reservations are its own, named or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One file each: the deviations of one platform, chosen by the owner, else by PRODID, else by the URL's host."""

    name: str
    prodids: tuple[str, ...] = ()
    """Lower-case marks; a PRODID that contains one is this platform's."""
    hosts: tuple[str, ...] = ()
    """Domains; a host that is one, or lies under one, is this platform's."""
    read_event: Callable[[RawEvent], Facts | None]
    """What an event says; None for an event that means no stay."""
    classify: Callable[[Sequence[Entry], date], Sequence[Entry]] | None = None
    """Re-labels kinds once the whole feed is read, given the local date of the fetch."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Lower-case marks of bodies that are no calendar, and what the owner can do about each."""
    traits: Traits = Traits()
    """The careful general rule, where the platform has none of its own."""

    def has_prodid(self, prodid: str) -> bool:
        """Return whether *prodid* is this platform's."""
        return any(mark in prodid.lower() for mark in self.prodids)

    def has_host(self, host: str) -> bool:
        """Return whether *host* is this platform's."""
        host = host.lower().rstrip(".")
        return any(host == own or host.endswith("." + own) for own in self.hosts)


BLOCK_WORDS = re.compile(
    r"\b(?:blocked|not available|unavailable|closed|indisponible|bloqu[ée]e?s?|ferm[ée]e?|non disponibile|chiuso|bloccato"
    r"|nicht verf[üu]gbar|blockiert|gesperrt|geschlossen|no disponible|bloqueado|cerrado|maintenance|owner (?:stay|block))\b",
    re.I,
)
_TENTATIVE = re.compile(r"^(?:tentative|provisoire|option|pre-?booking)\b", re.I)
_GUEST = re.compile(
    r"^(?:reserved|réservée?|reservation|réservation|booked|booking|tentative|provisoire)\s*[-–:]\s*(\S.*)$", re.I
)
STATED = {
    "CANCELLED": Status.CANCELLED,
    "CANCELED": Status.CANCELLED,
    "TENTATIVE": Status.TENTATIVE,
    "CONFIRMED": Status.CONFIRMED,
}


def read_general(raw: RawEvent) -> Facts:
    """Return what any calendar's event says: a block where its summary says so, else a reservation.

    STATUS decides the status where there is one; without one a block is blocked, or unavailable, and a reservation
    undefined: that it holds its nights is all that is known.
    """
    blocked = BLOCK_WORDS.search(raw.summary)
    status = STATED.get(raw.status)
    if blocked:
        told = Status.BLOCKED if "block" in blocked[0].lower() else Status.UNAVAILABLE
        return block(Status.CANCELLED if status is Status.CANCELLED else told)
    if status is None and _TENTATIVE.match(raw.summary):
        status = Status.TENTATIVE
    return {"kind": EntryKind.RESERVATION, "status": status or Status.UNDEFINED, "guest_name": read_guest(raw.summary)}


def read_guest(summary: str) -> str | None:
    """Return the guest of ``Reserved - Melanie`` and its kin, else None.

    >>> read_guest("Réservée - Melanie"), read_guest("Reserved")
    ('Melanie', None)
    """
    found = _GUEST.match(summary.strip())
    return found[1].strip() if found else None


def block(status: Status = Status.UNAVAILABLE) -> Facts:
    """Return the facts of a block."""
    return {"kind": EntryKind.BLOCK, "status": status}


def is_cancelled(raw: RawEvent) -> bool:
    """Return whether the source itself says that the event is cancelled."""
    return STATED.get(raw.status) is Status.CANCELLED


def last_four(phone: str | None) -> str | None:
    """Return a telephone number's last four digits, where it has as many."""
    digits = re.sub(r"\D", "", phone or "")
    return digits[-4:] if len(digits) >= 4 else None


def relabel(entries: Iterable[Entry], is_window: Callable[[Entry], bool]) -> tuple[Entry, ...]:
    """Return *entries*, those that *is_window* tells of as windows."""
    return tuple(replace(e, kind=EntryKind.WINDOW, status=Status.UNAVAILABLE) if is_window(e) else e for e in entries)


def ends_within(entry: Entry, today: date, least: int, most: int) -> bool:
    """Return whether *entry* ends *least* to *most* days after *today*."""
    return timedelta(days=least) <= entry.check_out - today <= timedelta(days=most)
