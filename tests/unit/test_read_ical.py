"""Reading feeds: what each dropped-in calendar says, and what no body may ever do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.ical import lexer
from bokit.core.ical.entries import Entry
from bokit.core.ical.entry_json import entry_as_dict, pack_entry, unpack_entry
from bokit.core.ical.lexer import decode_body
from bokit.core.ical.platforms.registry import PLATFORMS
from bokit.core.ical.reader import ReadSettings, hash_ical, inspect_feed, read_ical
from bokit.core.model.platform_names import PLATFORM_NAMES
from bokit.core.model.source_rules import Seen, Verdict
from bokit.values import defaults_of
from tests.support.feed_bodies import AT, sample

DATA = sorted((Path(__file__).parent.parent / "data").glob("*.ics"))
ROME = ZoneInfo("Europe/Rome")


def read(body: bytes, snapshot: bytes = b"", **more: object) -> Seen[Entry]:
    return read_ical(body, ReadSettings(at=AT, timezone=ROME, **more), snapshot)  # type: ignore[arg-type]


def summarise_feed(body: bytes) -> dict[str, object]:
    seen = read(body)
    return {
        "platform": inspect_feed(body, ReadSettings(at=AT, timezone=ROME))["platform"],
        "verdict": str(seen.verdict),
        "problems": [[p.code, p.uid] for p in seen.problems],
        "entries": [changed_fields(entry) for entry in seen.entries],
    }


def changed_fields(entry: Entry) -> dict[str, object]:
    """The fields that differ from their defaults."""
    plain = defaults_of(Entry)
    return {name: value for name, value in entry_as_dict(entry).items() if value != plain[name]}


def reverse_events(body: bytes) -> bytes:
    """Return *body* with the events of each calendar the other way round."""
    marks = re.compile(rb"BEGIN:VEVENT.*?END:VEVENT[^\r\n]*[\r\n]+", re.S | re.I)
    events = iter(reversed([m[0] for m in marks.finditer(body)]))
    return marks.sub(lambda _: next(events), body)


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_a_calendar_reads_as_written_beside_it(path):
    """Each ``.ics`` in tests/data reads as the ``.json`` of its name says."""
    assert summarise_feed(path.read_bytes()) == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [p for p in DATA if p.read_bytes().upper().count(b"BEGIN:VCALENDAR") == 1], ids=lambda p: p.stem)
def test_the_order_of_events_does_not_matter(path):
    """A calendar with its events reversed reads the same."""
    body = path.read_bytes()

    assert summarise_feed(reverse_events(body)) == summarise_feed(body)


@pytest.mark.parametrize("platform", ["airbnb", "booking_com", "vrbo"])
def test_no_cut_feed_passes_for_a_whole_one(platform):
    """Cut at any byte, a feed is partial or unreadable, and what was read of it is what the whole feed says."""
    body = sample(platform)
    whole = set(map(repr, read(body).entries))
    for size in range(len(body.rstrip())):
        seen = read(body[:size])
        assert seen.verdict in (Verdict.PARTIAL, Verdict.UNREADABLE), size
        assert {repr(entry) for entry in seen.entries} <= whole, size
        assert seen.problems, size


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read_without_an_error(body):
    """Reading never raises, and bytes that are no calendar are unreadable."""
    seen = read(body)

    assert seen.verdict is Verdict.UNREADABLE or b"BEGIN:VCALENDAR" in body.upper()


CORPUS = [p.read_bytes() for p in DATA]
PIECES = [
    b"BEGIN:VEVENT\r\n",
    b"END:VEVENT\r\n",
    b"BEGIN:VCALENDAR\r\n",
    b"END:VCALENDAR\r\n",
    b"DTSTART:20261130T000000\r\n",
    b"RRULE:FREQ=DAILY\r\n",
    b"RRULE:FREQ=YEARLY;BYMONTH=13\r\n",
    b"DTEND:00010101T000000Z\r\n",
    b"DTSTART;TZID=Narnia:99991231T235959\r\n",
    b"UID:\r\n",
    b"\0",
    b"\xff",
    b"\r",
    b" ",
    b'"',
    b":",
    b";",
    b"EXDATE:x\r\n",
    b"DURATION:P999999W\r\n",
    b"RECURRENCE-ID:20261124\r\n",
    b"SEQUENCE:99999999999999999999\r\n",
    b"BEGIN:VTIMEZONE\r\nTZID:X\r\n",
    b"END:VTIMEZONE\r\n",
    b"DTSTART;TZID=X:20261124T100000\r\n",
    b"X-WR-TIMEZONE:America/New_York\r\n",
    b"RDATE;VALUE=PERIOD:20261124T100000Z/PT1H\r\n",
    b"\xef\xbf\xbe",
]


@st.composite
def broken_feeds(draw):
    """A feed of the corpus in which pieces were put in, and parts taken out."""
    body = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 4))):
        at, upto = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        upto = min(upto, at + draw(st.sampled_from([0, 0, 1, 5, 80])))
        body = body[:at] + draw(st.sampled_from(PIECES)) + body[upto:]
    return body


@settings(max_examples=600, deadline=None)
@given(broken_feeds())
def test_a_broken_feed_is_read_without_an_error(body):
    """Whatever is put into a feed or taken out, reading ends with entries that hold at least a night each."""
    seen = read(body)

    assert all(isinstance(e, Entry) and e.check_in < e.check_out for e in seen.entries)
    assert seen.problems or seen.verdict in (Verdict.OK, Verdict.EMPTY)


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_entries_go_through_json_and_back(path):
    """An entry is the same after JSON, in the contract's shape and in the snapshot's."""
    for entry in read(path.read_bytes()).entries:
        assert unpack_entry(json.loads(json.dumps(pack_entry(entry)))) == entry


def test_a_restamped_feed_has_the_same_hash():
    """New DTSTAMPs, one for all events or one for each, are nothing new."""
    one, other = sample("airbnb"), sample("airbnb", stamp="20261121T111111Z")
    each = re.sub(rb"(DTSTAMP:\d{8}T\d{4})(\d\d)", lambda m: m[1] + b"%02d" % (m.start() % 60), one)
    lf = one.replace(b"\r\n", b"\n")

    assert hash_ical(one) == hash_ical(other) == hash_ical(each)
    assert hash_ical(lf) == hash_ical(other.replace(b"\r\n", b"\n"))


def test_a_folded_stamp_changes_nothing():
    """A DTSTAMP that is folded is left out whole."""
    one, other = (b"\r\nDTSTAMP:2026\r\n " + rest + b"\r\nUID:x\r\n" for rest in (b"1120T101500Z", b"1121T101500Z"))

    assert hash_ical(one) == hash_ical(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Reserved", b"Reserve"), (b"20261121", b"20261122"), (b"VERSION:2.0", b"VERSION:2.1"), (b"HM00000001", b"HM00000009")],
)
def test_every_other_byte_is_news(old, new):
    """A change outside of DTSTAMP changes the hash, and so does another salt."""
    body = sample("airbnb")

    assert hash_ical(body) != hash_ical(body.replace(old, new, 1))
    assert hash_ical(body, "one") != hash_ical(body, "other")


def test_the_owner_chooses_the_platform_before_prodid_and_host():
    """The platform is the owner's setting, else from PRODID, else from the host, else generic."""
    base = {"at": AT, "timezone": ROME}
    plain = sample("airbnb").replace(b"Airbnb Inc", b"Nobody")

    assert inspect_feed(sample("airbnb"), ReadSettings(platform="vrbo", host="www.booking.com", **base))["platform"] == "vrbo"
    assert inspect_feed(sample("airbnb"), ReadSettings(host="www.booking.com", **base))["platform"] == "airbnb"
    assert inspect_feed(plain, ReadSettings(host="ical.booking.com", **base))["platform"] == "booking_com"
    assert inspect_feed(plain, ReadSettings(host="notbooking.com", **base))["platform"] == "generic"


