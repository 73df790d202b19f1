"""Plays steps on the model and on the engine, and compares them: five invariants.

1 closed       no night of a reservation or closure in a current feed is open in ``/bookings``, or in another channel's
               calendar; windows and fading echoes aside
2 edits        no edit is overwritten, or handed on to another guest
3 evidence     nothing is cancelled without evidence
4 again        a second sync changes nothing
5 rest         96 hours after the world stands still and holds are settled, each outgoing calendar equals the others' own nights
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.model.choice import Spec, Step
from tests.model.driver import Driver, Held
from tests.model.styles import Shown, Style, day, span, spans
from tests.model.world import FAULTS, GHOST, HOUR, START, Answer, Item, World

ROUNDS = {1: (1,), 3: (1, 2), 8: (2, 6), 26: (1, 12, 13), 50: (1, 12, 13, 12, 12)}
"""Hours between the syncs of some hours."""
DAY = timedelta(days=1)
APART = timedelta(seconds=60)
REST = (1, 1, 6, 16, 1, 12, 12, 11, 1, 12, 12, 11)
"""Hours between the syncs of the time of rest: 96 in all."""
NO_EVIDENCE = frozenset({"down", "html", "empty", "cut"})
EMPTY_BODIES = 6
"""As many make a calendar that was empty, not one that failed for once."""
FADING = timedelta(hours=36 + 24)
LEASE = timedelta(minutes=6)
CANCEL_AFTER = (24, 24, 30, 12)


class ModelError(AssertionError):
    """The engine broke an invariant."""


@dataclass(slots=True)
class Seen:
    """A night of a booking, as its channel's fetches showed it."""

    last: datetime
    since: datetime
    after: datetime | None
    """The fetch before the first that showed it; None: not known, it was held, or the first of all."""
    absent_since: datetime | None = None
    missed_since: datetime | None = None
    """The same, by fetches that were not held: from then on time releases it."""
    absent_at: datetime | None = None
    fetches: int = 0
    is_anonymous: bool = False
    was_accepted: bool = False
    was_empty: bool = False
    """The calendar was empty, in enough bodies, before the first fetch that showed it open."""

    @property
    def shown_until(self) -> tuple[datetime, bool]:
        """Its last fetch, and whether another of the same time left it out already."""
        return self.last, self.absent_since != self.last

    def miss(self, at: datetime, *, was_empty: bool, is_held: bool) -> None:
        """Note a fetch that showed it open."""
        self.missed_since = self.missed_since or (None if is_held else at)
        self.was_empty = was_empty if self.absent_since is None else self.was_empty
        self.absent_since = self.absent_since or at
        if self.absent_at is None or at - self.absent_at >= APART:
            self.absent_at, self.fetches = at, self.fetches + 1


@dataclass(slots=True)
class Known:
    """What the engine can know of one channel: what its fetches showed."""

    closed: int = 0
    own: int = 0
    linked: int = 0
    anonymous: int = 0
    """Those of its own nights that look like imported ones."""
    former: int = ~0
    latest: int = ~0
    """What the last two accepted fetches closed."""
    accepted_at: datetime | None = None
    former_at: datetime = START
    """When."""
    empty_since: datetime | None = None
    empty_bodies: int = 0
    read_at: datetime | None = None
    contradicted_at: datetime = START
    """When it last showed again what it had not shown before: absences begin again."""
    uids: dict[str, set[int | None]] = field(default_factory=dict)
    shown: dict[int, Shown] = field(default_factory=dict)
    accepted: dict[int, Shown] = field(default_factory=dict)
    """The bookings of its last accepted fetch: where a held one shows nothing, a move that was shown before stays shown."""
    is_accepted: bool = False
    alike: dict[int, int] = field(default_factory=dict)
    """By a booking that came when every UID of two or more changed at once: the one whose nights it has, and so is taken for."""
    nights: dict[tuple[int | None, int], Seen] = field(default_factory=dict)
    is_paused: bool = False
    is_removed: bool = False
    answer: Answer | None = None


