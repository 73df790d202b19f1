"""Syncs of SQL sources, table by table, in as many runs as a table takes.

May import ``engine.sync``, ``engine.base``, ``core.tables``, ``core.items``, ``core.model``, ``store.protocols`` and
``sources.sql.protocols``. Nothing in the engine imports it: ``wiring`` hands a ``TableSync`` in with its kind of source.
"""

__all__ = ["sync"]
