"""As whose feed a source is read: what one body names does not change it, and what fetches agree on for a day does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Presence
from bokit.engine.runs.manual import SyncRequest
from tests.support.simulated_app import SimulatedApp

BOOKING, AIRBNB = "booking_com/r", "airbnb/r"
DAY = timedelta(days=1)


class Reading:
    """One source of a simulated feed, whose platform nobody has set."""

    def __init__(self, feed, **options):
        self.app, self.feed = SimulatedApp(queue=False), feed
        self.app.save_tenant()
        self.source = self.app.add_source(feed, **options)
        self.today = self.app.world.now.date()
        for start in (-1, 5, 12, 20):
            self.app.world.book(feed, self.today + start * DAY, self.today + (start + 4) * DAY)
        self.sync()

    def sync(self, hours=1):
        for _ in range(hours):
            self.app.move(hours=1)
            self.app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(self.source.id,)))

    def stays(self):
        return {r.id for r in self.app.records(self.source) if r.presence is Presence.PRESENT}

    def platform(self):
        return self.app.store.load_snapshot(self.source).memory["platform"]["name"]


@pytest.mark.parametrize("feed", [BOOKING, AIRBNB])
def test_a_proxy_that_names_itself_as_the_author_changes_no_booking(feed):
    """Three hours, over a midnight, and a day after it."""
    reading = Reading(feed)
    before = reading.stays()
    reading.sync(12)
    reading.app.world.fault(feed, "prodid-glitch", hours=3)
    reading.sync(30)

    assert len(before) == 4
    assert reading.stays() == before
    assert reading.platform() == feed.partition("/")[0]


def test_a_feed_that_names_another_platform_for_a_day_is_read_as_that_ones():
    """An unknown author: the general rules, after a day."""
    reading = Reading(BOOKING)
    reading.app.world.fault(BOOKING, "prodid-glitch")
    reading.sync(24)
    before = reading.platform()
    reading.sync(2)

    assert (before, reading.platform()) == ("booking_com", "generic")


def test_a_platform_whose_codes_are_shown_stays():
    """Read as another's they would be lost."""
    reading = Reading(AIRBNB)
    reading.app.world.fault(AIRBNB, "prodid-glitch")
    reading.sync(50)

    assert reading.platform() == "airbnb"


def test_a_feed_that_names_its_own_platform_again_is_counted_from_the_start():
    """Twenty hours, an hour of its own, and twenty hours more."""
    reading = Reading(BOOKING)
    for _ in range(2):
        reading.app.world.fault(BOOKING, "prodid-glitch", hours=20)
        reading.sync(22)

    assert reading.platform() == "booking_com"
