"""What a feed's address answers: the rendered calendar, or one of the wrong answers that platforms give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256

from simulator.feeds import render
from simulator.records import Fault, FaultKind, Listing, digest
from simulator.world import World

_PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><h1>Please log in to continue</h1></body></html>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, and how slowly it is given."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/calendar; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds_a_byte: float = 0
    silence: float = 0
    """Seconds before anything is said."""


def take_answer(world: World, feed: str, if_none_match: str | None = None) -> Answer:
    """Return the next answer of *feed* and count it: each is stamped a second later than the one before."""
    listing = world.find_listing(feed)
    world.answers[feed] = world.answers.get(feed, 0) + 1
    body = render(world, feed, world.now + timedelta(seconds=world.answers[feed]))
    fault = world.take_fault(feed)
    if fault:
        return spoil(Answer(body=body), fault, world, listing)
    return _conditional(Answer(body=body), if_none_match) if listing.has_etag else Answer(body=body)


def spoil(answer: Answer, fault: Fault, world: World, listing: Listing) -> Answer:
    """Return *answer* as *fault* has it."""
    if fault.kind is FaultKind.TOO_MANY:
        return Answer(status=429, content_type="text/plain", headers={"Retry-After": str(fault.retry_after)})
    if fault.kind is FaultKind.OTHER_LISTING:
        return replace(answer, body=_other_listing(world, listing))
    if fault.kind in _WHOLE:
        return _WHOLE[fault.kind]
    if fault.kind is FaultKind.DRIP:
        return replace(answer, seconds_a_byte=1)
    return replace(answer, body=_BODIES[fault.kind](answer.body))


def _empty_calendar(body: bytes) -> bytes:
    head, begin, rest = body.partition(b"BEGIN:VEVENT")
    return head + b"END:VCALENDAR" + rest.rpartition(b"END:VCALENDAR")[2] if begin else body


def _truncated(body: bytes) -> bytes:
    return body[: len(body) * 3 // 5]


def _half(body: bytes) -> bytes:
    head, *events = body.split(b"BEGIN:VEVENT")
    kept = b"BEGIN:VEVENT".join([head, *events[1::2]])
    return kept.partition(b"END:VCALENDAR")[0] + b"END:VCALENDAR\r\n"


def _bad_date(body: bytes) -> bytes:
    head, name, rest = body.partition(b"DTSTART")
    parameters, colon, value = rest.partition(b":")
    return head + name + parameters + colon + b"20270231" + value[8:] if name else body


_BODIES: Mapping[FaultKind, Callable[[bytes], bytes]] = {
    FaultKind.EMPTY_CALENDAR: _empty_calendar,
    FaultKind.TRUNCATED: _truncated,
    FaultKind.HALF: _half,
    FaultKind.BAD_DATE: _bad_date,
}
_WHOLE: Mapping[FaultKind, Answer] = {
    FaultKind.EMPTY_BODY: Answer(),
    FaultKind.HTML: Answer(body=_PAGE, content_type="text/html"),
    FaultKind.JSON: Answer(body=b'{"code":500,"message":"Internal error"}', content_type="application/json"),
    FaultKind.NOT_FOUND: Answer(status=404, body=b"Not found", content_type="text/plain"),
    FaultKind.SERVER_ERROR: Answer(status=500, body=b"Internal error", content_type="text/plain"),
    FaultKind.TIMEOUT: Answer(silence=60),
}


def _other_listing(world: World, listing: Listing) -> bytes:
    """The same platform's feed of a listing that the world does not know."""
    stranger = World(seed=world.seed + 7919, now=world.now)
    feed = stranger.add_listing(replace(listing, name=f"not-{listing.name}", form="", closed_from=None, linked=())).id
    today = stranger.today(stranger.listings[feed])
    for start, length in ((3, 4), (11, 2), (20, 7)):
        check_in = today + timedelta(days=start + int(digest(listing.id)[:2], 16) % 3)
        stranger.book(feed, check_in, check_in + timedelta(days=length))
    return render(stranger, feed, world.now)


def _conditional(answer: Answer, if_none_match: str | None) -> Answer:
    said = b"\n".join(line for line in answer.body.splitlines() if not line.startswith(b"DTSTAMP"))
    etag = f'"{sha256(said).hexdigest()[:20]}"'
    if if_none_match == etag:
        return Answer(status=304, headers={"ETag": etag})
    return replace(answer, headers={"ETag": etag})
