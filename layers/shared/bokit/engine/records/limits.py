"""Limits of reading and writing records."""

from __future__ import annotations

from datetime import timedelta

MAX_RECORD_EDIT_TRIES = 5
"""How often an edit is made because a sync changed the record meanwhile."""
MAX_PATCH_TRIES = 40
"""How often a patch is merged again because another writer was first."""
MAX_PATCH_PAUSE_SECONDS = 0.4
"""Between two tries; chance spreads them, so writers elsewhere get their turn."""

WALK_PAGE = 500
"""Records that a walk through a collection reads at a time."""
MIN_LIST_READ = 100
"""Records that a list reads at a time, where most of them fit."""
PAGE_COST = 20
"""What reading one page costs, in records: a bucket without records costs a request, too."""
MAX_LIST_COST = 5000
"""Records that one page of a list may read to find those that fit: a second of a small function, and ten megabytes."""
MAX_FILTERS = 10
"""Fields of one filter."""
FOLLOW_OVERLAP = timedelta(hours=1)
"""How far before its beginning the next list of changes begins: a sync writes records with the time at which it began."""
MAX_EXPORT_COLUMNS = 10_000
"""Different fields of the records of one CSV."""
MAX_COUNTED = 20_000
"""Records that are read to count what emptying a collection would delete, and to see whether it changed."""
MAX_REMOVED_AT_ONCE = 500
"""Records that one part of emptying or removing a collection deletes, and some more of its last page."""
LAST_CHUNK = 40
"""Records of the last transaction of a part: it puts the event that stands for all of them."""
BULK_HOLD = timedelta(minutes=15)
"""How long the event of a part waits for its end; a crash in between lets it out then."""
