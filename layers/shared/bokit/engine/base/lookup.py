"""Look up an item by id, or by an unambiguous name; and the full names of what a tenant declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bokit.core.model.full_names import FullNames, T, list_names
from bokit.core.model.limits import MAX_MISSPELT, MAX_NAMES_SHOWN
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.suggestions import did_you_mean
from bokit.errors import InputError, UnknownNameError
from bokit.store.protocols import CatalogStore


def load_names(store: CatalogStore, tenant: TenantId) -> FullNames:
    """Return what gives the tenant's units and sources their full names, by two reads."""
    return FullNames(store.load_units(tenant), store.load_properties(tenant))


def name_units(store: CatalogStore, tenant: TenantId) -> dict[str, str]:
    """Return the full names of the tenant's units, by two reads."""
    units = store.load_units(tenant)
    names = FullNames(units, store.load_properties(tenant))
    return {unit.id: names.of(unit) for unit in units}


def name_sources(store: CatalogStore, tenant: TenantId) -> dict[SourceId, str]:
    """Return the full names of the tenant's sources, removed ones too, by three reads."""
    names = load_names(store, tenant)
    return {source.id: names.of(source) for source in store.load_sources(tenant)}


def find_named(items: Iterable[T], word: str, what: str, load: Callable[[], FullNames] = FullNames) -> T:
    """Return the item whose id, or only name, is *word*; raise UnknownNameError, or InputError that lists their full names.

    An id wins over a name, and needs no names: *load* is called for a name alone.
    """
    known = list(items)
    if same := next((item for item in known if item.id == word), None):
        return same
    names = load()
    found = names.find(known, word)
    if not found:
        near = names.suggest(known, word)
        shown = word if len(word) <= MAX_MISSPELT else f"{word[:MAX_MISSPELT]}…"
        offer = did_you_mean(near) or f"; `bokit {what} list` shows them"
        raise UnknownNameError(f"no {what} is called '{shown}'{offer}", name=shown, suggestions=near)
    if len(found) > 1:
        called = sorted({names.of(item) for item in found}, key=str.casefold)
        advice = "write the id" if len(called) < len(found) else "write one of these names, or an id"
        ids = ", ".join(item.id for item in found[:MAX_NAMES_SHOWN])
        message = f"{len(found)} {_plural(what)} have this name: {list_names(called)}; {advice}"
        raise InputError(message, code="ambiguous-name", name=word, ids=ids)
    return found[0]


def _plural(what: str) -> str:
    return "properties" if what == "property" else f"{what}s"