def test_one_feeds_custom_zone_is_not_the_next_ones():
    """Two feeds that define the same TZID otherwise are read each by its own definition."""
    body = (Path(__file__).parent.parent / "data" / "outlook-zones.ics").read_bytes()
    before = [e.starts_at for e in read(body).entries if e.uid == "w2"]
    after = [e.starts_at for e in read(body.replace(b"-0500", b"+0500")).entries if e.uid == "w2"]

    assert (after[0] - before[0]).total_seconds() == -10 * 3600


def test_bombs_cost_a_problem():
    """Twenty thousand events, lines and quotes without end are read within the reader's bounds."""
    many = b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 50_000 + b"END:VCALENDAR\r\n"
    long = sample("vrbo").replace(b"Zo\xc3\xa9", b'"' * 100_000 + b"x" * 500_000)
    quotes = sample("vrbo").replace(b"DTSTART;VALUE=DATE:", b'DTSTART;X="' + b'";X="' * 50_000 + b'";VALUE=DATE:')

    assert read(many).verdict is Verdict.UNREADABLE
    assert all(len(e.summary) <= 10_000 for e in read(long).entries)
    assert len(read(quotes).entries) == 3


@settings(max_examples=300, deadline=None)
@given(broken_feeds() | st.sampled_from([sample("airbnb"), sample("booking_com"), sample("vrbo", 1)]))
def test_the_short_way_of_cutting_is_the_long_way(body):
    """Where a body is plain enough for the quick cut, the general one says the same."""
    text = decode_body(body)
    plain = lexer._split_plain(text)

    assert plain is None or plain == lexer._split_any(text)


def test_an_owner_may_say_that_events_end_on_the_last_night():
    """With that setting an all-day stay holds the night of its DTEND as well; timed events stay what they are."""
    body = sample("booking_com", 1)
    plain, extended = read(body).entries[0], read(body, ends_on_last_night=True).entries[0]

    assert (extended.check_out - plain.check_out).days == 1
    assert read(body, snapshot=read(body).snapshot, ends_on_last_night=True) == read(body, ends_on_last_night=True)


def test_every_platform_has_a_name_that_an_owner_may_choose():
    """The names and the platforms' files agree."""
    assert [platform.name for platform in PLATFORMS] == list(PLATFORM_NAMES)
