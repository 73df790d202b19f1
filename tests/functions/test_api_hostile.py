"""Hostile dates, numbers, texts, cursors and names in every parameter and field of every route: none is answered with 500.

Unlike in ``test_api_fuzz`` the values are fixed, and each is sent in each place. The tests count what they tried.
"""

from __future__ import annotations

import base64
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.model import cursors
from bokit.http.routers import load_routers
from bokit.http.routing import query_names
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.store import DynamoStore
from tests.support.caller import ApiApp, document, operations
from tests.support.small_page import SCRIPT

DATES = [
    *("0000-00-00", "0001-01-01", "1970-01-01", "1999-12-31", "2000-01-01", "2026-02-29", "2026-02-30", "2026-13-01"),
    *("2026-00-10", "2199-12-31", "2200-01-01", "9999-12-30", "9999-12-31", "10000-01-01", "-999-01-01", "2026-7-1"),
    *("20260701", "2026-W01-1", "2026-07-01T00:00:00Z"),
]
DATES += ["2026-07-01\n", " 2026-07-01", "\u0662\u0660\u0662\u0666-\u0660\u0667-\u0660\u0661"]
NUMBERS = f"0 -0 -1 1 201 1.5 1e3 1e309 NaN Infinity 0x10 +1 1_0 {2**31} {2**63} {2**64} \uff11 \u00b2 {'9' * 5000}".split()
TEXTS = ["", " ", "a\nb", "\0", "\ud800", "\u2028", "\U0001f3e0", "null", "true", "[]", "'\"", "<x>", "%00", "%2e%2e", ".", ".."]
TEXTS += [
    "a.b.c",
    "a~b",
    "#",
    "a#b",
    "*",
    "W/*",
    "-",
    "_",
    ",",
    ",,",
    "=" * 9,
    "x" * 1023,
    "x" * 5000,
    "\u00e9" * 2000,
    "secret:",
]
HOSTILE = [*DATES, *NUMBERS, *TEXTS]
JSON_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    0.5,
    1e300,
    2**53,
    2**64,
    -(2**63),
    [],
    {},
    [[]],
    [None],
    {"": 0},
    *TEXTS[:6],
    *TEXTS[-6:],
]
OPERATIONS = [(method, path) for method, path, _ in operations()]
BODIES: dict[str, dict[str, Any]] = {
    "/properties": {"name": "New"},
    "/units": {"name": "New", "property_id": "{properties}"},
    "/sources": {"name": "New", "unit_id": "{units}", "url": "https://new.example/x.ics"},
    "/tokens": {"name": "New"},
    "/webhooks": {"url": "https://8.8.8.8/new"},
    "/alerts": {"kind": "webhook", "url": "https://8.8.8.8/new"},
    "/sync/start": {"interval": 300},
    "/options/{name}": {"value": 3600},
    "/bookings/{id}/access": {"code": "4812"},
    "/guests/find": {"who": "Ada"},
    "/guests/export": {"booking": "{bookings}"},
    "/guests/erase": {"bookings": ["{bookings}"]},
}
"""The least body of each route that needs one."""


