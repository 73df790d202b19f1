"""What a JSON Schema costs: how often it branches on one value, and how many rules a check may run.

A few lines of ``$ref`` describe more rules than can ever be run: ten levels that refer to the next one twice are a thousand
checks of one value, thirty are a billion. And a schema that refers to itself without going deeper into the value never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from bokit.core.model.limits import MAX_SCHEMA_BRANCHES, MAX_SCHEMA_STEPS, MAX_VALUE_STEPS
from bokit.core.model.records import Fields

Lookup = Callable[[str], Any]
"""Returns the part of the schema that a reference names."""
LISTS, SINGLE, BY_NAME = ("allOf", "anyOf", "oneOf"), ("not", "if", "then", "else"), ("dependentSchemas",)
"""Rules that apply further schemas to the same value."""
REFERENCES = ("$ref", "$dynamicRef")


class CostlySchemaError(Exception):
    """A schema branches too often, or refers to itself without end."""


class BranchCounter:
    """Counts the schemas that are applied to one value, by every way that leads to them."""

    def __init__(self, schema: Fields, lookup: Lookup) -> None:
        self._lookup = lookup
        self._anchored = [part for part in walk_schema(schema) if "$dynamicAnchor" in part]
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def count(self, part: Any) -> int:
        """Return how many schemas *part* applies to a value."""
        if not isinstance(part, Mapping):
            return 1
        place = id(part)
        if place in self._open:
            raise CostlySchemaError
        if place not in self._known:
            self._open.add(place)
            self._known[place] = 1 + sum(self.count(inner) for inner in self._applied(part))
            self._open.discard(place)
        if self._known[place] > MAX_SCHEMA_BRANCHES:
            raise CostlySchemaError
        return self._known[place]

    def _applied(self, part: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the schemas that *part* applies to the same value."""
        for name in LISTS:
            yield from part[name] if isinstance(part.get(name), list) else ()
        for name in BY_NAME:
            yield from part[name].values() if isinstance(part.get(name), Mapping) else ()
        yield from (part[name] for name in SINGLE if isinstance(part.get(name), Mapping))
        for name in REFERENCES:
            if isinstance(part.get(name), str):
                yield self._lookup(part[name])
        if isinstance(part.get("$dynamicRef"), str):
            anchor = part["$dynamicRef"].rpartition("#")[2]
            yield from (other for other in self._anchored if other["$dynamicAnchor"] == anchor)


def walk_schema(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object inside a schema, itself first."""
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from walk_schema(inner)


def count_branches(schema: Fields, lookup: Lookup) -> int:
    """Return how many schemas a part of *schema* applies to one value at most.

    Raises CostlySchemaError where these are too many or never end, or where the schema is nested too deeply.
    """
    counter = BranchCounter(schema, lookup)
    try:
        return max(counter.count(part) for part in walk_schema(schema))
    except RecursionError:
        raise CostlySchemaError from None


class StepMeter:
    """Counts the rules that are run for records, and ends a check that runs too many: some for each value, and more in all.

    Each thread counts for itself. Make one for the whole process: a context variable is never freed.
    """

    def __init__(self) -> None:
        self._left = ContextVar("steps left", default=0)

    def counted(self, rule: Callable[..., Any], steps: int = 1) -> Callable[..., Any]:
        """Return *rule*, which counts as so many *steps*."""

        def run(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
            left = self._left.get() - steps
            self._left.set(left)
            if left < 0:
                raise CostlySchemaError
            return rule(validator, value, instance, schema)

        return run

    def begin(self, allowed: int) -> None:
        """Allow so many steps to this thread."""
        self._left.set(allowed)

    @property
    def left(self) -> int:
        """The steps that are left, at least none."""
        return max(0, self._left.get())


def count_values(value: Any) -> int:
    """Return how many values there are in a record's field, itself and those inside."""
    count, waiting = 0, [value]
    while waiting:
        here = waiting.pop()
        count += 1
        waiting += here.values() if isinstance(here, Mapping) else here if isinstance(here, list) else ()
    return count


class StepBudget:
    """How many rules a check of many records may run: MAX_VALUE_STEPS for each value, and MAX_SCHEMA_STEPS more in all."""

    def __init__(self) -> None:
        self._more = self._allowed = MAX_SCHEMA_STEPS
        self.used = 0

    def allow(self, document: Fields) -> int:
        """Return the steps for a record."""
        self._allowed = self._more + MAX_VALUE_STEPS * count_values(document)
        return self._allowed

    def end(self, left: int) -> None:
        """Note how many of a record's steps were left."""
        self.used += self._allowed - left
        self._more = min(self._more, left)
