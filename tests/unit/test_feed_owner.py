"""Whose feed a fetch shows: each row of the table, by feeds of one source."""

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.bookings.feed_owner import FeedOwner, OwnerEvidence, judge_owner
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.ical.writer import make_uid
from bokit.core.model.source_memory import read_memory
from bokit.core.model.source_rules import Seen
from bokit.values import replace
from tests.support.simulated_source import RULES, SimulatedSource, closure, day, kinds, nights_of, reservation, window

AIRBNB = tuple(reservation(f"HM{letter * 8}", 10 * n, 10 * n + 4) for n, letter in enumerate("ABCD", start=1))
ROOM = (closure(10, 14), closure(20, 24))


def stay(uid: str, first: int, end: int, **given: Any) -> Entry:
    """Return a reservation of a small booking system: a UID, and a guest where *guest_name* is given."""
    return closure(first, end, **{"uid": uid, "summary": given.get("guest_name", "Reserved")} | given)


def owner_of(source: SimulatedSource, *entries: Entry, **given: Any) -> FeedOwner:
    """Return whose feed *entries* are, an hour later."""
    context = source.context(**given)
    seen = Seen(entries=entries, platform=source.platform)
    matches = RULES.match(list(source.records.values()), seen, context)
    return judge_owner(OwnerEvidence(found=matches, state=read_memory(source.memory), context=context))


def known(platform: str, *entries: Entry) -> SimulatedSource:
    """Return a source that showed *entries*."""
    source = SimulatedSource(platform)
    source.see(*entries)
    return source


def test_the_first_feed_is_ours():
    """The preview was the check, even where another source knows the booking."""
    source = SimulatedSource("airbnb")

    assert owner_of(source, *AIRBNB, elsewhere={"code:HMAAAAAAAA": "Loft"}) is FeedOwner.FIRST


def test_bookings_of_another_source_are_another_listings():
    """A code that another source knows, and nothing of ours; beside one of ours it proves nothing."""
    source = known("airbnb", *AIRBNB[:2])
    elsewhere = {"code:HMCCCCCCCC": "Loft"}

    assert owner_of(source, AIRBNB[2], elsewhere=elsewhere) is FeedOwner.ELSEWHERE
    assert owner_of(source, AIRBNB[0], AIRBNB[2], elsewhere=elsewhere) is FeedOwner.KNOWN


def test_another_sources_bookings_are_never_lifted_by_time():
    """However small the listing: a person decides, and reads where the bookings are known."""
    source = known("airbnb", AIRBNB[0])
    source.given["elsewhere"] = {"code:HMCCCCCCCC": "Loft"}

    plans = [source.see(AIRBNB[2], hours=12) for _ in range(10)]

    assert {p.hold.code for p in plans if p.hold} == {"other-listing"}
    assert all(p.hold and p.hold.opens_at is None for p in plans)
    assert "bookings of the source Loft" in plans[0].hold.message


def test_other_uids_of_known_first_nights_are_another_rooms():
    """Booking.com: one known first night with its own UID is enough to be ours."""
    source = known("booking_com", *ROOM)

    assert owner_of(source, closure(10, 14, room="x"), closure(20, 24, room="x")) is FeedOwner.OTHER_ROOM
    assert owner_of(source, closure(10, 14), closure(20, 24, room="x")) is FeedOwner.KNOWN


@pytest.mark.parametrize(
    ("platform", "before", "now"),
    [
        ("airbnb", AIRBNB[0], reservation("HMAAAAAAAA", 70, 74, uid="1418fb94e984-other@airbnb.com")),
        ("generic", stay("id-7@pms", 10, 14), stay("id-7@pms", 60, 64)),
        ("booking_com", closure(10, 14), closure(10, 17)),
        ("vrbo", stay("a", 10, 14, guest_name="Ann Lee"), stay("b", 10, 14, guest_name="Ann Lee")),
        ("booking_com", closure(-2, 3), closure(0, 3, uid="clipped@booking.com")),
    ],
)
def test_one_booking_of_ours_shows_that_the_feed_is(platform, before, now):
    """A code; a UID not made of dates; a known first night with its UID; a name with equal nights; a clip of a guest's stay."""
    source = known(platform, before)

    assert owner_of(source, now, stay("new-1@x", 80, 84)) is FeedOwner.KNOWN


