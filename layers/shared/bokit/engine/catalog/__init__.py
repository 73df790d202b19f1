"""What owners declare: tenants, properties, units, sources, options, collections and API tokens.

Terms: a *place* is a property or a unit; a *head* and a shard's line are written together with their source; ``config`` declares
all of it from one file.
May import: ``engine.records`` and what lies below; never ``engine.bookings``.
"""

__all__ = ["access", "collections", "config", "fields", "options", "parts", "places", "preview", "sources", "view"]
