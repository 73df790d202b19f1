"""Cancellation by evidence: what a feed no longer shows, and when that is accepted."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.ical.entries import Status
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Presence
from bokit.core.model.source_rules import Verdict
from tests.support.simulated_source import SimulatedSource, closure, kinds, nights_of, only, reasons, reservation, window

MARK_MISSING, CLEAR_MISSING, CANCEL, CREATE, UPDATE = (
    ActionKind.MARK_MISSING,
    ActionKind.CLEAR_MISSING,
    ActionKind.CANCEL,
    ActionKind.CREATE,
    ActionKind.UPDATE,
)
A, B, C, D = (reservation(f"HM{name * 8}", n, n + 4) for name, n in (("A", 10), ("B", 20), ("C", 30), ("D", 40)))
TWO = (closure(40, 44), closure(50, 52))


def test_a_missing_stay_is_held_for_a_day_and_then_cancelled_on_time():
    """Missing since the first fetch without it, held until a day later, then cancelled; the plan says when."""
    source = SimulatedSource("airbnb")
    source.see(A, B)

    plan = source.see(B)

    assert kinds(plan) == [MARK_MISSING]
    assert plan.settle_at == source.at + timedelta(hours=24)
    assert source.stays()[0].missing_since == source.at
    assert kinds(source.see(B, hours=23.9)) == []
    assert nights_of(10, 14) <= source.held()
    assert kinds(source.see(B, hours=0.1)) == [CANCEL]
    gone = only(source.stays(Presence.GONE))
    assert (gone.remote["status"], gone.gone_reason, gone.gone_at) == (Status.VANISHED, "gone from the feed", source.at)
    assert not nights_of(10, 14) & source.held()


def test_two_fetches_are_needed_however_short_the_wait():
    """With no wait at all, one fetch alone still cancels nothing."""
    source = SimulatedSource("airbnb", cancel_after=timedelta(0))
    source.see(A, B)

    assert kinds(source.see(B)) == [MARK_MISSING]
    assert kinds(source.see(B)) == [CANCEL]


def test_a_stay_that_is_back_before_is_found_and_nothing_else():
    """A stay that is shown again within the wait is found, and its clock starts again."""
    source = SimulatedSource("airbnb")
    source.see(A, B)
    source.see(B)

    assert kinds(source.see(A, B, hours=23)) == [CLEAR_MISSING]
    assert kinds(source.see(B)) == [MARK_MISSING]
    assert kinds(source.see(B, hours=20)) == []


def test_a_past_stay_is_never_cancelled():
    """A stay that is over drops out of the feed, and stays what it was."""
    source = SimulatedSource("airbnb")
    source.see(reservation("HMAAAAAAAA", 0, 1), B)

    source.see(B, hours=48)
    source.see(B, hours=48)

    assert len(source.stays(Presence.PRESENT)) == 2


def test_the_source_may_say_that_a_stay_is_cancelled():
    """STATUS:CANCELLED cancels at once; a past stay and an unknown one are left alone."""
    source = SimulatedSource("generic")
    past, coming, other = closure(-4, -2, uid="p"), closure(10, 14, uid="a"), closure(20, 24, uid="b")
    source.see(past, coming, other)

    gone = [closure(n, m, uid=u, status=Status.CANCELLED) for n, m, u in ((-4, -2, "p"), (10, 14, "a"), (70, 74, "z"))]
    plan = source.see(*gone, other)

    assert (kinds(plan), reasons(plan)) == ([CANCEL], ["the source says that it is cancelled"])
    assert only(source.stays(Presence.GONE)).remote["status"] == Status.CANCELLED
    assert kinds(source.see(*gone, other)) == []


def test_a_partial_feed_cancels_nothing_that_it_says_is_cancelled():
    """Nothing is cancelled from a feed that was read in part."""
    source = SimulatedSource("generic")
    source.see(closure(10, 14, uid="a"), closure(20, 24, uid="b"))

    plan = source.see(closure(10, 14, uid="a", status=Status.CANCELLED), closure(20, 24, uid="b"), verdict=Verdict.PARTIAL)

    assert kinds(plan) == []


def test_another_reservation_on_the_same_nights_cancels_at_once():
    """Two guests cannot both be right: where other codes hold all of its nights, a missing code is cancelled."""
    source = SimulatedSource("airbnb")
    source.see(A, B)

    plan = source.see(reservation("HMCCCCCCCC", 9, 12), reservation("HMDDDDDDDD", 12, 15), B)

    assert kinds(plan) == [CANCEL, CREATE, CREATE]
    assert "another reservation holds its nights" in reasons(plan)


def test_another_reservation_on_some_of_the_nights_is_not_proof():
    """Where a night of a missing code is not taken, it waits as any other."""
    source = SimulatedSource("airbnb")
    source.see(A, B)

    assert kinds(source.see(reservation("HMCCCCCCCC", 10, 13), B)) == [CREATE, MARK_MISSING]
    assert nights_of(10, 14) <= source.held()


def test_a_shortened_codeless_stay_keeps_its_tail_for_a_day():
    """The feed shortens a closure: its tail is held until it was open for a day, then the stay is shorter."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)

    assert kinds(source.see(closure(10, 15), *TWO)) == []
    assert kinds(source.see(closure(10, 15), *TWO, hours=23)) == []
    assert nights_of(10, 20) <= source.held()
    plan = source.see(closure(10, 15), *TWO, hours=1)

    assert kinds(plan) == [UPDATE]
    assert source.spans()[0] == (10, 15)


