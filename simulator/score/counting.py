"""Count what a policy did to the bookings of a tape, against the truth beside it.

nights opened         nights that a channel has taken, then and now, and the policy holds open: sold twice tomorrow
false cancellations   stays that the policy dropped although the guest or the owner still has their nights
phantoms              stays that the policy made of nights that nobody took, or a second time of the same stay
edits lost            notes of people that are gone although their stay is not, or that another guest's stay has now
conflicts missed      pairs of stays of two channels on one night, at least one a guest's, seen in two good fetches when all
                      channels were right, and not reported from then on
kept closed           free nights that are still held 72 hours and three good fetches after the last body that closed them
events                every stay that appeared, moved or vanished

A platform's own windows are nobody's stay: a policy may close them or not. Stays that a platform shows under a new identity
after a move (Booking.com, VRBO) may become another stay, unless the nights stay the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache

from simulator.model import SimulatedStay, Span
from simulator.score.model import Channel, HeldStay, Policy, Step, Tape
from simulator.score.reading import read_calendar
from simulator.score.worlds import KEEPS_IDENTITY

SINS = ("nights_opened", "false_cancellations", "phantoms", "edits_lost", "conflicts_missed")
COLUMNS = (*SINS, "kept_closed", "events")
AFTERWARDS = timedelta(hours=30)
"""What happens within this time after a fault is put down to it."""
STUCK_AFTER = timedelta(hours=72)
GOOD_FETCHES = 3
NO_FAULT = "none"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was counted: by the platform of the fetch, and by the fault that it came with or after."""

    column: str
    platform: str
    fault: str


@dataclass(slots=True)
class Score:
    """Counts of one policy."""

    counts: Counter[Place] = field(default_factory=Counter)
    changes: int = 0
    notes: int = 0
    """Notes that people wrote."""
    conflicts: int = 0
    """Pairs of stays on one night."""
    fetches: int = 0

    def total(self, column: str, *, platform: str | None = None, fault: str | None = None) -> int:
        """Return the sum of a column, of one platform or fault where given."""
        return sum(
            n
            for place, n in self.counts.items()
            if place.column == column and platform in (None, place.platform) and fault in (None, place.fault)
        )

    def add(self, other: Score) -> None:
        """Add the counts of another tape."""
        self.counts.update(other.counts)
        self.changes += other.changes
        self.notes += other.notes
        self.conflicts += other.conflicts
        self.fetches += other.fetches

    @property
    def events_per_change(self) -> float:
        """Events for each real change."""
        return self.total("events") / max(1, self.changes)


def score(tape: Tape, policy: Policy) -> Score:
    """Play *tape* to *policy* and return its score."""
    scorer = _Scorer(tape, policy)
    try:
        for step in tape.steps:
            scorer.play(step)
    finally:
        policy.close()
    return scorer.score


@dataclass(slots=True)
class _Watch:
    """What is known of one channel so far."""

    now: tuple[SimulatedStay, ...] = ()
    """The truth at the last fetch."""
    shown: tuple[SimulatedStay, ...] = ()
    """The truth at the last good fetch."""
    shown_before: tuple[SimulatedStay, ...] = ()
    windows: frozenset[date] = frozenset()
    view: dict[str, HeldStay] = field(default_factory=dict)
    stands_for: dict[str, str] = field(default_factory=dict)
    """The true stay of each of the policy's stays."""
    notes: dict[str, SimulatedStay] = field(default_factory=dict)
    """Stays with a note, as they were when it was written."""
    ended: dict[str, SimulatedStay] = field(default_factory=dict)
    """Those of them that were cancelled since."""
    good: list[datetime] = field(default_factory=list)
    is_good: bool = False
    """Whether the last fetch was."""
    fault: str = NO_FAULT
    fault_at: datetime | None = None


