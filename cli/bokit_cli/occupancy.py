"""``bokit stats --occupancy``: nights sold, blocked and free, by unit, channel and month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bokit_cli.csv_lines import print_csv
from bokit_cli.finding import find_units
from bokit_cli.session import Session
from bokit_cli.show import NO_UNIT, plural, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.catalog import UnitId
    from bokit.engine.bookings.terms import OccupancyDocument

OCCUPANCY = Table(
    Column("month"),
    Column("unit", least=10),
    Column("sold", number=True),
    Column("linked", drop=6, number=True),
    Column("blocked", drop=7, number=True),
    Column("free", number=True),
    Column("not covered", drop=8, number=True),
    Column("full", number=True),
    Column("stays", drop=5, number=True),
    Column("stay", drop=4, number=True),
    Column("ahead", drop=3, number=True),
    Column("known", drop=2, number=True),
    Column("channels", drop=1, least=12),
)
COUNTS = ("nights", "sold", "linked", "blocked", "free", "not_covered", "occupancy_percent")
AVERAGES = ("stays", "stay_median", "stay_mean", "ahead_known", "ahead_unknown", "ahead_median", "ahead_mean")
COLUMNS = ("month", "from", "until", "unit_id", "unit", "channel", *COUNTS, *AVERAGES)
"""Of the CSV: a line of all channels, whose own is empty, and one of each channel with its own counts alone."""
MEANING = (
    "stay: nights a guest stays; ahead: days from booking to arrival, of the stays whose booking was seen (known); both medians. "
    "Amounts are in no calendar."
)
NOT_COVERED = "not covered: nights before the unit's first calendar was read, of which nobody knows whether they were sold"


class ByWord(StrEnum):
    """What one line is of."""

    UNIT_MONTH = "unit-month"
    UNIT = "unit"
    MONTH = "month"
    TOTAL = "total"


def show_occupancy(session: Session, unit: str | None, since: str | None, until: str | None, by: str, *, as_csv: bool) -> None:
    """Print how full the units are: a table, CSV or a document."""
    from bokit.engine.bookings.night_counts import read_period
    from bokit.engine.bookings.terms import CountsBy

    names = find_units(session, unit)
    bookings, units = session.bokit.bookings, list(names)
    period = read_period(since, until, bookings.charts.load_today(session.tenant, units))
    found = bookings.list_occupancy(session.tenant, units, period, CountsBy(by))
    if as_csv:
        print_csv(COLUMNS, (row for doc in found for row in csv_rows(doc, names)))
        return
    session.answer_list(found, lambda c: _show(c, found, names) if names else print_line(c, NO_UNIT))


def csv_rows(doc: OccupancyDocument, names: Mapping[UnitId, str]) -> Iterator[list[Any]]:
    """Yield the line of an item, and one for each of its channels."""
    place = [doc["month"], doc["from"], doc["until"], doc["unit_id"], _name(doc, names)]
    yield [*place, None, *(doc[name] for name in COUNTS), *_averages(doc)]  # type: ignore[literal-required]
    for channel in doc["channels"]:
        counts = [channel["sold"] if name == "sold" else None for name in COUNTS]
        yield [*place, channel["channel"], *counts, *_averages(channel)]


def _averages(doc: Any) -> list[Any]:
    stay, ahead = doc["length_of_stay"], doc["lead_time"]
    return [
        *(stay[name] for name in ("stays", "median", "mean")),
        *(ahead[name] for name in ("known", "unknown", "median", "mean")),
    ]


def _name(doc: OccupancyDocument, names: Mapping[UnitId, str]) -> str | None:
    return next((name for unit, name in names.items() if unit == doc["unit_id"]), None)


def _show(console: Console, found: list[OccupancyDocument], names: Mapping[UnitId, str]) -> None:
    OCCUPANCY.print(console, (_row(doc, names) for doc in found))
    print_line(console, MEANING)
    if any(doc["not_covered"] for doc in found):
        print_line(console, NOT_COVERED)


def _row(doc: OccupancyDocument, names: Mapping[UnitId, str]) -> list[object]:
    stay, ahead, full = doc["length_of_stay"], doc["lead_time"], doc["occupancy_percent"]
    return [
        doc["month"] or "all",
        _name(doc, names) or plural(len(names), "unit"),
        doc["sold"],
        doc["linked"] or "",
        doc["blocked"] or "",
        doc["free"],
        doc["not_covered"] or "",
        "" if full is None else f"{full} %",
        stay["stays"] or "",
        _number(stay["median"]),
        _number(ahead["median"]),
        f"{ahead['known']} of {stay['stays']}" if stay["stays"] else "",
        ", ".join(f"{c['channel']} {c['sold']}" for c in doc["channels"]),
    ]


def _number(value: float | None) -> str:
    """Return an average without a zero after the point.

    >>> _number(3.0), _number(2.5), _number(None)
    ('3', '2.5', '')
    """
    return "" if value is None else f"{value:g}"
