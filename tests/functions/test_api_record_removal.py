"""Records deleted over HTTP, one or all of a collection: kept as tombstones, restored, and confirmed where they are many."""

from __future__ import annotations

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas
from bokit.core.model.records import CollectionName, Record, RecordId, Scope, SourceId
from bokit.engine.records import removal
from bokit.values import replace
from tests.support.caller import ApiApp, Caller

TEAM = "/collections/team"
ADA = f"{TEAM}/records/7"


@pytest.fixture
def caller(app: ApiApp) -> Caller:
    """The caller, with a collection that programs push to, and one record in it."""
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "team", "preserve": ["joined"]})
    app.caller.ask("PUT", ADA, {"name": "Ada", "joined": 1840})
    return app.caller


def feed(app: ApiApp) -> None:
    """Let a source feed the collection, and show one record of its own."""
    app.furnish()
    source = app.store.load_sources(DEFAULT_TENANT)[0]
    team = CollectionName("team")
    saved = replace(source, name="Billing", collection=team, scope=Scope("team"), settings={"collection": {}})
    head = app.store.load_head(source)
    shard = app.store.load_heads(source.shard_id)[0]
    app.store.save_source(replace(head, source=saved), shard.schedules[source.id])
    shown = Record(
        id=RecordId("team.1"),
        tenant=DEFAULT_TENANT,
        collection=team,
        scope=Scope("team"),
        source_id=SourceId(source.id),
        key="1",
        remote={"name": "Grace"},
        created_at=app.clock(),
        updated_at=app.clock(),
    )
    app.store.apply_records([shown], [], lease=None)


def ids(caller: Caller, **query: str) -> list[str]:
    return [record["id"] for record in caller.every(f"{TEAM}/records", **query)]


# ── one record ──


def test_a_deleted_record_is_a_tombstone_that_keeps_everything(app, caller):
    """It leaves the lists, and its id shows it as gone, with its fields and who deleted it when; a second time is 204, too."""
    caller.ask("PUT", f"{TEAM}/records/8", {"name": "Bob"})
    app.clock.move(minutes=5)

    answers = [caller.ask("DELETE", ADA) for _ in range(2)]
    shown = caller.get(ADA)

    assert [(a.status, a.text) for a in answers] == [(204, "")] * 2
    assert (shown["name"], shown["_meta"]["presence"], shown["_meta"]["version"]) == ("Ada", "gone", 2)
    assert (shown["_meta"]["gone_reason"], shown["_meta"]["gone_at"]) == ("deleted by hand", shown["_meta"]["updated_at"])
    assert (ids(caller), ids(caller, presence="gone"), ids(caller, presence="all")) == (["8"], ["7"], ["7", "8"])
    log = caller.get(f"{ADA}/changes")["items"]
    assert [(c["action"], c["by"]) for c in log] == [("cancel", "token:tok_tests"), ("create", "token:tok_tests")]
    assert log[0]["at"] == shown["_meta"]["gone_at"]


def test_a_deleted_record_is_restored_with_its_fields(caller):
    """Once; what is there is not restored."""
    caller.ask("DELETE", ADA)

    restored, again = (caller.ask("POST", f"{ADA}/restore") for _ in range(2))

    assert (restored.status, restored.headers["ETag"]) == (200, '"3"')
    assert (restored.doc["name"], restored.doc["_meta"]["presence"], restored.doc["_meta"]["gone_at"]) == ("Ada", "present", None)
    assert restored.doc == caller.get(ADA)
    assert (again.status, again.code) == (409, "not-deleted")
    assert [c["action"] for c in caller.get(f"{ADA}/changes")["items"]] == ["restore", "cancel", "create"]


def test_a_put_brings_back_and_a_patch_does_not(caller):
    """A PUT of what is deleted merges into the fields that it had, also without a difference; a PATCH changes nothing."""
    caller.ask("DELETE", ADA)
    patched = caller.ask("PATCH", ADA, {"name": "Eve"})
    same = caller.ask("PUT", ADA, {"name": "Ada"})
    caller.ask("DELETE", ADA)
    other = caller.ask("PUT", ADA, {"name": "Ada L.", "joined": 1})

    assert (patched.status, patched.code) == (409, "deleted")
    assert (same.doc["changed"], same.doc["record"]["_meta"]["presence"]) == (True, "present")
    assert other.doc["record"] | {"name": "Ada L.", "joined": 1840} == other.doc["record"]
    assert (other.doc["preserved"], ids(caller)) == (["joined"], ["7"])


