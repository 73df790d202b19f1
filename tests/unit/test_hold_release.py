"""What lifts a hold: each row of the table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.bookings.fetch_gaps import fetch_gap
from bokit.core.model.records import Presence
from bokit.core.model.source_rules import Problem, Seen, Verdict
from tests.support.simulated_source import SimulatedSource, block, closure, kinds, nights_of, reservation

STAYS = tuple(reservation(f"HM{letter * 8}", 10 * n, 10 * n + 4) for n, letter in enumerate("ABCDEFG", start=1))
NEW = tuple(reservation(f"HM{n}OTHERXX", 10 * n + 5, 10 * n + 8) for n in range(1, 5))
HOUR = timedelta(hours=1)


def known(*entries, platform="airbnb", **given):
    """Return a source that showed *entries*."""
    source = SimulatedSource(platform, **given)
    source.see(*entries)
    return source


def codes(source, *entries, times, hours=1.0, **given):
    """Return the codes of the holds of so many fetches of *entries*."""
    plans = [source.see(*entries, hours=hours, **given) for _ in range(times)]
    return [p.hold and p.hold.code for p in plans]


# ── another listing's ──


def test_a_small_listing_is_believed_after_a_day():
    """One booking was cancelled and another made: held with both for a day, then the old one is cancelled."""
    source = known(STAYS[0])
    first = source.see(NEW[0])

    assert first.hold.opens_at == source.at + timedelta(hours=24)
    assert "from 2 Jun 2026 11:00 (UTC) on" in first.hold.message
    assert codes(source, NEW[0], times=23) == ["other-listing"] * 23
    assert nights_of(10, 14) | nights_of(15, 18) == source.held()
    plan = source.see(NEW[0])
    assert (plan.hold, kinds(plan)) == (None, ["cancel", "create"])
    assert source.held() == nights_of(15, 18)


@pytest.mark.parametrize("hours", [1, 6, 20])
def test_another_listing_for_some_hours_costs_nothing(hours):
    """Ours again within the day: nothing is cancelled, and the other's nights open a day later."""
    source = known(STAYS[0], STAYS[1])
    codes(source, NEW[0], NEW[1], times=hours)

    assert kinds(source.see(STAYS[0], STAYS[1])) == []
    source.see(STAYS[0], STAYS[1], hours=24)
    assert source.held() == nights_of(10, 14) | nights_of(20, 24)


def test_more_than_three_stays_are_never_lifted_by_time():
    """Four known, or four shown: reminders after one, three and seven days, and no release."""
    many, few = known(*STAYS[:4]), known(STAYS[0])

    assert set(codes(many, NEW[0], times=20, hours=12)) == {"other-listing"}
    assert set(codes(few, *NEW, times=20, hours=12)) == {"other-listing"}
    assert few.stays(Presence.PRESENT)


def test_a_person_is_reminded_of_what_no_time_lifts():
    """After one, three and seven days."""
    source = known(*STAYS[:4])
    since = source.see(NEW[0]).hold.since

    offers = {source.see(NEW[0], hours=12).hold.offered_at for _ in range(20)} - {None}

    assert offers == {since + timedelta(days=days) for days in (1, 3, 7)}


def test_other_bookings_each_time_are_no_agreement():
    """Another listing's pages, one after another: none of ours on any, and no two alike."""
    source = known(STAYS[0], STAYS[1])

    for n in range(60):
        source.see(reservation(f"HM{n}OTHERXX", 30 + 5 * n, 32 + 5 * n), hours=12)

    assert nights_of(31 + 5 * 59, 32 + 5 * 59) <= source.held()
    assert source.stays(Presence.MISSING, Presence.GONE) == []


def test_a_night_that_a_held_body_closed_lately_stays_closed_when_the_hold_is_lifted():
    """The own stay that held it goes; the night has evidence of its own, of an hour."""
    source = known(STAYS[0])
    inside = reservation("HMINSIDEXX", 12, 13)
    codes(source, NEW[1], times=12)
    codes(source, NEW[1], inside, times=11)

    assert nights_of(12, 13) <= source.held()
    assert kinds(source.see(NEW[1], hours=2)) == ["cancel", "create"]
    assert source.held() == nights_of(25, 28) | nights_of(12, 13)
    source.see(NEW[1], hours=24)
    assert source.held() == nights_of(25, 28)


