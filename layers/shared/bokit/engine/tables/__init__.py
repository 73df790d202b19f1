"""Syncs of SQL sources, table by table, in as many runs as a table takes.

Nothing in the engine imports it: ``wiring`` hands a ``TableSync`` in with its kind of source.
May import: core.items, core.model, core.tables, engine.base, engine.sync, errors, observability, sources, store, values.
"""

__all__ = ["sync"]
