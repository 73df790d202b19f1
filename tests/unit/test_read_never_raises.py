"""Whatever the bytes, reading ends in a verdict: valid feeds taken apart and put together wrongly, and errors of our own."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.ical import reader as reader
from bokit.core.ical.events import ReadContext
from bokit.core.ical.groups import group_events, read_group
from bokit.core.ical.lexer import decode_body, split_body
from bokit.core.ical.platforms.base import Facts, Platform, RawEvent
from bokit.core.ical.platforms.registry import PLATFORMS
from bokit.core.ical.reader import ReadSettings, hash_ical, inspect_feed, read_ical, recall_entries
from bokit.core.ical.recurrence_rules import Budget
from bokit.core.ical.times import read_zones
from bokit.core.model.source_rules import Verdict
from tests.support.feed_bodies import AT, sample

ROME = ZoneInfo("Europe/Rome")
DATA = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "data").glob("*.ics"))]
SERIES = (
    b"BEGIN:VCALENDAR\r\nPRODID:x\r\nX-WR-TIMEZONE:Europe/Paris\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:DAYLIGHT\r\n"
    b"DTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\n"
    b"BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    b"BEGIN:VEVENT\r\nUID:s\r\nDTSTART;TZID=Own:20261201T160000\r\nDURATION:P1DT2H\r\nRRULE:FREQ=WEEKLY;COUNT=9;BYDAY=TU,FR\r\n"
    b"EXDATE;TZID=Own:20261208T160000\r\nRDATE;VALUE=PERIOD:20270111T150000Z/P2D\r\nSUMMARY:Reserved - Ann\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:s\r\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Own:20261215T160000\r\nDTSTART;TZID=Own:20261216T160000\r\n"
    b"DTEND;TZID=Own:20261218T100000\r\nSEQUENCE:2\r\nSTATUS:CONFIRMED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
FEEDS = [sample("airbnb"), sample("booking_com"), sample("vrbo"), SERIES, SERIES, *DATA]
LINES = sorted({line for feed in FEEDS for line in feed.splitlines() if len(line) < 200})
VALUES = [
    *sorted({line.partition(b":")[2] for line in LINES}),
    b"",
    b"00000000",
    b"99991231",
    b"00010101T000000Z",
    b"99991231T235959",
    b"20260229",
    b"20261201T256199Z",
    b"-P1D",
    b"P999999W",
    b"PT99999999S",
    b"+9999",
    b"-2400",
    b"+235959",
    b"FREQ=DAILY",
    b"FREQ=YEARLY;BYDAY=-53SU",
    b"FREQ=WEEKLY;UNTIL=00010101",
    b"FREQ=MONTHLY;UNTIL=99991231T235959Z;BYSETPOS=-366;BYDAY=MO",
    b"FREQ=DAILY;COUNT=0",
    b"99991231T235959Z/99991231T235959Z",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    b"\\",
    b'"',
    b";;;===",
    b"," * 50,
    b"9" * 30,
    "\u0662\u0660\u0662\u0666\u0661\u0662\u0660\u0661".encode(),
]
NAMES = [
    *sorted({line.partition(b":")[0] for line in LINES}),
    b"RECURRENCE-ID",
    b"EXRULE",
    b"RDATE;VALUE=PERIOD",
    b"DTSTART;VALUE=PERIOD",
]
PARAMETERS = [
    b";VALUE=DATE",
    b";VALUE=DATE-TIME",
    b";TZID=Own",
    b';TZID="UTC+01:00"',
    b";TZID=",
    b";TZID=W. Europe Standard Time",
    b";X",
    b";=",
    b';"',
    b";TZID=../../etc/passwd",
    b";TZID=Europe",
    b";TZID=posixrules",
    b";RANGE=THISANDFUTURE",
    b";ENCODING=BASE64",
    b";TZID=\xff",
    b";TZID=CON",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A feed after some accidents: lines taken away, doubled, moved, made of the parts of others, or cut."""
    lines = draw(st.sampled_from(FEEDS)).splitlines()
    for _ in range(draw(st.integers(1, 12))):
        at = draw(st.integers(0, len(lines)))
        here = lines[at] if at < len(lines) else b""
        name, _, value = here.partition(b":")
        lines[at : at + 1] = draw(
            st.sampled_from(
                (
                    [],
                    [here, here],
                    [draw(st.sampled_from(LINES)), here],
                    [name + b":" + draw(st.sampled_from(VALUES))],
                    [draw(st.sampled_from(NAMES)) + b":" + value],
                    [name + draw(st.sampled_from(PARAMETERS)) + b":" + value],
                    [here[: draw(st.integers(0, 60))]],
                    [here, b" " + draw(st.binary(max_size=8))],
                    [draw(st.binary(max_size=20))],
                )
            )
        )
    return draw(st.sampled_from((b"\r\n", b"\n", b"\r"))).join([*lines, b""])


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(mutated(), st.sampled_from((ROME, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("America/Adak"))))
def test_a_feed_after_accidents_is_read(body, zone):
    """Every reading ends, with a snapshot that says the same, none of our catch-alls needed, and no entry without nights."""
    hash_ical(body)
    seen = read_ical(body, ReadSettings(at=AT, timezone=zone))

    assert not [p for p in seen.problems if p.message.endswith("Error)")]
    assert all(entry.check_in < entry.check_out for entry in seen.entries)
    assert read_ical(body, ReadSettings(at=AT, timezone=zone), seen.snapshot) == seen
    if seen.snapshot:
        later = ReadSettings(at=AT + timedelta(days=40), timezone=zone)
        assert recall_entries(seen.snapshot, later) == read_ical(body, later)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(mutated(), mutated())
