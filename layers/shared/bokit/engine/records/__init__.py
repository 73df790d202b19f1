"""Records as people and programs read and change them, whatever their collection.

May import: core.items, core.model, engine.base, engine.runs, engine.sync, errors, store, values.
"""

__all__ = ["export", "limits", "listing", "lookup", "removal", "service", "walk", "writes"]
