"""Limits of the event log."""

from __future__ import annotations

from datetime import timedelta

MAX_EVENTS_PER_PAGE = 1000  # of one answer of ``GET /events``
MAX_LEFT_BEHIND = timedelta(seconds=60)
"""How old an outbox item gets before the tick numbers it: whatever should have woken ``notify`` was lost."""

MAX_DELIVERY_SECONDS = 15.0
"""Of one attempt, from the name to the answer's head."""
MAX_TURN_SECONDS = 40.0
"""After which a turn starts no further attempt: the endpoint's next turn goes on."""
MIN_TURN_SECONDS_LEFT = 20.0
"""That the host must still give for another attempt: its deadline, and what is written after it."""
TURN_LEASE = timedelta(seconds=90)
"""Longer than a turn with its last attempt; after it another may send to the endpoint."""
MAX_TURN_PAGE = 100  # deliveries or events that are read at once
MAX_QUEUE_WAIT = timedelta(minutes=15)
"""Of a message; what waits longer is started by the tick."""
MAX_TURN_HOPS = 8
"""Turns of which each sends the next one's message; then the tick starts it. AWS cuts a longer chain at the 17th hop."""
MAX_WAKE_LOST = timedelta(seconds=60)
"""How late the tick starts a turn whose message was lost."""
NOTICE_RETRY = timedelta(minutes=5)
"""When a notice that no channel accepted is published again."""
MAX_DUE_DELIVERIES = 100  # logs and endpoints that one tick starts
