"""Removes what left the config file, as the commands that remove it do: future nights stay held.

sources      before the import, so that another one may have their URL; their nights stay held until a person releases them
tables       with their source's import; the next sync judges their records behind its guards
units        after it, the whole ones before their parts; each only if it holds no night to come
properties   without units
collections  without sources and records
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from bokit.core.model.catalog import BOOKINGS, PropertyId, UnitId
from bokit.core.model.records import SourceId, TenantId
from bokit.engine.catalog.config.planning import ConfigItemDocument, ImportPlan, describe_left
from bokit.engine.catalog.config.spec import Item
from bokit.engine.catalog.places import Catalog
from bokit.errors import StateError

AS_PARTS = "it is a part of a unit that stays"
NOT_EMPTY = "one of its units stays"
HOLDS = "nights to come are held, by bookings entered by hand or by its sources, also once they are removed"
HAS_RECORDS = "it has records, which are kept"


class Pruning:
    """What becomes of the items that left the file."""

    def __init__(self, catalog: Catalog, tenant: TenantId, plan: ImportPlan) -> None:
        self.catalog, self.tenant, self.plan = catalog, tenant, plan
        self.removed: list[ConfigItemDocument] = []
        self.kept: list[ConfigItemDocument] = []

    def foresee(self) -> None:
        """Note what :meth:`remove_sources` and :meth:`remove_places` would do; nothing is written."""
        staying: set[tuple[str, ...]] = set()
        for item in (*self._left("source"), *self._left("table")):
            self._note(item, None)
        for item in self._units():
            reason = self._reason_of_unit(item, staying)
            staying |= {item.key[1]} if reason else set()
            self._note(item, reason)
        for item in self._left("property"):
            self._note(item, NOT_EMPTY if any(unit[0] == item.key[1][0] for unit in staying) else None)
        for item in self._left("collection"):
            collection = self.catalog.collections.find(self.tenant, item.spec.name)
            self._note(item, HAS_RECORDS if self.catalog.collections.has_records(collection) else None)

    def remove_sources(self, by: str) -> None:
        """Remove the sources; what they hold stays held."""
        for item in self._left("source"):
            self.catalog.sources.remove(self.tenant, SourceId(str(item.spec.id)), by=by)
            self._note(item, None)

    def remove_places(self) -> None:
        """Remove the units, properties and collections that are empty, and note why others are kept.

        Tables are removed with their source's import: the next sync judges their records.
        """
        for item in self._left("table"):
            self._note(item, None)
        for item in self._units():
            self._remove(item, partial(self.catalog.remove_unit, self.tenant, UnitId(str(item.spec.id))))
        for item in self._left("property"):
            self._remove(item, partial(self.catalog.remove_property, self.tenant, PropertyId(str(item.spec.id))))
        for item in self._left("collection"):
            self._remove(item, partial(self.catalog.collections.remove, self.tenant, item.spec.name))

    def _remove(self, item: Item, remove: Callable[[], object]) -> None:
        try:
            remove()
        except StateError as error:
            self._note(item, error.message)
        else:
            self._note(item, None)

    def _note(self, item: Item, reason: str | None) -> None:
        """Note that an item is removed, or is kept for a *reason*."""
        if reason is None:
            self.removed.append(describe_left(item, removed=True))
        else:
            self.kept.append({**describe_left(item, removed=False), "reason": reason})

    def _left(self, kind: str) -> list[Item]:
        return [item for item in self.plan.left if item.key[0] == kind]

    def _units(self) -> list[Item]:
        """Return the units, each before its parts."""
        waiting, ordered = self._left("unit"), list[Item]()
        while waiting:
            parts = _parts_of(waiting)
            free = [item for item in waiting if item.key[1] not in parts] or waiting
            ordered += free
            waiting = [item for item in waiting if item not in free]
        return ordered

    def _reason_of_unit(self, item: Item, staying: Iterable[tuple[str, ...]]) -> str | None:
        if self._holds(UnitId(str(item.spec.id))):
            return HOLDS
        kept = [i for i in self._left("unit") if i.key[1] in staying]
        final = [{**(d.stored.values if d.stored else {}), **d.item.values} for d in self.plan.differences]
        is_part = item.key[1] in _parts_of(kept) | {part for values in final for part in values.get("parts") or ()}
        return AS_PARTS if is_part else None

    def _holds(self, unit: UnitId) -> bool:
        """Return whether a unit holds nights to come, those aside that move to another unit with their source."""
        moving = {d.stored.spec.id for d in self.plan.differences if d.stored and d.moved_from and "unit" in d.fields}
        held = self.catalog.parts.find_holding(self.tenant, unit)
        records = self.catalog.store.find_records(self.tenant, BOOKINGS, held) if moving else {}
        return any(i not in records or records[i].source_id not in moving for i in held)


def _parts_of(units: Sequence[Item]) -> set[tuple[str, ...]]:
    return {part for unit in units for part in unit.values.get("parts") or ()}
