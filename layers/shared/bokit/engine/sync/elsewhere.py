"""What other sources of a tenant know, gathered where one source's feed shows nothing of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from bokit.core.model.catalog import Source, Unit
from bokit.core.model.collections import feeds
from bokit.core.model.full_names import FullNames
from bokit.core.model.records import CollectionName, Record, Scope, SourceId
from bokit.core.model.source_rules import AnyRules
from bokit.engine.sync.limits import MAX_COMPARED_UNITS
from bokit.store.protocols import Store


def load_other_sources(store: Store, source: Source) -> list[Source]:
    """Return the tenant's sources beside *source*, without those that are removed."""
    return [s for s in store.load_sources(source.tenant) if s.removed_at is None and s.id != source.id]


def find_feeding(store: Store, source: Source, *names: CollectionName) -> dict[CollectionName, frozenset[SourceId]]:
    """Return the other sources that feed each of these collections now, by a list or by a table: their records are theirs."""
    others = load_other_sources(store, source)
    return {name: frozenset(other.id for other in others if feeds(other, name)) for name in names}


def load_elsewhere(store: Store, source: Source, rules: AnyRules, platform: str | None) -> dict[str, str]:
    """Return what identifies bookings beyond *source*, each with the full name of where it is known.

    sources of other, unlinked units          all of their bookings
    sources of the same unit                  those that were read on the same *platform*
    every unit                                what its outgoing calendars show
    """
    return OtherSources(store, source, rules, platform).load()


class OtherSources:
    """The tenant's sources and units, seen from one source."""

    def __init__(self, store: Store, source: Source, rules: AnyRules, platform: str | None) -> None:
        self.store, self.source, self.rules, self.platform = store, source, rules, platform
        units = list(store.load_units(source.tenant))
        self.linked = linked_scopes(source.scope, units)
        self.names = FullNames(units, store.load_properties(source.tenant))
        self.units = frozenset(Scope(u.id) for u in units)

    @cached_property
    def others(self) -> list[Source]:
        """The other sources that are not removed."""
        return load_other_sources(self.store, self.source)

    @property
    def scopes(self) -> list[Scope]:
        """The units to compare with: the linked ones first."""
        return sorted(self.units, key=lambda scope: (scope not in self.linked, scope))[:MAX_COMPARED_UNITS]

    def load(self) -> dict[str, str]:
        """Return what every unit knows."""
        return {mark: name for scope in self.scopes for mark, name in self._load_scope(scope)}

    def _load_scope(self, scope: Scope) -> Iterator[tuple[str, str]]:
        records = self.store.load_records(self.source.tenant, self.source.collection, scope)
        yield from ((mark, self.names.of_unit(scope)) for mark in self.rules.read_published(records))
        if self._counts(scope):
            yield from (pair for other in self.others for pair in self._read_source(other, records, scope))

    def _counts(self, scope: Scope) -> bool:
        """Return whether what a unit's sources know says anything: a linked unit's bookings may be this unit's own."""
        return scope not in self.linked or (scope == self.source.scope and self.platform is not None)

    def _read_source(self, other: Source, records: Sequence[Record], scope: Scope) -> Iterator[tuple[str, str]]:
        theirs = [r for r in records if r.source_id == other.id]
        platform = self.platform if scope in self.linked else None
        return ((mark, self.names.of(other)) for mark in self.rules.read_marks(theirs, platform))


def linked_scopes(scope: Scope, units: Iterable[Unit]) -> set[Scope]:
    """Return *scope* and every unit that is linked with it, directly or not."""
    groups = [{Scope(u.id), *(Scope(part) for part in u.parts)} for u in units if u.parts]
    linked, size = {scope}, 0
    while len(linked) > size:
        size = len(linked)
        linked = linked.union(*(group for group in groups if group & linked))
    return linked