def test_a_deletion_takes_the_version_that_was_read(caller):
    """A record that moved on is 412 and stays; one that never was is 404; a viewer deletes nothing."""
    old = caller.ask("GET", ADA).headers["ETag"]
    now = caller.ask("PUT", ADA, {"name": "Ada L."}).headers["ETag"]

    assert caller.ask("DELETE", ADA, headers={"If-Match": old}).code == "precondition-failed"
    assert [caller.as_("viewer").ask(*asked).status for asked in (("DELETE", ADA), ("POST", f"{ADA}/restore"))] == [403, 403]
    assert caller.get(ADA)["_meta"]["presence"] == "present"
    assert caller.as_("operator").ask("DELETE", ADA, headers={"If-Match": now}).status == 204
    assert (caller.ask("DELETE", f"{ADA}0").code, caller.ask("POST", f"{ADA}0/restore").code) == ("not-found", "not-found")


def test_each_deletion_is_an_event(app, caller):
    """Who follows the record hears of its deletion and its return, once each."""
    app.bokit.events.drain()
    seq = caller.get("/events")["seq"]
    for method, path in (("DELETE", ADA), ("DELETE", ADA), ("POST", f"{ADA}/restore")):
        app.clock.move(minutes=1)
        caller.ask(method, path)
    app.bokit.events.drain()

    heard = caller.get("/events", since=str(seq))["items"]

    assert [(e["type"], e["data"]["presence"], e["data"]["version"]) for e in heard] == [
        ("record.changed", "gone", 2),
        ("record.changed", "present", 3),
    ]


def test_what_a_source_feeds_is_deleted_there(app, caller):
    """Its record is refused, named with its source; one that was pushed beside it is not. Without the source it may go."""
    feed(app)
    fed = caller.ask("DELETE", f"{TEAM}/records/1")

    assert (fed.status, fed.code, fed.doc["source"]) == (409, "synced", "Billing")
    assert "delete it there" in fed.doc["detail"]
    assert caller.ask("POST", f"{TEAM}/records/1/restore").code == "synced"
    assert caller.ask("DELETE", ADA).status == 204
    assert caller.get(f"{TEAM}/records/1")["_meta"]["presence"] == "present"

    app.bokit.catalog.sources.remove(DEFAULT_TENANT, app.store.load_sources(DEFAULT_TENANT)[0].id, release=True, by="user:ada")
    assert caller.ask("DELETE", f"{TEAM}/records/1").status == 204


# ── all of them ──


def test_emptying_asks_first_and_is_restorable(caller):
    """Without the plan: 409 with the count and the plan. With it: tombstones. A second time there is nothing to confirm."""
    caller.ask("PUT", f"{TEAM}/records/8", {"name": "Bob"})
    caller.ask("DELETE", f"{TEAM}/records/8")

    asked = caller.ask("POST", f"{TEAM}/empty")
    shown = caller.get(ADA)["_meta"]["presence"]
    done = caller.ask("POST", f"{TEAM}/empty", query={"plan": asked.doc["plan"]})

    assert (asked.status, asked.code, asked.doc["count"], shown) == (409, "not-confirmed", 1, "present")
    assert (done.status, done.doc) == (200, {"collection": "team", "removed": 1, "plan": None})
    assert (ids(caller), caller.get(ADA)["_meta"]["presence"]) == ([], "gone")
    assert caller.ask("POST", f"{TEAM}/empty").doc["removed"] == 0
    assert caller.ask("POST", f"{ADA}/restore").status == 200


@pytest.mark.parametrize(("method", "path"), [("POST", f"{TEAM}/empty"), ("DELETE", TEAM)])
def test_a_plan_is_of_what_was_shown(caller, method, path):
    """Another record, another value, another collection's plan, or none that ever was: refused with the plan of now."""
    plan = caller.ask(method, path).doc["plan"]
    caller.ask("PUT", f"{TEAM}/records/8", {"name": "Bob"})
    pushed = caller.ask(method, path, query={"plan": plan})
    caller.ask("PUT", ADA, {"name": "Ada L."})
    edited = caller.ask(method, path, query={"plan": pushed.doc["plan"]})
    other = "DELETE" if method == "POST" else "POST"
    foreign = caller.ask(other, TEAM if other == "DELETE" else f"{TEAM}/empty", query={"plan": edited.doc["plan"]})

    assert [(a.status, a.code) for a in (pushed, edited, foreign)] == [(409, "plan-changed")] * 3
    assert (pushed.doc["count"], edited.doc["count"], ids(caller)) == (2, 2, ["7", "8"])
    assert caller.ask(method, path, query={"plan": "x"}).code == "plan-changed"
    assert caller.ask(method, path, query={"plan": edited.doc["plan"]}).status in (200, 204)


