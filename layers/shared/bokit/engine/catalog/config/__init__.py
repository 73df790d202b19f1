"""The config file: read into specs, then declared; running it again changes only what differs.

May import: ``engine.catalog``.
"""

__all__ = ["file", "importing"]
