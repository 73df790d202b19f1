"""Limits of one request to SQS."""

MAX_QUEUE_BATCH = 10
"""Messages in one batch."""
MAX_QUEUE_BATCH_BYTES = 256_000
