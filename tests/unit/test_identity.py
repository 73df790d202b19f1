"""Whose entry is this: each fact of the platforms that the matching stands on, as a feed and the next."""

from __future__ import annotations

from bokit.core.bookings.pairs import MatchReason
from bokit.core.bookings.stay import ANOTHER_GUEST, GoneReason
from bokit.core.ical.entries import EntryKind, Status
from bokit.core.model.merge import CONFIRM
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Presence
from bokit.values import replace
from tests.support.builders import an_edit
from tests.support.simulated_source import (
    SimulatedSource,
    block,
    closure,
    day,
    kinds,
    nights_of,
    only,
    reasons,
    reservation,
    window,
)

CREATE, UPDATE, CANCEL, MERGE, RESTORE = (
    ActionKind.CREATE,
    ActionKind.UPDATE,
    ActionKind.CANCEL,
    ActionKind.MERGE,
    ActionKind.RESTORE,
)
TWO = (closure(40, 44), closure(50, 52))
"""Two stays far off: a feed is seldom of one event."""


def test_a_coded_reservation_moves_at_once_and_stays_one():
    """The same code on other dates is the same stay, and its old nights are free at once."""
    source = SimulatedSource("airbnb")
    source.see(reservation("HMAAAAAAAA", 10, 14), reservation("HMBBBBBBBB", 20, 24))

    plan = source.see(reservation("HMAAAAAAAA", 300, 303), reservation("HMBBBBBBBB", 20, 24))

    assert kinds(plan) == [UPDATE]
    assert reasons(plan) == [MatchReason.CODE]
    assert source.spans() == [(20, 24), (300, 303)]


def test_several_events_of_one_code_are_one_stay():
    """One code in two events is one stay over both."""
    source = SimulatedSource("airbnb")
    source.see(reservation("HMAAAAAAAA", 10, 12, uid="1@x"), reservation("HMAAAAAAAA", 12, 14, uid="2@x"))

    assert source.spans() == [(10, 14)]


def test_a_clip_to_today_with_a_new_uid_is_the_same_stay_with_its_arrival():
    """An ongoing closure that begins today, with another UID, keeps its stay and the arrival that we know."""
    source = SimulatedSource()
    source.see(closure(1, 6), *TWO)
    source.see(closure(1, 6), *TWO, hours=40)

    plan = source.see(closure(2, 6), *TWO, hours=6)

    assert kinds(plan) == []
    assert source.spans()[0] == (1, 6)


def test_the_departure_day_outweighs_a_lost_arrival():
    """A closure whose arrival moved and whose departure is the same is the same stay."""
    source = SimulatedSource()
    source.see(closure(10, 14), *TWO)

    plan = source.see(closure(9, 14), *TWO)

    assert (kinds(plan), reasons(plan)) == ([UPDATE], [MatchReason.DEPARTURE])
    assert source.spans()[0] == (9, 14)


def test_a_later_guest_with_the_same_first_night_extends_the_stay():
    """A closure of the same arrival and a later departure goes on, whatever its UID."""
    source = SimulatedSource()
    source.see(closure(10, 14), *TWO)

    plan = source.see(closure(10, 16), *TWO)

    assert (kinds(plan), reasons(plan)) == ([UPDATE], [MatchReason.ARRIVAL])


def test_a_reused_uid_on_other_nights_is_another_stay():
    """Where a UID is only of room and start, it proves nothing about a booking on other nights."""
    source = SimulatedSource()
    source.see(closure(10, 14), *TWO)

    plan = source.see(closure(20, 24, uid=closure(10, 14).uid), *TWO)

    assert kinds(plan) == [CREATE, ActionKind.MARK_MISSING]


def test_a_general_feeds_uid_is_an_identity():
    """Where nothing else is known of a platform, the same UID is the same booking, moved."""
    source = SimulatedSource("generic")
    source.see(closure(10, 14, uid="a"), closure(20, 24, uid="b"))

    plan = source.see(closure(30, 34, uid="a"), closure(20, 24, uid="b"))

    assert (kinds(plan), reasons(plan)) == ([UPDATE], [MatchReason.UID])


def test_instances_of_a_series_are_distinguished():
    """Two events of one UID with different recurrence ids are two stays."""
    source = SimulatedSource("generic")
    source.see(closure(10, 12, uid="a", recurrence_id="20260611"), closure(17, 19, uid="a", recurrence_id="20260618"))

    assert source.spans() == [(10, 12), (17, 19)]