class _Scorer:
    """Plays steps and counts."""

    def __init__(self, tape: Tape, policy: Policy) -> None:
        self.policy, self.units = policy, tape.units()
        self.watches = {channel.name: _Watch() for channel in tape.channels}
        self.opened: dict[str, set[date]] = defaultdict(set)
        self.missed: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.doubles: set[tuple[str, str]] = set()
        self.excess: dict[str, dict[date, datetime]] = defaultdict(dict)
        self.score = Score(changes=tape.changes, fetches=len(tape.steps))

    def play(self, step: Step) -> None:
        """Hand one fetch to the policy, and count what it did."""
        watch, channel = self.watches[step.fetch.channel.name], step.fetch.channel
        is_first = not watch.good
        self.policy.read(step.fetch)
        watch.now, watch.windows, watch.is_good = step.stays, step.windows, step.is_good
        if step.is_good:
            watch.shown_before, watch.shown = watch.shown, step.stays
            watch.good = [*watch.good, step.fetch.at][-GOOD_FETCHES:]
        self._note_fault(watch, step)
        view = {i: stay for i, stay in self.policy.stays(channel).items() if stay.check_out > step.today}
        if not is_first:
            self._count_stays(watch, step, view)
        self._follow(watch, step, view)
        self._count_notes(watch, step)
        if all(self.watches[c.name].good for c in self.units[channel.unit]):
            self._count_nights(watch, step)
        self._write_note(watch, step)

    def _note_fault(self, watch: _Watch, step: Step) -> None:
        if step.fault:
            watch.fault, watch.fault_at = step.fault, step.fetch.at
        elif watch.fault_at and step.fetch.at - watch.fault_at > AFTERWARDS:
            watch.fault, watch.fault_at = NO_FAULT, None

    def _count(self, column: str, watch: _Watch, step: Step, times: int = 1) -> None:
        if times:
            self.score.counts[Place(column, step.fetch.channel.platform, watch.fault)] += times

    # stays

    def _count_stays(self, watch: _Watch, step: Step, view: Mapping[str, HeldStay]) -> None:
        """Count the stays that appeared, moved and vanished since the last fetch."""
        before = {i: stay for i, stay in watch.view.items() if stay.check_out > step.today}
        vanished, appeared = before.keys() - view.keys(), view.keys() - before.keys()
        moved = sum(_span(view[i]) != _span(before[i]) for i in view.keys() & before.keys())
        self._count("events", watch, step, len(vanished) + len(appeared) + moved)
        truth = {stay.id: stay for stay in step.stays}
        false = sum(_is_false_cancellation(watch, before, i, truth, step) for i in vanished)
        self._count("false_cancellations", watch, step, false)
        self._count("phantoms", watch, step, sum(_is_phantom(watch, before, view[i], step) for i in appeared))

    def _follow(self, watch: _Watch, step: Step, view: dict[str, HeldStay]) -> None:
        """Find out which true stay each of the policy's stays stands for, where it is new or moved."""
        for stay_id, stay in view.items():
            known = watch.view.get(stay_id)
            if known is None or _span(known) != _span(stay):
                found = _true_stay(stay, step, watch.stands_for.get(stay_id))
                watch.stands_for[stay_id] = found.id if found else ""
        watch.view = view

    # notes

    def _write_note(self, watch: _Watch, step: Step) -> None:
        """Write the note of this step, if the policy has the stay."""
        stay_id = next((i for i in watch.view if watch.stands_for.get(i) == step.note_on), None)
        true = next((stay for stay in step.stays if stay.id == step.note_on), None)
        if stay_id is None or true is None:
            return
        self.policy.write_note(step.fetch.channel, stay_id, _note(true))
        watch.notes[true.id] = true
        self.score.notes += 1

    def _count_notes(self, watch: _Watch, step: Step) -> None:
        """Count the notes that are lost, and those that another guest's stay has."""
        truth = {stay.id: stay for stay in step.stays}
        carriers = {stay.note: i for i, stay in watch.view.items() if stay.note}
        for noted in list(watch.notes.values()):
            true = truth.get(noted.id)
            if true is None or true.check_out <= step.today or not _is_still_known(noted, true, step):
                watch.ended[noted.id] = watch.notes.pop(noted.id)
            elif _note(noted) not in carriers:
                del watch.notes[noted.id]
                self._count("edits_lost", watch, step)
        for noted in list(watch.ended.values()):
            carrier = carriers.get(_note(noted))
            heir = watch.stands_for.get(carrier, "") if carrier else ""
            if heir in truth and heir != noted.id and step.fetch.channel.platform in KEEPS_IDENTITY:
                del watch.ended[noted.id]
                self._count("edits_lost", watch, step)

    # nights

    def _count_nights(self, watch: _Watch, step: Step) -> None:
        """Count the nights of the unit that are open, taken twice and not reported, or closed for nobody."""
        name = step.fetch.channel.unit
        channels = self.units[name]
        held = self.policy.held(channels)
        taken = {n for c in channels for n in self._taken(c, step.today)}
        opened = taken - held
        self._count("nights_opened", watch, step, len(opened - self.opened[name]))
        self.opened[name] = opened
        self._count_conflicts(watch, step, channels)
        self._count_excess(watch, step, {n for n in held if n >= step.today})

    def _taken(self, channel: Channel, today: date) -> frozenset[date]:
        """Return the nights that are taken now and were at the last good fetch."""
        watch = self.watches[channel.name]
        return _nights_of(watch.now, today) & _nights_of(watch.shown, today)

    def _count_conflicts(self, watch: _Watch, step: Step, channels: Sequence[Channel]) -> None:
        sure = [self._taken(c, step.today) & _nights_of(self.watches[c.name].shown_before, step.today) for c in channels]
        times = Counter(night for nights in sure for night in nights)
        double = {night for night, count in times.items() if count > 1}
        pairs = set(self._pairs(channels, double))
        if all(self.watches[c.name].is_good for c in channels):
            self.score.conflicts += len(pairs - self.doubles)
            self.doubles |= pairs
        missing = double - self.policy.conflicts(channels) if double else set()
        missed = set(self._pairs(channels, missing)) & self.doubles
        unit = step.fetch.channel.unit
        self._count("conflicts_missed", watch, step, len(missed - self.missed[unit]))
        self.missed[unit] = missed

    def _pairs(self, channels: Sequence[Channel], nights: Iterable[date]) -> Iterator[tuple[str, str]]:
        """Yield the stays of different channels that share one of *nights*, but for two closures of the owner."""
        for night in nights:
            stays = [s for c in channels for s in self.watches[c.name].now if s.check_in <= night < s.check_out]
            pairs = ((a, b) for a in stays for b in stays if a.feed < b.feed)
            yield from ((a.id, b.id) for a, b in pairs if "reservation" in (a.kind, b.kind))

    def _count_excess(self, watch: _Watch, step: Step, held: set[date]) -> None:
        """Count nights that are held for nobody, and have been for too long."""
        unit, at = step.fetch.channel.unit, step.fetch.at
        watches = [self.watches[c.name] for c in self.units[unit]]
        free = held - {n for w in watches for n in w.windows | _nights_of(w.now, step.today) | _nights_of(w.shown, step.today)}
        shown = _nights_in(step.fetch.response.body) if step.fault else frozenset()
        known = self.excess[unit]
        since = {night: at if night in shown else known.get(night, at) for night in free}
        agreed = min(w.good[0] for w in watches)
        is_stuck = [n for n, start in since.items() if at - start > STUCK_AFTER and agreed > start]
        # counted once: from now on the night is beyond every limit
        self._count("kept_closed", watch, step, len(is_stuck))
        self.excess[unit] = {**since, **dict.fromkeys(is_stuck, datetime.max.replace(tzinfo=at.tzinfo))}


