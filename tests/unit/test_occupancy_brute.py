"""Random calendars of several sources against a naive count over nights: no conflict missed, none invented.

The count below shares nothing with the product but the record: it takes every night by itself, compares every pair, joins the
pairs one by one, and knows of each booking what the generator meant by it.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import combinations

import pytest

from bokit.core.model.records import Presence
from bokit.core.occupancy.conflicts import find_conflicts
from bokit.core.occupancy.occupancy import read_occupancy
from tests.support.random_calendars import DAY, HOUR, NOON, Made, make_calendar

FADES = timedelta(hours=36)
CALENDARS, SEEDS = 5000, 10
OWN_GUESTS = {"airbnb", "vrbo", "booking_com"}


class Naive:
    """The same questions, night by night and pair by pair."""

    def __init__(self, made, today, turnover) -> None:
        self.today, self.turnover = today, turnover
        self.gone = [m for m in made if m.left_at and max(m.nights) >= today]
        held = [m for m in made if not m.left_at and m.record.remote["status"] not in ("cancelled", "inquiry")]
        self.held = sorted(held, key=lambda m: (m.may_echo, m.seen, m.id))
        self.groups: list[list[Made]] = []
        for m in self.held:
            self.place(m)
        self.known: dict[tuple[str, str, date], object] = {}
        self.state = {m.id: self.judge(m) if m.may_echo else "own" for m in self.held}
        self.roots = {m.id: self.roots_of(m) for m in self.held if self.state[m.id] == "echo"}

    # ── joint ──

    def place(self, m):
        fit = [g for g in self.groups if m.kind == "reservation" and not m.may_echo and all(self.fits(m, o) for o in g)]
        same_ref = [g for g in fit if any(set(m.refs.items()) & set(o.refs.items()) for o in g)]
        same_nights = [g for g in fit if any(m.nights == o.nights for o in g) and all(self.one(m, o) for o in g)]
        for groups in (same_ref, same_nights):
            if groups:
                groups[0].append(m)
                return
        self.groups.append([m])

    def fits(self, m, o):
        if o.kind != "reservation" or o.may_echo or o.unit != m.unit or o.source == m.source:
            return False
        return not self.contradict(m, o)

    def contradict(self, m, o):
        if set(m.refs.items()) & set(o.refs.items()):
            return False
        if set(m.refs) & set(o.refs):
            return True
        channels = [self.channel(m), self.channel(o)]
        if None not in channels and channels[0] != channels[1]:
            return True
        return bool(m.guest and o.guest and m.guest != o.guest)

    def channel(self, m):
        return m.platform if m.platform in OWN_GUESTS else "airbnb" if m.refs else None

    def one(self, m, o):
        if set(m.refs.items()) & set(o.refs.items()):
            return True
        if "hand" in (m.platform, o.platform):
            return m.guest is not None and m.guest == o.guest
        return not {m.platform, o.platform} <= OWN_GUESTS

    # ── echoes ──

    def linked(self, one, other):
        return one == other or ("unit_villa" in (one, other) and "unit_hut" not in (one, other))

    def judged(self, m):
        return {n for n in m.nights if n >= self.today} or m.nights

    def judge(self, m):
        rest = [n for n in self.judged(m) if not self.holders(m, n)]
        return "echo" if not rest else "fading" if all(self.fades_since(m, n) for n in rest) else "own"

    def fades(self, m):
        return {n for n in self.judged(m) if m.may_echo and self.fades_since(m, n)}

    def roots_of(self, m):
        """Return whom *m* repeats in the end, over any chain, night by night."""
        found = set()
        for n in self.judged(m):
            chain = [m]
            for one in chain:
                chain += [o for o in self.onward(one, n) if o not in chain]
            found |= {o.id for o in chain[1:] if not self.onward(o, n)}
        return found

    def onward(self, m, n):
        return self.holders(m, n) if m.may_echo and n in self.judged(m) else []

    def near(self, m, n):
        """Return the others that *m* may repeat in this night, what fades among them."""
        beside = [o for o in self.held if n in o.nights and o.source != m.source and self.linked(m.unit, o.unit)]
        ahead = [o for o in beside if not o.may_echo or self.rank(o, n) < self.rank(m, n)]
        return [o for o in ahead if not self.was_before(m, o, n)]

    def rank(self, m, n):
        """Return when *m* counts as the first to hold the night: of a first fetch, a reservation comes before a block."""
        return self.own_since(m, n) + HOUR / 2 * (m.kind == "block" and m.times[n][1] is None), m.id

    def remember(self, what, m, n, find):
        if (what, m.id, n) not in self.known:
            self.known[what, m.id, n] = find()
        return self.known[what, m.id, n]

    def holders(self, m, n):
        return self.remember("holders", m, n, lambda: self.find_holders(m, n))

    def find_holders(self, m, n):
        held = [o for o in self.near(m, n) if not (o.may_echo and self.fades_since(o, n))]
        return [o for o in held if not self.sold_itself(m, self.original(o, n), n)]

    def original(self, m, n):
        """Return what *m* repeats in this night in the end, of several the first; itself, if it repeats nothing."""
        holders = sorted(self.holders(m, n), key=lambda o: (o.may_echo, o.seen, o.id)) if m.may_echo else []
        return self.original(holders[0], n) if holders else m

    def sold_itself(self, m, o, n):
        """Return whether the source of *m*, when it closed this night, left another night open that *o* held alone."""
        seen, after = m.times[n]
        there = [k for k in o.nights if k > self.today and (after is None or o.times[k][0] <= max(seen, o.seen))]
        there = [k for k in there if not self.closes(m.source, k, max(seen, o.times[k][0]))]
        return any(not o.may_echo or (self.rank(o, k) < self.rank(m, n) and self.is_alone(o, k)) for k in there)

    def closes(self, source, n, since):
        """Return whether *source* closes the night, and had not left it open for two fetches *since*."""
        rows = [x.times[n][1] for x in self.held if x.source == source and n in x.nights]
        return any(after is None or after <= since for after in rows)

    def is_alone(self, m, n):
        return not self.holders(m, n) and not self.fades_since(m, n)

    def fades_since(self, m, n):
        """Return since when what *m* repeated in this night is gone; None: somebody holds it, or it repeated nothing lately."""
        return self.remember("fades", m, n, lambda: self.find_fading(m, n))

    def find_fading(self, m, n):
        if self.holders(m, n) or n < self.today or n not in self.judged(m):
            return None
        left = [g.left_at for g in self.gone if n in g.nights and self.repeated(m, g, n) and not self.was_before(m, g, n)]
        left += [self.fades_since(o, n) for o in self.near(m, n) if o.may_echo and m.times[n][1]]
        shown_until = NOON if m.record.presence is Presence.PRESENT else m.record.missing_since
        return max((at for at in left if at and at + FADES > shown_until), default=None)

    def repeated(self, m, gone, n):
        """Return whether *m* was there when the other went, and may have repeated it."""
        seen, after = m.times[n]
        there = after is not None and seen < gone.left_at
        beside = gone.source != m.source and self.linked(m.unit, gone.unit)
        return there and beside and not self.left_open(m, gone, n)

    def left_open(self, m, gone, n):
        """Return whether the source of *m*, which had time to import the other whole, left nights of it open."""
        latest = max(m.times[n][0], gone.seen)
        there = [k for k in gone.nights if k > self.today and gone.times[k][0] <= latest]
        return any(not self.closes(m.source, k, latest) for k in there)

    def was_before(self, m, o, n):
        """Return whether *m* held the night for itself before the other's source showed it closed."""
        after = o.times[n][1]
        return after is not None and self.own_since(m, n) <= after

    def own_since(self, m, n):
        """Return since when *m* holds the night for itself: what repeated another outlives it by a day first."""
        since = m.times[n][0]
        for gone in sorted(self.gone, key=lambda g: g.left_at):
            if n in gone.nights and self.repeated(m, gone, n):
                after = gone.times[n][1]
                since = since if after and since <= after else max(since, gone.left_at + FADES)
        return since

    # ── conflicts ──

    def conflicts(self, known=None):
        """Return the groups: the bookings' ids, their nights, and whether they are only too near to each other."""
        shared, near = [], []
        for one, other in combinations(self.groups, 2):
            if known is not None and not self.counts(one, other, known):
                continue
            pairs = [(m, o) for m in one for o in other if self.meets(m, o)]
            ids = one[0].id, other[0].id
            together = {n for m, o in pairs for n in self.own(m) & self.own(o) if n >= self.today}
            shared += [({ids[0]}, {ids[1]}, together)] if together else []
            for m, o in pairs:
                if not any(n >= self.today for n in self.own(m) & self.own(o)):
                    for leaves, arrives in ((m, o), (o, m)):
                        nights = {n for n in self.too_near(leaves, arrives) if n >= self.today}
                        roles = {("leaves", self.head(leaves))}, {("arrives", self.head(arrives))}
                        near += [(*roles, nights)] if nights else []
        groups = [(ids, nights, False) for ids, nights in self.join(shared)]
        for roles, nights in self.join(near):
            ids = {booking for _, booking in roles}
            groups += [] if any(ids <= others for others, _, is_near in groups if not is_near) else [(ids, nights, True)]
        return sorted((tuple(sorted(ids)), tuple(sorted(nights)), is_near) for ids, nights, is_near in groups)

    def join(self, pairs):
        """Join pairs that have a member in common, one after the other."""
        groups = []
        for one, other, nights in pairs:
            mine = [g for g in groups if g[0] & (one | other)]
            groups = [g for g in groups if g not in mine]
            groups.append((one.union(other, *[g[0] for g in mine]), nights.union(*[g[1] for g in mine])))
        return groups

    def head(self, m):
        return next(g[0].id for g in self.groups if m in g)

    def counts(self, one, other, known):
        """Return whether two bookings may conflict: who is missing stays in the conflicts that it is in, and joins no other."""
        if not any(all(m.record.presence is Presence.MISSING for m in group) for group in (one, other)):
            return True
        return any(ids & {m.id for m in one} and ids & {m.id for m in other} for ids in known)

    def meets(self, m, o):
        if {self.state[m.id], self.state[o.id]} != {"own"} or not self.linked(m.unit, o.unit):
            return False
        if m.kind == o.kind == "block":
            return False
        named = all(x.refs or x.guest for x in (m, o))
        return m.source is None or m.source != o.source or (named and self.contradict(m, o))

    def own(self, m):
        return m.nights - self.fades(m)

    def too_near(self, m, o):
        """Return the nights of *o* within the days that the departure of *m* takes."""
        if "block" in (m.kind, o.kind):
            return set()
        days = self.turnover.get(m.unit, 0)
        return {n for n in self.own(o) if any(n - DAY * d in self.own(m) for d in range(days + 1))}


