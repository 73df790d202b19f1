"""Limits of runs, monitors and requests."""

from __future__ import annotations

from datetime import timedelta

SOURCES_PER_MESSAGE = 100
"""Sources of one message of an open run, all of one shard: what a worker syncs at a time, and what waits if it dies."""
MAX_REPORT_TRIES = 4
"""Attempts to write what ended at the end of a message; what is refused then comes again in a message of its own."""
REPORT_PAUSE_SECONDS = 0.5
"""The pause before the second attempt; it grows by as much with each."""
MAX_RECEIVES = 5
"""How often the queues deliver a message that fails, as the template has it; then it is a dead letter. Throttling counts, too."""
MAX_CHAIN_MESSAGES = 12
"""Messages of which each is sent by the worker of the one before; then the tick goes on. AWS cuts such a chain at the 17th."""
OVERDUE_AFTER = timedelta(minutes=75)
"""How long a run goes on without headway: longer than all deliveries of a message, each hidden for twelve minutes."""
MAX_POSTPONE_TRIES = 8
"""Attempts to put a run off, while the workers of its other messages do the same."""
MAX_RUN_AGE = timedelta(days=6)
"""How long a run may be put off; its progress is kept for a week."""
CLAIM_TTL = timedelta(minutes=15)
"""Longer than queue delay plus batch time; afterwards any tick may reclaim the shard, or what a batch left unfinished."""
MAX_CLAIM_SECONDS = 10.0
"""A batch that takes longer gives its claim back, and goes on without it; then it writes what ended at these intervals."""
MIN_SECONDS_ALONE = 60.0
"""What a worker must have left to begin a source that a worker died of."""
MAX_SOURCES_PER_RUN = 1000  # of one run through the queue
MAX_SOURCES_PER_DRY_RUN = 10  # over HTTP
MAX_PLAN_BYTES = 2 * 2**20  # of the plan that a dry run answers; a response of Lambda may have 6 MB
MAX_DRY_RUN_PAUSE_SECONDS = 10
"""All pauses of ``sync.request_delay`` in one dry run: somebody waits for the response."""
MAX_DELAY_SECONDS = 900
"""The longest delay of a queue's message."""
MAX_IDEMPOTENCY_KEY_LENGTH = 255  # characters
MIN_MONITOR_SECONDS, MAX_MONITOR_SECONDS = 60, 366 * 86_400  # between two runs of a monitor
MAX_MONITOR_RUNS = 1_000_000_000  # after which a monitor stops
MAX_DUE_PER_PAGE = 100
"""Shards, monitors and open runs that a tick reads, claims and sends before it reads the next: a tick that dies loses no more."""
MAX_DUE_SPAN = timedelta(seconds=20)
"""How long a tick goes on to a next page; what is due after it is the next tick's. The function has 50 s for all parts."""
MAX_LATE_SOURCES = 100
"""Late shards that one check of a request reads."""
MAX_TENANTS = 10_000
"""Tenants that an instance remembers."""
RETENTION_MINUTE = 7
"""The minute of each hour in which the tick looks for guests whose time is over (``guest.keep_days``)."""
