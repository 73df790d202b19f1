"""``/turnovers``, and the times of properties and units, over HTTP."""

from __future__ import annotations

import pytest


@pytest.fixture
def unit(caller):
    """A unit in Rome."""
    house = caller.post("/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})["id"]
    return caller.post("/units", {"name": "Garden flat", "property_id": house})["id"]


def book(caller, unit, check_in, check_out, **more):
    return caller.post("/bookings", {"unit_id": unit, "check_in": check_in, "check_out": check_out, **more})["id"]


def test_a_day_of_one_guest_after_another(caller, unit):
    """With the default times, from today on; a guest who comes later is named, too."""
    ada, grace = book(caller, unit, "2026-06-02", "2026-06-05"), book(caller, unit, "2026-06-05", "2026-06-09")

    first, last = caller.get("/turnovers")["items"]

    assert first == {
        "unit_id": unit,
        "date": "2026-06-05",
        "leaves": ada,
        "arrives": grace,
        "from": "2026-06-05T11:00:00+02:00",
        "until": "2026-06-05T15:00:00+02:00",
        "same_day": True,
        "cleaning_minutes": None,
        "warning": None,
    }
    assert (last["leaves"], last["arrives"], last["until"], last["same_day"]) == (grace, None, None, False)
    assert caller.as_("viewer").get("/turnovers", unit_id=unit, **{"from": "2026-06-06", "until": "2026-06-10"})["items"] == [
        last
    ]


def test_it_follows_edits_and_times(caller, unit):
    """A guest stays longer, the unit has its own times, a cancelled guest leaves nothing to clean."""
    ada, grace = book(caller, unit, "2026-06-02", "2026-06-05"), book(caller, unit, "2026-06-06", "2026-06-09")
    caller.ask("PATCH", f"/bookings/{ada}", {"check_out": "2026-06-06"})
    caller.ask("PATCH", f"/units/{unit}", {"check_in_time": "14:00", "cleaning_minutes": 181})

    first, _ = caller.get("/turnovers")["items"]
    assert (first["date"], first["until"], first["same_day"]) == ("2026-06-06", "2026-06-06T14:00:00+02:00", True)
    assert (first["cleaning_minutes"], first["warning"]) == (181, "too-short")

    caller.ask("PATCH", f"/bookings/{grace}", {"status": "cancelled"})
    assert [(t["leaves"], t["arrives"]) for t in caller.get("/turnovers")["items"]] == [(ada, None)]


def test_a_villa_and_its_parts(caller, unit):
    """Its guest leaves all of them; in one list, each with its unit, in pages."""
    house = caller.get(f"/units/{unit}")["property_id"]
    villa = caller.post("/units", {"name": "Villa", "property_id": house, "parts": [unit]})["id"]
    stay = book(caller, villa, "2026-06-02", "2026-06-05")

    found = caller.every("/turnovers", limit=1)

    assert [(t["unit_id"], t["leaves"]) for t in found] == [(u, stay) for u in sorted([unit, villa])]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-06-05", "until": "2026-06-05"}, "until"),
        ({"from": "2026-06-05", "until": "2026-06-01"}, "until"),
        ({"from": "2026-06-05", "until": "2027-06-07"}, "until"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "1999-12-31"}, "from"),
        ({"until": "2026-02-30"}, "until"),
    ],
)
def test_which_days_may_be_asked_for(caller, unit, query, field):
    """A year and a day at most; days that there are."""
    problem = caller.ask("GET", "/turnovers", query=query)

    assert (problem.status, problem.code, problem.doc["errors"][0]["field"]) == (422, "bad-field", field)
    assert caller.get("/turnovers", **{"from": "2026-06-05", "until": "2027-06-06"})["items"] == []


def test_a_unit_that_there_is_not(caller):
    """As in every list."""
    assert caller.ask("GET", "/turnovers", query={"unit_id": "none"}).code == "not-found"


@pytest.mark.parametrize("path", ["/properties", "/units"])
def test_times_are_stored_changed_and_given_back(caller, unit, path):
    """Of a property and of a unit, when it is added and when it is changed; null is inherited."""
    house = caller.get(f"/units/{unit}")["property_id"]
    more = {"property_id": house} if path == "/units" else {}
    made = caller.post(path, {"name": "Loft", "check_in_time": "9:05", "check_out_time": "00:00", "cleaning_minutes": 0, **more})
    where, names = f"{path}/{made['id']}", ("check_in_time", "check_out_time", "cleaning_minutes")

    assert [made[name] for name in names] == ["09:05", "00:00", 0]
    changed = caller.ask("PATCH", where, {"check_in_time": "23:59", "cleaning_minutes": 1440}).doc
    assert [changed[name] for name in names] == ["23:59", "00:00", 1440]
    assert caller.ask("PATCH", where, dict.fromkeys(names)).status == 200
    assert [caller.get(where)[name] for name in names] == [None, None, None]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in ("check_in_time", "check_out_time") for value in ("24:00", "11:60", "11", "11.00", "noon")],
        *[("cleaning_minutes", value) for value in (-1, 1441, 1.5, "60", True)],
        ("check_in_time", 900),
    ],
)
def test_other_times_are_refused_and_nothing_is_lost(caller, unit, field, value):
    """One error, at the field."""
    before = caller.get(f"/units/{unit}")

    problem = caller.ask("PATCH", f"/units/{unit}", {"name": "Other", field: value})

    assert (problem.status, [e["field"] for e in problem.doc["errors"]]) == (422, [field])
    assert isinstance(value, str) is ("HH:MM, from 00:00 to 23:59" in str(problem.doc)) or field == "cleaning_minutes"
    assert caller.get(f"/units/{unit}") == before
