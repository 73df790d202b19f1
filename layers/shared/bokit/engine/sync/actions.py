"""Writing a plan's actions, each with its line in the record's change log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.events import NewEvent, OutboxItem, bulk_item, event_of_record, join_events
from bokit.core.model.limits import MAX_SINGLE_EVENTS
from bokit.core.model.plan import Action, ActionKind, Plan, count_actions
from bokit.core.model.quotas import day_of
from bokit.core.model.records import LoggedChange
from bokit.core.model.scheduling import Head, Lease
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.limits import MAX_BULK_HOLD
from bokit.store.protocols import DayWrites, Snapshot, Store
from bokit.values import replace


def visible_actions(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Return the actions that people see: bookkeeping-only ones are not reported."""
    return tuple(a for a in actions if a.kind is not ActionKind.TOUCH or a.preserved)


def apply_actions(
    store: Store,
    source: Source,
    actions: Sequence[Action],
    job: SyncJob,
    *,
    at: datetime,
    lease: Lease,
    forced: bool = False,
    bulk: OutboxItem | None = None,
    snapshot: Snapshot | None = None,
) -> None:
    """Write the records that *actions* leave behind, log the visible changes, and then save *snapshot*.

    Raises QuotaError where the tenant has no room for them; *forced*: however much it wrote today.
    *bulk*: the one event that stands for all of them, instead of one for each.
    """
    by = job.by or f"source:{source.id}"
    changes = [_log_action(action, at, by, job) for action in visible_actions(actions)]
    new = {action.record_id for action in actions if action.kind is ActionKind.CREATE}
    kept_days = job.options["history.keep_days"]
    store.apply_records(
        [action.after for action in actions],
        changes,
        lease=lease,
        counted=new,
        kept_days=kept_days,
        bulk=bulk,
        writes=DayWrites(day=day_of(at), forced=forced),
        snapshot=snapshot,
    )


def events_of_actions(source: Source, actions: Sequence[Action], job: SyncJob, at: datetime) -> list[NewEvent]:
    """Return the event of each record that *actions* visibly change, as their write would make it."""
    by = job.by or f"source:{source.id}"
    rows = ((action.after, _log_action(action, at, by, job)) for action in visible_actions(actions))
    return join_events(event_of_record(replace(record, version=record.version + 1), [change]) for record, change in rows)


def make_bulk(head: Head, actions: Sequence[Action], job: SyncJob, at: datetime) -> OutboxItem | None:
    """Return the one event of a source's first sync, or of more than MAX_SINGLE_EVENTS changes; None: each has its own."""
    changed = len(visible_actions(actions))
    if not changed or (head.synced_at is not None and changed <= MAX_SINGLE_EVENTS):
        return None
    source, counts = head.source, count_actions(Plan(actions=tuple(actions)))
    return bulk_item(source, source.collection, job.run_id, at, counts)


def hold(bulk: OutboxItem) -> OutboxItem:
    """Return the event as it is stored while its changes are being written: after a crash it is numbered nevertheless."""
    return replace(bulk, held_until=bulk.at + MAX_BULK_HOLD)


def _log_action(action: Action, at: datetime, by: str, job: SyncJob) -> LoggedChange:
    return LoggedChange(
        record_id=action.record_id,
        at=at,
        by=by,
        action=str(action.kind),
        reason=action.reason,
        fields=action.fields,
        preserved=action.preserved,
        run_id=job.run_id,
    )
