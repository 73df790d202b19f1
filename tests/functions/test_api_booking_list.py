"""The list of bookings: its orders, what a page of it reads, and the nights that dates do not say."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS
from tests.support.caller import ApiApp, Caller
from tests.support.terminal import URL, a_feed, an_event

UNITS, EACH, LIMIT = 12, 5, 4


def read_pages(caller: Caller, **query: Any) -> list[list[str]]:
    """Return the ids of the bookings of every page of the list."""
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        doc = caller.get("/bookings", limit=LIMIT, **query, **({"cursor": cursor} if cursor else {}))
        pages.append([booking["id"] for booking in doc["items"]])
        cursor = doc["cursor"]
        if cursor is None:
            return pages


@pytest.fixture
def reads(app: ApiApp, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the bookings of each unit were read; the units are there, with bookings."""
    place = app.caller.post("/properties", {"name": "Villa Rosa"})["id"]
    units = [app.caller.post("/units", {"name": f"Flat {n}", "property_id": place})["id"] for n in range(UNITS)]
    for unit in units:
        for day in range(10, 10 + EACH):
            app.caller.post("/bookings", {"unit_id": unit, "check_in": f"2026-09-{day}", "check_out": f"2026-09-{day + 1}"})
    found: Counter[str] = Counter()
    load = app.store.load_records

    def load_records(tenant: Any, collection: Any, scope: Any) -> Any:
        found[str(scope)] += collection == BOOKINGS
        return load(tenant, collection, scope)

    monkeypatch.setattr(app.store, "load_records", load_records)
    return found


def test_a_page_in_the_order_of_units_reads_the_units_that_it_shows(app: ApiApp, reads: Counter[str]) -> None:
    """Every booking comes once, unit after unit; by arrival each page reads every unit."""
    by_unit = read_pages(app.caller, order="unit")
    pages = len(by_unit)
    assert pages == UNITS * EACH // LIMIT
    assert sum(reads.values()) <= UNITS + 2 * pages
    reads.clear()
    by_arrival = read_pages(app.caller)
    assert sum(reads.values()) == UNITS * pages
    found = [*chain(*by_unit)]
    assert sorted(found) == sorted(chain(*by_arrival)) == sorted(set(found))
    bookings = {b["id"]: b for b in app.caller.get("/bookings", limit=200)["items"]}
    keys = [(bookings[i]["unit_id"], bookings[i]["check_in"], i) for i in found]
    assert keys == sorted(keys)


def test_what_comes_and_goes_between_two_pages_moves_no_other_booking(app: ApiApp, reads: Counter[str]) -> None:
    """The next page begins after a booking, not at a number; a cursor of one order is refused in the other."""
    whole = [*chain(*read_pages(app.caller, order="unit"))]
    first = app.caller.get("/bookings", order="unit", limit=LIMIT)
    unit = first["items"][0]["unit_id"]
    app.caller.post("/bookings", {"unit_id": unit, "check_in": "2026-08-01", "check_out": "2026-08-02"})
    found = [b["id"] for b in first["items"]]
    cursor = first["cursor"]
    assert app.caller.ask("GET", "/bookings", query={"limit": LIMIT, "cursor": cursor}).status == 400
    while cursor:
        page = app.caller.get("/bookings", order="unit", limit=LIMIT, cursor=cursor)
        found, cursor = found + [b["id"] for b in page["items"]], page["cursor"]
    assert found == whole


def test_nights_that_are_not_those_of_the_dates_are_given(app: ApiApp) -> None:
    """A person shortens a booking: the source still closes the rest. An ordinary booking says nothing of it."""
    app.furnish()
    app.sync()
    july, august = app.caller.get("/bookings")["items"]
    assert "held_nights" not in august
    edited = app.caller.ask("PATCH", f"/bookings/{july['id']}", {"check_out": "2026-07-12"}).doc
    assert edited["held_nights"] == [[july["check_in"], july["check_out"]]]
    released = app.caller.ask("PATCH", f"/bookings/{july['id']}", {"release": True}).doc
    assert "held_nights" not in released


def test_nights_of_a_feed_that_is_held_back_are_given(app: ApiApp) -> None:
    """Another listing's calendar closes nights, which are held and named as such; its window holds them."""
    app.furnish()
    app.sync()
    app.shelf.bodies[URL] = a_feed(*(an_event(n, f"2026-09-{n}", f"2026-09-{n + 2}") for n in (10, 14, 18)))
    app.move(hours=1)
    app.sync()
    (window,) = app.caller.get("/bookings", kind="window")["items"]
    spans = [["2026-09-10", "2026-09-12"], ["2026-09-14", "2026-09-16"], ["2026-09-18", "2026-09-20"]]
    assert (window["provisional_nights"], window["held_nights"]) == (spans, spans)
