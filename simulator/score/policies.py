"""Plain policies, as they are found in many tools: what the engine is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import date
from itertools import count
from zoneinfo import ZoneInfo

from simulator.score.model import Channel, Fetch, HeldStay
from simulator.score.reading import Event, read_calendar


class Rows:
    """Stays by channel and id, in memory. A policy adds :meth:`read`, which keeps :attr:`rows` up to date."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, HeldStay]] = {}

    def stays(self, channel: Channel) -> Mapping[str, HeldStay]:
        """Return the stays of *channel*."""
        return self.rows.get(channel.name, {})

    def held(self, channels: Sequence[Channel]) -> Set[date]:
        """Return the nights of all stays."""
        return {night for channel in channels for stay in self.stays(channel).values() for night in stay.nights()}

    def conflicts(self, channels: Sequence[Channel]) -> Set[date]:
        """Return the nights that stays of two channels hold."""
        held = Counter(night for channel in channels for night in self.held([channel]))
        return {night for night, times in held.items() if times > 1}

    def write_note(self, channel: Channel, stay_id: str, note: str) -> None:
        """Write *note* on a stay."""
        self.rows[channel.name][stay_id] = replace(self.rows[channel.name][stay_id], note=note)

    def close(self) -> None:
        """Nothing was started."""


class DiffByUid(Rows):
    """The stays are the events, by UID: what is new is added, what differs is changed, what is missing is deleted."""

    def read(self, fetch: Fetch) -> None:
        """Follow the feed, unless it is an error or not a calendar."""
        events = read_calendar(fetch.response.body) if fetch.response.status == 200 else None
        if events is not None and self.believes(fetch.channel, events):
            today = fetch.at.astimezone(ZoneInfo(fetch.channel.timezone)).date()
            self.rows[fetch.channel.name] = self.follow(dict(self.stays(fetch.channel)), events, today)

    def believes(self, channel: Channel, events: Sequence[Event]) -> bool:
        """Return whether to follow these *events*: always."""
        return True

    def follow(self, known: Mapping[str, HeldStay], events: Sequence[Event], today: date) -> dict[str, HeldStay]:
        """Return the stays after *events*; a stay that is over is kept."""
        seen = {event.uid: HeldStay(check_in=event.check_in, check_out=event.check_out) for event in events}
        noted = {uid: replace(stay, note=known[uid].note if uid in known else "") for uid, stay in seen.items()}
        return {uid: stay for uid, stay in known.items() if stay.check_out <= today} | noted


class IgnoringEmpty(DiffByUid):
    """A diff by UID that ignores feeds without events."""

    def believes(self, channel: Channel, events: Sequence[Event]) -> bool:
        """Return whether there are events."""
        return bool(events)


class TwoEmpties(DiffByUid):
    """A diff by UID that believes a feed without events when the one before had none either."""

    def __init__(self) -> None:
        super().__init__()
        self._empties: Counter[str] = Counter()

    def believes(self, channel: Channel, events: Sequence[Event]) -> bool:
        """Return whether there are events, or were none before either."""
        self._empties[channel.name] = 0 if events else self._empties[channel.name] + 1
        return bool(events) or self._empties[channel.name] > 1


class OverlapMatcher(IgnoringEmpty):
    """Ignores feeds without events; an event is the stay with its UID, else the free one with which it shares most nights."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)
        self._uids: dict[str, str] = {}
        """Id of the stay that last had this UID."""

    def follow(self, known: Mapping[str, HeldStay], events: Sequence[Event], today: date) -> dict[str, HeldStay]:
        """Return the stays after *events*; a stay that is over is kept."""
        free = {stay_id: stay for stay_id, stay in known.items() if stay.check_out > today}
        found = {stay_id: stay for stay_id, stay in known.items() if stay.check_out <= today}
        left = []
        for event in (event for event in events if event.check_out > today):
            stay_id = self._uids.get(event.uid, "")
            if stay_id in free:
                found[stay_id] = _moved(free.pop(stay_id), event)
            else:
                left.append(event)
        for event in left:
            stay_id = max(free, key=lambda other: _shared(free[other], event), default="")
            known_stay = free.pop(stay_id) if stay_id and _shared(free[stay_id], event) else None
            self._uids[event.uid] = stay_id = stay_id if known_stay else f"stay-{next(self._numbers)}"
            found[stay_id] = _moved(known_stay, event)
        return found


def _moved(stay: HeldStay | None, event: Event) -> HeldStay:
    """Return *stay* with the dates of *event*."""
    return HeldStay(check_in=event.check_in, check_out=event.check_out, note=stay.note if stay else "")


def _shared(stay: HeldStay, event: Event) -> int:
    """Return the number of nights that the two share."""
    return max(0, (min(stay.check_out, event.check_out) - max(stay.check_in, event.check_in)).days)
