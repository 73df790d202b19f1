"""The end of a source's sync, for feeds, items and tables: the next head, its notices, and what a failure leaves behind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.due_times import freshness
from bokit.core.model.events import events_of_head, notice_items
from bokit.core.model.notices import Notice, name_hold
from bokit.core.model.plan import Hold
from bokit.core.model.runs import Outcome, SourceReport
from bokit.core.model.scheduling import Failure, Head, HoldNote, Lease, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.base.lookup import load_names
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult
from bokit.engine.sync.lease import LEASE_HELD, SYNC_TTL, released_on_error
from bokit.engine.sync.notices import (
    notice_failure,
    notice_fresh,
    notice_hold,
    notice_part_failure,
    notice_recovery,
    notice_renames,
    notice_stale,
)
from bokit.errors import (
    BokitError,
    LaterError,
    RequestRefusedError,
    SourceUnavailableError,
    StaleFenceError,
    StoreConflictError,
    UnknownIdError,
)
from bokit.store.protocols import Store
from bokit.values import replace

log = logging.getLogger("bokit.sync")

WORKER_DIED = "worker-died"
WORKERS_DIED = "reading it stopped its worker {times} times in a row, so it is tried once a day; `bokit sync` tries it now"
OTHERS = frozenset({LEASE_HELD, StaleFenceError.code})
"""Codes by which another run has the source in hand."""


class Finisher:
    """Ends syncs of sources, well or not."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock

    def save(self, before: Head, after: Head, hold: Hold | None, lease: Lease) -> None:
        """Save the head, which releases the lease, with its events and notices in the same transaction."""
        now = self.clock()
        kinds = (notice_recovery, notice_part_failure, notice_stale, notice_fresh, notice_renames)
        changes = (notice(before, after, now, self._name_of) for notice in kinds)
        found = notice_hold(before, hold, now, self._name_of), *changes
        self._save_head(before, after, lease, now, *found)

    def fail(self, head: Head, schedule: SourceSchedule, job: SyncJob, recorder: StepRecorder, error: Exception) -> SyncResult:
        """Record why the source failed, and return the result: whether and when trying again may help."""
        known = error if isinstance(error, BokitError) and not isinstance(error, RequestRefusedError) else None
        if known is None:
            log.exception("a source failed unexpectedly", extra={"facts": {"source_id": head.source.id}})
        shown = known or BokitError("an unexpected error; the log has its details", code="unexpected")
        again = known is None or isinstance(known, LaterError)
        retry_after = error.retry_after if isinstance(error, SourceUnavailableError) else None
        is_far = retry_after is not None and retry_after > schedule.interval.total_seconds()
        self._note_failure(head, schedule, job, shown, urgent=not again or is_far)
        report = report_source(head, recorder, Outcome.FAILED, shown)
        return SyncResult(report=report, failed=True, again=again, retry_after=retry_after)

    def give_up(self, head: Head, schedule: SourceSchedule, job: SyncJob) -> SyncResult:
        """Record that workers died with the source in hand, and notify its owner; where another holds the lease, skip it."""
        recorder, now = StepRecorder(self.clock), self.clock()
        lease = self.store.acquire_lease(head.source, holder=job.run_id, now=now, until=now + SYNC_TTL)
        if lease is None:
            held = StoreConflictError("another run is syncing it", code=LEASE_HELD)
            return SyncResult(report=report_source(head, recorder, Outcome.SKIPPED, held), is_left=True)
        error = BokitError(WORKERS_DIED.format(times=head.open_leases), code=WORKER_DIED)
        since = freshness(head, schedule)
        failure = Failure(code=error.stable_code, message=error.message, since=since, notified=True)
        with released_on_error(self.store, lease):
            self._save_failed(failure, lease, now, notice_failure(head.source, failure, now, self._name_of))
        return SyncResult(report=report_source(head, recorder, Outcome.FAILED, error), failed=True)

    def skip_until_due(self, head: Head) -> SyncResult:
        """Leave a source that was given up until its day is over."""
        report = report_source(head, StepRecorder(self.clock), Outcome.SKIPPED, head.failure)
        return SyncResult(report=report, is_left=True)

    def skip(
        self, head: Head, schedule: SourceSchedule, job: SyncJob, recorder: StepRecorder, error: StoreConflictError
    ) -> SyncResult:
        """Leave the source to the run that was faster; lasting conflicts become a failure.

        another run synced it meanwhile, or it was removed    nothing is wrong
        another run holds it, or took it over                 nothing is wrong: that run records how it ends
        else                                                  retry in some minutes
        else, in a row, and no success for an interval        retry, and notify the owner
        """
        report = report_source(head, recorder, Outcome.SKIPPED, error)
        try:
            fresh = self.store.load_head(head.source)
        except UnknownIdError:
            return SyncResult(report=report)
        if fresh.synced_at is not None and fresh.synced_at >= job.started_at:
            return SyncResult(report=report)
        if self._is_in_other_hands(fresh, error):
            return SyncResult(report=report, is_left=True)
        last = freshness(fresh, schedule)
        if schedule.failures and (last is None or self.clock() - last >= schedule.interval):
            self._note_failure(head, schedule, job, error, urgent=True)
        return SyncResult(report=report, failed=True, again=True)

    def _is_in_other_hands(self, head: Head, error: StoreConflictError) -> bool:
        """Return whether another run has the source: by a lease as runs acquire it, not by one that a wrong clock wrote."""
        is_sound = head.leased_until is None or head.leased_until <= self.clock() + 2 * SYNC_TTL
        return error.stable_code in OTHERS and is_sound

    def _note_failure(self, head: Head, schedule: SourceSchedule, job: SyncJob, error: BokitError, *, urgent: bool) -> None:
        """Keep the failure in the head where it is new; notify the owner once in a row of failures.

        The owner hears of an *urgent* failure at once, and of one that a retry may fix at its second time. Where the head
        cannot be written, the next attempt writes it: no failure of one source ends its batch.
        """
        before = head.failure
        is_known = bool(before and before.notified) or urgent or schedule.failures >= 1
        since = before.since if before else freshness(head, schedule)
        failure = Failure(code=error.stable_code, message=error.message, since=since, notified=is_known)
        if failure == before or job.dry_run:
            return
        try:
            self._save_failure(head, schedule, job, failure)
        except (StoreConflictError, UnknownIdError):
            log.exception("a failure was not noted", extra={"facts": {"source_id": head.source.id}})

    def _save_failure(self, head: Head, schedule: SourceSchedule, job: SyncJob, failure: Failure) -> None:
        """Write the head with its notice; where another holds the lease, the notice of a second failure alone."""
        now = self.clock()
        is_news = failure.notified and not (head.failure and head.failure.notified)
        lease = self.store.acquire_lease(head.source, holder=job.run_id, now=now, until=now + SYNC_TTL)
        notice = notice_failure(head.source, failure, now, self._name_of) if is_news else None
        if lease:
            self._save_failed(failure, lease, now, notice)
        elif notice and schedule.failures:
            self.store.put_outbox(*notice_items([notice]))

    def _name_of(self, source: Source) -> str:
        return load_names(self.store, source.tenant).of(source)

    def _save_failed(self, failure: Failure, lease: Lease, now: datetime, notice: Notice | None) -> None:
        before = self.store.load_head(lease.source)
        self._save_head(before, replace(before, failure=failure), lease, now, notice)

    def _save_head(self, before: Head, after: Head, lease: Lease, now: datetime, *notices: Notice | None) -> None:
        found = [notice for notice in notices if notice is not None]
        self.store.save_head(after, lease=lease, at=now, events=events_of_head(before, after), notices=found)


