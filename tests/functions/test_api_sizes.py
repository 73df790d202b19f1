"""Answers are bounded in bytes: pages, status and dry runs end before they are too large, and the rest comes with the cursor."""

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.http.limits import MAX_PAGE_BYTES
from tests.support.caller import ApiApp, Caller

SMALL_PAGE = 3000
"""Bytes."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pages of few bytes, so that few items are too many."""
    for module in ("paging", "replies"):
        monkeypatch.setattr(f"bokit.http.{module}.MAX_PAGE_BYTES", SMALL_PAGE)
    return SMALL_PAGE


def every(caller: Caller, path: str, name: str = "items", **query: Any) -> tuple[list[Any], list[int]]:
    """Return every item of a list, and how many came with each page; no page but of one item is too large."""
    found: list[Any] = []
    counts: list[int] = []
    cursor: str | None = None
    while True:
        answer = caller.ask("GET", path, query={**query, "limit": 200, **({"cursor": cursor} if cursor else {})})
        assert answer.status == 200, answer
        items = answer.doc[name]
        assert len(items) == 1 or len(answer.text) < SMALL_PAGE + 700
        found, counts, cursor = found + items, [*counts, len(items)], answer.doc["cursor"]
        if cursor is None:
            return found, counts


def test_a_page_of_large_items_ends_early(app: ApiApp, small: int) -> None:
    """A list that the engine returns whole: large bookings come in pages of few, each once."""
    unit = app.furnish()["unit"]
    for day in range(10, 28):
        body = {"unit_id": unit, "check_in": f"2026-09-{day}", "check_out": f"2026-09-{day + 1}", "notes": "x" * 700}
        app.caller.post("/bookings", body)
    app.caller.post("/bookings", {"unit_id": unit, "check_in": "2026-09-28", "check_out": "2026-09-29", "notes": "x" * 4000})
    found, counts = every(app.caller, "/bookings")
    assert len({doc["id"] for doc in found}) == len(found) == 19
    assert len(counts) > 9


def test_a_page_that_the_store_cut_ends_early(app: ApiApp, small: int) -> None:
    """Records, and the changes of one, come in pages of few where they are large; each once."""
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "clients"})
    for n in range(12):
        for text in ("x", "y"):
            assert app.caller.ask("PUT", f"/collections/clients/records/{n:02}", {"name": text * 1000}).status == 200
            app.move(minutes=1)
    for _ in range(5):
        for text in ("x", "y"):
            app.caller.ask("PUT", "/collections/clients/records/00", {"name": text * 1000})
            app.move(minutes=1)
    records, counts = every(app.caller, "/collections/clients/records")
    assert [doc["id"] for doc in records] == sorted(doc["id"] for doc in records)
    assert (len(records), max(counts)) == (12, 2)
    changes, counts = every(app.caller, "/collections/clients/records/00/changes")
    assert (len(changes), len({doc["at"] for doc in changes})) == (12, 12)
    assert max(counts) <= 2


def test_the_status_is_paged(app: ApiApp, small: int) -> None:
    """The sources of the status come in pages by rows and by bytes, with the totals of all on each."""
    unit = app.furnish()["unit"]
    for n in range(20):
        url = f"https://feeds.example/{n}.ics"
        app.caller.post("/sources", {"name": f"Feed {n:02}", "unit_id": unit, "url": url})
    first = app.caller.get("/sync/status", limit=5)
    assert (len(first["sources"]), first["totals"]["sources"]) == (5, 21)
    second = app.caller.get("/sync/status", limit=5, cursor=first["cursor"])
    assert second["totals"] == first["totals"]
    assert not {s["source_id"] for s in first["sources"]} & {s["source_id"] for s in second["sources"]}
    found, counts = every(app.caller, "/sync/status", "sources")
    assert len({s["source_id"] for s in found}) == len(found) == 21
    assert len(counts) > 1


def test_a_night_of_many_units_is_explained_page_by_page(app: ApiApp) -> None:
    """One item for each unit, by name, and no unit twice."""
    house = app.caller.post("/properties", {"name": "House"})["id"]
    for n in (3, 1, 2, 5, 4):
        app.caller.post("/units", {"name": f"Room {n}", "property_id": house})
    first = app.caller.get("/bookings/explain", date="2026-07-01", limit=3)
    rest = app.caller.get("/bookings/explain", date="2026-07-01", limit=3, cursor=first["cursor"])
    assert [doc["unit"] for doc in first["items"] + rest["items"]] == [f"Room {n}" for n in range(1, 6)]
    assert rest["cursor"] is None


def test_a_dry_run_shows_as_much_of_its_plan_as_fits(app: ApiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that is too large is cut, and says how large it is; the counts are those of all."""
    source = app.furnish()["source"]
    whole = app.caller.post("/sync/trigger", {"source_ids": [source], "dry_run": True}, status=200)
    assert (len(whole["plan"]), "plan_total" in whole) == (2, False)
    monkeypatch.setattr("bokit.engine.runs.queued_runs.MAX_PLAN_BYTES", len(str(whole["plan"][0])) + 50)
    cut = app.caller.post("/sync/trigger", {"source_ids": [source], "dry_run": True}, status=200)
    assert (cut["plan"], cut["plan_total"], cut["counts"]) == (whole["plan"][:1], 2, whole["counts"])


def test_one_source_is_read_alone(app: ApiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """``GET /sources/{id}`` loads the heads of no other source, however many the tenant has."""
    ids = app.furnish()
    for n in range(5):
        app.caller.post("/sources", {"name": f"Feed {n}", "unit_id": ids["unit"], "url": f"https://feeds.example/{n}.ics"})
    app.sync()
    before = app.caller.get("/sync/status")["sources"]
    monkeypatch.setattr(app.store, "load_heads", None)
    monkeypatch.setattr(app.store, "load_sources", None)
    shown = app.caller.get(f"/sources/{ids['source']}")
    (mine,) = [doc for doc in before if doc["source_id"] == ids["source"]]
    assert {name: shown[name] for name in ("state", "last_success_at", "next_due_at")} == {
        name: mine[name] for name in ("state", "last_success_at", "next_due_at")
    }
    assert shown["state"] == "ok"


def test_pages_have_room_in_a_response() -> None:
    """What one page may have, with its largest item, is less than Lambda's 6 MB."""
    assert MAX_PAGE_BYTES + 400_000 < 6 * 2**20
