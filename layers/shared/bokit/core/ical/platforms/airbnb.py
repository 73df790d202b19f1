"""Airbnb: reservations carry a code that survives every change; blocks are the host's own, or windows that roll."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.ical.labels import Label, read_label
from bokit.core.ical.platforms.base import (
    Facts,
    Platform,
    RawEvent,
    Traits,
    UidRole,
    block,
    ends_within,
    relabel,
    reservation,
    status_of,
)

_CODE = re.compile(r"/(HM[A-Z0-9]{8})\b|^[^\S\n]*(?:reservation|confirmation)(?: code)?\s*:\s*(HM[A-Z0-9]{8})\s*$", re.I | re.M)
_URL = re.compile(r"https://[a-z.]*airbnb\.[a-z.]{2,7}/\S*", re.I)
_PHONE = re.compile(r"Last 4 Digits\):?\s*(\d{4})\b", re.I)
_NAMED = re.compile(r"^(.*)\((HM[A-Z0-9]{8})\)$")
TRAILING = (364, 368)
"""A trailing block ends this many days after today, and rolls every day (measured: 366)."""
NOTICE = timedelta(days=1)
"""One-day blocks from today up to this far ahead come from the advance notice, not from the host."""


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts: one with a code is a reservation, ``Airbnb (Not available)`` is a block.

    Without a code, a label that nobody knows proves no guest: it is a block of undefined meaning.

    Old feeds have the guest and the code in the summary: ``Melanie (HM…)``.
    """
    url, phone, named = _URL.search(raw.description), _PHONE.search(raw.description), _NAMED.match(raw.summary.strip())
    code = _read_code(raw.url) or _read_code(raw.description) or (named and named[2])
    said = read_label(raw.summary)
    if code is None and said.label in (Label.CLOSURE, None):
        return block(raw, Status.UNAVAILABLE if said.label else Status.UNDEFINED)
    return reservation(
        raw,
        Status.CONFIRMED if code else status_of(said.label),
        reservation_code=code,
        reservation_url=url and url[0],
        phone_last4=phone and phone[1],
        guest_name=named and named[1].rstrip(),
    )


def _read_code(text: str) -> str | None:
    """Return the code in a URL, or in a line of its own; one among other words may be a guest's."""
    found = _CODE.search(text)
    return found and (found[1] or found[2]).upper()


def classify(entries: Sequence[Entry], today: date) -> Sequence[Entry]:
    """Label windows: the block that ends with the calendar, and one-day blocks of today and the advance notice.

    If in doubt, a block stays a block.
    """
    return relabel(entries, lambda entry: _is_window(entry, today))


def _is_window(entry: Entry, today: date) -> bool:
    if entry.kind is not EntryKind.BLOCK or entry.status is Status.CANCELLED:
        return False
    one_day = entry.check_out - entry.check_in == timedelta(days=1)
    near = today - timedelta(days=2) <= entry.check_in <= today + NOTICE
    return ends_within(entry, today, TRAILING) or (one_day and near)


PLATFORM = Platform(
    name="airbnb",
    prodids=("airbnb inc", "airbnb"),
    hosts=("airbnb.com", "airbnb.it", "airbnb.fr", "airbnb.co.uk", "airbnb.de"),
    read_event=read_event,
    classify=classify,
    traits=Traits(
        reservation_uids=UidRole.IDENTITY,
        block_uids=UidRole.DATES,
        stamps_fetches=True,
        shows_begun=True,
        marks_end=True,
        own_guests=True,
        marks_imports=True,
    ),
)
