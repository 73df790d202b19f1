"""``/guests``: admins find, export and erase a guest; whom it is about is in no address and no log."""

from __future__ import annotations

import json
import logging

import pytest

PATHS = (("POST", "/guests/find"), ("POST", "/guests/export"), ("POST", "/guests/erase"), ("GET", "/guests/receipts"))
NAME = "Zebedee Quillfeather"


@pytest.fixture
def booking(app) -> str:
    """The id of a flat's booking that names a guest."""
    app.furnish()
    app.sync()
    found = str(app.caller.get("/bookings")["items"][0]["id"])
    app.caller.ask("PATCH", f"/bookings/{found}", {"guest_name": NAME, "email": "zeb@quill.example"})
    return found


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_admins_alone_may(app, booking, method, path):
    body = {"/guests/find": {"who": NAME}, "/guests/export": {"booking": booking}, "/guests/erase": {"bookings": [booking]}}
    asked = {role: app.caller.as_(role).ask(method, path, body.get(path)).status for role in ("viewer", "operator", "admin")}

    assert asked == {"viewer": 403, "operator": 403, "admin": 409 if path.endswith("erase") else 200}


def test_a_guest_is_found_exported_and_erased(app, booking, caplog):
    """By the plan of the refusal; then nobody is found, and the receipt names the booking alone."""
    caplog.set_level(logging.DEBUG, logger="bokit")
    ask = app.caller.ask
    found = ask("POST", "/guests/find", {"who": "quillfeather"}).doc["items"]
    exported = ask("POST", "/guests/export", {"booking": booking}).doc
    refused = ask("POST", "/guests/erase", {"bookings": [booking]})
    erased = ask("POST", "/guests/erase", {"bookings": [booking], "plan": refused.doc["plan"]})
    after = app.caller.get(f"/bookings/{booking}")

    assert [(item["id"], item["guest_name"], item["in_changes"]) for item in found] == [(booking, NAME, True)]
    assert exported["booking"]["email"] == "zeb@quill.example"
    assert len(exported["changes"]) >= 2
    assert (refused.status, refused.code, refused.doc["count"]) == (409, "not-confirmed", 1)
    assert (erased.status, erased.doc["bookings"], erased.doc["reason"]) == (200, [booking], "request")
    assert (after["guest_name"], after["email"], after["summary"]) == (None, None, "Reserved")
    assert ask("POST", "/guests/find", {"who": "quillfeather"}).doc == {"items": [], "cursor": None}
    assert app.caller.get("/guests/receipts")["items"] == [erased.doc]
    assert "quill" not in (json.dumps(erased.doc) + refused.text + caplog.text).lower()
    assert app.caller.get(f"/bookings/{booking}/changes")["items"][0]["action"] == "erase"


def test_what_is_wrong_is_said(app, booking):
    """Too short a text, a booking that is none, a plan of another time, too many at once."""
    ask = app.caller.ask
    wrong = [
        ask("POST", "/guests/find", {"who": "a"}),
        ask("POST", "/guests/find", {"who": "12-3"}),
        ask("POST", "/guests/erase", {"bookings": ["unit_1.none"]}),
        ask("POST", "/guests/erase", {"bookings": [booking], "plan": "other"}),
        ask("POST", "/guests/erase", {"bookings": [booking] * 51}),
    ]

    assert [(answer.status, answer.code) for answer in wrong] == [
        (422, "bad-field"),
        (422, "bad-field"),
        (404, "not-found"),
        (409, "plan-changed"),
        (422, "bad-field"),
    ]
