"""Limits of the event log."""

from __future__ import annotations

from datetime import timedelta

MAX_EVENTS_PER_PAGE = 1000  # of one answer of ``GET /events``
MAX_LEFT_BEHIND = timedelta(seconds=60)
"""How old an outbox item gets before the tick numbers it: whatever should have woken ``notify`` was lost."""
