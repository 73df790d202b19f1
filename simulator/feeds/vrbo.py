"""VRBO and Abritel: GUIDs that change with the dates, guests in the summary, past stays for months."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.feeds.base import day, escape, shown_stays, stamp, wrap_event, write
from simulator.records import Listing, Stay, digest
from simulator.world import World

_PAST = timedelta(days=90)
_ENGLISH = {"reserved": "Reserved", "tentative": "Tentative", "blocked": "Blocked"}
_FRENCH = {"reserved": "Réservée", "tentative": "Provisoire", "blocked": "Indisponible"}


def render(world: World, listing: Listing, at: datetime) -> bytes:
    """Return the feed; form ``fr`` is Abritel's."""
    lines = ["BEGIN:VCALENDAR", "PRODID:-//HomeAway.com, Inc.//EN", "CALSCALE:GREGORIAN", "VERSION:2.0", "METHOD:PUBLISH"]
    for stay in shown_stays(world, listing):
        if stay.check_out + _PAST >= world.today(listing):
            lines += _event(world, listing, stay, at)
    return write([*lines, "END:VCALENDAR"])


def _event(world: World, listing: Listing, stay: Stay, at: datetime) -> list[str]:
    owner = stay.id if _is_guest(stay) else "block"
    identity = digest(world.seed, listing.id, owner, stay.check_in, stay.check_out)
    return wrap_event([
        f"UID:{_guid(identity)}", f"DTSTAMP:{stamp(at)}", f"DTSTART;VALUE=DATE:{day(stay.check_in)}",
        f"DTEND;VALUE=DATE:{day(stay.check_out)}", f"SUMMARY:{escape(_summary(listing, stay))}",
    ])  # fmt: skip


def _is_guest(stay: Stay) -> bool:
    return stay.is_reservation and stay.is_active


def _summary(listing: Listing, stay: Stay) -> str:
    words = _FRENCH if listing.form == "fr" else _ENGLISH
    if not _is_guest(stay):
        return words["blocked"]
    return f"{words['tentative' if stay.is_tentative else 'reserved']} - {stay.guest.partition(' ')[0]}"


def _guid(hex_digits: str) -> str:
    return "-".join((hex_digits[:8], hex_digits[8:12], hex_digits[12:16], hex_digits[16:20], hex_digits[20:]))
