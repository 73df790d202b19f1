"""Cancellation by evidence: what a feed no longer shows, and when that is believed."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.ical.entries import Status
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Presence
from bokit.core.model.source_rules import Verdict
from tests.unit.plays import Play, closure, kinds, nights_of, only, reasons, reservation, window

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
    play = Play("airbnb")
    play.see(A, B)

    plan = play.see(B)

    assert kinds(plan) == [MARK_MISSING]
    assert plan.settle_at == play.at + timedelta(hours=24)
    assert play.stays()[0].missing_since == play.at
    assert kinds(play.see(B, hours=23.9)) == []
    assert nights_of(10, 14) <= play.held()
    assert kinds(play.see(B, hours=0.1)) == [CANCEL]
    gone = only(play.stays(Presence.GONE))
    assert (gone.remote["status"], gone.gone_reason, gone.gone_at) == (Status.VANISHED, "gone from the feed", play.at)
    assert not nights_of(10, 14) & play.held()


def test_two_fetches_are_needed_however_short_the_wait():
    """With no wait at all, one fetch alone still cancels nothing."""
    play = Play("airbnb", cancel_after=timedelta(0))
    play.see(A, B)

    assert kinds(play.see(B)) == [MARK_MISSING]
    assert kinds(play.see(B)) == [CANCEL]


def test_a_stay_that_is_back_before_is_found_and_nothing_else():
    """A stay that is shown again within the wait is found, and its clock starts again."""
    play = Play("airbnb")
    play.see(A, B)
    play.see(B)

    assert kinds(play.see(A, B, hours=23)) == [CLEAR_MISSING]
    assert kinds(play.see(B)) == [MARK_MISSING]
    assert kinds(play.see(B, hours=20)) == []


def test_a_past_stay_is_never_cancelled():
    """A stay that is over drops out of the feed, and stays what it was."""
    play = Play("airbnb")
    play.see(reservation("HMAAAAAAAA", 0, 1), B)

    play.see(B, hours=48)
    play.see(B, hours=48)

    assert len(play.stays(Presence.PRESENT)) == 2


def test_the_source_may_say_that_a_stay_is_cancelled():
    """STATUS:CANCELLED cancels at once, in the source's own word; a past stay and an unknown one are left alone."""
    play = Play("generic")
    past, coming, other = closure(-4, -2, uid="p"), closure(10, 14, uid="a"), closure(20, 24, uid="b")
    play.see(past, coming, other)

    gone = [closure(n, m, uid=u, status=Status.CANCELLED) for n, m, u in ((-4, -2, "p"), (10, 14, "a"), (70, 74, "z"))]
    plan = play.see(*gone, other)

    assert (kinds(plan), reasons(plan)) == ([CANCEL], ["the source says that it is cancelled"])
    assert only(play.stays(Presence.GONE)).remote["status"] == Status.CANCELLED
    assert kinds(play.see(*gone, other)) == []


def test_a_partial_feed_cancels_nothing_that_it_says_is_cancelled():
    """Nothing is cancelled from a feed that was read in part."""
    play = Play("generic")
    play.see(closure(10, 14, uid="a"), closure(20, 24, uid="b"))

    plan = play.see(closure(10, 14, uid="a", status=Status.CANCELLED), closure(20, 24, uid="b"), verdict=Verdict.PARTIAL)

    assert kinds(plan) == []


def test_another_reservation_on_the_same_nights_cancels_at_once():
    """Two guests cannot both be right: where other codes hold all of its nights, a missing code is cancelled."""
    play = Play("airbnb")
    play.see(A, B)

    plan = play.see(reservation("HMCCCCCCCC", 9, 12), reservation("HMDDDDDDDD", 12, 15), B)

    assert kinds(plan) == [CANCEL, CREATE, CREATE]
    assert "another reservation holds its nights" in reasons(plan)


def test_another_reservation_on_some_of_the_nights_is_no_proof():
    """Where a night of a missing code is not taken, it waits as any other."""
    play = Play("airbnb")
    play.see(A, B)

    assert kinds(play.see(reservation("HMCCCCCCCC", 10, 13), B)) == [CREATE, MARK_MISSING]
    assert nights_of(10, 14) <= play.held()


def test_a_shortened_codeless_stay_keeps_its_tail_for_a_day():
    """The feed shortens a closure: its tail is held until it was open for a day, then the stay is shorter."""
    play = Play()
    play.see(closure(10, 20), *TWO)

    assert kinds(play.see(closure(10, 15), *TWO)) == []
    assert kinds(play.see(closure(10, 15), *TWO, hours=23)) == []
    assert nights_of(10, 20) <= play.held()
    plan = play.see(closure(10, 15), *TWO, hours=1)

    assert kinds(plan) == [UPDATE]
    assert play.spans()[0] == (10, 15)


def test_a_tail_that_closes_again_was_never_open():
    """The tail comes back within the day: nothing changes, and its clock starts again."""
    play = Play()
    play.see(closure(10, 20), *TWO)
    play.see(closure(10, 15), *TWO)

    assert kinds(play.see(closure(10, 20), *TWO, hours=20)) == []
    play.see(closure(10, 15), *TWO, hours=1)
    play.see(closure(10, 15), *TWO, hours=20)
    assert play.spans()[0] == (10, 20)


