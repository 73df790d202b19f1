"""What the engine keeps of each source's schedule: its head, its line in a shard, claims and leases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.records import RunId, SourceId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a source's last attempt failed, and how long it is since one did not."""

    code: str
    message: str
    since: datetime | None = None
    """The last success before it; None: there was none. Stable, so that a notice of it can be told from another's."""
    told: bool = False
    """The owner was told: at the second failure of a row, or at one that trying again does not mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldNote:
    """The short of a held plan, for status; the whole of it is in the source's memory."""

    code: str
    message: str
    since: datetime
    plan_hash: str
    offered_at: datetime | None = None
    """When it was offered to a person once more, and told: what tells one offer from the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The small item that the fast path reads: ids, times and hashes, no guest's data.

    Heads of a shard lie side by side, so that one query reads a hundred. What the sync needs of source, unit and
    property is copied here by the catalog, so that an unchanged sync reads nothing else.
    """

    source: Source
    """With *timezone*, *interval* and *cancel_after* as the source has them (None: the tenant's)."""
    unit_timezone: str | None = None
    """The unit's, else the property's, where the source has none of its own."""
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    entries: int = 0
    """How many entries the agreed content showed: what an unchanged sync says it has seen."""
    settle_at: datetime | None = None
    """The earliest time at which time alone can change the plan."""
    snapshot_version: int = 0
    changed_at: datetime | None = None
    """When a sync last changed a record."""
    synced_at: datetime | None = None
    """When the slow path last ended well; freshness is the later of this and the shard's beat."""
    full_at: datetime | None = None
    """When all of it was last read and agreed on, where passes for what is new, or changed lately, lie between."""
    failure: Failure | None = None
    hold: HoldNote | None = None
    fence: int = 0
    """Raised whenever the source's lease is taken; a write with an older one is refused."""
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSchedule:
    """One source's line in its shard: when it is due, and how its last attempts went."""

    tenant: TenantId
    due_at: datetime | None
    """None: paused or removed."""
    interval: timedelta
    """The one in force when *due_at* was set: overdue is told in these."""
    attempted_at: datetime | None = None
    succeeded_at: datetime | None = None
    failures: int = 0
    """Failed attempts in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatRun:
    """A batch that found nothing new: its heartbeat is its run record."""

    run_id: RunId
    trigger: str
    started_at: datetime
    finished_at: datetime
    sources: tuple[SourceId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Up to a hundred sources that are claimed, read and beaten together: one item."""

    id: ShardId
    schedules: Mapping[SourceId, SourceSchedule] = field(default_factory=dict)
    next_due: datetime | None = None
    """At most the earliest *due_at*: the index that the tick asks is kept by it."""
    holder: str | None = None
    claimed_until: datetime | None = None
    fence: int = 0
    """Raised at each claim."""
    recent: tuple[HeartbeatRun, ...] = ()
    """The last few unchanged batches, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claim on one source: writes carry *fence*, and are refused once another run took the lease."""

    source: Source
    holder: str
    fence: int
    until: datetime


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are given, or None."""
    return min((time for time in times if time is not None), default=None)
