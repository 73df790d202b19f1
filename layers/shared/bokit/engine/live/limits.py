"""Limits of the event log, and of alerts."""

from __future__ import annotations

from datetime import timedelta

MAX_EVENTS_PER_PAGE = 1000  # of one answer of ``GET /events``
MAX_LEFT_BEHIND = timedelta(seconds=60)
"""How old an outbox item gets before the tick numbers it: whatever should have woken ``notify`` was lost."""

MAX_STALE_PER_TICK = 200
"""Events of stale sources that one tick puts out, a write each: after an outage all sources are stale at once."""

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
MAX_DUE_DELIVERIES = 100  # logs and endpoints that one tick starts
MAX_PENDING_ALERTS = 100
"""Messages that wait on one channel; while there are so many, it reads no further, and the log keeps the rest."""
MAX_ALERT_AGE = timedelta(days=3)
"""How long a message is tried again until it is given up."""
MAX_REFUSED_AT_ONCE = 3
"""Messages that are refused for good in a row until the others wait too."""
MAX_ALERTS_PER_TURN = 20
"""Messages of one turn of a channel; the next turn sends the others."""
MAX_ALERT_TURN = timedelta(seconds=30)
"""How long a turn of a channel goes on sending."""
MAX_DUE_ALERTS = 100
"""Channels that one tick serves or sends to the queue."""
MAX_ALERT_THREADS = 8
"""Channels that one process serves at the same time."""
MAX_ALERT_READS = 10
"""Pages of the log that one turn of a channel reads."""
MAX_ALERT_RETRY = timedelta(minutes=30)
"""The longest wait between two attempts, where the service names no longer one."""
MAX_ALERT_RETRY_AFTER = timedelta(hours=6)
"""The longest wait that a service may ask for."""
MAX_ALERT_UNREAD = timedelta(hours=1)
"""How long a channel goes without a look at the log, should every wake-up be lost."""
ALERT_CLAIM = timedelta(minutes=5)
"""How long a turn holds its channel; after it, another may begin."""
MAX_TICKET_AGE = timedelta(seconds=60)
"""Of a ticket that opens a WebSocket."""
MAX_CONNECTIONS = 200
"""Open WebSockets of one tenant; who wants another asks for events instead."""
MAX_CONNECTION_AGE = timedelta(hours=2)
"""Of a WebSocket, as API Gateway has it; the client opens another one."""
MAX_RESUMED_EVENTS = 200
"""Events that a WebSocket sends at once, to one that resumes or after one drain; more are read by ``GET /events``."""
MAX_POST_SECONDS = 3.0
"""Of one message to one connection, and after which no further one is begun: the client finds the gap, and reads the events."""
MAX_POSTING = timedelta(seconds=10)
"""After which one drain posts to no further tenant, and one tick takes up no further revoked token: the gateway is slow."""
MAX_POST_THREADS = 64
"""Connections that one process posts to at the same time."""
MAX_SEQ = 10**12 - 1  # of an event's number, as keys have it
MAX_FRAME_BYTES = 32_000
"""Of a message to a client; the gateway's frames take 32 KB. What is larger is read by ``GET /events``."""
MAX_CLIENT_MESSAGE = 1_000
"""Characters of a message from a client; there are two kinds, both short."""
MAX_DUE_CLOSINGS = 100
"""Ended connections and revoked tokens that one tick takes up."""
MIN_PROGRESS_PAUSE = timedelta(seconds=1)
"""Between two messages on the progress of one run."""
MAX_PUBLISHING = timedelta(seconds=20)
"""How long one drain tries to publish notices; the next one goes on."""
