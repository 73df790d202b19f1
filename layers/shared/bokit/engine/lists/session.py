"""The state of one sync of one long list: the agreed digests, what this pass has read, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bokit.core.items.long_lists import (
    ABSENT,
    MISSING,
    REJECTED,
    TOMBSTONE,
    UNKNOWN,
    ListMemory,
    ListProgress,
    ListState,
    pack_rows,
    pack_state,
    unpack_rows,
    write_list_memory,
)
from bokit.core.items.planning import RecordContext
from bokit.core.model.collections import source_scopes
from bokit.core.model.records import Presence
from bokit.core.model.source_rules import Problem
from bokit.engine.lists.limits import CHECKPOINT_ITEMS, CHECKPOINT_PARTS, MAX_PASS_AGE
from bokit.engine.sync.pass_session import PassSession
from bokit.sources.protocols import LongList
from bokit.values import replace

KEPT_COUNTS = ("created", "updated", "missing", "cancelled", "restored", "preserved", "seen", "seen_changed", "refused")


@dataclass(slots=True, kw_only=True)
class ListSession(PassSession):
    """A sync of one long list."""

    state: ListState
    memory: ListMemory
    record_context: RecordContext
    salt: str
    known: dict[str, str] = field(default_factory=dict)
    """Keys that this pass has not shown, each with the digest that was agreed on."""
    seen: dict[str, str] = field(default_factory=dict)
    """Keys that it has shown, each with its digest now."""
    tombstones: dict[str, str] = field(default_factory=dict)
    """Keys that it has shown as deleted, each with the digest that was agreed on."""
    rejected: set[str] = field(default_factory=set)
    """Keys of items that cannot be used."""
    unidentified: int = 0
    """Items that cannot be used, and do not say which they are."""
    found: set[str] = field(default_factory=set)
    """Mapped fields that some item had."""
    dirty: bool = False
    """Some digest differs from the stored ones."""
    logs: int = 0
    """Parts of this pass whose logs are stored."""
    log: dict[str, str] = field(default_factory=dict)
    """What was read since the last of them."""
    parts: int = 0
    """Parts read since then."""
    written: int = 0
    """Items written since then."""
    former_names: list[str] = field(default_factory=list)
    """Chunks that go when the pass has ended: logs of an earlier one, buckets of a former division."""

    # ── beginning ──

    def load_state(self) -> None:
        """Load the digests that are agreed on: those of the buckets, or of all records where they cannot be trusted."""
        if self.state.synced_at == self.head.synced_at:
            self.known = self._load_digests()
        else:
            self.known, self.dirty = self._load_keys(), True
            self.state = replace(self.state, rows=count_shown(self.known))
        if self.state.salt != self.salt:
            self._doubt_digests()

    def _load_digests(self) -> dict[str, str]:
        chunks = self.load_chunks(self.state.names)
        return {key: digest for chunk in chunks.values() for key, digest in unpack_rows(chunk).items()}

    def _doubt_digests(self) -> None:
        """Let every item be compared with its record: they are read by other settings than before."""
        self.known = {key: digest if digest in ABSENT else UNKNOWN for key, digest in self.known.items()}
        self.dirty = True

    def _load_keys(self) -> dict[str, str]:
        """Return the keys of the source's records, scope by scope: their items are compared with them."""
        source = self.head.source
        records = (r for s in source_scopes(source) for r in self.store.load_records(source.tenant, source.collection, s))
        own = (r for r in records if r.source_id == source.id and r.presence is not Presence.GONE)
        return {r.key: MISSING if r.presence is Presence.MISSING else UNKNOWN for r in own}

    @property
    def unfinished(self) -> ListProgress | None:
        """The pass that an earlier worker began, if this one can go on with it."""
        progress = self.memory.progress
        if progress is None or progress.token is None or self.job.new_only or self.job.dry_run:
            return None
        is_old = self.at - datetime.fromisoformat(str(progress.token["began"])) > MAX_PASS_AGE
        return None if is_old or (self.job.force and progress.incremental) else progress

    def resume(self) -> ListProgress | None:
        """Go on with the unfinished pass, if there is one; return it. The logs of another one go at the end."""
        progress = self.unfinished
        chunks = self.load_chunks(progress.names) if progress else {}
        if progress is None or len(chunks) < progress.logs:
            self._begin_again()
            return None
        for name in progress.names:
            self._recall_log(chunks[name])
        self._restore(progress)
        return progress

    def _restore(self, progress: ListProgress) -> None:
        self.counts.update(progress.counts)
        self.problems, self.unidentified, self.found = list(progress.problems), progress.unidentified, set(progress.found)
        self.logs, self.is_resumed, self.dirty = progress.logs, True, True

    def _recall_log(self, packed: bytes) -> None:
        for key, digest in unpack_rows(packed).items():
            self._recall(key, digest)

    def _begin_again(self) -> None:
        if self.memory.progress:
            self.former_names = [*self.memory.progress.names]
            self.memory = replace(self.memory, progress=None)

    def _recall(self, key: str, digest: str) -> None:
        """Note again what an earlier worker of this pass has read."""
        if digest == REJECTED:
            self.rejected.add(key)
            return
        before = self.known.pop(key, UNKNOWN)
        if digest == TOMBSTONE:
            self.tombstones[key] = before
        else:
            self.seen[key] = digest

    # ── what was read ──

    def note_seen(self, key: str, digest: str, before: str | None) -> None:
        """Note that an item was shown, and is agreed on with this digest."""
        self.seen[key] = self.log[key] = digest
        self.dirty = self.dirty or digest != before

    def note_problem(self, problem: Problem, *, identified: bool = True) -> None:
        """Note an item that cannot be used."""
        self.add_problems([problem])
        self.counts["refused"] += 1
        if problem.uid is not None:
            self.rejected.add(problem.uid)
            self.log[problem.uid] = REJECTED
        elif not identified:
            self.unidentified += 1

    # ── progress ──

    def open_progress(self) -> None:
        """Store, before the first write, that a pass is under way: what a worker that dies has written is compared again."""
        if self.memory.progress is None and not self.job.dry_run:
            self.memory = replace(self.memory, passes=self.memory.passes + 1)
            self.memory = replace(self.memory, progress=ListProgress(generation=self.memory.passes))
            self.save_state()

    def keep_up(self, listed: LongList, *, is_late: bool) -> None:
        """After a part: keep the lease, and store how far the pass has come, where that is worth its writes."""
        self.parts += 1
        if self.job.dry_run or self.job.new_only:
            return
        if self.lease is not None:
            self.renew_lease()
        if is_late or self._is_checkpoint_due:
            self.checkpoint(listed)

    @property
    def _is_checkpoint_due(self) -> bool:
        """Return whether enough was written; where a worker died in this pass, each part is stored."""
        if self.head.open_leases > 1 or self.is_resumed:
            return True
        has_written = self.memory.progress is not None
        return has_written and (self.written >= CHECKPOINT_ITEMS or self.parts >= CHECKPOINT_PARTS)

    def checkpoint(self, listed: LongList) -> None:
        """Store what this pass has read, and where it goes on."""
        token = listed.token(self._read)
        if token is None:
            return
        self.open_progress()
        self._save_log()
        progress = replace(self._progress(), token=token, incremental=not listed.whole)
        self.memory, self.parts, self.written = replace(self.memory, progress=progress), 0, 0
        self.save_state()

    @property
    def _read(self) -> int:
        """Distinct items that this pass has read."""
        return len(self.seen) + len(self.tombstones) + len(self.rejected)

    def _save_log(self) -> None:
        if self.log:
            progress = self.memory.progress or ListProgress()
            self.save_chunks({progress.name_of(self.logs): pack_rows(self.log)})
            self.logs, self.log = self.logs + 1, {}

    def _progress(self) -> ListProgress:
        return replace(
            self.memory.progress or ListProgress(),
            logs=self.logs,
            counts={name: self.counts[name] for name in KEPT_COUNTS if self.counts[name]},
            problems=tuple(self.problems),
            unidentified=self.unidentified,
            found=tuple(sorted(self.found)),
        )

    def save_state(self) -> None:
        """Write the manifest and what is remembered, if they changed."""
        self.save_snapshot(pack_state(self.state), write_list_memory(self.memory))

    def save_rows(self, rows: Mapping[str, str]) -> None:
        """Write the buckets that differ from the stored ones."""
        if not self.dirty:
            return
        self._redivide(len(rows))
        self.state = replace(self.state, rows=count_shown(rows), salt=self.salt)
        buckets = self._divide(rows)
        stored = self.load_chunks(buckets)
        for name, bucket in buckets.items():
            if name not in stored or unpack_rows(stored[name]) != bucket:
                self.save_chunks({name: pack_rows(bucket)})

    def _redivide(self, rows: int) -> None:
        before, self.state = self.state, self.state.divided(rows)
        if before.generation != self.state.generation:
            self.former_names += before.names

    def _divide(self, rows: Mapping[str, str]) -> dict[str, dict[str, str]]:
        buckets: dict[str, dict[str, str]] = {name: {} for name in self.state.names}
        for key, digest in rows.items():
            buckets[self.state.name_of(self.state.bucket_of(key))][key] = digest
        return buckets

    def end(self, at: datetime) -> None:
        """Write the manifest of a pass that has ended at *at*; then delete its logs, and buckets of a former division."""
        progress = self.memory.progress
        self.state, self.memory = replace(self.state, synced_at=at), replace(self.memory, progress=None)
        self.save_state()
        if left := [*self.former_names, *(progress.names if progress else ())]:
            self.store.save_chunks(self.head.source, dict.fromkeys(left), lease=self.renew_lease())


def count_shown(rows: Mapping[str, str]) -> int:
    """Return how many of these items are shown, as far as is known."""
    return sum(digest not in ABSENT for digest in rows.values())
