"""The three-way merge: what was agreed, what a person made of it, and what the source says now."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.ical.entries import Status
from bokit.core.model.codec import read_document, write_document
from bokit.core.model.merge import (
    accept_remote,
    change_action,
    compare_fields,
    create_action,
    edit_record,
    normalise,
    normalise_fields,
)
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import (
    CollectionName,
    FieldChange,
    LoggedChange,
    Presence,
    Record,
    RecordId,
    Scope,
    SourceId,
    TenantId,
    make_record_id,
    new_record,
)
from bokit.errors import InputError
from bokit.values import replace

AT = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 6, 2, 9, 0, tzinfo=UTC)
ROSA = "user:rosa"
names = st.sampled_from(["a", "b", "c", "d"])
values = st.one_of(
    st.none(), st.integers(0, 3), st.sampled_from(["", "x", "2026-07-01"]), st.lists(st.integers(0, 2), max_size=2)
)
fields = st.dictionaries(names, values, max_size=4)


def record(source: str | None = "src_1", **remote: Any) -> Record:
    return Record(
        id=make_record_id(Scope("unit_1"), "1"),
        tenant=TenantId("t"),
        collection=CollectionName("things"),
        scope=Scope("unit_1"),
        source_id=SourceId(source) if source else None,
        key="k",
        remote=remote,
        created_at=AT,
        updated_at=AT,
    )


def merge(before: Record, **remote: Any) -> Record:
    action = change_action(before, replace(before, remote=remote), "said", LATER)
    return action.after if action else before


def test_untouched_fields_follow_the_source():
    """An unedited field takes the source's value, with before and after in the action."""
    known = record(a=1, b=2)

    action = change_action(known, replace(known, remote={"a": 1, "b": 3}), "said", LATER)

    assert (action.kind, action.fields) == (ActionKind.UPDATE, {"b": FieldChange(before=2, after=3)})
    assert action.after.updated_at == LATER


def test_an_edited_field_stays_and_both_values_are_seen():
    """The person's value stands, the source's is kept beside it, and the action says that it was preserved."""
    edited, edit = edit_record(record(a=1, b=2), {"a": 9}, ROSA, AT)

    action = change_action(edited, replace(edited, remote={"a": 5, "b": 3}), "said", LATER)

    assert edit.fields == {"a": FieldChange(before=1, after=9)}
    assert action.after.fields == {"a": 9, "b": 3}
    assert action.after.disagreements == {"a": (9, 5)}
    assert action.preserved == {"a": FieldChange(before=1, after=5)}
    assert set(action.fields) == {"b"}
    assert action.after.edits["a"].base == 1


def test_a_change_under_an_edit_alone_is_not_an_event():
    """Where the source changed only what a person had edited, nothing that counts has changed."""
    edited, _ = edit_record(record(a=1), {"a": 9}, ROSA, AT)

    action = change_action(edited, replace(edited, remote={"a": 5}), "said", LATER)

    assert (action.kind, action.fields, action.after.updated_at) == (ActionKind.TOUCH, {}, AT)


def test_an_edit_stands_though_the_source_comes_to_say_the_same():
    """A value that a person chose is not given up because the source agreed with it for a day."""
    edited, _ = edit_record(record(a=1), {"a": 9}, ROSA, AT)

    assert merge(merge(edited, a=9), a=2).fields == {"a": 9}


def test_accepting_the_sources_value_goes_back_to_following():
    """Given up, the field is what the source says, from then on."""
    edited, _ = edit_record(record(a=1, b=2), {"a": 9, "b": 8}, ROSA, AT)

    accepted, action = accept_remote(merge(edited, a=5, b=2), ["a"], ROSA, LATER)

    assert accepted.fields == {"a": 5, "b": 8}
    assert (action.action, action.fields) == ("accept-remote", {"a": FieldChange(before=9, after=5)})
    assert merge(accepted, a=6, b=3).fields == {"a": 6, "b": 8}
    assert accept_remote(accepted, None, ROSA, LATER)[0].edits == {}


def test_a_field_that_nobody_edited_cannot_be_given_up():
    """Naming a field without an edit is an input error that names it."""
    with pytest.raises(InputError, match="b"):
        accept_remote(record(a=1, b=2), ["b"], ROSA, AT)


