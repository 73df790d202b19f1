"""The functional core: what a feed means, which booking an entry is, what must change, and whether it is trusted.

Everything here is pure: it works on values, and does no I/O, reads no clock and no environment.

May import: ``errors``.
"""

__all__ = ["bookings", "ical", "items", "model", "occupancy", "tables"]
