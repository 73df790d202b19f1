"""Who reads an outgoing calendar: kinds of program, their rhythm, and when one of them is missed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.model.limits import MAX_GAPS
from bokit.core.model.readers import (
    KINDS,
    Reader,
    Readers,
    find_kind,
    judge_readers,
    merge_readers,
    next_check,
    note_read,
    round_span,
)
from tests.support.builders import NOW

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

AGENTS = {
    "airbnb": ["Airbnb/1.0", "Mozilla/5.0 (compatible; Airbnb/1.0; +https://www.airbnb.com)"],
    "booking_com": ["Booking.com iCal importer", "BookingCom/2"],
    "vrbo": ["HomeAway/1.0 (ical)", "Vrbo", "Expedia-Group-Calendar"],
    "google": ["Google-Calendar-Importer", "Mozilla/5.0 (compatible; Google-Calendar-Importer)"],
    "apple": ["iOS/26.0 (24A123) dataaccessd/1.0", "macOS/14.2 (23C64) CalendarAgent/1186", "iCal/5"],
    "outlook": ["Microsoft.Exchange/15.20", "Outlook-iOS/2.0", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)"],
    "browser": [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Macintosh) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
    ],
    "other": ["", "curl/8.5.0", "Java/17.0.2", "python-requests/2.32", "x" * 10_000 + "airbnb"],
}


def read(at: list[float], kind: str = "airbnb", readers: Readers = ()) -> Readers:
    """Return the readers after reads at these hours."""
    for hours in at:
        readers = note_read(readers, kind, NOW + hours * HOUR) or readers
    return readers


def missed_after(hours: list[float], kind: str = "airbnb") -> float | None:
    """Return how many hours after its last read a reader is missed."""
    (reader,) = read(hours, kind)
    return (reader.missed_at - reader.read_at) / HOUR if reader.missed_at else None


@pytest.mark.parametrize("kind", AGENTS)
def test_programs_are_known_by_their_user_agent(kind: str) -> None:
    """Each platform, the calendars of people, browsers, and the rest; whatever a stranger sends is one of a fixed list."""
    assert {find_kind(agent).id for agent in AGENTS[kind]} == {kind}


def test_no_user_agent_is_another_program() -> None:
    """It is watched as one that may be a person."""
    assert find_kind(None).id == "other"


def test_four_reads_make_a_rhythm() -> None:
    """Three are not believed; after the fourth the reader is missed at three times its interval."""
    assert [missed_after([3.0 * n for n in range(count)]) for count in (1, 2, 3, 4, 9)] == [None, None, None, 9, 9]


def test_a_burst_is_one_read() -> None:
    """Reads within a quarter of an hour are no news: nothing is written, and no gap is learned."""
    usual = read([0, 3, 6, 9, 12, 15])
    assert [note_read(usual, "airbnb", NOW + 15 * HOUR + n * MINUTE) for n in (0, 1, 14)] == [None] * 3
    assert note_read(usual, "airbnb", NOW + 14 * HOUR) is None, "a clock that went back"
    assert missed_after([0, 3, 6, 9, 9.05, 9.1, 9.15, 9.2, 12]) == 9


def test_a_person_who_refreshes_does_not_shorten_the_rhythm() -> None:
    """Five refreshes, twenty minutes apart, among a platform's own reads; and tests of a new address before its first ones."""
    burst = [24 + n / 3 for n in range(1, 6)]
    assert missed_after([3.0 * n for n in range(9)] + burst) == 9
    assert missed_after([0, 0.4, 0.8, 1.2, 4.2]) == 9


def test_one_outage_does_not_lengthen_the_rhythm() -> None:
    """A day without reads among many is left out; a rhythm that really changes is learned."""
    assert missed_after([0, 3, 6, 9, 12, 15, 18, 42, 45]) == 9
    slow = [3.0 * n for n in range(12)] + [33 + 24.0 * n for n in range(1, 6)]
    assert missed_after(slow) == 72


