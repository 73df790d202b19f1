"""What owners declare: tenants, properties, units, sources, options, collections and API tokens.

Terms: a *place* is a property or a unit; a source is written together with its head and its line in a shard.

May import: core.items, core.model, core.tables, engine.base, engine.records, engine.runs, engine.sync, errors, observability,
store, values.
"""

__all__ = [
    "access",
    "collection_sources",
    "collections",
    "fields",
    "limits",
    "marks",
    "options",
    "parts",
    "places",
    "preview",
    "sources",
    "view",
]
