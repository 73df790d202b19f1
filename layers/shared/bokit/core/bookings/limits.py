"""Limits and thresholds of the rules for bookings."""

from __future__ import annotations

from datetime import timedelta

MAX_TEXT_LENGTH = 4000
"""Characters of one field that a person writes."""
MAX_STAY_NIGHTS = 1830
"""Five years: nobody stays longer, and every night is kept apart."""
MIN_YEAR, MAX_YEAR = 2000, 2199

MIN_WINDOW_END = timedelta(days=300)
"""A window that ends further ahead is the calendar's end; a nearer one may be what is left of a known block."""
MIN_WINDOW_START = timedelta(days=60)
"""A block that begins sooner is never taken for the calendar's end: in doubt, a block."""
MIN_CALENDAR_END_NIGHTS = 30
"""A window of so many nights is the end of the platform's calendar, and does not disappear."""

MAX_WINDOW_AHEAD = timedelta(days=2557)
"""Later nights are no part of a window, which is one item of the table; no platform sells them."""

MAX_NOTICE_NIGHTS = 14
"""A longer closure that starts today is not an advance notice."""
MIN_ROLLS = 3
"""Midnights with which a closure must roll before it is remembered."""
MIN_STAND_STILL = timedelta(days=4)
"""A far closure whose end stays for so long is somebody's, not the end of a calendar of whole months."""
MAX_ROLL_DELAY, MAX_ROLL_GAP = timedelta(hours=3), timedelta(hours=12)
"""How long after midnight a closure rolls, or how far apart two fetches show it that a midnight lies between."""

MAX_CODE_DRAWS = 50
"""Random door codes that are drawn; if all are given, the next free number is taken."""

MAX_FEED_PROBLEMS = 20
"""Problems of a feed that a run's report lists."""
MAX_PAIRS_NEAR, MAX_PAIRS_OF_UID = 4, 2
"""Pairs of an entry and a stay that are all judged, for each of both: of those whose nights meet, and of those with one UID.
Of more, the likeliest are."""
MAX_JOINED_JUDGED = 4
"""Entries around a stay that vanished which are judged to have joined it."""
MIN_RELABELLED = 2
"""Stays that must turn from reservations into closures, or back, before it is the feed that changed its labels."""
MIN_LABEL_USES = 3
"""A summary that so many entries of one feed have is a label, not a guest's name."""
MIN_UID_FETCHES = 3
"""Changed fetches that must keep every UID before UIDs are believed to identify bookings."""
VOLATILE_TIME = timedelta(days=30)
"""How long UIDs that all changed at once are believed to prove nothing."""
VOLATILE_UPDATE = timedelta(days=1)
"""How often the time of the last such change is written."""
MIN_RENAMES = 3
"""Fetches in a row in which a feed renames all its bookings, before what it calls them is believed no longer."""
MAX_RENAME_INTERVALS = 3
"""Between two of them, in intervals of the source: a feed that is renamed from time to time is believed."""
RENAME_TIME = timedelta(days=1)
"""How long such a feed must call its bookings the same before they are called so."""
MAX_RENAME_MARKS = 8
"""Names, and the like, of the last fetch that are remembered."""
MIN_PLATFORM_FETCHES, PLATFORM_TIME = 3, timedelta(hours=24)
"""Accepted fetches apart, and for how long, that must name another platform before a source is read as that one's."""

