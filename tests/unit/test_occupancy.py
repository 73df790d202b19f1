"""Who holds which night: joint bookings, echoes, what fades, linked units, and the conflicts that remain."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bokit.core.model.records import Presence, Scope
from bokit.core.occupancy.calendar_reads import ReadLog
from bokit.core.occupancy.conflicts import Certainty, find_conflicts
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.limits import MAX_FADING
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.core.occupancy.publication import PublicationRules
from tests.support.builders import DAY, HOUR, NOW, a_record, an_edit
from tests.support.july import FLAT, TODAY, VILLA, a_block, a_closure, a_stay, an_airbnb, states


def look(*records, units=FLAT, at=NOW, today=TODAY):
    return read_occupancy(units, records, today=today, at=at)


def conflicts(*records, units=FLAT, turnover=None, **given):
    return find_conflicts(look(*records, units=units, **given), turnover or {})


# ── joint bookings ──


def test_a_reservation_in_two_feeds_is_one_booking_with_two_sources():
    """Airbnb's own feed and Beds24's, which names Airbnb's code: one booking; each adds what the other does not say."""
    own = an_airbnb(1, 5, phone_last4="1234")
    relayed = a_stay(
        1,
        5,
        "src_m",
        "beds24",
        seen=NOW + HOUR,
        reservation_code="7352",
        ota="airbnb",
        ota_reference="hmaaaaaaaa",
        guest_name="Melanie Schmidt",
        email="m@example.org",
    )

    (booking,) = look(own, relayed).bookings

    assert (booking.id, {h.source for h in booking.holdings}) == (own.id, {"src_a", "src_m"})
    assert (booking.fields["guest_name"], booking.fields["phone_last4"]) == ("Melanie Schmidt", "1234")
    assert booking.fields["reservation_code"] == "HMAAAAAAAA"
    assert conflicts(own, relayed) == []


def test_the_same_reference_joins_whatever_the_dates():
    """One feed lags behind a change of dates: still one booking, which holds the nights of both."""
    relayed = a_stay(2, 7, "src_m", "beds24", ota="airbnb", ota_reference="HMAAAAAAAA")

    (booking,) = look(an_airbnb(1, 5), relayed).bookings

    assert [night.day for night in booking.nights] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("values", "joined"),
    [
        ({"guest_name": "Melanie"}, True),
        ({"guest_name": "Melanie", "phone": "+39 000 1234"}, True),
        ({"guest_name": "Melanie", "phone": "+39 000 9999"}, False),
        ({"guest_name": "Melanie", "ota": "airbnb", "ota_reference": "HMBBBBBBBB"}, False),
        ({"guest_name": "Melanie", "ota": "Booking.com", "ota_reference": "4012345678"}, False),
    ],
)
def test_equal_nights_join_where_nothing_contradicts(values, joined):
    """A channel manager's guest of the same nights is Airbnb's, unless code, channel or phone say otherwise."""
    relayed = a_stay(1, 5, "src_m", "beds24", **values)

    occupancy = look(an_airbnb(1, 5, phone_last4="1234"), relayed)

    assert len(occupancy.bookings) == (1 if joined else 2)
    assert [c.certainty for c in find_conflicts(occupancy, {})] == ([] if joined else [Certainty.CERTAIN])


def test_two_platforms_guests_of_the_same_nights_are_two():
    """Airbnb and VRBO show their own guests alone: equal nights are a double booking, named or not."""
    vrbo = a_stay(1, 5, "src_v", "vrbo", summary="Reserved")

    (conflict,) = conflicts(an_airbnb(1, 5), vrbo)

    assert conflict.certainty is Certainty.CERTAIN
    assert len(conflict.nights) == 4


def test_a_persons_booking_joins_where_it_names_the_same_guest():
    """By hand and by a channel manager: the same guest is one booking, without one it is two."""
    by_hand = a_stay(1, 5, None, None, guest_name="Ann Meyer")

    assert len(look(by_hand, a_stay(1, 5, "src_m", "beds24", guest_name="Meyer, Ann")).bookings) == 1
    assert len(look(by_hand, a_stay(1, 5, "src_m", "beds24", email="a@example.org")).bookings) == 2


