"""Where everything is stored: the protocols, and the two stores that fulfil them.

A *shard* groups sources that are claimed together; a *claim* and a *lease* hold a shard or a source for one run; a *fence* is
the number that refuses the writes of a run whose claim or lease was taken over.
May import: ``core.model``, ``errors``, ``values``.
"""

__all__ = [
    "dynamo",
    "event_protocol",
    "item_protocol",
    "limits",
    "memory",
    "page",
    "protocols",
    "published_protocol",
    "schema",
    "webhook_protocol",
    "writes",
]
