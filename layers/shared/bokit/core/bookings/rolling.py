"""Closures that roll with the calendar: which of a feed's closures its platform's rules make, and not its guests.

What is known of a platform decides what is published; how a closure behaves decides only what is an event. Of entries without
code or name, the first row that applies:

closure                                                      events             published
its platform makes it: Airbnb's and Booking.com's end of     none               no
the calendar, Airbnb's one-night blocks of today and of
the notice
another platform's end of the calendar: more than 300
days ahead, 30 nights or more, after all others
    its end rolled with three midnights                      none               no
    its end stood still for four days                        a stay or block    yes
    neither is known yet                                     none               yes
it begins 60 days ahead or later, on the first day of such
an end, which rolled with three midnights
    all that is left of an end that somebody's nights cut,   none               yes
    or of one whose last day stands still
it starts today, and has 14 nights at most
    it rolled with midnight: the same nights and label       none               yes
    it lies within such a notice, remembered after three     none               yes
else; also where the start rolls and the end does not        a stay or block    yes
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

from bokit.core.bookings.limits import (
    MAX_NOTICE_NIGHTS,
    MAX_ROLL_DELAY,
    MAX_ROLL_GAP,
    MIN_CALENDAR_END_NIGHTS,
    MIN_ROLLS,
    MIN_STAND_STILL,
    MIN_WINDOW_END,
    MIN_WINDOW_START,
)
from bokit.core.bookings.names import NameReader, fold
from bokit.core.bookings.nights import DAY
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind
from bokit.core.ical.platforms.base import Traits
from bokit.core.model.source_memory import Roll, SourceHabits
from bokit.core.model.source_rules import Context
from bokit.values import Value, replace


class WindowVerdict(StrEnum):
    """What becomes of a closure that no guest made; neither is an event."""

    WITHHELD = "withheld"
    PUBLISHED = "published"


def end_of(roll: Roll) -> date:
    """Return the day that rolls, as it was on its day."""
    return date.fromisoformat(roll.day) + timedelta(days=roll.ahead)


class Rolls(Value):
    """The closures of a feed that may roll, as they are after this fetch."""

    notice: Roll | None = None
    kept: Roll | None = None
    """The notice that is remembered: today's night was closed ever since it rolled with three midnights."""
    end: Roll | None = None
    start: Roll | None = None
    """The first day of the calendar's end, as far ahead as it is; kept while the end is cut in two."""

    def learn(self, habits: SourceHabits) -> SourceHabits:
        """Return *habits* with them."""
        return replace(habits, notice=self.notice, notice_kept=self.kept, calendar_end=self.end, end_start=self.start)