def named(who: str, first: int, end: int, uid: str = "new") -> Entry:
    """Return a guest's stay, under a UID of its own."""
    return stay(f"{uid}-{first}", first, end, guest_name=who)


FLAT = (named("Ann Lee", 10, 14, "flat"), *(named(f"Guest {n}", 10 * n, 10 * n + 3, "flat") for n in (2, 3, 4, 5)))
LOFT = tuple(named(f"Other {n}", 10 * n + 5, 10 * n + 8, "loft") for n in (2, 3, 4, 5))


@pytest.mark.parametrize("shown", [1, 2, 3])
def test_fewer_names_than_went_and_came_are_chance(shown):
    """A party books two flats of one host: its name stands on the same nights of the other flat's calendar, too."""
    party = tuple(replace(e, uid=f"loft-{e.uid}") for e in FLAT[:shown])
    source = known("vrbo", *FLAT)
    others = FeedOwner.UNKNOWN if shown < 3 else FeedOwner.KNOWN  # two of five went

    assert owner_of(source, *party, *LOFT[: 5 - shown]) is (FeedOwner.KNOWN if 5 - shown < 3 else others)
    assert owner_of(source, *party, *LOFT, FLAT[-1]) is FeedOwner.KNOWN, "its UID is ours"


def test_a_page_with_one_name_of_ours_is_never_believed_by_time():
    source = SimulatedSource("vrbo")
    source.see(*FLAT)

    plans = [source.see(replace(FLAT[0], uid="loft-0"), *LOFT, hours=6) for _ in range(10)]

    assert {p.hold.code for p in plans if p.hold} == {"other-listing"}
    assert all(p.hold and p.hold.opens_at is None for p in plans)


def test_a_departure_on_the_same_day_is_chance_where_all_others_differ():
    """Booking.com: what is left of a guest's stay has another UID, and so has another room's guest who leaves then."""
    mine = (closure(-2, 3), *(closure(10 * n, 10 * n + 3) for n in (1, 2, 3)))
    others = tuple(closure(10 * n + 5, 10 * n + 8, room="x") for n in (1, 2, 3))
    clip = closure(0, 3, room="x")

    assert owner_of(known("booking_com", *mine), clip, *others) is FeedOwner.UNKNOWN
    assert owner_of(known("booking_com", *mine), clip, *others[:2]) is FeedOwner.KNOWN


def test_a_name_proves_less_than_a_code_that_another_source_knows():
    source = known("vrbo", FLAT[0], stay("c", 60, 63))
    shown = (named("Ann Lee", 10, 14, "loft"), reservation("HMCCCCCCCC", 30, 33))

    assert owner_of(source, *shown) is FeedOwner.KNOWN
    assert owner_of(source, *shown, elsewhere={"code:HMCCCCCCCC": "Loft"}) is FeedOwner.ELSEWHERE
    assert owner_of(source, *shown, elsewhere={"name:ann lee:2026-06-11:2026-06-15": "Loft"}) is FeedOwner.KNOWN


def test_a_uid_made_of_dates_shows_nothing():
    """Another listing may give a block of the same first night the same UID."""
    shown = stay("7f662ec65913-a@airbnb.com", 10, 14, kind=EntryKind.BLOCK, status=Status.UNAVAILABLE)
    source = known("airbnb", shown)

    assert owner_of(source, shown, AIRBNB[2]) is FeedOwner.UNKNOWN


NIGHTS = tuple(
    stay(f"flat-{day(first):%Y%m%d}@pms", first, end, kind=EntryKind.BLOCK, status=Status.UNAVAILABLE)
    for first, end in ((10, 14), (20, 24), (30, 34), (40, 44), (50, 54), (61, 65))
)
"""Closures whose UIDs are made of their first nights."""


