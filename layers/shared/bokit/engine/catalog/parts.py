"""What the catalog is assembled from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bokit.engine.base.clock import Clock, Ids, new_id

if TYPE_CHECKING:
    from bokit.core.model.catalog import UnitId
    from bokit.core.model.records import CollectionName, Json, TenantId
    from bokit.engine.base.reconcile import ReconcileRequest
    from bokit.engine.sync.sync import Kind
    from bokit.store.protocols import Store


def check_nothing(url: str) -> None:
    """Let every URL pass: the fetch itself refuses what may not be fetched."""


def follow_nothing(collection: CollectionName, occasion: ReconcileRequest) -> None:
    """Do nothing: nothing hangs on records here."""


def publish_nothing(tenant: TenantId) -> None:
    """Do nothing: nothing is published here."""


def remove_nothing(tenant: TenantId, unit_id: UnitId) -> None:
    """Do nothing: nothing of a unit is published here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogParts:
    """The store, the clock, the kinds of source, and the judge of their URLs."""

    store: Store
    clock: Clock
    new_id: Ids = new_id
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    defaults: Mapping[str, Json] = field(default_factory=dict)
    """The stack's defaults of options."""
    check_url: Callable[[str], object] = check_nothing
    """Raises AddressRefusedError for a URL that is not fetched."""
    wait: Callable[[float], object] = time.sleep
    follow: Callable[[CollectionName, ReconcileRequest], object] = follow_nothing
    """Makes what hangs on a scope's records agree with them."""
    publish: Callable[[TenantId], object] = publish_nothing
    """Publishes anew what others are told, where an option says how."""
    unpublish: Callable[[TenantId, UnitId], object] = remove_nothing
    """Tells others nothing more of a unit."""
