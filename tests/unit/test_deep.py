"""Values in depth: what is the same, what follows, what is kept; checked on random JSON."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.model.json_merge import (
    ABSENT,
    drop_paths,
    is_same,
    items_by_key,
    keep_paths,
    or_none,
    overlay,
    patch_json,
    read_path,
    rebase,
)

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def test_numbers_are_the_same_as_json_has_them_and_a_boolean_is_not_a_number():
    """1 is 1.0, at any depth; true is not 1, nor false 0."""
    assert is_same({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]})
    for one, other in ((1, True), ([0], [False]), ({"a": 1}, {"a": True}), (None, ABSENT), ({"a": 1}, {}), ([1], [1, 2])):
        assert not is_same(one, other)
    assert (or_none(ABSENT), or_none(0), repr(ABSENT)) == (None, 0, "ABSENT")


@settings(deadline=None)
@given(base=VALUES, theirs=VALUES)
def test_what_nobody_touched_follows(base, theirs):
    """Where a person changed nothing, the source's value counts, and is the base from then on."""
    assert rebase(base, base, theirs, {}) == (theirs, theirs)


@settings(deadline=None)
@given(base=VALUES, ours=VALUES)
def test_what_the_source_did_not_change_stands(base, ours):
    """Where the source says what it said, a person's value counts."""
    value, kept = rebase(base, ours, base, {})
    assert is_same(value, ours)
    assert is_same(kept, base)


@settings(deadline=None)
@given(base=OBJECTS, ours=OBJECTS, theirs=OBJECTS)
def test_following_twice_changes_nothing_more(base, ours, theirs):
    """Once applied, the same value of the source changes nothing else."""
    value, kept = rebase(base, ours, theirs, {})
    again, still = rebase(kept, value, theirs, {})
    assert is_same(again, value)
    assert is_same(still, kept)


@settings(deadline=None)
@given(base=OBJECTS, ours=OBJECTS, first=OBJECTS, second=OBJECTS)
def test_what_a_person_touched_stands_for_ever(base, ours, first, second):
    """A top field that a person changed keeps its plain value, whatever the source says, even what the person said."""
    touched = {n for n in {*base, *ours} if not is_same(base.get(n, ABSENT), ours.get(n, ABSENT))}
    plain = {n for n in touched if not isinstance(ours.get(n), dict)}
    value, kept = rebase(base, ours, first, {})
    value, kept = rebase(kept, value, {**second, **{n: ours[n] for n in plain if n in ours}}, {})
    value, _ = rebase(kept, value, second, {})
    assert all(is_same(value.get(n, ABSENT), ours.get(n, ABSENT)) for n in plain)


@settings(deadline=None)
@given(current=OBJECTS, wanted=OBJECTS)
def test_laying_over_says_all_that_was_wanted_and_keeps_the_rest(current, wanted):
    """Twice is as once; every leaf that was wanted is there; fields that were not named stay."""
    laid = overlay(current, wanted, {})
    assert is_same(overlay(laid, wanted, {}), laid)
    for name, value in wanted.items():
        assert isinstance(value, dict) or is_same(laid[name], value)
    assert all(is_same(laid[n], v) for n, v in current.items() if n not in wanted)


@settings(deadline=None)
@given(current=OBJECTS, wanted=OBJECTS)
def test_a_merge_patch_is_as_the_rfc_says(current, wanted):
    """Null removes, objects merge, all else replaces."""
    after = patch_json(current, wanted)
    for name, value in wanted.items():
        if value is None:
            assert name not in after
        elif not isinstance(value, dict):
            assert is_same(after[name], value)
    assert {n for n in current if n not in wanted} <= set(after)


def test_the_examples_of_the_rfc():
    """RFC 7396, appendix A."""
    for current, wanted, after in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert patch_json(current, wanted) == after


@settings(deadline=None)
@given(current=OBJECTS, incoming=OBJECTS, path=st.sampled_from(["a", "a.b", "b.c.a"]))
def test_a_preserved_path_keeps_what_it_has(current, incoming, path):
    """A preserved value stays, a missing one is taken, and what was refused is returned."""
    after, refused = keep_paths(current, incoming, [path], {})
    mine = read_path(current, path)
    parent = read_path(incoming, path.rpartition(".")[0]) if "." in path else incoming
    array = next((p for p in ("a", "b", "b.c") if path.startswith(f"{p}.") and isinstance(read_path(current, p), list)), None)
    if array and not is_same(after, incoming):  # nothing says which item is which: all of them stay
        assert is_same(read_path(after, array), read_path(current, array))
        assert list(refused) == [path]
    elif mine is None:
        assert is_same(after, incoming)
        assert refused == {}
    elif isinstance(parent, dict):
        assert is_same(read_path(after, path), mine)
        assert (path in refused) is not is_same(read_path(incoming, path), mine)


