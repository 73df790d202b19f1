"""Bokit itself, on the store in memory: sources that it fetches, bookings, conflicts and the calendar that it publishes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT, Source, UnitId
from bokit.core.occupancy.out_calendar import CalendarChoice
from bokit.engine.runs.manual import SyncRequest
from bokit.outlets.memory import MemoryAlerts
from bokit.store.memory.store import MemoryStore
from bokit.wiring import build_engine
from simulator.score.model import Channel, Fetch, HeldStay
from simulator.score.reading import read_calendar
from simulator.score.serving import ResponseServer
from simulator.world import FIRST_NOW

log = logging.getLogger("bokit")

PERSON = "user:host"
READER = "expedia"
"""A further channel, which reads the published calendar and has no feed, so that no feed may repeat what it read."""


class BokitPolicy:
    """A property for each unit; every fetch is a sync of that source alone. No alert reaches a person, and nobody decides."""

    def __init__(self) -> None:
        self._level = log.level
        log.setLevel(logging.CRITICAL)  # faults are what it is measured with
        self.now: datetime = FIRST_NOW
        self.server = ResponseServer()
        self.bokit = build_engine(
            Settings(
                table_name="-", allow_private_addresses=True, calendar_key="a key of the score", api_url="https://score.example"
            ),
            store=MemoryStore(),
            alerts=MemoryAlerts(),
            clock=lambda: self.now,
        )
        self._units: dict[str, UnitId] = {}
        self._tokens: dict[str, str] = {}
        self._sources: dict[str, Source] = {}
        self._views: dict[str, dict[str, HeldStay]] = {}
        self._pages: dict[str, tuple[bytes, frozenset[date]]] = {}

    def read(self, fetch: Fetch) -> None:
        """Let Bokit fetch the channel's feed."""
        self.now = fetch.at
        self.server.put(fetch)
        if fetch.channel.name not in self._sources:
            self._add(fetch.channel)
        source = self._sources[fetch.channel.name]
        run = self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
        if run.sources[0].outcome not in ("unchanged", "not-modified"):
            self._views.pop(fetch.channel.unit, None)

    def _add(self, channel: Channel) -> None:
        if channel.unit not in self._units:
            values = {"name": channel.unit, "timezone": channel.timezone}
            home = self.bokit.catalog.add_property(DEFAULT_TENANT, values)
            unit = self.bokit.catalog.add_unit(DEFAULT_TENANT, home.id, values)
            calendar = self.bokit.calendars.open(DEFAULT_TENANT, unit.id, CalendarChoice(consumer=READER))
            self._tokens[channel.unit] = self.bokit.calendars.token_of(calendar)
            self._units[channel.unit] = unit.id
        values = {"name": channel.name, "kind": "ical", "url": self.server.url_of(channel)}
        self._sources[channel.name] = self.bokit.catalog.sources.add(DEFAULT_TENANT, self._units[channel.unit], values)

    def stays(self, channel: Channel) -> Mapping[str, HeldStay]:
        """Return the bookings of the channel's source that block nights, joint ones and echoes too."""
        if channel.unit not in self._views:
            self._views[channel.unit] = self._read_view(channel)
        source = self._sources[channel.name].id
        return {i: stay for i, stay in self._views[channel.unit].items() if i.startswith(f"{source} ")}

    def _read_view(self, channel: Channel) -> dict[str, HeldStay]:
        found = {}
        for doc in self.bokit.bookings.list_bookings(DEFAULT_TENANT, [self._units[channel.unit]]):
            for part in doc["sources"] if doc["blocks_nights"] else ():
                start, end = date.fromisoformat(part["check_in"]), date.fromisoformat(part["check_out"])
                stay = HeldStay(check_in=start, check_out=end, note=doc["notes"] or "")
                found[f"{part['source_id']} {part['booking_id']}"] = stay
        return found

    def held(self, channels: Sequence[Channel]) -> frozenset[date]:
        """Return the nights of the calendar that Bokit publishes of the unit: what its owner's own website would read."""
        unit = channels[0].unit
        page = self.bokit.feeds.serve(self._tokens[unit])
        body = page.body if page else b""
        if unit not in self._pages or self._pages[unit][0] != body:
            stays = (HeldStay(check_in=e.check_in, check_out=e.check_out) for e in read_calendar(body) or ())
            self._pages[unit] = (body, frozenset().union(*(stay.nights() for stay in stays)))
        return self._pages[unit][1]

    def conflicts(self, channels: Sequence[Channel]) -> set[date]:
        """Return the nights of the open conflicts, possible ones too."""
        found = self.bokit.bookings.list_conflicts(DEFAULT_TENANT, [self._units[channels[0].unit]])
        return {date.fromisoformat(night) for doc in found for night in doc["nights"]}

    def write_note(self, channel: Channel, stay_id: str, note: str) -> None:
        """Edit the booking's notes."""
        self.bokit.bookings.edit(DEFAULT_TENANT, stay_id.split(" ", 1)[1], {"notes": note}, by=PERSON)
        self._views.pop(channel.unit, None)

    def close(self) -> None:
        """Stop serving feeds."""
        log.setLevel(self._level)
        self.server.stop()
