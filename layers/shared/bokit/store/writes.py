"""What both stores share: how writes are paired and split into transactions, and what is checked before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from bokit.core.model.catalog import Source
from bokit.core.model.change_sizes import fit_change
from bokit.core.model.codec import read_micros, write_micros
from bokit.core.model.collections import BUILT_IN
from bokit.core.model.events import NewEvent, events_of_record
from bokit.core.model.records import LoggedChange, Record, RecordId
from bokit.core.model.runs import OpenRun
from bokit.core.model.scheduling import HeartbeatRun, Lease
from bokit.errors import InputError, StaleFenceError, StoreConflictError
from bokit.store.limits import (
    MAX_CHUNK_BYTES,
    MAX_KEPT_CHANGES,
    MAX_PENDING_SOURCES,
    MAX_TRANSACTION_ACTIONS,
    MAX_TRANSACTION_BYTES,
)
from bokit.values import Value, replace

T = TypeVar("T")


class RecordWrite(Value):
    """One record to store, with the lines of its change log."""

    record: Record
    changes: tuple[LoggedChange, ...]
    lines: tuple[str, ...] = ()
    """The names of *changes*: they sort by time, then by the record's version."""
    aged: tuple[tuple[str, datetime], ...] = ()
    """Former lines that are no longer among the last, each with when its age ends."""

    @property
    def actions(self) -> int:
        """Return how many actions of a transaction it takes."""
        return 1 + len(self.changes) + len(self.aged)


def pair_changes(records: Sequence[Record], changes: Sequence[LoggedChange], kept_days: int | None = None) -> list[RecordWrite]:
    """Return each record with its version raised and its own changes, in the records' order.

    A line that is not among its record's last is deleted *kept_days* after it was written; None: never.
    """
    by_record: dict[RecordId, list[LoggedChange]] = {record.id: [] for record in records}
    if len(by_record) < len(records):
        raise StoreConflictError("one write has the same record twice")
    for change in changes:
        by_record[change.record_id].append(change)
    raised = (replace(record, version=record.version + 1) for record in records)
    return [_pair(record, by_record[record.id], kept_days) for record in raised]


def _pair(record: Record, changes: Sequence[LoggedChange], kept_days: int | None) -> RecordWrite:
    """Return the write of *record*, which remembers the names of its last lines."""
    new = tuple(name_line(change, record.version, place) for place, change in enumerate(changes))
    names = (*record.lines, *new)
    # of one write's own lines none is aged: an item takes one action of a transaction
    pushed = [name for name in names[:-MAX_KEPT_CHANGES] if name not in new]
    aged = () if kept_days is None else tuple((name, written_at(name) + timedelta(days=kept_days)) for name in pushed)
    is_declared = record.collection not in BUILT_IN
    writer = changes[-1].by if changes and is_declared else record.updated_by
    kept = replace(record, lines=names[-MAX_KEPT_CHANGES:], updated_by=writer)
    fitting = tuple(fit_change(change, MAX_CHUNK_BYTES) for change in changes)
    return RecordWrite(record=kept, changes=fitting, lines=new, aged=aged)


def events_of(writes: Iterable[RecordWrite]) -> list[NewEvent]:
    """Return the events of records that are written together."""
    return [event for write in writes for event in events_of_record(write.record, write.changes)]


def written_last(writes: Iterable[RecordWrite]) -> datetime:
    """Return when records that are written together changed."""
    return max(at for write in writes for at in (write.record.updated_at, *(change.at for change in write.changes)))


def name_line(change: LoggedChange, version: int, place: int) -> str:
    """Return the name of a line of a change log: by it the lines sort by time, then by the record's version."""
    return f"{write_micros(change.at):020d}#{version:010d}#{place:03d}"


def written_at(line: str) -> datetime:
    """Return when the line of this name was written."""
    return read_micros(int(line.partition("#")[0]))


def split_transactions(
    writes: Iterable[T], actions_of: Callable[[T], int] = lambda write: 1, size_of: Callable[[T], int] = lambda write: 0
) -> list[list[T]]:
    """Return *writes* in groups that fit one transaction each, by their numbers of actions and their bytes."""
    groups: list[list[T]] = []
    actions = size = 0
    for write in writes:
        actions, size = actions + actions_of(write), size + size_of(write)
        if not groups or actions > MAX_TRANSACTION_ACTIONS or size > MAX_TRANSACTION_BYTES:
            groups.append([])
            actions, size = actions_of(write), size_of(write)
        groups[-1].append(write)
    return groups


def check_pending(open_run: OpenRun) -> None:
    """Raise InputError where a run waits for more sources than one item can hold the reports of."""
    if len(open_run.pending) + len(open_run.run.sources) > MAX_PENDING_SOURCES:
        raise InputError(f"too many sources for one run; ask for {MAX_PENDING_SOURCES} at most", code="too-large")


def check_lease_source(source: Source, lease: Lease) -> None:
    """Raise StaleFenceError where *lease* belongs to another source, or to another tenant."""
    if (source.tenant, source.id) != (lease.source.tenant, lease.source.id):
        raise StaleFenceError("the lease is another source's", source_id=source.id)


def sort_recent(batches: Iterable[HeartbeatRun]) -> tuple[HeartbeatRun, ...]:
    """Return a shard's unchanged batches, newest first."""
    return tuple(sorted(batches, key=lambda batch: (batch.started_at, batch.run_id), reverse=True))
