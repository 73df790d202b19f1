"""Who may what: no route without a role, no call without one that suffices, and no way from one tenant to another."""

from __future__ import annotations

import json
import re

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.http.routers import ROUTERS, load_routers
from bokit.http.routes import document as routes_document
from bokit.http.routing import Routes
from bokit.http.service import Api
from tests.support.caller import OTHER, Caller, about, an_event, by_token, operations
from tests.support.lambda_events import LambdaContext
from tests.support.page_paths import PAGE_PATHS

ROUTES = sorted((method, path, operation.get("x-bokit-role")) for method, path, operation in operations())
UNDER_TOKEN = [route for route in ROUTES if route[2]]
ADMINS = {
    ("DELETE", "/properties/{id}"),
    ("DELETE", "/units/{id}"),
    ("DELETE", "/sources/{id}"),
    ("DELETE", "/collections/{name}"),
    ("POST", "/collections/{name}/empty"),
    ("PUT", "/options/{name}"),
    ("DELETE", "/options/{name}"),
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("GET", "/tokens/{id}"),
    ("PATCH", "/tokens/{id}"),
    ("DELETE", "/tokens/{id}"),
    ("DELETE", "/calendars/{id}"),
    ("GET", "/webhooks"),
    ("POST", "/webhooks"),
    ("GET", "/webhooks/{id}"),
    ("PATCH", "/webhooks/{id}"),
    ("DELETE", "/webhooks/{id}"),
    ("POST", "/webhooks/{id}/rotate"),
    ("POST", "/webhooks/{id}/test"),
    ("GET", "/webhooks/{id}/deliveries"),
    ("POST", "/webhooks/{id}/deliveries/{event_id}/redeliver"),
    ("POST", "/alerts"),
    ("PATCH", "/alerts/{id}"),
    ("DELETE", "/alerts/{id}"),
    ("POST", "/alerts/{id}/test"),
    ("POST", "/guests/find"),
    ("POST", "/guests/export"),
    ("POST", "/guests/erase"),
    ("GET", "/guests/receipts"),
}
OPERATORS = {("GET", "/bookings/{id}/access")}
"""What is read and no viewer's business."""
LISTS = ("/properties", "/units", "/sources", "/bookings", "/conflicts", "/tokens", "/webhooks", "/alerts")
BODIES = {
    ("POST", "/properties"): {"name": "New"},
    ("PATCH", "/properties/{id}"): {"name": "Taken over"},
    ("POST", "/units"): {"name": "New", "property_id": "{property}"},
    ("PATCH", "/units/{id}"): {"name": "Taken over"},
    ("POST", "/sources"): {"name": "New", "unit_id": "{unit}", "url": "https://8.8.8.8/new.ics"},
    ("PATCH", "/sources/{id}"): {"name": "Taken over"},
    ("PATCH", "/bookings/{id}"): {"guest_name": "Taken over"},
    ("PUT", "/bookings/{id}/access"): {"code": "4812"},
    ("PUT", "/options/{name}"): {"value": 900},
    ("POST", "/alerts"): {"kind": "slack", "url": "https://8.8.8.8/new"},
    ("PATCH", "/alerts/{id}"): {"name": "Taken over"},
    ("POST", "/tokens"): {"role": "viewer"},
    ("PATCH", "/tokens/{id}"): {"name": "Taken over"},
    ("POST", "/webhooks"): {"url": "https://8.8.8.8/new"},
    ("PATCH", "/webhooks/{id}"): {"url": "https://8.8.8.8/taken-over"},
    ("PUT", "/collections/{name}/records/{id}"): {"note": "Taken over"},
    ("PATCH", "/collections/{name}/records/{id}"): {"note": "Taken over"},
    ("POST", "/bookings"): {"unit_id": "{unit}", "check_in": "2026-09-01", "check_out": "2026-09-05"},
    ("POST", "/sync/trigger"): {"source_ids": ["{source}"]},
    ("POST", "/sync/start"): {"interval": 60},
    ("POST", "/guests/find"): {"who": "Ada"},
    ("POST", "/guests/export"): {"booking": "{booking}"},
    ("POST", "/guests/erase"): {"bookings": ["{booking}"]},
}
"""A body for each route that takes one; in braces the ids of what it is about."""