def recall_alert(store: Store, head: Head) -> Head:
    """Return *head* with the time at which a notice of its hold was accepted, where time alone may lift that hold."""
    hold = head.hold
    if hold is None or hold.opens_at is None or hold.delivered_at is not None:
        return head
    note = store.load_alert_note(head.source.tenant, head.source.id)
    is_its = note is not None and note.hold == name_hold(hold.code, hold.since)
    return replace(head, hold=replace(hold, delivered_at=note.at)) if note and is_its else head


def next_head(head: Head, hold: Hold | None, *, settle_at: datetime | None, changed_at: datetime | None) -> Head:
    """Return *head* after a sync that went well; *changed_at*: when it changed a visible field, None where it did not."""
    note = None
    if hold:
        before = head.hold if head.hold and (head.hold.code, head.hold.since) == (hold.code, hold.since) else None
        note = HoldNote(
            code=hold.code,
            message=hold.message,
            since=hold.since,
            plan_hash=hold.plan_hash,
            offered_at=hold.offered_at,
            delivered_at=before.delivered_at if before else None,
            opens_at=hold.opens_at,
        )
    changed_at = changed_at or head.changed_at
    return replace(head, failure=None, tables={}, hold=note, settle_at=settle_at, changed_at=changed_at)


def report_source(
    head: Head,
    recorder: StepRecorder,
    outcome: Outcome,
    error: BokitError | Hold | HoldNote | Failure | None = None,
    counts: Mapping[str, int] | None = None,
) -> SourceReport:
    """Return the report of a source's sync so far; *error*: why it failed, was skipped, or is held."""
    code = error.stable_code if isinstance(error, BokitError) else error and error.code
    return SourceReport(
        source_id=head.source.id,
        name=head.source.name,
        outcome=outcome,
        error={"code": str(code), "message": error.message} if error else None,
        counts=counts or {},
        duration_ms=recorder.duration_ms(),
        steps=tuple(recorder.steps),
    )


def is_given_up(head: Head) -> bool:
    """Return whether the owner knows that workers died with the source in hand."""
    return head.failure is not None and head.failure.code == WORKER_DIED