STALE_INTERVALS = 3
"""Of the source's interval: older bodies of a source that stamps its fetches are stale."""
MAX_STAMP_LAG = timedelta(minutes=2)
"""Between a stamp and the fetch, where stamps follow fetches."""
MAX_STAMP_LEAD = timedelta(hours=1)
"""Of a stamp before the fetch's own time: clocks differ by less."""
MAX_AGE_ERROR = timedelta(seconds=30)
"""Of when a response was made, as its Age says: that is counted back, in whole seconds, from when the response came."""
MIN_BEGUN_STAYS = 2
"""Stays that must be seen well after their arrival before a source is believed to show those that have begun."""
MIN_BEGUN_NIGHTS = 3
"""Shorter stays prove nothing of it."""
BEGUN_AGE = timedelta(days=2)
"""How long after the arrival they must be shown."""
ARRIVAL_CARE, CARE_TIME = timedelta(hours=72), timedelta(days=7)
"""So near to an arrival, nothing is cancelled by time alone on a source that was held or contradicted itself so lately."""
ARRIVAL_WAIT = timedelta(hours=60)
"""After the last fetch that showed it, a stay so near to its arrival is cancelled by time even then."""
MIN_FETCH_GAP, MAX_FETCH_GAP = timedelta(seconds=60), timedelta(hours=6)
"""Two fetches count as two if they are a quarter of the interval apart, within these bounds."""
MIN_FETCHES_IN_DOUBT = 3
"""Fetches that must agree where the source was doubtful lately; otherwise two."""
MIN_FETCH_SPACING = 33 / 32
"""Of ``cancel_after``: two fetches this far apart are enough even then, so daily fetches must agree three times."""
MAX_DOUBT_PERIODS = 3
"""Of ``cancel_after``: how long a source stays doubtful after it was held, or contradicted itself."""

MAX_NAMES_COMPARED = 4
"""Names of entries with equal nights that are compared with a stay's."""
MAX_OWN_EVENTS = 4
"""Events of one booking in an outgoing calendar, as far as they are known again."""
MAX_QUIET_ARRIVALS = 3
"""New bookings at once that a quiet listing may get."""
MIN_EXCHANGED_SHARE, MIN_EXCHANGE, MIN_EXCHANGE_ARRIVALS = 1 / 3, 4, 2
"""Of the known future stays, of those that went and came together, and of new ones: so many ask for a second fetch."""
MIN_REISSUED_SHARE = 0.9
"""Of the known future stays: so many of the same nights are the same listing under other UIDs."""
MIN_SAME_DATES_SHARE = 0.5
"""Of the known future stays: so many with the same UIDs, made of dates, and the same nights are the same listing."""
MIN_REISSUED_SPANS = 2
"""Fewer equal nights are chance."""
MAX_SMALL_LISTING = 3
"""Future stays known, and shown, of a listing whose bookings may all change at once."""
MIN_AGREEING_FETCHES = 3
"""Fetches apart that must show a small listing's new bookings before time lifts the hold."""
SUDDEN_AGREEMENT = timedelta(hours=6)
"""How far apart two fetches must show the same new bookings of a quiet listing."""
EMPTY_WAIT = timedelta(hours=72)
"""How long a calendar must be empty before time releases distant closures."""
MIN_EMPTY_BODIES = 6
"""Empty bodies apart before that."""
MIN_EMPTY_DISTANCE = timedelta(days=14)
"""Closures that begin sooner are never released because a calendar is empty."""
MIN_SETTLED_AGE = timedelta(hours=6)
"""If every stay of this age is still there, the younger ones that are gone do not show half a feed."""
TRIAL_TIME = timedelta(hours=24)
"""How long the first bookings of a quiet listing are on trial."""
TRIAL_WAIT = timedelta(hours=48)
"""How long a calendar must be empty again before bookings on trial are released."""
MIN_ALERT_NOTICE = timedelta(hours=24)
"""How long before that an alert must have been delivered."""
REMINDER_DAYS = (1, 3, 7)
"""When the owner is reminded of a hold that no time lifts."""

ROLL_TIME, ROLL_MARGIN = timedelta(days=1), timedelta(hours=1)
"""The end of a calendar rolls once a day, give or take an hour and the source's interval."""
MAX_ROLLED_BACK = timedelta(days=3)
"""An end of the calendar that moved back by no more shows an older body; by more, a shorter calendar."""
LAST_SURE_DAY = 28
"""On later days of a month, a calendar that ends some months ahead does not roll."""

MAX_LEFT_AGE = timedelta(days=7)
"""How long the nights that a record left are remembered."""
MAX_START_AGE = timedelta(days=60)
"""How long the UID of a first night is remembered after that night."""
