"""What the API and the command line use of bookings: documents, kinds, statuses, and the reading of edits.

They know the core of bookings by these names alone.
"""

from __future__ import annotations

from bokit.core.bookings.edit import read_day, read_edit
from bokit.core.bookings.release import nights_to_release
from bokit.core.bookings.stay import RELEASED
from bokit.core.ical.entries import EntryKind, Status
from bokit.core.occupancy.conflict_records import ConflictDocument
from bokit.core.occupancy.outgoing import PublishedNight
from bokit.core.occupancy.view import BookingDocument

__all__ = [
    "RELEASED",
    "BookingDocument",
    "ConflictDocument",
    "EntryKind",
    "PublishedNight",
    "Status",
    "nights_to_release",
    "read_day",
    "read_edit",
]
