"""A calendar of nights alone, as small channel managers and booking engines send it: closures with one label, UIDs of dates."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.feeds.base import RenderContext, SimulatedPlatform
from simulator.feeds.options import choice, count, flag
from simulator.ical import Event, day, guid, moment, text, write_calendar
from simulator.model import DAY, Span, cut

_HEAD = ("VERSION:2.0", "PRODID:-//Nights Only//Availability//EN", "CALSCALE:GREGORIAN")
LABELS = ("Not available", "Reserved", "Nights", "")
"""A closure's, a reservation's, one that no vocabulary has, and none."""
HORIZON = 366


def windows(view: RenderContext) -> tuple[Span, ...]:
    """Return the nights closed by rules: the advance notice, in one span, and the end of the open calendar."""
    spans = [Span(view.today, view.today + DAY * view.option("notice_days"))] if view.option("notice_days") else []
    if view.option("open_days") is not None and view.option("open_days") < HORIZON:
        spans.append(Span(view.today + DAY * view.option("open_days"), view.today + DAY * HORIZON))
    return tuple(piece for span in spans for piece in cut(span, view.taken))


def render(view: RenderContext) -> bytes:
    """Return the feed: a closure for each stay, or with ``joined`` one for all nights that lie side by side.

    With ``clipped`` an ongoing closure starts today. It has the same UID as any other with the same dates (with ``uids=start``,
    with the same first night).
    """
    spans = sorted([*(s for s in view.taken if s.end > view.today), *windows(view)])
    if view.option("joined"):
        spans = _join(spans)
    if view.option("clipped"):
        spans = [Span(max(span.start, view.today), span.end) for span in spans]
    return write_calendar(_HEAD, (_event(view, span) for span in dict.fromkeys(spans)))


def _join(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _event(view: RenderContext, span: Span) -> Event:
    label = view.option("label")
    summary = (text("SUMMARY", label),) if label else ()
    start, end = day("DTSTART", span.start), day("DTEND", span.end)
    return (f"UID:{_uid(view, span)}@nights.example", moment("DTSTAMP", view.now), start, end, *summary)


def _uid(view: RenderContext, span: Span) -> str:
    if view.option("uids") == "hash":
        return guid(view.feed.listing, span.start, span.end)
    last = "" if view.option("uids") == "start" else f"-{span.end:%Y%m%d}"
    return f"{view.feed.listing}-{span.start:%Y%m%d}{last}"


PLATFORM = SimulatedPlatform(
    name="nights",
    title="Nights only",
    render=render,
    windows=windows,
    options={
        "label": choice(*LABELS),
        "uids": choice("dates", "start", "hash"),
        "joined": flag(False),
        "clipped": flag(False),
        "notice_days": count(0),
        "open_days": count(),
    },
)
