"""The store in memory: replay, tests and `bokit feed` run on it.

May import: ``core.model``, ``errors``, ``store``, ``values``.
"""

__all__ = ["store"]