def test_setting_the_same_value_is_not_an_edit():
    """A value equal to what counts, in whatever type it came, makes no edit and no line."""
    stay = record(day="2026-07-01", status="confirmed", nights=["2026-07-01"])

    same, action = edit_record(
        stay, {"day": date(2026, 7, 1), "status": Status.CONFIRMED, "nights": (date(2026, 7, 1),)}, ROSA, LATER
    )

    assert (same, action.fields) == (stay, {})


def test_a_record_made_by_hand_is_what_the_person_says():
    """Without a source there is nothing to differ from: the value itself changes."""
    after, action = edit_record(record(None, a=1), {"a": 2}, ROSA, LATER)

    assert (after.remote, after.edits, after.updated_at) == ({"a": 2}, {}, LATER)
    assert action.by == ROSA


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (Presence.PRESENT, Presence.MISSING, ActionKind.MARK_MISSING),
        (Presence.MISSING, Presence.PRESENT, ActionKind.CLEAR_MISSING),
        (Presence.GONE, Presence.PRESENT, ActionKind.RESTORE),
    ],
)
def test_presence_alone_names_the_action(before, after, kind):
    """Missing, found and restored follow from the presence."""
    known = replace(record(a=1), presence=before)

    action = change_action(known, replace(known, presence=after), "said", LATER)

    assert (action.kind, action.after.updated_at) == (kind, LATER)


def test_no_difference_makes_no_action():
    """The same again asks for nothing."""
    assert change_action(record(a=1), record(a=1), "said", LATER) is None


def test_creating_lists_every_field():
    """A new record's action has all of its fields, from nothing."""
    assert create_action(record(a=1), "new").fields == {"a": FieldChange(before=None, after=1)}


def test_values_are_normalised_as_json_gives_them_back():
    """Dates, times, enums, tuples and sets become what JSON returns."""
    result = normalise_fields({"d": date(2026, 1, 2), "t": AT, "s": Status.NEW, "l": (1, {2}), "m": {1: AT.date()}, "n": None})

    assert result == {
        "d": "2026-01-02",
        "t": "2026-06-01T09:00:00Z",
        "s": "new",
        "l": [1, [2]],
        "m": {"1": "2026-06-01"},
        "n": None,
    }
    assert normalise(frozenset({"b", "a"})) == ["a", "b"]


@given(base=fields, edits=fields, remote=fields)
def test_merging_keeps_edits_and_follows_the_rest(base, edits, remote):
    """For any base, edits and remote: an edited field is the person's, any other the source's; twice is once."""
    edited, _ = edit_record(record(**base), edits, ROSA, AT)

    merged = merge(edited, **remote)

    assert all(merged.fields[n] == e.value for n, e in edited.edits.items())
    assert all(merged.fields.get(n) == remote.get(n) for n in set(base) | set(remote) if n not in edited.edits)
    assert merge(merged, **remote) == merged
    assert {n for n, e in edited.edits.items() if e.value == base.get(n)} == set()


@given(one=fields, other=fields)
def test_compared_fields_are_those_that_differ(one, other):
    """A field absent is a field of None; equal values are no change."""
    assert compare_fields(one, one) == {}
    assert all(c.before != c.after for c in compare_fields(one, other).values())


def test_the_fields_of_a_new_record_read_as_changes_of_nothing():
    """They equal a dict of changes, are stored as one, and read back as one; what has no value is none of them."""
    made = new_record(
        RecordId("clients.7"),
        TenantId("default"),
        CollectionName("clients"),
        AT,
        remote={"b": {"é": [1, "\ud800"]}, "a": 0.5, "c": None},
    )
    action = create_action(made, "new")
    line = LoggedChange(record_id=made.id, at=AT, by="source:crm", action="create", reason="new", fields=action.fields)
    plain = {"a": FieldChange(before=None, after=0.5), "b": FieldChange(before=None, after={"é": [1, "\ud800"]})}

    assert (list(action.fields), dict(action.fields), len(action.fields)) == (["a", "b"], plain, 2)
    assert action.fields == plain
    assert write_document(line) == write_document(replace(line, fields=plain))
    assert read_document(LoggedChange, write_document(line)) == line
