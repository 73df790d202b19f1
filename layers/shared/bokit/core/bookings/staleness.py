"""Stale bodies: a cache's, or a platform's that stands still. They close nights, and prove no absence.

A body is stale where the source's DTSTAMPs follow its fetches and

it says when it was made              not after the last accepted one             stale
                                      the same, but with news                     fresh: its stamps follow nothing
                                      more than three intervals ago               stale
304: the source repeats its last      -                                           stale
one
it came from a cache                  by its Date or its Age it is not younger    stale, whatever its stamps
                                      than the last accepted one
it says that it was made an hour      -                                           stale, unless the last body was as far
after it was fetched, or later                                                    ahead: then a clock is wrong, and its
                                                                                  stamps follow nothing

Without such stamps, a body is stale where the end of its calendar, which rolled with three midnights (``rolling``), moved back by
some days, or did not move on a day and an hour after it last did and nothing else is new.

Stamps follow fetches where they did at an accepted fetch of Airbnb or Booking.com. Of other feeds it is never concluded: a
calendar that is stamped when it changes, as our own are, is only read again when it changed, and so looks the same. An empty
body has no stamp: it was made when it was fetched.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from bokit.core.bookings.fetch_gaps import fetch_gap
from bokit.core.bookings.limits import (
    LAST_SURE_DAY,
    MAX_AGE_ERROR,
    MAX_ROLLED_BACK,
    MAX_STAMP_LAG,
    MAX_STAMP_LEAD,
    MIN_ROLLS,
    ROLL_MARGIN,
    ROLL_TIME,
    STALE_INTERVALS,
)
from bokit.core.bookings.matching import FeedMatches
from bokit.core.bookings.open_nights import read_open
from bokit.core.bookings.pairs import Pair
from bokit.core.bookings.rolling import end_of
from bokit.core.bookings.stay import entry_key
from bokit.core.ical.platforms.base import Traits
from bokit.core.model.source_memory import SourceHabits
from bokit.core.model.source_rules import Context, Verdict
from bokit.values import replace


def follows_fetches(habits: SourceHabits, traits: Traits) -> bool:
    """Return whether the source stamps its events at each fetch."""
    return traits.stamps_fetches and habits.stamps > 0


def stale_since(found: FeedMatches, habits: SourceHabits, context: Context) -> datetime | None:
    """Return when a stale body was made, as far as that is known; None: it is fresh."""
    seen, at = found.seen, context.at
    if seen.verdict in (Verdict.UNREADABLE, Verdict.EMPTY):
        return None
    if is_cached(context, habits):
        return context.made_at
    if not follows_fetches(habits, found.traits) or habits.stamp is None:
        return _unrolled_since(found, habits, context)
    if seen.made_at is None:
        return habits.stamp if seen.repeats else None
    if is_ahead(seen.made_at, at):
        return None if _is_clock_wrong(seen.made_at, habits, context) else max(habits.stamp, context.last_read or habits.stamp)
    if seen.made_at < habits.stamp:
        return seen.made_at
    is_old = at - seen.made_at > STALE_INTERVALS * (context.interval or timedelta(hours=1))
    is_repeat = seen.made_at == habits.stamp and at - seen.made_at > fetch_gap(context)
    return seen.made_at if (is_old or is_repeat) and not has_news(found) else None


def is_ahead(made: datetime | None, at: datetime) -> bool:
    """Return whether a body says that it was made later than it was fetched, which was *at*."""
    return made is not None and made - at > MAX_STAMP_LEAD


def _is_clock_wrong(made: datetime, habits: SourceHabits, context: Context) -> bool:
    """Return whether the last body, another fetch's, was as far ahead: no stray page is, but for a clock that is wrong."""
    if habits.ahead is None or habits.ahead_at is None:
        return False
    passed = context.at - habits.ahead_at
    return passed >= fetch_gap(context) and abs(made - habits.ahead - passed) <= MAX_STAMP_LAG


def next_roll_at(habits: SourceHabits, context: Context) -> datetime | None:
    """Return from when on a body whose calendar's end did not roll is stale; None: the end does not roll every day."""
    end = habits.calendar_end
    if end is None or end.at is None or end.times < MIN_ROLLS:
        return None
    return end.at + ROLL_TIME + max(ROLL_MARGIN, context.interval or timedelta())


