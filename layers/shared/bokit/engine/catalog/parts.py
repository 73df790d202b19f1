"""What the catalog is assembled from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bokit.engine.base.clock import Clock, Ids, new_id
from bokit.errors import ConfigError
from bokit.values import Value, field

if TYPE_CHECKING:
    from bokit.core.model.catalog import UnitId
    from bokit.core.model.records import CollectionName, Fields, RecordId, TenantId
    from bokit.engine.base.moves import MovePlanning
    from bokit.engine.base.reconcile import ReconcileRequest
    from bokit.engine.sync.kinds import SourceKind
    from bokit.store.protocols import Store


def do_nothing(*_: object) -> None:
    """Stand in for a check or a hook that this process does not need."""


def no_moves() -> MovePlanning:
    """Raise ConfigError: this process moves no source."""
    raise ConfigError("this process moves no source")


def find_nothing(*_: object) -> tuple[RecordId, ...]:
    """Stand in for a search that this process does not need."""
    return ()


class CatalogParts(Value):
    """The store, the clock, the kinds of source, and hooks into the rest of the engine."""

    store: Store
    clock: Clock
    new_id: Ids = new_id
    kinds: Mapping[str, SourceKind] = field(default_factory=dict)
    defaults: Fields = field(default_factory=dict)
    """The stack's defaults of options."""
    check_url: Callable[[str], object] = do_nothing
    """Raises AddressRefusedError for a URL that is not fetched; the fetch itself checks again."""
    wait: Callable[[float], object] = time.sleep
    reconcile: Callable[[CollectionName, ReconcileRequest], object] = do_nothing
    """Makes what derives from a scope's records agree with them."""
    publish: Callable[[TenantId], object] = do_nothing
    """Publishes the tenant's calendars again after an option changed what they show."""
    follow_doors: Callable[[TenantId], object] = do_nothing
    """Stores and reports what an option changed of the tenant's door codes."""
    unpublish: Callable[[TenantId, UnitId], object] = do_nothing
    """Removes a unit's calendars."""
    forget_doors: Callable[[TenantId, UnitId], object] = do_nothing
    """Removes a unit's door codes."""
    find_holding: Callable[[TenantId, UnitId], Sequence[RecordId]] = find_nothing
    """Returns the unit's own records that hold a night to come."""
    moves: Callable[[], MovePlanning] = no_moves
    """Returns what plans the move of a source of bookings to another unit."""