def test_every_route_says_which_role_it_needs():
    """A route that was registered without one, past ``serve``, fails here; /health, calendars and the page need none."""
    for router in load_routers():
        registered = {(m, route[0].replace("<", "{").replace(">", "}")) for route in router._routes for m in route[1]}
        assert registered == set(router.roles)
    feeds = ("/feeds/{token}.ics", "/feeds/{token}.json")
    open_to_all = {("GET", path) for path in (*feeds, "/health", *PAGE_PATHS)} | {("HEAD", path) for path in feeds}
    assert {(m, p) for m, p, role in ROUTES if role is None} == open_to_all


def test_every_path_has_one_function_that_serves_it():
    """Each first part of a path is served by one of the three functions, and leads to the router that has it."""
    from functions.api import app as api
    from functions.api_sync import app as api_sync
    from functions.public import app as public

    firsts = [first for module in (api, api_sync, public) for first in module.api.segments]
    assert sorted(firsts) == sorted(ROUTERS)
    assert {path.split("/")[1] for _, path, _ in ROUTES} == set(ROUTERS)
    for first in ROUTERS:
        for router in load_routers(first):
            assert any(path.split("/")[1] == first for _, path in router.roles)


def test_a_route_without_a_role_is_served_to_nobody(app):
    """What is registered past ``serve`` is not there, even for an admin."""
    routes = Routes("careless")

    @routes.get("/secrets")
    def show_secrets() -> str:
        return "secret"

    careless = Api()
    careless.include(routes)
    answer = careless.answer(an_event("GET", "/secrets", authorizer=by_token()), LambdaContext(), lambda: app.bokit)

    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "no-such-route")


def test_the_roles_are_those_that_were_agreed():
    """Viewers read; operators trigger and edit; admins delete, and look after tokens, options and webhooks."""
    for method, path, role in UNDER_TOKEN:
        is_reading = (method == "GET" and (method, path) not in OPERATORS) or path == "/sync/ticket"
        wanted = "admin" if (method, path) in ADMINS else "viewer" if is_reading else "operator"
        assert role == wanted, (method, path)


def test_a_role_is_judged_by_the_route_that_is_asked_for(app, monkeypatch):
    """Each route after the document was made within a request, its router first taken in then: no other's role lets pass."""
    from functions.api import app as api

    for method, path, role in UNDER_TOKEN:
        if path.startswith("/sync/") or role == "viewer":
            continue
        monkeypatch.setattr(api, "api", Api(*api.api.segments))
        routes_document._load_document.cache_clear()
        viewer = app.caller.as_("viewer")
        assert viewer.ask("GET", "/openapi.json").status == 200
        assert viewer.ask(method, re.sub(r"\{\w+\}", "none", path), BODIES.get((method, path))).status == 403


@pytest.mark.parametrize(("method", "path", "role"), UNDER_TOKEN)
def test_a_lesser_role_is_refused_before_anything_is_looked_at(app, method, path, role):
    """403 for every role below the route's, whether the request is valid or not; no 401 or 403 for the others."""
    for other in Role:
        caller = app.caller.as_(other)
        for body in (None, {"nonsense": True}, BODIES.get((method, path))):
            answer = caller.ask(method, re.sub(r"\{\w+\}", "none", path), body)
            # a ticket is issued to a stored token alone, which the tests' is not: "token-invalid"
            is_refused = (answer.status, answer.code) == (403, "forbidden")
            assert is_refused is not other.may(Role(role)), (other, answer)


@pytest.mark.parametrize(("method", "path", "role"), UNDER_TOKEN)
def test_nothing_is_returned_without_a_token(app, method, path, role):
    """401 on every route but /health."""
    for body in (None, BODIES.get((method, path))):
        assert app.caller.ask(method, re.sub(r"\{\w+\}", "none", path), body, authorizer=None).status == 401


