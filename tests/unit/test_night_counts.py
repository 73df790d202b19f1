"""How full units are: every night counted once, by hand and night by night."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.bookings.nights import nights
from bokit.core.bookings.stay import published_nights, read_span
from bokit.core.model.records import Presence, Scope, SourceId
from bokit.core.occupancy.chart import is_guest
from bokit.core.occupancy.night_counts import (
    CountsBy,
    CountTerms,
    count_nights,
    describe_counts,
    find_mean,
    find_median,
    sum_counts,
)
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, an_edit
from tests.support.july import FLAT, TODAY, VILLA, a_block, a_closure, a_stay, an_airbnb

JULY = (date(2026, 7, 1), date(2026, 8, 1))
SUMMER = (date(2026, 6, 1), date(2026, 9, 1))
LONG_AGO = NOW - 400 * DAY


def terms(units, synced=LONG_AGO, covered=LONG_AGO, zone="UTC"):
    """Return terms in which the channel is the source's id, and every source was first read at *synced*."""
    sources = [SourceId(f"src_{name}") for name in ("a", "b", "v", "Ada", "Grace", "Whole", *"cdefgh")]
    return CountTerms(
        channel_of=lambda source: source or "By hand",
        synced_since=dict.fromkeys(sources, synced),
        covered_since={Scope(u.id): covered for u in units} if covered else {},
        zones={Scope(u.id): zone for u in units},
    )


def count(*records, units=FLAT, unit="unit_1", period=JULY, by=CountsBy.UNIT_MONTH, today=TODAY, **given):
    """Return the documents of a unit."""
    occupancy = read_occupancy(units, records, today=today, at=NOW)
    counted = count_nights(occupancy, Scope(unit), period, terms(units, **given))
    return [describe_counts(c) for c in sum_counts(counted, by, period)]


def brief(*records, **given):
    """Return of a month what is sold, linked, blocked, free and not covered."""
    (doc,) = count(*records, **given)
    return tuple(doc[name] for name in ("sold", "linked", "blocked", "free", "not_covered"))


def guest(name, first, end, unit="unit_1", **more):
    return a_stay(first, end, f"src_{name}", None, unit=unit, name=name, guest_name=name, **more)


def test_a_month_with_one_of_everything():
    """A document in full: two channels, a block, what is left, lengths and lead times."""
    (doc,) = count(
        guest("Ada", 1, 5, seen=NOW),
        guest("Grace", 5, 12, seen=datetime(2026, 6, 29, 23, tzinfo=NOW.tzinfo)),
        a_block(20, 31),
        zone="Europe/Rome",
    )

    assert doc == {
        "unit_id": "unit_1",
        "month": "2026-07",
        "from": "2026-07-01",
        "until": "2026-08-01",
        "nights": 31,
        "sold": 11,
        "linked": 0,
        "blocked": 11,
        "free": 9,
        "not_covered": 0,
        "occupancy_percent": 55,
        "length_of_stay": {"stays": 2, "median": 5.5, "mean": 5.5},
        "lead_time": {"known": 2, "unknown": 0, "median": 17.5, "mean": 17.5},
        "channels": [
            {
                "channel": "src_Ada",
                "sold": 4,
                "length_of_stay": {"stays": 1, "median": 4.0, "mean": 4.0},
                "lead_time": {"known": 1, "unknown": 0, "median": 30.0, "mean": 30.0},
            },
            {
                "channel": "src_Grace",
                "sold": 7,
                "length_of_stay": {"stays": 1, "median": 7.0, "mean": 7.0},
                "lead_time": {"known": 1, "unknown": 0, "median": 5.0, "mean": 5.0},  # in Rome it was June 30 already
            },
        ],
    }


def test_a_reservation_that_several_sources_show_counts_once():
    """A joint booking is one stay of the channel that showed it first; an echo is nothing."""
    joint = an_airbnb(1, 5), a_stay(1, 5, "src_b", "beds24", seen=NOW + DAY, reservation_code="HMAAAAAAAA")
    echo = a_closure(1, 5, "src_v", seen=NOW + DAY, after=NOW + DAY)

    (doc,) = count(*joint, echo)

    assert (doc["sold"], doc["blocked"], doc["length_of_stay"]["stays"]) == (4, 0, 1)
    assert [(c["channel"], c["sold"]) for c in doc["channels"]] == [("src_a", 4)]


def test_a_night_that_was_sold_twice_counts_once_and_for_the_first():
    """Both stays have their length; the night in conflict is the first one's."""
    (doc,) = count(guest("Ada", 1, 5), guest("Grace", 3, 9, seen=NOW + DAY))

    assert (doc["sold"], doc["length_of_stay"]) == (8, {"stays": 2, "median": 5.0, "mean": 5.0})
    assert [(c["channel"], c["sold"]) for c in doc["channels"]] == [("src_Ada", 4), ("src_Grace", 4)]


