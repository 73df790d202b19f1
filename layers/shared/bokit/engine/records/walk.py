"""Every record of a declared collection, page by page, in flat memory: bucket by bucket, and on from any position.

buckets     clients~0                clients~1      clients~2
pages       ▓▓▓▓ ▓▓▓▓ ▓▓             ▓▓▓▓ ▓         ▓▓▓▓
position        └─ (0, "clients~0.7x")     a record's id, behind which the walk goes on
"""

from __future__ import annotations

from collections.abc import Iterator

from bokit.core.model.catalog import Collection
from bokit.core.model.collections import scopes_of
from bokit.core.model.records import Record, RecordId
from bokit.engine.records.limits import PAGE_COST, WALK_PAGE
from bokit.errors import InputError
from bokit.store.protocols import RecordStore
from bokit.values import Value


class WalkPosition(Value):
    """Where a walk goes on: in which bucket, and behind which record (None: at its beginning)."""

    bucket: int = 0
    after: RecordId | None = None

    def __str__(self) -> str:
        """As :func:`read_position` reads it."""
        return f"{self.bucket}/{self.after or ''}"


class WalkPage(Value):
    """Some records, and where the walk goes on behind them (None: at no place)."""

    records: tuple[Record, ...]
    bucket: int
    following: WalkPosition | None
    cost: int
    """What reading it costs, in records; one that a megabyte ended costs as much as a long one."""


BEGINNING = WalkPosition()


def read_position(text: str) -> WalkPosition:
    """Return the position that ``str`` wrote; raises InputError for other texts."""
    bucket, _, after = text.partition("/")
    if not (bucket.isascii() and bucket.isdecimal() and len(bucket) < 5):
        raise InputError("not a place in this collection; begin at the first page", code="bad-cursor")
    return WalkPosition(bucket=int(bucket), after=RecordId(after) if after else None)


def walk_records(
    store: RecordStore, collection: Collection, begin: WalkPosition = BEGINNING, *, size: int = WALK_PAGE
) -> Iterator[WalkPage]:
    """Yield pages of at most *size* records, gone ones included; a bucket without records has an empty page.

    What is written meanwhile may be seen or not; what is there throughout is seen once.
    """
    scopes = scopes_of(collection.name, collection.buckets)
    at: WalkPosition | None = begin if begin.bucket < len(scopes) else None
    while at is not None:
        page = store.load_record_page(collection.tenant, collection.name, scopes[at.bucket], limit=size, after=at.after)
        bucket, following, cost = at.bucket, None, PAGE_COST + len(page.items)
        if page.cursor is not None:
            following = WalkPosition(bucket=bucket, after=RecordId(page.cursor))
            cost = max(cost, WALK_PAGE) if len(page.items) < size else cost
        elif bucket + 1 < len(scopes):
            following = WalkPosition(bucket=bucket + 1)
        yield WalkPage(records=page.items, bucket=bucket, following=following, cost=cost)
        at = following
