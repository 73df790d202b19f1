"""Syncs of long lists of JSON APIs, page by page: unchanged items are neither loaded nor written.

    open      from the first page on, or behind the last part that an earlier worker stored
    read      each part: items whose digest differs are compared with their records, in batches; then the part is logged
    end       what no part showed is held, missing or gone, by the source's policy
    close     digests, manifest, notices, head

One page and the digests of the list are in memory at a time. A list is long from the moment on that its first pages are too
much for one body: those pages are handed over, and not fetched again. A pass without a difference writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from bokit.core.items.long_lists import ListState, read_list_memory, unpack_state
from bokit.core.items.planning import RecordContext
from bokit.core.items.rules import CODE_VERSION, HASHED_SETTINGS
from bokit.core.model.agreement import PARTIAL
from bokit.core.model.catalog import Source
from bokit.core.model.collections import read_record_settings
from bokit.core.model.field_changes import FIELDS
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields
from bokit.core.model.runs import COUNTS, Outcome, SourceReport
from bokit.core.model.scheduling import LONG_LIST, Head
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import FIELD_NOT_FOUND
from bokit.engine.lists.ending import ListEnding, apply_held_losses
from bokit.engine.lists.parts import ListPass
from bokit.engine.lists.session import ListSession, count_shown
from bokit.engine.sync.elsewhere import find_feeding
from bokit.engine.sync.finish import Finisher, next_head, report_source
from bokit.engine.sync.job import StepRecorder, SyncJob, SyncResult, context_of, fetch_limits, with_request_delay
from bokit.engine.sync.pass_session import begin_pass
from bokit.observability import log_event
from bokit.sources.protocols import ListReader, LongList
from bokit.values import replace

log = logging.getLogger("bokit.lists")


class ListSync:
    """Syncs sources whose lists are long, with the same finishing step as all others."""

    def __init__(self, finisher: Finisher, reader: ListReader) -> None:
        self.store, self.clock, self.finisher, self.reader = finisher.store, finisher.clock, finisher, reader

    def run(
        self, head: Head, job: SyncJob, recorder: StepRecorder, *, exclusive: bool, pages: LongList | None = None
    ) -> SyncResult:
        """Sync the list of *head*'s source; *pages*: it was opened already."""
        with self._begin(head, job, exclusive=exclusive) as session:
            with recorder.step("load"):
                session.load_state()
                progress = session.resume()
            listed = pages if pages and not progress else self._open_list(session, progress.token if progress else None)
            read = ListPass(session, listed)
            with recorder.step("read"):
                finished = read.run()
            with recorder.step("end"):
                hold = self._end(read) if finished else session.memory.rules.hold
            return self._close(session, recorder, listed, hold, finished=finished)

    def apply_held(self, head: Head, job: SyncJob, recorder: StepRecorder) -> SourceReport:
        """Apply or discard what is held, as *job* says; the API is not asked. Held fields are taken by the next pass."""
        with self._begin(head, job, exclusive=True) as session:
            with recorder.step("apply"):
                session.load_state()
                self._resolve(session)
            session.ask_again_at(session.at)
            return self._close(session, recorder, None, session.memory.rules.hold, finished=True).report

    def _resolve(self, session: ListSession) -> None:
        hold, job = session.memory.rules.hold, session.job
        if hold is None or hold.plan_hash not in (job.approved, job.discarded):
            return
        if job.approved and hold.code == FIELDS:
            _approve_fields(session, hold)
        elif job.approved:
            apply_held_losses(session, hold)
        rules = SourceMemory(unidentified=session.memory.rules.unidentified)
        session.memory = replace(session.memory, rules=rules)

    # ── beginning ──

    def _begin(self, head: Head, job: SyncJob, *, exclusive: bool) -> AbstractContextManager[ListSession]:
        open_session = partial(self._open, job=job, exclusive=exclusive)
        return begin_pass(self.store, self.clock, head, job, open_session, exclusive=exclusive)

    def _open(self, head: Head, job: SyncJob, *, exclusive: bool) -> ListSession:
        snapshot = self.store.load_snapshot(head.source)
        name = head.source.collection
        others = find_feeding(self.store, head.source, name)[name]
        context = replace(context_of(head, job, self.clock(), {}), other_sources=others)
        return ListSession(
            store=self.store,
            clock=self.clock,
            head=head,
            job=job,
            snapshot=snapshot,
            exclusive=exclusive,
            context=context,
            record_context=RecordContext(fetch=context, settings=read_record_settings(head.source.settings)),
            state=unpack_state(snapshot.content) if head.synced_at is not None else ListState(),
            memory=read_list_memory(snapshot.memory),
            salt=write_salt(head.source),
        )

    def _open_list(self, session: ListSession, token: Fields | None) -> LongList:
        head, job = session.head, session.job
        is_due = head.settle_at is not None and session.at >= head.settle_at
        etag = None if job.force or job.dry_run or head.hold or is_due else head.etag
        source, seconds = with_request_delay(head.source, job), fetch_limits(job).get("seconds")
        return self.reader.open_list(source, etag=etag, token=token, seconds=seconds)

    # ── the end ──

    def _end(self, read: ListPass) -> Hold | None:
        session = read.session
        if read.listed.is_unmodified:
            session.counts["seen"] = session.state.rows
        elif not session.job.new_only:
            return ListEnding(read).finish()
        else:
            session.save_rows({**session.known, **session.seen})
        return session.memory.rules.hold

    def _close(
        self, session: ListSession, recorder: StepRecorder, listed: LongList | None, hold: Hold | None, *, finished: bool
    ) -> SyncResult:
        """Store what was agreed, save the head, release the lease, and report."""
        with recorder.step("close"):
            if finished:
                session.release_bulk()
                self._save_head(session, listed, hold)
            session.release_lease()
        report = _report(session, recorder, listed, hold)
        facts = {name: n for name, n in report.counts.items() if n}
        log_event(log, "list read", source_id=session.head.source.id, run_id=session.job.run_id, finished=finished, **facts)
        return SyncResult(report=report, unfinished=not finished, advanced=not finished)

    def _save_head(self, session: ListSession, listed: LongList | None, hold: Hold | None) -> None:
        """Save the manifest and the head if a sync wrote anything, or the head has changed."""
        head, after = session.head, self._next_head(session, listed, hold)
        is_new = after != head or head.open_leases > 1 or (session.lease is not None and not session.exclusive)
        if session.job.dry_run or not (is_new or session.memory.progress):
            return
        session.end(session.at)
        self.finisher.save(head, replace(after, synced_at=session.at), hold, session.renew_lease())
        session.lease = None

    def _next_head(self, session: ListSession, listed: LongList | None, hold: Hold | None) -> Head:
        head, changed_at = session.head, session.at if session.has_changed else None
        after = next_head(head, hold, settle_at=session.settle_at, changed_at=changed_at)
        after = replace(after, advice=_advise(session, head))
        if session.job.new_only:
            return after
        after = replace(after, content_hash=LONG_LIST, held_hash=None, last_modified=None, entries=session.state.rows)
        return self._with_etag(after, listed, hold, session.at)

    def _with_etag(self, head: Head, listed: LongList | None, hold: Hold | None, at: datetime) -> Head:
        """Return *head* with what the next pass begins with: only a pass that nothing but single items holds leaves it."""
        if listed is None or (hold is not None and hold.code != PARTIAL):
            return replace(head, etag=None)
        if listed.is_unmodified:
            return head
        is_timed = bool(head.source.settings.get("updated_since") or head.source.settings.get("new_only"))
        full_at = at if listed.whole and (is_timed or head.full_at is None) else head.full_at
        return replace(head, etag=listed.etag, full_at=full_at)


