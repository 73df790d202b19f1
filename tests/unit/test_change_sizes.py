"""A line of the change log fits an item: its longest values are cut, the rest stands, and an undo gives no half value back."""

from __future__ import annotations

import random
import string

import pytest

from bokit.core.items.edit import WriteMethod, merge_patch, read_patch
from bokit.core.items.undo import plan_undo
from bokit.core.model.change_sizes import CUT, fit_change, is_cut
from bokit.core.model.collections import RecordSettings
from bokit.core.model.records import FieldChange, LoggedChange
from bokit.core.model.undo import UndoTerms
from bokit.errors import InputError
from tests.support.builders import NOW, a_record

LONG = "".join(random.Random(1).choices(string.ascii_letters, k=9_000))


def a_line(**fields: FieldChange) -> LoggedChange:
    return LoggedChange(
        record_id=a_record().id, at=NOW, by="user:rosa", action="edit", reason="edited", fields=fields, line="1#1#0"
    )


def test_only_what_is_too_large_is_cut() -> None:
    """Both values of a field, so that none is half a value; small fields stand."""
    line = a_line(
        text=FieldChange(before=None, after=LONG), list=FieldChange(before=[LONG], after=1), n=FieldChange(before=1, after=2)
    )
    assert fit_change(line, 100_000) is line
    cut = fit_change(line, 5_000)
    assert (cut.fields["n"], cut.fields["text"].before) == (FieldChange(before=1, after=2), None)
    assert cut.fields["text"].after == {CUT: {"bytes": 9_002, "begins": LONG[:200]}}
    assert is_cut(cut.fields["list"].before)
    many = a_line(**{f"f{n}": FieldChange(before="a" * 50, after=LONG[50 * n :][:50]) for n in range(180)})
    assert all(is_cut(c.before) and is_cut(c.after) for c in fit_change(many, 3_000).fields.values())


def test_what_the_log_has_cut_is_not_undone() -> None:
    """The field is left alone, and the reason says so; others are given back."""
    line = fit_change(a_line(text=FieldChange(before=LONG, after="b"), n=FieldChange(before=1, after=2)), 5_000)
    record = a_record(remote={"text": "b", "n": 2}, source_id=None)
    step = plan_undo(record, [line], [line.line], UndoTerms(at=NOW, by="user:rosa", today=NOW.date(), settings=RecordSettings()))
    assert (step.after.fields, dict(step.left)) == (
        {"text": "b", "n": 1},
        {"text": "the change log has only the beginning of its former value"},
    )


def test_a_record_grows_by_its_changes_up_to_a_limit() -> None:
    """Beyond it only a change that makes the record smaller, or no larger, is taken."""
    record = a_record(remote={"row": "x" * 900_000}, source_id=None)

    def put(**values: str) -> int:
        return len(
            str(merge_patch(record, read_patch(values, WriteMethod.PUT, "user:rosa"), RecordSettings(), NOW).record.fields)
        )

    assert put(more="x" * 90_000) > 990_000
    with pytest.raises(InputError, match="with all of its changes it may have 1000000"):
        put(more="x" * 110_000)
    assert put(row="y" * 190_000) < 200_000
