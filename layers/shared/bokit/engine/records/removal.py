"""Deleting records that programs pushed, one or all of a collection; and the collection with them.

A deleted record stays as a tombstone, with its fields and its change log, and can be restored. What removes a collection deletes
its records for good. Both ask for the plan that was shown, and do their work in parts that each end in time:

    time ───┬──────────────────────┬────────────────────────┬──────────────────┬────────────────────►
    caller  │ without a plan       │ plan A                 │ plan B           │ plan C
    answer  │ refused: 1200, A     │ 500 deleted, plan B    │ 500, plan C      │ 200, nothing is left
    other   ·                      ·                        │ pushes one       · or refused here: it changed since A, plan D

A part that ends in the middle is repeated with its own plan, or begun again without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypedDict

from bokit.core.items.by_hand import delete_by_hand, restore_by_hand
from bokit.core.model.catalog import Collection, Parent
from bokit.core.model.codec import read_micros, write_micros
from bokit.core.model.collections import feeds
from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.core.model.documents import Count
from bokit.core.model.events import emptying_item
from bokit.core.model.limits import MAX_SINGLE_EVENTS
from bokit.core.model.records import Fields, LoggedChange, Presence, Record
from bokit.engine.base.clock import Clock
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import days_kept
from bokit.engine.base.usage import WRITES_OF_AN_EDIT, counted_writes, save_edit
from bokit.engine.records.limits import (
    BULK_HOLD,
    LAST_CHUNK,
    MAX_COUNTED,
    MAX_LIST_COST,
    MAX_RECORD_EDIT_TRIES,
    MAX_REMOVED_AT_ONCE,
)
from bokit.engine.records.lookup import find_record
from bokit.engine.records.walk import BEGINNING, WalkPosition, read_position, walk_records
from bokit.engine.records.writes import ANY, NO_DEFAULTS, Preconditions
from bokit.errors import InputError, StateError
from bokit.store.protocols import Store
from bokit.values import Value, replace


class Removal(StrEnum):
    """What is done to a collection."""

    EMPTY = "empty"  # its records become tombstones
    REMOVE = "remove"  # it is deleted, with its records and their change logs


class RemovalPlan(Value):
    """What a removal would do, as it is shown."""

    count: int
    """Records that would go."""
    is_all: bool
    """Whether they were counted to the end."""
    plan: str
    """What the removal is asked with; refused where anything changed since."""


class EmptyingDocument(TypedDict):
    """What one part of emptying or removing a collection did."""

    collection: str
    removed: Annotated[Count, "Records that this request deleted."]
    plan: Annotated[str | None, "Send the request again with this plan, for the next part; null: nothing is left."]


class _Part(Value):
    """Where a part begins, and when the collection was last seen to be as shown."""

    digest: str
    seen_at: datetime | None = None
    begin: WalkPosition = BEGINNING

    def write(self, list_id: str) -> str:
        seen = write_micros(self.seen_at) if self.seen_at else 0
        return write_cursor(list_id, f"{self.digest}/{seen}/{self.begin}")


class RecordRemoval:
    """Deletes and restores pushed records, and empties and removes collections."""

    def __init__(self, store: Store, clock: Clock, defaults: Fields = NO_DEFAULTS) -> None:
        self.store, self.clock, self.defaults = store, clock, defaults

    # ── one record ──

    def delete_record(self, collection: Collection, key: str, *, by: str, terms: Preconditions = ANY) -> Record:
        """Delete a pushed record, which stays as a tombstone; a second time changes nothing.

        Raises UnknownIdError, and StateError for a record that a source feeds, or where *terms* do not hold.
        """

        def attempt() -> Record:
            record = find_record(self.store, collection, key)
            terms.check(record)
            self._check_pushed(record)
            if record.presence is Presence.GONE:
                return record
            return self._save(*delete_by_hand(record, by, self.clock()))

        return retry_on_conflict(attempt, MAX_RECORD_EDIT_TRIES)

    def restore_record(self, collection: Collection, key: str, *, by: str) -> Record:
        """Bring back a deleted record with its fields; raises StateError for one that is there, or that a source feeds."""

        def attempt() -> Record:
            record = find_record(self.store, collection, key)
            self._check_pushed(record)
            if record.presence is not Presence.GONE:
                raise StateError("the record is not deleted", code="not-deleted", id=key)
            return self._save(*restore_by_hand(record, by, self.clock()))

        return retry_on_conflict(attempt, MAX_RECORD_EDIT_TRIES)

    def _save(self, record: Record, change: LoggedChange) -> Record:
        return save_edit(self.store, record, change, self.defaults, within=[])

    def _check_pushed(self, record: Record) -> None:
        if record.source_id is None:
            return
        source = self.store.load_source(record.tenant, record.source_id)
        if source.removed_at is None:
            message = "a source feeds this record and would show it again; delete it there, and the next sync follows"
            raise StateError(message, code="synced", id=record.key, source=source.name)

    # ── a collection ──

    def plan_emptying(self, collection: Collection, kind: Removal = Removal.EMPTY, *, to_end: bool = False) -> RemovalPlan:
        """Count what would go, as far as one request may read (*to_end*: all of it), and return the plan to confirm.

        Raises StateError where a source feeds the collection.
        """
        self._check_unfed(collection)
        digest, cost, count, is_all = hashlib.sha256(), 0, 0, True
        for page in walk_records(self.store, collection):
            if cost < MAX_COUNTED:
                lines = (f"{record.id} {record.version}\n" for record in page.records)
                digest.update("".join(lines).encode("utf-8", "surrogatepass"))
            cost, count = cost + page.cost, count + sum(_goes(record, kind) for record in page.records)
            if cost >= MAX_COUNTED and not to_end:
                is_all = page.following is None
                break
        part = _Part(digest=digest.hexdigest()[:16])
        return RemovalPlan(count=count, is_all=is_all, plan=part.write(_list_id(collection, kind)))

    def empty_collection(self, collection: Collection, *, plan: str | None, by: str) -> EmptyingDocument:
        """Delete the next records of a collection, which stay as tombstones; raises StateError without the *plan* shown."""
        return self._do_part(collection, Removal.EMPTY, plan, lambda records: self._bury(collection, records, by))

    def remove_collection(self, collection: Collection, *, plan: str | None) -> EmptyingDocument:
        """Delete the next records of a collection for good, and with the last ones the collection.

        Without records no *plan* is needed. Raises StateError without the one that was shown.
        """
        done = self._do_part(collection, Removal.REMOVE, plan, self._erase)
        if done["plan"] is None:
            if self.has_records(collection):
                raise self._refuse(collection, Removal.REMOVE)
            self.remove_declaration(collection)
        return done

    def remove_declaration(self, collection: Collection) -> None:
        """Delete the declaration of a collection without sources and records; raises StateError where it has any."""

        def check_empty() -> None:
            self._check_unfed(collection)
            if self.has_records(collection):
                raise StateError("the collection has records, which are kept", code="not-empty", id=collection.name)

        parent = Parent(Collection, collection.tenant, collection.name)
        delete = lambda: self.store.delete_parent(parent, check_empty, at=self.clock())  # noqa: E731
        retry_on_conflict(delete, MAX_RECORD_EDIT_TRIES)

    def has_records(self, collection: Collection) -> bool:
        """Return whether a collection has any record, a missing or deleted one included."""
        return any(page.records for page in walk_records(self.store, collection, size=1))

    def _do_part(
        self, collection: Collection, kind: Removal, plan: str | None, delete: Callable[[Sequence[Record]], None]
    ) -> EmptyingDocument:
        part = self._read_part(collection, kind, plan)
        going, following = self._find_next(collection, kind, part)
        delete(going)
        rest = replace(part, begin=following).write(_list_id(collection, kind)) if following else None
        return {"collection": str(collection.name), "removed": len(going), "plan": rest}

    def _read_part(self, collection: Collection, kind: Removal, plan: str | None) -> _Part:
        """Return the part that *plan* names; raises StateError where it is not what would be shown now."""
        if plan is None:
            shown = self.plan_emptying(collection, kind)
            if shown.count or not shown.is_all:
                raise _refuse(collection, kind, shown)
            plan = shown.plan
        self._check_unfed(collection)
        try:
            digest, seen, position = read_cursor(_list_id(collection, kind), plan).split("/", 2)
            part = _Part(digest=digest, seen_at=read_micros(int(seen)) if int(seen) else None, begin=read_position(position))
        except (InputError, ValueError, OverflowError):
            raise self._refuse(collection, kind) from None
        if part.seen_at is not None:
            return part
        now = self.clock()
        if self.plan_emptying(collection, kind).plan != plan:
            raise self._refuse(collection, kind)
        return replace(part, seen_at=now)

    def _find_next(self, collection: Collection, kind: Removal, part: _Part) -> tuple[list[Record], WalkPosition | None]:
        """Return the next records that go, and where the part after them begins; raises StateError for one that changed."""
        going: list[Record] = []
        following: WalkPosition | None = None
        cost = 0
        for page in walk_records(self.store, collection, part.begin):
            going += [record for record in page.records if _goes(record, kind)]
            following, cost = page.following, cost + page.cost
            if len(going) >= MAX_REMOVED_AT_ONCE or cost >= MAX_LIST_COST:
                break
        is_newer = (r for r in going if part.seen_at and r.updated_at > part.seen_at and r.presence is not Presence.GONE)
        if any(is_newer):
            raise self._refuse(collection, kind)
        return going, following

    def _refuse(self, collection: Collection, kind: Removal) -> StateError:
        """Return the error of a plan that is not the one which would be shown now."""
        return _refuse(collection, kind, self.plan_emptying(collection, kind), has_changed=True)

    def _check_unfed(self, collection: Collection) -> None:
        found = (s for s in self.store.load_sources(collection.tenant) if s.removed_at is None and feeds(s, collection.name))
        if source := next(found, None):
            message = "a source feeds this collection and would fill it again; remove the source first, or its table"
            raise StateError(message, code="synced", collection=str(collection.name), source=source.name)

    def _bury(self, collection: Collection, records: Sequence[Record], by: str) -> None:
        """Make tombstones of records; of many, one event stands for all."""
        at = self.clock()
        written = [delete_by_hand(record, by, at) for record in records]
        days = days_kept(self.store, records, self.defaults)
        many = len(written) > MAX_SINGLE_EVENTS
        event = emptying_item(collection, at, records[0].id, len(written)) if many else None
        last = max(len(written) - LAST_CHUNK, 0) if many else 0
        with counted_writes(self.store, collection.tenant, at, WRITES_OF_AN_EDIT * len(written)):
            for some, held_until in ((written[:last], at + BULK_HOLD), (written[last:], None)):
                bulk = replace(event, held_until=held_until) if event else None
                after, changes = [record for record, _ in some], [change for _, change in some]
                self.store.apply_records(after, changes, lease=None, kept_days=days, bulk=bulk)

    def _erase(self, records: Sequence[Record]) -> None:
        """Delete records for good."""
        if records:
            with counted_writes(self.store, records[0].tenant, self.clock(), WRITES_OF_AN_EDIT * len(records)):
                self.store.delete_records(records)


def _goes(record: Record, kind: Removal) -> bool:
    return kind is Removal.REMOVE or record.presence is not Presence.GONE


def _refuse(collection: Collection, kind: Removal, shown: RemovalPlan, *, has_changed: bool = False) -> StateError:
    """Return the error that shows a plan, and asks for it."""
    count = f"{shown.count} records" if shown.is_all else f"more than {shown.count} records"
    words = "they can be restored one by one" if kind is Removal.EMPTY else "with their change logs, for good"
    message = f"this deletes {count}, {words}; repeat it with the plan to confirm"
    if has_changed:
        message = f"the collection has changed since the plan was shown; {message}"
    code = "plan-changed" if has_changed else "not-confirmed"
    return StateError(message, code=code, collection=str(collection.name), count=shown.count, plan=shown.plan)


def _list_id(collection: Collection, kind: Removal) -> str:
    return f"{kind}/{collection.tenant}/{collection.name}"
