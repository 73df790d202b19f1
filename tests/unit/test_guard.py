"""Guards: what a doubtful fetch may do, what is held, and who or what settles it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.bookings.limits import MAX_FETCH_GAP
from bokit.core.ical.entries import EntryKind, Status
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Edit, Presence
from bokit.core.model.source_rules import Verdict
from bokit.values import replace
from tests.support.simulated_source import RULES, SimulatedSource, closure, kinds, nights_of, reservation, window

CREATE, CANCEL, MARK_MISSING, UPDATE = ActionKind.CREATE, ActionKind.CANCEL, ActionKind.MARK_MISSING, ActionKind.UPDATE
STAYS = tuple(reservation(f"HM{letter * 8}", 10 * n, 10 * n + 4) for n, letter in enumerate("ABCDEFG", start=1))
OTHERS = tuple(reservation(f"HM{n}OTHERXX", 10 * n + 5, 10 * n + 8) for n in range(1, 4))
CLOSURES = (closure(10, 14), closure(20, 24), closure(30, 34))


def held_source(*, window_too: bool = False) -> SimulatedSource:
    """Return a play whose stays are known."""
    source = SimulatedSource("airbnb")
    source.see(*STAYS, *([window(200, 366)] if window_too else []))
    return source


@pytest.mark.parametrize(
    ("entries", "verdict", "code", "can_apply"),
    [
        ((), Verdict.UNREADABLE, "unreadable-feed", False),
        ((), Verdict.EMPTY, "empty-feed", True),
        (STAYS[:3], Verdict.PARTIAL, "partial-feed", False),
        ((), Verdict.PARTIAL, "partial-feed", False),
        (OTHERS, Verdict.OK, "other-listing", True),
        (OTHERS, Verdict.PARTIAL, "other-listing", True),
        (STAYS[:3], Verdict.OK, "shrunken-feed", True),
    ],
)
def test_a_doubtful_fetch_opens_no_night(entries, verdict, code, can_apply):
    """Each guard refuses the fetch, says why, cancels nothing and frees no night; the next good feed clears it.

    What the doubtful fetch closed opens by the rule of all nights.
    """
    source = held_source(window_too=True)
    before, held = source.stays(), source.held()

    plan = source.see(*entries, verdict=verdict)

    assert (plan.refused, plan.hold.code, plan.hold.can_apply) == (True, code, can_apply)
    assert not {CANCEL, MARK_MISSING, ActionKind.MERGE} & set(kinds(plan))
    assert (source.stays(), held <= source.held()) == (before, True)
    assert RULES.read_hold(source.memory) == plan.hold
    assert source.at <= plan.settle_at <= source.at + MAX_FETCH_GAP
    good = source.see(*STAYS, window(200, 366))
    assert (good.refused, good.hold, kinds(good)) == (False, None, [])
    source.see(*STAYS, window(200, 366), hours=24)
    assert source.held() == held
    assert RULES.read_hold(source.memory) is None


def test_the_rest_of_a_partial_feed_is_created_and_updated():
    """A bad date in one event costs itself alone: what is new is created, what moved moves, what is missing is held."""
    source = held_source()

    plan = source.see(reservation("HMAAAAAAAA", 12, 16), reservation("HMHHHHHHHH", 90, 93), *STAYS[2:], verdict=Verdict.PARTIAL)

    assert kinds(plan) == [CREATE, UPDATE]
    assert nights_of(20, 24) <= source.held()


def test_what_a_held_feed_closes_opens_by_the_rule_of_all_nights():
    """A window that a partial feed shows for the first time holds its nights until whole feeds agreed for a day."""
    source = held_source()
    before = source.held()

    source.see(*STAYS, window(200, 366), verdict=Verdict.PARTIAL, hours=1)
    doubtful = source.held()
    source.see(*STAYS[:6], verdict=Verdict.PARTIAL, hours=24)
    source.see(*STAYS, hours=1)
    still = source.held()
    source.see(*STAYS, hours=24)

    assert len(doubtful) == len(before) + 166
    assert (still, source.held()) == (doubtful, before)


def test_a_shortened_closure_in_a_partial_feed_keeps_all_its_nights():
    """A feed that was read in part shortens no stay, however long it says so."""
    source = SimulatedSource()
    source.see(*CLOSURES)

    for _ in range(3):
        source.see(closure(10, 12), *CLOSURES[1:], verdict=Verdict.PARTIAL, hours=24)

    assert source.spans()[0] == (10, 14)


def test_an_empty_feed_of_a_source_that_holds_nothing_is_accepted():
    """No events where no night to come is held: that is how a new listing looks."""
    source = SimulatedSource("airbnb")

    assert source.see().hold is None
    source.see(reservation("HMAAAAAAAA", 0, 1))
    assert source.see(hours=48).hold is None


def test_an_empty_feed_is_held_for_a_window_alone():
    """A window's nights are held as any other."""
    source = SimulatedSource("airbnb")
    source.see(window(100, 366))

    plan = source.see()

    assert plan.hold.code == "empty-feed"
    assert [r["action"] for r in plan.hold.releases] == ["free"]


