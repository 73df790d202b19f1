"""Airbnb's feed: codes and UIDs survive a move; a block's UID derives from its start; windows roll every day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from simulator.feeds.base import RenderContext, SimulatedPlatform
from simulator.feeds.options import choice, count, optional_date
from simulator.ical import Event, day, hex_digest, moment, text, write_calendar
from simulator.model import DAY, SimulatedStay, Span, cut

_HEADS = {
    "1.0": ("PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN", "CALSCALE:GREGORIAN", "VERSION:2.0"),
    "0.8.8": (
        "PRODID;X-RICAL-TZSOURCE=TZINFO:-//Airbnb Inc//Hosting Calendar 0.8.8//EN",
        "CALSCALE:GREGORIAN",
        "VERSION:2.0",
    ),
}
_BLOCK = {"1.0": "7f662ec65913", "0.8.8": "6fec1092d3fa"}
_BLOCKED = {"1.0": "Airbnb (Not available)", "0.8.8": "Not available"}
_DETAILS = "https://www.airbnb.com/hosting/reservations/details/"
_ALPHABET = "ABCDEFGHJKMNPQRSTWXYZ0123456789"
HORIZON = timedelta(days=366)


def code_of(view: RenderContext, stay: SimulatedStay) -> str:
    """Return the reservation code: HM and eight characters, unique to the stay."""
    number = int(hex_digest(view.seed, "code", stay.number), 16)
    return "HM" + "".join(_ALPHABET[number // 31**place % 31] for place in range(8))


def windows(view: RenderContext) -> tuple[Span, ...]:
    """Return the nights closed by rules: the advance notice, one span a day, and the end of the open calendar."""
    notice = [Span(view.today + DAY * n, view.today + DAY * (n + 1)) for n in range(view.option("notice_days"))]
    spans = [*notice, *_trailing(view)]
    return tuple(piece for span in spans for piece in cut(span, view.taken))


def _trailing(view: RenderContext) -> Iterator[Span]:
    """With ``open_days`` both ends roll, with ``open_until`` only the last."""
    end = view.today + HORIZON
    start = view.day_option("open_until")
    if view.option("open_days") is not None:
        start = view.today + DAY * view.option("open_days")
    if start and max(start, view.today) < end:
        yield Span(max(start, view.today), end)


def render(view: RenderContext) -> bytes:
    """Return the feed. A stay is shown unclipped until the day after its end; an ongoing block starts at most two days ago."""
    shown = [s for s in view.stays if s.check_out >= view.today - DAY]
    events = [(s.check_in, _reservation(view, s)) for s in shown if s.kind == "reservation"]
    spans = [Span(s.check_in, s.check_out) for s in shown if s.kind == "block"]
    spans = [Span(max(span.start, view.today - DAY * 2), span.end) for span in spans] + list(windows(view))
    events += [(span.start, _block(view, span)) for span in spans]
    form = view.option("form")
    ordered = (event for _, event in sorted(events, key=lambda pair: pair[0]))
    return write_calendar(_HEADS[form], ordered, newline="\r\n" if form == "1.0" else "\n")


def _reservation(view: RenderContext, stay: SimulatedStay) -> Event:
    uid = f"1418fb94e984-{hex_digest(view.seed, 'stay', stay.number)}@airbnb.com"
    details = f"Reservation URL: {_DETAILS}{code_of(view, stay)}\nPhone Number (Last 4 Digits): {stay.phone[-4:]}"
    return _event(view, Span(stay.check_in, stay.check_out), "Reserved", uid, text("DESCRIPTION", details))


def _block(view: RenderContext, span: Span) -> Event:
    form = view.option("form")
    uid = f"{_BLOCK[form]}-{hex_digest(view.feed.listing, span.start)}@airbnb.com"
    return _event(view, span, _BLOCKED[form], uid)


def _event(view: RenderContext, span: Span, summary: str, uid: str, *more: str) -> Event:
    start, end = day("DTSTART", span.start), day("DTEND", span.end)
    if view.option("form") == "0.8.8":
        return (end, start, f"UID:{uid}", *more, f"SUMMARY:{summary}")
    return (moment("DTSTAMP", view.now), start, end, f"SUMMARY:{summary}", f"UID:{uid}", *more)


PLATFORM = SimulatedPlatform(
    name="airbnb",
    title="Airbnb",
    render=render,
    windows=windows,
    options={"form": choice("1.0", "0.8.8"), "notice_days": count(0), "open_days": count(), "open_until": optional_date()},
)
