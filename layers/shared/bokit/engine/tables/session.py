"""One sync of one SQL source in hand: what it knows, what it has counted, and every write that it makes.

The lease is taken at the first write, and taken anew while the sync lasts. A dry run writes to the air: its chunks are
kept aside, so that what follows from them is planned all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bokit.core.items.planning import Look, plan_shown
from bokit.core.model.collections import RecordSettings, make_id, read_record_settings
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.plan import Action, Plan, count_actions
from bokit.core.model.records import CollectionName, Record, RecordId, SourceId
from bokit.core.model.scheduling import Head, Lease
from bokit.core.model.source_rules import Context, Problem
from bokit.core.tables.chunks import Mark, TableState, names_of, pack_chunk, pack_manifest, unpack_chunk
from bokit.core.tables.progress import Part, TableMemory, write_table_memory
from bokit.core.tables.spec import TableSettings, TableSpec
from bokit.core.tables.values import SeenRow
from bokit.engine.base.clock import Clock
from bokit.engine.sync.actions import apply_actions, visible_actions
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.lease import SYNC_TTL, acquire_lease, check_unsynced
from bokit.errors import StaleFenceError, StoreConflictError
from bokit.store.protocols import Snapshot, Store

BATCH = 200
"""Rows that are compared with their records at a time."""
MAX_PROBLEMS = 50
TRIES = 3
"""How often rows are planned anew over records that a person changed meanwhile."""


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
    """Every table is read, and not for what is new alone."""
    left: Part | None = None
    """What a sync before this one left half done."""
    names: set[str] = field(default_factory=set)
    """Of the chunks that there were."""
    lease: Lease | None = None
    leased_at: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    actions: list[Action] = field(default_factory=list)
    """What a dry run would do, or the caller asked to see."""
    problems: list[Problem] = field(default_factory=list)
    has_changed: bool = False
    settle_at: datetime | None = None
    aside: dict[str, bytes | None] = field(default_factory=dict)
    """A dry run's chunks."""

    @property
    def at(self) -> datetime:
        """The time of this sync."""
        return self.context.at

    @property
    def is_timed(self) -> bool:
        """Return whether this worker's time is bounded."""
        return self.job.seconds_left is not None

    def seconds_left(self) -> float:
        """Return how long this worker still has."""
        return self.job.seconds_left() if self.job.seconds_left else float("inf")

    def record_settings(self, table: TableSpec) -> RecordSettings:
        """Return what the rules ask of the table's collection, as the catalog copied it to the source."""
        copies = self.head.source.settings.get("collections") or {}
        told = {"collection": copies.get(table.collection), "on_missing": str(self.settings.policy_of(table))}
        return read_record_settings(told)

    def look(self, table: TableSpec) -> Look:
        """Return this sync, as every record's rule looks at it."""
        other_sources = self.other_sources.get(table.collection, frozenset())
        context = replace(self.context, collection=table.collection, other_sources=other_sources)
        return Look(context=context, settings=self.record_settings(table))

    # ── the lease ──

    def renew_lease(self) -> Lease:
        """Return the source's lease, taken now where it was not yet, and anew before it runs out."""
        now = self.clock()
        if self.lease is not None and self.leased_at is not None and now - self.leased_at < SYNC_TTL / 2:
            return self.lease
        source, before = self.head.source, self.lease
        lease = acquire_lease(self.store, source, self.job.run_id, self.clock)
        self.lease, self.leased_at = lease, now
        if before is not None and lease.fence != before.fence + 1:
            raise StaleFenceError("the lease was taken over by another run", source_id=source.id)
        if before is None and not self.exclusive:
            check_unsynced(self.head, lease)
        return lease

    def release(self) -> None:
        """Give the lease back."""
        if self.lease is not None:
            self.store.release_lease(self.lease)
            self.lease = None

    # ── records ──

    def take_rows(self, table: TableSpec, rows: Sequence[SeenRow], *, only_new: bool = False) -> set[str]:
        """Make the records of *rows* agree with them; return the keys of those that cannot be taken."""
        refused = self._check_schema(table, rows)
        fit = [row for row in rows if row.key not in refused]
        for attempt in range(TRIES):
            actions, theirs = self._plan_rows(table, fit, only_new=only_new)
            try:
                self.apply(actions)
                break
            except StaleFenceError:
                raise
            except StoreConflictError:
                if attempt == TRIES - 1:
                    raise
        self.counts["seen_changed"] += len(actions)
        self._note(Problem(code="other-source", message="another source feeds the record of this id", uid=key) for key in theirs)
        return refused | theirs

    def _check_schema(self, table: TableSpec, rows: Sequence[SeenRow]) -> set[str]:
        schema = self.record_settings(table).schema
        if schema is None:
            return set()
        check, refused = SchemaCheck(schema), set[str]()
        for row in rows:
            if found := check.find_problems(row.fields, row.key):
                refused.add(row.key)
                self._note(found)
        return refused

    def _note(self, problems: Iterable[Problem]) -> None:
        self.problems += [p for p in problems if len(self.problems) < MAX_PROBLEMS]

    def _plan_rows(self, table: TableSpec, rows: Sequence[SeenRow], *, only_new: bool) -> tuple[list[Action], set[str]]:
        look = self.look(table)
        ids = {row.key: make_id(table.collection, row.key, look.settings.buckets) for row in rows}
        known = self.find_records(table, ids.values())
        actions, theirs = [], set[str]()
        for row in rows:
            record = known.get(ids[row.key])
            if record is not None and (only_new or record.source_id in look.context.other_sources):
                theirs |= set() if only_new else {row.key}
            elif action := plan_shown(record, row.key, row.fields, look):
                actions.append(action)
        return actions, theirs

    def find_records(self, table: TableSpec, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Return those of the table's records that are there."""
        return self.store.find_records(self.context.tenant, table.collection, ids)

    def apply(self, actions: Sequence[Action]) -> None:
        """Write *actions*, and count them; a dry run just counts."""
        if not actions:
            return
        visible = visible_actions(actions)
        if not self.job.dry_run:
            self.open_part()
            apply_actions(self.store, self.head.source, actions, self.job, at=self.at, lease=self.renew_lease())
        self.counts.update(count_actions(Plan(actions=tuple(actions))))
        self.has_changed = self.has_changed or bool(visible)
        if self.job.dry_run or self.job.details:
            self.actions += visible

    # ── chunks ──

    def load_chunk(self, name: str) -> dict[str, Mark]:
        """Return one chunk; an empty one where it is not there."""
        if name in self.aside:
            return unpack_chunk(self.aside[name] or b"")
        return unpack_chunk(self.store.load_chunks(self.head.source, [name]).get(name, b""))

    def save_chunk(self, name: str, chunk: Mapping[str, Mark]) -> None:
        """Write one chunk."""
        self._save_chunks({name: pack_chunk(chunk)})

    def drop_chunks(self, names: Iterable[str]) -> None:
        """Forget chunks that no range has any more."""
        if gone := dict.fromkeys(names):
            self._save_chunks(gone)

    def _save_chunks(self, chunks: Mapping[str, bytes | None]) -> None:
        if self.job.dry_run:
            self.aside |= chunks
            return
        self.open_part()
        self.store.save_chunks(self.head.source, chunks, lease=self.renew_lease())

    def name_chunk(self, table: TableSpec) -> str:
        """Return a name that no chunk of the table had yet."""
        state = self.states[table.name] = replace(self.states[table.name], named=self.states[table.name].named + 1)
        return f"{state.fingerprint}/{state.named:06d}"

    def prune_orphans(self) -> None:
        """Forget the tables that the source no longer has, and the chunks that no range has any more."""
        named = {table.name for table in self.settings.tables}
        self.states = {name: state for name, state in self.states.items() if name in named}
        self.memory = replace(self.memory, holds={n: h for n, h in self.memory.holds.items() if n in named})
        self.drop_chunks(sorted(self.names - names_of(self.states.values())))

    # ── how far it came ──

    def take_up(self, *, is_whole: bool) -> None:
        """Go on where the last sync stopped, if this one means the same; what it left half written is known in any case."""
        self.is_whole, part = is_whole, self.left
        if part and self.is_whole:
            self.counts.update(part.counts)
        elif part:
            self.memory = replace(self.memory, part=Part(is_open=part.is_open))

    def is_finished(self, table: TableSpec) -> bool:
        """Return whether this pass has read the table before."""
        return bool(self.memory.part and table.name in self.memory.part.finished)

    def finish(self, table: TableSpec) -> None:
        """Remember that this pass has read the table."""
        if part := self.memory.part:
            self.memory = replace(self.memory, part=replace(part, finished=(*part.finished, table.name)))

    def end_part(self, *, finished: bool) -> None:
        """Say what is left to do: nothing, the rest of this pass, or what another left and this one did not mean."""
        if not finished:
            counts = {name: n for name, n in self.counts.items() if n}
            self.memory = replace(self.memory, part=replace(self.memory.part or Part(), is_open=False, counts=counts))
        else:
            self.memory = replace(self.memory, part=None if self.is_whole else self.left)

    def note_refused(self, table: TableSpec, rows: int) -> None:
        """Count rows that could not be taken."""
        self.counts[f"refused:{table.name}"] += rows

    def has_refused(self, table: TableSpec) -> bool:
        """Return whether rows of the table could not be taken."""
        return self.counts[f"refused:{table.name}"] > 0

    # ── the agreed state ──

    def open_part(self) -> None:
        """Note, before the first record or chunk is written, that what lies behind this point may be half written."""
        part = self.memory.part or Part()
        if not part.is_open:
            self.memory = replace(self.memory, part=replace(part, is_open=True))
            self.save_state()

    def save_state(self) -> None:
        """Write manifest and memory, where they say something new."""
        content, memory = pack_manifest(self.states), write_table_memory(self.memory)
        if self.job.dry_run or (content == self.snapshot.content and memory == dict(self.snapshot.memory)):
            return
        saved = replace(self.snapshot, content=content, memory=memory)
        self.snapshot = self.store.save_snapshot(saved, lease=self.renew_lease())
