"""Requests of people that crash at each of their calls in turn, before and after it, and are repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT, Source
from bokit.engine.app import Bokit
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import StateError
from tests.support.damage import Damage, compare_ends
from tests.support.simulated_app import Calls, Died, SimulatedApp

FEED = "airbnb/garden"
Act = Callable[[Bokit, Source], object]


def begin(*, held: bool) -> tuple[SimulatedApp, Source]:
    """Return a simulated app with three stays, one of which has just moved; *held*: its calendar came empty meanwhile."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source(FEED)
    for day in (1, 8, 15):
        app.world.book(FEED, date(2026, 12, day), date(2026, 12, day + 4))
    go_on(app, 1)
    if held:
        app.world.fault(FEED, "empty-calendar")
        go_on(app, 61)
    else:
        app.world.move("stay-1", date(2026, 12, 2))
        app.move(minutes=5)
    return app, source


def go_on(app: SimulatedApp, *minutes: int) -> None:
    """Let time pass, and the schedule do its work."""
    for span in minutes:
        app.move(minutes=span)
        app.bokit.tick()
        app.deliver_all()


def resolve(*, apply: bool) -> Act:
    given = {"plan_hash": None, "apply": apply, "by": "user:rosa"}
    return lambda bokit, source: bokit.records.resolve_hold(DEFAULT_TENANT, source.id, **given)


ACTS: dict[str, tuple[bool, Act]] = {
    "apply what is held": (True, resolve(apply=True)),
    "discard what is held": (True, resolve(apply=False)),
    "sync all": (False, lambda bokit, source: bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))),
    "sync by force": (False, lambda bokit, source: bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, force=True))),
    "pause": (False, lambda bokit, source: bokit.catalog.sources.pause(DEFAULT_TENANT, source.id)),
    "remove and release": (
        False,
        lambda bokit, source: bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa"),
    ),
    "switch off": (False, lambda bokit, source: bokit.catalog.options.set(DEFAULT_TENANT, "sync.enabled", False)),
    "another interval": (False, lambda bokit, source: bokit.catalog.options.set(DEFAULT_TENANT, "sync.interval", 900)),
}


def live(held: bool, act: Act, die_at: int | None = None, *, after: bool = False) -> tuple[dict[str, Any], Calls]:
    """Begin, act (once more where the process died), and let the schedule go on."""
    app, source = begin(held=held)
    calls = Calls(die_at=die_at, die_after=after)
    hand = app.open(store=calls.watch_part(app.store), alerts=calls.watch_part(app.alerts))
    try:
        act(hand, source)
    except Died:
        app.move(minutes=6)
        try:
            act(app.open(), source)
        except StateError as error:
            if error.stable_code not in ("nothing-held", "removed"):  # else it came through before it died
                raise
    else:
        app.move(minutes=6)
    go_on(app, 10, 16, 61)
    return app.describe(), calls


def crash_anywhere(name: str) -> Damage:
    """Die before and after each call to the store or the alerts; return what is not as if nothing had happened."""
    held, act = ACTS[name]
    expected, calls = live(held, act)
    damage = Damage()
    for call in range(1, len(calls.names) + 1):
        for after in (False, True):
            found, died = live(held, act, call, after=after)
            assert died.deaths == 1
            place = f"{name}: {'after' if after else 'before'} {calls.names[call - 1]}"
            damage += compare_ends(expected, found).at(place)
    return damage
