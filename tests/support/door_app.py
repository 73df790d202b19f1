"""A host of one flat whose stays have door codes, and what is reported of them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.events import DOOR_CODES
from bokit.core.model.records import RecordId
from bokit.engine.bookings.door_codes import AccessDocument
from tests.support.one_feed_app import OneFeedApp

FIRST = date(2026, 12, 1)
AIRBNB, GENERIC = "-//Airbnb Inc//Hosting Calendar 1.0//EN", "-//Small PMS//EN"


def event(uid: str, first: int, end: int, *, code: str | None = None, summary: str = "Reserved", phone: str = "") -> str:
    """Return an event that begins so many days after the first of December."""
    start, stop = (f"{FIRST + timedelta(days=n):%Y%m%d}" for n in (first, end))
    lines = ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART;VALUE=DATE:{start}", f"DTEND;VALUE=DATE:{stop}", f"SUMMARY:{summary}"]
    if code:
        digits = f"\\nPhone Number (Last 4 Digits): {phone}" if phone else ""
        lines.append(f"DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/{code}{digits}")
    return "\r\n".join([*lines, "END:VEVENT", ""])


def stay(letter: str, first: int, end: int, *, uid: str = "", phone: str = "") -> str:
    """Return a reservation as Airbnb lists it."""
    return event(f"1418fb94e984-{uid or letter}@airbnb.com", first, end, code=f"HM{letter * 8}", phone=phone)


def calendar(*events: str, prodid: str = AIRBNB) -> bytes:
    """Return a calendar of *events*."""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{prodid}\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


class DoorApp(OneFeedApp):
    """Reads the codes and the news of them."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        super().__init__(store)
        self.seen = 0
        for name, value in {"access.codes": True, **options}.items():
            self.set(name.replace("_", ".", 1), value)

    def set(self, name: str, value: Any) -> None:
        self.bokit.catalog.options.set(DEFAULT_TENANT, name, value)

    def id_of(self, number: int = 0) -> RecordId:
        """Return the id of the flat's first booking, or another."""
        return self.records()[number].id

    def access(self, record_id: RecordId | None = None) -> AccessDocument:
        return self.bokit.bookings.door_codes.show(DEFAULT_TENANT, record_id or self.id_of())

    def code(self, record_id: RecordId | None = None) -> str:
        found = self.access(record_id)["code"]
        assert found, self.access(record_id)
        return found

    def by_hand(self, first: int, end: int, **values: Any) -> RecordId:
        """Enter a booking, and return its id."""
        days = {"check_in": (FIRST + timedelta(days=first)).isoformat(), "check_out": (FIRST + timedelta(days=end)).isoformat()}
        made = self.bokit.bookings.create(DEFAULT_TENANT, self.unit, days | values, by="user:rosa")
        return RecordId(made["id"])

    def confirm(self, record_id: RecordId) -> None:
        self.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, {"confirm": None}, by="user:rosa")

    def news(self) -> list[tuple[str, Any]]:
        """Return the events of door codes since the last call: what happened, and to which fields."""
        self.bokit.events.drain()
        read = self.bokit.events.read(DEFAULT_TENANT, self.seen)
        self.seen = read["seq"]
        found = [e for e in read["items"] if e["type"].startswith("access.")]
        return [(e["type"].removeprefix("access."), e["data"]["fields"]) for e in found]

    def stored(self) -> str:
        """Return what is stored of the flat's door codes, as text."""
        return json.dumps([dict(r.remote) for r in self.store.load_records(DEFAULT_TENANT, DOOR_CODES, self.unit)])