def test_an_empty_feed_is_never_released_by_evidence_but_offered_again():
    """A week of empty feeds frees nothing; after one, three and seven days the owner is reminded."""
    source = held_source()
    first = source.see()
    assert first.hold.offered_at is None

    offers = {source.see(hours=12).hold.offered_at for _ in range(14)} - {None}

    assert offers == {first.hold.since + timedelta(days=days) for days in (1, 3, 7)}
    assert RULES.read_hold(source.memory).since == source.at - timedelta(hours=12 * 14)
    assert len(source.stays(Presence.PRESENT)) == 7


def test_a_held_empty_feed_expires_as_its_nights_pass():
    """Once no night to come is held, an empty feed is nothing strange."""
    source = SimulatedSource("airbnb")
    source.see(STAYS[0])
    source.see()

    assert source.see(hours=14 * 24).hold is None


def test_a_person_applies_what_was_shown():
    """An approved hold releases what the current body does not show, stays and window, at once."""
    source = held_source(window_too=True)
    hold = source.see().hold

    plan = source.see(approved=hold.plan_hash)

    assert kinds(plan) == [CANCEL] * 7
    assert source.held() == set()
    assert {r.gone_reason for r in source.stays()} == {"a person applied the held plan"}
    assert (plan.hold, RULES.read_hold(source.memory), plan.settle_at) == (None, None, source.at)
    assert source.see().hold is None


def test_another_plan_than_the_one_shown_is_not_applied():
    """A hash that is not the held plan's applies nothing."""
    source = held_source()
    source.see()

    assert kinds(source.see(approved="0" * 16)) == []


def test_a_plan_that_changed_meanwhile_is_not_applied():
    """The body that is read now would release less than what was shown: it is held again, to be shown first."""
    source = held_source()
    hold = source.see().hold
    source.records = {r.id: replace(r, presence=Presence.GONE) if "HMAAAAAAAA" in r.key else r for r in source.records.values()}

    plan = source.see(approved=hold.plan_hash, hours=25 * 24)

    assert (kinds(plan), plan.hold.plan_hash == hold.plan_hash) == ([], False)


def test_the_own_feed_that_is_back_is_read_as_it_is():
    """A plan is approved, and the calendar is whole again: nothing is released."""
    source = held_source()
    hold = source.see().hold

    plan = source.see(*STAYS, approved=hold.plan_hash)

    assert (kinds(plan), plan.hold) == ([], None)


def test_a_person_discards_a_hold():
    """A discarded hold changes nothing and is gone; the same feed is held again."""
    source = held_source()
    hold = source.see().hold

    plan = source.see(*STAYS, discarded=hold.plan_hash)

    assert (plan.is_empty, RULES.read_hold(source.memory)) == (True, None)
    assert source.see().hold.since == source.at


def test_a_shrink_is_released_by_a_day_of_agreement():
    """Most stays gone: held until the fetches agreed for a day, then cancelled, missing since the first of them."""
    source = held_source()
    first = source.see(*STAYS[:3])
    since = source.at
    assert len(first.hold.releases) == 4

    assert source.see(*STAYS[:3], hours=23).hold.code == "shrunken-feed"
    plan = source.see(*STAYS[:3], hours=1)

    assert (plan.hold, kinds(plan)) == (None, [CANCEL] * 4)
    assert {r.missing_since for r in source.stays(Presence.GONE)} == {None} or since


def test_shrunken_feeds_that_disagree_release_nothing():
    """Half of the events, another half each day: no fetch agrees with the one before."""
    source = held_source()

    for number in range(6):
        plan = source.see(*STAYS[number % 5 : number % 5 + 2], hours=24)
        assert plan.hold.code == "shrunken-feed"

    assert len(source.stays(Presence.PRESENT)) == 7


