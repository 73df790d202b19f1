"""The digest: who arrives and who leaves today, which double bookings are open, and which sources need a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from bokit.core.alerts.news import BookingName, DayNews, Visit
from bokit.core.model.records import SourceId, TenantId
from bokit.engine.live.alert_news import read_day
from bokit.values import Value

Documents = Sequence[Mapping[str, Any]]


class SummaryParts(Value):
    """Where a digest's facts come from: documents, as the API lists them."""

    list_units: Callable[[TenantId], Mapping[str, str]]
    """Full names by id."""
    list_bookings: Callable[[TenantId], Documents]
    list_conflicts: Callable[[TenantId], Documents]
    list_troubled: Callable[[TenantId], Sequence[str]]
    list_sources: Callable[[TenantId], Mapping[SourceId, str]]
    """Full names by id."""


def no_digest() -> SummaryParts:
    """Return parts without anything in them."""
    return SummaryParts(
        list_units=lambda tenant: {},
        list_bookings=lambda tenant: (),
        list_conflicts=lambda tenant: (),
        list_troubled=lambda tenant: (),
        list_sources=lambda tenant: {},
    )


def load_day(parts: SummaryParts, tenant: TenantId, day: date) -> DayNews:
    """Return what a digest says of *day*: reservations that hold nights, and none that only repeats, or repeated, another."""
    units, sources = parts.list_units(tenant), parts.list_sources(tenant)
    stays = [b for b in parts.list_bookings(tenant) if b["blocks_nights"] and b["kind"] == "reservation" and b["state"] == "own"]

    def visits(which: str) -> tuple[Visit, ...]:
        found = (_read_visit(b, units, sources) for b in stays if read_day(b[which]) == day)
        return tuple(sorted(found, key=lambda visit: visit.unit))

    return DayNews(
        day=day,
        arrivals=visits("check_in"),
        departures=visits("check_out"),
        open_conflicts=len(parts.list_conflicts(tenant)),
        troubled=tuple(parts.list_troubled(tenant)),
    )


def _read_visit(booking: Mapping[str, Any], units: Mapping[str, str], sources: Mapping[SourceId, str]) -> Visit:
    first, last = read_day(booking["check_in"]), read_day(booking["check_out"])
    name = BookingName(source=sources.get(SourceId(str(booking.get("source_id")))), check_in=first, check_out=last)
    nights = (last - first).days if first and last else 0
    return Visit(unit=units.get(str(booking["unit_id"]), str(booking["unit_id"])), booking=name, nights=nights)
