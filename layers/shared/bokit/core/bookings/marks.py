"""What identifies a booking beyond its nights, as one text: a code, a UID that proves something, a name with its nights."""

from __future__ import annotations

from bokit.core.bookings.limits import MAX_OWN_EVENTS
from bokit.core.bookings.names import NameReader, fold
from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.bookings.uids import UidRoles
from bokit.core.ical.entries import Entry
from bokit.core.ical.writer import make_uid
from bokit.core.model.records import Record

CALENDAR_VARIANTS = ("occupied", "bookings", "arrivals", "departures", "turnovers")
NAME_MARK = "name:"


def entry_marks(entry: Entry, uids: UidRoles, names: NameReader) -> list[str]:
    """Return what identifies *entry* beyond its nights: its code, a UID not made of dates, a name with its nights."""
    name = (entry.guest_name or entry.summary) if names.of_entry(entry) else None
    return _marks(
        entry.reservation_code, entry_key(entry) if uids.proves(entry) else None, name, (entry.check_in, entry.check_out)
    )


def stay_marks(stay: Stay, names: NameReader) -> list[str]:
    """Return what identifies *stay*; whether its UID proves anything is its entries' question."""
    name = (stay.guest_name or stay.record.remote.get("summary")) if names.of_stay(stay) else None
    return _marks(stay.code, stay.record.key, name, stay.span)


def own_marks(record: Record) -> list[str]:
    """Return the UIDs that our outgoing calendars give the events of *record*."""
    return [f"own:{make_uid(record.id, variant, str(n))}" for variant in CALENDAR_VARIANTS for n in range(MAX_OWN_EVENTS)]


def _marks(code: str | None, key: str | None, name: str | None, span: Span) -> list[str]:
    named = f"{NAME_MARK}{fold(name)}:{span[0]}:{span[1]}" if name else None
    return [mark for mark in (code and f"code:{code}", key and f"uid:{key}", named) if mark]
