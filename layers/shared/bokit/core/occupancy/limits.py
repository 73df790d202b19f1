"""Limits of occupancy."""

from __future__ import annotations

from datetime import timedelta

MAX_FADING = timedelta(hours=36)
"""How long a closure fades. Platforms read calendars again after 2 to 24 hours and drop what is no longer in them; another
Bokit holds it for a day."""
MAX_UNREAD_FADING = timedelta(hours=72)
"""How long a closure fades while its platform does not read our calendar again, which it did before. The slowest read once
a day; one that has not read for so long is no longer connected."""
MAX_READ_AGE = timedelta(days=7)
"""How long a calendar keeps what it held before: closures that repeat it are gone long before that."""
MIN_LINK_BOOKINGS = 2
"""So many bookings of one source that another closes whole, without having read them in a calendar of ours: it reads that
source directly. One may be a double booking."""
FIRST_DAY_LEAD = timedelta(minutes=30)
"""Sources whose first fetches are this near show their closures in no order: a reservation comes before a block."""
MAX_EXPORTED_AGE = timedelta(days=92)
"""Stays that ended this long before the last change are left out of outgoing calendars."""
MIN_BETWEEN_FETCHES = timedelta(seconds=60)
"""Two fetches of a source are at least this far apart: what is seen after it was seen in both."""
MAX_CONFLICT_BOOKINGS = 1000
"""Bookings of one conflict, a record of the table; a larger group is several conflicts, none of its bookings is left out."""
MAX_JOIN_TRIES = 50
"""Bookings of the same nights, or with the same reference, among which the one is looked for that another source reports."""
MAX_BESIDE = 24
"""Records beside a closure by which it is judged, where there are more than so many for each record of its units."""
DOOR_CODE_REST = timedelta(days=90)
"""How long after a stay's end its door code, and those that it had before, are given to no other stay of the unit."""
MAX_FORMER_CODES = 20
"""Door codes that one stay had before and that are remembered; of more, the last."""
