"""Limits of one source's sync."""

from __future__ import annotations

from datetime import timedelta

MAX_WORKER_DEATHS = 3
"""Workers that may die with a source in hand, one after the other; then it is failing, and tried at most once in DEATH_WAIT."""
DEATH_WAIT = timedelta(days=1)  # between two tries of a source that workers died of
MIN_SECONDS_TO_SAVE = 10.0
"""Of the host's time, what a fetch leaves for reading and writing."""

MAX_PASS_PROBLEMS = 50
"""Problems of a sync of tables, or of a long list, that are listed one by one."""
MAX_COMPARED_UNITS = 50
"""Units whose bookings are read to find whose calendar a foreign one is."""
MAX_BULK_HOLD = timedelta(minutes=15)
"""How long the one event of a large write waits for the end of it."""
