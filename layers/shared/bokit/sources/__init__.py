"""Where content comes from: calendars and JSON APIs over HTTP, SQL databases, and the secrets that open them.

May import ``net``, ``core.items``, ``core.tables``, ``core.model`` and ``errors``; not the store.
"""

__all__ = ["ical", "json_api", "protocols", "secrets"]
