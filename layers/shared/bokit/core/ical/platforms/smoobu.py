"""Smoobu: three events for each stay; those of the arrival and the departure are skipped."""

from __future__ import annotations

import re

from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, read_general

_SIDE = re.compile(r"^\s*check[- ]?(?:in|out)\b", re.I)


def read_event(raw: RawEvent) -> Facts | None:
    """Return an event's facts; None for ``Check-in`` and ``Check-out``."""
    return None if _SIDE.match(raw.summary) else read_general(raw)


PLATFORM = Platform(name="smoobu", prodids=("smoobu",), hosts=("smoobu.com",), read_event=read_event)