@pytest.mark.parametrize(
    ("before", "now", "owner"),
    [
        (NIGHTS[:4], (*NIGHTS[:3], NIGHTS[5]), FeedOwner.KNOWN),  # one is gone as one is new
        (NIGHTS[:4], (*NIGHTS[:2], *NIGHTS[4:]), FeedOwner.KNOWN),
        (NIGHTS[:4], (NIGHTS[0], *NIGHTS[4:]), FeedOwner.UNKNOWN),  # one may be chance
        (NIGHTS[:5], (*NIGHTS[:2], NIGHTS[5]), FeedOwner.UNKNOWN),  # fewer than half
        (NIGHTS[:1], NIGHTS[:2], FeedOwner.UNKNOWN),
    ],
)
def test_several_uids_made_of_dates_with_their_nights_show_that_the_feed_is_ours(before, now, owner):
    """A calendar of nights alone has nothing else; one new booking beside one cancelled is not another listing."""
    assert owner_of(known("generic", *before), *now) is owner


def test_nights_under_other_uids_made_of_dates_are_another_listings():
    others = tuple(replace(e, uid=e.uid.replace("flat", "loft")) for e in (*NIGHTS[:2], NIGHTS[4]))

    assert owner_of(known("generic", *NIGHTS[:3]), *others) is FeedOwner.UNKNOWN


def test_weeks_under_uids_made_of_dates_are_everybodys():
    """Where all of them are still there, nothing is gone, and the feed is believed."""
    weeks = [stay(f"{day(first):%Y%m%d}@pms", first, first + 7) for first in (12, 26, 40)]

    assert owner_of(known("generic", *weeks[:2]), *weeks) is FeedOwner.KNOWN
    assert owner_of(known("generic", *weeks), *weeks[:2], stay("20260801@pms", 61, 68)) is FeedOwner.UNKNOWN


def test_a_name_on_other_nights_shows_nothing():
    """Two houses may both have an Ann."""
    source = known("vrbo", stay("a", 10, 14, guest_name="Ann Lee"))

    assert owner_of(source, stay("b", 30, 34, guest_name="Ann Lee")) is FeedOwner.UNKNOWN


def test_uids_of_another_host_are_issued_again():
    """Two web servers write their own names behind the at sign."""
    source = known("generic", stay("id-1@web01", 10, 14), stay("id-2@web01", 20, 24))

    assert owner_of(source, stay("id-1@web02", 30, 34), stay("id-2@web02", 50, 54)) is FeedOwner.REISSUED


def test_the_same_nights_under_other_uids_are_issued_again():
    """At least two, nine of ten, and not all from Saturday to Saturday; other guests are another listing's."""
    source = known("generic", stay("a", 10, 14), stay("b", 20, 24))
    one = known("generic", stay("a", 10, 14))

    assert owner_of(source, stay("c", 10, 14), stay("d", 20, 24)) is FeedOwner.REISSUED
    assert owner_of(source, stay("c", 10, 14), stay("d", 21, 24)) is FeedOwner.UNKNOWN
    assert owner_of(one, stay("c", 10, 14)) is FeedOwner.UNKNOWN


def test_saturday_houses_have_the_same_weeks():
    """1 June 2026 is a Monday: weeks that begin on days 5, 12, 19 are everybody's."""
    source = known("generic", stay("a", 12, 19), stay("b", 26, 33))

    assert owner_of(source, stay("c", 12, 19), stay("d", 26, 33)) is FeedOwner.UNKNOWN


def test_new_bookings_and_none_of_ours_are_another_listings():
    """One new booking is enough; so is one where our calendar's end, but no stay, is known."""
    assert owner_of(known("airbnb", *AIRBNB[:2]), AIRBNB[3]) is FeedOwner.UNKNOWN
    assert owner_of(known("airbnb", window(200, 366)), AIRBNB[3]) is FeedOwner.UNKNOWN


