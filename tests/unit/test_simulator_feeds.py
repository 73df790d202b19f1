"""Each fact that is known of a platform's feed holds in the feed that the simulator renders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bokit.core.ical.entries import BLOCKING
from bokit.core.ical.reader import ReadSettings, read_ical
from simulator.life import live
from simulator.model import SimulatorError
from simulator.world import World
from tests.support.feed_lines import end, events, named, span, start

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
BLOCKED = "Airbnb (Not available)"


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


def world_of(feed: str, **options: object) -> World:
    world = World(seed=7, now=NOW)
    world.add_feed(feed, **options)
    return world


# Airbnb

AIRBNB = "airbnb/garden"


def test_airbnb_stamps_the_whole_feed_with_the_time_of_the_answer():
    """Two answers differ in every DTSTAMP, and in nothing else."""
    world = world_of(AIRBNB)
    world.book(AIRBNB, day(3), day(5))
    world.block(AIRBNB, day(8), day(9))
    first, second = world.answer(AIRBNB).body, world.answer(AIRBNB).body

    stamps = {event["DTSTAMP"] for event in events(first)}
    assert len(stamps) == 1
    assert first != second
    assert first.replace(stamps.pop().encode(), events(second)[0]["DTSTAMP"].encode()) == second


def test_airbnb_keeps_uid_and_code_when_a_stay_moves():
    """UID, code and address of a reservation survive other dates."""
    world = world_of(AIRBNB)
    stay = world.book(AIRBNB, day(3), day(5))
    (before,) = events(world.render(AIRBNB))
    world.move(stay, day(400), day(402))
    (after,) = events(world.render(AIRBNB))

    assert (after["UID"], after["DESCRIPTION"]) == (before["UID"], before["DESCRIPTION"])
    assert span(after) == (day(400), day(402))


def test_airbnb_codes_are_one_to_one():
    """A hundred stays have a hundred codes of HM and eight letters."""
    world = world_of(AIRBNB)
    for number in range(100):
        world.book(AIRBNB, day(number * 3), day(number * 3 + 2))
    codes = {e["DESCRIPTION"].partition("details/")[2][:10] for e in events(world.render(AIRBNB))}

    assert len(codes) == 100
    assert all(code.startswith("HM") and code.isalnum() and len(code) == 10 for code in codes)


def test_airbnb_phone_digits_can_change_while_the_code_stays():
    """The last four digits are those of the guest's phone now."""
    world = world_of(AIRBNB)
    stay = world.book(AIRBNB, day(3), day(5))
    before = events(world.render(AIRBNB))[0]["UID"]
    world.change(stay, phone="+39 333 0004321")
    (event,) = events(world.render(AIRBNB))

    assert event["UID"] == before
    assert event["DESCRIPTION"].endswith("(Last 4 Digits): 4321")


def test_airbnb_shows_a_reservation_whole_until_the_day_after_its_end():
    """It is never clipped; two days after its end it is gone."""
    world = world_of(AIRBNB)
    world.book(AIRBNB, day(1), day(4))
    shown = []
    for _ in range(7):
        shown.append([span(e) for e in events(world.render(AIRBNB))])
        world.advance(days=1)

    assert shown == [[(day(1), day(4))]] * 6 + [[]]


def test_airbnb_block_uids_are_a_function_of_the_start():
    """Another block of the same start has the same UID, one of another start has another."""
    world = world_of(AIRBNB)
    block = world.block(AIRBNB, day(5), day(7))
    first = events(world.render(AIRBNB))[0]["UID"]
    world.unblock(block)
    world.block(AIRBNB, day(5), day(12))
    again = events(world.render(AIRBNB))[0]["UID"]
    world.block(AIRBNB, day(20), day(22))

    assert first == again
    assert first.startswith("7f662ec65913-")
    assert len({e["UID"] for e in events(world.render(AIRBNB))}) == 2


def test_airbnb_an_ongoing_blocks_start_rolls_with_today():
    """It starts two days ago at most, and so has a new UID every day."""
    world = world_of(AIRBNB)
    world.block(AIRBNB, day(0), day(10))
    world.advance(days=5)
    (one,) = events(world.render(AIRBNB))
    world.advance(days=1)
    (next_day,) = events(world.render(AIRBNB))

    assert (start(one), start(next_day)) == (day(3), day(4))
    assert one["UID"] != next_day["UID"]