def test_a_night_of_a_missing_stay_that_a_held_body_closes_has_evidence_of_its_own():
    """The calendar is empty, shows another guest on that night, and is empty: the stay goes, the night waits its own day."""
    source, inside = known(*STAYS[:5]), reservation("HMINSIDEXX", 11, 12)
    for _ in range(2):
        source.see(*STAYS[1:5], hours=2)
    source.see(hours=2)
    assert source.see(STAYS[1], inside, hours=60).hold.code == "shrunken-feed"
    held = source.held() - nights_of(10, 14) | nights_of(11, 12)

    plan = source.see(hours=10)

    assert (kinds(plan), source.held()) == (["cancel"], held)
    source.see(hours=24)
    assert source.held() == held - nights_of(11, 12)


def test_what_the_first_held_fetches_still_showed_did_not_agree():
    """A block goes hours before a hold is lifted: only the reservation was missing all the time."""
    source = known(STAYS[0], block(40, 42))
    codes(source, NEW[0], block(40, 42), times=20)
    codes(source, NEW[0], times=4)

    assert kinds(source.see(NEW[0])) == ["cancel", "create", "miss"]
    assert nights_of(40, 42) <= source.held()
    source.see(NEW[0], hours=37)
    assert source.held() == nights_of(15, 18)


def test_a_night_that_a_cut_page_closes_stays_closed_when_the_hold_is_lifted():
    """What it shows overlaps a stay of ours, and may be another booking: the night that they share has its own evidence."""
    new, source = closure(30, 32, uid="n"), known(closure(10, 14, uid="a"), platform="generic")
    assert codes(source, new, times=2) == ["other-listing"] * 2
    source.see(closure(8, 11, uid="x"), verdict=Verdict.PARTIAL)

    assert kinds(source.see(new, hours=23)) == ["cancel", "create"]
    assert source.held() == nights_of(8, 11) | nights_of(30, 32)
    source.see(new, hours=24)
    assert source.held() == nights_of(30, 32)


