"""Errors are problem documents with a stable code; nothing that a caller sends is a server error."""

from __future__ import annotations

import base64
import json
import logging
from datetime import timedelta

import pytest

from bokit.errors import BokitError, SourceUnavailableError, StoreConflictError, StoreUnreachableError
from bokit.values import force_setattr
from tests.support.builders import NAUGHTY_STRINGS
from tests.support.caller import by_token, operations
from tests.support.terminal import URL

BODIES = sorted((m, p) for m, p, operation in operations() if operation.get("requestBody"))
CLOSED = [(m, p) for m, p in BODIES if not p.startswith("/collections/")]
"""Those whose fields are named; a record may have any."""
PATHS = sorted((m, p) for m, p, _ in operations() if "{" in p)
LISTS = sorted(p for m, p, operation in operations() if any(q["name"] == "cursor" for q in operation.get("parameters", ())))


def fill(path: str, word: str = "none") -> str:
    """Return a path with its parameters filled in."""
    return "/".join(word if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        ("{", 400, "bad-json"),
        (" ", 400, "bad-json"),
        ("\x0c", 400, "bad-json"),
        ("[]", 400, "bad-json"),
        ('["a"]', 400, "bad-json"),
        ("null", 400, "bad-json"),
        ('"text"', 400, "bad-json"),
        ('{"name": NaN}', 400, "bad-json"),
        ('{"name": 1e999}', 400, "bad-json"),
        ("[" * 5000, 400, "bad-json"),
        ('{"a":' * 500 + "1" + "}" * 500, 400, "bad-json"),
        ('{"a":' * 40 + "1" + "}" * 40, 400, "bad-json"),
        ('{"name": "\\u0000"}', 400, "bad-text"),
        ('{"name": "\\ud800"}', 400, "bad-text"),
        ('{"\\udfff": 1}', 400, "bad-text"),
        ('{"name": "' + "x" * 262_144 + '"}', 413, "too-large"),
        ('{"name": ' + "9" * 5000 + "}", 400, "bad-json"),
    ],
)
def test_a_bad_body_is_refused(caller, method, path, raw, status, code):
    """Whatever is sent in place of the document's object, on every route that takes one."""
    answer = caller.ask(method, fill(path), raw=raw)

    assert (answer.status, answer.code) == (status, code)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_field_that_is_none_is_refused(caller, method, path):
    """On every route whose fields are named."""
    assert caller.ask(method, fill(path), {"nonsense": 1}).code in ("unknown-field", "bad-field")


def test_an_unknown_field_is_named(caller):
    """A misspelt field is never silently ignored."""
    answer = caller.ask("POST", "/properties", {"name": "Villa", "timezon": "Europe/Rome"})

    assert (answer.status, answer.code) == (422, "unknown-field")
    assert answer.doc["errors"] == [{"field": "timezon", "message": "no such field"}]


def test_a_whole_number_may_have_a_point(caller):
    """900.0 is 900, as JSON Schema has it; 900.5 is not."""
    assert caller.ask("PUT", "/options/sync.interval", {"value": 900.0}).doc["value"] == 900
    assert caller.ask("POST", "/sync/start", {"interval": 60.5}).code == "bad-field"


def test_a_duration_is_seconds_or_a_text_everywhere(app, caller):
    """Of a monitor, a source, a token, an option: "30m" is 1800; what is not one, or too short, names its field."""
    source, later = f"/sources/{app.furnish()['source']}", app.clock() + timedelta(days=90)

    assert caller.ask("PATCH", source, {"interval": "30m", "cancel_after": " 2 H "}).doc["interval"] == 1800
    assert caller.get(source)["cancel_after"] == 7200
    assert caller.post("/tokens", {"expires_in": "90d"})["expires_at"] == f"{later:%Y-%m-%dT%H:%M:%SZ}"
    assert caller.ask("PUT", "/options/sync.interval", {"value": "30m"}).doc["value"] == 1800
    assert caller.post("/sync/start", {"interval": "30m"})["interval"] == 1800
    for path, method in (("/sync/start", "POST"), (source, "PATCH")):
        for text in ("59s", "often", "9999999d", "1.5h", "-5m", ""):
            answer = caller.ask(method, path, {"interval": text})
            assert (answer.status, [e["field"] for e in answer.doc["errors"]]) == (422, ["interval"]), text