@pytest.mark.parametrize(("options", "first_rolls"), [({"open_days": 200}, True), ({"open_until": day(200)}, False)])
def test_airbnb_the_trailing_block_rolls_to_366_days_from_today(options, first_rolls):
    """Its end rolls every day; its start only where the open calendar is so many days long."""
    world = world_of(AIRBNB, **options)
    (before,) = events(world.render(AIRBNB))
    world.advance(days=1)
    (after,) = events(world.render(AIRBNB))

    assert (end(before), end(after)) == (day(366), day(367))
    assert (start(after) == day(201)) is first_rolls
    assert (before["UID"] != after["UID"]) is first_rolls


def test_airbnb_closes_today_and_the_advance_notice_a_day_each():
    """One-day blocks stand on free days only, and are others each day."""
    world = world_of(AIRBNB, notice_days=2)
    world.book(AIRBNB, day(1), day(2))

    assert [span(e) for e in named(world.render(AIRBNB), BLOCKED)] == [(day(0), day(1))]
    world.advance(days=1)
    assert [span(e) for e in named(world.render(AIRBNB), BLOCKED)] == [(day(2), day(3))]


def test_airbnb_shows_a_linked_listings_stay_as_a_block_of_the_same_dates():
    """Another unit's reservation closes the same nights here, without code."""
    world = world_of(AIRBNB, linked=["airbnb/loft"])
    world.add_feed("airbnb/loft", unit="Loft")
    world.book("airbnb/loft", day(3), day(6))
    (event,) = events(world.render(AIRBNB))

    assert (event["SUMMARY"], span(event)) == (BLOCKED, (day(3), day(6)))
    assert "DESCRIPTION" not in event


def test_airbnb_old_form_has_no_stamp_the_end_first_and_lf_alone():
    """The form 0.8.8 is what its PRODID says."""
    world = world_of(AIRBNB, form="0.8.8")
    world.book(AIRBNB, day(3), day(5))
    world.block(AIRBNB, day(8), day(9))
    body = world.render(AIRBNB)

    assert b"\r" not in body
    assert b"DTSTAMP" not in body
    assert b"PRODID;X-RICAL-TZSOURCE=TZINFO:-//Airbnb Inc//Hosting Calendar 0.8.8//EN\n" in body
    assert b"BEGIN:VEVENT\nDTEND;VALUE=DATE:20261125\nDTSTART;VALUE=DATE:20261123\n" in body
    assert b"UID:6fec1092d3fa-" in body


def test_airbnb_a_stay_that_comes_back_has_the_same_code():
    """A cancellation is a disappearance, and a return the same event again."""
    world = world_of(AIRBNB)
    stay = world.book(AIRBNB, day(3), day(5))
    before = world.render(AIRBNB)
    world.cancel(stay)
    gone = world.render(AIRBNB)
    world.bring_back(stay)

    assert events(gone) == []
    assert world.render(AIRBNB) == before


# Booking.com

BOOKING = "booking_com/garden"


def test_booking_com_uids_are_a_function_of_room_and_first_night():
    """A later guest of the same first night reuses the UID; a moved start has another; so has another room."""
    world = world_of(BOOKING)
    world.add_feed("booking_com/loft")
    one = world.book(BOOKING, day(5), day(7))
    world.book("booking_com/loft", day(5), day(7))
    first, other = (events(world.render(feed))[0]["UID"] for feed in (BOOKING, "booking_com/loft"))
    world.cancel(one)
    two = world.book(BOOKING, day(5), day(9))
    reused = events(world.render(BOOKING))[0]["UID"]
    world.move(two, day(6), day(9))

    assert reused == first != other
    assert events(world.render(BOOKING))[0]["UID"] != first


def test_booking_com_clips_an_ongoing_stay_at_the_propertys_midnight():
    """It starts today where the property is, with a new UID every night; the departure day stays."""
    world = world_of(BOOKING, timezone="Europe/Rome")
    world.book(BOOKING, day(0), day(3))
    seen = []
    for hours in (13, 2, 24, 24):
        world.advance(hours=hours)
        seen.append([(span(e), e["UID"]) for e in events(world.render(BOOKING))])

    assert [[s for s, _ in each] for each in seen] == [[(day(0), day(3))], [(day(1), day(3))], [(day(2), day(3))], []]
    assert len({uid for each in seen for _, uid in each}) == 3


