"""What others read in the calendars that Bokit publishes: icalendar, allenporter's ical, node-ical."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import pytest

from bokit.core.ical.writer import CalendarEvent, clean_line, clean_text, make_uid, write_calendar
from tests.support.naughty_strings import NAUGHTY

NODE = Path(__file__).resolve().parents[1] / "node"
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIRST = date(2026, 12, 1)

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules/node-ical").is_dir(),
    reason="not run: node-ical is not installed; `npm ci --prefix tests/node` installs it",
)


def event_of(number: int, text: str) -> CalendarEvent:
    """Return an event that says *text* in every field."""
    first = FIRST + timedelta(days=number)
    return CalendarEvent(
        uid=make_uid(str(number)), first=first, end=first + timedelta(days=2), summary=text, description=text, changed_at=AT
    )


EVENTS = {event.uid: event for event in (event_of(n, text) for n, text in enumerate(NAUGHTY))}
BODY = write_calendar("Garden flat", EVENTS.values())


def require_equal(read: Mapping[str, tuple[str, str, str, str]]) -> None:
    """Every event was read, with the text and the dates that it was written with."""
    assert read.keys() == EVENTS.keys()
    for uid, event in EVENTS.items():
        written = clean_line(event.summary), clean_text(event.description), event.first.isoformat(), event.end.isoformat()
        assert read[uid] == written


def test_icalendar_reads_what_was_written() -> None:
    """icalendar reads 500 naughty strings in every field as they were written."""
    found = icalendar.Calendar.from_ical(BODY).events
    require_equal(
        {
            str(e["UID"]): (
                str(e["SUMMARY"]),
                str(e.get("DESCRIPTION", "")),
                e["DTSTART"].dt.isoformat(),
                e["DTEND"].dt.isoformat(),
            )
            for e in found
        }
    )


def test_ical_reads_what_was_written() -> None:
    """allenporter's ical reads 500 naughty strings in every field as they were written."""
    from ical.calendar_stream import IcsCalendarStream

    found = IcsCalendarStream.calendar_from_ics(BODY.decode()).events
    require_equal({str(e.uid): (e.summary or "", e.description or "", str(e.dtstart), str(e.dtend)) for e in found})


@needs_node
def test_node_ical_reads_what_was_written() -> None:
    """node-ical reads 500 naughty strings in every field as they were written."""
    done = subprocess.run(["node", NODE / "read_calendar.mjs"], input=BODY, capture_output=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    require_equal({e["uid"]: (e["summary"], e["description"], e["first"], e["end"]) for e in found})


def test_lines_are_short() -> None:
    """No line is longer than 75 octets, and none cuts a character."""
    lines = BODY.split(b"\r\n")

    assert len(NAUGHTY) >= 500
    assert max(map(len, lines)) <= 75
    assert b"\r" not in b"".join(lines)
    assert b"\n" not in b"".join(lines)
    for line in lines:
        line.decode()


def test_equal_events_are_equal_bytes() -> None:
    """The order of the events makes no difference."""
    assert write_calendar("Garden flat", reversed(EVENTS.values())) == BODY
