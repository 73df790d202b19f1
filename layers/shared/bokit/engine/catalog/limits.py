"""Limits of what owners declare."""

MAX_NAME_LENGTH = 200
MAX_URL_LENGTH = 4096
MIN_INTERVAL_SECONDS = 60
MAX_TURNOVER_DAYS = 30
MAX_TOKEN_DAYS = 3660
"""A token that is to last longer is better made without an end."""
MAX_SOURCES_PER_SHARD = 100
