"""How far one fault of an item, a page or a field reaches: its own record or field, and nothing behind it."""

from __future__ import annotations

import pytest

from bokit.core.items.reader import write_body, write_line
from bokit.core.items.rules import read_items
from bokit.core.model.field_changes import FieldVerdict, SchemaPolicy, find_field_changes, judge_field_changes
from bokit.core.model.records import Presence
from bokit.core.model.source_rules import Problem
from bokit.values import replace
from tests.support.record_life import AT, RULES, Life


def clients(*numbers, **fields):
    return [{"id": n, "name": f"C{n}", **fields} for n in numbers]


def record(life, key):
    return next(r for r in life.records.values() if r.key == str(key))


def code(plan):
    return plan.hold and plan.hold.code


@pytest.mark.parametrize(
    "bad",
    [
        {"id": 1, "name": "x" * 300_000},
        {"id": 1, "name": 7},
        [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}],
    ],
    ids=["too-large", "schema", "duplicate-id"],
)
def test_an_item_that_cannot_be_used_keeps_its_own_record_alone(bad):
    """Its record stays as it is for ever; another that is deleted is missing and then gone meanwhile."""
    life = Life(collection={"schema": {"properties": {"name": {"type": "string"}}}})
    life.sync(clients(*range(1, 8)))
    rows = [*(bad if isinstance(bad, list) else [bad]), *clients(2, 3, 4, 5, 6)]

    plan = life.sync(rows)
    assert (code(plan), plan.refused, plan.hold.can_apply) == ("partial-feed", True, False)
    assert record(life, 7).presence is Presence.MISSING
    life.sync(rows, hours=25)

    assert (record(life, 7).presence, record(life, 1).presence) == (Presence.GONE, Presence.PRESENT)
    assert record(life, 1).fields["name"] == "C1"


def test_an_item_that_the_fetch_could_not_keep_is_known_by_its_id():
    """One that is nested too deeply is a problem of the body, with its id: its record stays."""
    life = Life()
    life.sync(clients(1, 2, 3, 4))
    body = write_body(
        [write_line(c) for c in clients(2, 3)], whole=True, problems=[Problem(code="too-deep", message="deep", uid="1")]
    )
    context = life.context
    seen = RULES.read(body, context, b"")
    plan = RULES.plan(matches := RULES.match(list(life.records.values()), seen, context), context)

    assert [(str(a.kind), a.after.key) for a in RULES.guard(plan, matches, context).actions] == [("miss", "4")]


def test_items_without_an_id_hold_what_is_newly_gone_for_a_day_and_no_longer():
    """One that was there before explains nothing; a new one may be the record that is gone: it stays until fetches agree."""
    old = Life()
    old.sync([*clients(*range(1, 11)), {"noid": 1}])
    assert code(old.sync([*clients(*range(1, 10)), {"noid": 1}])) == "partial-feed"
    assert record(old, 10).presence is Presence.MISSING

    new = Life()
    new.sync(clients(*range(1, 11)))
    rows = [*clients(*range(1, 10)), {"name": "C10"}]
    held = new.sync(rows)
    assert (code(held), held.hold.can_apply, record(new, 10).presence) == ("unidentified-items", True, Presence.PRESENT)
    assert [r["id"] for r in held.hold.releases] == ["10"]
    new.sync(rows, hours=25)
    new.sync(rows)
    assert record(new, 10).presence is Presence.GONE  # missing since the first of the fetches that agreed

    applied = Life()
    applied.sync(clients(*range(1, 11)))
    hold = applied.sync(rows).hold
    applied.sync(rows, approved=hold.plan_hash)
    assert record(applied, 10).presence is Presence.GONE


def test_a_list_of_which_nothing_can_be_used_deletes_nobody_however_long_it_comes():
    """The field of the id was renamed: no time and no person takes that for an empty list."""
    life = Life()
    life.sync(clients(1, 2, 3))
    for _ in range(4):
        plan = life.sync([{"key": n} for n in (1, 2, 3)], hours=30)
        assert (code(plan), plan.hold.can_apply, life.present) == ("unusable-items", False, {1, 2, 3})


@pytest.mark.parametrize("problem", ["more-pages", "page-missing", "api-error"])
def test_an_incomplete_list_is_taken_and_misses_nobody(problem):
    """What came is taken, what did not is not missing, however often it comes; a complete list lifts it."""
    life = Life()
    life.sync(clients(1, 2, 3))
    body = write_body([write_line({"id": 1, "name": "new"})], whole=True, problems=[Problem(code=problem, message="more")])
    known = list(life.records.values())
    seen = RULES.read(body, life.context, b"")
    matches = RULES.match(known, seen, life.context)
    plan = RULES.guard(RULES.plan(matches, life.context), matches, life.context)

    assert (code(plan), plan.refused, plan.hold.can_apply) == ("incomplete-list", True, False)
    assert [(str(a.kind), a.after.key) for a in plan.actions] == [("update", "1")]


