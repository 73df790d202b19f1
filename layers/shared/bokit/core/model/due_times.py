"""When a source is due again, and whether it is late."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import Source
from bokit.core.model.limits import MAX_INTERVAL, MAX_RETRY_AFTER, MAX_RETRY_WAIT
from bokit.core.model.options import Options
from bokit.core.model.plan import Plan
from bokit.core.model.scheduling import Head, SourceSchedule, Staleness
from bokit.values import replace

FIRST_RETRY = timedelta(minutes=2)
TICK = timedelta(minutes=1)
MAX_SPREAD = TICK * 0.4
"""Of the due times of sources that were synced together."""
DAILY = 86_400
MAX_DUE_AHEAD = MAX_INTERVAL + timedelta(days=2)
"""No due time is further away: an interval, and what clocks and jitter add."""


class SourceState(StrEnum):
    """The state of a source: the first that applies, in this order."""

    PAUSED = "paused"
    HELD = "held"
    FAILING = "failing"
    STALE = "stale"
    NEW = "new"
    OK = "ok"


def interval_of(source: Source, options: Options) -> timedelta:
    """Return how often *source* is synced: its own interval, else its collection's, else the tenant's.

    One beyond the limit, which a former release stored, counts as none; one below the stack's least counts as that.
    """
    seconds = (source.settings.get("collection") or {}).get("interval")
    collection = timedelta(seconds=seconds) if seconds and seconds <= MAX_INTERVAL.total_seconds() else None
    own = source.interval if source.interval and source.interval <= MAX_INTERVAL else None
    return max(own or collection or options.span("sync.interval"), options.least_interval)


def cancel_after_of(source: Source, options: Options) -> timedelta:
    """Return how long what *source* no longer shows is held: its own time, else the tenant's."""
    own = source.cancel_after
    return options.span("sync.cancel_after") if own is None or own > MAX_INTERVAL else own


def terms_of(head: Head, options: Options) -> str:
    """Return the settings with which a plan of this source, and the times in it, are computed: timezone and spans.

    Where the stored ones differ, an unchanged response does not mean that nothing is to be done.
    """
    source = head.source
    zone = source.timezone or head.unit_timezone or options["timezone"]
    return _write_terms(zone, cancel_after_of(source, options), options["sync.horizon_days"], interval_of(source, options))


@lru_cache(maxsize=256)
def _write_terms(zone: str, cancel_after: timedelta, horizon_days: int, interval: timedelta) -> str:
    """Return these settings as a head keeps them: kept here, too, since most sources have the same."""
    spans = cancel_after, timedelta(days=horizon_days), interval
    return " ".join([zone, *(str(int(span.total_seconds())) for span in spans)])


def has_terms(head: Head, options: Options, *, but_interval: bool = False) -> bool:
    """Return whether the stored plan was computed with the settings of now; True where a former release computed it.

    *but_interval*: another interval alone does not count.
    """
    found = terms_of(head, options)
    known = found if head.terms is None else head.terms
    return known.rpartition(" ")[0] == found.rpartition(" ")[0] if but_interval else known == found


def plan_schedule(
    schedule: SourceSchedule, head: Head, options: Options, now: datetime, *, again: bool = False
) -> SourceSchedule:
    """Return the line of a source with the interval in force and the due time that follows from it; a past one is now.

    the stored plan was made with other settings, beside the interval     now
    due already                                                           now
    nothing attempted yet; neither the interval nor full passes changed   as it was
    the last attempt failed                                               as it was, unless the new one comes sooner
    went well                                                             an interval after it, or when a full pass is due

    *again*: how often full passes run may have changed.
    """
    after = replace(schedule, interval=interval_of(head.source, options))
    due = schedule.due_at or now
    if due > now and schedule.attempted_at is not None and (again or after.interval != schedule.interval):
        planned = plan_next_due(after, head.source.id, schedule.attempted_at)
        full = next_full_at(head, options, now)
        planned = min(planned, full) if full else planned
        due = min(planned, due) if schedule.failures else planned
    return replace(after, due_at=max(due, now) if has_terms(head, options, but_interval=True) else now)


def is_due(schedule: SourceSchedule, now: datetime) -> bool:
    """Return whether a source is due; also where its due time is so far away that only a former release computed it."""
    return schedule.due_at is not None and (schedule.due_at <= now or schedule.due_at - now > MAX_DUE_AHEAD)


def has_full_passes(source: Source, options: Options) -> bool:
    """Return whether some passes of this source read only a part of it."""
    return bool(options["sync.new_only"] or source.settings.get("new_only") or source.settings.get("updated_since"))


def is_full_due(head: Head, options: Options, now: datetime) -> bool:
    """Return whether a full pass is due: the last one is ``sync.full_interval`` ago."""
    due = next_full_at(head, options, now)
    return due is not None and (head.full_at is None or due <= now)


def next_full_at(head: Head, options: Options, now: datetime) -> datetime | None:
    """Return when the next full pass is due; None: every pass is full, or none is scheduled."""
    if not has_full_passes(head.source, options) or (every := _full_interval(head.source, options)) is None:
        return None
    return plan_next_full(every, head.full_at or now, options)


def _full_interval(source: Source, options: Options) -> str | int | None:
    """Return how often full passes run: daily if only they can show what is gone."""
    every: str | int | None = options["sync.full_interval"]
    looks_for_losses = source.settings.get("updated_since") and source.settings.get("on_missing", "keep") != "keep"
    return every or (DAILY if looks_for_losses else None)