def shape(conflicts):
    """Return conflicts as the naive count has them."""
    return sorted((tuple(sorted(c.bookings)), c.nights, c.is_turnover) for c in conflicts)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_conflict_is_missed_and_none_invented(seed):
    """Over 5,000 random calendars, conflicts, their nights, echoes and joint bookings are those of a naive count."""
    rng = random.Random(seed)
    seen = dict.fromkeys(("conflict", "turnover", "group", "doubted", "echo", "fading", "joint"), 0)
    for number in range(CALENDARS // SEEDS):
        units, made, today, turnover = make_calendar(rng)
        naive = Naive(made, today, turnover)

        occupancy = read_occupancy(units, [m.record for m in made], today=today, at=NOON)
        found = find_conflicts(occupancy, turnover)

        bookings = {b.id: b for b in occupancy.bookings}
        assert sorted(tuple(r.id for r in b.records) for b in bookings.values()) == sorted(
            tuple(m.id for m in g) for g in naive.groups
        ), (seed, number)
        assert {r.id: str(b.state) for b in bookings.values() for r in b.records} == naive.state, (seed, number)
        assert shape(found) == naive.conflicts(), (seed, number)
        assert len({c.id_of() for c in found}) == len(found), (seed, number)
        known = [{m.id for m in rng.sample(made, rng.randint(1, len(made)))} for _ in range(rng.randint(0, 2))]
        doubted = find_conflicts(occupancy, turnover, known)
        assert shape(doubted) == naive.conflicts(known), (seed, number)
        seen["group"] += sum(len(c.bookings) > 2 for c in found)
        seen["doubted"] += shape(doubted) != shape(found)
        fading = {r.id: set(b.grid.nights(b.verdict.fades)) for b in bookings.values() for r in b.records}
        assert fading == {m.id: naive.fades(m) for m in naive.held}, (seed, number)
        heads = {m.id: g[0].id for g in naive.groups for m in g}
        for booking_id, roots in naive.roots.items():
            assert bookings[booking_id].echo_of, "an echo names what it repeats"
            assert set(bookings[booking_id].echo_of) <= {heads[r] for r in roots}, (seed, number)
        seen["conflict"] += len(found)
        seen["turnover"] += sum(c.is_turnover for c in found)
        seen["joint"] += sum(len(b.records) > 1 for b in bookings.values())
        seen["echo"] += sum(str(b.state) == "echo" for b in bookings.values())
        seen["fading"] += sum(map(bool, fading.values()))
    assert all(seen.values()), seen
