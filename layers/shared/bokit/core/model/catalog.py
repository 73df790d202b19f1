"""What an owner declares: tenants, properties, units, sources and collections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, NewType

from bokit.core.model.records import CollectionName, Fields, Scope, SourceId, TenantId
from bokit.values import Value, field

PropertyId = NewType("PropertyId", str)
UnitId = NewType("UnitId", str)
ShardId = NewType("ShardId", str)

BOOKINGS = CollectionName("bookings")
DEFAULT_TENANT = TenantId("default")


class EndsOn(StrEnum):
    """What the end of an all-day event is in a calendar."""

    DEPARTURE = "departure"
    LAST_NIGHT = "last-night"


class Tenant(Value):
    """A customer of the stack: everything else belongs to exactly one."""

    id: TenantId
    name: str
    created_at: datetime


class Property(Value):
    """A house, with its timezone."""

    id: PropertyId
    tenant: TenantId
    name: str
    timezone: str | None = None
    turnover_days: int | None = None  # days that must lie between a departure and the next arrival
    check_in_time: str | None = None  # as in "15:00"; None: ``day_times`` has the default of this one and the next two
    check_out_time: str | None = None
    cleaning_minutes: int | None = None
    times_changed_at: datetime | None = None  # when its timezone or one of its times last changed; None: never, or not known
    version: int = 0


class Unit(Value):
    """What guests rent as one: a flat, a room, or a whole villa made of *parts*."""

    id: UnitId
    tenant: TenantId
    property_id: PropertyId
    name: str
    timezone: str | None = None  # overrides the property's
    turnover_days: int | None = None  # overrides the property's
    check_in_time: str | None = None  # overrides the property's, as the next two do
    check_out_time: str | None = None
    cleaning_minutes: int | None = None
    times_changed_at: datetime | None = None  # as the property's; also when it moved to another one
    parts: tuple[UnitId, ...] = ()
    version: int = 0


class Source(Value):
    """Where records come from. *url* is a secret, or ``secret:<name>`` of one."""

    id: SourceId
    tenant: TenantId
    name: str
    kind: str  # ``ical``, ``json`` or ``sql``
    url: str
    collection: CollectionName = BOOKINGS
    scope: Scope  # for bookings the unit's id
    platform: str | None = None  # None: detected from the content and the host
    interval: timedelta | None = None  # overrides ``sync.interval``
    cancel_after: timedelta | None = None
    timezone: str | None = None
    ends_on: EndsOn = EndsOn.DEPARTURE  # calendars alone, as the next one
    ignore_transparent: bool = False  # events marked as "free" hold no nights
    enabled: bool = True  # False: paused by a person
    shard_id: ShardId
    settings: Fields = field(default_factory=dict)
    removed_at: datetime | None = None
    version: int = 0

    @property
    def is_active(self) -> bool:
        """Return whether it is synced: neither paused nor removed."""
        return self.enabled and self.removed_at is None


class Collection(Value):
    """Records of one sort: bookings are built in, every other is declared."""

    name: CollectionName
    tenant: TenantId
    preserve: tuple[str, ...] = ()
    """Fields that keep the value they have here, whatever a source or a request says (dots lead into objects)."""
    array_keys: Mapping[str, str] = field(default_factory=dict)
    """Arrays whose items are identified by a field: path of the array, name of the field."""
    schema: Fields | None = None  # a JSON Schema (2020-12) that records must match; None: any object
    buckets: int = 1  # over how many partitions its records are spread; fixed when it is declared
    interval: timedelta | None = None  # overrides ``sync.interval`` for its sources
    schema_policy: str = "hold"
    """What happens where a field vanishes or changes its type in most records at once: ``field_changes.SchemaPolicy``."""
    version: int = 0


class Parent(NamedTuple):
    """What something new belongs to: it must exist, and its deletion at the same time fails."""

    kind: type[Property | Unit | Collection]
    tenant: TenantId
    id: str
    version: int | None = None
    """It must be as it was read, in this version; None: in any."""