def _approve_fields(session: ListSession, hold: Hold) -> None:
    keys = tuple(str(release["key"]) for release in hold.releases)
    session.memory = replace(session.memory, approved=keys)


def write_salt(source: Source) -> str:
    """Return a digest of the settings by which a source's items are read."""
    settings = {name: source.settings.get(name) for name in HASHED_SETTINGS}
    return hashlib.sha256(json.dumps([CODE_VERSION, settings], sort_keys=True).encode()).hexdigest()[:16]


def _advise(session: ListSession, head: Head) -> str | None:
    """Return what the owner should know of the whole list; a pass over changes says nothing of it."""
    notes = [p.message for p in session.problems if p.code == FIELD_NOT_FOUND]
    return "; ".join(notes) or (head.advice if session.job.new_only else None)


def _count(session: ListSession, *, is_whole: bool) -> dict[str, int]:
    """Return the counts of a pass; what one over changes does not show counts as unchanged."""
    counts = {name: session.counts[name] for name in COUNTS}
    counts["seen"] += 0 if is_whole else count_shown(session.known)
    return {**counts, "unchanged": max(0, counts["seen"] - session.counts["seen_changed"])}


def _report(session: ListSession, recorder: StepRecorder, listed: LongList | None, hold: Hold | None) -> SourceReport:
    counts = _count(session, is_whole=listed is None or listed.whole)
    counts["refused"] = session.counts["refused"] or int(hold is not None)
    outcome = Outcome.HELD if hold else Outcome.CHANGED if session.has_changed else Outcome.UNCHANGED
    problems = tuple(p.as_dict() for p in session.problems)
    report = report_source(session.head, recorder, outcome, hold)
    return replace(report, counts=counts, plan=tuple(session.actions), problems=problems)
