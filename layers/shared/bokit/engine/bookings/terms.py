"""What the API and the command line use of bookings: documents, kinds, statuses, and the reading of edits.

They know the core of bookings by these names alone.
"""

from __future__ import annotations

from bokit.core.bookings.edit import limit_period, read_day, read_edit
from bokit.core.bookings.release import nights_to_release
from bokit.core.bookings.stay import GUEST_FIELDS, RELEASED, is_moved
from bokit.core.ical.entries import EntryKind, Status
from bokit.core.occupancy.agenda import AgendaEntry, DayDocument
from bokit.core.occupancy.booking_rows import ExportKind
from bokit.core.occupancy.chart import NightDocument
from bokit.core.occupancy.conflict_records import CONFLICTS, ConflictDocument
from bokit.core.occupancy.night_counts import CountsBy, OccupancyDocument
from bokit.core.occupancy.night_evidence import NightEvidence
from bokit.core.occupancy.outgoing import PublishedNight
from bokit.core.occupancy.turnovers import TurnoverDocument
from bokit.core.occupancy.view import BookingDocument, ExplainedBooking
from bokit.engine.bookings.receipts import ReceiptDocument

__all__ = [
    "CONFLICTS",
    "GUEST_FIELDS",
    "RELEASED",
    "AgendaEntry",
    "BookingDocument",
    "ConflictDocument",
    "CountsBy",
    "DayDocument",
    "EntryKind",
    "ExplainedBooking",
    "ExportKind",
    "NightDocument",
    "NightEvidence",
    "OccupancyDocument",
    "PublishedNight",
    "ReceiptDocument",
    "Status",
    "TurnoverDocument",
    "is_moved",
    "limit_period",
    "nights_to_release",
    "read_day",
    "read_edit",
]
