"""Feeds that are made to hurt: each a name, a body of at most five megabytes, and what a reader may make of it.

``python -m tests.support.hostile_feeds`` reads bodies from its standard input, each in a process of its own, and prints what each
cost, as JSON. The libraries are loaded once: that takes longer than to read most of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

AT = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
DAY = "DTSTART;VALUE=DATE:20261201\r\n"
WEIGHT = 5_000_000
"""Bytes: what the fetcher takes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileFeed:
    """One body, made when it is needed."""

    name: str
    make: Callable[[], bytes]
    verdicts: frozenset[str]
    """What a reader may say of it."""


def calendar(*lines: str) -> bytes:
    """A calendar around *lines*."""
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Hostile//EN\r\n" + "".join(lines) + "END:VCALENDAR\r\n").encode()


def event(uid: object, lines: str = DAY) -> str:
    """An event of *lines*."""
    return f"BEGIN:VEVENT\r\nUID:{uid}\r\n{lines}END:VEVENT\r\n"


def events(count: int, lines: str = DAY) -> str:
    """As many events of *lines*, each with a UID of its own, as far as the weight allows; ``{}`` is the number."""
    size = len(event(count, lines.replace("{}", str(count))))
    return "".join(event(i, lines.replace("{}", str(i))) for i in range(min(count, WEIGHT // size)))


def days(count: int) -> str:
    """As many days in a row."""
    return ",".join(f"{date(2026, 12, 1) + timedelta(days=i):%Y%m%d}" for i in range(count))


def fill(piece: str, size: int = WEIGHT - 1000) -> str:
    """*piece* again and again."""
    return piece * (size // len(piece))


def noise(seed: int) -> str:
    """Ten thousand letters that no compression makes fewer."""
    return "".join(hashlib.sha512(f"{seed}/{i}".encode()).hexdigest() for i in range(78))


def zone(name: str, rules: Iterable[str]) -> str:
    """A VTIMEZONE with a part for each rule."""
    parts = "".join(
        f"BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:{rule}\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\n"
        for rule in rules
    )
    return f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\n{parts}END:VTIMEZONE\r\n"


def zoned(name: str) -> str:
    """The start of an event in that zone."""
    return f"DTSTART;TZID={name}:20261201T100000\r\n"


def exceptions(count: int, parameters: str) -> str:
    """A daily series with as many exceptions."""
    first = date(2026, 12, 1)
    moved = (event("s", f"{DAY}RECURRENCE-ID;{parameters}:{first + timedelta(days=i):%Y%m%d}\r\n") for i in range(count))
    return event("s", DAY + "RRULE:FREQ=DAILY\r\n") + "".join(moved)


FEEDS: list[HostileFeed] = []


def _add(verdicts: str, **makers: Callable[[], bytes]) -> None:
    expected = frozenset(verdicts.split())
    FEEDS.extend(HostileFeed(name=name.replace("_", "-"), make=make, verdicts=expected) for name, make in makers.items())


_add(
    "unreadable",
    begins_of_events=lambda: calendar(fill("BEGIN:VEVENT\r\n")),
    begins_of_calendars=lambda: fill("BEGIN:VCALENDAR\r\n").encode(),
    begins_of_anything=lambda: calendar(fill("BEGIN:X\r\n")),
    calendar_in_calendar=lambda: b"BEGIN:VCALENDAR\r\n" * 1_000 + calendar(event(1)),
    ends_of_events=lambda: calendar(fill("END:VEVENT\r\n")) + b"BEGIN:VCALENDAR\r\n",
    deep_nesting=lambda: calendar("".join(f"BEGIN:A{i}\r\n" for i in range(300_000))),
    returns_alone=lambda: b"\r\r\r\n" * 1_200_000,
    zero_bytes_alone=lambda: b"\0" * WEIGHT,
    stamps_alone=lambda: b"\nDTSTAMP" * 600_000,
    one_folded_stamp=lambda: b"BEGIN:VCALENDAR\nDTSTAMP" + b"\n x" * 1_600_000,
    random_bytes=lambda: bytes((i * i >> 3) % 256 for i in range(1_000_000)) * 5,
    brackets=lambda: b"[" * WEIGHT,
    angles=lambda: b"<html>" + b"<a " * 1_600_000,
    date_of_a_megabyte=lambda: calendar(event(1, "DTSTART:" + fill("2026") + "\r\n")),
    year_nought=lambda: calendar(events(50_000, "DTSTART;VALUE=DATE:00000101\r\n")),
    too_large=lambda: calendar(event(1, DAY + "SUMMARY:" + fill("x", 40_000_000) + "\r\n")),
)
_add(
    "partial",
    duration_without_end=lambda: calendar(event(1, DAY + "DURATION:P" + fill("9") + "W\r\n")),
    duration_beyond_time=lambda: calendar(event(1, DAY + "DURATION:P999999W\r\n")),
    weeks_by_the_billion=lambda: calendar(event(1, DAY + "DURATION:P4000000000W\r\n")),
    ends_before_it_starts=lambda: calendar(events(50_000, DAY + "DTEND;VALUE=DATE:00010101\r\n")),
    colons=lambda: calendar(event(1, DAY + "DTEND" + fill(";X=a:b") + "\r\n")),
    tiny_events=lambda: calendar(*("BEGIN:VEVENT\r\nDTSTART:20261201\r\nEND:VEVENT\r\n" for _ in range(100_000))),
    events_by_the_ten_thousand=lambda: calendar(events(100_000)),
    one_uid_again_and_again=lambda: calendar(*(event("same", f"{DAY}SUMMARY:{i}\r\n") for i in range(60_000))),
    one_event_again_and_again=lambda: calendar(event("same") * 80_000),
    recurrence_ids=lambda: calendar(exceptions(50_000, "VALUE=DATE")),
    calendars=lambda: calendar(event(1)) * 40_000,
    alarms_without_end=lambda: calendar(event(1, DAY + fill("BEGIN:VALARM\r\n"))),
    stamps_that_differ=lambda: calendar(events(60_000, DAY + "DTSTAMP:2026{}\r\n")),
    nights_of_27_years=lambda: calendar(*(event(day, f"DTSTART:{day}\r\n") for day in days(10_001).split(","))),
    daily_for_ever=lambda: calendar(events(60_000, DAY + "RRULE:FREQ=DAILY\r\n")),
    daily_since_the_year_one=lambda: calendar(events(60_000, "DTSTART;VALUE=DATE:00010101\r\nRRULE:FREQ=DAILY\r\n")),
    by_the_second=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=SECONDLY\r\n")),
    by_no_interval=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=DAILY;INTERVAL=0\r\n")),
    by_a_vast_interval=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=YEARLY;INTERVAL=99999999999999999999\r\n")),
    never_daily=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\r\n")),
    never_yearly=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\n")),
    never_in_any_week=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6;BYDAY=MO\r\n")),
    positions=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-300\r\n")),
    every_by_at_once=lambda: calendar(
        events(
            20_000,
            DAY + "RRULE:FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYMONTHDAY=1,2,3,-1;"
            "BYYEARDAY=1,2,3,364;BYSETPOS=1,2,3,-1\r\n",
        )
    ),
    months_of_31_days=lambda: calendar(events(20_000, DAY + "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2,12\r\n")),
    rules_of_one_event=lambda: calendar(event(1, DAY + fill("RRULE:FREQ=DAILY\r\n"))),
    rule_of_a_megabyte=lambda: calendar(event(1, DAY + "RRULE:FREQ=MONTHLY;BYDAY=" + fill("1MO,") + "1MO\r\n")),
    weekdays=lambda: calendar(event(1, DAY + "RRULE:FREQ=MONTHLY;BYDAY=" + ",".join(["1MO"] * 3000) + "\r\n")),
    extra_dates=lambda: calendar(event(1, f"{DAY}RDATE;VALUE=DATE:{days(100_000)}\r\n")),
    extra_dates_of_many=lambda: calendar(events(280, f"{DAY}RDATE;VALUE=DATE:{days(1_900)}\r\n")),
    exception_dates=lambda: calendar(event(1, f"{DAY}RRULE:FREQ=DAILY\r\nEXDATE;VALUE=DATE:{days(100_000)}\r\n")),
    exception_dates_of_many=lambda: calendar(events(280, f"{DAY}RRULE:FREQ=DAILY\r\nEXDATE;VALUE=DATE:{days(1_900)}\r\n")),
    extra_periods=lambda: calendar(event(1, DAY + "RDATE;VALUE=PERIOD:" + fill("20270101T000000Z/P1W,") + "\r\n")),
)
_add(
    "ok partial",
    this_and_future=lambda: calendar(exceptions(990, "RANGE=THISANDFUTURE;VALUE=DATE")),
    series_beside_zones=lambda: calendar(
        *(zone(f"Z{i}", ["FREQ=YEARLY"]) for i in range(9_000)),
        events(9_000, zoned("Z{}") + "RRULE:FREQ=YEARLY\r\n"),
    ),
    series_of_a_megabyte=lambda: calendar(event(1, DAY + "RRULE:FREQ=DAILY\r\nSUMMARY:@\r\n")).replace(b"@", b"\xe9" * 990_000),
    series_of_five_megabytes=lambda: calendar(event(1, f"{DAY}RRULE:FREQ=DAILY\r\nSUMMARY:{fill('x')}\r\n")),
    series_of_long_texts=lambda: calendar(events(20, DAY + "RRULE:FREQ=DAILY\r\nSUMMARY:" + noise(1) * 24 + "\r\n")),
    zone_of_a_thousand_rules=lambda: calendar(zone("Z", ["FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"] * 5_000), event(1, zoned("Z"))),
    zone_that_changes_by_the_second=lambda: calendar(zone("Z", ["FREQ=SECONDLY"]), event(1, zoned("Z"))),
    zone_that_never_changes=lambda: calendar(zone("Z", ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"] * 20), event(1, zoned("Z"))),
    zones=lambda: calendar(*(zone(f"Z{i}", ["FREQ=YEARLY"]) + event(i, zoned(f"Z{i}")) for i in range(18_000))),
    names_of_zones=lambda: calendar(*(event(i, zoned(f"Z{i}/A")) for i in range(60_000))),
    zone_name_of_a_megabyte=lambda: calendar(event(1, zoned(fill("A/", 1_000_000)))),
    zone_name_that_climbs=lambda: calendar(event(1, zoned(fill("../", 30_000) + "etc/passwd"))),
    parameters=lambda: calendar(event(1, "DTSTART" + "".join(f";X{i}=1" for i in range(300_000)) + ":20261201\r\n")),
    quoted_parameters=lambda: calendar(event(1, DAY + 'DTEND;X="' + fill('";X="') + '":20261203\r\n')),
    quotes_without_end=lambda: calendar(event(1, DAY + "DTEND;X=" + fill('"') + ":20261203\r\n")),
    properties=lambda: calendar(*(f"X-{i}:1\r\n" for i in range(350_000)), event(1)),
    properties_of_one_event=lambda: calendar(event(1, DAY + "".join(f"X-{i}:1\r\n" for i in range(350_000)))),
)
_add(
    "ok",
    stays_of_ten_years=lambda: calendar(events(10_000, DAY + "DTEND;VALUE=DATE:20361201\r\n")),
    year_one=lambda: calendar(event(1, "DTSTART;VALUE=DATE:00010101\r\nDTEND;VALUE=DATE:00010102\r\n")),
    year_9999=lambda: calendar(event(1, "DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:99991231\r\n")),
    last_second=lambda: calendar(event(1, "DTSTART:99991231T235959Z\r\n"), event(2, "DTSTART:00010101T000000Z\r\n")),
    one_line_of_five_megabytes=lambda: calendar(event(1, DAY + "SUMMARY:" + fill("x") + "\r\n")),
    escapes=lambda: calendar(event(1, DAY + "SUMMARY:" + fill("\\") + "\r\n")),
    folded_summary=lambda: calendar(event(1, DAY + "SUMMARY:" + fill("x\r\n ") + "\r\n")),
    folded_stamp=lambda: calendar(event(1, DAY + "DTSTAMP:" + fill("2\r\n ") + "\r\n")),
    quoted_printable=lambda: calendar(event(1, DAY + "SUMMARY;ENCODING=QUOTED-PRINTABLE:@\r\n")).replace(
        b"@", b"=C3=A9=\r\n " * 490_000
    ),
    zero_bytes=lambda: calendar(event(1)).replace(b"\r\n", b"\0" * 300_000 + b"\r\n"),
    mixed_encodings=lambda: calendar(event(1, DAY + "SUMMARY:@\r\n")).replace(
        b"@", b"\xe9\xc3\xa9\xff\xfe\xed\xa0\x80" * 600_000
    ),
    returns_after_the_end=lambda: calendar(event(1)) + b"\r" * 4_900_000,
    blanks_after_the_end=lambda: calendar(event(1)) + b"BEGIN:" + b" \t" * 2_400_000,
    texts_without_pattern=lambda: calendar(*(event(i, DAY + "SUMMARY:" + noise(i) + "\r\n") for i in range(500))),
    links=lambda: calendar(event(1, DAY + "DESCRIPTION:" + fill("https://a.airbnb.com/") + "\r\n")),
    words_that_nearly_match=lambda: calendar(event(1, DAY + "SUMMARY:" + fill("reserved - reserved" + " " * 200) + "\r\n")),
    blanks_in_a_summary=lambda: calendar(event(1, DAY + "SUMMARY:Reserved" + " " * 4_900_000 + "x\r\n")),
    airbnb_description=lambda: calendar(event(1, DAY + "DESCRIPTION:Last 4 Digits" + " " * 4_900_000 + "x\r\n")).replace(
        b"-//Hostile//EN", b"-//Airbnb Inc//X//EN"
    ),
    beds24_description=lambda: calendar(event(1, DAY + "DESCRIPTION:" + fill("STATUS:\\nPHONE:1/2\\n") + "\r\n")).replace(
        b"-//Hostile//EN", b"-//Beds24//X//EN"
    ),
)


def read_feed(body: bytes, begun: float) -> dict[str, object]:
    """Read *body*, and its snapshot twice more; return the result and the cost, from the CPU time that had *begun*."""
    from bokit.core.ical.reader import ReadSettings, hash_ical, read_ical, recall_entries

    rome = ZoneInfo("Europe/Rome")
    hash_ical(body)
    seen = read_ical(body, ReadSettings(at=AT, timezone=rome))
    spent = [begun + spent_cpu()]
    again = read_ical(body, ReadSettings(at=AT, timezone=rome), seen.snapshot)
    spent.append(begun + spent_cpu())
    later = recall_entries(seen.snapshot, ReadSettings(at=AT + timedelta(days=1), timezone=rome))
    spent.append(begun + spent_cpu())
    cpu = [round(s, 2) for s in spent]
    return {
        "verdict": str(seen.verdict),
        "recalled": str(later.verdict),
        "same": again == seen,
        "entries": len(seen.entries),
        "problems": sorted({p.code for p in seen.problems}),
        "snapshot": len(seen.snapshot),
        "cpu": [cpu[0], round(cpu[1] - cpu[0], 2), round(cpu[2] - cpu[1], 2)],
        "megabytes": peak_memory(),
    }


def spent_cpu() -> float:
    """Return the seconds of CPU that this process has spent."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory() -> int:
    """Return the most memory that this process ever held, in megabytes; ru_maxrss would include its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def serve() -> None:
    """Read each feed of the standard input in a child of its own: as fresh as a new process, but for the libraries' loading.

    A feed is a line with its length, then its bytes; the answer is a line of JSON, null where the child failed.
    """
    import bokit.core.ical.reader  # noqa: F401 - every child has it

    with os.fdopen(0, "rb", buffering=0) as feeds:
        while line := feeds.readline():
            begun = spent_cpu()
            if (child := os.fork()) == 0:
                print(json.dumps(read_feed(read_exactly(feeds, int(line)), begun)), flush=True)
                return
            if os.waitpid(child, 0)[1]:
                print("null", flush=True)


def read_exactly(file: io.RawIOBase, size: int) -> bytes:
    """Return the next *size* bytes, and take no more."""
    parts: list[bytes] = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    serve()
