"""What it costs to find echoes where closures of two sources lie over one another: counted, and no night opens for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.model.records import Record, Scope
from bokit.core.occupancy import echoes
from bokit.core.occupancy.calendar_reads import ReadLog
from bokit.core.occupancy.limits import MAX_BESIDE
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.core.occupancy.publication import PublicationRules
from tests.support.builders import HOUR, NOW, a_record
from tests.support.july import FLAT, TODAY

COUNT, NIGHTS = 120, 90


def staircase(source: str, hours: int) -> list[Record]:
    """Return closures without a name, each a day later than the one before."""
    found = []
    for number in range(COUNT):
        first = TODAY + timedelta(days=number)
        dates = {"check_in": str(first), "check_out": str(first + timedelta(days=NIGHTS))}
        found.append(
            a_record(
                id=f"unit_1.{source}-{number}",
                scope=Scope("unit_1"),
                source_id=source,
                remote={"kind": "block", "status": "blocked", "summary": "Not available", **dates},
                memory={"platform": "vrbo"},
                created_at=NOW + hours * HOUR,
            )
        )
    return found


def test_many_closures_over_one_another_are_judged_by_a_few_each(monkeypatch):
    """Each closure of a crowd is compared with a bounded number of those beside it, and every night stays published."""
    judged: list[object] = []
    explain = echoes._EchoJudge._explain_by_held
    monkeypatch.setattr(echoes._EchoJudge, "_explain_by_held", lambda *given: judged.append(given) or explain(*given))
    records = [*staircase("src_a", 0), *staircase("src_b", 5)]

    occupancy = read_occupancy(FLAT, records, today=TODAY, at=NOW + 9 * HOUR, reads=ReadLog())
    rules = PublicationRules(occupancy)

    shown = 0
    for booking in occupancy.bookings:
        shown |= rules.judge(booking, Scope("unit_1"), None).shown
    assert 0 < len(judged) <= MAX_BESIDE * len(records)
    assert len(occupancy.grid.nights(shown)) == COUNT + NIGHTS - 1


@pytest.mark.parametrize("count", [MAX_BESIDE + 6])
def test_a_long_closure_beside_many_bookings_is_judged_by_all_of_them(count):
    """One closure that repeats a season of bookings is an echo, however many there are: they are few for each record."""
    stays = [
        a_record(
            id=f"unit_1.a-{n}",
            scope=Scope("unit_1"),
            source_id="src_a",
            remote={
                "kind": "reservation",
                "status": "confirmed",
                "reservation_code": f"HMAAAAA{n:03d}",
                "check_in": str(TODAY + timedelta(days=2 * n)),
                "check_out": str(TODAY + timedelta(days=2 * n + 2)),
            },
            memory={"platform": "airbnb"},
            created_at=NOW,
        )
        for n in range(count)
    ]
    dates = {"check_in": str(TODAY), "check_out": str(TODAY + timedelta(days=2 * count))}
    remote = {"kind": "block", "status": "blocked", "summary": "Not available", **dates}
    closure = a_record(id="unit_1.b", scope=Scope("unit_1"), source_id="src_b", remote=remote, created_at=NOW + 5 * HOUR)

    occupancy = read_occupancy(FLAT, [*stays, closure], today=TODAY, at=NOW + 9 * HOUR)

    assert str(occupancy.by_record[closure.id].state) == "echo"
