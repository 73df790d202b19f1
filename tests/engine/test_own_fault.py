"""What one tenant's or source's values are stays that tenant's or source's own: no other source waits for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import Tenant
from bokit.core.model.limits import (
    MAX_DOOR_BUFFER_MINUTES,
    MAX_DOOR_CODE,
    MAX_GUEST_DAYS,
    MAX_HISTORY_DAYS,
    MAX_HORIZON_DAYS,
    MAX_INTERVAL,
    MAX_REQUEST_DELAY_MS,
    MAX_SPAN_SECONDS,
)
from bokit.core.model.options import OPTIONS, Options
from bokit.core.model.records import TenantId
from bokit.core.model.scheduling import Head
from bokit.errors import OptionError
from bokit.values import replace
from tests.support.rows_app import START, TestApp

OTHER = TenantId("other")
HUGE = 999_999_999 * 86_400
"""Seconds that a former release stored for ``999999999d``."""
STORED_BADLY: dict[str, Any] = {
    "sync.interval": HUGE,
    "sync.full_interval": HUGE,
    "sync.request_delay": -1,
    "sync.cancel_after": HUGE,
    "sync.stale_after": HUGE,
    "sync.horizon_days": 10**12,
    "history.keep_days": HUGE,
    "timezone": "Nowhere/Land",
    "sync.new_only": "perhaps",
}
AT_THE_BOUND: dict[str, tuple[Any, Any]] = {
    # option: the largest value, and the first that is too large
    "sync.interval": (MAX_SPAN_SECONDS, "366d"),
    "sync.full_interval": ("365d", MAX_SPAN_SECONDS + 1),
    "sync.request_delay": (MAX_REQUEST_DELAY_MS, MAX_REQUEST_DELAY_MS + 1),
    "sync.cancel_after": ("365d", "999999999d"),
    "sync.stale_after": ("365d", "99999999999999d"),
    "sync.horizon_days": (MAX_HORIZON_DAYS, MAX_HORIZON_DAYS + 1),
    "history.keep_days": (MAX_HISTORY_DAYS, 10**15),
    "guest.keep_days": (MAX_GUEST_DAYS, MAX_GUEST_DAYS + 1),
    "timezone": ("America/Argentina/ComodRivadavia", "Europe/" + "R" * 100),
    "locale": ("de-AT", "deutsch"),
    "access.source": ("manual", "x" * 1000),
    "access.length": (MAX_DOOR_CODE, MAX_DOOR_CODE + 1),
    "access.buffer_minutes": (MAX_DOOR_BUFFER_MINUTES, MAX_DOOR_BUFFER_MINUTES + 1),
}
FLAGS = {"sync.enabled", "sync.on_traffic", "sync.new_only", "install.complete", "export.anonymous", "access.codes"}


@pytest.fixture
def app() -> TestApp:
    """Two tenants whose sources share a shard."""
    made = TestApp()
    made.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    made.store.save_option(OTHER, "install.complete", True)
    return made


def hours(app: TestApp, count: int) -> None:
    """Tick once an hour."""
    for _ in range(count):
        app.clock.move(hours=1, minutes=1)
        app.bokit.tick()


def test_every_option_has_a_bound():
    """An option that is added needs a line above, or is a flag."""
    assert set(OPTIONS) == set(AT_THE_BOUND) | FLAGS


@pytest.mark.parametrize("name", AT_THE_BOUND)
def test_an_option_at_its_bound_is_accepted_and_over_it_refused(app, name):
    """Over the bound nothing is stored; at it, what follows can be computed."""
    most, over = AT_THE_BOUND[name]
    sources = [app.add_source("good", {"1": {"n": 1}}), app.add_source("far", {"1": {"n": 1}}, tenant=OTHER, interval=0)]
    app.bokit.tick()
    options = app.bokit.catalog.options

    with pytest.raises(OptionError) as refused:
        options.set(OTHER, name, over)
    assert refused.value.facts["name"] == name
    assert not options.load(OTHER).is_set(name)

    assert options.set(OTHER, name, most)["is_set"]
    hours(app, 3)
    assert app.schedule(sources[0]).succeeded_at == app.clock()
    assert [s["state"] for s in app.bokit.status.load_status(OTHER)["sources"]] == ["ok"]


def test_a_refused_duration_names_the_limit():
    """The message says what is wrong and how much is allowed."""
    with pytest.raises(OptionError, match=r"must be at most 31536000 s \(365 days\)"):
        OPTIONS["sync.interval"].read("999999999d")


@pytest.mark.parametrize("name", STORED_BADLY)
def test_an_option_that_a_former_release_stored_badly_counts_as_unset(app, name):
    """It is reported; the tenant's own sources go on by the default, and so do the others of their shard."""
    mine, theirs = app.add_source("mine", {"1": {"n": 1}}), app.add_source("theirs", {"1": {"n": 1}}, tenant=OTHER, interval=0)
    app.store.save_option(OTHER, name, STORED_BADLY[name])

    hours(app, 3)

    assert app.bokit.catalog.options.load(OTHER)[name] == OPTIONS[name].default
    assert app.bokit.catalog.options.get(OTHER, name)["fault"]
    assert [app.schedule(s).succeeded_at for s in (mine, theirs)] == [app.clock()] * 2
    assert [s["state"] for s in app.bokit.status.load_status(OTHER)["sources"]] == ["ok"]
    app.bokit.catalog.options.unset(OTHER, name)
    assert app.bokit.catalog.options.get(OTHER, name)["fault"] is None


@pytest.mark.parametrize("days", [400, 999_999_999])
def test_a_source_that_a_former_release_stored_with_a_huge_interval_is_synced_by_the_tenants(app, days):
    """Its line is repaired with its next sync, although it would be due in thousands of years."""
    mine, theirs = app.add_source("mine", {"1": {"n": 1}}), app.add_source("theirs", {"1": {"n": 1}}, tenant=OTHER)
    far = replace(theirs, interval=timedelta(days=days), cancel_after=timedelta(days=days))
    line = replace(app.schedule(theirs), interval=far.interval, due_at=START + timedelta(days=min(days, 999_999)))
    app.store.save_source(Head(source=far), line)

    hours(app, 3)

    assert [app.schedule(s).succeeded_at for s in (mine, theirs)] == [app.clock()] * 2
    assert app.schedule(theirs).interval == timedelta(hours=1)


def test_a_line_holds_no_interval_beyond_the_limit(app):
    """Whatever was stored."""
    line = app.schedule(app.add_source("a", {}))

    assert replace(line, interval=timedelta(days=999_999_999)).interval == MAX_INTERVAL


@pytest.mark.parametrize("value", [True, None, [], {}, 1.5, 10**400, "9" * 30, "1e9", "²", "-1", ""])
def test_other_values_than_durations_are_refused(value):
    """By its reader, and never by an error of Python's."""
    with pytest.raises(OptionError):
        OPTIONS["sync.interval"].read(value)


def test_options_are_read_once():
    """A batch asks for the same few options a hundred times."""
    options = Options({"sync.interval": "15m"})

    assert options["sync.interval"] == 900
    assert options["sync.interval"] is options["sync.interval"]
    assert options.with_value("sync.interval", 60)["sync.interval"] == 60
    assert options.with_value("sync.interval", None)["sync.interval"] == 3600