def _is_false_cancellation(
    watch: _Watch, before: Mapping[str, HeldStay], stay_id: str, truth: Mapping[str, SimulatedStay], step: Step
) -> bool:
    """Return whether the stay that vanished is still somebody's, and was the only one that stood for it."""
    true = truth.get(watch.stands_for.get(stay_id, ""))
    if true is None or true.check_out <= step.today or not _is_same(before[stay_id], true, step):
        return False
    return not any(i != stay_id and watch.stands_for.get(i) == true.id for i in before)


def _is_phantom(watch: _Watch, before: Mapping[str, HeldStay], stay: HeldStay, step: Step) -> bool:
    """Return whether nobody took the nights of a stay that appeared, or another stay stood for them already."""
    true = _true_stay(stay, step)
    if true is None:
        return True
    return any(watch.stands_for.get(i) == true.id and _is_same(old, true, step) for i, old in before.items())


def _is_same(stay: HeldStay, true: SimulatedStay, step: Step) -> bool:
    """Return whether the feed lets everyone know that *stay* is *true*: by its identity, or by its nights."""
    return step.fetch.channel.platform in KEEPS_IDENTITY or stay.nights(step.today) <= _nights_of((true,), step.today)


def _is_still_known(noted: SimulatedStay, true: SimulatedStay, step: Step) -> bool:
    """Return whether a stay with a note is the same by its identity or by its nights."""
    return step.fetch.channel.platform in KEEPS_IDENTITY or _span(noted) == _span(true)


def _true_stay(stay: HeldStay, step: Step, known: str | None = None) -> SimulatedStay | None:
    """Return the true stay with which *stay* shares most of its coming nights, at least half; *known* where two are equal."""
    mine = stay.nights(step.today)
    shared = [(len(mine & _nights_of((true,), step.today)), true.id == known, true) for true in step.stays]
    best = max(shared, key=lambda row: row[:2], default=None)
    return best[2] if best and best[0] * 2 >= len(mine) and best[0] else None


def _note(stay: SimulatedStay) -> str:
    return f"note on {stay.id}"


def _span(stay: HeldStay | SimulatedStay) -> Span:
    return Span(stay.check_in, stay.check_out)


@lru_cache(maxsize=4096)
def _nights_between(start: date, end: date) -> frozenset[date]:
    return frozenset(Span(start, end).nights())


def _nights_of(stays: Iterable[SimulatedStay], today: date) -> frozenset[date]:
    """Return the nights of *stays* from *today* on."""
    spans = (_nights_between(max(s.check_in, today), s.check_out) for s in stays if s.check_out > today)
    return frozenset().union(*spans)


def _nights_in(body: bytes) -> frozenset[date]:
    events = read_calendar(body) or ()
    return frozenset().union(*(_nights_between(event.check_in, event.check_out) for event in events))
