"""Records over HTTP: merged, versioned, checked by field, and of one tenant alone."""

from __future__ import annotations

import pytest

from bokit.core.items.edit import WriteMethod
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import CollectionName, Record, RecordId, Scope, SourceId
from bokit.engine.catalog.collections import WriteRequest
from tests.support.caller import OTHER

SETTINGS = {
    "name": "settings",
    "preserve": ["createdBy"],
    "array_keys": {"team": "email"},
    "schema": {"type": "object", "properties": {"theme": {"type": "string"}, "n": {"type": "integer"}}},
}
MAIN = "/collections/settings/records/main"


@pytest.fixture
def caller(app):
    """The caller, with a collection of settings declared."""
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, SETTINGS)
    return app.caller


def test_a_record_is_made_merged_patched_and_returned(caller):
    """The life of a record: every answer has the whole record, with its version as ETag, and every change is in its log."""
    made = caller.ask("PUT", MAIN, {"theme": "dark", "mail": {"port": 25}, "createdBy": "ada"})
    merged = caller.ask("PUT", MAIN, {"mail": {"from": "a@x.example"}, "createdBy": "bob"})
    again = caller.ask("PUT", MAIN, {"theme": "dark"})
    patched = caller.ask("PATCH", MAIN, {"theme": None})

    assert (made.status, made.doc["changed"], made.headers["ETag"]) == (200, True, '"1"')
    assert (merged.doc["changed"], merged.doc["preserved"]) == (True, ["createdBy"])
    assert (again.doc["changed"], again.headers["ETag"]) == (False, '"2"')
    assert patched.doc["record"] == caller.get(MAIN)
    assert {k: v for k, v in caller.get(MAIN).items() if k in ("id", "mail", "theme", "createdBy")} == {
        "id": "main",
        "mail": {"port": 25, "from": "a@x.example"},
        "createdBy": "ada",
    }
    assert [c["by"] for c in caller.get(f"{MAIN}/changes")["items"]] == ["token:tok_tests"] * 3


def test_a_request_may_preserve_more(caller):
    """``?preserve=`` names fields that keep what they have, for this request."""
    caller.ask("PUT", MAIN, {"theme": "dark", "n": 1})

    answer = caller.ask("PUT", MAIN, {"theme": "light", "n": 2}, query={"preserve": "theme"})

    assert (answer.doc["record"]["theme"], answer.doc["record"]["n"], answer.doc["preserved"]) == ("dark", 2, ["theme"])


def test_if_match_takes_what_was_read_and_nothing_else(caller):
    """A version that moved on is 412; so is a record that must be new, and is not, or must be there, and is not."""
    etag = caller.ask("PUT", MAIN, {"n": 1}).headers["ETag"]
    assert caller.ask("PUT", MAIN, {"n": 2}, headers={"If-Match": etag}).status == 200
    for headers in ({"If-Match": etag}, {"If-None-Match": "*"}):
        refused = caller.ask("PUT", MAIN, {"n": 3}, headers=headers)
        assert (refused.status, refused.code) == (412, "precondition-failed")
    assert caller.ask("PATCH", MAIN, {"n": 3}, headers={"If-Match": "*"}).status == 200
    assert caller.ask("PUT", f"{MAIN}2", {"n": 3}, headers={"If-Match": "*"}).status == 404
    assert caller.ask("PUT", MAIN, {"n": 3}, headers={"If-Match": "nonsense"}).status == 422


def test_errors_name_the_field(caller):
    """What breaks the schema is 422 with each field; nothing is written."""
    answer = caller.ask("PUT", MAIN, {"theme": 1, "n": "x"})

    assert (answer.status, answer.code) == (422, "schema")
    assert [e["field"] for e in answer.doc["errors"]] == ["n", "theme"]
    assert caller.ask("GET", MAIN).code == "not-found"
    assert caller.ask("PATCH", MAIN, {"theme": "x"}).code == "not-found"
    assert caller.ask("PUT", MAIN, {"id": "other"}).status == 422
    assert caller.ask("PUT", MAIN, raw="[1]").status == 400