# ── deleted, left out, volatile ──


def test_what_the_source_shows_as_deleted_is_gone_at_once_whatever_the_policy():
    """Also in a pass over changes; what is not known is not created; shown again it is restored."""
    life = Life(on_missing="keep", deleted="deleted_at")
    life.sync([*clients(1, 2, 3, 4), {"id": 9, "deleted_at": "2026-01-01"}])
    assert life.present == {1, 2, 3, 4}

    plan = life.sync([{"id": 2, "deleted_at": "2026-02-01"}, {"id": 3, "deleted_at": "false"}], whole=False)

    assert [(str(a.kind), a.after.key, a.reason) for a in plan.actions][:1] == [("cancel", "2", "deleted at the source")]
    assert record(life, 2).presence is Presence.GONE
    life.sync(clients(1, 2, 3, 4))
    assert life.present == {1, 2, 3, 4}


def test_half_of_the_records_shown_as_deleted_are_held_for_a_day_or_until_applied():
    """A flag that is suddenly set everywhere deletes nobody at once; a person, or a day of agreement, does."""
    for hours, approved in ((25, False), (1, True)):
        life = Life(on_missing="keep", deleted="gone")
        life.sync(clients(*range(1, 7)))
        rows = [*clients(1, 2, 3), *clients(4, 5, 6, gone=True)]
        held = life.sync(rows)
        assert (code(held), life.present) == ("shrunken-feed", set(range(1, 7)))
        life.sync(rows, hours=hours, approved=held.hold.plan_hash if approved else None)
        assert life.present == {1, 2, 3}


def test_fields_are_left_out_and_changes_of_volatile_ones_alone_are_none():
    """A column that is left out is in no record and in no hash; a volatile one follows when something else changes."""
    life = Life(without=["secret", "address.zip"], volatile=["seen"])
    life.sync([{"id": 1, "name": "a", "secret": "x", "address": {"zip": 1, "city": "Ulm"}, "seen": 1}])
    assert record(life, 1).fields == {"id": 1, "name": "a", "address": {"city": "Ulm"}, "seen": 1}

    assert life.sync([{"id": 1, "name": "a", "secret": "y", "address": {"zip": 2, "city": "Ulm"}, "seen": 2}]).actions == ()
    life.sync([{"id": 1, "name": "b", "address": {"city": "Ulm"}, "seen": 3}])
    assert (record(life, 1).fields["name"], record(life, 1).fields["seen"]) == ("b", 3)
    one, two = (write_body([write_line({"id": 1, "seen": n, "secret": n})], whole=True) for n in (1, 2))
    assert RULES.hash_content(one, life.context) == RULES.hash_content(two, life.context)
    mapped = Life(volatile=["seen"], fields={"name": "seen"}).context
    assert RULES.hash_content(one, mapped) != RULES.hash_content(two, mapped)


# ── fields ──

HOLD = {"schema_policy": "hold"}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"email": "a@x"}, {}, "field-vanished:email:"),
        ({"email": "a@x"}, {"email": ""}, "field-vanished:email:"),
        ({"c": {"email": "a@x", "n": 1}}, {"c": {"n": 1}}, "field-vanished:c.email:"),
        ({"c": {"email": "a@x"}}, {"c": {}}, "field-vanished:c:"),
        ({"n": 7}, {"n": "7"}, "type-changed:n:text"),
        ({"c": {"n": 7}}, {"c": {"n": [7]}}, "type-changed:c.n:an array"),
        ({"n": 7}, {"n": 7.5}, None),
        ({"n": None}, {}, None),
        ({}, {"n": 1}, None),
    ],
)
def test_a_field_that_changes_in_most_records_is_found_by_its_path(before, after, found):
    """Gone, emptied, of another type, inside objects too; fewer than three records, and left-out fields, are ordinary."""
    pairs = [({"id": n, **before}, {"id": n, **after}) for n in range(5)]

    assert [d.key for d in find_field_changes(pairs)] == ([found] if found else [])
    assert find_field_changes(pairs[:2]) == []
    assert find_field_changes(pairs, left_out={"email", "c", "n"}) == []
    assert find_field_changes(pairs, mapped=("id",)) == []
    same = [({"id": n, **before}, {"id": n, **before}) for n in range(6)]
    assert [d for d in find_field_changes([*pairs[:4], *same]) if d.code == "field-vanished"] == []


