"""Webhooks over HTTP."""

from __future__ import annotations

import json
from typing import Any

from standardwebhooks import Webhook as Verifier

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas
from bokit.engine.live.dispatch import read_turn
from tests.support.caller import ApiApp, Caller

URL = "https://hooks.example/bokit?key=1"


def deliver(app: ApiApp) -> None:
    """Number what happened, and take the turns that were started."""
    app.bokit.events.drain().check()
    while app.deliver_queue.bodies:
        app.bokit.deliveries.take_turn(read_turn(app.deliver_queue.bodies.pop(0)))


def test_a_webhook_is_added_with_a_secret_that_is_shown_once(app: ApiApp, caller: Caller):
    """All fields as the contract names them; what is shown later has no secret."""
    made = caller.post("/webhooks", {"url": URL})

    assert set(made) == {"id", "url", "types", "details", "enabled", "disabled_reason", "created_at", "secret"}
    assert (made["url"], made["types"], made["details"]) == (URL, [], False)
    assert (made["enabled"], made["disabled_reason"]) == (True, None)
    assert made["secret"].startswith("whsec_")
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert caller.get(f"/webhooks/{made['id']}") == shown
    assert caller.get("/webhooks")["items"] == [shown]


def test_what_happens_is_sent_there(app: ApiApp, caller: Caller):
    """Signed with the secret; its delivery is listed, and sent again on request."""
    made = caller.post("/webhooks", {"url": URL, "types": ["catalog.changed"]})
    deliver(app)
    caller.post("/properties", {"name": "Villa"})
    deliver(app)

    ((url, headers, document),) = app.receivers.came
    assert (url, document["type"], document["data"]["change"]) == (URL, "catalog.changed", "added")
    assert document["id"] == headers["webhook-id"]
    signed = json.dumps(document, separators=(",", ":")).encode()
    stamp = headers["webhook-timestamp"]
    at = app.clock()
    assert int(stamp) == int(at.timestamp())
    assert Verifier(made["secret"]).sign(headers["webhook-id"], at, signed.decode()) == headers["webhook-signature"]
    path = f"/webhooks/{made['id']}/deliveries"
    (delivery,) = caller.get(path)["items"]
    assert (delivery["event_id"], delivery["state"], delivery["attempts"], delivery["status"]) == (
        document["id"],
        "delivered",
        1,
        204,
    )

    again = caller.ask("POST", f"{path}/{delivery['event_id']}/redeliver")
    deliver(app)

    assert (again.status, again.doc["state"]) == (202, "waiting")
    assert [headers["webhook-id"] for _, headers, _ in app.receivers.came] == 2 * [document["id"]]
    assert caller.ask("POST", f"{path}/evt_none/redeliver").status == 404


def test_a_webhook_is_changed_tested_rotated_and_removed(app: ApiApp, caller: Caller):
    """Off, nothing is sent, and nothing sent again."""
    made = caller.post("/webhooks", {"url": URL})
    path = f"/webhooks/{made['id']}"
    changed = caller.ask("PATCH", path, {"types": ["booking.created", "booking.created"], "details": True}).doc
    assert (changed["types"], changed["details"], changed["url"]) == (["booking.created"], True, URL)
    assert caller.ask("POST", f"{path}/test").doc == {"delivered": True, "status": 204, "error": None}
    app.receivers.shelf[URL] = 500
    assert caller.ask("POST", f"{path}/test").doc == {"delivered": False, "status": 500, "error": "http-500"}
    assert [document["type"] for _, _, document in app.receivers.came] == 2 * ["webhook.test"]

    rotated = caller.ask("POST", f"{path}/rotate").doc

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert caller.ask("PATCH", path, {"enabled": False}).doc["enabled"] is False
    off = caller.ask("POST", f"{path}/deliveries/evt_1/redeliver")
    assert (off.status, off.code) == (409, "webhook-off")
    assert caller.ask("DELETE", path).status == 204
    assert [caller.ask(method, path).status for method in ("GET", "DELETE")] == [404, 404]


def test_a_secret_is_in_no_other_answer(app: ApiApp, caller: Caller):
    """Nor in the event log."""
    made = caller.post("/webhooks", {"url": URL})
    deliver(app)

    answers = [caller.get("/webhooks"), caller.get(f"/webhooks/{made['id']}"), caller.get("/events", since=0)]
    said = json.dumps(answers)

    assert made["secret"].removeprefix("whsec_") not in said


def test_wrong_fields_are_refused(caller: Caller):
    """422 that names the field, whatever is wrong."""
    for body in (
        {},
        {"url": ""},
        {"url": "ftp://hooks.example"},
        {"url": "secret:hook"},
        {"url": "http://127.0.0.1/hook"},
        {"url": URL, "types": ["booking.exploded"]},
        {"url": URL, "types": "booking.created"},
        {"url": URL, "secret": "whsec_mine"},
    ):
        answer = caller.ask("POST", "/webhooks", body)
        assert answer.status == 422, body
    assert caller.get("/webhooks")["items"] == []


def test_webhooks_are_bounded(app: ApiApp, caller: Caller):
    """By a quota, like tokens; removing one makes room."""
    store: Any = app.store
    store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName.WEBHOOKS): 1})
    made = caller.post("/webhooks", {"url": URL})
    refused = caller.ask("POST", "/webhooks", {"url": URL})
    assert (refused.status, refused.code, refused.doc["parameter"]) == (409, "quota", "TenantWebhooks")

    caller.ask("DELETE", f"/webhooks/{made['id']}")

    caller.post("/webhooks", {"url": URL})
    assert len(app.store.load_webhooks(DEFAULT_TENANT)) == 1
