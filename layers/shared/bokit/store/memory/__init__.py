"""The store in memory: replay, tests and `bokit feed` run on it. Imports the core, ``errors`` and the rest of ``store``."""

__all__ = ["store"]