def test_a_tail_that_closes_again_was_never_open():
    """The tail comes back within the day: nothing changes, and its clock starts again."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)
    source.see(closure(10, 15), *TWO)

    assert kinds(source.see(closure(10, 20), *TWO, hours=20)) == []
    source.see(closure(10, 15), *TWO, hours=1)
    source.see(closure(10, 15), *TWO, hours=20)
    assert source.spans()[0] == (10, 20)


def test_a_tail_that_another_entry_takes_goes_at_once():
    """Nights that another entry closes in the same feed are no longer the shortened stay's."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)

    source.see(closure(10, 15), closure(15, 20, uid="other@booking.com"), *TWO)

    assert (10, 15) in source.spans() or (15, 20) in source.spans()
    assert nights_of(10, 20) <= source.held()


def test_a_coded_stay_is_shortened_at_once():
    """A code says which stay it is: its tail is free at once."""
    source = SimulatedSource("airbnb")
    source.see(A, B)

    source.see(reservation("HMAAAAAAAA", 10, 12), B)

    assert source.spans() == [(10, 12), (20, 24)]


def test_ripe_nights_of_a_missing_stay_go_one_by_one():
    """A stay that shrank and then vanished loses the nights that were open first first."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)
    source.see(closure(15, 20), *TWO)
    source.see(*TWO, hours=12)

    plan = source.see(*TWO, hours=13)

    assert kinds(plan) == [UPDATE]
    assert source.spans()[0] == (15, 20)
    assert kinds(source.see(*TWO, hours=12)) == [CANCEL]


def test_a_missing_stay_with_both_ends_open_keeps_its_arrival_while_it_waits():
    """As long as no night is ripe, a missing stay's dates are as they were."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)
    source.see(*TWO)

    assert source.spans()[0] == (10, 20)


def test_a_contradicted_fetch_proves_nothing():
    """A stay is back unchanged: the fetches without it were incomplete, so others begin their wait again."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(C, D)

    source.see(B, C, D, hours=23)
    assert kinds(source.see(B, C, D, hours=2)) == []
    assert kinds(source.see(B, C, D, hours=22)) == [CANCEL]


def test_a_wait_that_began_before_the_contradicted_fetch_goes_on():
    """What was missing before the incomplete fetch is not helped by it."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(B, C, D)
    source.see(C, D, hours=12)
    source.see(B, C, D, hours=1)

    assert kinds(source.see(B, C, D, hours=11)) == [CANCEL]