def test_who_is_cancelled_does_not_count_and_who_is_missing_does():
    """As long as the nights are held, they are not for sale."""
    kept = guest("Ada", 1, 3, presence=Presence.MISSING, missing_since=NOW)
    gone = guest("Grace", 5, 8, presence=Presence.GONE, gone_at=NOW, status="cancelled")

    assert brief(kept, gone) == (2, 0, 0, 29, 0)


def test_a_stay_over_the_end_of_a_month_is_divided_by_nights():
    """Its length and its lead time belong to the month of arrival, whole."""
    june, july, august = count(
        guest("Ada", 29, 31, check_out="2026-08-04"), guest("Grace", 1, 2, check_in="2026-06-29"), period=SUMMER
    )

    assert [doc["month"] for doc in (june, july, august)] == ["2026-06", "2026-07", "2026-08"]
    assert [(doc["nights"], doc["sold"]) for doc in (june, july, august)] == [(30, 2), (31, 4), (31, 3)]
    assert [doc["length_of_stay"]["stays"] for doc in (june, july, august)] == [1, 1, 0]
    assert (june["length_of_stay"]["mean"], july["length_of_stay"]["mean"]) == (3.0, 6.0)


def test_only_nights_of_the_time_asked_for_count():
    """Parts of months have the nights that they have; who arrived before is not counted as a stay."""
    period = (date(2026, 7, 10), date(2026, 7, 20))
    (doc,) = count(guest("Ada", 8, 12), guest("Grace", 19, 31), period=period)

    assert (doc["from"], doc["until"], doc["nights"], doc["sold"], doc["free"]) == ("2026-07-10", "2026-07-20", 10, 3, 7)
    assert doc["length_of_stay"] == {"stays": 1, "median": 12.0, "mean": 12.0}


def test_a_time_before_every_booking():
    """It may begin long before the first night that anybody holds."""
    june, july, _ = count(guest("Ada", 8, 12), period=SUMMER)

    assert [(doc["sold"], doc["free"]) for doc in (june, july)] == [(0, 30), (4, 27)]


@pytest.mark.parametrize(
    ("seen", "known"),
    [(NOW, 0), (NOW + timedelta(seconds=1), 1), (datetime(2026, 7, 2, tzinfo=NOW.tzinfo), 0)],
)
def test_the_lead_time_of_what_was_there_at_the_first_sync_is_not_known(seen, known):
    """Nor of what was seen only after it began."""
    (doc,) = count(guest("Ada", 1, 5, seen=seen), synced=NOW, today=date(2026, 7, 3))

    assert (doc["lead_time"]["known"], doc["lead_time"]["unknown"]) == (known, 1 - known)
    assert (doc["lead_time"]["median"] is None) is not bool(known)


def test_the_lead_time_of_a_joint_booking_is_the_first_sources():
    """A second source that is read later, and has it at its first sync, does not make it unknown; an earlier one does."""
    late = a_stay(1, 5, "src_b", "beds24", seen=NOW + DAY, reservation_code="HMAAAAAAAA")

    (doc,) = count(an_airbnb(1, 5), late)
    assert doc["lead_time"] == {"known": 1, "unknown": 0, "median": 30.0, "mean": 30.0}

    (doc,) = count(an_airbnb(1, 5), late, synced=NOW)
    assert doc["lead_time"]["known"] == 0


def test_what_is_entered_by_hand_was_booked_when_it_was_entered():
    """It has no first sync."""
    (doc,) = count(a_stay(11, 13, None, None, name="phone", seen=NOW))

    assert doc["lead_time"] == {"known": 1, "unknown": 0, "median": 40.0, "mean": 40.0}
    assert [c["channel"] for c in doc["channels"]] == ["By hand"]


def test_an_edit_of_the_dates_counts():
    """What the source closes beyond them is not free, and nobody's."""
    record = guest("Ada", 1, 5)

    assert brief(replace(record, edits={"check_out": an_edit("2026-07-03", base="2026-07-05")})) == (2, 0, 2, 27, 0)
    assert brief(replace(record, edits={"check_out": an_edit("2026-07-08", base="2026-07-05")})) == (7, 0, 0, 24, 0)


def test_windows_count_as_free_but_what_rolls_and_is_published_is_blocked():
    """A channel's own rules close nothing elsewhere."""
    window = a_stay(1, 2, "src_b", None, name="window", kind="window", nights=[["2026-07-10", "2026-07-20"]])
    rolling = replace(window, remote={**window.remote, "rolling": [["2026-07-20", "2026-07-23"]]})

    assert brief(window) == (0, 0, 0, 31, 0)
    assert brief(rolling) == (0, 0, 3, 28, 0)