def test_a_reissued_uid_on_the_same_nights_is_the_same_stay():
    """The same nights under another UID are the same booking."""
    source = SimulatedSource("generic")
    source.see(closure(10, 14, uid="a"), closure(20, 24, uid="b"))

    plan = source.see(closure(10, 14, uid="c"), closure(20, 24, uid="b"))

    assert kinds(plan) == []
    assert {r.key for r in source.stays()} == {"b", "c"}


def asked(source, *entries, key, hours=1.0):
    """Return what a person is asked of the stay of this *key*, edited, once *entries* come and are believed."""
    (record,) = (r for r in source.stays() if r.key == key)
    source.records[record.id] = replace(record, edits={"notes": an_edit("a person's note")})
    if hold := source.see(*entries, hours=hours).hold:
        source.see(*entries, approved=hold.plan_hash)
    return source.records[record.id].memory.get(CONFIRM)


def test_an_ongoing_stay_whose_uid_changes_between_two_midnights_is_confirmed():
    """A platform clips at midnight; at another time the guest may be another one."""
    far, source = closure(40, 44, uid="z"), SimulatedSource("generic")
    source.see(closure(0, 6, uid="a"), far)
    source.see(closure(1, 6, uid="b"), far, hours=24)

    assert asked(source, closure(1, 6, uid="c"), far, key="b") == ANOTHER_GUEST

    source = SimulatedSource("generic")
    source.see(closure(0, 6, uid="a"), far)
    assert asked(source, closure(1, 6, uid="b"), far, key="a", hours=24) is None


def test_one_uid_that_changes_in_a_feed_that_keeps_them_is_confirmed():
    """A platform that issues UIDs again does so for two stays or more; one may be another guest on the same nights."""
    two, again = (closure(10, 14, uid="a"), closure(20, 24, uid="b")), (closure(10, 14, uid="x"), closure(20, 24, uid="y"))
    found = []
    for entries in (again[:1], again):
        source = SimulatedSource("generic")
        for first in range(30, 36):
            source.see(*two, closure(first, 40, uid="c"))
        found.append(asked(source, *entries, key="a"))

    assert found == [ANOTHER_GUEST, None]


def test_another_guest_on_overlapping_nights_is_another_stay():
    """Two names are two bookings, although their nights overlap."""
    source = SimulatedSource("vrbo")
    far = closure(40, 44, uid="z")
    source.see(closure(10, 14, uid="a", guest_name="Zoé"), far)

    plan = source.see(closure(12, 15, uid="b", guest_name="Tom"), far)

    assert kinds(plan) == [CREATE, ActionKind.MARK_MISSING]


def test_an_overlap_of_the_same_kind_is_a_move():
    """A closure with other ends that overlaps the only stay near is that stay, moved; what it leaves is held for a day."""
    source = SimulatedSource("vrbo")
    far = closure(40, 44, uid="z")
    source.see(closure(10, 14, uid="a"), far)

    plan = source.see(closure(12, 15, uid="b"), far)

    assert (kinds(plan), reasons(plan)) == ([UPDATE], [MatchReason.OVERLAP])
    assert nights_of(10, 15) <= source.held()
    source.see(closure(12, 15, uid="b"), far, hours=25)
    assert source.spans()[0] == (12, 15)


def test_a_reservation_replaced_by_a_block_is_cancelled_and_the_nights_stay_held():
    """A reservation whose nights are blocked instead waits for its evidence; the block is not a new closure meanwhile."""
    source = SimulatedSource("airbnb")
    far = reservation("HMBBBBBBBB", 40, 44)
    source.see(reservation("HMAAAAAAAA", 10, 14), far)

    assert kinds(source.see(block(10, 14), far)) == [ActionKind.MARK_MISSING]
    plan = source.see(block(10, 14), far, hours=25)
    assert kinds(plan) == [CANCEL]
    assert plan.settle_at == source.at
    assert nights_of(10, 14) <= source.held()
    assert kinds(source.see(block(10, 14), far)) == [CREATE]


def test_two_closures_joined_are_one_stay_and_one_merged():
    """Where one entry takes in two stays, one goes on and the other ends as merged, at once."""
    source = SimulatedSource()
    source.see(closure(10, 14), closure(14, 18), *TWO)

    plan = source.see(closure(10, 18), *TWO)

    assert kinds(plan) == [MERGE, UPDATE]
    assert only(source.stays(Presence.GONE)).gone_reason == GoneReason.JOINED
    assert source.spans()[0] == (10, 18)


