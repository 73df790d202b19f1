"""Faults: the wrong responses that a feed can be made to give."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from simulator.feeds.beds24 import SWITCHED_OFF
from simulator.model import SimulatorError

CALENDAR = "text/calendar; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A queued fault."""

    kind: str
    left: int | None = None
    """Responses that it still affects; None: until *until*, or until cleared."""
    until: datetime | None = None
    """When it ends, in simulated time."""
    body: str = ""
    """What a ``stale`` feed repeats: its body when the fault began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedResponse:
    """An HTTP response."""

    status: int = 200
    body: bytes = b""
    content_type: str = CALENDAR
    headers: Mapping[str, str] = field(default_factory=dict)
    pace: Literal["whole", "drip", "hang"] = "whole"
    """``drip``: one byte at a time, slowly; ``hang``: no response at all."""


def _head(body: bytes) -> bytes:
    return re.split(rb"BEGIN:VEVENT|END:VCALENDAR", body)[0]


def _empty(body: bytes, other: bytes, rng: Random) -> bytes:
    return _head(body) + b"END:VCALENDAR\r\n"


def _truncated(body: bytes, other: bytes, rng: Random) -> bytes:
    return body[: rng.randrange(1, max(2, len(body) - 16))]


def _half(body: bytes, other: bytes, rng: Random) -> bytes:
    """Drop every other event, starting with the first or the second."""
    events = re.findall(rb"BEGIN:VEVENT.*?END:VEVENT\r?\n", body, re.S)
    return _head(body) + b"".join(events[rng.randrange(2) :: 2]) + b"END:VCALENDAR\r\n"


def _half_and_ghosts(body: bytes, other: bytes, rng: Random) -> bytes:
    """Drop every other event, and add three of bookings that nobody made."""
    events = [line for days in _GHOST_DAYS for line in _ghost(body, days)]
    return _half(body, other, rng).replace(b"END:VCALENDAR", "".join(events).encode() + b"END:VCALENDAR")


def _ghost(body: bytes, days: int) -> Iterator[str]:
    """Yield the lines of an event *days* after the first one of the feed, for three nights."""
    found = re.search(rb"DTSTART[^:]*:(\d{8})", body)
    start = (datetime.strptime(found[1].decode(), "%Y%m%d") if found else datetime(2027, 1, 1)) + timedelta(days=days)  # noqa: DTZ001, DTZ007 - dates
    stamp = re.search(rb"DTSTAMP:(\S+)", body)
    yield "BEGIN:VEVENT\r\n"
    yield f"DTSTAMP:{stamp[1].decode()}\r\n" if stamp else ""
    yield f"DTSTART;VALUE=DATE:{start:%Y%m%d}\r\nDTEND;VALUE=DATE:{start + timedelta(days=3):%Y%m%d}\r\n"
    yield f"UID:ghost-{start:%Y%m%d}@example.org\r\nSUMMARY:Not available\r\nEND:VEVENT\r\n"


def _prodid_glitch(body: bytes, other: bytes, rng: Random) -> bytes:
    """Name another program as the calendar's author, as a proxy does; the events stay as they are."""
    return re.sub(rb"PRODID[^\r\n]*", b"PRODID:-//Proxy//1//EN", body)


def _bad_date(body: bytes, other: bytes, rng: Random) -> bytes:
    starts = list(re.finditer(rb"DTSTART[^:]*:(\d{8})", body))
    if not starts:
        return _empty(body, other, rng)
    chosen = rng.choice(starts)
    return body[: chosen.start(1)] + b"2026XX99" + body[chosen.end(1) :]


_BODIES: Mapping[str, Callable[[bytes, bytes, Random], bytes]] = {
    "empty-calendar": _empty,
    "empty-body": lambda body, other, rng: b"",
    "truncated": _truncated,
    "half": _half,
    "other-listing": lambda body, other, rng: other,
    "bad-date": _bad_date,
    "half-and-ghosts": _half_and_ghosts,
    "prodid-glitch": _prodid_glitch,
}
_GHOST_DAYS = (97, 155, 211)
_RESPONSES: Mapping[str, SimulatedResponse] = {
    "html": SimulatedResponse(
        body=b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>",
        content_type="text/html",
    ),
    "json": SimulatedResponse(
        body=b'{"code":500,"message":"There was an error processing your request"}', content_type="application/json"
    ),
    "switched-off": SimulatedResponse(body=SWITCHED_OFF, content_type="text/plain"),
    "401": SimulatedResponse(status=401, body=b"Unauthorized", content_type="text/plain"),
    "404": SimulatedResponse(status=404, body=b"Not found", content_type="text/plain"),
    "429": SimulatedResponse(status=429, body=b"Too many requests", content_type="text/plain", headers={"Retry-After": "120"}),
    "500": SimulatedResponse(status=500, body=b"Internal error", content_type="text/plain"),
    "503": SimulatedResponse(status=503, body=b"Unavailable", content_type="text/plain", headers={"Retry-After": "60"}),
}
_PACES: Mapping[str, Literal["drip", "hang"]] = {"drip": "drip", "timeout": "hang"}
STALE = "stale"
FAULTS = (*_BODIES, STALE, *_RESPONSES, *_PACES)
SILENT_FAULTS = ("empty-calendar", "empty-body", "html", "json", "truncated", "half", "other-listing", "bad-date")
"""Faults with status 200, of those that :mod:`simulator.life` draws."""
HARMLESS_FAULTS = ("prodid-glitch",)
"""Faults that leave every event as it is."""


def make_response(body: bytes, *, etag: bool = False) -> SimulatedResponse:
    """Return a correct response. The ETag ignores DTSTAMP lines."""
    if not etag:
        return SimulatedResponse(body=body)
    kept = b"".join(line for line in body.splitlines() if not line.startswith(b"DTSTAMP"))
    return SimulatedResponse(body=body, headers={"ETag": f'"{hashlib.sha256(kept).hexdigest()[:32]}"'})


def read_fault(kind: str, times: int | None, until: datetime | None = None) -> Fault:
    """Validate *kind* and *times* and return the fault."""
    if kind not in FAULTS:
        raise SimulatorError(f"no such fault: {kind}; faults are {', '.join(FAULTS)}")
    if times is not None and times < 1:
        raise SimulatorError("times must be at least 1; omit it to repeat the fault until cleared")
    if times is not None and until is not None:
        raise SimulatorError("a fault lasts for times or for hours; pass one of them")
    return Fault(kind=kind, left=times, until=until)


def drop_ended(faults: Sequence[Fault], now: datetime) -> tuple[Fault, ...]:
    """Return the faults that have not ended by *now*."""
    return tuple(fault for fault in faults if fault.until is None or now < fault.until)


def count_down(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Return the faults left after one response."""
    first, *rest = faults
    if first.left is None:
        return tuple(faults)
    return (replace(first, left=first.left - 1), *rest) if first.left > 1 else tuple(rest)


def make_faulty(fault: Fault, body: bytes, other: bytes, rng: Random) -> SimulatedResponse:
    """Return the response of *fault*, made from the correct *body* and *other*, another listing's feed."""
    if fault.kind == STALE:
        return SimulatedResponse(body=fault.body.encode())
    if fault.kind in _PACES:
        return SimulatedResponse(body=body, pace=_PACES[fault.kind])
    if fault.kind in _BODIES:
        return SimulatedResponse(body=_BODIES[fault.kind](body, other, rng))
    return _RESPONSES[fault.kind]