def test_every_wrong_field_is_named_at_once(caller):
    """Missing, of another type, and too long: one answer."""
    answer = caller.ask(
        "POST", "/sources", {"name": "x" * 201, "interval": "often", "enabled": "yes", "url": "https://a.example"}
    )

    assert {e["field"] for e in answer.doc["errors"]} == {"unit_id", "name", "interval", "enabled"}


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}])
def test_a_body_that_is_json_needs_no_media_type(caller, headers):
    """curl without a header works."""
    assert caller.ask("POST", "/properties", {"name": "Villa"}, headers=headers).status == 201


def test_an_encoded_body_is_read(caller):
    """The gateway may send a body in base64; one that is none is refused."""
    text = base64.b64encode(json.dumps({"name": "Casa dell’Olmo"}).encode()).decode()

    assert caller.ask("POST", "/properties", raw=text, encoded=True).doc["name"] == "Casa dell’Olmo"
    assert caller.ask("POST", "/properties", raw="%%%", encoded=True).code == "bad-json"
    assert caller.ask("POST", "/properties", raw=base64.b64encode(b'{"name": "\xff"}').decode(), encoded=True).code == "bad-json"


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "word", ["none", "a#b", "x" * 3000, "T#other#", "..", "%00", "%2e%2e", "ünï", "{id}", "<id>", "a b", "unit_1.x.y"]
)
def test_an_id_that_is_none_is_not_found(app, caller, method, path, word):
    """404 with a code, or 422 where the body is looked at first; never a server's error."""
    app.furnish()
    body = {"PATCH": {}, "PUT": {"code": "4812"} if path.endswith("/access") else {"value": 1}}.get(method)

    answer = caller.ask(method, fill(path, word), body)

    if method == "HEAD":  # it returns its status alone
        assert answer.status == 404
        return
    assert (answer.status, answer.code) in {(404, "not-found"), (404, "no-such-route"), (404, "unknown-option")}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": "0"}, 422),
        ({"limit": "201"}, 422),
        ({"limit": "x"}, 422),
        ({"limit": "-1"}, 422),
        ({"limit": ""}, 422),
        ({"limit": "1,2"}, 422),
        ({"cursor": "x"}, 400),
        ({"cursor": "é"}, 400),
        ({"cursor": "AAAAAAAAAAA"}, 400),
        ({"cursor": ""}, 400),
        ({"cursor": "x" * 5000}, 422),
        ({"cursor": "\0"}, 400),
    ],
)
def test_a_bad_limit_or_cursor_is_refused(app, caller, path, query, status):
    """400 bad-cursor, or 422 with the field's name."""
    ids = app.furnish()
    app.sync()
    booking = caller.get("/bookings", unit_id=ids["unit"])["items"][0]["id"]

    app.bokit.catalog.collections.declare("default", {"name": "settings"})
    caller.ask("PUT", "/collections/settings/records/main", {"theme": "dark"})
    path = path.replace("{name}", "settings")

    webhook = caller.post("/webhooks", {"url": "https://8.8.8.8/hook"})["id"]
    about = {"collections": "main", "units": ids["unit"], "webhooks": webhook}.get(path.split("/")[1], booking)

    asked = {"unit_id": ids["unit"], "date": "2026-12-24"} if path == "/bookings/explain" else {}
    answer = caller.ask("GET", fill(path, about), query={**asked, **query})

    assert answer.status == status
    assert answer.code in ("bad-cursor", "bad-field", "bad-text")


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-13-01"},
        {"from": "yesterday"},
        {"until": "2026-02-30"},
        {"from": "2026-07-02", "until": "2026-07-01"},
        {"status": "nope"},
        {"kind": "nope"},
        {"kind": ""},
        {"status": "confirmed,"},
        {"from": "0"},
    ],
)
def test_a_filter_that_says_nothing_is_refused(caller, query):
    """A filter is never silently dropped."""
    answer = caller.ask("GET", "/bookings", query=query)

    assert (answer.status, answer.code) == (422, "bad-field")
    assert answer.doc["errors"][0]["field"] in query