def test_removing_takes_the_records_and_the_collection(app, caller):
    """Nothing is left: no record, no change log, no count against the quota; a new one of the name begins empty."""
    caller.ask("PUT", f"{TEAM}/records/8", {"name": "Bob"})
    caller.ask("DELETE", f"{TEAM}/records/8")
    asked = caller.ask("DELETE", TEAM)

    assert (asked.code, asked.doc["count"]) == ("not-confirmed", 2)
    assert caller.ask("DELETE", TEAM, query={"plan": asked.doc["plan"]}).status == 204
    assert [caller.ask("GET", path).code for path in (TEAM, ADA)] == ["not-found", "not-found"]
    assert app.store.load_changes(DEFAULT_TENANT, RecordId("team.7")).items == ()
    assert app.store.load_usage(DEFAULT_TENANT, app.clock().date())["records"] == 0
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "team", "buckets": 4})
    assert (ids(caller), caller.ask("GET", ADA).code) == ([], "not-found")
    assert caller.ask("DELETE", TEAM).status == 204


def test_a_collection_that_a_source_feeds_is_left_alone(app, caller):
    """It would fill again: refused, and the source is named."""
    feed(app)

    for method, path in (("POST", f"{TEAM}/empty"), ("DELETE", TEAM)):
        for query in ({}, {"plan": "x"}):
            refused = caller.ask(method, path, query=query)
            assert (refused.status, refused.code, refused.doc["source"]) == (409, "synced", "Billing")
            assert "remove the source first" in refused.doc["detail"]
    assert caller.as_("operator").ask("POST", f"{TEAM}/empty").status == 403


@pytest.mark.parametrize("kind", ["empty", "remove"])
@pytest.mark.parametrize("buckets", [1, 4])
def test_many_records_go_in_parts(app, caller, monkeypatch, kind, buckets):
    """Each request ends in time, and its answer has the plan of the next; what is pushed in between is not deleted unseen."""
    for name, value in (("MAX_REMOVED_AT_ONCE", 20), ("MAX_SINGLE_EVENTS", 5), ("LAST_CHUNK", 4)):
        monkeypatch.setattr(removal, name, value)
    monkeypatch.setattr("bokit.engine.records.walk.walk_records.__kwdefaults__", {"size": 10})
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "many", "buckets": buckets})
    for n in range(95):
        caller.ask("PUT", f"/collections/many/records/{n}", {"n": n})
    method, path = ("POST", "/collections/many/empty") if kind == "empty" else ("DELETE", "/collections/many")
    app.clock.move(minutes=1)

    shown = caller.ask(method, path).doc
    first = caller.ask(method, path, query={"plan": shown["plan"]})
    app.clock.move(minutes=1)
    last = f"zz{buckets}"
    caller.ask("PUT", f"/collections/many/records/{last}", {"n": 95})
    statuses, answer = [first.status], first
    while answer.status in (200, 202) and (answer.doc["plan"]):
        answer = caller.ask(method, path, query={"plan": answer.doc["plan"]})
        statuses.append(answer.status)
        assert len(statuses) < 12

    assert (shown["count"], first.doc["removed"] >= 20) == (95, True)
    assert (statuses[-1], answer.code) == (409, "plan-changed")
    assert caller.get(f"/collections/many/records/{last}")["_meta"]["presence"] == "present"
    while answer.status != 204 and (plan := answer.doc.get("plan")):
        answer = caller.ask(method, path, query={"plan": plan})
    assert caller.every("/collections/many/records") == [] if kind == "empty" else answer.status == 204


def test_many_deletions_are_one_event(app, caller):
    """Of a part with more than a hundred records; of the others each has its own."""
    for n in range(120):
        caller.ask("PUT", f"{TEAM}/records/n{n}", {"n": n})
    app.bokit.events.drain()
    seq = caller.get("/events")["seq"]
    app.clock.move(minutes=1)

    plan = caller.ask("POST", f"{TEAM}/empty").doc["plan"]
    assert caller.ask("POST", f"{TEAM}/empty", query={"plan": plan}).doc["removed"] == 121
    app.bokit.events.drain()

    heard = caller.get("/events", since=str(seq))["items"]
    assert [(e["type"], e["data"]["collection"], e["data"]["counts"]) for e in heard] == [
        ("collection.changed", "team", {"cancelled": 121})
    ]


def test_deletions_count_against_the_days_writes(app, caller):
    """Refused where the tenant may not write so much more today; then nothing is deleted."""
    usage = app.store.load_usage(DEFAULT_TENANT, app.clock().date())["writes"]
    app.store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName.WRITES): usage + 1})
    plan = caller.ask("POST", f"{TEAM}/empty").doc["plan"]

    refused = [caller.ask("DELETE", ADA), caller.ask("POST", f"{TEAM}/empty", query={"plan": plan})]

    assert [a.code for a in refused] == ["quota", "quota"]
    assert caller.get(ADA)["_meta"]["presence"] == "present"
    app.store.quotas = Quotas(limits={(QuotaOwner.TENANT, QuotaName.WRITES): usage + 2})
    assert caller.ask("DELETE", ADA).status == 204