def test_lists_page_and_filter(caller):
    """Records come page by page, each once; counts only where they are asked for."""
    for n in range(5):
        caller.ask("PUT", f"/collections/settings/records/r{n}", {"n": n})

    assert [r["id"] for r in caller.every("/collections/settings/records")] == [f"r{n}" for n in range(5)]
    assert caller.get("/collections/settings/records", presence="gone")["items"] == []
    assert "counts" not in caller.get("/collections")["items"][0]
    assert caller.get("/collections", counts="true")["items"][0]["counts"]["records"] == 5
    assert caller.get("/collections/settings")["counts"]["present"] == 5
    assert caller.ask("GET", "/collections/settings/records", query={"presence": "lost"}).status == 422
    assert caller.ask("GET", "/collections/settings/records", query={"cursor": "AAAA"}).code == "bad-cursor"


def test_odd_ids_are_reached_by_our_own(caller):
    """A record whose id fits no path is found, and written, by the id that lists show."""
    collections = caller.bokit.catalog.collections
    collections.write(
        collections.find(DEFAULT_TENANT, "settings"),
        "a/b",
        WriteRequest(method=WriteMethod.PUT, document={"n": 1}, by="user:ada"),
    )
    ours = caller.get("/collections/settings/records")["items"][0]["_meta"]["record_id"]

    assert caller.get(f"/collections/settings/records/{ours}")["id"] == "a/b"
    assert caller.ask("PUT", f"/collections/settings/records/{ours}", {"n": 2}).doc["record"]["id"] == "a/b"
    assert len(caller.get("/collections/settings/records")["items"]) == 1


def test_nothing_of_another_tenant_is_seen(caller):
    """Another tenant's token finds neither collection nor record, and its cursor is good for nothing here."""
    caller.ask("PUT", MAIN, {"n": 1})
    stranger = caller.as_(tenant=OTHER)

    assert stranger.get("/collections")["items"] == []
    for method, path in (
        ("GET", MAIN),
        ("PUT", MAIN),
        ("PATCH", MAIN),
        ("GET", "/collections/settings"),
        ("GET", f"{MAIN}/changes"),
    ):
        assert stranger.ask(method, path, None if method == "GET" else {"n": 2}).status == 404
    assert caller.get(MAIN)["n"] == 1


def test_a_viewer_reads_and_writes_nothing(caller):
    """Reading needs no more than a viewer; writing an operator."""
    caller.ask("PUT", MAIN, {"n": 1})
    viewer = caller.as_("viewer")

    assert viewer.get(MAIN)["n"] == 1
    assert (viewer.ask("PUT", MAIN, {"n": 2}).status, viewer.ask("PATCH", MAIN, {"n": 2}).status) == (403, 403)
    assert caller.as_("operator").ask("PUT", MAIN, {"n": 2}).status == 200


def test_bookings_are_no_collection_of_records_to_write(caller):
    """What bookings' own routes do is not done here."""
    assert caller.ask("PUT", "/collections/bookings/records/x", {"n": 1}).status == 404


def test_an_edit_is_given_up_and_the_source_followed_again(app):
    """A person's edit of a record with a source yields when it is given up; a field that nobody edited is an error."""
    caller = app.caller
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, SETTINGS)
    record = Record(
        id=RecordId("settings.main"),
        tenant=DEFAULT_TENANT,
        collection=CollectionName("settings"),
        scope=Scope("settings"),
        source_id=SourceId("src_1"),
        key="main",
        remote={"theme": "dark", "n": 1},
        created_at=app.clock(),
        updated_at=app.clock(),
    )
    app.store.apply_records([record], [], lease=None)
    caller.ask("PUT", MAIN, {"theme": "light", "n": 2})

    partly = caller.ask("POST", f"{MAIN}/accept-remote", {"fields": ["n"]}).doc
    wholly = caller.ask("POST", f"{MAIN}/accept-remote").doc

    assert (partly["theme"], partly["n"], set(partly["_meta"]["edits"])) == ("light", 1, {"theme"})
    assert (wholly["theme"], wholly["_meta"]["edits"]) == ("dark", {})
    assert caller.ask("POST", f"{MAIN}/accept-remote", {"fields": ["n"]}).status == 422
