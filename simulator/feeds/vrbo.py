"""VRBO's feed, Abritel's and HomeAway's too: GUIDs that change with the dates, past stays that linger for months."""

from __future__ import annotations

from datetime import timedelta

from simulator.feeds.base import Platform, View
from simulator.feeds.options import choice, flag
from simulator.ical import Event, day, guid, moment, text, write_calendar
from simulator.truth import Stay

_HEAD = ("VERSION:2.0", "PRODID:-//HomeAway.com, Inc.//EN", "CALSCALE:GREGORIAN")
_WORDS = {
    "en": {"confirmed": "Reserved", "tentative": "Tentative", "block": "Blocked"},
    "fr": {"confirmed": "Réservée", "tentative": "Provisoire", "block": "Indisponible"},
}
LINGERS = timedelta(days=180)


def render(view: View) -> bytes:
    """Return the feed; ``tentative: false`` is what ``?nonTentative`` asks for."""
    shown = (s for s in view.stays if s.check_out > view.today - LINGERS)
    return write_calendar(_HEAD, (_event(view, s) for s in shown if view.option("tentative") or s.status != "tentative"))


def _event(view: View, stay: Stay) -> Event:
    return (
        f"UID:{_uid(view, stay)}",
        moment("DTSTAMP", view.now),
        day("DTSTART", stay.check_in),
        day("DTEND", stay.check_out),
        text("SUMMARY", _summary(view, stay)),
    )


def _uid(view: View, stay: Stay) -> str:
    """A block's is made of its dates alone; a stay's is another one once its dates are."""
    whose = "block" if stay.kind == "block" else stay.number
    return guid(view.seed, view.feed.listing, whose, stay.check_in, stay.check_out)


def _summary(view: View, stay: Stay) -> str:
    words = _WORDS[view.option("language")]
    if stay.kind == "block":
        return words["block"]
    return f"{words[stay.status]} - {stay.guest}" if stay.guest else words[stay.status]


PLATFORM = Platform(
    name="vrbo",
    title="VRBO",
    render=render,
    options={"language": choice("en", "fr"), "tentative": flag(True)},
)
