"""The rules of records on random lives: nothing doubled, nothing lost, a second look changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.items.api_spec import TimeFormat, UpdatedSince, read_api, read_json_settings
from bokit.core.items.planning import describe_record
from bokit.core.items.reader import hash_body, read_body, read_expression, search, write_body, write_line
from bokit.core.model.catalog import Collection, ShardId, Source
from bokit.core.model.collections import OnMissing, copy_collection, make_id, read_schema, settings_of, write_key
from bokit.core.model.due_times import is_full_due, next_full_at, plan_next_full
from bokit.core.model.options import Options
from bokit.core.model.records import Presence, RecordId, Scope, SourceId, TenantId, scope_of
from bokit.core.model.scheduling import Head
from bokit.core.model.source_rules import Verdict
from bokit.errors import InputError, SourceMalformedError
from bokit.values import replace
from tests.support.record_life import AT, CLIENTS, CONTEXT, RULES, Life

FIELDS = st.dictionaries(
    st.sampled_from(["name", "email", "n"]), st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=2)
)
LISTS = st.dictionaries(st.integers(1, 6), FIELDS, max_size=6)


@settings(max_examples=150, deadline=None)
@given(lists=st.lists(LISTS, min_size=1, max_size=6), policy=st.sampled_from(list(OnMissing)))
def test_every_life_is_planned_once(lists, policy):
    """After each fetch: what it shows is what is stored; the same again asks for nothing, but what is released in its time."""
    life = Life(on_missing=str(policy))
    for rows in lists:
        plan = life.sync(rows)
        assert set(rows) <= {int(r.key) for r in life.records.values()}
        for key, fields in rows.items():
            record = life.records[make_id(CLIENTS, str(key))]
            assert record.fields == {"id": key, **fields}
            assert record.presence is Presence.PRESENT
        held = plan.hold is not None
        again = life.sync(rows, hours=0.5)
        assert again.is_empty
        assert (again.hold is not None) is held
        assert plan.seen == len(rows)
    assert len({r.key for r in life.records.values()}) == len(life.records)
    if policy is OnMissing.KEEP:
        assert {r.presence for r in life.records.values()} <= {Presence.PRESENT}


@settings(max_examples=100, deadline=None)
@given(first=LISTS, second=LISTS)
def test_only_what_is_new_touches_nothing_that_is_known(first, second):
    """New-only creates, and leaves every known record as it is, shown or not."""
    life = Life()
    life.sync(first)
    before = dict(life.records)

    plan = life.sync(second, new_only=True)

    assert {int(a.after.key) for a in plan.actions} == set(second) - set(first)
    assert all(life.records[key] is record for key, record in before.items())
    assert plan.seen == len(second)


@settings(deadline=None)
@given(first=LISTS, second=LISTS)
def test_what_changed_lately_says_nothing_of_the_rest(first, second):
    """An incremental fetch misses nobody and holds nothing."""
    life = Life()
    life.sync(first)

    plan = life.sync(second, whole=False)

    assert plan.hold is None
    assert life.present == set(first) | set(second)


def test_a_body_that_is_none_of_ours_proves_nothing():
    """Unreadable: held, nothing changed, nothing to apply; a whole list ends it."""
    life = Life()
    life.sync({1: {}, 2: {}})
    context = replace(life.context, memory=life.memory)
    for body in (b"", b"<html>", b"[1]", b'{"bokit":1,"whole":true}\nnonsense', b"\xff"):
        seen = RULES.read(body, context, b"")
        matches = RULES.match(list(life.records.values()), seen, context)
        plan = RULES.guard(RULES.plan(matches, context), matches, context)
        assert (seen.verdict, plan.hold.code, plan.hold.can_apply, plan.actions) == (
            Verdict.UNREADABLE,
            "unreadable-feed",
            False,
            (),
        )
    new_only = replace(context, new_only=True)
    matches = RULES.match(list(life.records.values()), seen, new_only)
    plan = RULES.guard(RULES.plan(matches, new_only), matches, new_only)
    assert (plan.actions, plan.hold.code) == ((), "unreadable-feed")


def test_invalid_items_are_reported_and_the_rest_is_read():
    """No object, no id, an id of no use, too large: a problem each; the same twice, saying the same, is one."""
    life = Life()
    bad = [7, {"name": "x"}, {"id": None}, {"id": True}, {"id": {"a": 1}}, {"id": ""}, {"id": 5, "x": "y" * 300_000}]

    plan = life.sync([*bad, {"id": 1}, {"id": 1.0}, {"id": "2", "n": 1}, {"id": 2, "n": 1}, {"id": 3, "n": 1}, {"id": 3, "n": 2}])

    codes = [p["code"] for p in plan.problems]
    assert codes == ["no-object", *["no-id"] * 5, "too-large", "duplicate-id", "duplicate-id"]
    assert {p.get("uid") for p in plan.problems if p["code"] == "duplicate-id"} == {"2", "3"}
    assert life.present == {1}
    assert plan.hold.code == "partial-feed"


def test_the_same_settings_hash_alike_and_others_do_not():
    """The order of items makes no difference; a field map, a policy or a schema does."""
    one = write_body([write_line({"id": 1}), write_line({"id": 2})], whole=True)
    two = write_body([write_line({"id": 2}), write_line({"id": 1})], whole=True)
    other = replace(CONTEXT, settings={"on_missing": "keep"})

    assert RULES.hash_content(one, CONTEXT) == RULES.hash_content(two, CONTEXT)
    assert RULES.hash_content(one, CONTEXT) != RULES.hash_content(one, other)
    assert hash_body(one, "a") != hash_body(one, "b")
    assert read_body(one) == (True, [{"id": 1}, {"id": 2}])


def test_a_preserved_value_that_changes_again_is_reported_again():
    """Each new value of the source for a preserved field is reported once, with its former value."""
    life = Life(collection={"preserve": ["email"]})
    life.sync({1: {"email": "a"}})
    preserved = []
    for value in ("b", "b", "c", "a", "a"):
        for action in life.sync({1: {"email": value}}).actions:
            preserved += [(c.before, c.after) for c in action.preserved.values()]
    assert preserved == [("a", "b"), ("b", "c")]
    (record,) = life.records.values()
    assert (record.fields["email"], record.memory) == ("a", {})


def test_releasing_a_removed_sources_records_lets_them_go_once():
    """A removed record is not removed again; its log has the removal."""
    life = Life()
    life.sync({1: {}})
    (record,) = life.records.values()

    after, line = RULES.release(record, by="user:ada", at=AT, zone=ZoneInfo("UTC"))

    assert (after.presence, line.action, line.by) == (Presence.GONE, "release", "user:ada")
    assert RULES.release(after, by="user:ada", at=AT, zone=ZoneInfo("UTC")) is None


def test_a_record_is_shown_flat_with_what_is_ours_beside():
    """`id` is the record's; an own id that is another is shown apart; names with an underscore are the source's, and writable."""
    life = Life(id="key", fields={"id": "other", "name": "name"})
    life.sync([{"key": "K1", "other": 7, "name": "Ada"}])
    (record,) = life.records.values()
    shown = describe_record(record)

    assert (shown["id"], shown["name"], shown["_meta"]["record_id"]) == ("K1", "Ada", "clients.K1")
    assert shown["_meta"]["shadowed"] == {"id": 7}
    assert RULES.read_edit(record, {"a": 1, "_b": 2, "_meta": {}, "_base": {}}) == {"a": 1, "_b": 2}


# ── ids ──


@settings(deadline=None)
@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300), st.sampled_from([1, 7]))
def test_ids_are_safe_and_no_two_keys_share_one(one, other, buckets):
    """Whatever letters a key has, its id contains its scope, and another key has another id."""
    made = make_id(CLIENTS, one, buckets)
    assert scope_of(made).partition("~")[0] == "clients"
    assert len(made) < 250
    assert (make_id(CLIENTS, other, buckets) == made) is (one == other)
    assert made.isascii()


def test_keys_are_texts_and_whole_numbers():
    """What identifies a record; nothing else does."""
    assert [write_key(v) for v in ("a", 7, 7.0, 7.5)] == ["a", "7", "7", "7.5"]
    assert [write_key(v) for v in (None, True, "", [], {}, "x" * 2000)] == [None] * 6
    assert RecordId("clients.7") == make_id(CLIENTS, "7")


# ── what is said of a source and a collection ──


def test_settings_of_a_json_source_are_kept_as_given():
    """What is read is what is stored; what is stored reads as it was."""
    raw = {
        "method": "post",
        "headers": {"X-Key": "secret:k", "X-Version": 2},
        "body": {"q": 1},
        "items": "data",
        "id": "uid",
        "fields": {"name": "n.first"},
        "pages": {"cursor": "meta.next", "param": "c"},
        "new_only": "yes",
        "on_missing": "mark",
        "updated_since": {"param": "s", "format": "unix", "overlap": "10m"},
    }
    settings = read_json_settings(raw)
    spec = read_api(settings)

    assert (spec.method, spec.headers, spec.pages.where, spec.pages.param) == (
        "POST",
        {"X-Key": "secret:k", "X-Version": "2"},
        "meta.next",
        "c",
    )
    assert (spec.since.param, spec.since.overlap, spec.since.write(AT)) == ("s", 600, str(int(AT.timestamp())))
    assert (settings["new_only"], settings["on_missing"], settings["id"]) == (True, "mark", "uid")
    assert UpdatedSince(param="s", format=TimeFormat.DATE).write(AT) == "2026-03-28"
    assert read_json_settings({}) == {"id": "id", "on_missing": "keep"}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"method": "DELETE"}, "method"),
        ({"headers": []}, "headers"),
        ({"headers": {"Bad Name": "x"}}, "headers"),
        ({"headers": {"Host": "x"}}, "headers.Host"),
        ({"headers": {"X": "é"}}, "headers.X"),
        ({"headers": {"X": True}}, "headers.X"),
        ({"fields": {}}, "fields"),
        ({"fields": {"_meta": "a"}}, "fields"),
        ({"fields": {"x": "a["}}, "fields.x"),
        ({"id": "["}, "id"),
        ({"pages": {}}, "pages"),
        ({"pages": []}, "pages"),
        ({"pages": {"page": "p"}}, "pages.size"),
        ({"pages": {"page": "p", "size": 0}}, "pages.size"),
        ({"pages": {"page": "p q", "size": 1}}, "pages.page"),
        ({"pages": {"cursor": "c"}}, "pages.param"),
        ({"pages": {"next": "n", "size": 1}}, "pages"),
        ({"pages": {"page": "p", "size": True}}, "pages.size"),
        ({"updated_since": "since"}, "updated_since"),
        ({"updated_since": {"param": "s", "format": "julian"}}, "updated_since.format"),
        ({"updated_since": {"param": "s", "overlap": -1}}, "updated_since.overlap"),
        ({"new_only": "perhaps"}, "new_only"),
        ({"body": {"a": 1}}, "body"),
        ({"where": "1=1"}, "where"),
        ({"items": 7}, "items"),
    ],
)
def test_a_wrong_setting_is_reported_with_its_path(raw, path):
    """The error begins with the place."""
    with pytest.raises(InputError) as caught:
        read_json_settings(raw)
    assert caught.value.message.startswith(f"{path}: ")


def test_a_collections_word_reaches_its_rules():
    """What is declared is what the rules ask; what is not said is left out of every source."""
    plain = Collection(name=CLIENTS, tenant=TenantId("t"))
    full = replace(
        plain, preserve=("a",), array_keys={"b": "id"}, schema={"type": "object"}, buckets=4, interval=timedelta(minutes=5)
    )
    assert copy_collection(plain) == {}
    assert set(copy_collection(full)) == {"preserve", "array_keys", "schema", "buckets", "interval"}
    rules = settings_of(full, OnMissing.MARK)
    assert (rules.preserve, rules.buckets, rules.on_missing, rules.schema) == (("a",), 4, OnMissing.MARK, {"type": "object"})


def test_schemas_are_judged_when_they_are_declared():
    """An empty one is none; a reference inside is fine; one that leads out, or nowhere, is refused."""
    assert read_schema({}) is None
    assert read_schema(True) is None
    good = {"$id": "https://x.example/s", "$defs": {"a": {"type": "string"}}, "properties": {"n": {"$ref": "#/$defs/a"}}}
    assert read_schema(good) == good
    for bad in ("x", {"$ref": "#/$defs/b"}, {"$ref": "other.json"}, {"properties": {"n": {"type": "texty"}}}, {"a": {1, 2}}):
        with pytest.raises(InputError):
            read_schema(bad)
    deep = inner = {}
    for _ in range(5000):
        inner["not"] = {}
        inner = inner["not"]
    with pytest.raises(InputError):
        read_schema(deep)


def test_expressions_are_read_once_and_never_raise():
    """A plain name is looked up, a path is searched, a type that does not fit finds nothing."""
    assert search("a", {"a": 1}) == 1
    assert search("a", [1]) is None
    assert search("a.b[0]", {"a": {"b": [7]}}) == 7
    assert search("length(a)", {"a": 7}) is None
    assert read_expression(" a.b ") == "a.b"
    for bad in ("", "a[", None, "x" * 2000):
        with pytest.raises(InputError):
            read_expression(bad)


def test_items_nested_too_deeply_are_refused():
    """A thousand arrays in one another are no item."""
    value = []
    for _ in range(1000):
        value = [value]
    with pytest.raises(SourceMalformedError):
        write_line(value)
    assert write_line({"b": 1.0, "a": [1e300, 2.5]}) == b'{"a":[1e+300,2.5],"b":1}'


# ── when all is read ──


def a_head(full_at=None, **settings):
    """The head of a source with these settings."""
    source = Source(
        id=SourceId("s"),
        tenant=TenantId("t"),
        name="s",
        kind="json",
        url="https://x",
        collection=CLIENTS,
        scope=Scope("clients"),
        shard_id=ShardId("1"),
        settings=settings,
    )
    return Head(source=source, full_at=full_at)


def test_a_full_pass_at_a_time_of_day_follows_the_clocks():
    """02:00 in Rome: 01:00 UTC in winter, 00:00 in summer; on the night when 02:00 is skipped it comes at 03:00 local time."""
    rome = Options({"timezone": "Europe/Rome", "sync.new_only": True, "sync.full_interval": "02:00"})
    at, days = datetime(2026, 3, 27, 12, 0, tzinfo=UTC), []
    for _ in range(4):
        at = plan_next_full("02:00", at, rome)
        days.append(f"{at:%d %H:%M}")
    assert days == ["28 01:00", "29 01:00", "30 00:00", "31 00:00"]
    assert not is_full_due(a_head(at), rome, at + timedelta(hours=23))
    assert is_full_due(a_head(at), rome, at + timedelta(hours=24))


def test_full_passes_are_for_sources_that_have_others():
    """Where every pass is full none is due; where only new ones are asked for and no interval is set, none ever comes."""
    often = Options({"sync.full_interval": 3600})
    assert not is_full_due(a_head(), often, AT)
    assert next_full_at(a_head(), often, AT) is None
    assert is_full_due(a_head(new_only=True), often, AT)
    assert not is_full_due(a_head(new_only=True), Options({}), AT)
    assert next_full_at(a_head(AT, new_only=True), often, AT) == AT + timedelta(hours=1)
    since = {"updated_since": {"param": "s"}}
    assert is_full_due(a_head(AT, **since, on_missing="mark"), Options({}), AT + timedelta(days=1))
    assert not is_full_due(a_head(AT, **since), Options({}), AT + timedelta(days=9))