def test_a_fetch_that_misses_more_than_the_last_does_not_agree_with_it():
    """A stay whose wait ends in a fetch that misses others as well waits half as long again."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(B, C, D)

    assert kinds(source.see(C, D, hours=24)) == [MARK_MISSING]
    assert kinds(source.see(C, D, hours=1)) == [CANCEL]


def test_a_closure_that_is_joined_makes_no_fetch_disagree():
    """The nights of one stay are shown within another's: what was missing before is cancelled, and the next plan is empty."""
    source = SimulatedSource("booking_com")
    far = [closure(50 + 10 * n, 52 + 10 * n) for n in range(3)]
    source.see(closure(5, 8), closure(20, 24), closure(24, 30), *far)
    source.see(closure(20, 24), closure(24, 30), *far)

    plan = source.see(closure(20, 30), *far, hours=24)

    assert kinds(plan) == [CANCEL, ActionKind.MERGE, ActionKind.UPDATE]
    assert source.see(closure(20, 30), *far, hours=0).actions == ()


def test_disagreement_holds_no_stay_for_ever():
    """Half as long again is the end of it, whatever else is missing."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(B, C, D)

    assert kinds(source.see(C, D, hours=36)) == [CANCEL, MARK_MISSING]


def test_after_a_doubtful_fetch_daily_fetches_must_agree_thrice():
    """A source that was held lately needs a third fetch where two lie just a day apart; a little more apart, two do."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(verdict=Verdict.UNREADABLE, hours=24)
    source.see(B, C, D, hours=24)
    assert kinds(source.see(B, C, D, hours=24)) == []
    assert kinds(source.see(B, C, D, hours=24)) == [CANCEL]
    source.see(verdict=Verdict.UNREADABLE, hours=24)
    source.see(C, D, hours=24)
    assert kinds(source.see(C, D, hours=25)) == [CANCEL]


def test_the_doubt_of_a_source_ends():
    """Three days after the last doubtful fetch two agreeing ones are enough again, a day apart."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(verdict=Verdict.UNREADABLE)
    source.see(A, B, C, D, hours=49)
    source.see(B, C, D)

    assert kinds(source.see(B, C, D, hours=24)) == [CANCEL]


def test_a_doubtful_source_is_judged_again_at_each_fetch():
    """While fetches are counted, an unchanged one counts: the plan settles at once."""
    source = SimulatedSource("airbnb")
    source.see(A, B, C, D)
    source.see(verdict=Verdict.UNREADABLE)

    assert source.see(B, C, D).settle_at == source.at


def test_window_nights_are_released_by_evidence():
    """A window that opens is held for a day more; what passed or was taken over is released at once."""
    source = SimulatedSource("airbnb")
    source.see(window(1, 3), A)

    plan = source.see(window(2, 3), A, hours=24)
    assert plan.settle_at is not None
    source.see(A, hours=1)
    assert nights_of(2, 3) <= source.held()
    source.see(A, hours=6)
    source.see(A, hours=18)
    assert source.window().remote["status"] == Status.VANISHED


def test_a_new_only_look_touches_nothing_known():
    """With new_only what is new is created, and nothing else changes, is missed or remembered."""
    source = SimulatedSource("airbnb")
    source.see(A, B)
    before = source.memory

    plan = source.see(reservation("HMAAAAAAAA", 11, 15), C, new_only=True)

    assert kinds(plan) == [CREATE]
    assert source.memory == before
    assert source.spans() == [(10, 14), (20, 24), (30, 34)]


def test_midnight_asks_for_a_plan_where_there_is_a_window():
    """A source with a window is planned again at the unit's next midnight, one without is left alone."""
    source = SimulatedSource("airbnb")

    assert source.see(A).settle_at is None
    settle_at = source.see(A, window(300, 366)).settle_at
    assert (settle_at.hour, settle_at - source.at < timedelta(hours=24)) == (0, True)
