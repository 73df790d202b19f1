"""One hostile feed among fifty delays no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source, Tenant
from bokit.core.model.records import Scope, SourceId
from bokit.core.model.runs import Outcome
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.sync.kinds import SourceKind
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from tests.support.feed_bodies import AT, sample
from tests.support.hostile_feeds import FEEDS
from tests.support.rows_app import FakeFetcher, ManualClock

BOMBS = {feed.name: feed for feed in FEEDS}
SOME = (
    "begins-of-events",
    "daily-for-ever",
    "stays-of-ten-years",
    "nights-of-27-years",
    "never-yearly",
    "zones",
    "one-folded-stamp",
    "too-large",
    "properties-of-one-event",
)


class FiftyFeeds:
    """Fifty sources of the real rules on one shard, one of which answers with a bomb."""

    def __init__(self, bomb: bytes) -> None:
        self.store, self.fetcher, self.clock, self.alerts = MemoryStore(), FakeFetcher(), ManualClock(AT), MemoryAlerts()
        kinds = {"ical": SourceKind(fetcher=self.fetcher, rules=BookingRules(), collection=BOOKINGS)}
        self.bokit = Bokit(EngineParts(store=self.store, kinds=kinds, alerts=self.alerts, clock=self.clock, concurrency=8))
        self.store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Default", created_at=AT))
        self.store.save_option(DEFAULT_TENANT, "install.complete", True)
        for number in range(50):
            self.add(number, bomb if number == 7 else sample("airbnb", 3 + number % 5))

    def add(self, number: int, body: bytes) -> None:
        source = Source(
            id=SourceId(f"src_{number:02d}"),
            tenant=DEFAULT_TENANT,
            name=f"n{number}",
            kind="ical",
            url="https://feeds.example/",
            scope=Scope(f"unit_{number}"),
            shard_id=self.store.pick_shard(100),
        )
        self.fetcher.shelf[source.id] = Fetched(body=body, host="feeds.example")
        self.store.save_source(Head(source=source), SourceSchedule(tenant=DEFAULT_TENANT, due_at=AT, interval=timedelta(hours=1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_one_hostile_feed_delays_no_other(name):
    """A batch of fifty sources, one of them a bomb: the others are synced in the same batch, and due again in their time."""
    street = FiftyFeeds(BOMBS[name].make())

    street.bokit.tick()

    run = street.bokit.status.load_history(DEFAULT_TENANT).items[0]
    outcomes = {report.source_id: report.outcome for report in run.sources}
    assert len(outcomes) == 50
    assert [source_id for source_id, outcome in outcomes.items() if outcome is not Outcome.CHANGED] in ([], ["src_07"])
    assert outcomes[SourceId("src_07")] in (Outcome.HELD, Outcome.CHANGED)
