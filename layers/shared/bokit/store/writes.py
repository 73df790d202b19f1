"""What both stores share: how writes are paired and split into transactions, and what is checked before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bokit.core.model.catalog import Source
from bokit.core.model.records import LoggedChange, Record, RecordId
from bokit.core.model.runs import OpenRun
from bokit.core.model.scheduling import HeartbeatRun, Lease
from bokit.errors import InputError, StaleFenceError, StoreConflictError
from bokit.store.limits import MAX_PENDING_SOURCES, MAX_TRANSACTION_ACTIONS, MAX_TRANSACTION_BYTES

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWrite:
    """One record to store, with the lines of its change log."""

    record: Record
    changes: tuple[LoggedChange, ...]

    @property
    def actions(self) -> int:
        """Return how many actions of a transaction it takes."""
        return 1 + len(self.changes)


def pair_changes(records: Sequence[Record], changes: Sequence[LoggedChange]) -> list[RecordWrite]:
    """Return each record with its version raised and its own changes, in the records' order."""
    by_record: dict[RecordId, list[LoggedChange]] = {record.id: [] for record in records}
    if len(by_record) < len(records):
        raise StoreConflictError("one write has the same record twice")
    for change in changes:
        by_record[change.record_id].append(change)
    raised = (replace(record, version=record.version + 1) for record in records)
    return [RecordWrite(record=record, changes=tuple(by_record[record.id])) for record in raised]


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