def test_a_stay_that_a_shrunken_feed_missed_counts_from_then():
    """Fewer are gone than the shrink said: what is still missing is missing since the first held fetch."""
    source = held_source()
    source.see(*STAYS[:3])
    source.see(verdict=Verdict.UNREADABLE)

    source.see(*STAYS[:6])
    assert source.stays(Presence.MISSING)[0].missing_since == source.at, "the others came back: that fetch was incomplete"


def test_what_a_refused_fetch_left_out_is_no_evidence_afterwards():
    """No fetch was trusted for ten hours: a stay that is not there afterwards is missing since the fetch that is trusted."""
    source = held_source()
    source.see(verdict=Verdict.UNREADABLE)
    source.see(hours=10)

    source.see(*STAYS[1:])

    assert source.stays(Presence.MISSING)[0].missing_since == source.at
    assert kinds(source.see(*STAYS[1:], hours=13)) == []
    assert kinds(source.see(*STAYS[1:], hours=11)) == [CANCEL]


def test_two_of_five_gone_is_not_a_shrink():
    """Less than half, or fewer than three: that happens, and each waits for its own evidence."""
    source = SimulatedSource("airbnb")
    source.see(*STAYS[:5])
    assert kinds(source.see(*STAYS[:3])) == [MARK_MISSING, MARK_MISSING]
    source = SimulatedSource("airbnb")
    source.see(*STAYS[:3])
    assert kinds(source.see(STAYS[0])) == [MARK_MISSING, MARK_MISSING]


def test_another_listings_nights_are_held_provisionally_and_released():
    """Another listing's nights are held apart, with no booking, until our feed showed them open for a day."""
    source = held_source()

    plan = source.see(*OTHERS)

    assert kinds(plan) == []
    assert nights_of(15, 18) <= source.held()
    assert source.window().remote["provisional"]
    source.see(*STAYS)
    assert nights_of(15, 18) <= source.held()
    source.see(*STAYS, hours=24)
    assert not nights_of(15, 18) & source.held()


def test_applying_another_listings_plan_makes_it_the_sources_own():
    """The owner says that the feed is right: the old stays go, its own are there at once, and it is the source's."""
    source = SimulatedSource()
    source.see(*CLOSURES)
    theirs = [closure(50, 53, room="other"), closure(60, 64, room="other")]
    hold = source.see(*theirs).hold

    plan = source.see(*theirs, approved=hold.plan_hash)

    assert kinds(plan) == [CANCEL, CANCEL, CANCEL, CREATE, CREATE]
    assert source.held() == nights_of(50, 53) | nights_of(60, 64)
    assert (kinds(source.see(*theirs)), source.see(*CLOSURES).hold.code) == ([], "other-listing")


def test_applying_keeps_the_edits_of_what_matches():
    """A stay that the current body shows keeps what a person wrote; only the rest is released."""
    source = held_source()
    hold = source.see(STAYS[0], STAYS[1], STAYS[2]).hold
    assert hold.code == "shrunken-feed"
    record = source.stays()[0]
    edit = Edit(value="Melanie", at=source.at, by="user:host", base=None)
    source.records[record.id] = replace(record, edits={"guest_name": edit})

    plan = source.see(STAYS[0], STAYS[1], STAYS[2], approved=hold.plan_hash)

    assert kinds(plan) == [CANCEL] * 4
    assert source.records[record.id].fields["guest_name"] == "Melanie"


def test_a_room_is_identified_by_the_uid_of_a_first_night():
    """A first night that our room gave another UID is another room's; one with the UID of ours is ours."""
    source = SimulatedSource()
    source.see(*CLOSURES)

    assert source.see(closure(10, 14, room="other"), closure(20, 24, room="other")).hold.code == "other-listing"
    assert source.see(closure(10, 11), closure(21, 22, room="x")).hold is None


def test_a_calendars_end_does_not_disappear():
    """A feed without the trailing closure, and with nothing that we know, is another room's."""
    source = SimulatedSource()
    source.see(window(200, 548, uid="room-200@booking.com"))

    assert source.see(closure(10, 14, room="other")).hold.code == "other-listing"
    assert source.see(closure(10, 14), window(200, 548, uid="room-200@booking.com")).hold is None


def test_a_short_window_may_disappear():
    """An advance notice comes and goes; its absence proves nothing about the listing."""
    source = SimulatedSource("airbnb")
    source.see(window(1, 2))

    assert source.see(STAYS[0]).hold is None