def test_a_villa_and_its_parts_sell_each_night_once():
    """A night of the whole is not for sale in its parts, and the other way round; two parts share nothing."""
    records = [guest("Whole", 1, 5, "unit_villa"), guest("Ada", 10, 13, "unit_loft"), a_block(20, 22, unit="unit_loft")]
    found = {unit: brief(*records, units=VILLA, unit=unit) for unit in ("unit_villa", "unit_loft", "unit_flat")}

    assert found == {"unit_villa": (4, 5, 0, 22, 0), "unit_loft": (3, 4, 2, 22, 0), "unit_flat": (0, 4, 0, 27, 0)}


def test_nights_before_the_first_calendar_was_read_are_not_shown_as_free():
    """They are sold where a calendar shows past stays; the share of what could be sold is not known."""
    covered = datetime(2026, 7, 10, 23, 30, tzinfo=NOW.tzinfo)
    found = count(guest("Ada", 1, 5), a_block(6, 8), covered=covered, period=SUMMER, zone="Europe/Rome")

    assert [(d["sold"], d["blocked"], d["free"], d["not_covered"]) for d in found] == [
        (0, 0, 0, 30),
        (4, 2, 21, 4),
        (0, 0, 31, 0),
    ]
    assert [d["occupancy_percent"] for d in found] == [None, None, 0]
    assert brief(guest("Ada", 1, 5), covered=None) == (4, 0, 0, 0, 27)


def test_sums_of_units_and_months():
    """Each adds up; medians are those of all stays, not of medians."""
    records = [
        guest("Ada", 1, 2, "unit_loft"),
        guest("c", 5, 6, "unit_flat"),
        guest("Grace", 10, 20, "unit_flat", check_out="2026-08-10"),
    ]
    occupancy = read_occupancy(VILLA, records, today=TODAY, at=NOW)
    every = [c for u in ("unit_loft", "unit_flat") for c in count_nights(occupancy, Scope(u), SUMMER, terms(VILLA))]
    sums = {by: [describe_counts(c) for c in sum_counts(every, by, SUMMER)] for by in CountsBy}

    assert [len(sums[by]) for by in CountsBy] == [6, 2, 3, 1]
    (total,) = sums[CountsBy.TOTAL]
    assert (total["unit_id"], total["month"], total["from"], total["until"]) == (None, None, "2026-06-01", "2026-09-01")
    assert (total["nights"], total["sold"], total["length_of_stay"]) == (184, 33, {"stays": 3, "median": 1.0, "mean": 11.0})
    assert [(d["month"], d["unit_id"], d["from"], d["sold"]) for d in sums[CountsBy.MONTH]] == [
        ("2026-06", None, "2026-06-01", 0),
        ("2026-07", None, "2026-07-01", 24),
        ("2026-08", None, "2026-08-01", 9),
    ]
    assert [(d["unit_id"], d["month"], d["sold"]) for d in sums[CountsBy.UNIT]] == [
        ("unit_loft", None, 1),
        ("unit_flat", None, 32),
    ]


@st.composite
def worlds(draw):
    """Stays, blocks and windows of a villa and its parts, some cancelled, edited, or shown by two sources."""
    records = []
    for number in range(draw(st.integers(0, 7))):
        first = draw(st.integers(1, 27))
        end = draw(st.integers(first + 1, 31))
        unit, source = draw(st.sampled_from(["unit_villa", "unit_flat", "unit_loft"])), draw(st.sampled_from("abcdefgh"))
        seen = NOW + timedelta(hours=draw(st.integers(0, 60 * 24)))
        more = {"unit": unit, "name": f"n{number}", "seen": seen}
        kind = draw(st.sampled_from(["guest", "guest", "guest", "block", "closure", "window"]))
        if kind == "guest":
            status = draw(st.sampled_from(["confirmed", "confirmed", "cancelled", "tentative"]))
            code = draw(st.sampled_from([None, "HMAAAAAAAA", "HMBBBBBBBB"]))
            record = a_stay(
                first, end, f"src_{source}", draw(st.sampled_from([None, "airbnb"])), status=status, reservation_code=code, **more
            )
            if draw(st.booleans()):
                record = replace(record, edits={"check_out": an_edit(f"2026-08-{draw(st.integers(1, 9)):02d}", base=None)})
        elif kind == "block":
            record = a_block(first, end, f"src_{source}", **more)
        elif kind == "closure":
            record = a_closure(first, end, f"src_{source}", after=seen, **more)
        else:
            spans = [[f"2026-07-{first:02d}", f"2026-07-{end:02d}"]]
            record = a_stay(
                first, end, f"src_{source}", None, kind="window", **{draw(st.sampled_from(["nights", "rolling"])): spans}, **more
            )
        records.append(record)
    return records


