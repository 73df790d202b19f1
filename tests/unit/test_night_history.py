"""Night history: since when a record holds each night, and which it left."""

from __future__ import annotations

from datetime import date, timedelta

from bokit.core.bookings.limits import MAX_LEFT_AGE
from bokit.core.bookings.night_history import (
    NightsGained,
    NightsLeft,
    Times,
    read_gains,
    read_leaves,
    read_shown,
    record_night_history,
    record_provisional_history,
)
from bokit.core.model.records import Presence
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, a_record, an_edit

STAY = {"kind": "reservation", "status": "confirmed"}


def a_stay(first: str, end: str, **given):
    return a_record(remote={**STAY, "check_in": first, "check_out": end}, **given)


def moved(record, first: str, end: str):
    return replace(record, remote={**record.remote, "check_in": first, "check_out": end})


def spans(found):
    return [(f.first.isoformat(), f.end.isoformat()) for f in found]


def test_a_new_record_remembers_until_when_its_source_showed_the_nights_open():
    """Of a first fetch nothing is known, and nothing kept; later ones keep when the source was read well before."""
    record = a_stay("2026-07-01", "2026-07-05")

    first = record_night_history(None, record, at=NOW, last_read=None)
    later = record_night_history(None, record, at=NOW, last_read=NOW - HOUR)

    assert first.memory == {}
    assert read_gains(first) == [NightsGained(first=date(2026, 7, 1), end=date(2026, 7, 5), seen=NOW)]
    assert read_gains(later) == [NightsGained(first=date(2026, 7, 1), end=date(2026, 7, 5), seen=NOW, after=NOW - HOUR)]


def test_a_moved_record_gains_nights_and_leaves_others():
    """What it holds still is held since before; the rest is new, or left."""
    before = a_stay("2026-07-01", "2026-07-05")

    after = record_night_history(before, moved(before, "2026-07-03", "2026-07-08"), at=NOW + DAY, last_read=NOW)

    assert [(g.first.day, g.end.day, g.seen) for g in read_gains(after)] == [(3, 5, NOW), (5, 8, NOW + DAY)]
    assert read_leaves(after) == [NightsLeft(first=date(2026, 7, 1), end=date(2026, 7, 3), left=NOW + DAY, seen=NOW)]


def test_nights_that_are_left_and_had_again_are_held_from_now_on():
    """A source that once showed them open adds nothing new, and that it left them is kept."""
    record = record_night_history(None, a_stay("2026-07-01", "2026-07-05"), at=NOW, last_read=NOW - HOUR)
    away = record_night_history(record, moved(record, "2026-07-10", "2026-07-14"), at=NOW + HOUR, last_read=NOW)

    back = record_night_history(away, moved(away, "2026-07-01", "2026-07-05"), at=NOW + 2 * HOUR, last_read=NOW + HOUR)

    assert [(g.seen, g.after) for g in read_gains(back)] == [(NOW + 2 * HOUR, NOW - HOUR)]
    assert [(leave.left, leave.first.day) for leave in read_leaves(back)] == [(NOW + HOUR, 1), (NOW + 2 * HOUR, 10)]


def test_a_record_that_is_gone_left_its_nights_when_it_went_and_comes_back_with_that():
    """A platform's slip makes nobody younger than what was seen meanwhile, and the time of absence stays known."""
    record = record_night_history(None, a_stay("2026-07-01", "2026-07-05"), at=NOW, last_read=None)
    gone = replace(record, presence=Presence.GONE, gone_at=NOW + DAY, remote={**record.remote, "status": "vanished"})

    assert record_night_history(record, gone, at=NOW + DAY, last_read=NOW) == gone
    assert [leave.left for leave in read_leaves(gone)] == [NOW + DAY]
    back = record_night_history(gone, replace(record, version=1), at=NOW + 3 * DAY, last_read=NOW + 2 * DAY)
    assert [(g.seen, g.after) for g in read_gains(back)] == [(NOW + 3 * DAY, NOW)]
    assert [leave.left for leave in read_leaves(back)] == [NOW + DAY]


def test_what_a_source_showed_as_another_was_closed_all_the_time():
    """A closure that takes a window's or another stay's place is no later than that."""
    other = record_night_history(None, a_stay("2026-07-01", "2026-07-03"), at=NOW, last_read=NOW - HOUR)
    window = a_record(
        remote={
            "kind": "window",
            "status": "unavailable",
            "nights": [["2026-07-03", "2026-07-04"]],
            "check_in": "2026-07-03",
            "check_out": "2026-07-04",
        }
    )
    made = a_stay("2026-07-01", "2026-07-05", created_at=NOW + DAY)

    after = record_night_history(None, made, at=NOW + DAY, last_read=NOW + HOUR, shown=read_shown([other, window], NOW + DAY))

    assert [(g.first.day, g.seen, g.after) for g in read_gains(after)] == [
        (1, NOW, NOW - HOUR),
        (3, NOW + DAY, None),
        (4, NOW + DAY, NOW + HOUR),
    ]


def test_a_person_lets_nights_go_as_well():
    """Cancelled by hand, or released: the nights are left."""
    by_hand = a_stay("2026-07-01", "2026-07-05", source_id=None)
    cancelled = replace(by_hand, remote={**by_hand.remote, "status": "cancelled"})
    synced = a_stay("2026-07-01", "2026-07-05")
    released = replace(synced, edits={"released_nights": an_edit(["2026-07-04"])})

    assert spans(read_leaves(record_night_history(by_hand, cancelled, at=NOW, last_read=NOW))) == [("2026-07-01", "2026-07-05")]
    assert spans(read_leaves(record_night_history(synced, released, at=NOW, last_read=NOW))) == [("2026-07-04", "2026-07-05")]


def test_tracing_nothing_changes_nothing_and_old_leaves_are_forgotten():
    """Traced twice is traced once; what was left long ago is remembered no more."""
    before = a_stay("2026-07-01", "2026-07-05")
    once = record_night_history(before, moved(before, "2026-07-03", "2026-07-08"), at=NOW, last_read=NOW - HOUR)

    assert record_night_history(once, once, at=NOW + HOUR, last_read=NOW) == once
    assert read_leaves(record_night_history(once, once, at=NOW + MAX_LEFT_AGE + timedelta(seconds=1), last_read=NOW)) == []


def test_a_provisional_night_becomes_a_booking_that_was_there_since_it_was_published():
    """A guard held the feed: others may have imported the night meanwhile, and theirs is the repetition."""
    window = a_record(remote={"kind": "window", "status": "unavailable", "provisional": [["2026-07-01", "2026-07-03"]]})
    held = record_provisional_history(window, NOW, {})
    later = record_provisional_history(held, NOW + HOUR, {})

    shown = read_shown([later], NOW + DAY)
    stay = record_night_history(None, a_stay("2026-07-01", "2026-07-03"), at=NOW + DAY, last_read=NOW, shown=shown)

    assert later == held
    assert [(g.first.day, g.end.day, g.seen, g.after) for g in read_gains(stay)] == [(1, 3, NOW, None)]


def test_a_night_that_is_provisional_no_more_is_forgotten():
    """When it comes again, it is new."""
    window = a_record(remote={"kind": "window", "status": "unavailable", "provisional": [["2026-07-01", "2026-07-02"]]})
    held = record_provisional_history(window, NOW, {})
    opened = record_provisional_history(replace(held, remote={**held.remote, "provisional": []}), NOW + HOUR, {})

    assert read_shown([held], NOW + DAY) == {date(2026, 7, 1): Times(NOW, None, NOW)}
    assert read_shown([opened], NOW + DAY) == {}
