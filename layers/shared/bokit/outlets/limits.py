"""Limits of messages to the queue, and of alerts to their channels."""

MAX_QUEUE_BATCH = 10
"""Messages in one batch."""
MAX_QUEUE_BATCH_BYTES = 256_000
MAX_LETTERS = 1000
"""Dead letters of one queue that one command reads."""
HELD_SECONDS = 60
"""How long a dead letter is hidden while the others are read; then, or at the end of the command, it shows again."""

MAX_POST_SECONDS = 15.0
"""Seconds that one alert may take, redirects included."""
MAX_ANSWER_BYTES = 100_000
"""Bytes of a channel's answer; nothing of it is used."""