class HostileApp(ApiApp):
    """An API with some of everything, and valid values of the parameters of every route."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Any = None) -> None:
        super().__init__(monkeypatch, store)
        self.tried: Counter[str] = Counter()
        self.days = itertools.count()
        self.ids = {
            "options": "sync.interval",
            "collections": "clients",
            "records": "1",
            "conflicts": "none",
            "feeds": "x",
            "deliveries": "evt_1",
            "assets": SCRIPT,
            "icons": "icon.svg",
        }
        ids = self.furnish()
        self.ids |= {"properties": ids["property"], "units": ids["unit"], "sources": ids["source"]}
        self.sync()
        for first, end in (("2026-07-01", "2026-07-09"), ("2026-07-05", "2026-07-12")):
            body = {"unit_id": ids["unit"], "check_in": first, "check_out": end}
            self.ids["bookings"] = self.caller.post("/bookings", body)["id"]
        self.caller.ask("PUT", "/options/access.codes", {"value": True})
        self.ids["conflicts"] = self.caller.get("/conflicts")["items"][0]["id"]
        self.ids["webhooks"] = self.caller.post("/webhooks", {"url": "https://8.8.8.8/hook"})["id"]
        self.ids["alerts"] = self.caller.post("/alerts", {"kind": "webhook", "url": "https://8.8.8.8/hook"})["id"]
        self.ids["tokens"] = self.caller.post("/tokens", {"name": "a"})["id"]
        self.ids["calendars"] = self.caller.post(f"/units/{ids['unit']}/calendars")["id"]
        self.ids["sync"] = self.caller.get("/sync/history")["items"][0]["run_id"]
        self.bokit.catalog.collections.declare(self.caller.authorizer["lambda"]["tenant"], {"name": "clients"})
        self.caller.ask("PUT", "/collections/clients/records/1", {"name": "x"})

    def path(self, path: str, place: str = "", value: str = "") -> str:
        """Return a path with valid parameters, but for the one at *place*."""
        parts = path.strip("/").split("/")
        for n, part in enumerate(parts):
            name = part.removesuffix(".ics")
            if name.startswith("{"):
                text = value if name[1:-1] == place and (place != "id" or n == max(_ids(parts))) else self.ids[_list_of(parts, n)]
                parts[n] = text + part.removeprefix(name)
        return "/" + "/".join(parts)

    def body(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the least body of a route; every booking has nights of its own."""
        if method not in ("POST", "PUT", "PATCH"):
            return None
        if (method, path) == ("POST", "/bookings"):
            day = date(2027, 1, 1) + timedelta(days=next(self.days))
            return {"unit_id": self.ids["units"], "check_in": str(day), "check_out": str(day + timedelta(days=1))}
        body = BODIES.get(path, {}) if method in ("POST", "PUT") else {}
        return {name: self.ids[v[1:-1]] if isinstance(v, str) and v.startswith("{") else v for name, v in body.items()}

    def send(self, method: str, path: str, what: str, *, body: Any = None, **given: Any) -> None:
        """Send one request: no answer is 500, and each is as the document says."""
        answer = self.caller.ask(method, path, body, **given)
        assert answer.status < 500, (method, path, what, given, body)
        self.tried[what] += 1


def _ids(parts: list[str]) -> list[int]:
    return [n for n, part in enumerate(parts) if part == "{id}"] or [0]


def _list_of(parts: list[str], place: int) -> str:
    """Return the name of the list that the parameter at *place* is of."""
    return parts[0] if parts[0] == "sync" else parts[place - 1]


def parameters(method: str, path: str) -> list[tuple[str, str, bool]]:
    """Return where each parameter of an operation is, its name, and whether it is required."""
    (operation,) = [o for m, p, o in operations() if (m, p) == (method, path)]
    return [(p["in"], p["name"], p.get("required", False)) for p in operation.get("parameters", ())]


def fields(method: str, path: str) -> dict[str, Any]:
    """Return the fields of an operation's body."""
    (operation,) = [o for m, p, o in operations() if (m, p) == (method, path)]
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document()["components"]["schemas"][name]["properties"] if name else {}
    return found


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> HostileApp:
    return HostileApp(monkeypatch)


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{m} {p}" for m, p in OPERATIONS])
def test_no_value_of_a_parameter_breaks_a_route(hostile: HostileApp, method: str, path: str) -> None:
    """Every hostile value in every parameter, and every name of a parameter that the route does not know."""
    mine = parameters(method, path)
    needed = {name: "2026-07-01" for where, name, required in mine if where == "query" and required}
    for where, name, _ in mine:
        for value in HOSTILE:
            target, query, headers = hostile.path(path), dict(needed), {}
            if where == "path":
                if "/" in value or not value:
                    continue
                target = hostile.path(path, name, value)
            elif where == "query":
                query[name] = value
            else:
                headers[name.lower()] = value
            body = hostile.body(method, path)
            hostile.send(method, target, f"{where} {name}", body=body, query=query, headers=headers)
    for name in ("unknown", "", "\u2028", "x" * 5000):
        hostile.send(method, hostile.path(path), "name", body=hostile.body(method, path), query={**needed, name: "1"})

    assert all(hostile.tried[f"{where} {name}"] >= len(HOSTILE) - 2 for where, name, _ in mine)
    assert hostile.tried["name"] == 4


WITH_FIELDS = [(method, path) for method, path in OPERATIONS if fields(method, path)]