def test_a_joined_stay_that_splits_off_again_comes_back():
    """The feed parts what it joined: the merged stay is restored, no new one is made."""
    source = SimulatedSource()
    source.see(closure(10, 14), closure(14, 18), *TWO)
    source.see(closure(10, 18), *TWO)

    plan = source.see(closure(10, 14), closure(15, 18), *TWO)

    assert kinds(plan) == [RESTORE, UPDATE]
    assert len(source.stays()) == 4


def test_a_split_makes_one_new_stay():
    """A closure parted in two goes on as one of them; the other is new."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)

    plan = source.see(closure(10, 13), closure(15, 20), *TWO)

    assert kinds(plan).count(CREATE) == 1
    assert nights_of(10, 20) <= source.held()


def test_an_entry_inside_another_is_not_a_stay():
    """Overlapping events: what lies inside another closure holds nothing of its own."""
    source = SimulatedSource()
    source.see(closure(10, 20), *TWO)

    assert kinds(source.see(closure(10, 20), closure(12, 14), *TWO)) == []


def test_the_inner_closure_goes_on_when_the_outer_goes():
    """The outer of two overlapping events goes: its stay goes on on the inner one's nights, the rest waits a day."""
    source = SimulatedSource()
    source.see(closure(10, 20), closure(12, 14), *TWO)

    source.see(closure(12, 14), *TWO)
    assert nights_of(10, 20) <= source.held()
    source.see(closure(12, 14), *TWO, hours=25)
    assert source.spans()[0] == (12, 14)


def test_a_stay_inside_another_that_goes_is_missing_not_cancelled():
    """One of two overlapping stays is not shown any more: its nights are closed, so nothing says that it is gone."""
    source = SimulatedSource()
    source.see(closure(10, 14), closure(12, 20), *TWO)
    source.see(closure(10, 20), closure(12, 20), *TWO)

    source.see(closure(10, 20), *TWO)
    source.see(closure(10, 20), *TWO, hours=50)

    assert len(source.stays(Presence.MISSING)) == 1


def test_the_calendars_end_is_a_window_and_rolls_without_an_event():
    """The trailing closure is not a booking, and makes no event as it rolls."""
    source = SimulatedSource()
    source.see(window(200, 548), *TWO)

    for number in range(1, 5):
        assert kinds(source.see(window(200, 548 + number), *TWO, hours=24)) == []
    assert len(source.stays()) == 2
    assert nights_of(200, 552) <= source.held()


def test_a_stay_that_the_calendars_end_swallows_is_merged():
    """The trailing closure grows over a stay: its nights are the window's now."""
    source = SimulatedSource()
    source.see(window(200, 548), closure(150, 155), *TWO)

    plan = source.see(window(140, 548), *TWO)

    assert kinds(plan) == [MERGE]
    assert nights_of(140, 548) <= source.held()


def test_a_stay_carved_from_the_calendars_end_is_new():
    """The owner opens the calendar but for one closure: that one is a stay."""
    source = SimulatedSource()
    source.see(window(100, 548), *TWO)

    plan = source.see(window(300, 548, uid="window-100@airbnb.com"), closure(100, 110), *TWO)

    assert kinds(plan) == [CREATE]


def test_pieces_behind_a_reservation_belong_to_the_calendars_end():
    """Blocks that adjoin the end of the calendar, behind a reservation, roll with it and are no bookings."""
    source = SimulatedSource("airbnb")
    far = reservation("HMAAAAAAAA", 210, 215)
    source.see(block(200, 210), far, window(215, 366))

    for number in range(1, 4):
        plan = source.see(block(200 + number, 210), far, window(215, 366 + number), hours=24)
        assert kinds(plan) == []
    assert source.spans() == [(210, 215)]


def test_the_last_night_of_a_block_is_still_the_block():
    """A block clipped to its last night looks like an advance notice, and stays what it was."""
    source = SimulatedSource("airbnb")
    far = reservation("HMAAAAAAAA", 40, 44)
    source.see(block(1, 3), far)

    plan = source.see(window(2, 3, kind=EntryKind.WINDOW), far, hours=48)

    assert kinds(plan) == []
    assert source.stays()[0].remote["kind"] == "block"


