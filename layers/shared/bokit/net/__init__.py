"""Every outgoing HTTP request, and which addresses may be asked. Imports ``errors`` and requests.

A *target* is a URL that was checked; an *exchange* is one request with its redirects, under one deadline.
May import: ``errors``, ``values``.
"""

__all__ = ["addresses", "headers", "response", "session"]