@dataclass(slots=True)
class Mark:
    """A note that a person wrote to a guest's booking."""

    record: str
    channel: int
    of: int
    first: int
    end: int
    is_moved: bool = False


class Play:
    """One game: a world, the engine beside it, and the steps so far."""

    def __init__(self, specs: Sequence[Spec], *, is_strict: bool = False) -> None:
        self.steps: list[Step] = []
        self.is_strict = is_strict
        self.specs = tuple(specs)
        self.world = World(specs)
        self.known = [Known() for _ in specs]
        self.driver = Driver([c.style.name for c in self.world.channels], self._answer, self.world.now)
        self.cancel_after = timedelta(hours=24)
        self.unlinked_at = self.world.now - timedelta(days=365)
        """When two channels were last linked or unlinked."""
        self.marks: dict[str, Mark] = {}
        self.hands: dict[str, int] = {}
        self.lately: list[tuple[int, int | None, datetime]] = []
        """Nights that a person released, with their channel (None: entered by hand), and when."""
        self.taken = 0
        self.last_bookings: list[Held] = []
        self.notes = 0
        self.outcomes: list[str] = []
        self.checked_on = 0
        for channel in range(len(specs)):
            self._sync(channel)
        self._import()
        self.check()

    @property
    def is_ring(self) -> bool:
        """Whether a channel imports what another shows, by our calendars or directly, or did until lately.

        Where Bokit saw an import before its original, the original is taken for the import until that has faded.
        """
        is_linked = any(c.imports or c.links for c in self.world.channels)
        return is_linked or self.world.now - self.unlinked_at <= self.cancel_after + FADING

    # ── playing ──

    def do(self, name: str, *numbers: int) -> None:
        """Play one step."""
        self.steps.append((name, *numbers))
        STEPS[name](self, *numbers)

    def _answer(self, channel: int) -> bytes | None:
        known = self.known[channel]
        known.answer = self.world.answer(channel)
        return known.answer.body

    def _pass(self, span_: timedelta) -> None:
        self.world.now += span_
        self.driver.at = max(self.driver.at, self.world.now)

    def _import(self) -> None:
        for channel in self.world.channels:
            if channel.imports and not self.known[channel.number].is_removed:
                self.world.read_calendar(channel.number, self.driver.read_calendar(channel.number))
        self.world.read_links()

    def _sync(self, channel: int, *, force: bool = False) -> dict[str, int]:
        known = self.known[channel]
        if known.is_removed:
            return {}
        before, known.answer = known.answer, None
        outcome, counts = self.driver.sync(channel, force=force)
        if known.answer is None:  # it was not fetched
            known.answer = before
            return counts
        self.outcomes.append(outcome if any(counts[n] for n in counts if n != "seen" and n != "unchanged") else "unchanged")
        self._note(channel, outcome)
        return counts

    def _note(self, channel: int, outcome: str) -> None:
        """Note what the last fetch of a channel showed."""
        known, now = self.known[channel], self.world.now
        answer = known.answer
        if outcome == "failed" and answer is not None and answer.body is not None:
            self.fail(f"0: the sync of channel {channel} failed")
        if answer is None or answer.body is None or answer.fault == "html":
            return
        is_held = outcome == "held"
        was_empty = known.empty_bodies >= EMPTY_BODIES
        known.empty_since = None if answer.events else known.empty_since or now
        known.empty_bodies = 0 if answer.events else known.empty_bodies + 1
        known.closed, known.is_accepted = answer.nights, not is_held
        if not is_held and (known.accepted_at is None or now - known.accepted_at >= APART):
            known.former, known.former_at = known.latest, known.accepted_at or now
            known.latest, known.accepted_at = answer.nights, now
        shown = self._note_events(channel, answer)
        if not is_held:
            self._note_reissued(known)
            known.accepted = known.shown
        is_stale = answer.fault == "stale" and self.world.channels[channel].style.stamped
        is_evidence = answer.fault not in NO_EVIDENCE and not is_stale and bool(answer.events)
        for key, seen in known.nights.items():
            if key not in shown and (is_evidence or not is_held or not seen.was_accepted):
                seen.miss(now, was_empty=was_empty, is_held=is_held)
        for key, is_anonymous in shown.items():
            before = known.nights.get(key)
            if before and before.absent_since:
                known.contradicted_at = now
            if before is None or (before.absent_since and now - before.absent_since >= self.cancel_after):
                before = Seen(now, now, None if is_held else known.read_at)
            was_accepted = before.was_accepted or not is_held
            known.nights[key] = Seen(now, before.since, before.after, is_anonymous=is_anonymous, was_accepted=was_accepted)
        known.read_at = None if is_held else now

    def _note_events(self, channel: int, answer: Answer) -> dict[tuple[int | None, int], bool]:
        """Note what the events of an answer are; return each night of each booking, and whether it names nobody."""
        known, style, today = self.known[channel], self.world.channels[channel].style, self.world.today
        known.own = known.anonymous = 0
        known.uids, known.shown = {}, {}
        shown: dict[tuple[int | None, int], bool] = {}
        for event in answer.events:
            is_ghost = event.of is not None and event.of >= GHOST
            if not event.is_import and not (is_ghost and not known.is_accepted):
                known.own |= event.nights
                known.anonymous |= event.nights if self._is_anonymous(style, event) else 0
            known.uids.setdefault(event.uid, set()).add(event.of)
            if event.of is not None:
                known.shown[event.of] = event
            of = 0 if event.is_import else event.of
            nights = range(max(event.first, today), event.end) if event.nights else ()
            shown |= dict.fromkeys(((of, n) for n in nights), self._is_anonymous(style, event))
        if style.merged and answer.fault != "other":
            known.own &= self.world.own_nights(channel)
        known.linked = answer.nights & self.world.channels[channel].linked
        return shown

    def _note_reissued(self, known: Known) -> None:
        """Note who is taken for whom, where an accepted fetch shows other UIDs alone: the same bookings, with new UIDs."""
        before, now = ([s for s in of.values() if s.end > self.world.today] for of in (known.accepted, known.shown))
        if len(before) < 2 or {s.uid for s in before} & {s.uid for s in now}:
            return
        for one in now:
            same = [s.of for s in before if s.of is not None and s.nights & self.world.to_come == one.nights & self.world.to_come]
            if one.of is not None and same:
                known.alike[one.of] = known.alike.get(same[0], same[0])

    @staticmethod
    def _is_anonymous(style: Style, event: Shown) -> bool:
        """Return whether an event looks as imported nights do."""
        is_guest = event.of is not None and event.of > 0
        return not (is_guest and (style.coded or style.named))

    def _round(self) -> bool:
        """Sync every source, and let the channels import; return whether there was anything new."""
        today, self.outcomes = self.world.today, []
        for channel, known in enumerate(self.known):
            if not known.is_paused:
                self._sync(channel)
        self._import()
        is_new = today != self.checked_on or set(self.outcomes) != {"unchanged"}
        self.checked_on = today
        return is_new

    # ── invariants ──

    def fail(self, what: str) -> None:
        """Raise ModelError with the steps that lead here."""
        raise ModelError(f"{what} at {self.world.now:%d %b %H:%M} (day {self.world.today})\n{self.specs!r}\n{self.steps!r}")

    def check(self, *, may_open: bool = False) -> None:
        """Check invariants 1 to 3 as things stand; *may_open*: a person just opened something."""
        bookings = self.driver.bookings()
        anybody = self.driver.calendar(None)
        held = 0
        for booking in bookings:
            if booking.blocks and not booking.is_window:
                held |= booking.nights
        taken = (held | anybody) & self.world.to_come
        windows = 0
        for booking in bookings:
            windows |= booking.nights if booking.is_window and booking.blocks else 0
        self._check_closed(taken, anybody)
        if not may_open:
            self._check_opened(self.taken & ~(taken | windows) & self.world.to_come)
        self.taken = taken
        self.last_bookings = bookings
        if self.marks:
            self._check_marks(bookings)

    def _check_closed(self, taken: int, anybody: int) -> None:
        to_come = self.world.to_come
        pages = [0 if known.is_removed else self.driver.calendar(n) for n, known in enumerate(self.known)]
        for number, known in enumerate(self.known):
            if known.is_removed:
                continue
            if wrong := known.closed & to_come & ~taken & ~self._windows(number):
                self.fail(f"1: nights {show(wrong)} of channel {number} are open in /bookings")
            own = known.own & to_come & ~self._windows(number)
            if (wrong := own & ~anybody) and (wrong := wrong & ~self._explained(number, wrong)):
                self.fail(f"1: nights {show(wrong)} of channel {number} are in no calendar for anybody")
            for other, there in enumerate(self.known):
                wrong = own & ~there.own & ~there.linked & ~pages[other]
                if other == number or there.is_removed or not wrong or not (wrong := wrong & ~self._explained(number, wrong)):
                    continue
                self.fail(f"1: nights {show(wrong)} of channel {number} are open in the calendar for channel {other}")
        for nights in self.hands.values():
            for number, known in enumerate(self.known):
                if not known.is_removed and (wrong := nights & to_come & ~pages[number]):
                    self.fail(f"1: nights {show(wrong)}, entered by hand, are open in the calendar for channel {number}")

    def _windows(self, channel: int) -> int:
        """Return the nights that a platform's own rules may close: Airbnb closes single days of its notice."""
        known, bits = self.known[channel], 0
        if self.world.channels[channel].style.coded and known.answer:
            for event in known.answer.events:
                if event.code is None and event.end - event.first == 1 and event.first - self.world.today <= 1:
                    bits |= event.nights
        return bits

    def _explained(self, channel: int, nights: int) -> int:
        """Return those of *nights* that may be imported ones, by all that Bokit can know: an echo, or a fading one.

        They are not where the channel showed them before the other booking was there, or left nights of it open in two
        fetches: no import does.
        """
        known, found = self.known[channel], 0
        if self.is_ring and not self.is_strict:
            return nights & known.anonymous
        for first, end in spans(nights & known.anonymous):
            for night in range(first, end):
                mine = [seen for (_, held), seen in known.nights.items() if held == night and seen.absent_since is None]
                if any(self._may_repeat(known, mine, nights_, seen) for nights_, seen in self._originals(channel, night)):
                    found |= 1 << night
        return found

    def _originals(self, channel: int, night: int) -> list[tuple[int, Seen | None]]:
        """Return what others hold, or held lately, on a night: all nights of each booking, and when this one was seen."""
        mine = 1 << night
        found: list[tuple[int, Seen | None]] = [(nights, None) for nights in self.hands.values() if nights & mine]
        for nights, whose, at in self.lately:
            if whose != channel and nights & mine and self.world.now - at <= FADING:
                found.append((mine, None))
        for other, known in enumerate(self.known):
            for (of, held), seen in known.nights.items() if other != channel else ():
                if held == night and of != 0 and not self._is_gone(known, seen):
                    found.append((self._together(known, of, seen) | mine, seen))
        return found

    def _is_gone(self, known: Known, seen: Seen) -> bool:
        """Return whether a night was released so long ago that nothing repeats it; none was while its feed is held."""
        if seen.missed_since is None or known.read_at is None:
            return False
        since = max(seen.missed_since, known.contradicted_at)
        return min(self.world.now - FADING, known.read_at) - since > self.cancel_after

    @staticmethod
    def _together(known: Known, of: int | None, seen: Seen) -> int:
        """Return the nights of a booking that are there, or gone, as the night of *seen* is."""
        bits = 0
        for (booking, night), one in known.nights.items():
            if booking == of and of is not None and (one.absent_since is None) == (seen.absent_since is None):
                bits |= 1 << night
        return bits

    def _may_repeat(self, known: Known, mine: Sequence[Seen], nights: int, other: Seen | None) -> bool:
        is_seen_twice = all(self.world.now - seen.since >= APART for seen in [*mine, *([other] if other else [])])
        if not is_seen_twice:
            return True
        is_sure = other is None or (
            self.is_strict and known.is_accepted and not other.is_anonymous and all(s.since < known.former_at for s in mine)
        )
        if is_sure and nights & self.world.to_come & ~known.latest & ~known.former:
            return False
        return not (other and other.after and any(seen.since < other.after for seen in mine))

    def _check_opened(self, opened: int) -> None:
        for first, end in spans(opened):
            for night in range(first, end):
                for channel, known in enumerate(self.known):
                    shown = [(seen.shown_until, of, seen) for (of, held), seen in known.nights.items() if held == night]
                    # a guest who took the nights over from another in one fetch may be the same one
                    for until, of, seen in shown:
                        if until == max(row[0] for row in shown) and not self._has_evidence(known, of, night, seen):
                            self.fail(f"3: night {night} of {of} in channel {channel} was opened; last shown {seen}")

    def _has_evidence(self, known: Known, of: int | None, night: int, seen: Seen) -> bool:
        now = self.world.now
        if known.is_removed or not of or of >= GHOST:
            return known.is_removed or seen.absent_since is not None
        if seen.absent_since is None and known.empty_since is None:
            return False
        is_long_empty = known.empty_since and known.empty_bodies >= EMPTY_BODIES and now - known.empty_since >= 2 * DAY
        if is_long_empty and known.empty_since and known.empty_since - seen.since <= DAY:
            return True  # the first bookings of a quiet listing, on trial
        shown = known.shown.get(of) or known.accepted.get(of)
        if shown and (shown.cancelled or self._was_moved(self.world.items[of], shown, night)):
            return True
        if seen.was_empty and seen.fetches >= 3 and now - seen.last >= max(3 * DAY, self.cancel_after):
            return True
        return seen.absent_since is not None and now - seen.absent_since >= self.cancel_after - APART and seen.fetches >= 2

    def _was_moved(self, item: Item, shown: Shown, night: int) -> bool:
        """Return whether the feed itself shows *item* elsewhere now."""
        style = self.world.channels[item.channel].style
        return style.identifies(is_guest=item.is_guest) and not shown.nights & (1 << night)

    def _check_marks(self, bookings: Iterable[Held]) -> None:
        records = {str(r.id): r for r in self.driver.records()}
        confirm = {source["booking_id"] for b in bookings if b.doc["confirm"] for source in b.doc["sources"]}
        for text, mark in self.marks.items():
            record = records[mark.record]
            edit = record.edits.get("notes")
            if edit is None or edit.value != text:
                self.fail(f"2: the edit {text!r} of {mark} is lost")
            self._check_mark(text, mark, record, mark.record in confirm)

    def _check_mark(self, text: str, mark: Mark, record: Any, is_asked: bool) -> None:
        known, style = self.known[mark.channel], self.world.channels[mark.channel].style
        if not known.is_accepted or known.is_removed or style.merged:
            return
        now_of = known.uids.get(record.key, set()) if record.presence == "present" else set()
        event = known.shown.get(mark.of)
        if mark.of in now_of:
            return
        now_of = now_of - {None}  # a closure that names nobody, in a feed that calls all its nights the same
        if now_of and not is_asked and not self._cannot_know(mark, now_of):
            self.fail(f"2: the edit {text!r} of {mark} is on {now_of} now")
        is_known = style.identifies(is_guest=mark.of > 0)
        if event and not event.cancelled and record.presence != "present" and (is_known or not (mark.is_moved or is_asked)):
            self.fail(f"2: the edit {text!r} of {mark} is on a {record.presence} booking, and its guest is there")

    def _cannot_know(self, mark: Mark, now_of: set[int | None]) -> bool:
        """Return whether the feed shows no difference between the two guests."""
        known, style = self.known[mark.channel], self.world.channels[mark.channel].style
        events = [known.shown.get(of) for of in now_of if of is not None]
        is_named = (style.named or style.coded) and mark.of > 0
        if not is_named and all(known.alike.get(of or 0) == known.alike.get(mark.of, mark.of) for of in now_of):
            return True  # as a feed gives all its bookings other UIDs
        if not is_named and all(e and e.end == mark.end and mark.first < e.first <= self.world.today for e in events):
            return True  # as a platform clips a stay
        if style.identifies(is_guest=mark.of > 0) or is_named:
            return False
        return all(event is None or event.nights & span(mark.first, mark.end) for event in events)

    # ── steps of guests and owners ──

    def book(self, channel: int, ahead: int, length: int) -> None:
        """Let a guest book, if the channel believes the nights to be free."""
        self._sell(channel, ahead, length, is_guest=True)

    def close(self, channel: int, ahead: int, length: int) -> None:
        """Let the owner close nights on a channel."""
        self._sell(channel, ahead, length, is_guest=False)

    def _sell(self, channel: int, ahead: int, length: int, *, is_guest: bool) -> None:
        channel %= len(self.known)
        first = self.world.today + ahead
        if length > 0 and self.world.is_free(channel, first, first + length):
            self.world.add(channel, first, first + length, is_guest=is_guest)

    def _pick(self, number: int) -> Item | None:
        live = self.world.live()
        return live[number % len(live)] if live else None

    def cancel(self, number: int) -> None:
        """Cancel a stay, or open what was closed."""
        if item := self._pick(number):
            item.cancelled_at = self.world.now

    def swap(self, number: int) -> None:
        """Let another guest take a stay's nights as it is cancelled."""
        if (item := self._pick(number)) and item.is_guest:
            item.cancelled_at = self.world.now
            self.world.add(item.channel, item.first, item.end)

    def move(self, number: int, by: int) -> None:
        """Move a stay that has not begun."""
        item = self._pick(number)
        if item and item.first > self.world.today and item.first + by > self.world.today:
            self._change(item, item.first + by, item.end + by)

    def resize(self, number: int, by: int) -> None:
        """Change a stay's departure."""
        item = self._pick(number)
        if item and item.end + by > max(item.first, self.world.today):
            self._change(item, item.first, item.end + by)

    def _change(self, item: Item, first: int, end: int) -> None:
        if self.world.is_free(item.channel, first, end, but=item):
            item.first, item.end = first, end
            for mark in self.marks.values():
                mark.is_moved |= mark.of == item.number

    def link(self, channel: int, other: int) -> None:
        """Link two channels directly: the later one imports the earlier one."""
        one, two = sorted((channel % len(self.known), other % len(self.known)))
        if one != two:
            self.world.channels[two].links ^= {one}
            self.unlinked_at = self.world.now
            self.world.read_links()

    # ── steps of the person who uses Bokit ──

    def edit(self, number: int) -> None:
        """Write a note to a booking."""
        found = [b for b in self.last_bookings if b.blocks and not b.is_window and b.doc["source_id"]]
        if not found:
            return
        booking = found[number % len(found)]
        channel = self.driver.source_number(booking.doc["source_id"])
        record = next(r for r in self.driver.records() if r.id == booking.id)
        known = self.known[channel or 0]
        guests = known.uids.get(record.key, set())
        of = next(iter(guests)) if len(guests) == 1 else None
        is_there = of is not None and of in self.world.items and self.world.items[of].cancelled_at is None
        if channel is None or of is None or not is_there or not known.is_accepted or record.presence != "present":
            return
        self.notes += 1
        text = f"note {self.notes}"
        self.driver.edit(booking.id, {"notes": text})
        self.marks = {t: m for t, m in self.marks.items() if m.record != booking.id}
        event = known.shown[of]
        self.marks[text] = Mark(booking.id, channel, of, event.first, event.end, (event.first, event.end) != self._dates(of))
        self.check()

    def _dates(self, of: int) -> tuple[int, int]:
        item = self.world.items[of]
        return item.first, item.end

    def hand(self, ahead: int, length: int) -> None:
        """Enter a booking by hand."""
        first, length = self.world.today + ahead, max(length, 1)
        booking = self.driver.make(first, first + length)
        self.hands[booking] = span(first, first + length)
        self.check()

    def unhand(self, number: int) -> None:
        """Cancel a booking that was entered by hand."""
        if self.hands:
            booking = sorted(self.hands)[number % len(self.hands)]
            self.lately.append((self.hands.pop(booking), None, self.world.now))
            self.driver.edit(booking, {"status": "cancelled"})
            self.check(may_open=True)

    def apply(self, channel: int) -> None:
        """Apply what is held."""
        self._resolve(channel, apply=True)

    def discard(self, channel: int) -> None:
        """Discard what is held."""
        self._resolve(channel, apply=False)

    def _resolve(self, channel: int, *, apply: bool) -> None:
        channel %= len(self.known)
        known = self.known[channel]
        hold = None if known.is_removed else self.driver.find_hold(channel)
        if hold is None or (apply and not hold[1]):
            return
        known.answer = None
        if self.driver.resolve(channel, apply=apply) and apply and known.answer is not None:
            self._release(channel)
            self._note(channel, "changed")
            self.check(may_open=True)
            return
        if known.answer is not None:
            self._note(channel, "held")
        self.check()

    def _release(self, channel: int) -> None:
        """Note that a person released what a channel does not show."""
        known = self.known[channel]
        for of, night in known.nights:
            self.lately += [(1 << night, channel, self.world.now)] if of != 0 else []
        known.nights.clear()

    def pause(self, channel: int) -> None:
        """Pause a source, or resume it."""
        channel %= len(self.known)
        known = self.known[channel]
        if not known.is_removed:
            self.driver.pause(channel, resume=known.is_paused)
            known.is_paused = not known.is_paused
            self.check()

    def address(self, channel: int) -> None:
        """Give a source another address of the same calendar."""
        channel %= len(self.known)
        if not self.known[channel].is_removed:
            self.world.channels[channel].address += 1
            self.driver.set_address(channel, self.world.channels[channel].address)
            self.check()

    def remove(self, channel: int) -> None:
        """Remove a source, and keep what it holds."""
        channel %= len(self.known)
        if sum(not k.is_removed for k in self.known) > 1 and not self.known[channel].is_removed:
            self.driver.remove(channel, release=False)
            self.check()
            self.known[channel].is_removed = True

    def option(self, number: int) -> None:
        """Set how long a missing stay is held."""
        hours = CANCEL_AFTER[number % len(CANCEL_AFTER)]
        self.cancel_after = timedelta(hours=hours)
        self.driver.set_option("sync.cancel_after", hours * 3600)

    # ── steps of time ──

    def hours(self, number: int) -> None:
        """Let some hours pass, with syncs in them."""
        for hours in ROUNDS[sorted(ROUNDS)[number % len(ROUNDS)]]:
            self._pass(hours * HOUR)
            if self._round():
                self.check()

    def sync(self, channel: int) -> None:
        """Sync one source two minutes later."""
        self._pass(timedelta(minutes=2))
        self._sync(channel % len(self.known))
        self.check()

    def again(self, channel: int) -> None:
        """Sync one source twice at once."""
        channel %= len(self.known)
        if self.known[channel].is_removed:
            return
        self._sync(channel, force=True)
        self.check()
        before = self._visible(), self.driver.bodies()
        counts = self._sync(channel, force=True)
        self.check()
        changed = {n: c for n, c in counts.items() if c and n not in ("seen", "unchanged", "refused", "preserved")}
        if changed:
            self.fail(f"4: a second sync of channel {channel} changed {changed}")
        if (self._visible(), self.driver.bodies()) != before:
            self.fail(f"4: a second sync of channel {channel} changed what is shown")

    def _visible(self) -> list[tuple[Any, ...]]:
        return [(b.id, b.nights, b.blocks, b.doc["presence"], b.doc["confirm"]) for b in self.last_bookings]

    def fault(self, channel: int, kind: int, hours: int) -> None:
        """Let an address answer wrongly for some hours."""
        there = self.world.channels[channel % len(self.known)]
        there.fault, there.fault_until = FAULTS[kind % len(FAULTS)], self.world.now + hours * HOUR

    def crash(self, channel: int, call: int) -> None:
        """Let a sync die at a call of the store, before or after it; it is repeated when its lease is over."""
        channel %= len(self.known)
        if self.known[channel].is_removed:
            return
        self._pass(HOUR)
        self.driver.crash(channel, 1 + call // 2, after=bool(call % 2))
        self._pass(LEASE)
        self._sync(channel)
        self.check()

    # ── the end ──

    def finish(self) -> None:
        """Let the world stand still for 96 hours, with holds settled, and compare the calendars."""
        self.steps.append(("finish",))
        last = self.world.today
        for channel in self.world.channels:
            known = self.known[channel.number]
            channel.fault = None
            if known.is_removed:
                self._release(channel.number)
                self.driver.remove(channel.number, release=True)
                self.check(may_open=True)
            elif known.is_paused:
                self.pause(channel.number)
        for hours in REST:
            self._pass(hours * HOUR)
            if self._round():
                self.check()
            for number in range(len(self.known)):
                self._resolve(number, apply=True)
        self._check_rest(last)

    def _check_rest(self, last: int) -> None:
        active = [n for n, known in enumerate(self.known) if not known.is_removed]
        own = {n: self.world.own_nights(n) & self.world.to_come for n in active}
        by_hand = 0
        for nights in self.hands.values():
            by_hand |= nights & self.world.to_come
        lingering = self._lingering()
        for channel in active:
            shown = self.driver.calendar(channel) & self.world.to_come
            theirs = sure = by_hand
            for other in active:
                theirs |= own[other] | self.world.channels[other].linked if other != channel else 0
                sure |= own[other] & self._shown(other) if other != channel else 0
            if wrong := sure & ~shown & ~own[channel] & ~self._explained_to(channel):
                self.fail(f"5: nights {show(wrong)} are not in the calendar for channel {channel}")
            if (self.is_strict or not self.is_ring) and (wrong := shown & ~theirs & ~lingering):
                self.fail(f"5: nights {show(wrong)} are in the calendar for channel {channel}, and nobody's")

    def _explained_to(self, channel: int) -> int:
        """Return the nights of others that a channel's calendar may leave out in a ring: those that name nobody."""
        bits = 0
        for other, known in enumerate(self.known):
            if other != channel and self.is_ring and not self.is_strict:
                bits |= known.anonymous
        return bits

    def _lingering(self) -> int:
        """Return the nights of guests who may have arrived before they were cancelled: held until they depart."""
        bits = 0
        for known in self.known:
            by_booking: dict[int | None, int] = {}
            for of, night in known.nights:
                by_booking[of] = by_booking.get(of, 0) | 1 << night
            for of, nights in by_booking.items():
                if of != 0 and nights & span(0, self.world.today + 4):
                    bits |= nights
        return bits

    def _shown(self, channel: int) -> int:
        """Return the nights that a channel ever showed: guests may come and go before a feed shows them."""
        bits = 0
        for _, night in self.known[channel].nights:
            bits |= 1 << night
        return bits


def show(bits: int) -> str:
    """Return nights in words."""
    return ", ".join(f"{first}-{end} ({day(first):%d %b})" for first, end in spans(bits))


STEPS: dict[str, Callable[..., None]] = {
    name: getattr(Play, name)
    for name in (
        "book", "close", "cancel", "swap", "move", "resize", "link", "edit", "hand", "unhand", "apply", "discard", "pause",
        "address", "remove", "option", "hours", "sync", "again", "fault", "crash", "finish",
    )
}  # fmt: skip


def replay(specs: Sequence[Spec], steps: Iterable[Step], *, is_strict: bool = False) -> Play:
    """Play a whole sequence again."""
    play = Play(specs, is_strict=is_strict)
    for name, *numbers in steps:
        play.do(name, *numbers)
    return play