class ClosureRules:
    """The judgement of one feed's closures, at one fetch."""

    def __init__(self, entries: Sequence[Entry], traits: Traits, habits: SourceHabits, today: date, context: Context) -> None:
        entries, names = sorted(entries, key=lambda e: (e.check_out, e.check_in, e.uid)), NameReader(entries)
        live = [e for e in entries if e.status in BLOCKING and e.check_out > today]
        self._plain = [e for e in live if not e.reservation_code and not names.of_entry(e)]
        self._are_plain = {id(e) for e in self._plain}
        self._today, self._context = today, context
        self._notice = _find_notice(self._plain, today)
        self._end, self._marks_end = _find_end(self._plain, today), traits.marks_end
        self.rolls = self._roll(habits, is_closed=any(e.check_in <= today for e in live))

    def _roll(self, habits: SourceHabits, *, is_closed: bool) -> Rolls:
        notice = self._roll_on(habits.notice, self._notice, is_exact=True)
        kept = habits.notice_kept if is_closed else None
        is_proved = notice is not None and notice.times >= MIN_ROLLS
        end = self._roll_on(habits.calendar_end, [self._end] if self._end else [], is_exact=False)
        return Rolls(notice=notice, kept=notice if is_proved else kept, end=end, start=self._roll_start(habits.end_start))

    def _roll_start(self, before: Roll | None) -> Roll | None:
        """Return how the first day of the calendar's end rolls, given how it did *before*: by any closure that begins then.

        on a later day, as far ahead as before                 it rolled
        on the day of before, since yesterday at the longest   as before: it has not rolled, or not yet
        else                                                   that of the end of today's calendar, first seen today
        """
        if before:
            day, ahead = date.fromisoformat(before.day), timedelta(days=before.ahead)
            starts = {e.check_in for e in self._plain if fold(e.summary) == before.label}
            if self._today > day and self._today + ahead in starts:
                return replace(before, day=self._today.isoformat(), times=min(before.times + 1, MIN_ROLLS))
            if self._today - day <= DAY and day + ahead in starts:
                return before
        if self._end is None or self._end.check_in - self._today < MIN_WINDOW_START:
            return None
        ahead = self._end.check_in - self._today
        return Roll(ahead=ahead.days, label=fold(self._end.summary), day=self._today.isoformat())

    def _roll_on(self, before: Roll | None, closure: Sequence[Entry], *, is_exact: bool) -> Roll | None:
        """Return how *closure* (one entry, or several side by side) rolls, given how it did *before*.

        not there                                              nothing is known
        on the same day as before, the same end                as before
        on a later one, its end as far ahead as before         it rolled
        the end of before                                      as before: it has not rolled, or not yet
        else                                                   a new one, first seen today
        """
        if not closure:
            return None
        end, label = closure[-1].check_out, fold(closure[-1].summary)
        new = Roll(ahead=(end - self._today).days, label=label, day=self._today.isoformat(), at=self._context.at)
        if before is None or before.label != label:
            return new
        day = date.fromisoformat(before.day)
        is_later = self._today > day
        if is_later and before.ahead == new.ahead and (not is_exact or self._is_at_midnight(closure[-1])):
            return replace(new, times=min(before.times + 1, MIN_ROLLS))
        return before if end == end_of(before) and not (is_exact and self._today - day > DAY) else new

    def _is_at_midnight(self, entry: Entry) -> bool:
        """Return whether what is seen now changed as the day did, as far as fetches show."""
        at, last = self._context.at, self._context.last_read
        local = at.astimezone(self._context.timezone)
        if last is None or timedelta(hours=local.hour, minutes=local.minute) <= MAX_ROLL_DELAY:
            return True
        is_first = last.astimezone(self._context.timezone).date() < self._today
        return is_first and (entry.kind is EntryKind.BLOCK or at - last <= MAX_ROLL_GAP)

    def judge(self, entry: Entry) -> WindowVerdict | None:
        """Return what becomes of *entry* as a window; None: it is a stay or a block."""
        if entry.kind is EntryKind.WINDOW:
            return WindowVerdict.WITHHELD
        found = self._judge_end() if entry is self._end else None
        is_published = self._begins_as_end(entry) or (entry is not self._end and self._is_notice(entry))
        return found or (WindowVerdict.PUBLISHED if is_published else None)

    def _begins_as_end(self, entry: Entry) -> bool:
        start = self.rolls.start
        if start is None or start.times < MIN_ROLLS or id(entry) not in self._are_plain:
            return False
        return fold(entry.summary) == start.label and entry.check_in == end_of(start)

    def _is_notice(self, entry: Entry) -> bool:
        notice, kept = self.rolls.notice, self.rolls.kept
        if notice is not None and notice.times > 0 and any(entry is one for one in self._notice):
            return True
        return (
            kept is not None
            and fold(entry.summary) == kept.label
            and id(entry) in self._are_plain
            and self._today <= entry.check_in
            and entry.check_out <= self._today + timedelta(days=kept.ahead)
        )

    def _judge_end(self) -> WindowVerdict | None:
        end = self.rolls.end
        if self._marks_end or end is None or self._today - date.fromisoformat(end.day) >= MIN_STAND_STILL:
            return None
        return WindowVerdict.WITHHELD if end.times >= MIN_ROLLS else WindowVerdict.PUBLISHED


def _find_notice(plain: Sequence[Entry], today: date) -> list[Entry]:
    """Return the closure of *plain*, by its end, that starts today: the longest, or those of one night, side by side."""
    starting = [e for e in plain if e.check_in == today]
    if not starting:
        return []
    found = [starting[-1]]
    label = fold(found[0].summary)
    single = {e.check_in: e for e in plain if e.check_out - e.check_in == DAY and fold(e.summary) == label}
    while len(found) < MAX_NOTICE_NIGHTS and found[0].check_out == today + DAY and found[-1].check_out in single:
        found.append(single[found[-1].check_out])
    return found if (found[-1].check_out - today).days <= MAX_NOTICE_NIGHTS else []


def _find_end(plain: Sequence[Entry], today: date) -> Entry | None:
    """Return which of *plain*, by its end, may be the end of the platform's calendar."""
    if not plain or plain[-1].check_out - today <= MIN_WINDOW_END:
        return None
    last = plain[-1]
    return last if (last.check_out - max(last.check_in, today)).days >= MIN_CALENDAR_END_NIGHTS else None
