"""Bokit on the memory store with one flat and one feed, whose body a test sets; its server answers validators as they ask."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import held_nights
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.records import Record
from bokit.core.model.runs import SourceReport
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.catalog.preview import Preview
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.sync.kinds import SourceKind
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from bokit.wiring import make_booking_reconciler
from tests.support.rows_app import Receivers
from tests.support.simulated_app import TickingClock

URL = "https://feeds.example/flat.ics"


class OneFeedApp:
    """A host of one flat."""

    def __init__(self, store: Any = None, **defaults: Any) -> None:
        self.clock, self.store, self.feed = TickingClock(), MemoryStore() if store is None else store, TaggedFeed()
        self.alerts, self.receivers = MemoryAlerts(), Receivers()
        self.clock.at = self.clock.at.replace(year=2026, month=11, day=20)
        kind = SourceKind(fetcher=self.feed, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)
        parts = EngineParts(
            store=self.store,
            kinds={"ical": kind},
            alerts=self.alerts,
            defaults=defaults,
            clock=self.clock,
            calendar_key=lambda: "k" * 43,
            api_url="https://api.example",
            open_sender=lambda: self.receivers,
        )
        self.bokit = Bokit(parts)
        house = self.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Rosa", "timezone": "Europe/Rome"})
        self.unit = self.bokit.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Flat"}).id

    def preview(self, body: bytes, **values: Any) -> Preview:
        """Return what adding a source of *body* shows first."""
        self.feed.body = body
        return self.bokit.catalog.sources.preview(DEFAULT_TENANT, self.unit, {"name": "Feed", "url": URL, **values})

    def add(self, body: bytes, **values: Any) -> Source:
        """Add the source, and sync it."""
        source = self.bokit.catalog.sources.add(DEFAULT_TENANT, self.unit, {"name": "Feed", "url": URL, **values})
        self.sync(body)
        return source

    def edit(self, **values: Any) -> Source:
        """Change the source's settings."""
        [source] = self.bokit.catalog.sources.list_sources(DEFAULT_TENANT)
        return self.bokit.catalog.sources.edit(DEFAULT_TENANT, source.id, values)

    def sync(self, body: bytes | None = None, *, times: int = 1) -> SourceReport:
        """Let an hour pass, sync, and return the last report; *body*: what the feed shows from now on."""
        self.feed.body = self.feed.body if body is None else body
        for _ in range(times):
            self.clock.move(hours=1)
            run = self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT))
        return run.sources[0]

    def records(self) -> list[Record]:
        """Return the flat's bookings by their first night."""
        found = self.store.load_records(DEFAULT_TENANT, BOOKINGS, self.unit)
        return sorted(found, key=lambda record: str(record.remote["check_in"]))

    def held(self) -> set[date]:
        """Return the nights that any record holds."""
        return {night for record in self.records() for night in held_nights(record)}


class TaggedFeed:
    """A fetcher of one body, whose ETag is its hash."""

    def __init__(self) -> None:
        self.body, self.answers = b"", list[str]()
        self.bodies: dict[str, bytes] = {}
        """By the address of a source: what it shows in place of *body*."""

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        body = self.bodies.get(source.url, self.body)
        own = hashlib.sha256(body).hexdigest()
        self.answers.append("304" if etag == own else "200")
        return Fetched(not_modified=True) if etag == own else Fetched(body=body, etag=own)
