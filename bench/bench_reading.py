"""CPU time of a full icalendar parse relative to Bokit's reading: ``python -m bench.bench_reading``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

import icalendar

from bench.rows import Row, show_rows
from bokit.core.ical.reader import ReadSettings, hash_ical, read_ical

EVENTS = 300
ROUNDS = 7
AT = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")
TARGETS = {"hash": 300, "changed 1 %": 15, "changed 10 %": 6, "changed 100 %": 0.95, "new": 2}
"""The target ratios."""


def build_feed(count: int = EVENTS, stamp: str = "20261120T101500Z") -> bytes:
    """Return an Airbnb feed of *count* reservations."""
    events = (
        f"BEGIN:VEVENT\r\nDTSTAMP:{stamp}\r\nDTSTART;VALUE=DATE:2027{i % 12 + 1:02d}{i % 27 + 1:02d}\r\n"
        f"DTEND;VALUE=DATE:2027{i % 12 + 1:02d}{i % 27 + 2:02d}\r\nSUMMARY:Reserved\r\nUID:1418fb94e984-{i:032x}@airbnb.com\r\n"
        "DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de\r\n"
        f" tails/HM{i:08d}\\nPhone Number (Last 4 Digits): {i:04d}\r\nEND:VEVENT\r\n"
        for i in range(count)
    )
    head = "BEGIN:VCALENDAR\r\nPRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r\nCALSCALE:GREGORIAN\r\nVERSION:2.0\r\n"
    return (head + "".join(events) + "END:VCALENDAR\r\n").encode()


def change_feed(body: bytes, share: float) -> bytes:
    """Return *body* with other phone digits in *share* of the events."""
    every = max(1, round(1 / share))

    def turn(found: re.Match[bytes]) -> bytes:
        return found[1] + (b"9" + found[2][1:] if int(found[2]) % every == 0 else found[2])

    return re.sub(rb"(Digits\): )(\d{4})", turn, body)


def time_cpu(work: Callable[[], object], rounds: int, inner: int = 1) -> float:
    """Return the median CPU time of one call of *work* in so many rounds, in milliseconds."""
    spent = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(inner):
            work()
        spent.append((time.process_time() - begun) / inner * 1000)
    return median(spent)


def run(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Return the time of each way of reading, the time of icalendar, and their ratio."""
    body = build_feed()
    snapshot = read_ical(body, ReadSettings(at=AT, timezone=ROME)).snapshot
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "hash": (lambda: hash_ical(body), 200),
        "new": (lambda: read_ical(body, ReadSettings(at=AT, timezone=ROME)), 2),
    }
    for name, share in (("changed 1 %", 0.01), ("changed 10 %", 0.1), ("changed 100 %", 1.0)):
        changed = change_feed(build_feed(stamp="20261121T111500Z"), share)
        ways[name] = (lambda changed=changed: read_ical(changed, ReadSettings(at=AT, timezone=ROME), snapshot), 2)  # type: ignore[misc]
    parse = time_cpu(lambda: icalendar.Calendar.from_ical(body), rounds)
    taken = {name: time_cpu(work, rounds, inner) for name, (work, inner) in ways.items()}
    return {
        name: {"ms": round(ms, 3), "icalendar_ms": round(parse, 2), "ratio": round(parse / ms, 2)} for name, ms in taken.items()
    }


def rows(report: dict[str, dict[str, float]]) -> list[Row]:
    """Return a row for each way of reading."""
    return [
        Row(
            name=f"reading.{name}.ratio",
            what=f"read a feed of {EVENTS}, {name}; icalendar",
            ours=f"{row['ms']:.2f} ms",
            peer=f"{row['icalendar_ms']:.1f} ms",
            ratio=row["ratio"],
            goal=TARGETS[name],
        )
        for name, row in report.items()
    ]


if __name__ == "__main__":
    show_rows(rows(run()))
