"""``/bookings/{id}/access``: who reads door codes, how they are set, and where they must never be."""

from __future__ import annotations

import base64
import logging
import os

import pytest
from moto import mock_aws

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.merge import DOUBTED_AT
from bokit.engine.live.dispatch import read_turn
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.store import DynamoStore
from bokit.values import replace
from bokit.wiring import open_backup
from tests.support.caller import ApiApp

REGION = "us-east-1"
SENTINEL = "7305918264"
LISTS = ("/bookings", "/bookings/{booking}", "/bookings/{booking}/changes", "/units", "/options", "/conflicts", "/webhooks")


@pytest.fixture
def booking(app) -> str:
    """The id of a flat's first booking, with door codes on."""
    app.furnish()
    app.sync()
    app.caller.ask("PUT", "/options/access.codes", {"value": True})
    return str(app.caller.get("/bookings")["items"][0]["id"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_viewers_may_not(app, booking, method):
    body = {"code": "4812"} if method == "PUT" else None
    answers = {
        role: app.caller.as_(role).ask(method, f"/bookings/{booking}/access", body) for role in ("viewer", "operator", "admin")
    }

    assert (answers["viewer"].status, answers["viewer"].code) == (403, "forbidden")
    assert {answers[role].status for role in ("operator", "admin")} == {204 if method == "DELETE" else 200}


def test_read_set_and_renewed(app, booking):
    """A code is read, set by hand and made again; nothing on the way may keep it."""
    path = f"/bookings/{booking}/access"
    answer = app.caller.ask("GET", path)
    first = answer.doc

    assert answer.headers["Cache-Control"] == "no-store"
    assert (first["booking_id"], first["state"], first["origin"], len(first["code"])) == (booking, "ready", "random", 4)
    assert (first["valid_from"], first["valid_until"]) == ("2026-07-10T13:00:00Z", "2026-07-14T09:00:00Z")
    assert app.caller.ask("PUT", path, {"code": SENTINEL}).doc["origin"] == "manual"
    assert app.caller.get(path)["code"] == SENTINEL
    assert app.caller.ask("DELETE", path).status == 204
    assert app.caller.get(path)["code"] not in (SENTINEL, first["code"])


@pytest.mark.parametrize("code", ["123", "12345678901", "12a4", "", None, 4812])
def test_a_code_of_another_form_is_422(app, booking, code):
    answer = app.caller.ask("PUT", f"/bookings/{booking}/access", {"code": code})
    assert answer.status == 422
    assert "code" in str(answer.doc["errors"])


def test_a_code_that_another_stay_has_is_409(app, booking):
    other = app.caller.get("/bookings")["items"][1]["id"]
    app.caller.ask("PUT", f"/bookings/{booking}/access", {"code": "4812"})

    answer = app.caller.ask("PUT", f"/bookings/{other}/access", {"code": "4812"})

    assert (answer.status, answer.code, answer.doc["id"]) == (409, "code-taken", booking)


def test_what_has_no_code_says_why(app, booking):
    """A block, a booking that does not exist, and every booking while codes are off."""
    nights = {"check_in": "2026-10-01", "check_out": "2026-10-04", "kind": "block"}
    block = app.caller.post("/bookings", {"unit_id": booking.partition(".")[0], **nights})["id"]

    assert app.caller.ask("GET", f"/bookings/{block}/access").code == "no-door-code"
    assert app.caller.ask("GET", "/bookings/none/access").status == 404
    app.caller.ask("DELETE", "/options/access.codes")
    answer = app.caller.ask("GET", f"/bookings/{booking}/access")
    assert (answer.status, answer.code) == (409, "door-codes-off")
    assert "access.codes" in answer.doc["detail"]


def test_a_doubted_booking_is_confirmed_by_its_own_route(app, booking):
    """PATCH with ``confirm`` null; the code is the same again."""
    path, record = f"/bookings/{booking}", app.store.load_record(DEFAULT_TENANT, BOOKINGS, booking)
    code = app.caller.get(f"{path}/access")["code"]
    doubted = replace(record, memory={**record.memory, DOUBTED_AT: "2026-06-02T00:00:00Z"})
    app.store.apply_records([doubted], [], lease=None)

    shown = app.caller.get(f"{path}/access")
    assert (shown["state"], shown["code"], shown["confirm"]) == ("confirm", None, "may be another guest")
    app.caller.ask("PATCH", path, {"confirm": None})

    assert app.caller.get(f"{path}/access")["code"] == code


@pytest.fixture
def tabled(monkeypatch):
    """The API on a table of moto's."""
    with mock_aws():
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        create_table("codes", region=REGION)
        yield ApiApp(monkeypatch, DynamoStore("codes", region=REGION))


def test_a_code_is_nowhere_in_clear(tabled, caplog):
    """Neither in table and backup, nor in logs, events, lists, notices and what webhooks get with all details."""
    caplog.set_level(logging.DEBUG, "bokit")
    app, caller = tabled, tabled.caller
    app.furnish()
    app.sync()
    caller.post("/webhooks", {"url": "https://8.8.8.8/hook", "details": True})
    caller.ask("PUT", "/options/access.codes", {"value": True})
    booking = caller.get("/bookings")["items"][0]["id"]
    assert caller.ask("PUT", f"/bookings/{booking}/access", {"code": SENTINEL}).status == 200
    assert caller.get(f"/bookings/{booking}/access")["code"] == SENTINEL
    caller.ask("PUT", f"/bookings/{booking}/access", {"code": SENTINEL[::-1]})
    app.sync()
    while app.deliver_queue.bodies:
        app.bokit.deliveries.take_turn(read_turn(app.deliver_queue.bodies.pop(0)))

    backup: list[bytes] = []
    open_backup(app.bokit).create(backup.append)
    places = {
        "table and backup": b"".join(backup).decode(),
        "logs": caplog.text + str([vars(record) for record in caplog.records]),
        "events": str(app.bokit.events.read(DEFAULT_TENANT, 0)),
        "lists": "".join(caller.ask("GET", path.replace("{booking}", booking)).text for path in LISTS),
        "webhooks": str(app.receivers.came),
        "notices": str(app.alerts.notices),
    }

    kinds = [e["type"] for e in app.bokit.events.read(DEFAULT_TENANT, 0)["items"]]
    assert {"access.created", "access.changed"} <= set(kinds)
    assert "access.changed" in places["webhooks"]
    for code in (SENTINEL, SENTINEL[::-1]):
        forms = (code, base64.b64encode(code.encode()).decode().rstrip("="), code.encode().hex())
        assert {(place, form) for place, text in places.items() for form in forms if form in text} == set()
