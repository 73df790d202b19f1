"""A flat on simulated platforms whose owner is notified through real servers on loopback."""

from __future__ import annotations

from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.records import TenantId
from tests.support.alert_server import AlertServer, open_local_sender
from tests.support.apartment import AIRBNB, VRBO, Flat


class Home(Flat):
    """A flat whose owner is notified."""

    def __init__(self, *feeds: str, store: Any = None) -> None:
        super().__init__(store)
        self.sources = {feed: self.add_feed(feed) for feed in feeds}

    def open(self, store: Any = None, clock: Any = None, **given: Any) -> Any:
        return super().open(store, clock, **{"open_alert_sender": open_local_sender} | given)

    def notify(self, server: AlertServer, path: str = "/hook", *, tenant: TenantId = DEFAULT_TENANT, **values: Any) -> Any:
        """Add a plain webhook as an alert channel."""
        return self.bokit.alerts.add(tenant, {"kind": "webhook", "url": server.url + path, **values})

    def look_at(self, channel: Any) -> Any:
        """Return the channel's document."""
        return self.bokit.alerts.describe(channel)

    def wait(self, **span: float) -> None:
        """Let time pass, and serve what is due then."""
        self.move(**span)
        report = self.bokit.alert_delivery.run_due()
        assert report.error is None

    def fail(self, source: str = AIRBNB, code: str = "http-500", **given: Any) -> None:
        """Put the event that a source fails."""
        self.put(EventType.SOURCE_FAILING, {"source_id": self.sources[source].id, "code": code}, **given)

    def double_book(self, first: int, end: int) -> None:
        """Sell some nights on two platforms, to guests who stay differently long, and let both calendars be read."""
        self.book(AIRBNB, first, end)
        self.book(VRBO, first, end + 2)
        self.sync()
        self.bokit.events.drain()

    def put(self, event: EventType, data: dict[str, Any], tenant: TenantId = DEFAULT_TENANT) -> None:
        """Put one event into the outbox, and number it."""
        for item in fill_outbox(tenant, self.clock(), [NewEvent(type=event, data=data)]):
            self.store.put_outbox(item)
        self.bokit.events.drain()