PERIODS = st.sampled_from([JULY, SUMMER, (date(2026, 7, 13), date(2026, 8, 5)), (date(2026, 7, 29), date(2026, 7, 30))])


def count_by_night(occupancy, unit, period, covered):
    """Return the months' counts, one night after the other: what the bits must say."""
    months, channels = Counter(), Counter()
    for night in sorted(nights(*period)):
        month = night.isoformat()[:7]
        holding = occupancy.holding(unit, night)
        inside = [b for b in holding if is_guest(b) and read_span(b.fields)[0] <= night < read_span(b.fields)[1]]
        guests = [b for b in inside if b.unit_id == unit]
        closed = [b for b in holding if closes(b, night)]
        if guests:
            months[month, "sold"] += 1
            channels[month, guests[0].records[0].source_id] += 1
        elif inside:
            months[month, "linked"] += 1
        elif any(b.unit_id == unit for b in closed):
            months[month, "blocked"] += 1
        elif closed:
            months[month, "linked"] += 1
        else:
            months[month, "free" if night >= covered.date() else "not_covered"] += 1
    return months, channels


def closes(booking, night):
    if booking.kind == "window":
        return any(night in published_nights(r) for r in booking.records)
    return booking.state == "own" and night not in booking.grid.nights(booking.verdict.fades & booking.bits)


@given(worlds(), PERIODS, st.sampled_from(["unit_villa", "unit_flat", "unit_loft"]), st.integers(-5, 60))
def test_counts_agree_with_counting_night_by_night(records, period, unit, covered_after):
    """For any bookings of linked units, in any time; lengths and lead times as the standard library averages them."""
    occupancy = read_occupancy(VILLA, records, today=TODAY, at=NOW)
    covered, synced = NOW + covered_after * DAY, NOW + 10 * DAY
    months, channels = count_by_night(occupancy, Scope(unit), period, covered)
    counted = count_nights(occupancy, Scope(unit), period, terms(VILLA, covered=covered, synced=synced))

    for doc in map(describe_counts, counted):
        shown = ("sold", "linked", "blocked", "free", "not_covered")
        assert {name: doc[name] for name in shown} == {name: months[doc["month"], name] for name in shown}
        assert {c["channel"]: c["sold"] for c in doc["channels"] if c["sold"]} == {
            source: n for (month, source), n in channels.items() if month == doc["month"]
        }
        assert sum(doc[name] for name in shown) == doc["nights"]
        mine = [b for b in occupancy.bookings if b.unit_id == unit and is_guest(b)]
        mine = [b for b in mine if doc["from"] <= b.fields["check_in"] < doc["until"]]
        lengths = [(read_span(b.fields)[1] - read_span(b.fields)[0]).days for b in mine]
        seen = [min(r.created_at for r in b.records) for b in mine]
        leads = [(read_span(b.fields)[0] - at.date()).days for b, at in zip(mine, seen, strict=True) if at > synced]
        leads = [days for days in leads if days >= 0]
        assert doc["length_of_stay"]["stays"] == len(mine) == sum(c["length_of_stay"]["stays"] for c in doc["channels"])
        assert doc["length_of_stay"]["median"] == (median(lengths) if lengths else None)
        assert (doc["lead_time"]["known"], doc["lead_time"]["unknown"]) == (len(leads), len(mine) - len(leads))
        assert doc["lead_time"]["mean"] == (round(fmean(leads), 1) if leads else None)


@given(st.lists(st.integers(0, 500)))
def test_averages_are_those_of_the_standard_library(values):
    """The library itself takes too long to import for a function that starts cold."""
    assert find_median(values) == (median(values) if values else None)
    assert find_mean(values) == (round(fmean(values), 1) if values else None)


def test_what_fades_is_free():
    """No calendar shows it; of a closure that repeated a cancelled booking among others, the others' nights are closed."""
    after = {"seen": NOW + HOUR, "after": NOW + HOUR / 2}
    gone = an_airbnb(1, 5, after=NOW - HOUR, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")

    def counted(*records):
        occupancy = read_occupancy(FLAT, records, today=TODAY, at=NOW + 25 * HOUR)
        (found,) = count_nights(occupancy, Scope("unit_1"), JULY, terms(FLAT))
        fading = [(str(b.state), len(b.grid.nights(b.verdict.fades & b.bits))) for b in occupancy.bookings]
        return fading, found.sold, found.blocked, found.free

    assert counted(gone, a_closure(1, 5, **after)) == ([("fading", 4)], 0, 0, 31)
    assert counted(gone, a_block(1, 9, **after)) == ([("own", 4)], 0, 4, 27)
