"""Feeds taken apart line by line, without the engine's reader: what the simulator's tests look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

Event = Mapping[str, str]


def events(body: bytes) -> list[Event]:
    """The properties of each event by name, parameters and folds gone."""
    text = body.decode().replace("\r\n", "\n").replace("\n ", "")
    return [dict(map(split, event.partition("END:VEVENT")[0].split())) for event in mask(text).split("BEGIN:VEVENT")[1:]]


def mask(text: str) -> str:
    """Spaces within lines would split them."""
    return text.replace(" ", "\x00")


def split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.partition(";")[0], value.replace("\x00", " ")


def start(event: Event) -> date:
    return date.fromisoformat(event["DTSTART"][:8])


def end(event: Event) -> date:
    return date.fromisoformat(event["DTEND"][:8])


def span(event: Event) -> tuple[date, date]:
    return start(event), end(event)


def named(body: bytes, summary: str) -> list[Event]:
    """The events of this summary."""
    return [event for event in events(body) if event["SUMMARY"] == summary]