def furnish_two(app) -> tuple[dict[str, str], Caller]:
    """Fill both tenants, each with what every route may be about; return the first one's ids, and the second's admin."""
    mine, theirs = app.caller, app.caller.as_(tenant=OTHER)
    ids = app.furnish(mine)
    app.furnish(theirs, "https://8.8.8.8/other.ics")
    app.sync()
    ids["run_id"] = mine.post("/sync/trigger", status=202)["run_id"]
    app.work()
    ids["booking"] = mine.get("/bookings")["items"][0]["id"]
    mine.ask("PATCH", f"/bookings/{ids['booking']}", {"guest_name": "Sentinel Guest", "notes": "sentinel"})
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "hidden"})
    mine.ask("PUT", "/collections/hidden/records/one", {"note": "sentinel"})
    night = {"check_in": "2026-07-11", "check_out": "2026-07-12"}
    assert mine.post("/bookings", {"unit_id": ids["unit"], **night})["conflicts"]
    ids["conflict"] = mine.get("/conflicts")["items"][0]["id"]
    ids["calendar"] = mine.post(f"/units/{ids['unit']}/calendars", {"for": "airbnb"})["id"]
    ids["alert"] = mine.post("/alerts", {"kind": "slack", "url": "https://8.8.8.8/sentinel", "name": "sentinel"})["id"]
    ids["token"] = mine.post("/tokens", {"role": "viewer", "name": "sentinel"})["id"]
    ids["webhook"] = mine.post("/webhooks", {"url": "https://8.8.8.8/sentinel"})["id"]
    mine.ask("PATCH", f"/units/{ids['unit']}", {"name": "Sentinel flat"})
    return ids, theirs


def test_no_id_crosses(app):
    """Every route, asked with another tenant's ids: 404, nothing shown, nothing changed."""
    ids, theirs = furnish_two(app)
    before = [app.caller.ask("GET", p).text for p in LISTS]
    tried = 0

    for method, path, _ in UNDER_TOKEN:
        body = json.loads(re.sub(r"\{(\w+)\}", lambda m: ids[m[1]], json.dumps(BODIES.get((method, path)))))
        if (path == about(path, ids) and "{" not in json.dumps(BODIES.get((method, path)))[1:]) or path.startswith("/options"):
            continue
        answer = theirs.ask(method, about(path, ids), body)
        tried += 1
        assert (answer.status, answer.code) == (404, "not-found"), (method, path, answer)
        assert "entinel" not in answer.text

    assert tried >= 24
    assert [app.caller.ask("GET", p).text for p in LISTS] == before


@pytest.mark.parametrize(
    "query",
    [
        ("/units", "property_id", "property"),
        ("/sources", "unit_id", "unit"),
        ("/bookings", "unit_id", "unit"),
        ("/conflicts", "unit_id", "unit"),
        ("/turnovers", "unit_id", "unit"),
        ("/occupancy", "unit_id", "unit"),
    ],
)
def test_no_filter_crosses(app, query):
    """A filter by another tenant's id finds nothing, and says 404."""
    ids, theirs = furnish_two(app)
    path, name, kind = query

    assert theirs.ask("GET", path, query={name: ids[kind]}).code == "not-found"


def test_lists_hold_ones_own_alone(app):
    """No list, status or history of one tenant shows the other."""
    ids, theirs = furnish_two(app)

    for method, path, _ in UNDER_TOKEN:
        if method == "GET" and "{" not in path:
            query = {"date": "2026-07-11"} if path == "/bookings/explain" else {}
            text = theirs.ask("GET", path, query=query).text
            assert "entinel" not in text
            assert [one for one in ids.values() if one in text] == []


def test_parts_of_another_tenant_are_none(app):
    """A unit can't be made of another tenant's, nor moved under its property."""
    ids, theirs = furnish_two(app)
    unit = theirs.get("/units")["items"][0]["id"]

    assert theirs.ask("PATCH", f"/units/{unit}", {"parts": [ids["unit"]]}).code == "not-found"
    assert theirs.ask("POST", "/units", {"name": "New", "property_id": ids["property"]}).code == "not-found"