def test_an_ongoing_closure_that_rolls_still_agrees():
    """Its first night is today's at each fetch."""
    source = known(closure(3, 9, uid="ours"), platform="generic")

    for hour in range(26):
        plan = source.see(closure(hour // 15, 20, uid=f"new-{hour // 15}"))

    assert plan.hold is None
    assert nights_of(1, 20) == source.held()


def test_another_address_is_never_lifted_by_time():
    """The address that answers in the end is another one: 60 hours, and held."""
    source = known(STAYS[0], fingerprint="one")
    source.given["fingerprint"] = "two"

    assert set(codes(source, NEW[0], times=60)) == {"other-listing"}
    assert kinds(source.see(STAYS[0])) == []


def test_fetches_in_a_moment_are_one():
    """Three fetches apart must agree: two, a day from each other, are not enough."""
    source = known(STAYS[0], interval=HOUR)

    source.see(NEW[0])
    assert codes(source, NEW[0], times=3, hours=1 / 3600) == ["other-listing"] * 3
    assert codes(source, NEW[0], times=1, hours=25) == ["other-listing"]
    assert codes(source, NEW[0], times=1) == [None]


def test_what_says_nothing_does_not_erase_an_agreement():
    """A web page and an empty calendar in between; the own feed in between does."""
    source, back = known(STAYS[0]), known(STAYS[0])
    codes(source, NEW[0], times=12)
    source.see(verdict=Verdict.UNREADABLE)
    source.see()
    codes(back, NEW[0], times=12)
    back.see(STAYS[0])

    assert codes(source, NEW[0], times=11)[-1] is None
    assert codes(back, NEW[0], times=12)[-1] == "other-listing"


def test_a_longer_grace_is_a_longer_agreement():
    """``sync.cancel_after`` of two days holds for two days."""
    source = known(STAYS[0], cancel_after=timedelta(hours=48))

    assert codes(source, NEW[0], times=49)[-2:] == ["other-listing", None]


def test_a_declined_hold_is_not_lifted_by_time():
    """A person discards it: the calendar is held again, and no time lifts it until the own feed was back."""
    source = known(STAYS[0])
    hold = source.see(NEW[0]).hold
    source.see(NEW[0], discarded=hold.plan_hash)

    assert set(codes(source, NEW[0], times=40)) == {"other-listing"}
    source.see(STAYS[0])
    assert codes(source, NEW[0], times=25)[-1] is None


# ── shrunken ──


def test_new_nights_may_come_while_a_shrink_is_agreed_on():
    """Exactly the same stays are gone for a day; a new booking in between waits as provisional nights."""
    source = known(*STAYS)
    codes(source, *STAYS[:3], times=12)
    assert kinds(source.see(*STAYS[:3], NEW[3])) == []
    assert nights_of(45, 48) <= source.held()

    assert codes(source, *STAYS[:3], NEW[3], times=12)[-1] is None
    assert len(source.stays(Presence.GONE)) == 4


def test_one_bad_fetch_makes_no_booking():
    """Half is gone and three others came: the next fetch of ours is accepted at once."""
    source = known(*STAYS[:6])

    assert source.see(*STAYS[:2], *NEW[:3]).hold.code == "shrunken-feed"
    assert source.see(*STAYS[:6]).hold is None
    assert len(source.stays()) == 6


def test_what_a_bad_answer_brought_does_not_shrink_a_feed_when_it_is_gone():
    """A small listing, and three ghosts for an hour: the own feed without them is accepted at once."""
    source = known(STAYS[0])
    source.see(STAYS[0], hours=48)
    source.see(STAYS[0], *NEW[1:])

    plan = source.see(STAYS[0])

    assert (plan.hold, kinds(plan)) == (None, ["miss"] * 3)


# ── a quiet listing ──


def test_many_bookings_in_a_quiet_calendar_wait_for_a_second_fetch():
    """Two fetches six hours apart that agree; until then their nights are held provisionally."""
    source = known(STAYS[0])
    source.see(hours=20 * 24)
    later = [reservation(f"HM{n}LATERXX", 40 + 5 * n, 42 + 5 * n) for n in range(4)]

    assert codes(source, *later, times=6) == ["sudden-bookings"] * 6
    assert nights_of(40, 42) <= source.held()
    assert kinds(source.see(*later)) == ["create"] * 4


def test_other_bookings_each_time_agree_on_nothing():
    """A quiet calendar that shows others at every fetch is never believed."""
    source = known(STAYS[0])
    source.see(hours=20 * 24)
    feeds = [[reservation(f"HM{k}{n}LATERX", 40 + 9 * n + k, 42 + 9 * n + k) for n in range(4)] for k in range(8)]

    assert {source.see(*feed, hours=5).hold.code for feed in feeds} == {"sudden-bookings"}


def test_first_bookings_of_a_quiet_listing_are_on_trial():
    """Empty again within the day: released after two more days, though no alert was delivered; later on they are not."""
    source, settled = known(closure(1, 2), platform="booking_com"), known(closure(1, 2), platform="booking_com")
    for one, hours in ((source, 2), (settled, 30)):
        one.see(hours=48)
        codes(one, closure(40, 44), times=hours)

    assert codes(source, times=48) == ["empty-feed"] * 48
    assert kinds(source.see()) == ["cancel"]
    assert source.held() == set()
    assert set(codes(settled, times=60)) == {"empty-feed"}


def test_a_booking_after_bookings_on_trial_is_ours():
    """Another listing's booking, empty again, and then the first of our own: that is believed at once, the other goes."""
    source = known(closure(1, 2), platform="booking_com")
    source.see(hours=48)
    source.see(closure(40, 44))
    codes(source, times=8)

    plan = source.see(closure(60, 63))
    assert (plan.hold, kinds(plan)) == (None, ["create", "miss"])
    codes(source, closure(60, 63), times=26)
    assert source.held() == nights_of(60, 63)


# ── empty ──


def empty_source(alerted_after=None):
    """Return a source of a near and a distant block, a named and a coded stay, whose calendar came empty."""
    source = known(block(5, 9), block(40, 44), reservation("HMAAAAAAAA", 50, 54), closure(60, 64, guest_name="Ann", uid="n"))
    source.see()
    if alerted_after is not None:
        source.given["alerted_at"] = source.at + alerted_after
    return source


def test_an_empty_calendar_opens_distant_closures_after_an_alert():
    """After 72 hours and six bodies, a day after the alert: only the block that begins more than 14 days ahead."""
    source = empty_source(alerted_after=timedelta())

    plans = [source.see() for _ in range(72)]

    assert [kinds(p) for p in plans] == [[]] * 71 + [["cancel"]]
    assert not nights_of(40, 44) & source.held()
    assert nights_of(5, 9) | nights_of(50, 54) | nights_of(60, 64) <= source.held()
    assert "Closures from 2026-07-11 on open on 4 Jun 2026 11:00" in plans[0].hold.message


def test_what_no_time_lifts_names_no_time():
    """Of coded stays an empty calendar opens none: its hold says so, in words and as `opens_at`. A distant closure opens."""
    coded, mixed = known(*STAYS[:2]), empty_source(alerted_after=timedelta())
    never, some = coded.see().hold, mixed.see().hold

    assert (never.opens_at, "No time lifts this" in never.message) == (None, True)
    assert some.opens_at is not None
    assert f"open on {some.opens_at:%-d %b %Y}" in some.message


def test_without_a_delivered_alert_an_empty_calendar_opens_nothing():
    """A week, and nobody was notified."""
    source = empty_source()

    assert {tuple(kinds(source.see())) for _ in range(168)} == {()}


def test_an_alert_must_come_a_day_before():
    """Delivered after 60 hours: released after 84."""
    source = empty_source(alerted_after=timedelta(hours=60))

    freed = [n for n in range(1, 90) if kinds(source.see())]

    assert freed == [84]


def test_five_bodies_are_not_enough():
    """Six bodies apart must be empty, however long it takes."""
    source = empty_source(alerted_after=timedelta())

    assert [kinds(source.see(hours=24)) for _ in range(5)] == [[], [], [], [], ["cancel"]]


# ── provisional nights ──


def test_provisional_nights_accumulate_and_open_by_the_rule_of_all_nights():
    """A cut body, a cached one, a half one: no provisional night opens at once."""
    source = known(STAYS[0])
    new = NEW[:3]
    source.see(*new)
    every = nights_of(15, 18) | nights_of(25, 28) | nights_of(35, 38)

    source.see(NEW[0], verdict=Verdict.PARTIAL)
    assert every <= source.held()
    source.see(STAYS[0])
    assert every <= source.held()
    source.see(NEW[1])
    assert every <= source.held()


def test_an_empty_body_is_evidence_for_provisional_nights():
    """The stay itself stays held; what only another listing showed opens after a day."""
    source = known(STAYS[0])
    source.see(NEW[0])
    source.see()

    source.see(hours=24)

    assert source.held() == nights_of(10, 14)


def test_a_booking_in_a_cut_body_is_held_as_nights_only():
    """A body that was cut makes no booking; one with a bad event does."""
    source, problem = known(STAYS[0]), Problem(code="truncated", message="")
    cut = Seen(entries=(STAYS[0], NEW[0]), verdict=Verdict.PARTIAL, platform="airbnb", problems=(problem,))
    source.apply(source.plan(cut))

    assert (len(source.stays()), nights_of(15, 18) <= source.held()) == (1, True)
    assert kinds(source.see(STAYS[0], NEW[0], verdict=Verdict.PARTIAL)) == ["create"]


def test_a_night_of_ours_that_a_cut_body_closes_for_another_guest_has_evidence_of_its_own():
    """Our guest moves away in the next fetch: the night that the other one was shown on waits for a day."""
    source, inside, moved = known(STAYS[0]), reservation("HMINSIDEXX", 12, 13), reservation("HMAAAAAAAA", 50, 54)
    cut = Seen(
        entries=(STAYS[0], inside), verdict=Verdict.PARTIAL, platform="airbnb", problems=(Problem(code="truncated", message=""),)
    )
    source.apply(source.plan(cut))

    source.see(moved)
    assert source.held() == nights_of(12, 13) | nights_of(50, 54)
    source.see(moved, hours=24)
    assert source.held() == nights_of(50, 54)


# ── how far apart ──


@pytest.mark.parametrize(
    ("interval", "apart"),
    [
        (None, timedelta(seconds=60)),
        (timedelta(seconds=60), timedelta(seconds=60)),
        (HOUR, timedelta(minutes=15)),
        (timedelta(days=2), timedelta(hours=6)),
    ],
)
def test_how_far_apart_fetches_must_be(interval, apart):
    """A quarter of the interval, at least a minute, at most six hours."""
    assert fetch_gap(SimulatedSource(interval=interval).context()) == apart


def test_the_plan_of_a_hold_stays_the_same_while_its_releases_do():
    """Its hash changes only with what applying it would release."""
    source = known(STAYS[0])

    assert len({source.see(NEW[0]).hold.plan_hash for _ in range(5)}) == 1
