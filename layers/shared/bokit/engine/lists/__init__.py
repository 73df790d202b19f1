"""Syncs of long lists of JSON APIs, page by page, in as many runs as a list takes.

Nothing in the engine imports it: ``wiring`` hands a ``ListSync`` in with its kind of source.
May import: core.items, core.model, engine.base, engine.sync, errors, observability, sources, store, values.
"""

__all__ = ["sync"]
