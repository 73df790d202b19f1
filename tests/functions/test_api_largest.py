"""Every answer, with the largest contents that are accepted, fits into what Lambda lets a function answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.items.limits import MAX_ITEM_BYTES
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.quotas import QUOTAS, QuotaName
from bokit.http.limits import MAX_PAGE_ITEMS, MAX_TEXT_LENGTH
from tests.support.caller import ApiApp, about, an_event, by_token, is_public, operations, serve
from tests.support.feed_bodies import HEADS, airbnb_event
from tests.support.feed_bodies import calendar as airbnb

pytestmark = pytest.mark.slow
MAX_ANSWER_BYTES = 6 * 2**20
"""Of the JSON that a function of Lambda returns, headers and all."""
WIDE = "\N{GRINNING FACE}"
"""Takes four bytes in a feed, and twelve in what Lambda's runtime for Python 3.11 sends."""
QUOTED = '"\\'
"""Takes two bytes, and eight where JSON is inside JSON."""
FIRST = date(2026, 7, 1)
BIG, CROWD, LONG = "https://8.8.8.8/big.ics", "https://8.8.8.8/crowd.ics", "https://8.8.8.8/long.ics"
NOT_BOUNDED_HERE = {"/openapi.json", "/bookings/{id}/access"}
"""One document of ours, and one whose fields are all short and of which there is nothing while door codes are off."""


def event(number: int, start: date, nights: int, text: str) -> str:
    """Return a reservation whose texts are all *text*."""
    end = start + timedelta(days=nights)
    return (
        f"BEGIN:VEVENT\r\nUID:{number:06d}-{len(text)}@big.example\r\nDTSTART;VALUE=DATE:{start:%Y%m%d}\r\nDTEND;VALUE=DATE:{end:%Y%m%d}\r\n"
        f"SUMMARY:Reserved - {text}\r\nDESCRIPTION:{text}\r\nLOCATION:{text}\r\nURL:https://a.example/{number}\r\nEND:VEVENT\r\n"
    )


def calendar(events: Iterator[str]) -> bytes:
    return f"BEGIN:VCALENDAR\r\n{HEADS['vrbo']}{''.join(events)}END:VCALENDAR\r\n".encode()


def add_feed(app: ApiApp, unit: str, url: str, body: bytes) -> str:
    """Add a source whose feed is *body*; return its id."""
    app.shelf.bodies[url] = body
    return str(app.caller.post("/sources", {"name": url[-12:], "unit_id": unit, "url": url})["id"])