def test_booking_com_kept_the_start_before_july_2026():
    """In the era `whole` an ongoing stay keeps start and UID until it is over, without an ORGANIZER."""
    world = world_of(BOOKING, era="whole")
    world.book(BOOKING, day(0), day(3))
    (before,) = events(world.render(BOOKING))
    world.advance(days=2)
    (after,) = events(world.render(BOOKING))

    assert (after["UID"], span(after)) == (before["UID"], span(before))
    assert "ORGANIZER" not in after


def test_booking_com_says_the_same_of_stays_and_closures():
    """One summary for all, no DESCRIPTION, no STATUS; ORGANIZER since July 2026; the PRODID with its backslashes."""
    world = world_of(BOOKING)
    world.book(BOOKING, day(3), day(5))
    world.block(BOOKING, day(8), day(9))
    body = world.render(BOOKING)

    assert {e["SUMMARY"] for e in events(body)} == {"CLOSED - Not available"}
    assert {tuple(e) for e in events(body)} == {("DTSTAMP", "DTSTART", "DTEND", "UID", "SUMMARY", "ORGANIZER")}
    assert b"PRODID:-//admin.booking.com\\\\\\, b.v.//NONSGML v1.0//EN\r\n" in body


def test_booking_com_named_the_guest_of_old():
    """In the era `named` the summary has the guest's name."""
    world = world_of(BOOKING, era="named")
    world.book(BOOKING, day(3), day(5), guest="Ann Example")

    assert events(world.render(BOOKING))[0]["SUMMARY"] == "CLOSED - Ann Example"


def test_booking_com_the_trailing_closure_ends_546_to_550_days_from_today():
    """Over a year it ends eighteen months ahead, and rolls at midnight; its start and UID stay."""
    world = world_of(BOOKING, open_until=day(400))
    ahead, uids = set(), set()
    for number in range(366):
        (event,) = events(world.render(BOOKING))
        ahead.add((end(event) - day(number)).days)
        uids.add(event["UID"])
        world.advance(days=1)

    assert ahead <= set(range(546, 551))
    assert len(ahead) > 2
    assert len(uids) == 1


def test_booking_com_events_can_overlap():
    """A stay within the trailing closure is an event of its own."""
    world = world_of(BOOKING, open_until=day(300))
    world.book(BOOKING, day(310), day(312))
    stay, trailing = sorted(events(world.render(BOOKING)), key=end)

    assert start(trailing) < start(stay)
    assert end(stay) < end(trailing)


# VRBO

VRBO = "vrbo/loft"


def test_vrbo_uids_change_with_the_dates():
    """A moved stay has another GUID; back at its dates it has the first again."""
    world = world_of(VRBO)
    stay = world.book(VRBO, day(3), day(5))
    first = events(world.render(VRBO))[0]["UID"]
    world.move(stay, day(4), day(6))
    moved = events(world.render(VRBO))[0]["UID"]
    world.move(stay, day(3), day(5))

    assert moved != first == events(world.render(VRBO))[0]["UID"]
    assert [len(part) for part in first.split("-")] == [8, 4, 4, 4, 12]


def test_vrbo_names_guests_and_lets_past_stays_linger():
    """`Reserved - Name`, `Blocked`, `Tentative - Name`; a stay of months ago is still there."""
    world = world_of(VRBO)
    world.book(VRBO, day(-90), day(-85), guest="Melanie")
    world.block(VRBO, day(8), day(9))
    world.book(VRBO, day(12), day(14), guest="Ann", tentative=True)

    assert [e["SUMMARY"] for e in events(world.render(VRBO))] == ["Reserved - Melanie", "Blocked", "Tentative - Ann"]
    assert len(events(world.render(VRBO, tentative=False))) == 2


def test_vrbo_speaks_french_as_abritel():
    """The French words stand in the French feed."""
    world = world_of(VRBO, language="fr")
    world.book(VRBO, day(3), day(5), guest="Zoé")
    world.block(VRBO, day(8), day(9))
    world.book(VRBO, day(12), day(14), guest="Ann", tentative=True)

    assert [e["SUMMARY"] for e in events(world.render(VRBO))] == ["Réservée - Zoé", "Indisponible", "Provisoire - Ann"]


def test_vrbo_a_cancelled_stay_drops_silently_or_leaves_a_block():
    """Nothing says that it was cancelled; sometimes its nights stay `Blocked`."""
    world = world_of(VRBO)
    silent, closed = world.book(VRBO, day(3), day(5)), world.book(VRBO, day(8), day(11))
    world.cancel(silent)
    world.cancel(closed, leave_block=True)
    (event,) = events(world.render(VRBO))

    assert (event["SUMMARY"], span(event)) == ("Blocked", (day(8), day(11)))


