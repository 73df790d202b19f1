"""A sync of a source that is read part by part: its lease, its writes, and what was counted.

The lease is acquired at the first write, and renewed while the sync lasts. A dry run stores nothing; its chunks are kept
in memory so that later steps can be planned. Tables (``engine.tables``) and long lists (``engine.lists``) add their states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from bokit.core.model.events import NewEvent, OutboxItem, bulk_item, fill_outbox
from bokit.core.model.limits import MAX_OUTBOX_EVENTS, MAX_SINGLE_EVENTS
from bokit.core.model.plan import Action, Plan, count_actions
from bokit.core.model.records import CollectionName
from bokit.core.model.scheduling import Head, Lease
from bokit.core.model.source_rules import Context, Problem
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import earliest
from bokit.engine.sync.actions import apply_actions, events_of_actions, hold, visible_actions
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.lease import SYNC_TTL, acquire_lease, check_unsynced
from bokit.engine.sync.limits import MAX_PASS_PROBLEMS
from bokit.errors import InputError, StaleFenceError, StoreConflictError
from bokit.store.protocols import Snapshot, Store
from bokit.values import replace

S = TypeVar("S", bound="PassSession")


@contextmanager
def begin_pass(
    store: Store, clock: Clock, head: Head, job: SyncJob, open_session: Callable[[Head], S], *, exclusive: bool
) -> Iterator[S]:
    """Begin a sync; *exclusive*: under the lease from the start. The lease is released here on error, or when it closes."""
    lease, now = None, clock()
    if exclusive and not job.dry_run:
        lease = acquire_lease(store, head.source, job.holder, clock)
    session = None
    try:
        fresh = replace(store.load_head(head.source), fence=lease.fence) if lease else head
        session = open_session(fresh)
        session.lease, session.leased_at = lease, now
        yield session
    except BaseException:
        if session:
            session.release_lease()
        elif lease:
            store.release_lease(lease)
        raise


@dataclass(slots=True, kw_only=True)
class PassSession:
    """A sync of one source, part by part."""

    store: Store
    clock: Clock
    head: Head
    job: SyncJob
    context: Context
    snapshot: Snapshot
    exclusive: bool
    is_resumed: bool = False
    """A former sync began this pass; what that one changed is not known here."""
    lease: Lease | None = None
    leased_at: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    actions: list[Action] = field(default_factory=list)
    """What a dry run would do, or the caller asked to see."""
    problems: list[Problem] = field(default_factory=list)
    has_changed: bool = False
    changed: dict[CollectionName, Counter[str]] = field(default_factory=dict)
    """What this sync changed, by collection."""
    bulk: dict[CollectionName, OutboxItem] = field(default_factory=dict)
    """The events that stand for all changes of a collection until the sync ends, which knows how many there are."""
    singles: dict[CollectionName, list[NewEvent] | None] = field(default_factory=dict)
    """The event of each change; None: there are too many."""
    settle_at: datetime | None = None
    dry_chunks: dict[str, bytes | None] = field(default_factory=dict)
    """Chunks that a dry run did not store."""

    @property
    def at(self) -> datetime:
        """The time of this sync."""
        return self.context.at

    @property
    def is_timed(self) -> bool:
        """Return whether this worker's time is bounded."""
        return self.job.seconds_left is not None

    def open_progress(self) -> None:
        """Store, before the first record or chunk is written, that what follows this point may be half written."""

    def seconds_left(self) -> float:
        """Return how long this worker may still run."""
        return self.job.seconds_left() if self.job.seconds_left else float("inf")

    def ask_again_at(self, at: datetime | None) -> None:
        """Note a time at which time alone changes what is to be done."""
        self.settle_at = earliest(self.settle_at, at)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Keep problems for the report."""
        self.problems = [*self.problems, *problems][:MAX_PASS_PROBLEMS]

    # ── the lease ──

    def renew_lease(self) -> Lease:
        """Return the source's lease: acquired now if it was not before, renewed before it expires."""
        now = self.clock()
        if self.lease and self._is_fresh(now):
            return self.lease
        source, before = self.head.source, self.lease
        lease = acquire_lease(self.store, source, self.job.holder, self.clock, renewal=before is not None)
        self.lease, self.leased_at = lease, now
        if before is not None and lease.fence != before.fence + 1:
            raise StaleFenceError("the lease was taken over by another run", source_id=source.id)
        if before is None and not self.exclusive:
            check_unsynced(self.head, lease)
        return lease

    def _is_fresh(self, now: datetime) -> bool:
        return self.leased_at is not None and now - self.leased_at < SYNC_TTL / 2

    def release_lease(self) -> None:
        """Release the lease, if it is held."""
        if self.lease is not None:
            self.store.release_lease(self.lease)
            self.lease = None

    # ── records and chunks ──

    def apply(self, actions: Sequence[Action]) -> None:
        """Write *actions*, and count them; a dry run only counts."""
        if not actions:
            return
        visible = visible_actions(actions)
        if not self.job.dry_run:
            self.open_progress()
            self._write(actions)
        self.counts.update(count_actions(Plan(actions=tuple(actions))))
        self.has_changed = self.has_changed or bool(visible)
        if self.job.dry_run or self.job.details:
            self.actions += visible

    def _write(self, actions: Sequence[Action]) -> None:
        """Write *actions*; what is refused is planned again, and does not count for the events."""
        lease = self.renew_lease()
        before = {name: Counter(counts) for name, counts in self.changed.items()}, dict(self.bulk)
        singles = {name: None if events is None else list(events) for name, events in self.singles.items()}
        bulk = self._find_bulk(actions)
        try:
            apply_actions(self.store, self.head.source, actions, self.job, at=self.at, lease=lease, bulk=bulk)
        except (StoreConflictError, InputError):
            (self.changed, self.bulk), self.singles = before, singles
            raise

    def _find_bulk(self, actions: Sequence[Action]) -> OutboxItem | None:
        """Return the event that stands for all changes of a collection so far; it waits for the end, which may put others."""
        collection = actions[0].after.collection
        counts, singles = self.changed.setdefault(collection, Counter()), self.singles.setdefault(collection, self._no_singles())
        counts.update(count_actions(Plan(actions=tuple(actions))))
        if collection not in self.bulk and not visible_actions(actions):
            return None
        if singles is not None:
            singles += events_of_actions(self.head.source, actions, self.job, self.at)
            if len(singles) > MAX_SINGLE_EVENTS:
                self.singles[collection] = None
        self.bulk[collection] = bulk_item(self.head.source, collection, self.job.run_id, self.at, counts)
        return hold(self.bulk[collection])

    def _no_singles(self) -> list[NewEvent] | None:
        """Return the empty list of a collection; none of a first sync, nor of a pass that an earlier worker began.

        What that worker changed is not known here.
        """
        return None if self.head.synced_at is None or self.is_resumed else []

    def release_bulk(self) -> None:
        """Let the events be numbered, all changes being written: one for each, or the one that stands for many."""
        for collection, item in self.bulk.items():
            if singles := self.singles[collection]:
                for more in fill_outbox(item.tenant, item.at, singles[MAX_OUTBOX_EVENTS:]):
                    self.store.put_outbox(more)
                item = replace(item, events=tuple(singles[:MAX_OUTBOX_EVENTS]))
            self.store.put_outbox(item)
        self.bulk = {}

    def load_chunks(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return those of the chunks that are stored; a dry run's own come first."""
        wanted = list(names)
        stored = self.store.load_chunks(self.head.source, [n for n in wanted if n not in self.dry_chunks])
        own = {name: chunk for name in wanted if (chunk := self.dry_chunks.get(name)) is not None}
        return {**stored, **own}

    def save_chunks(self, chunks: Mapping[str, bytes | None]) -> None:
        """Write chunks (None: delete); a dry run keeps them."""
        if self.job.dry_run:
            self.dry_chunks |= chunks
            return
        self.open_progress()
        self.store.save_chunks(self.head.source, chunks, lease=self.renew_lease())

    def save_snapshot(self, content: bytes, memory: Mapping[str, object]) -> None:
        """Write the agreed state and what is remembered, if they changed."""
        if self.job.dry_run or (content == self.snapshot.content and dict(memory) == dict(self.snapshot.memory)):
            return
        self.snapshot = self.store.save_snapshot(replace(self.snapshot, content=content, memory=memory), lease=self.renew_lease())
