"""The page's chart and `bokit calendar` draw the same nights in the same way."""

from __future__ import annotations

import json
import random

from bokit.core.bookings.nights import DAY
from bokit.core.occupancy.chart import look_of
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.core.occupancy.view import describe_bookings, describe_one
from tests.support.builders import a_record
from tests.support.node import find_node
from tests.support.random_calendars import NOON, make_calendar

CALENDARS = 300


def a_window(unit: str):
    """Return nights that a channel's own rules close, and such as a guard holds back."""
    remote = {"kind": "window", "status": "unavailable", "nights": [["2026-11-20", "2026-11-24"]]}
    return a_record(id=f"{unit}.window", scope=unit, remote=remote | {"provisional": [["2026-11-22", "2026-11-23"]]})


def test_the_page_and_the_command_line_draw_each_night_alike(tmp_path):
    """Over 300 random calendars: of each booking the page draws every night as the chart's document has it, but for echoes
    that only repeat what it draws already.
    """
    node, rng = find_node(), random.Random(17)
    units, looks = [], []
    for _ in range(CALENDARS):
        places, made, today, _ = make_calendar(rng)
        windows = [a_window(place.id) for place in places[-1:]]
        records = [*(m.record for m in made), *windows]
        occupancy = read_occupancy(places, records, today=today, at=NOON)
        documents = [*describe_bookings(occupancy, records), *(describe_one(w, occupancy) for w in windows)]
        for place in places:
            units.append([doc for doc in documents if doc["unit_id"] == place.id])
            own = [b for b in occupancy.bookings if b.unit_id == place.id]
            looks.append({(b.id, str(n)): str(look_of(b, b.grid.span(n, n + DAY))) for b in own for n in b.nights})
    file = tmp_path / "bookings.json"
    file.write_text(json.dumps(units, default=str), encoding="utf-8")

    drawn = [
        {(b, night): look for b, night, look in found} for found in json.loads(node.run("web/page/test/looks.ts", str(file)))
    ]

    assert len(drawn) == len(looks)
    for page, ours in zip(drawn, looks, strict=True):
        assert page.items() <= ours.items()
        assert {ours[night] for night in ours.keys() - page.keys()} <= {"echo"}
    assert {look for found in drawn for look in found.values()} == {"reservation", "block", "held", "fading", "echo", "window"}