def test_a_quiet_listing_gets_a_few_bookings():
    """No stay is known: up to three are believed at once, more are not known."""
    source = known("airbnb", AIRBNB[0])
    source.see(hours=20 * 24)

    assert owner_of(source, *AIRBNB[1:4]) is FeedOwner.QUIET
    assert owner_of(source, *AIRBNB[1:], stay("x", 90, 92), stay("y", 95, 97)) is FeedOwner.SUDDEN


def test_a_quiet_listing_has_no_new_calendar_end():
    """A closure that reaches beyond ten months is another listing's calendar's end until fetches agree."""
    source = known("booking_com", closure(1, 2))
    source.see(hours=48)

    assert owner_of(source, closure(10, 14), closure(300, 548)) is FeedOwner.SUDDEN


def test_after_many_new_bookings_a_few_are_doubtful_too():
    """While a quiet listing is held as another's, one that shows less is not believed at once either."""
    source = known("airbnb", AIRBNB[0])
    source.see(hours=20 * 24)
    many = [reservation(f"HM{n}OTHERXX", 60 + 5 * n, 62 + 5 * n) for n in range(4)]

    assert source.see(*many).hold.code == "sudden-bookings"
    assert owner_of(source, many[0]) is FeedOwner.SUDDEN


def test_without_news_it_is_ours():
    """Nothing new: what is gone is the guards' question."""
    source = known("generic", stay("a-20260611@x", 10, 14), stay("b-20260621@x", 20, 24))

    assert owner_of(source) is FeedOwner.NO_NEWS
    assert owner_of(source, window(1, 2)) is FeedOwner.NO_NEWS


def test_our_own_calendar_is_refused_and_closes_nothing():
    """Its UIDs are known: held, nothing to apply, and its nights are not held for ever."""
    source = SimulatedSource("generic", elsewhere={f"own:{make_uid('rec_1', 'occupied', '0')}": "Flat"})

    plan = source.plan(Seen(entries=(stay(make_uid("rec_1", "occupied", "0"), 10, 14),), platform="generic"))

    assert (plan.hold.code, plan.hold.can_apply, plan.actions, plan.refused) == ("own-calendar", False, (), True)


def test_another_bokits_calendar_is_read():
    """A UID that looks like ours, and that no calendar of this tenant gives, is another installation's."""
    source = SimulatedSource("generic")

    assert kinds(source.see(stay(make_uid("elsewhere"), 10, 14))) == ["create"]
    assert nights_of(10, 14) <= source.held()


def test_a_booking_inside_our_calendars_end_is_not_the_end():
    """The calendar's end is shown where its last month is: one booking amid its nights is another room's."""
    source = known("booking_com", window(60, 548, uid="room-60@booking.com"))

    assert owner_of(source, closure(100, 105)) is FeedOwner.UNKNOWN
    assert owner_of(source, closure(100, 105), window(200, 548)) is FeedOwner.QUIET


def test_a_quiet_listing_has_no_past_that_we_never_knew():
    """We read this calendar then: a stay that is over, and new, is another listing's until fetches agree."""
    source = known("booking_com", closure(1, 2), closure(3, 5))
    source.see(closure(3, 5), hours=48)
    source.see(hours=20 * 24)

    assert owner_of(source, closure(40, 44)) is FeedOwner.QUIET
    assert owner_of(source, closure(8, 12), closure(40, 44)) is FeedOwner.SUDDEN


def test_a_quiet_listing_gets_no_uids_of_another_host():
    """Half a page, and another calendar's entries on it."""
    source = known("vrbo", stay("a", 1, 2), stay("b", 3, 5))
    source.see(hours=20 * 24)

    assert owner_of(source, stay("c", 40, 44)) is FeedOwner.QUIET
    assert owner_of(source, stay("c@another.example", 40, 44)) is FeedOwner.SUDDEN
