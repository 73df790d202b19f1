"""The config file: read into specs, then declared; running it again changes only what differs.

May import: core.items, core.model, core.tables, engine.base, engine.catalog, errors, values.
"""

__all__ = ["advice", "effects", "exporting", "file", "importing", "moving", "planning", "spec", "stored", "tables"]
