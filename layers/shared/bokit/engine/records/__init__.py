"""Records as people and programs read and change them.

May import ``engine.runs``, ``engine.sync``, ``engine.base``, ``core.items``, ``core.model`` and ``store.protocols``. It knows
no booking.
"""

__all__ = ["service", "writes"]