@pytest.mark.parametrize(("method", "path"), WITH_FIELDS, ids=[f"{m} {p}" for m, p in WITH_FIELDS])
def test_no_value_of_a_field_breaks_a_route(hostile: HostileApp, method: str, path: str) -> None:
    """Every hostile value in every field of every body; dates in the fields that are dates."""
    for name, schema in fields(method, path).items():
        values = [*JSON_VALUES, *(DATES if "date" in str(schema) else ())]
        for value in values:
            body = {**(hostile.body(method, path) or {}), name: value}
            hostile.send(method, hostile.path(path), name, body=body)
        assert hostile.tried[name] == len(values)


LISTS = [(method, path) for method, path in OPERATIONS if ("query", "cursor", False) in parameters(method, path)]


@pytest.fixture(params=["memory", pytest.param("table", marks=pytest.mark.slow)])
def on_each_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileApp]:
    """The API on each store."""
    if request.param == "memory":
        yield HostileApp(monkeypatch)
        return
    with mock_aws():
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        create_table("bokit", region="us-east-1")
        yield HostileApp(monkeypatch, DynamoStore("bokit", region="us-east-1"))


@pytest.mark.parametrize("path", [path for _, path in LISTS])
def test_no_forged_cursor_breaks_a_list(on_each_store: HostileApp, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """A cursor whose seal is right and whose position is not: the first page, another page, or 400."""
    app = on_each_store
    monkeypatch.setattr(cursors, "_seal", lambda list_id: b"12345678")
    values = [*HOSTILE, "0/", "0/x", "7/x", "-1/x", "\0", "a\0b\0c", "\0\0\0", *("9" * n for n in (300, 3000))]
    for value in values:
        forged = base64.urlsafe_b64encode(b"12345678" + value.encode("utf-8", "surrogatepass")).decode().rstrip("=")
        app.send("GET", app.path(path), "cursor", query={"cursor": forged, "limit": "1"})
    assert app.tried["cursor"] == len(values)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p in OPERATIONS if "{" in p and m in ("GET", "PATCH")])
def test_no_id_breaks_the_table(monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    """Every hostile text as an id, on the table, whose keys have a length."""
    with mock_aws():
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        create_table("bokit", region="us-east-1")
        app = HostileApp(monkeypatch, DynamoStore("bokit", region="us-east-1"))
        for _, name, _ in (p for p in parameters(method, path) if p[0] == "path"):
            for value in (text for text in TEXTS if text and "/" not in text):
                app.send(method, app.path(path, name, value), name, body=app.body(method, path))
        assert set(app.tried.values()) == {len(TEXTS) - 2}


def test_an_unknown_parameter_is_named(hostile: HostileApp) -> None:
    """``?unit=`` for ``?unit_id=`` would return everything: it is refused, with the names that there are."""
    answer = hostile.caller.ask("GET", "/sources", query={"unit": hostile.ids["units"]})
    assert (answer.status, answer.code) == (400, "unknown-parameter")
    assert answer.doc["detail"] == "no such query parameter: unit; known: unit_id, removed, limit, cursor"
    assert answer.doc["errors"][0]["field"] == "unit"
    assert answer.doc["known"] == "unit_id, removed, limit, cursor"
    none = hostile.caller.ask("GET", "/sync/history/x", query={"page": "2"})
    assert none.doc["detail"] == "no such query parameter: page; this route takes none"


def test_public_routes_take_any_parameter(hostile: HostileApp) -> None:
    """Platforms add parameters of their own to a calendar's address, and probes to the check of health."""
    url = hostile.caller.get(f"/calendars/{hostile.ids['calendars']}")["url"].removeprefix("https://api.example")
    assert hostile.caller.ask("GET", url, query={"t": "123"}).status == 200
    assert hostile.caller.ask("GET", "/health", query={"t": "123"}).status == 200


def test_a_viewer_learns_no_parameters_of_what_it_may_not_use(hostile: HostileApp) -> None:
    """Without the role, an unknown parameter is 403 as all else."""
    assert hostile.caller.as_("viewer").ask("GET", "/tokens", query={"unit": "x"}).status == 403


def test_the_names_that_are_known_are_those_of_the_document() -> None:
    """What a route accepts and what the document lists are the same, for every route."""
    served = {key: func for router in load_routers() for key, func in router.served.items()}
    assert served.keys() == set(OPERATIONS)
    for (method, path), func in served.items():
        assert list(query_names(func)) == [name for where, name, _ in parameters(method, path) if where == "query"]
