"""What both stores share: cursors of lists, and how writes are cut into transactions."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bokit.core.model.catalog import Source
from bokit.core.model.records import LoggedChange, Record, RecordId
from bokit.core.model.runs import OpenRun
from bokit.core.model.scheduling import HeartbeatRun, Lease
from bokit.errors import InputError, StaleFenceError, StoreConflictError

T = TypeVar("T")

MAX_ACTIONS = 99
"""DynamoDB takes 100 in a transaction; one of them checks the lease."""
MAX_BYTES = 3_000_000
"""DynamoDB takes 4 MB in a transaction, names and keys included."""
MAX_WAITING = 1000
"""The sources of one open run, so that all their reports fit one item."""
MAX_ROWS = 1000
"""The longest page that a list gives."""
RECENT_RUNS = 4
"""Unchanged batches that a shard remembers: the claim's fence picks the place, so that no read is needed."""


def make_cursor(partition: str, sort_key: str) -> str:
    """Return an opaque cursor that stands behind *sort_key* and is good for *partition* alone."""
    told = _seal(partition) + sort_key.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def read_cursor(partition: str, cursor: str) -> str:
    """Return the sort key that *cursor* stands behind; raises InputError where it is not one of this list's."""
    try:
        told = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        sort_key = told[8:].decode()
    except (binascii.Error, ValueError):
        raise _refuse_cursor() from None
    if told[:8] != _seal(partition) or not sort_key or len(told) > 900:
        raise _refuse_cursor()
    return sort_key


def clamp_limit(limit: int) -> int:
    """Return how many rows a page really gives."""
    return max(1, min(limit, MAX_ROWS))


def _seal(partition: str) -> bytes:
    return hashlib.sha256(partition.encode("utf-8", "surrogatepass")).digest()[:8]


def _refuse_cursor() -> InputError:
    return InputError("not a cursor of this list; leave it out to begin at the first page", code="bad-cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWrite:
    """One record as it is to be stored, and the lines of its change log that go with it."""

    record: Record
    changes: tuple[LoggedChange, ...]

    @property
    def actions(self) -> int:
        """What it takes of a transaction."""
        return 1 + len(self.changes)


def pair_changes(records: Sequence[Record], changes: Sequence[LoggedChange]) -> list[RecordWrite]:
    """Return each record with its version raised and its own changes, in the records' order."""
    by_record: dict[RecordId, list[LoggedChange]] = {record.id: [] for record in records}
    if len(by_record) < len(records):
        raise StoreConflictError("a record stands twice in one write")
    for change in changes:
        by_record[change.record_id].append(change)
    raised = (replace(record, version=record.version + 1) for record in records)
    return [RecordWrite(record=record, changes=tuple(by_record[record.id])) for record in raised]


def cut_transactions(
    writes: Sequence[RecordWrite], sizes: Sequence[int] = (), *, max_bytes: int = MAX_BYTES
) -> list[list[RecordWrite]]:
    """Return *writes* in runs that fit one transaction each; a record is never parted from its changes.

    *sizes* are the bytes of each write, where the store has a limit on them.
    """
    runs: list[list[RecordWrite]] = []
    actions = taken = 0
    for at, write in enumerate(writes):
        size = sizes[at] if sizes else 0
        if not runs or actions + write.actions > MAX_ACTIONS or taken + size > max_bytes:
            runs.append([])
            actions = taken = 0
        runs[-1].append(write)
        actions, taken = actions + write.actions, taken + size
    return runs


def cut_writes(writes: Sequence[T], sizes: Sequence[int] = ()) -> list[list[T]]:
    """Return writes that need not stand together in runs that fit one transaction each."""
    runs: list[list[T]] = []
    taken = 0
    for at, write in enumerate(writes):
        size = sizes[at] if sizes else 0
        if not runs or len(runs[-1]) == MAX_ACTIONS or taken + size > MAX_BYTES:
            runs.append([])
            taken = 0
        runs[-1].append(write)
        taken += size
    return runs


def check_waiting(open: OpenRun) -> None:
    """Raise InputError where a run is to wait for more sources than it can hear."""
    if len(open.pending) + len(open.run.sources) > MAX_WAITING:
        raise InputError(f"too many sources for one run; ask for {MAX_WAITING} at most", code="too-large")


def check_lease_of(source: Source, lease: Lease) -> None:
    """Raise StaleFenceError where *lease* is another source's, or another tenant's."""
    if (source.tenant, source.id) != (lease.source.tenant, lease.source.id):
        raise StaleFenceError("the lease is another source's", source_id=source.id)


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are given; None where there is none."""
    return min((time for time in times if time is not None), default=None)


def sort_recent(runs: Iterable[HeartbeatRun]) -> tuple[HeartbeatRun, ...]:
    """Return a shard's unchanged batches, newest first."""
    return tuple(sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True))
