"""Bookings and closures of July, as several sources report them: for tests of who holds which night."""

from __future__ import annotations

from typing import Any

from bokit.core.model.records import Record, Scope
from bokit.core.occupancy.occupancy import Occupancy
from tests.support.builders import NOW, a_record, a_unit

TODAY = NOW.date()
FLAT = [a_unit(id="unit_1")]
VILLA = [a_unit(id="unit_villa", parts=("unit_flat", "unit_loft")), a_unit(id="unit_flat"), a_unit(id="unit_loft")]


def a_stay(
    first: int,
    end: int,
    source: Any,
    platform: str | None,
    *,
    unit: str = "unit_1",
    seen: Any = NOW,
    after: Any = None,
    name: str | None = None,
    **given: Any,
) -> Record:
    """Return a record of nights in July, by their days."""
    remote: dict[str, Any] = {
        "kind": "reservation",
        "status": "confirmed",
        "check_in": f"2026-07-{first:02d}",
        "check_out": f"2026-07-{end:02d}",
    }
    memory: dict[str, Any] = {"platform": platform} if platform else {}
    if after:
        memory["gained"] = [[remote["check_in"], remote["check_out"], seen.isoformat(), after.isoformat()]]
    others = {n: given.pop(n) for n in ("presence", "gone_at", "missing_since", "edits") if n in given}
    return a_record(
        id=f"{unit}.{name or f'{source}-{first}'}",
        scope=Scope(unit),
        source_id=source,
        remote=remote | given,
        memory=memory,
        created_at=seen,
        **others,
    )


def an_airbnb(first: int, end: int, code: str = "HMAAAAAAAA", **given: Any) -> Record:
    """Return a reservation on Airbnb."""
    return a_stay(first, end, "src_a", "airbnb", reservation_code=code, **given)


def a_closure(first: int, end: int, source: str = "src_b", **given: Any) -> Record:
    """Return what Booking.com shows of a reservation and of a closure alike."""
    given = {"summary": "CLOSED - Not available", "status": "undefined"} | given
    return a_stay(first, end, source, "booking_com", **given)


def a_block(first: int, end: int, source: str | None = "src_v", platform: str | None = "vrbo", **given: Any) -> Record:
    """Return nights that an owner closed, or that a platform imported."""
    return a_stay(first, end, source, platform, **{"kind": "block", "status": "blocked"} | given)


def states(occupancy: Occupancy) -> dict[str, str]:
    """Return what each record is to the others, by the end of its id."""
    return {str(r.id).partition(".")[2]: str(b.state) for b in occupancy.bookings for r in b.records}
