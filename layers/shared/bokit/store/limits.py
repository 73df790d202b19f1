"""The store's limits. Those of one item and one transaction follow from DynamoDB's."""

from __future__ import annotations

from datetime import timedelta

MAX_CHUNK_BYTES = 350_000
"""Bytes of a value in one item; DynamoDB takes 400 KB, names and keys included."""
MAX_DOCUMENT_BYTES = 8_000_000
"""Bytes of a record as JSON; over MAX_CHUNK_BYTES it is stored compressed, and in parts where that is not enough."""
MAX_PACKED_BYTES = 2_000_000
"""Bytes of a compressed record: one transaction writes all of its parts with its change."""
MAX_TRANSACTION_ACTIONS = 97
"""DynamoDB takes 100; the others check the lease, count new records, and put the events."""
MAX_TRANSACTION_BYTES = 3_000_000
"""DynamoDB takes 4 MB, names and keys included."""
MAX_REMEMBERED = 4_000
"""Characters of a record's document that a process remembers as it was read."""
MAX_PENDING_SOURCES = 1000
"""Sources of one open run: a report reads the progress of all of them."""
MAX_PROGRESS_SOURCES = 100
"""Sources of one progress item of an open run: a report rewrites it, and all their reports fit one item."""
PROGRESS_TTL = timedelta(days=7)
"""How long an open run's progress is kept after it is overdue; a run that has ended holds its reports itself."""
MAX_FORMER_REPORT_BYTES = 300_000
"""Bytes of all reports of an open run that a former release opened: they share one item with its sources."""
MAX_FORMER_REPORTS_PER_WRITE = 50
"""Reports of one write of such a run; an update expression takes 4 KB."""
MAX_READ_BYTES = 1_000_000
"""Bytes of the records of one page, as they are stored; DynamoDB reads as much at a time."""
MAX_PAGE_ITEMS = 1000
"""Items of one page of a list."""
MAX_PAGE_CURSOR = 1200  # characters; longer than that of any sort key
MAX_RECENT_BATCHES = 4
"""Unchanged batches that a shard remembers. The claim's fence selects the slot, which saves a read."""
MAX_WRITE_TRIES = 8
"""Attempts of a write that others overtake, each from what is stored then."""
MAX_BUSY_TRIES = 6
"""Attempts of a transaction whose numbers others write at the same moment, each after a pause that chance makes."""
MAX_USAGE_TRIES = 3
"""Attempts of a transaction that counts, where its numbers are not there yet."""
MAX_KEPT_CHANGES = 10
"""Lines of a record's change log that no age deletes: the last ones."""
MAX_BATCH_READS, MAX_BATCH_DELETES = 100, 25
"""Keys of one batch, as DynamoDB takes them."""
MAX_BATCH_TRIES = 10
"""How often the rest of a batch is asked for; each pause is a random part of a time that doubles from the first to the most."""
BATCH_FIRST_PAUSE, BATCH_MOST_PAUSE = 0.05, 1.0  # seconds; all together less than six
MAX_READ_TRIES = 8
"""Attempts to read a value in parts that others replace meanwhile."""

EVENT_TTL = timedelta(days=7)
"""How long the event log keeps an event."""
MAX_NUMBERING_TRIES = 40
"""Attempts to number an outbox item while others number the same log."""
MAX_OUTBOX_ITEMS = 100
"""Outbox items that one read returns."""

CONNECTION_TTL = timedelta(hours=1)
"""How long a connection is kept after its end, for the tick to close it."""

DELIVERY_TTL = timedelta(days=30)
"""How long a delivery is kept after its last change."""

MAX_PARTITION_KEY = 2048  # bytes
MAX_SORT_KEY = 1024  # bytes
MAX_KEY_TEXT = 800
"""Bytes of a user's own text in a key; a longer one is replaced by its hash."""


def clamp_limit(limit: int) -> int:
    """Return the number of items of a page for which *limit* were requested."""
    return max(1, min(limit, MAX_PAGE_ITEMS))
