"""Values: frozen, compared and shown by their fields, but for those that a class leaves out."""

from __future__ import annotations

import copy
from functools import cached_property
from io import StringIO

import pytest
from rich.console import Console
from rich.pretty import Pretty

from bokit.values import MISSING, Value, defaults_of, field, fields_of, replace


class Guest(Value, not_compared=("seen",), not_shown=("phone",)):
    """A guest."""

    name: str
    phone: str = ""
    seen: int = 0
    notes: dict[str, str] = field(default_factory=dict)


class Child(Guest, not_shown=("school",)):
    """A guest of whom more is left out."""

    school: str = ""
    age: int = 0


class Nights(Value, dict=True):
    """Some nights, with a sum that is kept."""

    numbers: tuple[int, ...]

    @cached_property
    def total(self) -> int:
        """Their sum."""
        return sum(self.numbers)


ANN = Guest(name="Ann", phone="0664 1234", seen=1)


def test_no_field_can_be_set_or_deleted():
    with pytest.raises(AttributeError):
        ANN.name = "Bea"
    with pytest.raises(AttributeError):
        del ANN.name
    with pytest.raises(AttributeError):
        ANN.other = 1


def test_fields_are_given_by_name_and_all_that_have_no_default():
    with pytest.raises(TypeError):
        Guest("Ann")
    with pytest.raises(TypeError, match="name"):
        Guest(phone="1")
    with pytest.raises(TypeError, match="colour"):
        replace(ANN, colour="red")


def test_what_is_left_out_of_a_comparison_is_left_out_of_the_hash_too():
    same, other = replace(ANN, seen=2), replace(ANN, phone="0664 9999")
    night = Nights(numbers=(1,))

    assert (same == ANN, other == ANN, same != ANN, ANN == "Ann") == (True, False, False, False)
    assert (night, hash(night)) == (Nights(numbers=(1,)), hash(Nights(numbers=(1,))))


@pytest.mark.parametrize("kind", [Guest, Child])
def test_what_no_log_may_contain_is_in_no_text_of_a_value(kind):
    """Not in ``repr``, not in an f-string, not where rich prints it."""
    made, printed = kind(name="Ann", phone="0664 1234"), StringIO()
    Console(file=printed, width=200).print(Pretty(made))

    for text in (repr(made), str(made), f"{made}", repr([made]), printed.getvalue()):
        assert ("Ann" in text, "0664" in text) == (True, False)


def test_a_class_below_compares_its_own_fields_and_leaves_out_those_of_both():
    ann = Child(name="Ann", age=7, school="North")

    assert (ann == replace(ann, seen=5), ann == replace(ann, age=8), ann == replace(ann, school="South")) == (True, False, False)
    assert repr(ann) == "Child(name='Ann', seen=0, notes={}, age=7)"
    assert ann != Guest(name="Ann")


def test_each_value_has_a_default_of_its_own():
    assert Guest(name="a").notes is not Guest(name="b").notes
    assert defaults_of(Guest)["notes"] is not defaults_of(Guest)["notes"]
    assert defaults_of(Guest) == {"name": MISSING, "phone": "", "seen": 0, "notes": {}}
    assert fields_of(Child) == ("name", "phone", "seen", "notes", "school", "age")


def test_a_value_is_copied_whole():
    for made in (copy.copy(ANN), copy.deepcopy(ANN), replace(ANN)):
        assert [getattr(made, name) for name in fields_of(Guest)] == ["Ann", "0664 1234", 1, {}]


def test_a_cached_property_is_kept():
    nights = Nights(numbers=(1, 2))
    assert (nights.total, vars(nights)) == (3, {"total": 3})
