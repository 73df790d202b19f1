"""Bookings in the engine: conflicts, outgoing calendars, what people do with bookings, and replays of histories.

Terms: a *unit group* is every unit linked with one, directly or not; a *page* is an outgoing calendar as it is served; a
*replay* runs the engine over a history of fetches. This is the only package of the engine that knows ``core.bookings``,
``core.occupancy`` and ``core.ical``.
May import: ``core.bookings``, ``core.ical``, ``core.model``, ``core.occupancy``, ``engine.base``, ``engine.records``,
``engine.runs``, ``engine.sync``, ``errors``, ``sources``, ``store``, ``values``.
"""

__all__ = [
    "availability",
    "booking_export",
    "calendar_terms",
    "charts",
    "conflict_notices",
    "conflicts",
    "door_code_books",
    "door_codes",
    "erasing",
    "guests",
    "inspect",
    "limits",
    "moves",
    "night_counts",
    "outgoing",
    "pages",
    "receipts",
    "retention",
    "replay",
    "replay_unit",
    "service",
    "serving",
    "terms",
    "undo",
    "unread",
]
