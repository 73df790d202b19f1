"""Limits of what owners declare and sources send; each protects what it is stored in."""

from __future__ import annotations

from datetime import timedelta

MAX_BUCKETS = 256  # partitions of one collection
MAX_PATHS = 100  # preserved fields of a collection, and its array keys
MAX_SCHEMA_BYTES = 32_000
"""Of a collection's JSON Schema: the heads of its sources hold a schema, and a hundred heads are read at once."""
MAX_SCHEMA_PATTERN_LENGTH = 500  # characters of a schema's regular expression
MAX_SCHEMA_BRANCHES = 1000
"""Schemas that a part of a schema applies to one value, over ``$ref``, ``allOf`` and the like, counted by every way."""
MAX_SCHEMA_STEPS = 50_000
"""Rules of a schema that are run for all records of a fetch, or for one that is pushed, beyond MAX_VALUE_STEPS for each value."""
MAX_VALUE_STEPS = 50
"""Rules of a schema that are run for each value of a record, on average."""
MAX_SCHEMA_PROBLEMS = 20  # reported violations of one record
MAX_SPAN_SECONDS = 31_536_000
"""Of every duration that a person or a file gives: a year. Times that are computed with it stay far within the calendar."""
MAX_INTERVAL = timedelta(seconds=MAX_SPAN_SECONDS)  # between two syncs of a source
MAX_SPAN_TEXT = 20  # characters of a duration
MIN_INTERVAL_SECONDS = 60
"""Between two syncs of a source; the schedule looks every minute."""
MAX_URL_LENGTH = 4096  # characters of a source's URL, or a webhook's
MAX_ZONE_NAME_LENGTH = 64
"""Characters of a timezone; the longest IANA name has 32."""
MAX_REQUEST_DELAY_MS = 60_000  # of ``sync.request_delay``
MAX_HORIZON_DAYS = 3660  # of ``sync.horizon_days``
MAX_QUOTA = 1_000_000_000_000  # that a parameter of the stack may set
MAX_HISTORY_DAYS = 3660  # of ``history.keep_days``
MAX_GUEST_DAYS = 3660  # of ``guest.keep_days``
MIN_GUEST_QUERY, MAX_GUEST_QUERY = 3, 200
"""Characters of a name, a phone, an address or a code by which a guest is looked for."""
MIN_GUEST_DIGITS = 4
"""Digits of a phone, and characters of a code within an address, by which a guest is looked for."""
MAX_LIVE_BOOKINGS = 1_000
"""Bookings with nights to come that one source may have; what its feed shows beyond them is held as nights."""
MAX_LIVE_NIGHTS = 100_000  # of these bookings together
MAX_NAMES_SHOWN = 5  # of several things that an error lists
MAX_SUGGESTIONS = 3  # names that an error offers in place of a misspelt one
MAX_MISSPELT = 100
"""Characters of a name for which similar ones are looked for, and that an error repeats."""
MAX_KEY_LENGTH = 1024  # characters of a source's own id
MAX_SUFFIX_LENGTH = 160  # characters of an escaped key; a longer one is hashed
MAX_RETRY_WAIT = timedelta(hours=1)
"""After failures, unless the interval itself is longer."""
MAX_RETRY_AFTER = timedelta(hours=24)
"""Accepted of a source's Retry-After."""

OUTBOX_PARTITIONS = 4
"""Partitions of the outbox; a tenant's items are in one of them. Each takes 1,000 write units a second; a tick reads them all."""
FORMER_OUTBOX_PARTITIONS = 16
"""Partitions of the outbox in former releases: what they put into one of them is numbered there."""
MAX_OUTBOX_EVENTS = 90
"""Events of one outbox item: they are numbered in one transaction, with the counter and the item."""
EVENT_JUMP = 1_000_000
"""Numbers that the event log of a restored table leaves out: a client that read one of the lost ones gets none of them again."""
MAX_EVENT_NAMES = 100
"""Fields, nights and bookings that one event names."""
MAX_SINGLE_EVENTS = 100
"""Changed records of a collection in one run that are events of their own; more are one event."""

MIN_DOOR_CODE, MAX_DOOR_CODE = 4, 10
"""Digits of a door code."""
MAX_DOOR_BUFFER_MINUTES = 1440
"""By which a door code is valid before check-in and after check-out: a day."""

MAX_EVENT_TYPES = 50  # that one webhook asks for
WEBHOOK_SECRET_BYTES = 32
"""Random bytes of a webhook's secret; Standard Webhooks takes 24 to 64."""
ROTATION_TTL = timedelta(days=1)
"""How long a webhook's former secret signs beside the new one."""
RETRY_WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""Between one attempt of a delivery and the next; after the last of them it is given up."""
MAX_JITTER = 0.1
"""Share by which chance lengthens a wait, so that what failed together does not come again together."""
PAUSES = (timedelta(seconds=5), timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=5))
"""How long nothing is sent to an endpoint that does not answer, by the number of failures in a row; then the last one."""
MAX_REFUSALS = 10
"""Refusals in a row after which an endpoint that does answer is paused, too."""
MAX_SILENCE = timedelta(days=5)
"""How long an endpoint may fail without any success before it is turned off."""
MAX_ALERTS_APART = timedelta(days=1)
"""Between two notices that deliveries of one webhook are given up."""

MAX_BACKUP_LINE = 2_000_000
"""Bytes of a line of a backup: an item has 400 KB at most, and base64 and JSON's escapes make them more."""

MIN_BETWEEN_READS = timedelta(minutes=15)
"""Between two reads of an outgoing calendar by one kind of reader that are written: a burst is one read."""
MAX_KEPT_SECONDS = 60
"""How long a process serves an outgoing calendar that is polled very often without reading the table again."""
MAX_GAPS = 12  # between reads of an outgoing calendar, kept of each kind of reader
