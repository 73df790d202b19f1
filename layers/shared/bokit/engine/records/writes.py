"""Writing one record for many at once: who waits while another writes has its wish written with the next one's.

    writer 1   │ load ─► grant ─► write ──────────────► done
    writer 2   ·   waits                │ both wishes in one write, each with its line in the log ─► done
    writer 3   ·   waits                │
    elsewhere  ·      writes first: the version has moved, so all is granted anew over what is there now

The order is that of arrival; no wish is lost, and each has its own answer.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from bokit.core.items.edit import Patch, PatchResult, grant
from bokit.core.model.catalog import Collection
from bokit.core.model.collections import make_id, settings_of
from bokit.core.model.records import LoggedChange, Record, RecordId, TenantId, scope_of
from bokit.engine.base.clock import Clock
from bokit.errors import BokitError, StateError, StoreConflictError, UnknownIdError
from bokit.store.protocols import Store

MAX_COALESCED = 50
"""Wishes that one write takes: a record and its lines go in one transaction of at most 99."""
TRIES = 40
MAX_PAUSE_SECONDS = 0.4
"""Seconds between two tries, at most; chance spreads them, so that writers elsewhere get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What must hold of the record for a wish to be granted."""

    versions: frozenset[int] | None = None
    """One of these (If-Match); None: any."""
    must_exist: bool = False
    must_be_new: bool = False


@dataclass(slots=True, kw_only=True)
class PendingWrite:
    """One wish on its way."""

    wish: Patch
    terms: Preconditions
    granted: PatchResult | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Return whether it has its answer."""
        return self.granted is not None or self.error is not None


@dataclass(slots=True)
class _Line:
    """The wishes that wait for one record."""

    writing: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[PendingWrite] = field(default_factory=list)
    users: int = 0


class RecordWriter:
    """Writes people's wishes into records of declared collections; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.store, self.clock = store, clock
        self._sleep, self._chance = sleep, chance
        self._lock, self._lines = threading.Lock(), dict[tuple[TenantId, RecordId], _Line]()

    def write(self, collection: Collection, key: str, wish: Patch, terms: Preconditions) -> PatchResult:
        """Grant *wish* of the record with this *key*, together with those that came meanwhile; returns what became of it.

        Raises UnknownIdError, StateError (another version than asked for), InputError (the schema), StoreConflictError.
        """
        turn = PendingWrite(wish=wish, terms=terms)
        with self._line(collection, key) as line:
            with self._lock:
                line.waiting.append(turn)
            with line.writing:
                if not turn.is_done:
                    self._write_waiting(collection, key, line)
        if turn.error is not None:
            raise turn.error
        assert turn.granted is not None  # noqa: S101 - a turn that is done has one or the other
        return turn.granted

    @contextmanager
    def _line(self, collection: Collection, key: str) -> Iterator[_Line]:
        """Yield the record's line, made by the first who needs it and forgotten by the last."""
        place = (collection.tenant, make_id(collection.name, key, collection.buckets))
        with self._lock:
            line = self._lines.setdefault(place, _Line())
            line.users += 1
        try:
            yield line
        finally:
            with self._lock:
                line.users -= 1
                if not line.users:
                    self._lines.pop(place, None)

    def _write_waiting(self, collection: Collection, key: str, line: _Line) -> None:
        with self._lock:
            turns, line.waiting = line.waiting[:MAX_COALESCED], line.waiting[MAX_COALESCED:]
        try:
            self._write_all(collection, key, turns)
        except BaseException as error:
            for turn in turns:
                turn.granted, turn.error = None, error
            if not isinstance(error, BokitError):
                raise

    def _write_all(self, collection: Collection, key: str, turns: Sequence[PendingWrite]) -> None:
        """Write all of *turns* in one write; anew over what is there, where another was faster."""
        for attempt in range(1, TRIES + 1):
            record, changes = self._grant_all(collection, key, turns)
            if not changes:
                return
            try:
                saved = self.store.apply_records([record], changes, lease=None)[0]
            except StoreConflictError:
                if attempt == TRIES:
                    raise
                self._sleep(min(MAX_PAUSE_SECONDS, 0.01 * 2 ** min(attempt, 6)) * self._chance())
                continue
            for turn in turns:
                if turn.granted is not None:
                    turn.granted = PatchResult(record=saved, change=turn.granted.change, preserved=turn.granted.preserved)
            return

    def _grant_all(self, collection: Collection, key: str, turns: Sequence[PendingWrite]) -> tuple[Record, list[LoggedChange]]:
        """Grant every turn over the record as it is now; one that is refused keeps no other from being granted."""
        now = self.clock()
        record, settings, changes = self._load(collection, key, now), settings_of(collection), list[LoggedChange]()
        for turn in turns:
            turn.granted = turn.error = None
            try:
                check_preconditions(turn.terms, record, changed=bool(changes))
                is_new = record.version == 0 and not changes
                granted = turn.granted = grant(record, turn.wish, settings, now, is_new=is_new)
            except BokitError as error:
                turn.error = error
                continue
            record = granted.record
            changes += [granted.change] if granted.change else []
        return record, changes

    def _load(self, collection: Collection, key: str, now: datetime) -> Record:
        """Return the record, or a new one that is not stored yet."""
        id = make_id(collection.name, key, collection.buckets)
        try:
            return self.store.load_record(collection.tenant, collection.name, id)
        except UnknownIdError:
            return Record(
                id=id,
                tenant=collection.tenant,
                collection=collection.name,
                scope=scope_of(id),
                source_id=None,
                key=key,
                created_at=now,
                updated_at=now,
            )


def check_preconditions(terms: Preconditions, record: Record, *, changed: bool) -> None:
    """Raise where *terms* do not hold of the record; *changed*: an earlier wish of the same write has changed it."""
    exists = record.version > 0 or changed
    if terms.must_exist and not exists:
        raise UnknownIdError("no such record", id=record.key)
    is_other = terms.versions is not None and (changed or record.version not in terms.versions)
    if is_other or (terms.must_be_new and exists):
        raise StateError("the record is not the one that you read; read it again", code="precondition-failed", id=record.key)