# Beds24 and Google

BEDS24, GOOGLE = "beds24/loft", "google/family"


def test_beds24_shows_the_guest_by_the_owners_template():
    """The summary is the guest or `Unavailable`; DESCRIPTION has the template's keys; the URL is the dead one."""
    world = world_of(BEDS24)
    world.book(BEDS24, day(3), day(5), guest="Nora Example")
    world.block(BEDS24, day(8), day(9))
    stay, block = events(world.render(BEDS24))
    keys = [line.partition(":")[0] for line in stay["DESCRIPTION"].split("\\n")]

    assert (stay["SUMMARY"], block["SUMMARY"]) == ("Nora Example", "Unavailable")
    assert keys == ["STATUS", "GUESTS", "TIME", "PHONE", "EMAIL", "CTRY", "OTA", "COMMENTS", "NOTES", "PARKING"]
    assert stay["URL"].startswith("https://www.beds24.com/control2.php?bookid=")


def test_beds24_ends_with_the_last_night_by_a_setting():
    """The event ends a day earlier where the owner chose so."""
    world = world_of(BEDS24, ends="last_night")
    world.book(BEDS24, day(3), day(5))

    assert span(events(world.render(BEDS24))[0]) == (day(3), day(4))


def test_google_keeps_the_uid_raises_the_sequence_and_says_cancelled():
    """A moved event is the same with a higher SEQUENCE; a cancelled one stays with STATUS:CANCELLED."""
    world = world_of(GOOGLE)
    stay = world.book(GOOGLE, day(3), day(5))
    (first,) = events(world.render(GOOGLE))
    world.move(stay, day(4), day(6))
    (moved,) = events(world.render(GOOGLE))
    world.cancel(stay)
    (gone,) = events(world.render(GOOGLE))

    assert first["UID"] == moved["UID"] == gone["UID"]
    assert [e["SEQUENCE"] for e in (first, moved, gone)] == ["0", "1", "2"]
    assert [e["STATUS"] for e in (first, moved, gone)] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert first["DTSTART"].endswith("T160000")


def test_google_has_series():
    """A block that comes again each week is one event with a rule."""
    world = world_of(GOOGLE)
    world.block(GOOGLE, day(3), day(5), every_days=7, times=4)

    assert events(world.render(GOOGLE))[0]["RRULE"] == "FREQ=DAILY;INTERVAL=7;COUNT=4"
    assert len(world.truth().closed[GOOGLE]) == 8
    with pytest.raises(SimulatorError, match="google"):
        world_of(AIRBNB).block(AIRBNB, day(3), day(5), every_days=7, times=4)


# all

EVERY = [
    ("airbnb/a", {"notice_days": 2, "open_days": 200}),
    ("airbnb/old", {"form": "0.8.8", "open_until": day(250)}),
    ("booking_com/b", {"open_until": day(300)}),
    ("booking_com/whole", {"era": "whole"}),
    ("booking_com/named", {"era": "named"}),
    ("vrbo/v", {}),
    ("vrbo/fr", {"language": "fr"}),
    ("beds24/b", {}),
    ("google/g", {}),
    ("google/days", {"timed": False}),
]


@pytest.mark.parametrize(("feed", "options"), EVERY)
def test_the_engine_reads_in_a_feed_what_is_true(feed, options):
    """Over months of life the nights that the engine's reader finds held are those that the truth holds closed."""
    world = world_of(feed, timezone="America/New_York", **options)
    for _ in range(12):
        live(world, 10)
        today = world.today(feed)
        seen = read_ical(world.render(feed), ReadSettings(at=world.now, timezone=ZoneInfo("America/New_York"), until=day(3000)))
        spans = [(e.check_in, e.check_out) for e in seen.entries if e.status in BLOCKING]
        held = {check_in + timedelta(days=n) for check_in, check_out in spans for n in range((check_out - check_in).days)}

        assert {night for night in held if night >= today} == world.truth().closed[feed]
        assert not seen.problems


@pytest.mark.parametrize(("feed", "options"), EVERY)
def test_no_line_is_longer_than_75_octets(feed, options):
    """Long lines are folded between characters."""
    world = world_of(feed, **options)
    world.book(feed, day(3), day(5), guest="Ünïcödé " * 12)

    lines = world.render(feed).splitlines()
    assert max(map(len, lines)) <= 75
    assert all(line.decode() for line in lines)