def test_a_field_that_all_had_and_none_has_is_held_and_everything_else_is_taken():
    """It keeps its values by name for a day of agreement, new records come without it; then it is taken."""
    life = Life(collection=HOLD)
    life.sync(clients(1, 2, 3, email="a@x"))
    rows = [*clients(1, 2), {"id": 3, "name": "New name"}, *clients(4)]

    plan = life.sync(rows)

    assert (code(plan), plan.hold.can_apply, plan.refused) == ("fields-changed", True, True)
    assert "`email` is gone from 3 of the 3 records that had it" in plan.hold.message
    assert [(p["code"], p["field"]) for p in plan.problems] == [("field-vanished", "email")]
    assert record(life, 3).fields == {"id": 3, "name": "New name", "email": "a@x"}
    assert life.present == {1, 2, 3, 4}
    assert code(life.sync(rows, hours=22)) == "fields-changed"
    last = life.sync(rows, hours=2)
    assert (code(last), "email" in record(life, 3).fields, life.memory) == (None, False, {})


def test_a_held_field_is_applied_by_a_person_and_comes_back_by_itself():
    """Applied, the content of that moment is taken; where the source has it again, nothing is held any more."""
    life = Life(collection=HOLD)
    life.sync(clients(1, 2, 3, email="a@x"))
    hold = life.sync(clients(1, 2, 3)).hold
    assert RULES.needs_body(hold)
    assert code(life.sync(clients(1, 2, 3, email="a@x"))) is None

    hold = life.sync(clients(1, 2, 3)).hold
    life.sync(clients(1, 2, 3), approved=hold.plan_hash)
    assert all("email" not in r.fields for r in life.records.values())


def test_the_policy_of_the_collection_says_what_is_done():
    """follow takes and reports, stop takes nothing until a person applies it, however long it comes."""
    follow = Life(collection={"schema_policy": "follow"})
    follow.sync(clients(1, 2, 3, email="a@x"))
    plan = follow.sync(clients(1, 2, 3))
    assert (code(plan), [p["code"] for p in plan.problems], len(plan.actions)) == (None, ["field-vanished"], 3)

    stop = Life(collection={"schema_policy": "stop"})
    stop.sync(clients(1, 2, 3, email="a@x"))
    for _ in range(3):
        plan = stop.sync([*clients(1, 2, 3), *clients(4)], hours=30)
        assert (code(plan), plan.actions) == ("fields-changed", ())
    assert stop.sync(clients(1, 2, 3, 4), new_only=True).actions == ()
    stop.sync(clients(1, 2, 3, 4), approved=plan.hold.plan_hash)
    assert stop.present == {1, 2, 3, 4}


def test_a_mapping_that_finds_nothing_is_noted_from_the_first_sync_on():
    """The name of the field and of the place; one item that has it is enough."""
    items = [{"id": 1, "nmae": None}, {"id": 2}]
    seen = read_items(items, {"fields": {"id": "id", "name": "nmae"}}, whole=True)

    assert [(p.code, p.field) for p in seen.problems] == [("field-not-found", "name")]
    assert str(seen.verdict) == "ok"
    assert read_items([*items, {"id": 3, "nmae": "x"}], {"fields": {"name": "nmae"}}, whole=True).problems == ()


def test_a_field_that_left_the_mapping_is_not_missed():
    """The owner took it out; what the mapping still has is judged."""
    life = Life(collection=HOLD, fields={"name": "name", "email": "email"})
    life.sync(clients(1, 2, 3, email="a@x"))
    settings = {**life.context.settings, "fields": {"name": "name"}}
    life.context = replace(life.context, settings=settings)

    assert code(life.sync(clients(1, 2, 3, email="a@x"))) is None
    assert "email" not in record(life, 1).fields


def test_a_verdict_is_the_same_for_tables():
    """What is judged knows nothing of items: names, counts, the policy, and since when."""
    pairs = [({"n": 1}, {"n": "1"})] * 3
    found = find_field_changes(pairs)
    first = judge_field_changes(found, SchemaPolicy.HOLD, {}, AT)

    assert first.keep({"n": 1}, {"n": "2"}) == {"n": 1}
    assert first.since == {"type-changed:n:text": AT}
    assert judge_field_changes(found, SchemaPolicy.HOLD, {}, AT, approved=[found[0].key]) == FieldVerdict(found=tuple(found))
