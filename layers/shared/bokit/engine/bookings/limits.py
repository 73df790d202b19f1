"""Limits of what is done with bookings."""

from __future__ import annotations

from datetime import timedelta

MAX_CONFLICTS_NAMED = 20
"""Conflicts that the notice of one run names."""
MAX_UNITS_NAMED = 3
"""Units of one conflict that a notice names."""
MAX_PAGE_TRIES = 20
"""Attempts to publish a page that others write meanwhile: each of them had one accepted, so there are as many as writers."""
MAX_DOOR_CODE_TRIES = 5
"""How often a door code is written again where somebody else wrote one of the unit meanwhile."""
MAX_OCCUPANCY_SPAN = timedelta(days=366)  # whose nights are counted at once
MIN_POLLS_KEPT = 10
"""Polls of one calendar in MAX_KEPT_SECONDS, at one process, from which on it is polled very often."""
MAX_KEPT_PAGES = 1000
"""Paths whose polls a process counts; of more, those polled longest ago are forgotten."""
MAX_KEPT_BYTES = 16_000_000
"""Bytes of the calendars that a process keeps."""
MAX_DUE_READERS = 100
"""Outgoing calendars whose readers one tick judges; the others follow a minute later."""
MAX_GUEST_LOGS = 300
"""Change logs that one search for a guest reads; the next page goes on."""
MAX_GUEST_RECORDS = 5000
"""Records that one search for a guest looks into."""
MAX_GUESTS_FOUND = 100
"""Bookings on one page of such a search, besides other records of the last of them."""
MAX_ERASED_AT_ONCE = 50
"""Records of which one request erases the guest."""
MAX_ERASURE_TRIES = 5
"""How often an erasure is written again where somebody else changed a record meanwhile."""
MAX_RETENTION_PART = 25
"""Records of which one tick erases the guest, by ``guest.keep_days``; the next hour goes on."""
MAX_RETENTION_SECONDS = 15
"""After so many seconds one tick begins no further unit."""