def test_the_slow_and_irregular_is_not_missed_too_soon() -> None:
    """Google reads every eight to twenty-four hours: three times the longer gaps."""
    gaps = [8, 20, 12, 24, 9, 18, 15, 22, 10]
    times = [float(sum(gaps[:n])) for n in range(len(gaps) + 1)]
    assert missed_after(times, "google") == 60


def test_a_quick_reader_is_not_missed_within_the_hour() -> None:
    """However often it reads."""
    assert missed_after([n / 3 for n in range(12)]) == 1
    assert missed_after([n / 4 for n in range(12)]) == 1


def test_people_are_never_missed() -> None:
    """Not by a browser or a phone, and no program that reads as unevenly as a person does."""
    steady, uneven = [3.0 * n for n in range(10)], [0, 1, 9, 10, 30, 31, 33, 60, 61, 90]
    for kind in ("browser", "apple"):
        assert missed_after(steady, kind) is None
    for kind in ("other", "outlook", "of a later release"):
        assert (missed_after(steady, kind), missed_after(uneven, kind), missed_after(steady[:4], kind)) == (9, None, None)


def test_a_reader_is_reported_once_until_it_reads_again() -> None:
    """Missed at nine hours, reported once; its next read is due at once, ends the report, and is learned."""
    readers = read([0, 3, 6, 9])
    before, _ = judge_readers(readers, NOW + 17.9 * HOUR)
    assert before == readers
    reported, missed = judge_readers(readers, NOW + 18 * HOUR)
    assert [r.kind for r in missed] == ["airbnb"]
    assert (next_check(reported), reported[0].is_missed) == (None, True)
    assert judge_readers(reported, NOW + 99 * HOUR) == (reported, ())

    back = read([30], readers=reported)
    assert (next_check(back), back[0].is_missed) == (NOW + 30 * HOUR, False)
    cleared, missed = judge_readers(back, NOW + 30 * HOUR)
    assert (missed, cleared[0].reported_at) == ((), None)
    assert judge_readers(cleared, NOW + 999 * HOUR)[1] != ()


def test_two_paths_of_a_calendar_are_one() -> None:
    """After a rotation the platform may read either: the later read counts, and a report stays one."""
    old, new = read([0, 3, 6, 9, 12]), read([0, 3, 6, 9])
    (merged,) = merge_readers([new, old])
    assert merged == old[0]
    reported, _ = judge_readers(new, NOW + 20 * HOUR)
    assert [r.kind for r in merge_readers([reported, read([30], "google")])] == ["airbnb", "google"]
    assert merge_readers([reported, old])[0].is_missed
    assert not merge_readers([reported, read([21], readers=old)])[0].is_missed


@given(st.lists(st.tuples(st.sampled_from([k.id for k in KINDS]), st.integers(0, 100_000)), max_size=60))
def test_what_is_kept_is_bounded_and_in_order(reads: list[tuple[str, int]]) -> None:
    """However it is read: one reader of each kind, some gaps of each, and never a time that goes back."""
    readers: Readers = ()
    for kind, seconds in reads:
        after = note_read(readers, kind, NOW + timedelta(seconds=seconds))
        if after is None:
            continue
        latest = {r.kind: r.read_at for r in readers}
        assert all(r.read_at >= latest.get(r.kind, r.read_at) for r in after)
        readers = after
    assert [r.kind for r in readers] == sorted({kind for kind, _ in reads})
    assert all(len(r.gaps) <= MAX_GAPS and min(r.gaps, default=900) >= 900 for r in readers)


def test_spans_are_said_as_people_say_them() -> None:
    """In minutes, hours or days, rounded down; never none."""
    spans = [timedelta(seconds=5), 89 * MINUTE, 90 * MINUTE, 47.9 * HOUR, 48 * HOUR]
    assert [round_span(span) for span in spans] == [(1, "minutes"), (89, "minutes"), (1, "hours"), (47, "hours"), (2, "days")]


def test_the_interval_is_unknown_at_first() -> None:
    """And no time is made up."""
    assert (Reader(kind="airbnb", read_at=NOW).usual_interval, next_check(())) == (None, None)
