"""A dry run is the run: what settings make of a source's times is in force at once, not after the next sync that finds news."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.scheduling import SourceSchedule
from bokit.engine.runs.manual import SyncRequest
from tests.support.feed_shapes import ShapedEvent, word, write
from tests.support.one_feed_app import OneFeedApp

MINE = [ShapedEvent(f"{i}@x", 40 + 5 * i, 3, f"Reserved - {word(i)}") for i in range(8)]
ABROAD = (
    b"BEGIN:VEVENT\r\nUID:abroad@x\r\nSUMMARY:Reserved\r\nDTSTART:20270310T050000Z\r\nDTEND:20270313T200000Z\r\nEND:VEVENT\r\n"
)
"""From 9 March in Honolulu, and from 10 March in UTC."""


class Home(OneFeedApp):
    """A flat in a property without a timezone, whose server says that nothing changed where nothing did."""

    def __init__(self) -> None:
        super().__init__()
        (house,) = self.bokit.catalog.list_properties(DEFAULT_TENANT)
        self.bokit.catalog.edit_property(DEFAULT_TENANT, house.id, {"timezone": None})
        self.house = house.id
        self.source = self.add(write(MINE))
        self.sync(write(MINE).replace(b"END:VCALENDAR", ABROAD + b"END:VCALENDAR"))
        self.sync(write(MINE[1:]).replace(b"END:VCALENDAR", ABROAD + b"END:VCALENDAR"), times=5)

    def set(self, name: str, value: Any) -> None:
        self.bokit.catalog.options.set(DEFAULT_TENANT, name, value)

    def plan(self, *, dry: bool) -> Any:
        self.feed.answers.clear()
        (report,) = self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True, dry_run=dry, details=True)).sources
        return {**report.counts, "seen": 0, "unchanged": 0}, [(a.kind, a.record_id, a.fields) for a in report.plan]

    @property
    def line(self) -> SourceSchedule:
        (shard,) = self.store.load_shards([self.source.shard_id])
        return shard.schedules[self.source.id]

    def due_in(self) -> timedelta:
        due = self.line.due_at
        assert isinstance(due, datetime)
        return due - self.clock()


def edit_place(home: Home, **values: Any) -> None:
    home.bokit.catalog.edit_property(DEFAULT_TENANT, home.house, values)


CHANGES: dict[str, Any] = {
    "the tenant waits less": lambda h: h.set("sync.cancel_after", "1h"),
    "the source waits less": lambda h: h.edit(cancel_after="1h"),
    "the tenant's timezone": lambda h: h.set("timezone", "Pacific/Honolulu"),
    "the property's timezone": lambda h: edit_place(h, timezone="Pacific/Honolulu"),
    "the source's timezone": lambda h: h.edit(timezone="Pacific/Honolulu"),
    "a nearer horizon": lambda h: h.set("sync.horizon_days", 30),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_a_plan_depends_on_is_planned_at_once(name):
    """The source is due now, also where its server says that nothing changed; and the run does what the dry run showed."""
    home = Home()
    nothing = home.plan(dry=False)
    assert (nothing[1], home.feed.answers, home.due_in() > timedelta(minutes=50)) == ([], ["304"], True)

    CHANGES[name](home)

    assert home.due_in() <= timedelta(0)
    shown = home.plan(dry=True)
    assert home.plan(dry=False) == shown
    assert (shown[1] == []) == (name == "a nearer horizon")
    home.sync()
    assert (home.plan(dry=False)[1], home.feed.answers) == ([], ["304"])


def test_a_longer_wait_is_in_force_before_the_shorter_one_ends():
    """Raised a minute before the stay would be cancelled, it is not."""
    home = Home()
    home.set("sync.cancel_after", "3d")
    home.sync(times=24)
    assert [r.presence for r in home.records()].count("gone") == 0
    home.sync(times=48)
    assert [r.presence for r in home.records()].count("gone") == 1


@pytest.mark.parametrize(("span", "least", "most"), [("3h", 2.8, 3.0), ("65m", 1.0, 1.1), ("60s", 0, 0.02)])
def test_another_interval_counts_from_the_last_sync(span, least, most):
    """Of the source and of the tenant alike, a longer one too; and no earlier than now."""
    for change in (lambda h: h.edit(interval=span), lambda h: h.set("sync.interval", span)):
        home = Home()
        change(home)
        assert timedelta(hours=least) - timedelta(minutes=2) <= home.due_in() <= timedelta(hours=most)
        assert home.line.interval == timedelta(seconds={"3h": 10_800, "65m": 3_900, "60s": 60}[span])


def test_full_passes_are_due_when_they_are_asked_for():
    """An interval or a time of day of full passes moves the due time at once, there and back."""
    home = Home()
    home.set("sync.interval", "1d")
    home.set("sync.new_only", True)
    late = home.line.due_at
    home.set("sync.full_interval", "5h")
    soon = home.due_in()
    home.bokit.catalog.options.unset(DEFAULT_TENANT, "sync.full_interval")
    assert (timedelta(0) <= soon < timedelta(hours=5), home.line.due_at) == (True, late)
    home.set("sync.full_interval", "2h")
    assert home.due_in() <= timedelta(0)
    assert late is not None
    assert late - home.clock() > timedelta(hours=20)
