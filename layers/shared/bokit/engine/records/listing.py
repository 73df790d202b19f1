"""Lists of a declared collection's records: a page at a time, of those that fit, with bounded work for each.

records     ▓▓▓▓░░░▓░░░░░░░░░░▓░░░░░░░░░░▓▓▓     ▓ fits
page 1      └──────── 5 found ─┘                 as many as were asked for
page 2                          └─── 0 ──┘       as many were read as one request may: a cursor, and no record
page 3                                    └─ 3   the end: no cursor
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from bokit.core.model.catalog import Collection
from bokit.core.model.codec import read_micros, write_micros
from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.core.model.json_merge import read_path
from bokit.core.model.records import Json, Presence, Record
from bokit.engine.base.clock import Clock
from bokit.engine.records.limits import FOLLOW_OVERLAP, MAX_FILTERS, MAX_LIST_COST, MIN_LIST_READ, WALK_PAGE
from bokit.engine.records.walk import WalkPosition, read_position, walk_records
from bokit.errors import InputError
from bokit.store.protocols import RecordStore
from bokit.values import Value, field


class RecordFilter(Value):
    """Which records a list has; without a presence and *since*, all that are not gone."""

    presence: Presence | None = None
    since: datetime | None = None
    """Only what changed after it, gone ones included."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Values by field, as :func:`write_value` writes them; dots lead into objects."""
    with_gone: bool = False

    def admits(self, record: Record) -> bool:
        """Return whether the list has *record*."""
        if self.since is not None and record.updated_at <= self.since:
            return False
        if self.presence is not None:
            is_wanted = record.presence is self.presence
        else:
            is_wanted = self.since is not None or self.with_gone or record.presence is not Presence.GONE
        return is_wanted and all(_has_value(record, path, text) for path, text in self.fields.items())

    @property
    def is_selective(self) -> bool:
        """Return whether few of many records may fit."""
        return bool(self.presence or self.since or self.fields)

    @property
    def list_id(self) -> str:
        """What a cursor of this list is bound to."""
        return json.dumps([self.presence, str(self.since or ""), sorted(self.fields.items()), self.with_gone])


NOT_GONE = RecordFilter()


class RecordPage(Value):
    """A page of a list, the cursor of the next one (None: this was the last), and what to send as ``since`` after the last."""

    items: tuple[Record, ...]
    cursor: str | None
    since: datetime


class RecordLists:
    """Pages of records."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self.store, self.clock = store, clock

    def load_page(
        self, collection: Collection, wanted: RecordFilter = NOT_GONE, *, limit: int = 50, cursor: str | None = None
    ) -> RecordPage:
        """Return at most *limit* records that *wanted* admits, in an order that does not change; raises InputError.

        A page may have fewer, or none, and a cursor nevertheless.
        """
        check_filter(collection, wanted)
        list_id = f"records/{collection.tenant}/{collection.name}/{wanted.list_id}"
        since, begin = self._read_cursor(list_id, cursor)
        found: list[tuple[Record, int]] = []
        following: WalkPosition | None = None
        cost, size = 0, WALK_PAGE if wanted.is_selective else max(limit + 1, MIN_LIST_READ)
        for page in walk_records(self.store, collection, begin, size=size):
            found += [(record, page.bucket) for record in page.records if wanted.admits(record)]
            following, cost = page.following, cost + page.cost
            if len(found) > limit or cost > MAX_LIST_COST:
                break
        if len(found) > limit:
            found = found[:limit]
            following = WalkPosition(bucket=found[-1][1], after=found[-1][0].id)
        rest = write_cursor(list_id, f"{write_micros(since)}/{following}") if following else None
        return RecordPage(items=tuple(record for record, _ in found), cursor=rest, since=since)

    def _read_cursor(self, list_id: str, cursor: str | None) -> tuple[datetime, WalkPosition]:
        """Return what the list's first page said of ``since``, and where this page begins."""
        if cursor is None:
            return self.clock() - FOLLOW_OVERLAP, WalkPosition()
        micros, _, position = read_cursor(list_id, cursor).partition("/")
        try:
            return read_micros(int(micros)), read_position(position)
        except (ValueError, OverflowError):
            raise InputError("not a cursor of this list; begin at the first page", code="bad-cursor") from None


def check_filter(collection: Collection, wanted: RecordFilter) -> None:
    """Raise InputError for too many fields, or one that the collection's schema excludes."""
    if len(wanted.fields) > MAX_FILTERS:
        raise InputError(f"at most {MAX_FILTERS} fields in one filter", code="bad-field", field="filter")
    schema = collection.schema or {}
    if schema.get("additionalProperties") is not False or "$ref" in schema or "patternProperties" in schema:
        return
    known = {"id", *schema.get("properties", {})}
    for path in wanted.fields:
        parts = path.split(".")
        if not any(".".join(parts[:count]) in known for count in range(1, len(parts) + 1)):
            raise InputError(f"the collection's schema has no field {path}", code="bad-field", field="filter")


def write_value(value: Json) -> str | None:
    """Return a value as filters name it: a text as it is, other values as JSON; None for objects and arrays.

    >>> [write_value(value) for value in ("7", 7, 1.5, True, None, [7])]
    ['7', '7', '1.5', 'true', 'null', None]
    """
    if isinstance(value, str):
        return value
    return None if isinstance(value, (Mapping, list, tuple)) else json.dumps(value)


def _has_value(record: Record, path: str, text: str) -> bool:
    """Return whether the field at *path* has this value; one that is not there is null."""
    if path == "id":
        return record.key == text
    return write_value(read_path(record.fields, path)) == text