@pytest.mark.parametrize("text", NAUGHTY_STRINGS)
def test_naughty_strings_are_taken_or_refused(app, caller, text):
    """In names, filters and edits: kept as they are, or 4xx."""
    ids = app.furnish()
    app.sync()
    booking = caller.get("/bookings")["items"][0]["id"]
    asked = [
        caller.ask("POST", "/properties", {"name": text}),
        caller.ask("PATCH", f"/sources/{ids['source']}", {"name": text, "timezone": text}),
        caller.ask("PATCH", f"/bookings/{booking}", {"guest_name": text, "status": text}),
        caller.ask("PATCH", f"/bookings/{booking}", {"notes": text}),
        caller.ask("POST", "/sync/trigger", {"unit_id": text, "collection": text}),
        caller.ask("PUT", "/options/timezone", {"value": text}),
        caller.ask("GET", "/bookings", query={"unit_id": text}),
        caller.ask("GET", "/units", query={"property_id": text}),
        caller.ask("POST", "/sync/trigger", {"source_ids": [text]}, headers={"Idempotency-Key": text}),
    ]

    assert [a for a in asked if a.status >= 500] == []


@pytest.mark.parametrize("value", [None, [], {}, [1], {"a": {"b": []}}, True, -1, 10**30, 1.5, "x", "", "900", "02:00"])
def test_any_json_is_a_value_or_refused(caller, value):
    """Every option takes it, or says with 422 what it takes."""
    for option in caller.get("/options", limit=200)["items"]:
        answer = caller.ask("PUT", f"/options/{option['name']}", {"value": value})
        assert answer.status in (200, 422)


def test_an_unknown_route_and_a_wrong_method(caller):
    """404, and 405 with the allowed methods."""
    assert caller.ask("GET", "/nothing").code == "no-such-route"
    assert caller.ask("GET", "/units/").code == "no-such-route"
    wrong = caller.ask("PUT", "/units")
    assert (wrong.status, wrong.code, wrong.headers["Allow"]) == (405, "method-not-allowed", "GET, POST")
    assert caller.ask("DELETE", "/sync/history/run_1").headers["Allow"] == "GET"


def test_a_request_without_a_token_is_401(caller):
    """401 if the gateway passes no identity, whatever else is in the event."""
    for authorizer in (None, {}, {"lambda": {}}, {"lambda": None}, {"jwt": {"claims": {}}}, {"jwt": None}, "text", []):
        answer = caller.ask("GET", "/units", authorizer=authorizer, headers={"authorization": "Bearer x", "x-tenant": "other"})
        assert (answer.status, answer.code, answer.headers["WWW-Authenticate"]) == (401, "unauthenticated", "Bearer")


@pytest.mark.parametrize(
    "authorizer",
    [
        by_token(role="root"),
        by_token(role=""),
        by_token(tenant=""),
        by_token(tenant="ghost"),
        by_token(caller_id=""),
        {"jwt": {"claims": {"sub": "ann"}}},
        {"jwt": {"claims": {"sub": "ann", "bokit_tenant": "ghost", "bokit_role": "admin"}}},
        {"jwt": {"claims": {"bokit_tenant": "default", "bokit_role": "admin"}}},
        {"lambda": {"tenant": ["default"], "role": "admin", "id": "x"}},
        {"lambda": {"tenant": "default", "role": ["admin"], "id": "x"}},
    ],
)
def test_a_principal_that_is_none_is_forbidden(caller, authorizer):
    """403: no role of ours, no tenant of ours."""
    answer = caller.ask("GET", "/units", authorizer=authorizer)

    assert (answer.status, answer.code) == (403, "forbidden")


