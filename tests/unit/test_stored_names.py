"""The codec's stored names: a field may be renamed, what is stored keeps its name."""

from __future__ import annotations

import json

import pytest

from bokit.core.model.codec import Codec
from bokit.values import Value


class Before(Value):
    """A class as a former release had it."""

    code: str
    sent: bool = False


class After(Value):
    """The same class with a field renamed."""

    code: str
    notified: bool = False


class Holder(Value):
    """A class that holds the renamed field deep within."""

    failures: tuple[After, ...] = ()
    last: After | None = None


FORMER = Codec({})
TODAY = Codec({After: {"notified": "sent"}})
VALUE = After(code="http-503", notified=True)


def test_a_renamed_field_is_written_under_its_stored_name() -> None:
    """A worker of the former release, running beside this one, reads what this one wrote."""
    document = TODAY.write_document(VALUE)

    assert json.loads(document) == {"code": "http-503", "sent": True}
    assert FORMER.read_document(Before, document) == Before(code="http-503", sent=True)


def test_a_renamed_field_is_read_from_its_stored_name() -> None:
    """What the former release wrote is read with its value; without the stored name it would be its default."""
    document = FORMER.write_document(Before(code="http-503", sent=True))

    assert TODAY.read_document(After, document) == VALUE
    assert FORMER.read_document(After, document) == After(code="http-503", notified=False)


def test_a_renamed_field_keeps_its_stored_name_wherever_its_class_is_held() -> None:
    """The name belongs to the class, however deep a value of it stands in another."""
    value = Holder(failures=(VALUE,), last=VALUE)
    document = TODAY.write_document(value)

    stored = {"code": "http-503", "sent": True}
    assert json.loads(document) == {"failures": [stored], "last": stored}
    assert TODAY.read_document(Holder, document) == value


def test_a_renamed_field_at_its_default_takes_no_room() -> None:
    """Under a stored name as under its own, what equals its default is left out."""
    assert json.loads(TODAY.write_document(After(code="x"))) == {"code": "x"}


def test_a_name_of_no_field_is_refused() -> None:
    """A line in the table of names for a field that is not there is a mistake, and says so at once."""
    with pytest.raises(TypeError, match="After has no field 'informed'"):
        Codec({After: {"informed": "sent"}}).write_document(VALUE)


def test_two_fields_with_one_stored_name_are_refused() -> None:
    """A field may not take the stored name of another: one of the two values would be lost."""
    with pytest.raises(TypeError, match="two fields of After"):
        Codec({After: {"notified": "code"}}).write_document(VALUE)
