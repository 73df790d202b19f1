"""What a feed answers when it goes wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from simulator.feeds.beds24 import SWITCHED_OFF
from simulator.truth import SimulatorError

CALENDAR = "text/calendar; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A wrong answer that waits for its turn."""

    kind: str
    left: int | None = None
    """How many answers it still spoils; None: until it is cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP client gets."""

    status: int = 200
    body: bytes = b""
    content_type: str = CALENDAR
    headers: Mapping[str, str] = field(default_factory=dict)
    pace: Literal["whole", "drip", "hang"] = "whole"
    """``drip``: a byte now and then; ``hang``: nothing at all."""


def _head(body: bytes) -> bytes:
    return re.split(rb"BEGIN:VEVENT|END:VCALENDAR", body)[0]


def _empty(body: bytes, other: bytes, luck: Random) -> bytes:
    return _head(body) + b"END:VCALENDAR\r\n"


def _truncated(body: bytes, other: bytes, luck: Random) -> bytes:
    return body[: luck.randrange(1, max(2, len(body) - 16))]


def _half(body: bytes, other: bytes, luck: Random) -> bytes:
    """Drop every other event, beginning with either."""
    events = re.findall(rb"BEGIN:VEVENT.*?END:VEVENT\r?\n", body, re.S)
    return _head(body) + b"".join(events[luck.randrange(2) :: 2]) + b"END:VCALENDAR\r\n"


def _bad_date(body: bytes, other: bytes, luck: Random) -> bytes:
    starts = list(re.finditer(rb"DTSTART[^:]*:(\d{8})", body))
    if not starts:
        return _empty(body, other, luck)
    chosen = luck.choice(starts)
    return body[: chosen.start(1)] + b"2026XX99" + body[chosen.end(1) :]


_BODIES: Mapping[str, Callable[[bytes, bytes, Random], bytes]] = {
    "empty-calendar": _empty,
    "empty-body": lambda body, other, luck: b"",
    "truncated": _truncated,
    "half": _half,
    "other-listing": lambda body, other, luck: other,
    "bad-date": _bad_date,
}
_ANSWERS: Mapping[str, Answer] = {
    "html": Answer(
        body=b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>",
        content_type="text/html",
    ),
    "json": Answer(body=b'{"code":500,"message":"There was an error processing your request"}', content_type="application/json"),
    "switched-off": Answer(body=SWITCHED_OFF, content_type="text/plain"),
    "401": Answer(status=401, body=b"Unauthorized", content_type="text/plain"),
    "404": Answer(status=404, body=b"Not found", content_type="text/plain"),
    "429": Answer(status=429, body=b"Too many requests", content_type="text/plain", headers={"Retry-After": "120"}),
    "500": Answer(status=500, body=b"Internal error", content_type="text/plain"),
    "503": Answer(status=503, body=b"Unavailable", content_type="text/plain", headers={"Retry-After": "60"}),
}
_PACES: Mapping[str, Literal["drip", "hang"]] = {"drip": "drip", "timeout": "hang"}
FAULTS = (*_BODIES, *_ANSWERS, *_PACES)
SILENT = ("empty-calendar", "empty-body", "html", "json", "truncated", "half", "other-listing", "bad-date")
"""Those that come with status 200."""


def answer_rightly(body: bytes, *, etag: bool = False) -> Answer:
    """Return *body* as it should be; the ETag stays the same while nothing but the stamps changes."""
    if not etag:
        return Answer(body=body)
    kept = b"".join(line for line in body.splitlines() if not line.startswith(b"DTSTAMP"))
    return Answer(body=body, headers={"ETag": f'"{hashlib.sha256(kept).hexdigest()[:32]}"'})


def read_fault(kind: str, times: int | None) -> Fault:
    """Return the fault of this name; refuses others, and counts below one."""
    if kind not in FAULTS:
        raise SimulatorError(f"no such fault: {kind}; there are {', '.join(FAULTS)}")
    if times is not None and times < 1:
        raise SimulatorError("times must be at least 1; leave it out for `until cleared`")
    return Fault(kind=kind, left=times)


def count_down(waiting: Sequence[Fault]) -> tuple[Fault, ...]:
    """Return the faults that still wait after one answer."""
    first, *rest = waiting
    if first.left is None:
        return tuple(waiting)
    return (replace(first, left=first.left - 1), *rest) if first.left > 1 else tuple(rest)


def spoil(kind: str, body: bytes, other: bytes, luck: Random) -> Answer:
    """Return the wrong answer *kind*, made of the right *body* and of *other*, another listing's."""
    if kind in _PACES:
        return Answer(body=body, pace=_PACES[kind])
    if kind in _BODIES:
        return Answer(body=_BODIES[kind](body, other, luck))
    return _ANSWERS[kind]
