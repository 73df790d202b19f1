"""Limits of messages to the queue, and of alerts to their channels."""

MAX_QUEUE_BATCH = 10
"""Messages in one batch."""
MAX_QUEUE_BATCH_BYTES = 256_000

MAX_POST_SECONDS = 15.0
"""Seconds that one alert may take, redirects included."""
MAX_ANSWER_BYTES = 100_000
"""Bytes of a channel's answer; nothing of it is used."""
