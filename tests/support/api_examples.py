"""Examples for the OpenAPI document: one small world's day, asked of the real API on a clock that stands still.

``python -m tests.support.api_examples`` prints ``docs/openapi-examples.json``, which ``python -m bokit.http.openapi`` reads.
Ids and secrets come from a seed, so the file changes only where an answer does.
"""

from __future__ import annotations

import json
import random
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.live.dispatch import read_turn
from tests.support.caller import ApiApp, Caller, by_token
from tests.support.terminal import URL, a_feed

FEED, HOOK = "https://8.8.8.8/garden-flat.ics", "https://8.8.8.8/hook"
MAX_ITEMS = 2
"""Items of a list in an example."""
_WORLD = (("8.8.8.8", "feeds.example"), ('"stage": "tests"', '"stage": "prod"'), ("tok_tests", "tok_reception"))
"""What the tests' world calls otherwise than a reader would."""
BY_HAND: dict[str, Any] = {
    "GET /": {"responses": {"200": {"text/html": "<!doctype html><title>Bokit</title>"}}},
    "GET /assets/{file}": {
        "responses": {
            "200": {"text/javascript": "// a script", "text/css": "main { margin: 0 }", "application/json": {"today": "today"}}
        }
    },
    "GET /icons/{file}": {"responses": {"200": {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"/>'}}},
    "GET /manifest.webmanifest": {
        "responses": {"200": {"application/manifest+json": {"name": "Bokit", "display": "standalone"}}}
    },
    "GET /openapi.json": {
        "responses": {"200": {"application/json": {"openapi": "3.1.0", "info": {"title": "Bokit"}, "paths": {}}}}
    },
    "GET /worker.js": {"responses": {"200": {"text/javascript": "// the page's worker"}}},
    "DELETE /collections/{name}": {
        "responses": {"202": {"application/json": {"collection": "clients", "removed": 500, "plan": "mZ8nq3PAvc1kY2E5"}}}
    },
    "POST /alerts/{id}/test": {"responses": {"200": {"application/json": {"sent": True}}}},
}
"""Files of the page, what would leave this machine, and what takes a thousand records."""


class Recorder:
    """Asks, and keeps what was sent and answered by operation."""

    def __init__(self, app: ApiApp) -> None:
        self.app, self.caller, self.found = app, app.caller, {}  # type: ignore[var-annotated]

    def ask(
        self, operation: str, ids: Mapping[str, str] | None = None, body: Any = None, *, caller: Any = None, **query: str
    ) -> Any:
        """Ask *operation*, as in ``GET /units/{id}``, of these ids; keep the first answer of each status."""
        method, template = operation.split(" ")
        path = re.sub(r"\{(\w+)\}", lambda m: (ids or {})[m[1]], template)
        answer = (caller or self.caller).ask(method, path, body, query=query)
        assert answer.status < 400, (operation, answer)
        kept = self.found.setdefault(operation, {"responses": {}})
        if body is not None:
            kept.setdefault("request", body)
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        if answer.text and media in ("application/json", "text/calendar"):
            shown = shorten(answer.doc) if media == "application/json" else answer.text
            kept["responses"].setdefault(str(answer.status), {media: shown})
        return answer.doc if media == "application/json" else answer.text


def shorten(document: Any) -> Any:
    """Return a document whose lists have a few items each."""
    if isinstance(document, list):
        return [shorten(item) for item in document[:MAX_ITEMS]]
    if isinstance(document, dict):
        return {name: shorten(value) for name, value in document.items()}
    return document


def record_examples() -> dict[str, Any]:
    """Return the examples by operation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bokit.engine.base.clock.secrets", Seeded())
        app = ApiApp(patch)
        recorder = Recorder(app)
        ids = record_places(recorder)
        record_bookings(recorder, ids)
        record_collections(recorder)
        record_syncs(recorder, ids)
        record_access(recorder)
        record_outlets(recorder)
        record_door_codes(recorder, ids)
        record_guests(recorder, ids)
        record_removals(recorder, ids)
    return dict(sorted((BY_HAND | json.loads(rename(json.dumps(recorder.found)))).items()))


class Seeded:
    """Stands for ``secrets`` where ids and tokens are made: the same ones each time."""

    def __init__(self) -> None:
        self.random = random.Random(17)
        self.choice, self.token_bytes = self.random.choice, self.random.randbytes

    def token_urlsafe(self, count: int) -> str:
        return urlsafe_b64encode(self.random.randbytes(count)).rstrip(b"=").decode()


def rename(text: str) -> str:
    """Return *text* with the names that a reader would expect."""
    for before, after in _WORLD:
        text = text.replace(before, after)
    return text


def record_places(r: Recorder) -> dict[str, str]:
    """Declare a property, a unit and a source."""
    r.app.shelf.bodies[FEED] = r.app.shelf.bodies[URL]
    house = r.ask("POST /properties", body={"name": "Villa Rosa", "timezone": "Europe/Rome", "turnover_days": 0})["id"]
    unit = r.ask("POST /units", body={"name": "Garden flat", "property_id": house})["id"]
    new = {"name": "Airbnb", "unit_id": unit, "url": FEED, "interval": "30m"}
    r.ask("POST /sources", body=new, preview="true")
    source = r.ask("POST /sources", body=new)["id"]
    r.app.sync()
    r.app.move(minutes=5)
    r.ask("GET /properties")
    r.ask("GET /units")
    r.ask("GET /sources")
    for kind, one, edit in (
        ("properties", house, {"name": "Villa Rosa"}),
        ("units", unit, {"check_in_time": "16:00", "cleaning_minutes": 180}),
        ("sources", source, {"interval": "15m", "cancel_after": 86_400}),
    ):
        r.ask(f"GET /{kind}/{{id}}", {"id": one})
        r.ask(f"PATCH /{kind}/{{id}}", {"id": one}, edit)
    r.ask("POST /sources/{id}/test", {"id": source})
    r.ask("GET /sources/{id}/marks", {"id": source})
    r.ask("DELETE /sources/{id}/marks", {"id": source})
    return {"property": house, "unit": unit, "source": source}


def record_bookings(r: Recorder, ids: dict[str, str]) -> None:
    """Read and edit bookings, enter one by hand that doubles another, and publish a calendar."""
    booking = {"id": r.ask("GET /bookings")["items"][0]["id"]}
    r.ask("GET /bookings/{id}", booking)
    r.ask("PATCH /bookings/{id}", booking, {"guest_name": "Ada Lovelace", "notes": "late arrival"})
    r.ask("POST /bookings/{id}/accept-remote", booking, {"fields": ["notes"]})
    r.ask("GET /bookings/{id}/changes", booking)
    hand = {"unit_id": ids["unit"], "check_in": "2026-07-12", "check_out": "2026-07-16", "guest_name": "Grace Hopper"}
    r.ask("POST /bookings", body=hand)
    r.ask("GET /bookings/explain", unit_id=ids["unit"], date="2026-07-12")
    conflict = {"id": r.ask("GET /conflicts")["items"][0]["id"]}
    r.ask("GET /conflicts/{id}", conflict)
    r.ask("POST /conflicts/{id}/acknowledge", conflict)
    r.ask("GET /turnovers", unit_id=ids["unit"])
    r.ask("GET /occupancy", unit_id=ids["unit"], by="total")
    made = r.ask("POST /units/{id}/calendars", {"id": ids["unit"]}, {"for": "airbnb"})
    calendar = {"id": made["id"]}
    r.ask("GET /units/{id}/calendars", {"id": ids["unit"]})
    r.ask("GET /calendars/{id}", calendar)
    address = r.ask("POST /calendars/{id}/rotate", calendar, {"overlap_seconds": 86_400})["url"]
    r.ask("GET /feeds/{token}.ics", {"token": address.rpartition("/")[2].removesuffix(".ics")})
    r.ask("GET /feeds/{token}.json", {"token": address.rpartition("/")[2].removesuffix(".ics")})
    r.ask("DELETE /calendars/{id}", calendar)
    r.app.bokit.events.drain()
    r.ask("GET /events")


def record_door_codes(r: Recorder, ids: dict[str, str]) -> None:
    """Turn door codes on, read one, set one by hand, and make a new one."""
    r.app.bokit.catalog.options.set(DEFAULT_TENANT, "access.codes", True)
    stays = [
        b for b in r.caller.get("/bookings", unit_id=ids["unit"])["items"] if (b["kind"], b["state"]) == ("reservation", "own")
    ]
    booking = {"id": stays[-1]["id"]}
    r.ask("GET /bookings/{id}/access", booking)
    r.ask("PUT /bookings/{id}/access", booking, {"code": "4812"})
    r.ask("DELETE /bookings/{id}/access", booking)


def record_collections(r: Recorder) -> None:
    """Read, write and restore a record."""
    r.app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "clients", "preserve": ["notes"]})
    one = {"name": "clients", "id": "4711"}
    path = "/collections/{name}/records/{id}"
    r.ask(f"PUT {path}", one, {"name": "Rossi & Figli", "city": "Genova", "notes": "pays late"})
    r.ask(f"PATCH {path}", one, {"notes": "pays in time", "city": None})
    r.ask("GET /collections")
    r.ask("GET /collections/{name}", one)
    r.ask("GET /collections/{name}/records", one)
    r.ask(f"GET {path}", one)
    r.ask(f"GET {path}/changes", one)
    r.ask(f"POST {path}/accept-remote", one, {})
    r.ask(f"DELETE {path}", one)
    r.ask(f"POST {path}/restore", one)
    plan = r.caller.ask("POST", "/collections/clients/empty").doc["plan"]
    r.ask("POST /collections/{name}/empty", one, plan=plan)


def record_syncs(r: Recorder, ids: dict[str, str]) -> None:
    """Trigger and monitor syncs, and settle held plans."""
    one = {"id": ids["source"]}
    r.ask("POST /sync/trigger", body={"source_ids": [ids["source"]], "dry_run": True})
    run = r.ask("POST /sync/trigger", body={"source_ids": [ids["source"]]})
    r.app.work()
    r.ask("GET /sync/history")
    r.ask("GET /sync/history/{run_id}", {"run_id": run["run_id"]})
    r.ask("POST /sync/start", body={"interval": "30m", "max_runs": 12})
    r.ask("GET /sync/status")
    r.ask("POST /sync/stop")
    r.ask("GET /sync/websocket")
    for decision in ("discard-held", "apply-held"):
        r.app.shelf.bodies[FEED] = a_feed()
        r.app.move(hours=2)
        r.app.sync()
        hold = r.ask("GET /sources/{id}", one)["hold"]
        r.ask(f"POST /sources/{{id}}/{decision}", one, {"plan": hold["plan"]})
    r.ask("POST /sources/{id}/pause", one)
    r.ask("POST /sources/{id}/resume", one)


def record_access(r: Recorder) -> None:
    """Create tokens and set options."""
    token = {"id": r.ask("POST /tokens", body={"name": "reception", "role": "operator", "expires_in": "90d"})["id"]}
    own = Caller(r.app.bokit, by_token(role="operator", caller_id=token["id"]))
    r.ask("GET /tokens")
    r.ask("GET /tokens/{id}", token)
    r.ask("GET /tokens/current", caller=own)
    r.ask("POST /sync/ticket", caller=own)
    r.ask("PATCH /tokens/{id}", token, {"name": "reception, first floor"})
    r.ask("DELETE /tokens/{id}", token)
    option = {"name": "sync.interval"}
    r.ask("GET /options")
    r.ask("PUT /options/{name}", option, {"value": "30m"})
    r.ask("GET /options/{name}", option)
    r.ask("DELETE /options/{name}", option)
    r.ask("GET /health")
    r.ask("GET /page.json")


def record_outlets(r: Recorder) -> None:
    """Add and test a webhook and an alert channel."""
    hook = {"id": r.ask("POST /webhooks", body={"url": HOOK, "types": ["booking.created"]})["id"]}
    r.ask("GET /webhooks")
    r.ask("GET /webhooks/{id}", hook)
    r.ask("PATCH /webhooks/{id}", hook, {"types": ["booking.created", "booking.cancelled"]})
    r.ask("POST /webhooks/{id}/test", hook)
    r.ask("POST /webhooks/{id}/rotate", hook)
    unit = r.caller.get("/units")["items"][0]["id"]
    r.caller.post("/bookings", {"unit_id": unit, "check_in": "2026-10-01", "check_out": "2026-10-03"})
    r.app.bokit.events.drain()
    while r.app.deliver_queue.bodies:
        r.app.bokit.deliveries.take_turn(read_turn(r.app.deliver_queue.bodies.pop(0)))
    sent = r.ask("GET /webhooks/{id}/deliveries", hook)["items"][0]
    r.ask("POST /webhooks/{id}/deliveries/{event_id}/redeliver", {**hook, "event_id": sent["event_id"]})
    r.ask("DELETE /webhooks/{id}", hook)
    alert = {"id": r.ask("POST /alerts", body={"kind": "slack", "url": HOOK, "name": "team"})["id"]}
    r.ask("GET /alerts")
    r.ask("GET /alerts/{id}", alert)
    r.ask("PATCH /alerts/{id}", alert, {"name": "reception"})
    r.ask("DELETE /alerts/{id}", alert)


def record_guests(r: Recorder, ids: dict[str, str]) -> None:
    """Find a guest, export what is kept, and erase it."""
    booking = r.caller.get("/bookings", unit_id=ids["unit"])["items"][0]["id"]
    r.caller.ask("PATCH", f"/bookings/{booking}", {"guest_name": "Ada Lovelace"})
    r.ask("POST /guests/find", {}, {"who": "Ada Lovelace"})
    r.ask("POST /guests/export", {}, {"booking": booking})
    plan = r.caller.ask("POST", "/guests/erase", {"bookings": [booking]}).doc["plan"]
    r.ask("POST /guests/erase", {}, {"bookings": [booking], "plan": plan})
    r.ask("GET /guests/receipts")


def record_removals(r: Recorder, ids: dict[str, str]) -> None:
    """Remove what a removal leaves nothing of."""
    r.ask("DELETE /sources/{id}", {"id": ids["source"]}, release="true")
    house = r.caller.post("/properties", {"name": "Old house"})["id"]
    unit = r.caller.post("/units", {"name": "Attic", "property_id": house})["id"]
    r.ask("DELETE /units/{id}", {"id": unit})
    r.ask("DELETE /properties/{id}", {"id": house})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(record_examples(), indent=1, ensure_ascii=False) + "\n")
