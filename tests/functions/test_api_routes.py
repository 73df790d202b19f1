"""Every route's success: what is asked for happens, and the answer is what the document says."""

from __future__ import annotations

import pytest

from bokit.errors import SourceUnavailableError
from tests.support.caller import Answer, by_token, check_answer, serve
from tests.support.lambda_events import EVENTS, load_event
from tests.support.terminal import URL, a_feed, an_event


@pytest.mark.parametrize(
    "name", sorted(str(p.relative_to(EVENTS)) for f in ("api", "api_sync", "public") for p in (EVENTS / f).glob("*.json"))
)
def test_the_payloads_of_the_events_folder_are_answered(app, name):
    """What `sam local invoke` is given succeeds, as the document says; the example's calendar was never made."""
    app.furnish()
    event = load_event(name)

    response = serve(event)

    answer = Answer(response["statusCode"], response["headers"], response["body"])
    check_answer(event["requestContext"]["http"]["method"], event["rawPath"], answer)
    assert answer.status == 404 if name == "public/feed.json" else answer.status < 300


def test_health_needs_no_token(caller):
    """Without a token, and without a look into the table."""
    answer = caller.ask("GET", "/health", authorizer=None)

    assert (answer.status, answer.doc["status"], answer.doc["stage"]) == (200, "ok", "tests")


