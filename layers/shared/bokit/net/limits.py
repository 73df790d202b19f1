"""Limits of outgoing requests, and of their responses."""

MAX_URL_LENGTH = 4096  # characters
MAX_REDIRECTS = 5  # of one request
DEADLINE_SECONDS = 20.0
"""Of one request: name, connection, TLS, headers, body and redirects."""
MAX_BODY_BYTES = 5_000_000
"""Of one decoded body."""
MAX_BODY_PIECES = 100_000
"""Each piece costs a few microseconds, however small: chunks of one byte are an attack, not a feed."""
MAX_INTERIM_RESPONSES = 100
"""Of one request: early hints and the like (1xx), which come before its response."""
MAX_IDLE_SECONDS = 15.0
"""A connection that was idle for longer is not used again: what lies between forgets it while a function is frozen."""
MAX_POOLS = 64
"""Hosts whose connections are kept."""
MAX_POOL_SIZE = 16
"""Connections that are kept to one host."""
MAX_ERROR_CAUSES = 50
"""Causes of an error that are looked at."""
MAX_FRAME_BYTES = 1_000_000
"""Of a response besides its body: its head, the sizes of chunks, and what follows the last chunk; Python's own limits are 100
headers, and 64 KB a line."""
