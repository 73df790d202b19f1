"""The state of one sync of one SQL source: its tables, how far the pass has come, and what is stored of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bokit.core.model.records import CollectionName, SourceId
from bokit.core.tables.agreement import is_former, shared_collections
from bokit.core.tables.chunks import RowDigest, TableState, chunk_names, pack_chunk, pack_manifest, unpack_chunk
from bokit.core.tables.progress import PassProgress, TableMemory, write_table_memory
from bokit.core.tables.spec import TableSettings
from bokit.engine.sync.pass_session import PassSession
from bokit.errors import BokitError
from bokit.values import replace


@dataclass(slots=True, kw_only=True)
class TableSyncSession(PassSession):
    """A sync of one SQL source."""

    settings: TableSettings
    other_sources: Mapping[CollectionName, frozenset[SourceId]]
    states: dict[str, TableState]
    memory: TableMemory
    is_whole: bool = False
    """Every table is read, not only for what is new."""
    covers_all: bool = False
    """Every table was asked for, and all of each: what no table shows is shown by none."""
    unfinished: PassProgress | None = None
    """What a former sync left unfinished."""
    former_chunks: set[str] = field(default_factory=set)
    """Names of the chunks stored before this sync."""
    asked: frozenset[str] = frozenset()
    """The tables that this sync was asked for."""
    failed: dict[str, BokitError] = field(default_factory=dict)
    """The tables that could not be read, and why."""
    is_out_of_time: bool = False
    """A statement was stopped because this worker's own time comes to its end: the next worker asks again."""
    advice: list[str] = field(default_factory=list)
    """What the owner should know of the tables."""

    @property
    def shared(self) -> set[str]:
        """The collections that several tables feed, or fed."""
        return shared_collections(self.states)

    def others_of(self, name: str) -> dict[str, TableState]:
        """Return the states of the other tables of the same collection."""
        mine = self.states[name].collection
        return {other: state for other, state in self.states.items() if other != name and state.collection == mine}

    # ── chunks ──

    def load_chunk(self, name: str) -> dict[str, RowDigest]:
        """Return one chunk; empty if it is not stored."""
        return unpack_chunk(self.load_chunks([name]).get(name, b""))

    def save_chunk(self, name: str, chunk: Mapping[str, RowDigest]) -> None:
        """Write one chunk."""
        self.save_chunks({name: pack_chunk(chunk)})

    def prune_orphans(self) -> None:
        """Delete former tables that keep no row, and the chunks that no table uses any more."""
        self.states = {name: state for name, state in self.states.items() if not (is_former(name) and state.is_empty)}
        self.memory = replace(self.memory, holds={n: h for n, h in self.memory.holds.items() if n in self.states})
        if orphans := sorted(self.former_chunks - chunk_names(self.states.values())):
            self.save_chunks(dict.fromkeys(orphans))

    # ── progress ──

    def resume(self, *, is_whole: bool) -> None:
        """Continue an unfinished pass if this sync is a whole pass too; otherwise keep only that it may be half written."""
        self.is_whole = self.covers_all = is_whole
        if self.unfinished and is_whole:
            self.counts.update(self.unfinished.counts)
            self.failed = {name: BokitError(**error) for name, error in self.unfinished.failed.items() if name in self.states}
        elif self.unfinished:
            self.memory = replace(self.memory, part=PassProgress(is_open=self.unfinished.is_open))

    @property
    def has_advanced(self) -> bool:
        """Whether an unfinished pass has come further than where it began."""
        before, after = self.unfinished or PassProgress(), self.memory.part or PassProgress()
        return (before.done, before.finished) != (after.done, after.finished)

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
            failed = {name: {"message": error.message, "code": error.stable_code} for name, error in self.failed.items()}
            progress = replace(self.memory.part or PassProgress(), is_open=False, counts=counts, failed=failed)
        self.memory = replace(self.memory, part=progress)
        self.save_state()

    def save_state(self) -> None:
        """Write manifest and memory, if they changed."""
        self.save_snapshot(pack_manifest(self.states), write_table_memory(self.memory))
