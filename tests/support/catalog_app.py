"""A catalog on the memory store, with one feed that every address answers."""

from __future__ import annotations

from itertools import count
from typing import Any

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.records import RecordId, Scope
from bokit.engine.catalog.parts import CatalogParts
from bokit.engine.catalog.places import Catalog
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import AddressRefusedError
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from tests.support.builders import a_record
from tests.support.rows_app import ManualClock

FEED = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260710\r
DTEND;VALUE=DATE:20260714\r
SUMMARY:Reserved\r
UID:1418fb94e984-0123456789abcdef0123456789abcdef@airbnb.com\r
END:VEVENT\r
END:VCALENDAR\r
"""

URL = "https://feeds.example/1.ics"


class CatalogApp:
    """A catalog with one property and one unit."""

    def __init__(self) -> None:
        self.store, self.clock, self.feed, numbers = MemoryStore(), ManualClock(), OneFeed(), count(1)
        self.catalog = Catalog(
            CatalogParts(
                store=self.store,
                clock=self.clock,
                kinds={"ical": SourceKind(fetcher=self.feed, rules=BookingRules(), collection=BOOKINGS)},
                new_id=lambda prefix: f"{prefix}_{next(numbers):03d}",
                check_url=refuse_private,
                wait=lambda seconds: None,
            )
        )
        self.property = self.catalog.add_property(DEFAULT_TENANT, {"name": "Villa Rosa", "timezone": "Europe/Rome"})
        self.unit = self.catalog.add_unit(DEFAULT_TENANT, self.property.id, {"name": "Garden flat"})

    def add(self, name: str = "Airbnb", url: str = URL, **values: Any) -> Source:
        return self.catalog.sources.add(DEFAULT_TENANT, self.unit.id, {"name": name, "url": url, **values})

    def edit(self, source: Source, **values: Any) -> Source:
        return self.catalog.sources.edit(DEFAULT_TENANT, source.id, values)

    def schedule(self, source: Source) -> Any:
        return self.store.load_heads(source.shard_id)[0].schedules[source.id]

    def head(self, source: Source) -> Any:
        return self.store.load_head(source)

    def store_stay(self, source: Source, **given: Any) -> RecordId:
        record = a_record(source_id=source.id, scope=Scope(self.unit.id), **given)
        return self.store.apply_records([record], [], lease=None)[0].id

    def stay(self, record_id: RecordId) -> Any:
        return self.store.load_record(DEFAULT_TENANT, BOOKINGS, record_id)


class OneFeed:
    """Answers the same calendar to everyone."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        self.asked.append(source.url)
        return Fetched(body=FEED, host="feeds.example")


def refuse_private(url: str) -> None:
    if not url.startswith("https://feeds.example/"):
        raise AddressRefusedError("an address that is not public")
