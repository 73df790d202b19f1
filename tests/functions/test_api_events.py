"""The event log over HTTP."""

from __future__ import annotations

from tests.support.caller import ApiApp, Caller


def test_events_are_read_from_where_one_stopped(app: ApiApp, caller: Caller):
    """Without ``since`` only the place in the log; then what came after it, with the names of Standard Webhooks."""
    app.bokit.events.drain()
    before = caller.get("/events")
    caller.post("/properties", {"name": "Villa"})
    app.bokit.events.drain()

    answer = caller.get("/events", since=before["seq"])

    (event,) = answer["items"]
    assert before["items"] == []
    assert (event["seq"], answer["seq"]) == (before["seq"] + 1, before["seq"] + 1)
    assert set(event) == {"id", "seq", "type", "at", "timestamp", "data"}
    assert (event["type"], event["at"], event["data"]["change"]) == ("catalog.changed", event["timestamp"], "added")
    assert caller.get("/events", since=answer["seq"]) == {"items": [], "seq": answer["seq"]}


def test_a_place_that_the_log_does_not_know_is_resync(app: ApiApp, caller: Caller):
    """410 with the code, and where the log is."""
    app.bokit.events.drain()
    seq = caller.get("/events")["seq"]

    problem = caller.ask("GET", "/events", query={"since": seq + 1})

    assert (problem.status, problem.code, problem.doc["seq"]) == (410, "resync", seq)
