"""What the engine keeps of each source's schedule: its head, its line in a shard, claims and leases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.limits import MAX_INTERVAL
from bokit.core.model.records import RunId, SourceId, TenantId
from bokit.values import Value, field, force_setattr

SECOND = timedelta(seconds=1)


class Failure(Value):
    """Why a source's last attempt failed, and since when."""

    code: str
    message: str
    since: datetime | None = None
    """The last success before it; None: there was none. Stable: it distinguishes the notices of two failures."""
    notified: bool = False
    """The owner was notified: at the second failure in a row, or at one that a retry does not fix."""


class HoldNote(Value):
    """A held plan in short, for the status; the whole plan is in the source's memory."""

    code: str
    message: str
    since: datetime
    plan_hash: str
    offered_at: datetime | None = None  # when the owner was notified of it again
    delivered_at: datetime | None = None  # when a channel that reaches a person first accepted a notice of it
    opens_at: datetime | None = None  # when time lifts it; None: never, or a former release wrote it


class TableNote(Value):
    """A table of a database that needs a person, in short, for the status."""

    code: str
    message: str
    since: datetime
    is_held: bool = False  # a guard holds something of it; False: it could not be read


class Staleness(Value):
    """A source that answers, but with the same old content."""

    since: datetime  # when that content was made
    notified: bool = False


LONG_LIST = "long-list"
"""In place of a head's content hash: the source's list is too long for one body, and is synced part by part."""


class Head(Value, not_compared=("open_leases", "leased_until")):
    """The small item that the fast path reads: ids, times and hashes, no guest's data.

    Heads of a shard are stored side by side: one query reads a hundred. The catalog copies here what a sync needs of
    source, unit and property: an unchanged sync reads nothing else.
    """

    source: Source  # with *timezone*, *interval* and *cancel_after* as the source has them (None: the tenant's)
    unit_timezone: str | None = None  # the unit's, else the property's; used if the source has none
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    entries: int = 0  # entries of the agreed content: the count ``seen`` of an unchanged sync
    settle_at: datetime | None = None  # the earliest time at which time alone can change the plan
    terms: str | None = None
    """With which settings its times were computed (``due_times.terms_of``): others make it plan again. None: not known."""
    snapshot_version: int = 0
    """Stored by no release outside of tests, and read by none; its stored name stays taken."""
    changed_at: datetime | None = None  # when a sync last changed a record
    synced_at: datetime | None = None
    """When the slow path last succeeded; freshness is the later of this and the shard's heartbeat."""
    first_synced_at: datetime | None = None
    """When the first sync of a calendar or an API succeeded; None: not yet, it was held, or a former release did not note it."""
    full_at: datetime | None = None
    """When a full pass last succeeded, for sources that also have passes for what is new or changed."""
    failure: Failure | None = None
    tables: Mapping[str, TableNote] = field(default_factory=dict)
    """Of a database: its tables that need a person, by name."""
    hold: HoldNote | None = None
    held_hash: str | None = None  # of the content that a guard holds, while the same again changes nothing before *settle_at*
    stale: Staleness | None = None
    advice: str | None = None  # what its owner should change about the source
    renames_since: datetime | None = None
    """Since when its feed renames its bookings at each fetch, and what was known of them is kept."""
    stamps_fetches: bool = False  # its content is stamped with the time of the fetch: an old stamp is old content
    fence: int = 0  # raised whenever the source's lease is acquired; writes with an older one are refused
    version: int = 0
    open_leases: int = 0
    """How often its lease was acquired and neither released nor ended by a success; kept by the store.

    While nobody syncs it: so many workers died with it in hand.
    """
    leased_until: datetime | None = None
    """Until when its lease is held; None: it is free. Kept by the store."""

    @property
    def standstill(self) -> datetime | None:
        """When the content was made that the source goes on answering with, once the owner was notified of it."""
        return self.stale.since if self.stale and self.stale.notified else None


class SourceSchedule(Value):
    """One source's line in its shard: when it is due, and its last attempts."""

    tenant: TenantId
    due_at: datetime | None  # None: paused or removed
    interval: timedelta  # the interval when *due_at* was set; overdue is counted in these
    attempted_at: datetime | None = None
    succeeded_at: datetime | None = None
    failures: int = 0  # failed attempts in a row

    def __post_init__(self) -> None:
        """Read an interval beyond the limits, which a former release stored, as the limit: times are computed with it."""
        bounded = min(max(self.interval, SECOND), MAX_INTERVAL)
        if bounded != self.interval:
            force_setattr(self, "interval", bounded)


class HeartbeatRun(Value):
    """A batch that found nothing new: its heartbeat is its run record."""

    run_id: RunId
    trigger: str
    started_at: datetime
    finished_at: datetime
    sources: tuple[SourceId, ...]


class Shard(Value):
    """Up to a hundred sources that are claimed, read and beaten together: one item."""

    id: ShardId
    schedules: Mapping[SourceId, SourceSchedule] = field(default_factory=dict)
    next_due: datetime | None = None
    """At most the earliest *due_at*: the index that the tick asks is kept by it."""
    holder: str | None = None
    claimed_until: datetime | None = None
    fence: int = 0  # raised at each claim
    recent: tuple[HeartbeatRun, ...] = ()  # the last few unchanged batches, newest first

    def is_held(self, now: datetime, holder: str | None = None) -> bool:
        """Return whether another than *holder* has claimed it, and the claim has not expired."""
        return self.holder not in (None, holder) and self.claimed_until is not None and self.claimed_until > now


class Lease(Value):
    """A claim on one source: writes carry *fence*, and are refused once another run took the lease."""

    source: Source
    holder: str
    fence: int
    until: datetime


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are given, or None."""
    return min((time for time in times if time is not None), default=None)