def test_what_is_kept_of_one_body_changes_nothing_of_the_next(last, body):
    """A feed read with the snapshot of another body says what it says without."""
    settled = ReadSettings(at=AT, timezone=ROME)

    assert read_ical(body, settled, read_ical(last, settled).snapshot) == read_ical(body, settled)


def test_a_zone_that_says_nothing_is_noted_for_each_event():
    """Whichever of its events is read again, the note counts them all; one alone is named."""
    events = [f"BEGIN:VEVENT\r\nUID:{n}\r\nDTSTART;TZID=Nowhere:2026120{n}T160000\r\nEND:VEVENT\r\n" for n in (1, 3, 5)]
    last, body, single = (
        f"BEGIN:VCALENDAR\r\n{''.join(some)}END:VCALENDAR\r\n".encode() for some in (events[:2], events, events[:1])
    )
    settled = ReadSettings(at=AT, timezone=ROME)
    seen = read_ical(body, settled, read_ical(last, settled).snapshot)

    assert seen == read_ical(body, settled)
    assert [p.message for p in seen.problems] == ["3 events have a timezone that is unknown; the unit's is used"]
    assert [p.uid for p in read_ical(single, settled).problems] == ["1"]


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(FEEDS), st.integers(0, 5000))
def test_bytes_dropped_into_a_feed_are_read(noise, feed, at):
    """Any bytes anywhere: a verdict, and the same one with the snapshot."""
    body = feed[:at] + noise + feed[at:]
    seen = read_ical(body, ReadSettings(at=AT, timezone=ROME))

    assert not [p for p in seen.problems if p.message.endswith("Error)")]
    assert read_ical(body, ReadSettings(at=AT, timezone=ROME), seen.snapshot) == seen


def fail_on_the_second(raw: RawEvent) -> Facts:
    """A platform's file with a fault of its own."""
    if raw.uid.startswith("00000002"):
        raise RuntimeError(raw.summary)
    return PLATFORMS[-1].read_event(raw) or {}


def test_an_error_of_ours_in_one_event_costs_that_event():
    """A platform's file that fails on one event leaves the others, and a problem that names no guest."""
    calendar = split_body(decode_body(sample("vrbo"))).calendars[0]
    faulty = Platform(name="faulty", read_event=fail_on_the_second)
    context = ReadContext(timezone=ROME, platform=faulty, window=(date(2026, 9, 1), date(2028, 9, 1)), budget=Budget())

    read = [read_group(group, calendar, read_zones([], "", ROME), context) for group in group_events(calendar)]

    assert [len(group.entries) for group in read] == [1, 0, 1]
    assert [(p.code, p.message) for p in read[1].problems] == [("broken-event", "the event cannot be read (RuntimeError)")]


def test_an_error_of_ours_in_the_whole_makes_the_feed_unreadable(monkeypatch: pytest.MonkeyPatch):
    """Whatever fails in the reader, the answer is a verdict: the engine then holds all that it knows."""

    def fail(body: bytes) -> bytes:
        raise RecursionError

    snapshot = read_ical(sample("vrbo"), ReadSettings(at=AT, timezone=ROME)).snapshot
    monkeypatch.setattr(reader, "strip_stamps", fail)
    monkeypatch.setattr(reader, "sort_entries", fail)

    seen = read_ical(sample("vrbo"), ReadSettings(at=AT, timezone=ROME))

    assert (seen.verdict, [p.code for p in seen.problems]) == (Verdict.UNREADABLE, ["unreadable"])
    assert inspect_feed(sample("vrbo"), ReadSettings(at=AT, timezone=ROME))["verdict"] == "unreadable"
    assert recall_entries(snapshot, ReadSettings(at=AT, timezone=ROME)).verdict is Verdict.UNREADABLE
