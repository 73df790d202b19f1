"""Numbers of JSON: none becomes another one on its way in, out through JavaScript, and in again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.model.exact_numbers import MAX_EXACT, parse_json, restore_exact, show_exact


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("0.1", 0.1),
        ("-0.30000000000000004", -0.30000000000000004),
        ("12345678901234567.89", "12345678901234567.89"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("1e400", "1e400"),
        ("-1E-400", "-1E-400"),
        ("9007199254740993", 9007199254740993),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_what_a_double_does_not_hold_is_text(text, value):
    """A number is a number where nothing of it is lost, else the text that came."""
    assert parse_json(f"[{text}]") == [value]
    assert type(parse_json(text)) is type(value)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "{", ""])
def test_what_is_not_json_is_refused(text):
    """Python's extensions are refused like any other syntax error."""
    with pytest.raises(ValueError):
        parse_json(text)


@given(
    st.recursive(
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    )
)
def test_a_document_that_went_through_javascript_is_what_it_was(value):
    """Shown, read as doubles, written and sent back: every value is the known one."""
    through = json.loads(json.dumps(show_exact(value)), parse_int=float)

    assert restore_exact(through, value) == value


def test_a_number_equal_as_a_double_is_not_an_edit_and_another_one_is():
    """JavaScript rounds what it reads as a number; a person who writes other digits means them."""
    known = {"n": MAX_EXACT + 1, "list": [MAX_EXACT + 3], "small": 7}

    assert restore_exact({"n": MAX_EXACT, "small": 8}, known) == {"n": MAX_EXACT + 1, "small": 8}
    assert restore_exact({"list": [str(MAX_EXACT + 3), "7"]}, known) == {"list": [MAX_EXACT + 3, "7"]}
    assert restore_exact({"n": str(MAX_EXACT + 5)}, known) == {"n": MAX_EXACT + 5}
    assert restore_exact({"n": "none", "small": "9007199254740993"}, known) == {"n": "none", "small": "9007199254740993"}
    assert restore_exact({"n": 10**400}, {"n": 10**401}) == {"n": 10**400}