def test_a_tail_that_another_entry_takes_goes_at_once():
    """Nights that another entry closes in the same feed are no longer the shortened stay's."""
    play = Play()
    play.see(closure(10, 20), *TWO)

    play.see(closure(10, 15), closure(15, 20, uid="other"), *TWO)

    assert (10, 15) in play.spans() or (15, 20) in play.spans()
    assert nights_of(10, 20) <= play.held()


def test_a_coded_stay_is_shortened_at_once():
    """A code says which stay it is: its tail is free at once."""
    play = Play("airbnb")
    play.see(A, B)

    play.see(reservation("HMAAAAAAAA", 10, 12), B)

    assert play.spans() == [(10, 12), (20, 24)]


def test_ripe_nights_of_a_missing_stay_go_one_by_one():
    """A stay that shrank and then vanished loses the nights that were open first first."""
    play = Play()
    play.see(closure(10, 20), *TWO)
    play.see(closure(15, 20), *TWO)
    play.see(*TWO, hours=12)

    plan = play.see(*TWO, hours=13)

    assert kinds(plan) == [UPDATE]
    assert play.spans()[0] == (15, 20)
    assert kinds(play.see(*TWO, hours=12)) == [CANCEL]


def test_a_missing_stay_with_both_ends_open_keeps_its_arrival_while_it_waits():
    """As long as no night is ripe, a missing stay's dates are as they were."""
    play = Play()
    play.see(closure(10, 20), *TWO)
    play.see(*TWO)

    assert play.spans()[0] == (10, 20)


def test_a_contradicted_fetch_proves_nothing():
    """A stay is back unchanged: the fetches without it were incomplete, so others begin their wait again."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(C, D)

    play.see(B, C, D, hours=23)
    assert kinds(play.see(B, C, D, hours=2)) == []
    assert kinds(play.see(B, C, D, hours=22)) == [CANCEL]


def test_a_wait_that_began_before_the_contradicted_fetch_goes_on():
    """What was missing before the incomplete fetch is not helped by it."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(B, C, D)
    play.see(C, D, hours=12)
    play.see(B, C, D, hours=1)

    assert kinds(play.see(B, C, D, hours=11)) == [CANCEL]


def test_a_fetch_that_misses_more_than_the_last_does_not_agree_with_it():
    """A stay whose wait ends in a fetch that misses others as well waits half as long again."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(B, C, D)

    assert kinds(play.see(C, D, hours=24)) == [MARK_MISSING]
    assert kinds(play.see(C, D, hours=1)) == [CANCEL]


def test_disagreement_holds_no_stay_for_ever():
    """Half as long again is the end of it, whatever else is missing."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(B, C, D)

    assert kinds(play.see(C, D, hours=36)) == [CANCEL, MARK_MISSING]


def test_after_a_doubtful_fetch_daily_fetches_must_agree_thrice():
    """A source that was held lately needs a third fetch where two lie just a day apart; a little more apart, two do."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(verdict=Verdict.UNREADABLE, hours=24)
    play.see(B, C, D, hours=24)
    assert kinds(play.see(B, C, D, hours=24)) == []
    assert kinds(play.see(B, C, D, hours=24)) == [CANCEL]
    play.see(verdict=Verdict.UNREADABLE, hours=24)
    play.see(C, D, hours=24)
    assert kinds(play.see(C, D, hours=25)) == [CANCEL]


def test_the_doubt_of_a_source_ends():
    """Three days after the last doubtful fetch two agreeing ones are enough again, a day apart."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(verdict=Verdict.UNREADABLE)
    play.see(A, B, C, D, hours=49)
    play.see(B, C, D)

    assert kinds(play.see(B, C, D, hours=24)) == [CANCEL]


def test_a_doubtful_source_is_looked_at_anew_at_each_fetch():
    """While fetches are counted, an unchanged one counts: the plan settles at once."""
    play = Play("airbnb")
    play.see(A, B, C, D)
    play.see(verdict=Verdict.UNREADABLE)

    assert play.see(B, C, D).settle_at == play.at


def test_window_nights_are_let_go_by_evidence():
    """A window that opens is held for a day more; what passed or was taken over is let go at once."""
    play = Play("airbnb")
    play.see(window(1, 3), A)

    plan = play.see(window(2, 3), A, hours=24)
    assert plan.settle_at is not None
    play.see(A, hours=1)
    assert nights_of(2, 3) <= play.held()
    play.see(A, hours=6)
    play.see(A, hours=18)
    assert play.window().remote["status"] == Status.VANISHED


def test_a_new_only_look_touches_nothing_known():
    """With new_only what is new is created, and nothing else changes, is missed or remembered."""
    play = Play("airbnb")
    play.see(A, B)
    before = play.memory

    plan = play.see(reservation("HMAAAAAAAA", 11, 15), C, new_only=True)

    assert kinds(plan) == [CREATE]
    assert play.memory == before
    assert play.spans() == [(10, 14), (20, 24), (30, 34)]


def test_midnight_asks_for_a_plan_where_there_is_a_window():
    """A source with a window is planned again at the unit's next midnight, one without is left alone."""
    play = Play("airbnb")

    assert play.see(A).settle_at is None
    settle_at = play.see(A, window(300, 366)).settle_at
    assert (settle_at.hour, settle_at - play.at < timedelta(hours=24)) == (0, True)
