"""Values of any type of the product, made up from its hints: for tests that call every method of a protocol."""

from __future__ import annotations

import collections.abc
import types
import typing
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from bokit.core.model.catalog import Parent, Property
from bokit.values import MISSING, Value, defaults_of
from tests.support.builders import NOW, a_change, a_record

TEXT = "made-up"
"""Every text, and so every id: what is made up belongs together."""
RECORD = a_record()
READY: dict[str, Any] = {
    "Record": RECORD,
    "LoggedChange": a_change(RECORD),
    "RecordId": RECORD.id,
    "Parent": Parent(kind=Property, tenant=RECORD.tenant, id="made-up"),
}
"""By the type's name, where its hints do not say all."""
PLAIN: dict[Any, Any] = {
    str: TEXT,
    int: 1,
    float: 1.0,
    bool: False,
    bytes: b"x",
    datetime: NOW,
    date: NOW.date(),
    object: TEXT,
    Any: TEXT,
} | {timedelta: timedelta(hours=1)}
MANY = (collections.abc.Sequence, collections.abc.Iterable, collections.abc.Container, list, tuple, frozenset, set)


def make_up(hint: Any) -> Any:
    """Return a value of a type; of a container one with a single member, of what may be None one that is not."""
    if (name := getattr(hint, "__name__", "")) in READY:
        return READY[name]
    if isinstance(hint, typing.NewType):
        return make_up(hint.__supertype__)
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if isinstance(hint, type) and issubclass(hint, Value):
        return make_up_fields(hint)
    return _make_up_generic(hint)


def make_up_fields(kind: type[Value]) -> Any:
    """Return a value of a class with what it asks for; defaults stay."""
    hints = typing.get_type_hints(kind)
    asked = [name for name, default in defaults_of(kind).items() if default is MISSING]
    return kind(**{name: make_up(hints[name]) for name in asked})


def make_up_arguments(method: Any) -> dict[str, Any]:
    """Return arguments for a method, its optional ones too, but for a cursor: that is what a page before returned."""
    hints = typing.get_type_hints(method)
    return {name: make_up(hint) for name, hint in hints.items() if name not in ("return", "cursor")}


def _make_up_generic(hint: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return make_up(next(each for each in inner if each is not types.NoneType))
    if origin is collections.abc.Callable:
        return lambda *_, **__: None
    if origin is collections.abc.Mapping:
        return {make_up(inner[0]): make_up(inner[1])}
    if origin is tuple and Ellipsis not in inner:
        return tuple(make_up(each) for each in inner)
    if origin in MANY:
        return (make_up(inner[0]),)
    if origin is type:
        return inner[0]
    raise TypeError(f"say in tests/support/made_up.py what a value of {hint} is")
