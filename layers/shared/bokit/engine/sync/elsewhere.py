"""What other sources of a tenant know, gathered where one source's feed shows nothing of its own."""

from __future__ import annotations

from collections.abc import Iterable

from bokit.core.model.catalog import Source, Unit
from bokit.core.model.records import Scope
from bokit.core.model.source_rules import AnyRules
from bokit.engine.sync.limits import MAX_COMPARED_UNITS
from bokit.store.protocols import Store


def load_elsewhere(store: Store, source: Source, rules: AnyRules, platform: str | None) -> dict[str, str]:
    """Return what identifies bookings beyond *source*, each with the name of where it is known.

    sources of other, unlinked units          all of their bookings
    sources of the same unit                  those that were read on the same *platform*
    every unit                                what its outgoing calendars show
    """
    units = list(store.load_units(source.tenant))
    linked = linked_scopes(source.scope, units)
    others = {s.id: s for s in store.load_sources(source.tenant) if s.removed_at is None and s.id != source.id}
    names = {Scope(u.id): u.name for u in units}
    found: dict[str, str] = {}
    scopes = sorted(names, key=lambda scope: (scope not in linked, scope))
    for scope in scopes[:MAX_COMPARED_UNITS]:
        records = store.load_records(source.tenant, source.collection, scope)
        found |= dict.fromkeys(rules.read_published(records), names[scope])
        if scope in linked and (scope != source.scope or platform is None):
            continue
        for other_id, other in others.items():
            theirs = [r for r in records if r.source_id == other_id]
            found |= dict.fromkeys(rules.read_marks(theirs, platform if scope in linked else None), other.name)
    return found


def linked_scopes(scope: Scope, units: Iterable[Unit]) -> set[Scope]:
    """Return *scope* and every unit that is linked with it, directly or not."""
    groups = [{Scope(u.id), *(Scope(part) for part in u.parts)} for u in units if u.parts]
    linked, size = {scope}, 0
    while len(linked) > size:
        size = len(linked)
        linked = linked.union(*(group for group in groups if group & linked))
    return linked
