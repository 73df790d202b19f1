"""Limits of what owners declare."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.model.limits import MAX_URL_LENGTH as MAX_URL_LENGTH
from bokit.core.model.limits import MIN_INTERVAL_SECONDS as MIN_INTERVAL_SECONDS

MAX_CHECK_SECONDS = 10.0
"""Of the request by which an import checks a new JSON source."""
MAX_NAME_LENGTH = 200  # characters of any name
MAX_UNIT_PARTS = 100
"""Units that one unit is made of."""
MAX_SETTINGS_BYTES = 300_000
"""JSON of a source's settings: they are stored in the head, one item of the table, which takes 400 KB."""
MAX_CONFIG_ITEMS = 10_000
"""Of one list of a config file."""
MAX_TURNOVER_DAYS = 30  # between a departure and the next arrival
MAX_CLEANING_MINUTES = 1440  # a day
RESTORE_SPAN = timedelta(days=30)
"""How long the removal of a source can be taken back."""
MAX_TOKEN_DAYS = 3660
"""Until a token expires. One that is to last longer is better made without an end."""
MAX_SOURCES_PER_SHARD = 100  # claimed together
MAX_ADD_TRIES = 8
MAX_DELETE_TRIES = 4
"""Tries of a deletion while others add to what is deleted."""
MAX_NAMED = 5
"""Ids that one error names."""