def test_two_entries_of_one_source_are_never_joined():
    """Duplicates within a feed are that feed's."""
    twin = an_airbnb(1, 5, name="twin")

    assert len(look(an_airbnb(1, 5), twin).bookings) == 2


def test_the_latest_edit_counts_in_a_joint_booking():
    """Edits of any of its records are the booking's."""
    own = an_airbnb(1, 5, edits={"notes": an_edit("late", at=NOW)})
    other = a_stay(1, 5, "src_m", "beds24", guest_name="M", edits={"notes": an_edit("later", at=NOW + HOUR)})

    assert look(own, other).bookings[0].fields["notes"] == "later"


def shown_to_manager(*more, held_since=None, **missing):
    """Return the nights in the calendar for the channel manager: Airbnb and it report the same guest, perhaps."""
    theirs = a_stay(1, 5, "src_m", "beds24", guest_name="Ann", **missing)
    records = [an_airbnb(1, 5), theirs, *more]
    occupancy = read_occupancy(FLAT, records, today=TODAY, at=NOW, held_since=held_since)
    found = [PublicationRules(occupancy).judge(b, b.unit_id, "src_m").shown for b in occupancy.bookings]
    return [n.day for bits in found for n in occupancy.grid.nights(bits)]


def test_what_a_source_does_not_show_any_more_is_in_its_calendar_where_another_holds_it():
    """The manager's own guest was perhaps another than Airbnb's, of the same nights: what it sells again is closed there."""
    alone = a_stay(7, 9, "src_m", "beds24", guest_name="Bo", presence=Presence.MISSING, missing_since=NOW)

    assert shown_to_manager(alone) == []
    assert shown_to_manager(presence=Presence.MISSING, missing_since=NOW) == [1, 2, 3, 4]
    assert shown_to_manager(alone, held_since={"src_m": NOW}) == [1, 2, 3, 4], "its page may not show its guest any more"
    assert look(an_airbnb(1, 5), a_stay(1, 5, "src_m", "beds24", guest_name="Ann")).doubtable == {"src_a", "src_m"}


# ── echoes ──


def test_a_closure_that_repeats_a_reservation_is_its_echo_and_no_conflict():
    """Booking.com shows what it imported as a closure."""
    own, echo = an_airbnb(1, 5), a_closure(1, 5, seen=NOW + HOUR)

    occupancy = look(own, echo)

    assert occupancy.by_record[echo.id].echo_of == (own.id,)
    assert [b.id for b in occupancy.echoes_of(own.id)] == [echo.id]
    assert find_conflicts(occupancy, {}) == []


def test_an_echo_may_repeat_several():
    """Two stays in a row come back as one closure."""
    one, two = an_airbnb(1, 5), a_stay(5, 9, None, None, guest_name="Ann")

    assert look(one, two, a_closure(1, 9, seen=NOW + HOUR)).bookings[-1].echo_of == (one.id, two.id)


@pytest.mark.parametrize("imports", [False, True])
def test_what_airbnb_does_not_show_any_more_is_closed_there_for_another_guest(imports):
    """Booking.com leaves an older guest of Airbnb's open: it imports nobody, and sold the same nights itself.

    Where it closes that guest's nights, too, it may show a copy, which Airbnb does not get.
    """
    older = an_airbnb(20, 22, "HMBBBBBBBB", seen=NOW - 9 * HOUR)
    gone = an_airbnb(1, 5, seen=NOW - 8 * HOUR, presence=Presence.MISSING, missing_since=NOW)
    sold = a_closure(1, 5, seen=NOW - 5 * HOUR, after=NOW - 6 * HOUR)
    copied = [a_closure(20, 22, seen=NOW - 5 * HOUR, after=NOW - 6 * HOUR)] if imports else []
    records = [older, gone, sold, a_closure(25, 27, seen=NOW - 9 * HOUR), *copied]
    occupancy = read_occupancy(FLAT, records, today=TODAY, at=NOW, reads=ReadLog())

    shown = [PublicationRules(occupancy).judge(b, b.unit_id, "airbnb").shown for b in occupancy.bookings]
    assert [n.day for bits in shown for n in occupancy.grid.nights(bits)] == [25, 26, *([] if imports else [1, 2, 3, 4])]


