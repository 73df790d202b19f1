"""What a platform is to the reader: how its feeds are recognised, what its events say, and which of them are windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.ical.labels import Label, LabelReading, read_label
from bokit.values import Value, field, replace

Facts = Mapping[str, Any]
"""Values of Entry's fields, by name, beyond identity and dates; always *kind* and *status*."""


class RawEvent(Value):
    """The texts of one event, unescaped, as the feed has them."""

    uid: str = ""
    summary: str = ""
    description: str = ""
    status: str = ""  # STATUS in upper case; ``CANCELLED`` if the calendar's METHOD is CANCEL
    url: str = ""


class UidRole(StrEnum):
    """What a platform's UIDs prove."""

    IDENTITY = "identity"
    DATES = "dates"
    VOLATILE = "volatile"
    UNKNOWN = "unknown"


class Traits(Value):
    """Which facts of an entry are evidence that it is the same booking as before."""

    reservation_uids: UidRole | None = None
    """The role of its reservations' UIDs; None: learned from the feed."""
    block_uids: UidRole | None = None
    """The role of its blocks' UIDs; None: learned from the feed."""
    uid_has_start: bool = False
    """The UID is made of room and first night: it identifies no booking, but distinguishes one room's feed from another's."""
    stamps_fetches: bool = False  # its DTSTAMPs are the times of the fetches
    shows_begun: bool = False
    """It shows a stay until its departure: one that vanishes after the arrival was cancelled."""
    marks_end: bool = False  # where its calendar ends is known: no other closure is its end
    own_guests: bool = False
    """A booking platform: reservations with a guest's name are its own, never another platform's."""
    marks_imports: bool = False
    """It shows what it imported from other calendars as blocks: its reservations are its own, named or not."""


class Platform(Value):
    """How one platform deviates from the standard; chosen by the owner, else by PRODID, else by the URL's host."""

    name: str
    prodids: tuple[str, ...] = ()  # in lower case; a PRODID that contains one is this platform's
    hosts: tuple[str, ...] = ()  # domains; they and their subdomains are this platform's
    read_event: Callable[[RawEvent], Facts | None]  # what an event says; None for an event that means no stay
    classify: Callable[[Sequence[Entry], date], Sequence[Entry]] | None = None
    """Relabels kinds once the whole feed is read, given the local date of the fetch."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Lower-case marks of bodies that are not a calendar, and what the owner can do about each."""
    traits: Traits = Traits()

    def has_prodid(self, prodid: str) -> bool:
        """Return whether *prodid* is this platform's."""
        return any(mark in prodid.lower() for mark in self.prodids)

    def has_host(self, host: str) -> bool:
        """Return whether *host* is this platform's."""
        host = host.lower().rstrip(".")
        return any(host == own or host.endswith("." + own) for own in self.hosts)


STATED = {
    "CANCELLED": Status.CANCELLED,
    "CANCELED": Status.CANCELLED,
    "TENTATIVE": Status.TENTATIVE,
    "CONFIRMED": Status.CONFIRMED,
}


LABEL_STATUS = {Label.TENTATIVE: Status.TENTATIVE, Label.REQUEST: Status.REQUEST}


def status_of(label: Label | None) -> Status:
    """Return the status of a reservation with *label*, where nothing else says it."""
    return LABEL_STATUS.get(label, Status.CONFIRMED) if label else Status.CONFIRMED


def read_general(raw: RawEvent) -> Facts:
    """Return what any calendar's event says: a block if its summary says so, else a reservation.

    STATUS decides a reservation's status. Without it, the reservation is undefined: all that is known is that it holds
    its nights.
    """
    said = read_label(raw.summary)
    if said.label is Label.CLOSURE:
        return closure(raw, said)
    implied = LABEL_STATUS.get(said.label, Status.UNDEFINED) if said.label else Status.UNDEFINED
    return reservation(raw, STATED.get(raw.status, implied), guest_name=said.guest)


def closure(raw: RawEvent, said: LabelReading) -> Facts:
    """Return the facts of a block with a label that says so."""
    return block(raw, Status.BLOCKED if said.is_blocked else Status.UNAVAILABLE)


def block(raw: RawEvent, status: Status = Status.UNAVAILABLE) -> Facts:
    """Return the facts of a block; it is cancelled if the source says so."""
    return {"kind": EntryKind.BLOCK, "status": _status_of(raw, status)}


def reservation(raw: RawEvent, status: Status = Status.CONFIRMED, **facts: Any) -> Facts:
    """Return the facts of a reservation; it is cancelled if the source says so."""
    return {"kind": EntryKind.RESERVATION, "status": _status_of(raw, status), **facts}


def _status_of(raw: RawEvent, status: Status) -> Status:
    return Status.CANCELLED if STATED.get(raw.status) is Status.CANCELLED else status


def last_four(phone: str | None) -> str | None:
    """Return a telephone number's last four digits; None if it has fewer."""
    digits = re.sub(r"\D", "", phone or "")
    return digits[-4:] if len(digits) >= 4 else None


def relabel(entries: Iterable[Entry], is_window: Callable[[Entry], bool]) -> tuple[Entry, ...]:
    """Return *entries*, with those of which *is_window* is true as windows."""
    return tuple(replace(e, kind=EntryKind.WINDOW, status=Status.UNAVAILABLE) if is_window(e) else e for e in entries)


def ends_within(entry: Entry, today: date, days: tuple[int, int]) -> bool:
    """Return whether *entry* ends within a range of *days* after *today*."""
    return days[0] <= (entry.check_out - today).days <= days[1]
