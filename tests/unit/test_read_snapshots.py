"""Reading only what changed says what reading all of it says."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.ical.reader import ReadSettings, read_ical, recall_entries
from bokit.core.ical.snapshot import unpack_snapshot
from bokit.core.model.source_rules import Verdict
from tests.support.feed_bodies import AT, EVENTS, TODAY, calendar, sample

DATA = sorted((Path(__file__).parent.parent / "data").glob("*.ics"))
ROME = ZoneInfo("Europe/Rome")
EXTRA = [
    "BEGIN:VEVENT\r\nUID:weekly\r\nDTSTART;VALUE=DATE:20261201\r\nRRULE:FREQ=WEEKLY;BYDAY=TU\r\nEND:VEVENT\r\n",
    "BEGIN:VEVENT\r\nUID:weekly\r\nRECURRENCE-ID;VALUE=DATE:20261208\r\nDTSTART;VALUE=DATE:20261209\r\nEND:VEVENT\r\n",
    "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART;VALUE=DATE:2026XX01\r\nEND:VEVENT\r\n",
    "BEGIN:VEVENT\r\nDTSTART;TZID=Nowhere/Land:20261211T100000\r\nSUMMARY:No UID\r\nEND:VEVENT\r\n",
    "BEGIN:VEVENT\r\nBEGIN:VALARM\r\nUID:1\r\nEND:VALARM\r\nUID:alarmed\r\nDTSTART;VALUE=DATE:20261213\r\nEND:VEVENT\r\n",
    "begin:vevent\r\nuid:small\r\ndtstart;value=date:20261215\r\nend:vevent\r\n",
    "BEGIN:VEVENT\r\nUID:for-ever\r\nDTSTART;VALUE=DATE:20261217\r\nDTEND;VALUE=DATE:99991231\r\nEND:VEVENT\r\n",
]


@st.composite
def feeds(draw, platform):
    """A feed of one platform: some stays, some odd events, sometimes a zone for floating times."""
    stays = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(-3, 400), st.integers(1, 200)), max_size=8))
    events = [EVENTS[platform](number, TODAY + timedelta(days=offset), nights) for number, offset, nights in stays]
    events += draw(st.lists(st.sampled_from(EXTRA), max_size=3))
    body = calendar(platform, events)
    return body.replace(b"VERSION:2.0", b"X-WR-TIMEZONE:Asia/Tokyo") if draw(st.booleans()) and draw(st.booleans()) else body


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_reading_with_a_snapshot_is_reading_without(data):
    """Through random edits of random feeds, days passing, each incremental reading equals a full one."""
    platform, at, snapshot = data.draw(st.sampled_from(sorted(EVENTS))), AT, b""
    for _ in range(4):
        body = data.draw(feeds(platform))
        seen = read_ical(body, ReadSettings(at=at, timezone=ROME), snapshot)
        full = read_ical(body, ReadSettings(at=at, timezone=ROME))
        assert seen == full
        at, snapshot = at + timedelta(hours=data.draw(st.integers(0, 60))), seen.snapshot
        assert recall_entries(snapshot, ReadSettings(at=at, timezone=ROME)) == read_ical(body, ReadSettings(at=at, timezone=ROME))


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_a_snapshot_recalls_its_body(path):
    """What a snapshot recalls months later is what reading the body then would say."""
    body, later = path.read_bytes(), ReadSettings(at=AT + timedelta(days=90), timezone=ROME)
    seen = read_ical(body, ReadSettings(at=AT, timezone=ROME))
    if seen.snapshot:
        assert recall_entries(seen.snapshot, later) == read_ical(body, later)
        assert read_ical(body, later, seen.snapshot) == read_ical(body, later)


@pytest.mark.parametrize("snapshot", [b"", b"nonsense", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_damaged_snapshot_is_ignored(snapshot):
    """Without a sound snapshot all is read, and nothing is recalled."""
    body = sample("airbnb")

    assert read_ical(body, ReadSettings(at=AT, timezone=ROME), snapshot) == read_ical(body, ReadSettings(at=AT, timezone=ROME))
    assert recall_entries(snapshot, ReadSettings(at=AT, timezone=ROME)).verdict is Verdict.UNREADABLE


def test_a_snapshot_of_other_settings_is_not_reused():
    """Another timezone or platform reads the same body from scratch."""
    body = calendar("vrbo", ["BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20261124T230000Z\r\nSUMMARY:Blocked\r\nEND:VEVENT\r\n"])
    snapshot = read_ical(body, ReadSettings(at=AT, timezone=ROME)).snapshot
    tokyo = ZoneInfo("Asia/Tokyo")

    assert read_ical(body, ReadSettings(at=AT, timezone=tokyo), snapshot) == read_ical(body, ReadSettings(at=AT, timezone=tokyo))
    other = read_ical(body, ReadSettings(at=AT, timezone=ROME, platform="airbnb"), snapshot)
    assert other == read_ical(body, ReadSettings(at=AT, timezone=ROME, platform="airbnb"))


def test_unchanged_events_are_not_read_again(monkeypatch):
    """Of a hundred events of which one changed, one is read."""
    from bokit.core.ical import reader as module

    body, count = sample("airbnb", 100), 0
    snapshot = read_ical(body, ReadSettings(at=AT, timezone=ROME)).snapshot
    real = module.read_group

    def counted(*args):
        nonlocal count
        count += 1
        return real(*args)

    monkeypatch.setattr(module, "read_group", counted)
    read_ical(re.sub(rb"HM00000050", b"HM00009950", body), ReadSettings(at=AT, timezone=ROME), snapshot)

    assert count == 1


def test_a_snapshot_says_whether_later_days_bring_more():
    """Only a feed with series says something new as days pass."""
    plain, series = sample("airbnb"), calendar("vrbo", EXTRA)
    contents = [unpack_snapshot(read_ical(body, ReadSettings(at=AT, timezone=ROME)).snapshot) for body in (plain, series)]

    assert [any(kept.series for kept in content.groups.values()) for content in contents] == [False, True]
