"""Calendar feeds as bookings: which stay an entry is, what must change, and whether a fetch may be trusted. Pure.

Terms: a *stay* is a booking in its source's record; a *window* is a source's record of nights that the platform's rules
close; a *guard* holds releases back, never closures; *evidence* is how far one fetch may be believed; a record's *night
history* says since when it holds each night.
May import: ``core.ical``, ``core.model``, ``errors``, ``values``.
"""

__all__ = [
    "door_codes",
    "edit",
    "erasure",
    "fetch_gaps",
    "guest_search",
    "masking",
    "move",
    "names",
    "night_history",
    "nights",
    "open_nights",
    "release",
    "rules",
    "stay",
    "undo",
]
