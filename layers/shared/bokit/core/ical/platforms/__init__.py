"""The platforms: one file each for what their feeds do beyond, or against, the standard. Pure.

Terms: *facts* are what an event says beyond its identity and dates; *traits* are which facts identify a booking.

May import: ``core.ical``, ``core.model``, ``values``.
"""

__all__ = ["base", "registry"]
