"""Patches of one record, by many writers at once: each is merged into the record as it is, and written if it still is.

    writer 1   │ load v1 ─► merge ─► write v2
    writer 2   │ load v1 ─► merge ─► write: conflict, pause ─► load v2 ─► merge ─► write v3

No patch is lost, and each has its own result and its line in the change log. Writers in one process take turns, which spares
them the conflicts.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from bokit.core.items.edit import Patch, PatchResult, merge_patch
from bokit.core.model.catalog import Collection, Parent
from bokit.core.model.collections import make_id, settings_of
from bokit.core.model.records import Fields, LoggedChange, Record, new_record
from bokit.engine.base.clock import Clock
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.usage import save_edit
from bokit.engine.records.limits import MAX_PATCH_PAUSE_SECONDS, MAX_PATCH_TRIES
from bokit.errors import StateError, UnknownIdError
from bokit.store.protocols import Store
from bokit.values import Value, replace

LOCKS = 64
NO_DEFAULTS: Fields = {}


class Preconditions(Value):
    """What must hold of the record for a patch to be applied."""

    versions: frozenset[int] | None = None
    """One of these (If-Match); None: any."""
    must_exist: bool = False
    must_be_new: bool = False

    def check(self, record: Record) -> None:
        """Raise UnknownIdError or StateError if they do not hold of *record*, whose version is 0 if it is not stored yet."""
        exists = record.version > 0
        if self.must_exist and not exists:
            raise UnknownIdError("no such record", id=record.key)
        is_other = self.versions is not None and record.version not in self.versions
        if is_other or (self.must_be_new and exists):
            raise StateError("the record is not the one that you read; read it again", code="precondition-failed", id=record.key)


ANY = Preconditions()
"""No preconditions."""


class RecordWriter:
    """Writes patches into records of declared collections; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        defaults: Fields = NO_DEFAULTS,
        *,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.store, self.clock, self.defaults = store, clock, defaults
        self._sleep, self._chance = sleep, chance
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def write(self, collection: Collection, key: str, patch: Patch, preconditions: Preconditions) -> PatchResult:
        """Apply *patch* to the record with this *key*.

        Raises UnknownIdError, StateError (preconditions), InputError (the schema), StoreConflictError (too many writers).
        """
        declared = self._read_declarations(collection)

        def attempt() -> PatchResult:
            now, present = self.clock(), next(declared)
            record = self._load(present, key, now)
            preconditions.check(record)
            result = merge_patch(record, patch, settings_of(present), now, is_new=record.version == 0)
            if result.change is None:
                return result
            return replace(result, record=self._save(present, result.record, result.change))

        with self._locks[hash((collection.tenant, collection.name, key)) % LOCKS]:
            return retry_on_conflict(attempt, MAX_PATCH_TRIES, self._pause)

    def _read_declarations(self, collection: Collection) -> Iterator[Collection]:
        """Yield *collection* for a first attempt, and for each further one as it is declared by then."""
        yield collection
        while True:
            found = {c.name: c for c in self.store.load_collections(collection.tenant)}
            if collection.name not in found:
                raise UnknownIdError("no such collection", id=collection.name)
            yield found[collection.name]

    def _save(self, collection: Collection, record: Record, change: LoggedChange) -> Record:
        """Write the record; a new one only while its collection is as it was read, since that says where its records are."""
        within = [] if record.version else [Parent(Collection, collection.tenant, collection.name, collection.version)]
        return save_edit(self.store, record, change, self.defaults, within=within, counted={record.id})

    def _pause(self, attempt: int) -> None:
        self._sleep(min(MAX_PATCH_PAUSE_SECONDS, 0.01 * 2 ** min(attempt, 6)) * self._chance())

    def _load(self, collection: Collection, key: str, now: datetime) -> Record:
        """Return the record, or a new one that is not stored yet."""
        record_id = make_id(collection.name, key, collection.buckets)
        try:
            return self.store.load_record(collection.tenant, collection.name, record_id)
        except UnknownIdError:
            return new_record(record_id, collection.tenant, collection.name, now, key=key)
