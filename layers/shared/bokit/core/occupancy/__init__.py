"""Who holds each night of linked units: joint bookings, echoes, conflicts, and what outgoing calendars say. Pure.

Terms: an *original* is a booking or a closure of its own; an *echo* is a closure that only repeats originals; a closure
*fades* while what it repeated is gone and its platform has not dropped it yet; a *joint booking* is one reservation that
several sources report; a *conflict* is originals that hold the same nights; *linked units* share nights.
May import: ``core.bookings``, ``core.ical``, ``core.model``, ``errors``, ``values``.
"""

__all__ = [
    "agenda",
    "booking_rows",
    "calendar_reads",
    "chart",
    "conflict_records",
    "conflicts",
    "contradictions",
    "door_code_book",
    "echo_verdict",
    "links",
    "night_counts",
    "night_evidence",
    "occupancy",
    "out_calendar",
    "outgoing",
    "overlaps",
    "publication",
    "timeline",
    "turnovers",
    "view",
]
