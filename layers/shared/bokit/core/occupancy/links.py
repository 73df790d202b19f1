"""Linked units: a night of a part is a night of the whole and vice versa; two parts of one whole share no nights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bokit.core.model.catalog import Unit
from bokit.core.model.records import Scope

Links = Mapping[Scope, frozenset[Scope]]
"""For each unit those whose nights are also its own: itself, its parts and their parts, and each unit it is a part of."""


def read_links(units: Iterable[Unit]) -> dict[Scope, frozenset[Scope]]:
    """Return the links of *units*.

    villa = ground floor + loft        villa: all three    loft: loft, villa
    """
    parts = {Scope(u.id): tuple(Scope(p) for p in u.parts) for u in units}
    below = {unit: _reach(unit, parts) for unit in parts}
    return {unit: frozenset(found | {other for other, under in below.items() if unit in under}) for unit, found in below.items()}


def find_wholes(unit: Scope, units: Iterable[Unit]) -> set[Scope]:
    """Return *unit* and every unit that it is a part of, directly or not."""
    wholes: dict[Scope, set[Scope]] = {}
    for whole in units:
        for part in whole.parts:
            wholes.setdefault(Scope(part), set()).add(Scope(whole.id))
    return _reach(unit, wholes)


def find_group(unit: Scope, units: Iterable[Unit]) -> tuple[Scope, ...]:
    """Return *unit* and every unit that is linked with it, directly or not, in the order of their ids."""
    linked: dict[Scope, set[Scope]] = {unit: set()}
    for whole in units:
        for part in whole.parts:
            linked.setdefault(Scope(whole.id), set()).add(Scope(part))
            linked.setdefault(Scope(part), set()).add(Scope(whole.id))
    return tuple(sorted(_reach(unit, linked)))


def _reach(unit: Scope, onward: Mapping[Scope, Iterable[Scope]]) -> set[Scope]:
    """Return *unit* and every unit that can be reached from it by *onward*."""
    reached: set[Scope] = set()
    waiting = [unit]
    while waiting:
        here = waiting.pop()
        if here not in reached:
            reached.add(here)
            waiting += onward.get(here, ())
    return reached
