"""Outgoing calendars as a unit has them: for whom each is, what it shows, and its paths. What is in them: ``outgoing``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NewType

from bokit.core.model.records import Json, Record, Scope, TenantId, scope_of
from bokit.errors import InputError
from bokit.values import Value

CalendarId = NewType("CalendarId", str)


class CalendarVariant(StrEnum):
    """What a calendar shows."""

    OCCUPIED = "occupied"
    """Every booking and closure."""
    BOOKINGS = "bookings"
    """Reservations alone."""
    ARRIVALS = "arrivals"
    """One event on each day of arrival."""
    DEPARTURES = "departures"
    """One event on each day of departure."""
    TURNOVERS = "turnovers"
    """The time between two guests, for who cleans."""


class CalendarChoice(Value):
    """For whom a unit's calendar is, and what it shows: a unit has one calendar for each."""

    consumer: str | None = None
    """A platform's name, or a source's id, whose own bookings are left out. None: for anybody."""
    variant: CalendarVariant = CalendarVariant.OCCUPIED
    details: bool | None = None
    """Whether guests are named; None: as ``export.anonymous`` says."""


class OutCalendar(CalendarChoice):
    """One unit's calendar. The token of its path is not stored, only the token's hash."""

    id: CalendarId
    tenant: TenantId
    unit_id: Scope
    rotation: int = 1
    """How often it was given a path. The token derives from it, the stack's key and the id."""
    token_hash: str
    former_hash: str | None = None
    former_until: datetime | None = None
    """The path before the last rotation works until then."""
    created_at: datetime

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of its paths: the current one, and the former one."""
        return (self.token_hash, self.former_hash) if self.former_hash else (self.token_hash,)

    def as_fields(self) -> dict[str, Json]:
        """Return the calendar as its record keeps it."""
        return {
            "consumer": self.consumer,
            "variant": str(self.variant),
            "details": self.details,
            "turn": self.rotation,
            "hash": self.token_hash,
            "former_hash": self.former_hash,
            "former_until": self.former_until.isoformat() if self.former_until else None,
        }


def read_calendar(record: Record) -> OutCalendar:
    """Return the calendar that *record* keeps."""
    remote = record.remote
    until = remote.get("former_until")
    return OutCalendar(
        id=CalendarId(record.id),
        tenant=record.tenant,
        unit_id=scope_of(record.id),
        consumer=remote["consumer"],
        variant=CalendarVariant(remote["variant"]),
        details=remote["details"],
        rotation=remote["turn"],
        token_hash=remote["hash"],
        former_hash=remote.get("former_hash"),
        former_until=datetime.fromisoformat(until) if until else None,
        created_at=record.created_at,
    )


def read_variant(word: str) -> CalendarVariant:
    """Return the variant of this name, or raise InputError that lists them."""
    try:
        return CalendarVariant(word.strip().casefold())
    except ValueError:
        names = ", ".join(CalendarVariant)
        raise InputError(f"no such variant; write one of {names}", code="bad-field", field="variant") from None
