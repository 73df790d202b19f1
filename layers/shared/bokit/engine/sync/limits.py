"""Limits of one source's sync."""

MAX_COMPARED_UNITS = 50
"""Units whose bookings are read to find whose calendar a foreign one is."""