def _unrolled_since(found: FeedMatches, habits: SourceHabits, context: Context) -> datetime | None:
    """Return when a body was made at the latest, whose calendar's end is not where it should be; None: it is, or need not."""
    before, now = habits.calendar_end, found.rolls.end
    if before is None or before.at is None or before.times < MIN_ROLLS or now is None or found.seen.repeats:
        return None
    moved = end_of(now) - end_of(before)
    if -MAX_ROLLED_BACK <= moved < timedelta():
        return before.at + moved
    is_late = not moved and _is_late(found.matches.today, habits, context)
    return before.at + ROLL_TIME if is_late and not has_news(found) else None


def learn_roll(found: FeedMatches, habits: SourceHabits, context: Context) -> SourceHabits:
    """Return *habits*, whose calendar's end is not expected to roll any more where an accepted fetch has news, and not that.

    Only then: a body without news that shows it late is stale (:func:`stale_since`).
    """
    end, is_late = habits.calendar_end, _is_late(found.matches.today, habits, context)
    return replace(habits, calendar_end=replace(end, at=None)) if end and is_late else habits


def _is_late(today: date, habits: SourceHabits, context: Context) -> bool:
    """Return whether the end of the calendar, where *habits* have it, should have moved on by now."""
    due_at = next_roll_at(habits, context)
    return due_at is not None and context.at > due_at and today.day <= LAST_SURE_DAY


def is_cached(context: Context, habits: SourceHabits) -> bool:
    """Return whether the response says that it was made before the last accepted one, or is that one again."""
    made, last = context.made_at, habits.response_at
    if made is None or last is None:
        return False
    return made <= last + MAX_AGE_ERROR and context.at - made > fetch_gap(context)


def has_news(found: FeedMatches) -> bool:
    """Return whether the body shows anything else than the last accepted one."""
    matches = found.matches
    if any(s.record.missing_since is None for s in matches.absent) or matches.ended:
        return True
    return any(_is_news(pair) for pair in matches.pairs)


def _is_news(pair: Pair) -> bool:
    stay, entry = pair.stay, pair.entry
    if stay is None or stay.is_gone or stay.record.key != entry_key(entry):
        return True
    return stay.check_out != entry.check_out and not read_open(stay.record)


def note_stale(made: datetime, found: FeedMatches, habits: SourceHabits, context: Context) -> SourceHabits:
    """Return what a stale body teaches, by when it was *made*: since when they come, and how far ahead a clock may be."""
    habits, stamp, at = replace(habits, stale_since=habits.stale_since or made), found.seen.made_at, context.at
    if not is_ahead(stamp, at):
        return replace(habits, ahead=None, ahead_at=None)
    is_repeat = habits.ahead_at is not None and at - habits.ahead_at < fetch_gap(context)
    return habits if is_repeat else replace(habits, ahead=stamp, ahead_at=at)


def learn_stamps(found: FeedMatches, habits: SourceHabits, context: Context) -> SourceHabits:
    """Return what an accepted fetch teaches of the source's stamps; it is fresh."""
    made, at = found.seen.made_at, context.at
    habits = replace(habits, stale_since=None, ahead=None, ahead_at=None, response_at=context.made_at or habits.response_at)
    if made is None and habits.stamp is not None and not found.seen.entries:
        return replace(habits, stamp=max(habits.stamp, at - MAX_STAMP_LAG))
    if made is None:
        return habits if found.seen.repeats else replace(habits, stamps=0, stamp=None)
    if is_ahead(made, at):
        return replace(habits, stamps=0, stamp=None)
    if made == habits.stamp:
        is_same_fetch = at - made <= fetch_gap(context)
        return habits if is_same_fetch else replace(habits, stamps=0, stamp=None)
    if abs(at - made) <= MAX_STAMP_LAG:
        return replace(habits, stamps=1, stamp=made)
    is_later = follows_fetches(habits, found.traits) and habits.stamp is not None and made > habits.stamp
    return replace(habits, stamp=made) if is_later else replace(habits, stamps=0, stamp=None)
