"""Full names: what a property, a unit or a source is called in every line, and which one a person means by some words.

    property    Villa Rosa
    unit        Garden flat                             where no other unit is called the same
                Villa Rosa / Garden flat                else
    source      Garden flat / Airbnb                    the unit's full name, then its own
                CRM                                     of collections

A person may write less: an end of the whole name that nothing else has, in any case, with or without spaces at the slashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from bokit.core.model.catalog import Property, Source, Unit
from bokit.core.model.collections import unit_of
from bokit.core.model.limits import MAX_NAMES_SHOWN, MAX_SUGGESTIONS
from bokit.core.model.suggestions import suggest

BETWEEN = " / "
Path = tuple[str, ...]
"""Names, the widest first: of a source its property's, its unit's and its own."""


class Named(Protocol):
    """An item with an id and a name."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class FullNames:
    """The full names of a tenant's properties, units and sources, and of anything else its own name."""

    def __init__(self, units: Iterable[Unit] = (), properties: Iterable[Property] = ()) -> None:
        self._units: dict[str, Unit] = {u.id: u for u in units}
        self._houses = {p.id: p.name for p in properties}
        self._times = Counter(u.name.casefold() for u in self._units.values())

    def of(self, item: Named) -> str:
        """Return an item's full name."""
        if isinstance(item, Source):
            unit = self._unit_of(item)
            return join_names(self.of(unit) if unit else None, item.name)
        if isinstance(item, Unit):
            return join_names(self._houses.get(item.property_id) if self._times[item.name.casefold()] > 1 else None, item.name)
        return item.name

    def of_unit(self, unit_id: str) -> str:
        """Return a unit's full name; of one that is gone its id."""
        unit = self._units.get(unit_id)
        return self.of(unit) if unit else unit_id

    def path_of(self, item: Named) -> Path:
        """Return an item's name after those of all that it belongs to."""
        if isinstance(item, Source):
            unit = self._unit_of(item)
            return (*(self.path_of(unit) if unit else ()), item.name)
        if isinstance(item, Unit) and (house := self._houses.get(item.property_id)):
            return house, item.name
        return (item.name,)

    def _unit_of(self, source: Source) -> Unit | None:
        return self._units.get(unit_of(source) or "")

    def sorted(self, items: Iterable[T]) -> list[T]:
        """Return *items* by their full names."""
        return sorted(items, key=lambda item: (self.of(item).casefold(), item.id))

    def find(self, items: Iterable[T], word: str) -> list[T]:
        """Return the items that *word* names, by the first of these rules that any of them meets.

        its whole name, as it is written; an end of it, as it is written; the same in another case
        """
        known, wanted = [(item, _ends_of(self.path_of(item))) for item in items], tidy_name(word)
        folded = [(item, [end.casefold() for end in ends]) for item, ends in known]
        for text, named in ((wanted, known), (wanted.casefold(), folded)):
            found = [i for i, ends in named if ends[0] == text] or [i for i, ends in named if text in ends]
            if found:
                return found
        return []

    def suggest(self, items: Iterable[T], word: str) -> list[str]:
        """Return the full names of the items that *word* may mean, the likeliest first."""
        ends: dict[str, list[str]] = {}
        for item in items:
            for end in {self.of(item), *_ends_of(self.path_of(item))}:
                ends.setdefault(end, []).append(self.of(item))
        names = dict.fromkeys(name for end in suggest(tidy_name(word), ends) for name in sorted(ends[end]))
        return list(names)[:MAX_SUGGESTIONS]


def join_names(*names: str | None) -> str:
    """Return names, the widest first, as one; those that are missing are left out.

    >>> join_names("Villa Rosa", "Garden flat", "Airbnb"), join_names(None, "CRM")
    ('Villa Rosa / Garden flat / Airbnb', 'CRM')
    """
    return BETWEEN.join(name for name in names if name)


def join_sources(names: Iterable[str]) -> str:
    """Return the full names of several sources as one; what two in a row belong to is written once.

    >>> join_sources(["Garden flat / Airbnb", "Garden flat / VRBO", "Loft / Airbnb"])
    'Garden flat / Airbnb + VRBO + Loft / Airbnb'
    """
    shown, before = [], ""
    for name in names:
        unit, _, own = name.rpartition(BETWEEN)
        shown.append(own if unit and unit == before else name)
        before = unit
    return " + ".join(shown)


def list_names(names: Sequence[str]) -> str:
    """Return names in a row, the first of many.

    >>> list_names(["a", "b"]), list_names(list("abcdefgh"))
    ('a, b', 'a, b, c, d, e and 3 more')
    """
    more = len(names) - MAX_NAMES_SHOWN
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def tidy_name(text: str) -> str:
    """Return *text* with single spaces, and with one at each side of a slash.

    >>> tidy_name("Garden  flat/Airbnb ")
    'Garden flat / Airbnb'
    """
    return BETWEEN.join(" ".join(part.split()) for part in text.split("/"))


def _ends_of(path: Path) -> list[str]:
    """Return the whole name and its ends: ``Villa Rosa / Loft / Airbnb``, ``Loft / Airbnb``, ``Airbnb``."""
    return [tidy_name(join_names(*path[at:])) for at in range(len(path))]
