"""Limits of what owners declare and sources send; each protects what it is stored in."""

from __future__ import annotations

from datetime import timedelta

MAX_BUCKETS = 256  # partitions of one collection
MAX_PATHS = 100  # preserved fields of a collection, and its array keys
MAX_SCHEMA_BYTES = 32_000
"""The heads of its sources hold a schema, and a hundred heads are read at once."""
MAX_SCHEMA_PROBLEMS = 20  # reported violations of one record
MAX_KEY_LENGTH = 1024  # characters of a source's own id
MAX_SUFFIX_LENGTH = 160  # characters of an escaped key; a longer one is hashed
MAX_RETRY_WAIT = timedelta(hours=1)
"""After failures, unless the interval itself is longer."""
MAX_RETRY_AFTER = timedelta(hours=24)
"""Accepted of a source's Retry-After."""
