"""``/occupancy`` over HTTP."""

from __future__ import annotations

import pytest

from tests.support.caller import document

JUNE = {"from": "2026-06-01", "until": "2026-07-01"}


@pytest.fixture
def unit(caller):
    """A unit in Rome."""
    house = caller.post("/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})["id"]
    return caller.post("/units", {"name": "Garden flat", "property_id": house})["id"]


def book(caller, unit, check_in, check_out, **more):
    return caller.post("/bookings", {"unit_id": unit, "check_in": check_in, "check_out": check_out, **more})["id"]


def test_a_month_of_a_unit(caller, unit):
    """As a viewer sees it."""
    book(caller, unit, "2026-06-02", "2026-06-05")
    book(caller, unit, "2026-06-29", "2026-07-02", kind="block")

    assert caller.as_("viewer").get("/occupancy", unit_id=unit, **JUNE)["items"] == [
        {
            "unit_id": unit,
            "month": "2026-06",
            **JUNE,
            "nights": 30,
            "sold": 3,
            "linked": 0,
            "blocked": 2,
            "free": 25,
            "not_covered": 0,
            "occupancy_percent": 11,
            "length_of_stay": {"stays": 1, "median": 3.0, "mean": 3.0},
            "lead_time": {"known": 1, "unknown": 0, "median": 1.0, "mean": 1.0},
            "channels": [
                {
                    "channel": "By hand",
                    "sold": 3,
                    "length_of_stay": {"stays": 1, "median": 3.0, "mean": 3.0},
                    "lead_time": {"known": 1, "unknown": 0, "median": 1.0, "mean": 1.0},
                }
            ],
        }
    ]


def test_a_year_in_pages(caller, unit):
    """From January of this year on, by month and unit; summed as asked for."""
    house = caller.get(f"/units/{unit}")["property_id"]
    loft = caller.post("/units", {"name": "Loft", "property_id": house})["id"]
    book(caller, loft, "2026-06-30", "2026-07-03")

    found = caller.every("/occupancy", limit=5)
    months = [f"2026-{month:02d}" for month in range(1, 13)]
    assert [(doc["month"], doc["unit_id"]) for doc in found] == [(m, u) for m in months for u in sorted([unit, loft])]
    assert [doc["sold"] for doc in found if doc["unit_id"] == loft][5:8] == [1, 2, 0]
    assert {doc["not_covered"] for doc in found if doc["unit_id"] == unit} == {28, 30, 31}
    assert [(d["month"], d["unit_id"], d["sold"]) for d in caller.every("/occupancy", by="month")][6] == ("2026-07", None, 2)
    assert [(d["month"], d["unit_id"], d["nights"]) for d in caller.every("/occupancy", by="total")] == [(None, None, 730)]
    assert sorted(d["unit_id"] for d in caller.every("/occupancy", by="unit")) == sorted([unit, loft])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-06-05", "until": "2026-06-05"}, "until"),
        ({"from": "2026-06-05", "until": "2027-06-07"}, "until"),
        ({"from": "2026-02-30"}, "from"),
        ({"until": "1999-12-31"}, "until"),
        ({"by": "week"}, "by"),
    ],
)
def test_what_may_be_asked_for(caller, unit, query, field):
    """A year and a day at most; sums that there are."""
    problem = caller.ask("GET", "/occupancy", query=query)

    assert (problem.status, problem.doc["errors"][0]["field"]) == (422, field)


def test_a_unit_that_there_is_not(caller):
    """As in every list."""
    assert caller.ask("GET", "/occupancy", query={"unit_id": "none"}).code == "not-found"


def test_the_description_says_that_it_counts_no_money():
    """Of amounts nothing is known."""
    described = document()["paths"]["/occupancy"]["get"]

    assert "no amounts" in described["description"]