def test_a_general_feeds_window_with_a_known_uid_is_the_block():
    """An entry that looks like a window and has a block's UID stays the block."""
    source = SimulatedSource("generic")
    source.see(block(1, 3, uid="a"), closure(40, 44, uid="b"))

    plan = source.see(window(2, 3, uid="a"), closure(40, 44, uid="b"), hours=48)

    assert "block" in {r.remote["kind"] for r in source.stays()}
    assert kinds(plan) == []


def test_a_one_day_notice_a_day_makes_no_booking():
    """One-day blocks for today roll for a week, and no booking is made of any."""
    source = SimulatedSource("airbnb")
    far = reservation("HMAAAAAAAA", 40, 44)

    for number in range(7):
        source.see(window(number + 1, number + 2), far, hours=24)

    assert source.spans() == [(40, 44)]


def test_a_past_block_of_the_first_feed_is_not_a_booking():
    """What was over when the feed was first read is recorded only where it is a reservation."""
    source = SimulatedSource("airbnb")

    source.see(block(-3, -1), reservation("HMAAAAAAAA", -5, -3), reservation("HMBBBBBBBB", 4, 6))

    assert source.spans() == [(-5, -3), (4, 6)]


def test_a_return_after_weeks_restores_the_same_stay():
    """The same code, 35 days after it was cancelled, is the same stay."""
    source = SimulatedSource("airbnb")
    far = reservation("HMBBBBBBBB", 100, 104)
    source.see(reservation("HMAAAAAAAA", 60, 64), far)
    source.see(far)
    source.see(far, hours=25)
    assert len(source.stays(Presence.GONE)) == 1

    plan = source.see(reservation("HMAAAAAAAA", 60, 64), far, hours=35 * 24)

    assert (kinds(plan), reasons(plan)) == ([RESTORE], [MatchReason.CODE])


def test_a_codeless_return_with_the_same_nights_restores_the_stay():
    """The same nights, closed again after their stay was cancelled, are that stay."""
    source = SimulatedSource()
    source.see(closure(10, 14), *TWO)
    source.see(*TWO)
    source.see(*TWO, hours=25)

    plan = source.see(closure(10, 14), *TWO, hours=24)

    assert (kinds(plan), reasons(plan)) == ([RESTORE], [MatchReason.RETURN])


def test_a_codeless_closure_of_other_nights_is_not_a_return():
    """Other nights than a cancelled stay's are a new stay."""
    source = SimulatedSource()
    source.see(closure(10, 14), *TWO)
    source.see(*TWO)
    source.see(*TWO, hours=25)

    assert kinds(source.see(closure(11, 15), *TWO, hours=24)) == [CREATE]


def test_a_cancelled_entry_that_nobody_knew_makes_no_stay():
    """A feed that shows an unknown stay as cancelled makes none."""
    source = SimulatedSource("generic")

    source.see(closure(10, 14, status=Status.CANCELLED, uid="a"), closure(20, 24, uid="b"))

    assert source.spans() == [(20, 24)]


def test_a_booking_that_the_feed_itself_calls_cancelled_is_not_the_next_guest_of_its_nights():
    """Not even in a feed of one booking, where another UID on the same nights may be the same guest; nor is the feed held."""
    source = SimulatedSource("generic")
    source.see(closure(10, 14, uid="a"))
    record = source.stay()
    source.records[record.id] = replace(record, edits={"notes": an_edit("late")})

    plan = source.see(closure(10, 14, status=Status.CANCELLED, uid="a"), closure(10, 14, uid="b"))

    assert plan.hold is None
    assert sorted(kinds(plan)) == sorted([CREATE, CANCEL])
    found = source.stays(Presence.GONE, Presence.PRESENT)
    assert sorted((r.key, list(r.edits), r.presence) for r in found) == [
        ("a", ["notes"], Presence.GONE),
        ("b", [], Presence.PRESENT),
    ]


def test_entries_are_matched_as_one_assignment():
    """Two stays and two entries that overlap both: each goes where it fits best, not to the first to come."""
    source = SimulatedSource("vrbo")
    kept = closure(40, 44, uid="kept")
    source.see(closure(10, 14, uid="a"), closure(14, 20, uid="b"), kept)

    source.see(closure(10, 16, uid="c"), closure(16, 20, uid="d"), kept)

    assert [(r.key, r.remote["check_in"]) for r in source.stays()[:2]] == [("c", str(day(10))), ("d", str(day(16)))]
    assert len(source.stays()) == 3
