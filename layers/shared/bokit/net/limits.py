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
MAX_HEAD_BYTES = 1_000_000
"""Of a response's head; Python's own limits are 100 lines of 64 KB."""
MAX_LINE_BYTES = 65_536
"""Of a line between the chunks of a body."""
MAX_TRAILERS = 100
"""Lines after the last chunk of a body."""