def test_a_jwt_speaks_for_its_tenant(app, caller):
    """The claims name tenant and role; the subject stands in the change log."""
    claims = {"sub": "ann", "bokit_tenant": "default", "bokit_role": "operator"}
    app.furnish()
    app.sync()
    path = f"/bookings/{caller.get('/bookings')['items'][0]['id']}"

    assert caller.ask("PATCH", path, {"notes": "late"}, authorizer={"jwt": {"claims": claims}}).status == 200
    assert caller.get(f"{path}/changes")["items"][0]["by"] == "token:ann"


class Broken:
    """A store that raises at every call."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str):
        def call(*args, **given):
            raise self.error

        return call


@pytest.mark.parametrize(
    ("error", "status", "code", "wait"),
    [
        (StoreUnreachableError("no table", table="bokit-secret"), 503, "store-unreachable", "5"),
        (StoreConflictError("somebody was faster"), 409, "conflict", "1"),
        (RuntimeError("https://u:p@h/?s=sentinel"), 500, "unexpected", None),
        (BokitError("no group", url="https://u:p@h/?s=sentinel"), 500, "unexpected", None),
        (RecursionError(), 500, "unexpected", None),
        (SourceUnavailableError("no answer", url="https://h/?s=sentinel"), 422, "source-unavailable", None),
    ],
)
def test_what_breaks_inside_is_reported_without_details(app, caller, caplog, monkeypatch, error, status, code, wait):
    """503 and 409 say when to come again; 500 says nothing but that, and is logged once, without secrets."""
    monkeypatch.setattr(app.bokit.catalog, "store", Broken(error))
    monkeypatch.setattr(logging.getLogger("bokit"), "propagate", True)

    answer = caller.ask("POST", "/properties", {"name": "Villa"})

    assert (answer.status, answer.code, answer.headers.get("Retry-After")) == (status, code, wait)
    assert "sentinel" not in answer.text
    assert "bokit-secret" not in answer.text
    assert len({id(r) for r in caplog.records if r.levelno >= logging.ERROR}) == (status == 500)


def test_an_engine_that_cannot_be_built_is_an_answer_too(caller, monkeypatch):
    """A function without its variables answers 500, and does not break."""
    from bokit.config import Settings
    from functions.api import app as api

    monkeypatch.setattr(api, "engine", lambda: Settings.from_env({}))

    assert caller.ask("GET", "/units").code == "unexpected"


def test_an_event_that_is_none_is_an_answer_too():
    """Whatever invokes the function."""
    from functions.api import app as api
    from tests.support.lambda_events import LambdaContext

    for event in ({}, {"requestContext": {"authorizer": by_token()}}, {"requestContext": None, "rawPath": None}):
        assert api.lambda_handler(event, LambdaContext())["statusCode"] in (401, 500)


def test_a_busy_source_says_when_to_come_again(app, caller):
    """An edit while a sync has the source: 409 with Retry-After."""
    ids = app.furnish()
    source = app.store.load_sources("default")[0]
    app.store.acquire_lease(source, holder="run_1", now=app.clock(), until=app.clock().replace(year=2027))
    app.bokit.catalog.sources.parts = app.bokit.catalog.parts
    force_setattr(app.bokit.catalog.parts, "wait", lambda seconds: None)

    answer = caller.ask("PATCH", f"/sources/{ids['source']}", {"name": "Other"})

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "lease-held", "1")


def test_a_url_is_judged_and_never_repeated(app, caller):
    """An address that is not public, a double, a scheme that is none: 4xx, without the URL."""
    ids = app.furnish()
    for number, url in enumerate(
        ("http://127.0.0.1/sentinel", "ftp://a.example/sentinel", URL, "https://[::1]/sentinel", "no url sentinel")
    ):
        values = {"unit_id": ids["unit"], "name": f"n{number}", "url": url}
        for query in ({}, {"preview": "true"}):
            answer = caller.ask("POST", "/sources", values, query=query)
            assert 400 <= answer.status < 500
            assert "sentinel" not in answer.text