def test_a_stay_that_was_missing_already_says_nothing_of_the_listing():
    """Only stays that the last fetch showed show whose feed it is."""
    source = SimulatedSource("airbnb")
    source.see(STAYS[0], STAYS[1])
    source.see(STAYS[1])
    source.see(STAYS[0], STAYS[1], hours=2)
    source.see(STAYS[1])

    assert source.see(STAYS[1], STAYS[4]).hold is None


def test_the_first_feed_may_be_partial():
    """A source whose first feed has a bad event still shows what could be read."""
    source = SimulatedSource("airbnb")

    plan = source.see(STAYS[0], verdict=Verdict.PARTIAL)

    assert kinds(plan) == [CREATE]
    assert plan.hold.code == "partial-feed"


def test_a_new_only_look_at_a_doubtful_feed_keeps_the_hold():
    """With new_only a held feed still holds the nights of what is new, and the hold that stands is reported as before."""
    source = held_source()
    source.see(*STAYS[:3])
    hold = RULES.read_hold(source.memory)

    plan = source.see(*STAYS[:3], reservation("HMHHHHHHHH", 90, 93), new_only=True)

    assert (kinds(plan), plan.hold, plan.refused) == ([], hold, True)
    assert nights_of(90, 93) <= source.held()


def test_every_closed_night_is_held_whatever_identity_thinks():
    """An inquiry turned closure elsewhere: the nights that the feed closes are held in the same run."""
    source = SimulatedSource("generic")
    source.see(closure(10, 14, uid="a"), closure(20, 24, uid="b"))

    source.see(
        closure(10, 14, uid="a", status=Status.INQUIRY), closure(20, 24, uid="b"), closure(10, 12, uid="c", kind=EntryKind.BLOCK)
    )

    assert nights_of(10, 12) <= source.held()


def test_the_calendars_end_does_not_go_as_others_come():
    """Half a page, and another's entries on it: what they close is held, and no booking is made of them."""
    end, theirs = window(200, 548, uid="room-200@booking.com"), (closure(250, 253), closure(280, 283))
    source = SimulatedSource()
    source.see(*CLOSURES, end)

    plan = source.see(*CLOSURES[1:], *theirs)

    assert (plan.hold.code, kinds(plan)) == ("shrunken-feed", [])
    assert kinds(source.see(*CLOSURES, end)) == []
    assert [s for s in source.stays() if s.presence is not Presence.PRESENT] == []


def test_a_calendar_that_its_owner_opens_is_believed():
    """The end is gone, and nothing came with that."""
    source = SimulatedSource()
    source.see(*CLOSURES, window(200, 548, uid="room-200@booking.com"))

    assert source.see(*CLOSURES).hold is None


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ((*STAYS[1:], closure(90, 93, uid="ghost-1")), "shrunken-feed"),
        ((*STAYS[1:], reservation("HMHHHHHHHH", 90, 93)), None),
        ((*STAYS, closure(90, 93, uid="ghost-1")), "sudden-bookings"),
    ],
)
def test_uids_of_another_host_come_from_another_calendar(shown, code):
    """One is gone, and what came has UIDs as none of ours has."""
    plan = held_source().see(*shown)

    assert (plan.hold and plan.hold.code) == code


def test_uids_of_another_host_wait_for_a_second_fetch():
    """Six hours apart; what is missing with them waits its own day."""
    source = held_source()
    shown = (*STAYS, closure(90, 93, uid="ghost-1"))
    assert [source.see(*shown).hold.code for _ in range(6)] == ["sudden-bookings"] * 6

    assert kinds(source.see(*shown)) == [CREATE]
    assert kinds(source.see(*STAYS[1:], shown[-1])) == [MARK_MISSING]
    assert source.see(hours=1).hold.code == "empty-feed", "it is not on trial, as a quiet calendar's bookings are"


EVENTS = tuple(closure(10 * n, 10 * n + 4, uid=f"u{n}@google.com") for n in range(1, 7))
NEW = tuple(closure(10 * n + 5, 10 * n + 8, uid=f"new{n}@example.org") for n in range(1, 4))


@pytest.mark.parametrize(
    ("known", "shown", "new", "code"),
    [
        (3, 2, 3, "sudden-bookings"),  # one of three went, and three came
        (3, 2, 2, None),
        (4, 2, 2, "sudden-bookings"),
        (5, 3, 3, "sudden-bookings"),
        (5, 3, 1, None),
        (5, 4, 3, None),  # one of five is not a third
        (6, 6, 3, None),
        (6, 3, 3, "shrunken-feed"),
    ],
)
def test_others_that_come_as_a_third_of_the_stays_goes_wait_for_a_second_fetch(known, shown, new, code):
    """Half a page with another calendar's entries on it: less than half went, or fewer than three."""
    source = SimulatedSource("google")
    source.see(*EVENTS[:known])

    plan = source.see(*EVENTS[known - shown : known], *NEW[:new], hours=7)

    assert (plan.hold and plan.hold.code) == code


