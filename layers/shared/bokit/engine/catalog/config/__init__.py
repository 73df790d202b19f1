"""The config file: read into specs, then declared; running it again changes only what differs.

May import: core.model, engine.base, engine.catalog, errors.
"""

__all__ = ["file", "importing"]
