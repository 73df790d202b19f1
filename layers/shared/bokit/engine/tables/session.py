"""The state of one sync of one SQL source: what is stored, what was counted, and every write.

The lease is acquired at the first write, and renewed while the sync lasts. A dry run stores nothing; its chunks are kept
in memory so that later steps can be planned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bokit.core.model.events import NewEvent, OutboxItem, bulk_item, fill_outbox
from bokit.core.model.limits import MAX_OUTBOX_EVENTS, MAX_SINGLE_EVENTS
from bokit.core.model.plan import Action, Plan, count_actions
from bokit.core.model.records import CollectionName, SourceId
from bokit.core.model.scheduling import Head, Lease
from bokit.core.model.source_rules import Context, Problem
from bokit.core.tables.chunks import RowDigest, TableState, chunk_names, pack_chunk, pack_manifest, unpack_chunk
from bokit.core.tables.progress import PassProgress, TableMemory, write_table_memory
from bokit.core.tables.spec import TableSettings
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import earliest
from bokit.engine.sync.actions import apply_actions, events_of_actions, hold, visible_actions
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.lease import SYNC_TTL, acquire_lease, check_unsynced
from bokit.engine.tables.limits import MAX_TABLE_PROBLEMS
from bokit.errors import StaleFenceError
from bokit.store.protocols import Snapshot, Store


@dataclass(slots=True, kw_only=True)
class TableSyncSession:
    """A sync of one SQL source."""

    store: Store
    clock: Clock
    head: Head
    job: SyncJob
    context: Context
    settings: TableSettings
    other_sources: Mapping[CollectionName, frozenset[SourceId]]
    snapshot: Snapshot
    states: dict[str, TableState]
    memory: TableMemory
    exclusive: bool
    is_whole: bool = False
    """Every table is read, not only for what is new."""
    unfinished: PassProgress | None = None
    """What a former sync left unfinished."""
    former_chunks: set[str] = field(default_factory=set)
    """Names of the chunks stored before this sync."""
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

    def seconds_left(self) -> float:
        """Return how long this worker may still run."""
        return self.job.seconds_left() if self.job.seconds_left else float("inf")

    def ask_again_at(self, at: datetime | None) -> None:
        """Note a time at which time alone changes what is to be done."""
        self.settle_at = earliest(self.settle_at, at)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Keep problems for the report."""
        self.problems = [*self.problems, *problems][:MAX_TABLE_PROBLEMS]

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
            lease, bulk = self.renew_lease(), self._find_bulk(actions)
            apply_actions(self.store, self.head.source, actions, self.job, at=self.at, lease=lease, bulk=bulk)
        self.counts.update(count_actions(Plan(actions=tuple(actions))))
        self.has_changed = self.has_changed or bool(visible)
        if self.job.dry_run or self.job.details:
            self.actions += visible

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
        return None if self.head.synced_at is None or self.unfinished is not None else []

    def release_bulk(self) -> None:
        """Let the events be numbered, all changes being written: one for each, or the one that stands for many."""
        for collection, item in self.bulk.items():
            if singles := self.singles[collection]:
                for more in fill_outbox(item.tenant, item.at, singles[MAX_OUTBOX_EVENTS:]):
                    self.store.put_outbox(more)
                item = replace(item, events=tuple(singles[:MAX_OUTBOX_EVENTS]))
            self.store.put_outbox(item)
        self.bulk = {}

    def load_chunk(self, name: str) -> dict[str, RowDigest]:
        """Return one chunk; empty if it is not stored."""
        if name in self.dry_chunks:
            return unpack_chunk(self.dry_chunks[name] or b"")
        return unpack_chunk(self.store.load_chunks(self.head.source, [name]).get(name, b""))

    def save_chunk(self, name: str, chunk: Mapping[str, RowDigest]) -> None:
        """Write one chunk."""
        self._save_chunks({name: pack_chunk(chunk)})

    def _save_chunks(self, chunks: Mapping[str, bytes | None]) -> None:
        if self.job.dry_run:
            self.dry_chunks |= chunks
            return
        self.open_progress()
        self.store.save_chunks(self.head.source, chunks, lease=self.renew_lease())

    def prune_orphans(self) -> None:
        """Delete the tables that the source no longer has, and the chunks that no table uses any more."""
        names = {table.name for table in self.settings.tables}
        self.states = {name: state for name, state in self.states.items() if name in names}
        self.memory = replace(self.memory, holds={n: h for n, h in self.memory.holds.items() if n in names})
        if orphans := sorted(self.former_chunks - chunk_names(self.states.values())):
            self._save_chunks(dict.fromkeys(orphans))

    # ── progress ──

    def resume(self, *, is_whole: bool) -> None:
        """Continue an unfinished pass if this sync is a whole pass too; otherwise keep only that it may be half written."""
        self.is_whole = is_whole
        if self.unfinished and is_whole:
            self.counts.update(self.unfinished.counts)
        elif self.unfinished:
            self.memory = replace(self.memory, part=PassProgress(is_open=self.unfinished.is_open))

    def open_progress(self) -> None:
        """Store, before the first record or chunk is written, that what follows this point may be half written."""
        progress = self.memory.part or PassProgress()
        if not progress.is_open:
            self.memory = replace(self.memory, part=replace(progress, is_open=True))
            self.save_state()

    def checkpoint(self, *, finished: bool) -> None:
        """Store what is left to do: nothing, the rest of this pass, or the unfinished pass that this sync did not continue."""
        if finished:
            progress = None if self.is_whole else self.unfinished
        else:
            counts = {name: n for name, n in self.counts.items() if n}
            progress = replace(self.memory.part or PassProgress(), is_open=False, counts=counts)
        self.memory = replace(self.memory, part=progress)
        self.save_state()

    def save_state(self) -> None:
        """Write manifest and memory, if they changed."""
        content, memory = pack_manifest(self.states), write_table_memory(self.memory)
        if self.job.dry_run or (content == self.snapshot.content and memory == dict(self.snapshot.memory)):
            return
        self.snapshot = self.store.save_snapshot(replace(self.snapshot, content=content, memory=memory), lease=self.renew_lease())