def test_preserved_paths_lead_into_arrays_by_key():
    """Each item keeps its own; a new item brings its own; an object that is left out keeps what is preserved in it."""
    current = {"team": [{"id": 1, "join": "a"}, {"id": 2, "join": "b"}], "meta": {"by": "ada", "n": 1}}
    incoming = {"team": [{"id": 2, "join": "x"}, {"id": 3, "join": "c"}]}

    after, refused = keep_paths(current, incoming, ["team.join", "meta.by"], {"team": "id"})

    assert after == {"team": [{"id": 2, "join": "b"}, {"id": 3, "join": "c"}], "meta": {"by": "ada"}}
    assert set(refused) == {"team.join", "meta.by"}
    assert keep_paths(current, {"team": "none"}, ["team.join"], {"team": "id"}) == (
        {"team": current["team"]},
        {"team.join": None},
    )


def test_arrays_whose_items_cannot_be_distinguished_are_one_value():
    """No key, a key twice, or items that are no objects: the array is replaced or kept whole."""
    assert items_by_key([{"id": 1}, {"id": "1"}], "id") is not None
    for items in ([{"id": 1}, {"id": 1}], [{"id": None}], [{}], [1], "text", None):
        assert items_by_key(items, "id") is None
    assert overlay([{"id": 1}], [{"no": 1}], {"": "id"}) == [{"no": 1}]
    assert rebase([{"id": 1}], [{"id": 1, "a": 1}], "gone", {"": "id"}) == ([{"id": 1, "a": 1}], [{"id": 1}])


def test_an_array_by_key_follows_item_by_item():
    """Items that a person touched, added or took away stay so; the others come and go with the source."""
    base = [{"id": 1, "a": 1}, {"id": 2, "a": 1}, {"id": 3, "a": 1}]
    ours = [{"id": 1, "a": "mine"}, {"id": 3, "a": 1}, {"id": 9}]
    theirs = [{"id": 1, "a": 2, "b": 1}, {"id": 2, "a": 2}, {"id": 4}]

    value, kept = rebase(base, ours, theirs, {"": "id"})

    assert value == [{"id": 1, "a": "mine", "b": 1}, {"id": 4}, {"id": 9}]
    assert rebase(kept, value, theirs, {"": "id"})[0] == value


@pytest.mark.parametrize(
    ("current", "incoming", "path", "after", "refused"),
    [
        ({"address.city": "Ulm"}, {"address.city": "Rom"}, "address.city", {"address.city": "Ulm"}, "Rom"),
        ({"a.b": {"c.d": 1}}, {"a.b": {"c.d": 2, "e": 3}}, "a.b.c.d", {"a.b": {"c.d": 1, "e": 3}}, 2),
        ({"a.b": 1, "a": {"b": 2}}, {"a.b": 7, "a": {"b": 8}}, "a.b", {"a.b": 1, "a": {"b": 2}}, 7),
        ({"a": {"b": 1}}, {"a": "text"}, "a.b", {"a": {"b": 1}}, "text"),
        ({"a": {"b": 1}}, {"a": [7]}, "a.b", {"a": {"b": 1}}, [7]),
        ({"c": [{"m": 1}, {"m": 2}]}, {"c": [{"m": 3}]}, "c.m", {"c": [{"m": 1}, {"m": 2}]}, [{"m": 3}]),
        ({"c": [{"n": 1}]}, {"c": [{"n": 2}]}, "c.m", {"c": [{"n": 2}]}, None),
        ({"c": [1]}, {"c": [2]}, "c.m", {"c": [2]}, None),
    ],
)
def test_names_with_dots_arrays_without_a_key_and_objects_that_become_text_are_kept(current, incoming, path, after, refused):
    """A path is a name with dots, or leads into objects, or both; where items have no key the whole array stays."""
    assert keep_paths(current, incoming, [path], {}) == (after, {path: refused} if refused is not None else {})


def test_what_is_left_out_is_left_out_of_each_item():
    """Paths lead through arrays and through names with dots."""
    value = {"a.b": 1, "a": {"b": 2, "c": 3}, "list": [{"x": 1, "y": 2}, 5], "z": None}

    assert drop_paths(value, ["a.b", "list.x", "z", "no.such", "a.c.d"]) == {"a": {"c": 3}, "list": [{"y": 2}, 5]}