def plan_next_full(every: str | int, last: datetime, options: Options) -> datetime:
    """Return the first full pass after *last*: *every* seconds later, or at that time of day in the tenant's timezone.

    A time that a day skips (summer time begins) comes later by the minutes that clocks skip.
    """
    if not isinstance(every, str):
        return last + timedelta(seconds=every)
    hour, minute = (int(part) for part in every.split(":"))
    zone = ZoneInfo(options["timezone"])
    day = last.astimezone(zone).date()
    at = datetime.combine(day, time(hour, minute), zone).astimezone(UTC)
    return at if at > last else datetime.combine(day + timedelta(days=1), time(hour, minute), zone).astimezone(UTC)


def plan_next_due(schedule: SourceSchedule, source_id: str, started_at: datetime) -> datetime:
    """Return when a source is due again after a success.

    A little early rather than late: a tick some seconds before the minute must not cost another minute. The jitter is the
    source's own, and all of a batch are due between the same two ticks: else each tick would claim a part of their shard.

        tick ─────────┬──────────────────────┬─────────────────────────────┬──────►
        due           │ 6 s   ← jitter 24 s →      30 s: a tick may be as  │ all are claimed
                                                   early as this
    """
    early, spread = min(schedule.interval * 0.05, TICK / 2), min(schedule.interval * 0.05, MAX_SPREAD)
    return started_at + schedule.interval - early - spread * _share(source_id, "jitter")


def plan_retry(
    schedule: SourceSchedule, source_id: str, started_at: datetime, *, again: bool, retry_after: float | None = None
) -> datetime:
    """Return when a source that failed is tried again; *schedule* counts this failure already.

    again     a retry may help: 2 minutes (or the interval, if shorter), doubled at each failure, up to an hour
              (or the interval, if longer), with up to a tenth of jitter
    not again the next interval
    either    never before the source's Retry-After, of which a day at most is accepted
    """
    if not again:
        wait = schedule.interval
    else:
        doubled = min(schedule.interval, FIRST_RETRY) * 2 ** min(max(schedule.failures - 1, 0), 16)
        wait = min(doubled, max(schedule.interval, MAX_RETRY_WAIT))
        wait += wait * 0.1 * _share(source_id, str(schedule.failures))
    if retry_after is not None:
        wait = max(wait, min(timedelta(seconds=retry_after), MAX_RETRY_AFTER))
    return started_at + wait


def _share(*parts: str) -> float:
    """Return a number from 0 to 1, always the same for these words."""
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:4], "big") / 2**32


def overdue_intervals(schedule: SourceSchedule, now: datetime) -> float:
    """Return by how many of its own intervals a source is late; 0 if it is not due."""
    if schedule.due_at is None or schedule.due_at >= now:
        return 0.0
    return (now - schedule.due_at) / schedule.interval


def freshness(head: Head, schedule: SourceSchedule) -> datetime | None:
    """Return the time of the last success: the later one of head and shard."""
    return max((t for t in (head.synced_at, schedule.succeeded_at) if t), default=None)


def is_stale(head: Head, schedule: SourceSchedule, options: Options, now: datetime) -> bool:
    """Return whether the last success is too long ago. Computed when read: a dead scheduler shows as well."""
    last = freshness(head, schedule) or (schedule.due_at and schedule.due_at - schedule.interval)
    return last is not None and now - last > stale_after(schedule.interval, options)


def stale_after(interval: timedelta, options: Options) -> timedelta:
    """Return after how long without new content a source is stale."""
    return options.stale_after or 3 * interval


def is_long_ago(source: Source, made_at: datetime | None, options: Options, now: datetime) -> bool:
    """Return whether content that was made at *made_at* (None: not known) makes its source stale."""
    return made_at is not None and now - made_at >= stale_after(interval_of(source, options), options)


def judge_staleness(head: Head, plan: Plan, options: Options, now: datetime) -> Staleness | None:
    """Return since when the source stands still after *plan*; the owner is notified once it did for too long.

    One stale body is not enough: after a long failure, a worker whose clock is an hour slow takes the first body for one.
    """
    if plan.stale_since is None:
        return head.stale if plan.refused else None
    is_known, is_second = bool(head.stale and head.stale.notified), head.stale is not None
    is_long = is_second and is_long_ago(head.source, plan.stale_since, options, now)
    return Staleness(since=plan.stale_since, notified=is_known or is_long)


def is_frozen(head: Head, interval: timedelta, options: Options, now: datetime) -> bool:
    """Return whether the source answers with content that is too old."""
    return head.stale is not None and now - head.stale.since >= stale_after(interval, options)


def judge_source(head: Head, schedule: SourceSchedule, options: Options, now: datetime) -> SourceState:
    """Return the source's state.

    paused     a person paused it
    held       a guard holds what the feed would free
    failing    the last attempt failed, as a whole or for a table
    stale      no success for ``sync.stale_after``, whatever the reason; or the content that comes is older than that
    new        no success yet: what its calendar holds is not known
    ok         else
    """
    if not head.source.enabled:
        return SourceState.PAUSED
    if head.hold:
        return SourceState.HELD
    if schedule.failures or any(not note.is_held for note in head.tables.values()):
        return SourceState.FAILING
    if is_stale(head, schedule, options, now) or is_frozen(head, schedule.interval, options, now):
        return SourceState.STALE
    return SourceState.OK if freshness(head, schedule) else SourceState.NEW
