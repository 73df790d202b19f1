"""A source for tests of the booking rules: feeds are applied one after another, as entries, and every step is checked.

After each feed that was accepted: the nights that it closes are held, a second plan is empty, and the order of its
entries made no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import held_nights, is_window
from bokit.core.bookings.window import closed_nights
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.plan import ActionKind, Plan
from bokit.core.model.records import Presence, Record, Scope, SourceId
from bokit.core.model.source_rules import Context, Seen, Verdict
from bokit.values import replace

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
TODAY = START.date()
RULES = BookingRules()


def day(number: int) -> date:
    """Return the date so many days after the first today."""
    return TODAY + timedelta(days=number)


def closure(first: int, end: int, **given: Any) -> Entry:
    """Return a closure as Booking.com shows it: its UID has the room and the first night."""
    room = given.pop("room", "room")
    filled = {"uid": f"{room}-{first}@booking.com", "kind": EntryKind.RESERVATION, "status": Status.UNDEFINED}
    return Entry(**filled | {"check_in": day(first), "check_out": day(end)} | given)


def reservation(code: str, first: int, end: int, **given: Any) -> Entry:
    """Return a reservation as Airbnb shows it."""
    filled = {"uid": f"{code}@airbnb.com", "kind": EntryKind.RESERVATION, "status": Status.CONFIRMED, "reservation_code": code}
    return Entry(**filled | {"check_in": day(first), "check_out": day(end)} | given)


def block(first: int, end: int, **given: Any) -> Entry:
    """Return a block as Airbnb shows it: its UID has the first night."""
    filled = {"uid": f"block-{first}@airbnb.com", "kind": EntryKind.BLOCK, "status": Status.UNAVAILABLE}
    return Entry(**filled | {"check_in": day(first), "check_out": day(end)} | given)


def window(first: int, end: int, **given: Any) -> Entry:
    """Return nights that a platform's rule closes."""
    filled = {"uid": f"window-{first}@airbnb.com", "kind": EntryKind.WINDOW, "status": Status.UNAVAILABLE}
    return Entry(**filled | {"check_in": day(first), "check_out": day(end)} | given)


def read_day(record: Record, name: str) -> date:
    """Return a date of what the source said."""
    return date.fromisoformat(record.remote[name])


class SimulatedSource:
    """One source's records, as feed after feed changes them."""

    def __init__(self, platform: str = "booking_com", **given: Any) -> None:
        self.platform, self.given, self.at = platform, given, START
        self.last_read: datetime | None = None
        self.records: dict[str, Record] = {}
        self.memory: dict[str, Any] = {}

    def context(self, **given: Any) -> Context:
        """Return the context of a fetch now."""
        filled = {
            "tenant": DEFAULT_TENANT,
            "source_id": SourceId("src_1"),
            "collection": BOOKINGS,
            "scope": Scope("unit_1"),
            "at": self.at,
            "last_read": self.last_read,
            "timezone": ZoneInfo("UTC"),
            "memory": self.memory,
        }
        return Context(**filled | self.given | given)

    def plan(self, seen: Seen, **given: Any) -> Plan:
        """Return what the rules make of *seen*, guards included."""
        context, known = self.context(**given), list(self.records.values())
        matches = RULES.match(known, seen, context)
        return RULES.guard(RULES.plan(matches, context), matches, context)

    def see(self, *entries: Entry, hours: float = 1, verdict: Verdict | None = None, **given: Any) -> Plan:
        """Let time pass, read one feed, apply its plan, and return it."""
        self.at += timedelta(hours=hours)
        verdict = verdict or (Verdict.OK if entries else Verdict.EMPTY)
        seen = Seen(entries=entries, verdict=verdict, platform=self.platform, made_at=given.pop("stamp", None))
        plan = self.plan(seen, **given)
        backwards = self.plan(replace(seen, entries=entries[::-1]), **given)
        assert plan == backwards, "the order of entries matters"
        self.apply(plan)
        self._check(seen, plan, given)
        self.last_read = self.at
        return plan

    def apply(self, plan: Plan) -> None:
        """Keep what *plan* makes of the records, and its memory."""
        self.records |= {a.record_id: a.after for a in plan.actions}
        self.memory = dict(plan.memory)

    def _check(self, seen: Seen, plan: Plan, given: dict[str, Any]) -> None:
        if not given.get("new_only") and not given.get("approved") and not given.get("discarded"):
            assert self.plan(seen).is_empty, "a second plan is not empty"
            if seen.verdict is not Verdict.UNREADABLE:
                assert closed_nights(seen.entries, self.today) <= self.held(), "a closed night is not held"

    @property
    def today(self) -> date:
        """The date of the last fetch."""
        return self.at.date()

    def held(self) -> set[date]:
        """Return the nights to come that any record holds."""
        return {n for r in self.records.values() for n in held_nights(r) if n >= self.today}

    def stays(self, *presences: Presence) -> list[Record]:
        """Return the bookings, of these presences where any is given, by their arrival."""
        found = [r for r in self.records.values() if not is_window(r) and (not presences or r.presence in presences)]
        return sorted(found, key=lambda r: (r.remote["check_in"], r.remote["check_out"], r.id))

    def stay(self) -> Record:
        """Return the only booking."""
        (record,) = self.stays()
        return record

    def spans(self) -> list[tuple[int, int]]:
        """Return the dates of the bookings that are not gone, in days from the first today."""
        held = self.stays(Presence.PRESENT, Presence.MISSING)
        return [((read_day(r, "check_in") - TODAY).days, (read_day(r, "check_out") - TODAY).days) for r in held]

    def window(self) -> Record | None:
        """Return the source's window."""
        return next((r for r in self.records.values() if is_window(r)), None)


def kinds(plan: Plan) -> list[ActionKind]:
    """Return what *plan* does that a person would see."""
    return sorted(a.kind for a in plan.actions if a.kind is not ActionKind.TOUCH)


def reasons(plan: Plan) -> list[str]:
    """Return why, action by action."""
    return sorted(a.reason for a in plan.actions if a.kind is not ActionKind.TOUCH)


def nights_of(first: int, end: int) -> set[date]:
    """Return the nights of so many days from the first today."""
    return {day(n) for n in range(first, end)}


def only(records: Sequence[Record]) -> Record:
    """Return the one record of a list of one."""
    (record,) = records
    return record
