"""Beds24: the owner's template writes keys into DESCRIPTION; the guest, or ``Unavailable``, is the summary."""

from __future__ import annotations

import re
from typing import Any

from bokit.core.ical.entries import Status
from bokit.core.ical.labels import Label, is_label, read_label
from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, Traits, UidRole, block, last_four, reservation, status_of

_LINE = re.compile(r"^([A-Z][A-Z0-9_ ]{1,24}):[ \t]*((?:[^ \t\n].*)?)$")
_BOOKING_ID = re.compile(r"(?:bookid|id)=(\d{4,15})\b|\bbook(?:id)?[-_ ]?(\d{4,15})\b", re.I)
_UID = re.compile(r"^(?:bookid|booking|b|beds24)?[-_]?(\d{4,15})(?:$|[@_-])", re.I)
BOOKING_PAGE = "https://beds24.com/control2.php?ajax=bookedit&id="
_STATUSES = {
    "0": Status.CANCELLED,
    "cancelled": Status.CANCELLED,
    "canceled": Status.CANCELLED,
    "1": Status.CONFIRMED,
    "confirmed": Status.CONFIRMED,
    "2": Status.NEW,
    "new": Status.NEW,
    "3": Status.REQUEST,
    "request": Status.REQUEST,
    "4": Status.BLOCKED,
    "black": Status.BLOCKED,
    "blocked": Status.BLOCKED,
    "5": Status.INQUIRY,
    "inquiry": Status.INQUIRY,
    "enquiry": Status.INQUIRY,
}
_KEYS = ("STATUS", "GUESTS", "TIME", "PHONE", "EMAIL", "CTRY", "OTA", "COMMENTS", "NOTES")


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts from the template's keys; unknown keys become *extra*, other lines comments."""
    keys, loose = read_template(raw.description)
    status = _STATUSES.get(keys.get("STATUS", "").partition("/")[0].strip().lower())
    said = read_label(raw.summary)
    if said.label is Label.CLOSURE or raw.summary.strip().lower() == "black" or status is Status.BLOCKED:
        return block(raw, status if status in (Status.CANCELLED, Status.BLOCKED) else Status.UNAVAILABLE)
    return reservation(
        raw,
        status or status_of(said.label),
        guest_name=said.guest or (None if is_label(raw.summary) else raw.summary.strip()) or None,
        email=keys.get("EMAIL") or None,
        country=keys.get("CTRY") or None,
        notes=keys.get("NOTES") or None,
        comments="\n".join(filter(None, (keys.get("COMMENTS"), *loose))) or None,
        extra=_read_extra(keys),
        **_read_party(keys.get("GUESTS", "")),
        **_read_phone(keys.get("PHONE", "")),
        **_read_channel(keys.get("OTA", "")),
        **_read_booking(raw),
    )


def read_template(description: str) -> tuple[dict[str, str], list[str]]:
    """Return the keyed lines of *description*, and its other lines. The first of a repeated key counts.

    After COMMENTS or NOTES, what looks like a status or a channel may be the guest's own text, and cancels nothing.
    """
    keys: dict[str, str] = {}
    loose: list[str] = []
    for line in filter(None, map(str.strip, description.splitlines())):
        found = _LINE.match(line)
        if found and not (found[1] in ("STATUS", "OTA") and {"COMMENTS", "NOTES"} & set(keys)):
            keys.setdefault(found[1], found[2].strip())
        else:
            loose.append(line)
    return keys, loose


def _read_party(text: str) -> dict[str, Any]:
    """``n/adults/children``, any of them missing."""
    counts = [int(part) if part.strip().isdecimal() and len(part) < 6 else None for part in text.split("/")]
    return dict(zip(("guests", "adults", "children"), counts, strict=False))


def _read_phone(text: str) -> dict[str, Any]:
    """``a/b``: the telephone, else the mobile; two numbers that differ are both kept."""
    numbers = [part.strip() for part in text.split("/") if len(re.sub(r"\D", "", part)) >= 4]
    phone = numbers[0] if numbers else None
    return {"phone": phone, "phone_last4": last_four(phone)}


def _read_channel(text: str) -> dict[str, Any]:
    """``source reference``; a booking made by hand has neither."""
    ota, _, reference = text.strip().partition(" ")
    return {"ota": ota or None, "ota_reference": reference.strip() or None}


def _read_booking(raw: RawEvent) -> dict[str, Any]:
    """The booking's number, as the URL or the UID has it, and the page that works, unlike the feed's own URL.

    The description is the guest's and the owner's text: a number in it identifies no booking.
    """
    found = _BOOKING_ID.search(raw.url) or _UID.match(raw.uid)
    number = next(filter(None, found.groups()), None) if found else None
    return {"reservation_code": number, "reservation_url": number and BOOKING_PAGE + number}


def _read_extra(keys: dict[str, str]) -> dict[str, str]:
    """What the template holds beyond an entry's fields; a second telephone only if it differs."""
    first, _, second = (part.strip() for part in keys.get("PHONE", "").partition("/"))
    named = {
        "group": keys.get("STATUS", "").partition("/")[2].strip(),
        "time": keys.get("TIME", ""),
        "phone_2": second if first and second != first else "",
    }
    unknown = {key.lower(): value for key, value in keys.items() if key not in _KEYS}
    return {name: value for name, value in {**unknown, **named}.items() if value}


PLATFORM = Platform(
    name="beds24",
    prodids=("beds24",),
    hosts=("beds24.com",),
    read_event=read_event,
    traits=Traits(reservation_uids=UidRole.IDENTITY, block_uids=UidRole.IDENTITY),
    errors={"room synchroniser not enabled": "Beds24 has the calendar export of this room switched off; switch it on there"},
)
