"""Values: what does not change once it is made, as bookings, options and plans.

Their base is ``msgspec.Struct``, whose classes and values are made in C: a class in a fortieth of the time that a frozen
dataclass takes, which counts where a function starts with two hundred of them, and a value in a fifth.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, dataclass_transform

from msgspec import NODEFAULT, Struct, StructMeta, field, structs
from msgspec.structs import force_setattr, replace

__all__ = ["MISSING", "Value", "defaults_of", "field", "fields_of", "force_setattr", "replace"]

MISSING = NODEFAULT
"""The default of a field that has none."""


class _ValueMeta(StructMeta):
    """Makes classes of values: frozen, and given by the names of their fields, unless a class says otherwise."""

    _not_compared: tuple[str, ...] = ()
    _not_shown: tuple[str, ...] = ()

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        not_compared: tuple[str, ...] = (),
        not_shown: tuple[str, ...] = (),
        **config: Any,
    ) -> _ValueMeta:
        made = super().__new__(mcs, name, bases, namespace, **{"frozen": True, "kw_only": True, **config})
        made._not_compared, made._not_shown = (*made._not_compared, *not_compared), (*made._not_shown, *not_shown)
        if made._not_compared:
            _compare_by(made, attrgetter(*[n for n in made.__struct_fields__ if n not in made._not_compared]))
        if made._not_shown:
            _show_only(made, [n for n in made.__struct_fields__ if n not in made._not_shown])
        return made


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Value(Struct, metaclass=_ValueMeta, frozen=True):
    """A value: its class declares its fields with their types and defaults, and none can be set later.

    ``not_compared`` names fields in which two equal values may differ, and ``not_shown`` those that ``repr`` leaves out, for
    what no log may contain. Other settings are those of ``msgspec.Struct``: ``dict=True`` lets cached properties be kept.

    >>> class Night(Value, not_shown=("guest",)):
    ...     number: int
    ...     guest: str = ""
    >>> Night(number=3, guest="Ann"), Night(number=3) == Night(number=3)
    (Night(number=3), True)
    """


def fields_of(kind: type[Value]) -> tuple[str, ...]:
    """Return the names of the fields of a class of values, in their order."""
    return kind.__struct_fields__


def defaults_of(kind: type[Value]) -> dict[str, Any]:
    """Return the default of each field of a class of values; ``MISSING``: it has none."""
    return {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in structs.fields(kind)}


def _compare_by(kind: Any, key: attrgetter[Any]) -> None:
    def is_equal(self: Any, other: object) -> Any:
        return key(self) == key(other) if type(other) is type(self) else NotImplemented

    kind.__eq__, kind.__hash__ = is_equal, lambda self: hash(key(self))


def _show_only(kind: Any, names: list[str]) -> None:
    def show(self: Any) -> str:
        return f"{kind.__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"

    kind.__repr__, kind.__rich_repr__ = show, lambda self: [(n, getattr(self, n)) for n in names]
