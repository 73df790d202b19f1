"""The feed of VRBO, Abritel and HomeAway: GUIDs change with the dates, past stays remain for months."""

from __future__ import annotations

from datetime import timedelta

from simulator.feeds.base import RenderContext, SimulatedPlatform
from simulator.feeds.options import choice, flag
from simulator.ical import Event, day, guid, moment, text, write_calendar
from simulator.model import SimulatedStay

_HEAD = ("VERSION:2.0", "PRODID:-//HomeAway.com, Inc.//EN", "CALSCALE:GREGORIAN")
_WORDS = {
    "en": {"confirmed": "Reserved", "tentative": "Tentative", "block": "Blocked"},
    "fr": {"confirmed": "Réservée", "tentative": "Provisoire", "block": "Indisponible"},
}
KEEPS_PAST_STAYS = timedelta(days=180)


def render(view: RenderContext) -> bytes:
    """Return the feed; the option ``tentative: false`` is the URL's ``?nonTentative``."""
    shown = (s for s in view.stays if s.check_out > view.today - KEEPS_PAST_STAYS)
    return write_calendar(_HEAD, (_event(view, s) for s in shown if view.option("tentative") or s.status != "tentative"))


def _event(view: RenderContext, stay: SimulatedStay) -> Event:
    return (
        f"UID:{_uid(view, stay)}",
        moment("DTSTAMP", view.now),
        day("DTSTART", stay.check_in),
        day("DTEND", stay.check_out),
        text("SUMMARY", _summary(view, stay)),
    )


def _uid(view: RenderContext, stay: SimulatedStay) -> str:
    """A block's UID derives from its dates, a stay's from its number and dates."""
    whose = "block" if stay.kind == "block" else stay.number
    return guid(view.seed, view.feed.listing, whose, stay.check_in, stay.check_out)


def _summary(view: RenderContext, stay: SimulatedStay) -> str:
    words = _WORDS[view.option("language")]
    if stay.kind == "block":
        return words["block"]
    return f"{words[stay.status]} - {stay.guest}" if stay.guest else words[stay.status]


PLATFORM = SimulatedPlatform(
    name="vrbo",
    title="VRBO",
    render=render,
    options={"language": choice("en", "fr"), "tentative": flag(True)},
)