class LargestApp(ApiApp):
    """An API whose tenant has the largest of everything."""

    def fill(self) -> dict[str, str]:
        """Fill the table; return an id of each kind."""
        ids = self.furnish()
        ids["source"] = add_feed(self, ids["unit"], BIG, calendar(self.wide_stays(40)))
        crowded = self.caller.post("/units", {"name": WIDE * 200, "property_id": ids["property"]})["id"]
        add_feed(self, crowded, CROWD, airbnb("airbnb", (airbnb_event(n, FIRST, 3) for n in range(150))))
        add_feed(self, crowded, LONG, calendar(event(n, FIRST + timedelta(days=n % 700), 1, f"Guest {n}") for n in range(2000)))
        self.sync()
        self.move(hours=2)
        self.shelf.bodies[BIG] = calendar(event(n, FIRST + timedelta(days=9 * n), 2, "x") for n in range(900, 960))
        self.sync()
        ids["run_id"] = self.caller.post("/sync/trigger", status=202)["run_id"]
        self.work()
        self.fill_bookings(ids)
        self.fill_records()
        self.fill_catalog(ids)
        return ids

    def wide_stays(self, count: int, first: int = 0) -> Iterator[str]:
        """Yield stays with the longest texts."""
        return (event(first + n, FIRST + timedelta(days=3 * n), 2, WIDE * 9_900) for n in range(count))

    def fill_bookings(self, ids: dict[str, str]) -> None:
        """Enter and edit bookings with the longest texts."""
        texts = ("notes", "comments", "guest_name", "summary", "email", "phone", "country", "ota", "ota_reference")
        for n in range(20):
            day = FIRST + timedelta(days=600 + 2 * n)
            body = {"unit_id": ids["unit"], "check_in": str(day), "check_out": str(day + timedelta(days=1))}
            made = self.caller.post("/bookings", {**body, **dict.fromkeys(texts, QUOTED * (MAX_TEXT_LENGTH // 2))})
        ids["booking"] = made["id"]
        for n in range(30):
            self.move(minutes=1)
            raw = json.dumps(dict.fromkeys(texts, f"{n}" + WIDE * 3900), ensure_ascii=False)
            answer = self.caller.ask("PATCH", f"/bookings/{made['id']}", raw=raw)
            assert answer.status == 200, answer
        ids["conflict"] = self.caller.get("/conflicts", limit=1)["items"][0]["id"]
        ids["calendar"] = self.caller.post(f"/units/{ids['unit']}/calendars", {"for": "airbnb"})["id"]

    def fill_records(self) -> None:
        """Write records of the largest size, each edited, one of them often."""
        self.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "hidden"})
        room = MAX_ITEM_BYTES - 200
        for n in range(12):
            text = WIDE * (room // 12) if n % 2 else QUOTED * (room // 4)
            self.put(n or "one", text)
        for n in range(6):
            self.move(minutes=1)
            self.put("one", f"{n}" + WIDE * (room // 12 - 2))

    def put(self, key: object, text: str) -> None:
        """Write a record of one text, in as few bytes as JSON takes."""
        raw = json.dumps({"a": text}, ensure_ascii=False)
        answer = self.caller.ask("PUT", f"/collections/hidden/records/{key}", raw=raw)
        assert answer.status == 200, answer

    def fill_catalog(self, ids: dict[str, str]) -> None:
        """Add as many named things as a page holds, with the longest names."""
        for n in range(MAX_PAGE_ITEMS + 10):
            name = WIDE * 190 + f"{n}"
            self.caller.post("/properties", {"name": name})
            self.caller.post("/units", {"name": name, "property_id": ids["property"]})
            token = self.caller.post("/tokens", {"role": "viewer", "name": name})
            url = f"https://8.8.8.8/{n}/" + "x" * 4000
            self.caller.post("/sources", {"name": name, "unit_id": ids["unit"], "url": url, "enabled": False})
            self.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": f"c{n}", "schema": {"description": QUOTED * 7000}})
            webhook = self.caller.post("/webhooks", {"url": url})
        for n in range(QUOTAS[QuotaName.ALERTS].tenant):
            alert = {"kind": "webhook", "name": WIDE * 190 + f"{n}", "url": "https://8.8.8.8/" + "x" * 1900}
            ids["alert"] = self.caller.post("/alerts", alert)["id"]
        ids["token"], ids["webhook"] = token["id"], webhook["id"]


def name_one(path: str, ids: dict[str, str]) -> str:
    """Return a path about something that there is."""
    return "/options/sync.interval" if path == "/options/{name}" else about(path, ids)


def size_of(answer: dict[str, Any]) -> int:
    """Return the bytes that Lambda's runtime sends, by the encoder that takes more of them."""
    return len(json.dumps(answer))


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> tuple[LargestApp, dict[str, str]]:
    """The API with the largest contents, and an id of each kind."""
    app = LargestApp(monkeypatch)
    return app, app.fill()


def pages(path: str, query: dict[str, Any], names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield every page of a list, or the one answer of another route."""
    for _ in range(2000):
        answer = serve(an_event("GET", path, query=query, authorizer=by_token()))
        yield answer
        cursor = json.loads(answer["body"]).get("cursor") if "cursor" in names and answer["statusCode"] == 200 else None
        if cursor is None:
            return
        query = {**query, "cursor": cursor}
    raise AssertionError("the list does not end")


def more_requests(app: LargestApp, ids: dict[str, str]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield previews of a calendar of long texts and of one of many events, and dry runs of all large sources."""
    long_texts, many = (
        app.wide_stays(40, first=5000),
        (event(n, FIRST + timedelta(days=n % 700), 1, "G") for n in range(9000, 18_000)),
    )
    for name, events in (("long", long_texts), ("many", many)):
        url = f"https://8.8.8.8/preview-{name}.ics"
        app.shelf.bodies[url] = calendar(events)
        yield f"/sources {name}", {"preview": "true"}, {"name": name, "unit_id": ids["unit"], "url": url}
    app.shelf.bodies[BIG] = calendar(app.wide_stays(40))
    for source in app.bokit.catalog.sources.list_sources(DEFAULT_TENANT):
        if source.url in (BIG, CROWD, LONG):
            app.shelf.bodies[source.url] = app.shelf.bodies[source.url].replace(b"Guest", b"Other")
            yield f"/sync/trigger {source.name}", {}, {"source_ids": [source.id], "dry_run": True}


def test_every_answer_fits(largest: tuple[LargestApp, dict[str, str]], record_property: Any) -> None:
    """All routes that show something, page by page to the end; previews and dry runs too. Each item comes once."""
    app, ids = largest
    sizes: dict[str, int] = {}
    tried = 0
    for method, path, operation in operations():
        if method != "GET" or path in NOT_BOUNDED_HERE or is_public(path):
            continue
        names = [given["name"] for given in operation.get("parameters", ())]
        query: dict[str, Any] = {"limit": MAX_PAGE_ITEMS} if "limit" in names else {}
        query |= {"date": str(FIRST + timedelta(days=1))} if "date" in names else {}
        seen: list[str] = []
        for answer in pages(name_one(path, ids), query, names):
            assert answer["statusCode"] == 200, (path, answer["body"][:300])
            tried += 1
            sizes[path] = max(sizes.get(path, 0), size_of(answer))
            seen += [json.dumps(item, sort_keys=True) for item in json.loads(answer["body"]).get("items", [])]
        assert len(seen) == len(set(seen)), path
    for name, query, body in more_requests(app, ids):
        answer = serve(an_event("POST", name.partition(" ")[0], query=query, body=json.dumps(body), authorizer=by_token()))
        assert answer["statusCode"] == 200, (name, answer["body"][:300])
        tried += 1
        sizes[f"POST {name}"] = size_of(answer)
    record_property("answers", tried)
    record_property("largest", max(sizes.values()))
    assert len(sizes) > 28
    assert {path: size for path, size in sizes.items() if size > MAX_ANSWER_BYTES} == {}


def test_a_path_that_names_what_is_there(largest: tuple[LargestApp, dict[str, str]]) -> None:
    """No path of the document is left with a name in braces."""
    _, ids = largest
    assert [p for _, p, _ in operations() if re.search(r"[{}]", name_one(p, ids))] == []
