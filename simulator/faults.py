"""Faults: the wrong responses that a feed can be made to give."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    """Responses that it still affects; None: until cleared."""


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
}
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
FAULTS = (*_BODIES, *_RESPONSES, *_PACES)
SILENT_FAULTS = ("empty-calendar", "empty-body", "html", "json", "truncated", "half", "other-listing", "bad-date")
"""Faults with status 200."""


def make_response(body: bytes, *, etag: bool = False) -> SimulatedResponse:
    """Return a correct response. The ETag ignores DTSTAMP lines."""
    if not etag:
        return SimulatedResponse(body=body)
    kept = b"".join(line for line in body.splitlines() if not line.startswith(b"DTSTAMP"))
    return SimulatedResponse(body=body, headers={"ETag": f'"{hashlib.sha256(kept).hexdigest()[:32]}"'})


def read_fault(kind: str, times: int | None) -> Fault:
    """Validate *kind* and *times* and return the fault."""
    if kind not in FAULTS:
        raise SimulatorError(f"no such fault: {kind}; faults are {', '.join(FAULTS)}")
    if times is not None and times < 1:
        raise SimulatorError("times must be at least 1; omit it to repeat the fault until cleared")
    return Fault(kind=kind, left=times)


def count_down(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Return the faults left after one response."""
    first, *rest = faults
    if first.left is None:
        return tuple(faults)
    return (replace(first, left=first.left - 1), *rest) if first.left > 1 else tuple(rest)


def make_faulty(kind: str, body: bytes, other: bytes, rng: Random) -> SimulatedResponse:
    """Return the response of fault *kind*, made from the correct *body* and *other*, another listing's feed."""
    if kind in _PACES:
        return SimulatedResponse(body=body, pace=_PACES[kind])
    if kind in _BODIES:
        return SimulatedResponse(body=_BODIES[kind](body, other, rng))
    return _RESPONSES[kind]