@pytest.mark.parametrize(
    "path", ["/properties", "/units", "/sources", "/bookings", "/options", "/tokens", "/sync/history", "/bookings/{id}/changes"]
)
def test_no_cursor_crosses(app, path):
    """A cursor of one tenant's list is refused by the other's, by another list, and by other filters."""
    ids, theirs = furnish_two(app)
    mine = app.caller
    for n in range(2):
        mine.post("/properties", {"name": f"p{n}"})
        mine.post("/units", {"name": f"u{n}", "property_id": ids["property"]})
        mine.post("/sources", {"name": f"s{n}", "unit_id": ids["unit"], "url": f"https://8.8.8.8/{n}.ics"})
        mine.post("/tokens", {})
        mine.post("/sync/trigger", {"source_ids": [ids["source"]]}, status=202)
        app.work()
        app.move(seconds=1)
        mine.ask("PATCH", f"/bookings/{ids['booking']}", {"notes": f"n{n}"})
    cursor = mine.get(path.replace("{id}", ids["booking"]), limit=1)["cursor"]
    assert cursor

    their_booking = theirs.get("/bookings")["items"][0]["id"]
    assert theirs.ask("GET", path.replace("{id}", their_booking), query={"cursor": cursor}).code == "bad-cursor"
    for other in ("/properties", "/units", "/sources", "/bookings", "/options", "/tokens", "/sync/history"):
        if other != path:
            assert mine.ask("GET", other, query={"cursor": cursor}).code == "bad-cursor"
    if path == "/sources":
        assert mine.ask("GET", path, query={"cursor": cursor, "removed": "true"}).code == "bad-cursor"


def test_options_and_monitors_are_each_tenants_own(app):
    """What one sets or starts, the other does not see."""
    _, theirs = furnish_two(app)
    app.caller.ask("PUT", "/options/sync.interval", {"value": 900})
    app.caller.post("/sync/start", {"interval": 60})

    assert theirs.get("/options/sync.interval")["is_set"] is False
    assert theirs.get("/sync/status")["monitor"] is None
    assert theirs.post("/sync/stop", status=200)["stopped"] is False
    assert app.caller.get("/sync/status")["monitor"] is not None


def test_a_key_of_one_tenant_is_free_for_another(app):
    """An Idempotency-Key is its tenant's own."""
    _, theirs = furnish_two(app)
    key = {"Idempotency-Key": "same"}

    mine = app.caller.ask("POST", "/sync/trigger", {"force": True}, headers=key)
    other = theirs.ask("POST", "/sync/trigger", {"force": False}, headers=key)

    assert (mine.status, other.status) == (202, 202)
    assert mine.doc != other.doc


def test_a_tenant_that_was_removed_is_forgotten_within_a_minute(app):
    """A principal that the gateway still remembers is let in for a minute at most."""
    theirs = app.caller.as_(tenant=OTHER)
    assert theirs.ask("GET", "/units").status == 200

    app.bokit.catalog.remove_tenant(OTHER)
    app.move(seconds=61)

    assert theirs.ask("GET", "/units").code == "forbidden"


def test_a_request_wakes_what_is_overdue(app):
    """Under a valid token the tenant's late sources are handed to the queue, once; by /health those of the default tenant."""
    theirs = app.caller.as_(tenant=OTHER)
    app.furnish(theirs, "https://8.8.8.8/other.ics")
    app.move(hours=1)

    app.caller.ask("GET", "/health", authorizer=None)
    app.caller.ask("GET", "/units")
    app.caller.ask("GET", "/units", authorizer=None)
    assert app.sent() == 0
    theirs.ask("GET", "/units")
    theirs.ask("GET", "/units")
    assert app.sent() == 1


def test_health_wakes_the_default_tenant(app):
    """The public API checks the default tenant only."""
    app.furnish()
    app.move(hours=1)

    app.caller.ask("GET", "/health", authorizer=None)

    assert app.sent() == 1