def test_a_page_of_two_calendars_makes_no_booking_and_delays_no_cancellation():
    """Six hours later it is believed; what went counts from the first of these fetches on."""
    source = SimulatedSource("google")
    source.see(*EVENTS[:5])
    source.see(*EVENTS[:5], hours=7)
    page = (*EVENTS[2:5], *NEW)
    assert [kinds(source.see(*page)) for _ in range(6)] == [[]] * 6
    assert nights_of(15, 18) <= source.held()

    assert sorted(kinds(source.see(*page))) == [CREATE] * 3 + [MARK_MISSING] * 2
    assert [kinds(source.see(*page)) for _ in range(18)] == [*[[]] * 17, [CANCEL, CANCEL]]


def test_what_went_while_a_page_of_two_calendars_was_held_counts_from_then():
    """The fifth, of twelve, went with the fifth of seven fetches."""
    many = [closure(10 * n, 10 * n + 4, uid=f"u{n}@google.com") for n in range(1, 13)]
    source = SimulatedSource("google")
    source.see(*many)
    source.see(*many, hours=7)
    for shown in [many[4:]] * 4 + [many[5:]] * 3:
        plan = source.see(*shown, *NEW[:2])
    assert plan.hold is None

    cancelled = [kinds(source.see(*many[5:], *NEW[:2])).count(CANCEL) for _ in range(24)]

    assert [hour for hour, count in enumerate(cancelled, start=1) for _ in range(count)] == [18] * 4 + [22]


def test_the_other_half_of_a_page_of_two_calendars_is_held_as_well():
    """Each answer drops another half: what came is still held where fewer of it are shown."""
    source = SimulatedSource("google")
    source.see(*EVENTS[:4])
    source.see(*EVENTS[:4], hours=7)
    source.see(*EVENTS[:2], *NEW)

    plan = source.see(*EVENTS[2:4], *NEW[:1])

    assert plan.hold.code == "sudden-bookings"
    assert source.see(*EVENTS[:4], NEW[0]).hold is None, "nothing is gone: it is believed"


def test_a_stay_that_is_split_did_not_come():
    source = SimulatedSource("google")
    source.see(*EVENTS[:3], closure(60, 80, uid="long@google.com"))
    pieces = [closure(60, 62, uid="p1@x"), closure(78, 80, uid="p2@x"), closure(64, 66, uid="p3@x")]

    assert source.see(*EVENTS[:2], *pieces, hours=7).hold is None


def test_a_calendar_of_any_kind_may_have_uids_of_many_hosts():
    """A calendar program shows invitations from anywhere."""
    source = SimulatedSource("google")
    events = [closure(10 * n, 10 * n + 4, uid=f"u{n}@google.com") for n in range(1, 5)]
    source.see(*events)

    assert source.see(*events, closure(90, 93, uid="x@elsewhere.example")).hold is None


def test_a_host_that_every_uid_changes_is_the_servers():
    """Two servers behind one address write their own names: nothing is another's for that."""
    source = SimulatedSource("vrbo")
    first = [closure(10 * n, 10 * n + 4, uid=f"u{n}@one") for n in range(1, 5)]
    source.see(*first)
    second = [replace(entry, uid=entry.uid.replace("@one", "@two")) for entry in first[1:]]

    plan = source.see(*second, closure(90, 93, uid="u9@two"))

    assert plan.hold is None


def test_new_windows_count_as_what_came():
    """Three are gone; two bookings and a closure beyond the horizon came in their place."""
    far = window(390, 393, uid="far@airbnb.com")

    assert held_source().see(*STAYS[3:], *OTHERS[:2]).hold is not None
    many = [reservation(f"HM{n}MANYXXX", 70 + 5 * n, 73 + 5 * n) for n in range(1, 9)]
    source = SimulatedSource("airbnb")
    source.see(*STAYS, *many)
    assert source.see(*STAYS[3:], *many, *OTHERS[:2], far).hold.code == "shrunken-feed"
    source = SimulatedSource("airbnb")
    source.see(*STAYS, *many, window(380, 400))
    assert source.see(*STAYS[3:], *many, *OTHERS[:2], window(381, 400)).hold is None