def test_a_closure_with_a_night_of_its_own_is_not_an_echo():
    """Not all of its nights are held: a closure of its own, and a conflict with the reservation inside."""
    (conflict,) = conflicts(an_airbnb(2, 5), a_closure(2, 6, seen=NOW + HOUR))

    assert [night.day for night in conflict.nights] == [2, 3, 4]
    assert conflict.certainty is Certainty.POSSIBLE


def test_a_closure_that_cuts_a_reservation_is_likely_double():
    """No repetition holds but a part of a stay, and other nights."""
    assert [c.certainty for c in conflicts(an_airbnb(1, 5), a_closure(3, 8, seen=NOW + HOUR))] == [Certainty.LIKELY]


def test_a_closure_that_was_there_first_is_not_an_echo():
    """Airbnb was read well after the closure came, and showed the nights open: two sold the same nights."""
    closure = a_closure(1, 5)
    early, late = (an_airbnb(1, 5, seen=NOW + HOUR, after=after) for after in (NOW, NOW - HOUR))

    assert [c.certainty for c in conflicts(closure, early)] == [Certainty.LIKELY]
    assert states(look(closure, late)) == {"src_a-1": "own", "src_b-1": "echo"}


def test_a_ring_of_closures_has_one_original():
    """A's block comes back through B and C: the one seen first is the original, whichever sees which."""
    ring = [a_block(1, 5, f"src_{n}", "generic", seen=NOW + n * HOUR, after=NOW - HOUR) for n in range(3)]

    occupancy = look(*reversed(ring))

    assert list(states(occupancy).values()) == ["own", "echo", "echo"]
    assert [b.echo_of for b in occupancy.bookings] == [(), (ring[0].id,), (ring[0].id,)]


def test_chains_lead_to_the_original():
    """A reservation, its block on the whole villa, and that block's on another part: all is the reservation's echo."""
    own = an_airbnb(1, 5, unit="unit_flat")
    whole = a_block(1, 5, unit="unit_villa", seen=NOW + HOUR)
    other = a_block(1, 5, "src_w", unit="unit_loft", seen=NOW + 2 * HOUR)

    occupancy = look(own, whole, other, units=VILLA)

    assert [b.echo_of for b in occupancy.bookings] == [(), (own.id,), (own.id,)]


def test_a_named_closure_is_not_an_echo():
    """Once a person writes down whose it is, a closure is a reservation."""
    named = a_closure(1, 5, seen=NOW + HOUR, edits={"guest_name": an_edit("Melanie")})

    assert [c.certainty for c in conflicts(an_airbnb(1, 5), named)] == [Certainty.CERTAIN]


def test_what_a_person_wrote_is_an_original():
    """A block by hand inside a reservation is exported, not swallowed."""
    by_hand = a_block(2, 3, None, None)

    assert [c.certainty for c in conflicts(an_airbnb(1, 5), by_hand)] == [Certainty.LIKELY]


def test_windows_explain_nothing():
    """Nights that a calendar's own rules close are not exported: a closure in them is one of its own."""
    window = a_record(
        id="unit_1.window",
        source_id="src_a",
        remote={
            "kind": "window",
            "status": "unavailable",
            "nights": [["2026-07-01", "2026-07-20"]],
            "check_in": "2026-07-01",
            "check_out": "2026-07-20",
        },
    )

    assert states(look(window, a_closure(2, 5))) == {"window": "window", "src_b-2": "own"}


def test_only_nights_to_come_are_judged():
    """An ongoing stay that one platform clips is still repeated by the other; a past one is judged whole."""
    clipped, echo = an_airbnb(4, 8), a_closure(1, 8, seen=NOW + HOUR)

    assert states(look(clipped, echo, today=date(2026, 7, 4)))["src_b-1"] == "echo"
    assert states(look(clipped, echo, today=date(2026, 7, 3)))["src_b-1"] == "own"
    assert states(look(clipped, echo, today=date(2026, 8, 1)))["src_b-1"] == "own"


# ── what fades ──