def test_a_property_is_added_shown_edited_and_forgotten(caller):
    """The life of a property."""
    made = caller.ask("POST", "/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})
    path = made.headers["Location"]

    assert made.status == 201
    assert caller.get(path) == made.doc == caller.get("/properties")["items"][0]
    assert caller.ask("PATCH", path, {"timezone": None}).doc == {**made.doc, "timezone": None}
    assert caller.ask("DELETE", path).status == 204
    assert caller.ask("GET", path).code == "not-found"


def test_a_unit_is_added_shown_edited_and_forgotten(caller):
    """The life of a unit, and that a property with units stays."""
    property_id = caller.post("/properties", {"name": "Villa Rosa"})["id"]
    flat = caller.post("/units", {"name": "Garden flat", "property_id": property_id})
    villa = caller.post("/units", {"name": "Whole villa", "property_id": property_id, "parts": [flat["id"]]})

    assert [u["name"] for u in caller.get("/units", property_id=property_id)["items"]] == ["Garden flat", "Whole villa"]
    assert caller.ask("PATCH", f"/units/{flat['id']}", {"timezone": "Europe/Rome"}).doc["timezone"] == "Europe/Rome"
    assert caller.get(f"/units/{villa['id']}")["parts"] == [flat["id"]]
    assert caller.ask("DELETE", f"/units/{flat['id']}").code == "not-empty"
    assert caller.ask("DELETE", f"/properties/{property_id}").code == "not-empty"
    for unit in (villa, flat):
        assert caller.ask("DELETE", f"/units/{unit['id']}").status == 204


def test_a_unit_and_a_source_move_over_http(app, caller):
    """With another property, or unit; a source that would free nights moves with `release` alone, and takes its bookings."""
    ids = app.furnish()
    house = caller.post("/properties", {"name": "Villa Blu"})["id"]
    loft = caller.post("/units", {"name": "Loft", "property_id": house})["id"]
    app.sync()
    path, before = f"/sources/{ids['source']}", len(caller.get("/bookings")["items"])

    assert caller.ask("PATCH", f"/units/{ids['unit']}", {"property_id": house}).doc["property_id"] == house
    refused = caller.ask("PATCH", path, {"unit_id": loft, "name": "Airbnb loft"})
    assert (refused.status, refused.code, caller.get(path)["name"]) == (409, "frees-nights", "Airbnb")
    moved = caller.ask("PATCH", path, {"unit_id": loft, "name": "Airbnb loft", "release": True}).doc
    assert (moved["unit_id"], moved["name"]) == (loft, "Airbnb loft")
    assert len(caller.get("/bookings", unit_id=loft)["items"]) == before > 0
    assert caller.get("/bookings", unit_id=ids["unit"])["items"] == []


def test_a_source_is_looked_at_before_it_is_added(app, caller):
    """With preview nothing is written, and what is read there is shown."""
    ids = app.furnish()
    app.shelf.bodies["https://8.8.8.8/2.ics"] = a_feed(*(an_event(n, "2026-07-10", "2026-07-14") for n in range(3)))
    values = {"unit_id": ids["unit"], "name": "VRBO", "url": "https://8.8.8.8/2.ics"}

    looked = caller.ask("POST", "/sources", values, query={"preview": "true"})

    assert (looked.status, looked.doc["verdict"], looked.doc["total"], len(looked.doc["entries"])) == (200, "ok", 3, 3)
    assert [s["name"] for s in caller.get("/sources")["items"]] == ["Airbnb"]


def test_how_a_source_is_read_is_set_over_http(app, caller):
    """A preview suggests what the feed looks like, and the settings are set, shown and checked."""
    ids = app.furnish()
    app.shelf.bodies["https://8.8.8.8/2.ics"] = a_feed(an_event(1, "2026-07-10", "2026-07-10"))
    values = {"unit_id": ids["unit"], "name": "VRBO", "url": "https://8.8.8.8/2.ics"}

    assert caller.ask("POST", "/sources", values, query={"preview": "true"}).doc["suggested"] == {"ends_on": "last-night"}
    made = caller.ask("POST", "/sources", {**values, "ends_on": "last-night"}).doc
    assert (made["ends_on"], made["ignore_transparent"]) == ("last-night", False)
    path = f"/sources/{made['id']}"
    edited = caller.ask("PATCH", path, {"ends_on": "departure", "ignore_transparent": True}).doc
    assert (edited["ends_on"], edited["ignore_transparent"]) == ("departure", True)
    assert caller.ask("PATCH", path, {"ends_on": "sometimes"}).status == 422


def test_a_source_that_does_not_answer_is_the_callers_business(app, caller):
    """A preview that fails says so with 422, and no server error of ours."""
    ids = app.furnish()
    app.shelf.bodies["https://8.8.8.8/2.ics"] = SourceUnavailableError("it does not answer", url="https://8.8.8.8/2.ics?s=x")
    values = {"unit_id": ids["unit"], "name": "VRBO", "url": "https://8.8.8.8/2.ics"}

    looked = caller.ask("POST", "/sources", values, query={"preview": "true"})

    assert (looked.status, looked.code) == (422, "source-unavailable")
    assert "8.8.8.8" not in looked.text


def test_a_source_is_tested_and_nothing_is_written(app, caller):
    """What it shows now is read once more, as a sync would; its failure is the caller's business too."""
    ids = app.furnish()
    path = f"/sources/{ids['source']}"
    before = caller.get(path)

    tested = caller.post(f"{path}/test", status=200)
    assert (tested["verdict"], tested["total"], tested["platform"]) == ("ok", 2, "airbnb")
    assert (caller.get(path), caller.get("/bookings")["items"]) == (before, [])

    app.shelf.bodies[URL] = SourceUnavailableError("it does not answer", url=URL)
    failed = caller.ask("POST", f"{path}/test")
    assert (failed.status, failed.code) == (422, "source-unavailable")
    assert "sentinel" not in failed.text
    assert caller.as_("viewer").ask("POST", f"{path}/test").status == 403
    assert caller.ask("POST", "/sources/src_none/test").status == 404


def test_a_source_is_new_until_its_first_success(app, caller):
    """In the source's document and in the status, whose totals count it as such."""
    ids = app.furnish()
    path = f"/sources/{ids['source']}"

    assert caller.get(path)["state"] == "new"
    status = caller.get("/sync/status")
    assert ([s["state"] for s in status["sources"]], status["totals"]["new"], status["totals"]["ok"]) == (["new"], 1, 0)
    app.sync()
    assert caller.get(path)["state"] == "ok"
    assert caller.get("/sync/status")["totals"] == {**status["totals"], "new": 0, "ok": 1}


def test_a_source_is_edited_paused_resumed_and_removed(app, caller):
    """The life of a source; its URL is never shown."""
    ids = app.furnish()
    path = f"/sources/{ids['source']}"

    assert caller.ask("PATCH", path, {"interval": 900}).doc["interval"] == 900
    assert caller.ask("POST", f"{path}/pause").doc["enabled"] is False
    assert caller.get(path)["state"] == "paused"
    assert caller.ask("POST", f"{path}/resume").doc["enabled"] is True
    app.sync()
    gone = caller.ask("DELETE", path)
    assert (gone.doc["kept"], gone.doc["released"]) == (2, 0)
    assert caller.get("/sources")["items"] == []
    assert [s["id"] for s in caller.get("/sources", removed="true")["items"]] == [ids["source"]]
    assert caller.get(path)["state"] is None
    assert caller.ask("DELETE", path, query={"release": "true"}).doc["released"] == 2
    assert "sentinel" not in gone.text + caller.ask("GET", path).text


def test_a_held_plan_is_shown_and_settled(app, caller):
    """What a guard holds is shown with the source, and applied only as it was shown."""
    ids = app.furnish()
    app.sync()
    app.shelf.bodies[URL] = a_feed()
    app.move(hours=2)
    app.sync()
    path = f"/sources/{ids['source']}"
    hold = caller.get(path)["hold"]

    assert hold["code"] == "empty-feed"
    assert caller.ask("POST", f"{path}/apply-held", {"plan": "another"}).code == "plan-changed"
    discarded = caller.post(f"{path}/discard-held", {"plan": hold["plan"]}, status=200)
    assert discarded["trigger"] == "manual"
    assert caller.get(path)["hold"] is None
    assert caller.ask("POST", f"{path}/apply-held").code == "nothing-held"


def test_a_held_plan_is_applied(app, caller):
    """When the plan is applied, the stays are released."""
    ids = app.furnish()
    app.sync()
    app.shelf.bodies[URL] = a_feed()
    app.move(hours=2)
    app.sync()

    run = caller.post(f"/sources/{ids['source']}/apply-held", status=200)

    assert run["counts"]["cancelled"] == 2
    assert {b["presence"] for b in caller.get("/bookings")["items"]} == {"gone"}


def test_bookings_are_found_by_unit_night_kind_and_status(app, caller):
    """Stays are half-open: the day of departure is not a night."""
    ids = app.furnish()
    app.sync()

    def found(**query: str) -> list[str]:
        return [b["check_in"] for b in caller.get("/bookings", **query)["items"]]

    assert found() == found(unit_id=ids["unit"]) == found(kind="reservation") == ["2026-07-10", "2026-08-01"]
    assert found(from_="2026-07-13", until="2026-07-14") == ["2026-07-10"]
    assert found(from_="2026-07-14") == ["2026-08-01"]
    assert found(until="2026-07-10") == []
    assert found(status="confirmed,tentative") == found(kind="block,reservation") == found()
    assert found(status="cancelled") == found(kind="window") == []


def test_a_booking_is_edited_and_follows_its_source_again(app, caller):
    """An edit stands over a sync, the log says whose it is, and accept-remote gives it up."""
    app.furnish()
    app.sync()
    booking = caller.get("/bookings")["items"][0]
    path = f"/bookings/{booking['id']}"

    edited = caller.ask("PATCH", path, {"guest_name": "Ann Meyer", "check_out": "2026-07-12"}).doc
    app.move(hours=2)
    app.sync()

    assert (edited["guest_name"], edited["check_out"]) == ("Ann Meyer", "2026-07-12")
    assert caller.get(path)["check_out"] == "2026-07-12"
    assert caller.get(f"{path}/changes")["items"][0]["by"] == "token:tok_tests"
    assert caller.post(f"{path}/accept-remote", {"fields": ["guest_name"]}, status=200)["guest_name"] is None
    assert caller.post(f"{path}/accept-remote", status=200)["check_out"] == "2026-07-14"


def test_nights_that_an_edit_leaves_are_released_on_demand(app, caller):
    """A shortened stay holds what its source closes, until release."""
    app.furnish()
    app.sync()
    path = f"/bookings/{caller.get('/bookings')['items'][0]['id']}"

    kept = caller.ask("PATCH", path, {"check_out": "2026-07-12"}).doc
    released = caller.ask("PATCH", path, {"release": True}).doc

    assert kept["released_nights"] == []
    assert released["released_nights"] == ["2026-07-12", "2026-07-13"]


def test_an_option_is_set_and_unset(caller):
    """PUT sets, DELETE goes back to the default."""
    assert caller.ask("PUT", "/options/sync.interval", {"value": 900}).doc["value"] == 900
    assert caller.get("/options/sync.interval")["is_set"] is True
    assert caller.ask("DELETE", "/options/sync.interval").doc["value"] == 3600
    assert {o["name"] for o in caller.get("/options", limit=200)["items"]} >= {"sync.interval", "timezone"}


def test_a_tokens_text_is_shown_once(app, caller):
    """POST shows it, no list does; a revoked one opens nothing."""
    made = caller.post("/tokens", {"role": "viewer", "name": "Reception", "expires_in": 3600})
    path = f"/tokens/{made['id']}"

    assert app.bokit.access.authorize(f"Bearer {made['token']}").role == "viewer"
    assert made["token"] not in caller.ask("GET", "/tokens").text + caller.ask("GET", path).text
    assert caller.ask("PATCH", path, {"name": "Back office"}).doc["name"] == "Back office"
    assert caller.ask("DELETE", path).doc["state"] == "revoked"
    assert app.bokit.access.authorize(f"Bearer {made['token']}") is None


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_a_token_shows_itself(app, caller, role):
    """Any role may ask what its own token is; nothing of the secret is in the answer, and no other token."""
    made = caller.post("/tokens", {"role": role, "name": "Reception", "expires_in": 3600})

    answer = caller.ask("GET", "/tokens/current", authorizer=by_token(role=role, caller_id=made["id"]))

    expected = {"id": made["id"], "name": "Reception", "role": role, "tenant": "default", "expires_at": made["expires_at"]}
    assert (answer.status, answer.doc) == (200, expected)
    assert made["token"] not in answer.text


def test_a_jwt_shows_its_claims(caller):
    """It is stored nowhere: its subject, tenant and role are what the gateway says, the rest is empty."""
    claims = {"sub": "ann", "bokit_tenant": "default", "bokit_role": "operator"}

    answer = caller.ask("GET", "/tokens/current", authorizer={"jwt": {"claims": claims}})

    assert answer.doc == {"id": "ann", "name": "", "role": "operator", "tenant": "default", "expires_at": None}


def test_a_trigger_is_answered_at_once_and_worked_by_the_queue(app, caller):
    """202 and a run that is queued; the workers end it."""
    app.furnish()

    run_id = caller.post("/sync/trigger", {}, status=202)["run_id"]
    waiting = caller.get(f"/sync/history/{run_id}")
    app.work()
    done = caller.get(f"/sync/history/{run_id}")

    assert (waiting["status"], waiting["finished_at"], waiting["trigger"]) == ("queued", None, "manual")
    assert (done["status"], done["counts"]["created"]) == ("succeeded", 2)
    assert run_id in [r["run_id"] for r in caller.get("/sync/history")["items"]]


def test_a_trigger_without_a_body_syncs_everything(app, caller):
    """Whether due or not: a person who asks wants it now."""
    app.furnish()
    app.sync()

    run_id = caller.post("/sync/trigger", status=202)["run_id"]
    app.work()

    assert [s["outcome"] for s in caller.get(f"/sync/history/{run_id}")["sources"]] == ["unchanged"]


def test_a_dry_run_answers_its_plan_and_writes_nothing(app, caller):
    """200 with what would change."""
    ids = app.furnish()

    run = caller.post("/sync/trigger", {"dry_run": True, "source_ids": [ids["source"]]}, status=200)

    assert [a["action"] for a in run["plan"]] == ["create", "create"]
    assert caller.get("/bookings")["items"] == []


def test_an_idempotency_key_repeats_the_first_answer(app, caller):
    """One run for one key, whatever the order of the fields; another body is refused."""
    app.furnish()
    key = {"Idempotency-Key": "a-1,b"}

    first = caller.ask("POST", "/sync/trigger", raw='{"force": true, "new_only": false}', headers=key)
    again = caller.ask("POST", "/sync/trigger", raw='{"new_only": false, "force": true}', headers=key)
    other = caller.ask("POST", "/sync/trigger", {"force": False}, headers=key)

    assert first.status == again.status == 202
    assert first.doc == again.doc
    assert (other.status, other.code) == (422, "idempotency-key-reused")
    assert len(caller.get("/sync/history")["items"]) == 1


def test_a_monitor_runs_until_it_is_stopped(app, caller):
    """201, a second one 409, and 200 for the stop; status shows it."""
    app.furnish()
    settings = {"interval": 300, "max_runs": 5}

    assert caller.post("/sync/start", settings)["started_by"] == "token:tok_tests"
    assert caller.ask("POST", "/sync/start", settings).status == 409
    assert caller.get("/sync/status")["monitor"]["interval"] == 300
    assert caller.post("/sync/stop", status=200)["stopped"] is True
    assert caller.post("/sync/stop", status=200) == {"stopped": False, "monitor": None}
    assert caller.get("/sync/status")["monitor"] is None


def test_status_shows_freshness_by_source(app, caller):
    """The contract's five facts of every source, staleness judged at reading time."""
    app.furnish()
    app.sync()
    fresh = caller.get("/sync/status")["sources"][0]
    app.move(hours=9)
    stale = caller.get("/sync/status")

    assert (fresh["state"], fresh["last_success_at"]) == ("ok", "2026-06-01T12:00:00Z")
    assert fresh["last_change_at"] == fresh["last_attempt_at"] == "2026-06-01T12:00:00Z"
    assert fresh["next_due_at"] is not None
    assert (stale["sources"][0]["state"], stale["totals"]["stale"]) == ("stale", 1)


def test_lists_come_in_pages(app, caller):
    """Every item once, in order, whatever the page's length."""
    home = caller.post("/properties", {"name": "Villa Rosa"})["id"]
    for name in ("b", "A", "c", "D", "e"):
        caller.post("/units", {"name": name, "property_id": home})

    assert [u["name"] for u in caller.every("/units")] == ["A", "b", "c", "D", "e"]
    assert len(caller.every("/options", limit=3)) == len(caller.get("/options", limit=200)["items"])


def test_a_page_goes_on_behind_what_was_shown(app, caller):
    """What is added and removed between two pages neither repeats nor hides another item."""
    home = caller.post("/properties", {"name": "Villa Rosa"})["id"]
    ids = {name: caller.post("/units", {"name": name, "property_id": home})["id"] for name in "bdfh"}

    first = caller.get("/units", limit=2)
    caller.post("/units", {"name": "a", "property_id": home})
    caller.ask("DELETE", f"/units/{ids['d']}")
    second = caller.get("/units", limit=2, cursor=first["cursor"])

    assert [u["name"] for u in first["items"] + second["items"]] == ["b", "d", "f", "h"]


def test_the_history_comes_in_pages(app, caller):
    """The runs, newest first, across pages."""
    app.furnish()
    for _ in range(5):
        app.move(seconds=1)
        caller.post("/sync/trigger", {"force": True}, status=202)
        app.work()

    runs = caller.every("/sync/history")

    assert len(runs) == len({r["run_id"] for r in runs}) == 5
    assert runs == sorted(runs, key=lambda r: r["started_at"], reverse=True)


def test_the_document_is_served(caller):
    """GET /openapi.json is the document, and later requests are served as before."""
    assert caller.get("/openapi.json")["openapi"].startswith("3.1")
    assert caller.get("/properties")["items"] == []
