"""What is checked of a config file before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from bokit.core.model.catalog import BOOKINGS
from bokit.core.model.quotas import QuotaName, QuotaOwner, day_of
from bokit.core.model.records import TenantId
from bokit.engine.base.tenant_options import check_interval, load_options
from bokit.engine.catalog.config.planning import ImportPlan
from bokit.engine.catalog.config.spec import Config, Item, Spec, UnitName, reach_parts
from bokit.engine.catalog.places import Catalog
from bokit.engine.catalog.sources import SECRET
from bokit.errors import InputError

T = TypeVar("T")


def check_config(catalog: Catalog, tenant: TenantId, config: Config, plan: ImportPlan, *, prune: bool) -> None:
    """Raise the error of what could not be imported: a kind, a URL, an interval, a quota, a change that there is not."""
    _check_sources(catalog, config)
    _check_stored(plan, prune=prune)
    _check_links(config, plan)
    _check_quotas(catalog, tenant, config, plan)


def _check_sources(catalog: Catalog, config: Config) -> None:
    """Refuse unknown kinds, URLs that are never fetched, and the same URL twice."""
    urls: dict[tuple[str, str], str] = {}
    for spec, collection in _all_sources(config):
        kind, url = spec.values["kind"], spec.values["url"]
        if kind not in catalog.parts.kinds:
            raise InputError(f"{spec.path}.kind: sources of this kind are not synced here", code="bad-config", kind=kind)
        if (url, collection) in urls:
            raise InputError(f"{spec.path}.url: the same URL as {urls[url, collection]}", code="bad-config")
        urls[url, collection] = spec.path
        if not url.startswith(SECRET):
            check = catalog.parts.kinds[kind].check_url or catalog.parts.check_url
            at_path(f"{spec.path}.url", partial(check, url))


def _all_sources(config: Config) -> Iterator[tuple[Spec, str]]:
    """Yield each source with its first collection."""
    yield from ((source, str(BOOKINGS)) for p in config.properties for u in p.units for source in u.sources)
    yield from ((source, str(source.feeds[0])) for source in config.sources)


def _check_stored(plan: ImportPlan, *, prune: bool) -> None:
    """Refuse another kind or collection of a stored source, and the URL of one that is not in the file and stays."""
    staying = {} if prune else {_address(i.values): i.key[1] for i in plan.left if i.key[0] == "source"}
    for difference in plan.differences:
        item, path = difference.item, difference.item.spec.path
        if item.key[0] != "source":
            continue
        if difference.stored:
            _check_lasting(difference.stored, item)
        if other := staying.get(_address(item.values)):
            raise InputError(
                f"{path}.url: the same URL as the source {' / '.join(other)}, which is not in the file", code="bad-config"
            )


def _check_lasting(stored: Item, wanted: Item) -> None:
    """Refuse another kind or collection under the name of a stored source."""
    path, name = wanted.spec.path, wanted.spec.name
    for field, words in (("kind", "is of the kind"), ("collection", "already feeds")):
        before, after = stored.values.get(field), wanted.values.get(field)
        if before != after:
            raise InputError(f'{path}.{field}: source "{name}" {words} "{before}", use another name', code="bad-config")


def _check_links(config: Config, plan: ImportPlan) -> None:
    """Refuse a circle of linked units that the file and what is stored beside it would make together."""
    stored = [d.stored for d in plan.differences if d.stored]
    units = (item for item in [*plan.left, *stored] if item.key[0] == "unit")
    parts: dict[UnitName, tuple[UnitName, ...]] = {(i.key[1][0], i.key[1][1]): i.values.get("parts") or () for i in units}
    declared = {(p.name, u.name): u for p in config.properties for u in p.units}
    parts |= {name: unit.parts for name, unit in declared.items() if unit.parts is not None}
    for name, unit in declared.items():
        if name in reach_parts({name: (), **parts}, name):
            raise InputError(f"{unit.path}.parts: a unit cannot be a part of itself", code="bad-config")


def _address(values: object) -> tuple[str, str]:
    return (values["url"], values.get("collection", str(BOOKINGS))) if isinstance(values, dict) else ("", "")


def _check_quotas(catalog: Catalog, tenant: TenantId, config: Config, plan: ImportPlan) -> None:
    """Raise QuotaError where the file declares more than the tenant and the stack may have, and a short interval's error.

    Others may add something meanwhile: what is added counts for itself, and an import can be run again.
    """
    store, options = catalog.store, load_options(catalog.store, tenant, catalog.parts.defaults)
    for spec in [*config.collections, *(spec for spec, _ in _all_sources(config))]:
        at_path(f"{spec.path}.interval", partial(check_interval, spec.values.get("interval"), options))
    added = [d.item.key[0] for d in plan.differences if d.stored is None]
    more = {QuotaName.UNITS: added.count("unit"), QuotaName.SOURCES: added.count("source")}
    day = day_of(catalog.clock())
    for owner, owning in ((QuotaOwner.TENANT, tenant), (QuotaOwner.STACK, None)):
        used = store.load_usage(owning, day)
        for counted, new in more.items():
            store.quotas.check(owner, counted, used[counted], new)


def at_path(path: str, act: Callable[[], T]) -> T:
    """Return what *act* returns; its refusal begins with *path*, the place in the file."""
    try:
        return act()
    except InputError as error:
        raise InputError(f"{path}: {error.message}", code=error.stable_code, **error.facts) from None