def test_an_echo_whose_original_is_gone_fades_and_is_a_closure_of_its_own_in_the_end():
    """Its platform has some hours to drop it; it holds its nights all the while, and makes no conflict."""
    gone = an_airbnb(1, 5, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")
    echo = a_closure(1, 5, seen=NOW + HOUR, after=NOW)
    guest = a_stay(3, 9, None, None, guest_name="Ann", seen=NOW + DAY)

    fading = look(gone, echo, guest, at=NOW + DAY + HOUR)
    later = look(gone, echo, guest, at=NOW + DAY + MAX_FADING)

    assert states(fading)["src_b-1"] == "fading"
    assert fading.settle_at == NOW + DAY + MAX_FADING
    assert fading.holding(Scope("unit_1"), date(2026, 7, 1))
    assert find_conflicts(fading, {}) == []
    assert states(later)["src_b-1"] == "own"
    assert [[n.day for n in c.nights] for c in find_conflicts(later, {})] == [[3, 4]]


def test_an_echo_of_a_stay_that_moved_fades_too():
    """The original left some of its nights; the echo still has them."""
    left = [["2026-07-01", "2026-07-03", (NOW + DAY).isoformat(), NOW.isoformat(), None]]
    own = an_airbnb(3, 8)
    own = a_record(
        **{f: getattr(own, f) for f in ("id", "scope", "source_id", "remote", "created_at")},
        memory={"platform": "airbnb", "left": left, "gained": [["2026-07-05", "2026-07-08", (NOW + DAY).isoformat(), None]]},
    )

    assert states(look(own, a_closure(1, 5, seen=NOW + HOUR, after=NOW), at=NOW + DAY + HOUR))["src_b-1"] == "fading"


@pytest.mark.parametrize(
    ("closure", "why"),
    [
        (a_closure(1, 5, seen=NOW + HOUR), "of a first fetch nobody knows what it repeats"),
        (a_closure(1, 5, seen=NOW + DAY + HOUR, after=NOW + DAY), "it came after the original went"),
        (a_closure(1, 6, seen=NOW + HOUR, after=NOW), "one night was never explained"),
        (a_closure(1, 5, "src_a", seen=NOW + HOUR, after=NOW), "its own source's reservation is not an original"),
    ],
)
def test_what_may_be_real_does_not_fade(closure, why):
    """In doubt a closure is one of its own, and exported to everybody."""
    gone = an_airbnb(1, 5, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")

    (booking,) = look(gone, closure, at=NOW + DAY + 2 * HOUR).bookings

    assert booking.state is EchoState.OWN, why


def test_a_closure_that_was_sold_twice_does_not_fade_with_the_other_guest():
    """The host cancels one of two guests: the other one's nights are exported to everybody at once."""
    closure = a_closure(1, 5, after=NOW - HOUR)
    gone = an_airbnb(1, 5, seen=NOW + HOUR, after=NOW, presence=Presence.GONE, gone_at=NOW + DAY, status="cancelled")

    assert states(look(closure, gone, at=NOW + DAY + HOUR)) == {"src_b-1": "own"}


def test_a_fading_closure_that_is_not_shown_any_more_fades_on():
    """Its platform dropped it: it is never exported again while its evidence is weighed."""
    gone = an_airbnb(1, 5, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")
    values = {"seen": NOW + HOUR, "after": NOW, "presence": Presence.MISSING}
    soon = a_closure(1, 5, missing_since=NOW + DAY + 3 * HOUR, **values)
    late = a_closure(1, 5, missing_since=NOW + DAY + MAX_FADING, **values)

    assert states(look(gone, soon, at=NOW + DAY + 2 * MAX_FADING))["src_b-1"] == "fading"
    assert states(look(gone, late, at=NOW + DAY + 2 * MAX_FADING))["src_b-1"] == "own"


# ── conflicts ──


def test_a_departure_and_an_arrival_on_one_day_are_no_conflict():
    """Stays are half-open."""
    assert conflicts(an_airbnb(1, 5), a_stay(5, 8, None, None, guest_name="Ann")) == []


def test_a_turnover_asks_for_days_between():
    """Fewer days than the unit needs: a conflict over those, between guests alone."""
    ann = a_stay(6, 8, None, None, guest_name="Ann")

    (conflict,) = conflicts(an_airbnb(1, 5), ann, turnover={Scope("unit_1"): 2})

    assert conflict.is_turnover
    assert [night.day for night in conflict.nights] == [6]
    assert conflicts(an_airbnb(1, 5), ann, turnover={Scope("unit_1"): 1}) == []
    assert conflicts(an_airbnb(1, 5), a_block(5, 8, None, None), turnover={Scope("unit_1"): 2}) == []


def test_a_turnover_looks_back_to_who_left_already():
    """A guest who left yesterday needs today, too."""
    found = conflicts(
        an_airbnb(1, 5), a_stay(5, 8, None, None, guest_name="Ann"), turnover={Scope("unit_1"): 2}, today=date(2026, 7, 6)
    )

    assert [[n.day for n in c.nights] for c in found] == [[6]]


LATE = {"extra": {"late_end": True}}


def test_a_night_after_a_late_end_alone_is_possible():
    """A guest who leaves at 22:00 may be gone before the next one comes; any other shared night makes it certain."""
    ann = a_stay(5, 8, None, None, guest_name="Ann")

    assert [c.certainty for c in conflicts(an_airbnb(1, 6, **LATE), ann)] == [Certainty.POSSIBLE]
    assert [c.certainty for c in conflicts(an_airbnb(1, 6), ann)] == [Certainty.CERTAIN]
    assert [c.certainty for c in conflicts(an_airbnb(1, 7, **LATE), ann)] == [Certainty.CERTAIN]
    assert [c.nights for c in conflicts(an_airbnb(1, 6, **LATE), ann)] == [(date(2026, 7, 5),)]


def test_a_departure_that_a_person_set_is_not_late():
    """Who sets the departure by hand has settled what the last night is."""
    late = an_airbnb(1, 6, **LATE, edits={"check_out": an_edit("2026-07-06", base="2026-07-06")})

    assert [c.certainty for c in conflicts(late, a_stay(5, 8, None, None, guest_name="Ann"))] == [Certainty.CERTAIN]


def test_a_turnover_after_a_late_end_counts_from_the_evening():
    """The days that a unit needs are judged by the nights that are certain, too."""
    late, ann = an_airbnb(1, 6, **LATE), a_stay(6, 8, None, None, guest_name="Ann")

    assert [c.certainty for c in conflicts(late, ann, turnover={Scope("unit_1"): 1})] == [Certainty.POSSIBLE]
    assert [c.certainty for c in conflicts(late, ann, turnover={Scope("unit_1"): 2})] == [Certainty.CERTAIN]


def test_two_blocks_are_no_conflict():
    """Two owners' closures are not a conflict, nor are two that one source names differently."""
    assert conflicts(a_block(1, 5), a_block(3, 8, None, None)) == []
    assert conflicts(a_block(1, 5, summary="Painter"), a_block(3, 8, summary="Plumber")) == []


def test_a_part_and_the_whole_share_nights_and_two_parts_do_not():
    """The villa and its flat meet in the flat; flat and loft are apart."""
    flat = an_airbnb(1, 5, unit="unit_flat")
    loft = a_stay(1, 5, None, None, guest_name="Ann", unit="unit_loft")
    whole = a_stay(3, 8, None, None, guest_name="Bob", unit="unit_villa")

    assert conflicts(flat, loft, units=VILLA) == []
    (conflict,) = conflicts(flat, whole, units=VILLA)
    assert (conflict.unit_id, set(conflict.unit_ids)) == ("unit_flat", {"unit_flat", "unit_villa"})
    assert [night.day for night in conflict.nights] == [3, 4]


def test_past_nights_make_no_conflict():
    """Nights before today in the unit's timezone are over."""
    ann = a_stay(3, 8, None, None, guest_name="Ann")

    assert [[n.day for n in c.nights] for c in conflicts(an_airbnb(1, 5), ann, today=date(2026, 7, 4))] == [[4]]
    assert conflicts(an_airbnb(1, 5), ann, today=date(2026, 7, 5)) == []


@pytest.mark.parametrize("status", ["inquiry", "cancelled", "cancelled_by_guest", "vanished", "deleted"])
def test_what_blocks_no_night_makes_no_conflict(status):
    """Inquiries and cancelled bookings hold nothing."""
    assert conflicts(an_airbnb(1, 5), a_stay(2, 4, None, None, guest_name="Ann", status=status)) == []


def test_one_feed_may_show_a_double_booking_of_its_own():
    """A channel manager's two guests of one night conflict; two anonymous closures of one feed do not."""
    ann, bob = (a_stay(1, 5, "src_m", "beds24", guest_name=name, name=name) for name in ("Ann", "Bob"))

    assert len(conflicts(ann, bob)) == 1
    assert conflicts(a_closure(1, 5), a_closure(3, 8)) == []


@pytest.mark.parametrize(
    ("others", "certainty"),
    [
        ([a_closure(1, 6)], Certainty.POSSIBLE),
        ([a_closure(1, 6), a_closure(4, 7, "src_c")], Certainty.LIKELY),
        ([a_closure(1, 6), a_block(4, 6, None, None)], Certainty.LIKELY),
        ([a_closure(1, 6), a_stay(4, 6, None, None, guest_name="Ann")], Certainty.CERTAIN),
        ([a_closure(1, 8), a_stay(6, 8, None, None, guest_name="Ann")], Certainty.POSSIBLE),
    ],
)
def test_a_group_is_as_sure_as_the_surest_two_of_it(others, certainty):
    """A guest of 1 to 5 July, a closure that may repeat the guest, and one more."""
    (conflict,) = conflicts(an_airbnb(1, 5), *others)

    assert conflict.certainty is certainty


def test_the_id_and_the_order_of_a_conflict_stay():
    """The same pair has the same id; the one seen first is first, whatever their order."""
    first, second = an_airbnb(1, 5), a_stay(3, 8, None, None, guest_name="Ann", seen=NOW + HOUR)
    (one,), (two,) = conflicts(first, second), conflicts(second, first)

    assert one == two
    assert one.bookings == (first.id, second.id)


def test_released_nights_are_free():
    """A night that a person released holds nothing, though the feed closes it."""
    released = a_closure(1, 5, edits={"released_nights": an_edit(["2026-07-03"])})

    assert conflicts(released, a_stay(3, 4, None, None, guest_name="Ann")) == []


def test_a_crowded_unit_is_judged_in_proportion():
    """Twice the bookings are about twice the pairs that are looked at: neighbours alone are compared."""
    from bokit.core.occupancy.holdings import overlapping_pairs, read_held_nights

    def pairs(days: int) -> int:
        records = []
        for n in range(days):
            first = TODAY + timedelta(days=3 * n)
            dates = {"check_in": str(first), "check_out": str(first + timedelta(days=3))}
            for source in ("src_a", "src_b"):
                made = a_stay(1, 2, source, "generic", name=f"{source}{n}", **dates)
                records.append(made)
        return sum(1 for _ in overlapping_pairs(read_held_nights(records, TODAY)[1]))

    assert pairs(200) <= 2 * pairs(100) + 2


def test_what_a_doubtful_feed_closes_does_not_show_that_it_repeats_another():
    """Booking.com left nights of the Airbnb guest open; then its address shows another listing, which closes them."""
    guest, sold = an_airbnb(1, 8), a_closure(1, 3, seen=NOW + HOUR, after=NOW)
    values = {"kind": "window", "status": "unavailable", "name": "window"}
    doubtful = a_closure(3, 8, seen=NOW + 2 * HOUR, provisional=[["2026-07-03", "2026-07-08"]], **values)
    by_rule = a_closure(3, 8, seen=NOW + 2 * HOUR, nights=[["2026-07-03", "2026-07-08"]], **values)

    assert states(look(guest, sold, doubtful, at=NOW + DAY))["src_b-1"] == "own"
    assert states(look(guest, sold, by_rule, at=NOW + DAY))["src_b-1"] == "echo"
    assert conflicts(guest, sold, doubtful, at=NOW + DAY)[0].certainty is Certainty.LIKELY
