"""What every store does with monitors, and what is due beside shards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.monitor import Monitor, advance_monitor
from bokit.core.model.records import RunId, TenantId
from bokit.core.model.runs import OpenRun
from bokit.errors import StoreConflictError
from bokit.store.protocols import Due, Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NAUGHTY_STRINGS, NOW, a_head, a_monitor, a_report, a_schedule, a_source, an_open_run
from tests.support.steps import OTHER, close

MINUTE = timedelta(minutes=1)


def open_run(store: Store, overdue_at: datetime, *waiting: str, tenant: TenantId = DEFAULT_TENANT) -> OpenRun:
    """Open a run that is overdue at *overdue_at*."""
    run = an_open_run(*waiting, overdue_at=overdue_at, tenant=tenant)
    store.open_run(run, expires_at=NOW + DAY, answered=None, now=NOW)
    return run


def test_a_monitor_comes_back_whole(store: Store) -> None:
    """A monitor comes back with every field and its version."""
    monitor = a_monitor(
        tenant=TenantId("a#MONITOR"),
        interval=timedelta(microseconds=1),
        new_only=False,
        max_runs=3,
        runs=2,
        started_by="\ud800",
        next_at=NOW + timedelta(microseconds=1),
        last_run=RunId("run_1"),
        next_run=RunId("run_2"),
    )
    saved = store.save_monitor(monitor)

    assert saved == replace(monitor, version=1)
    assert store.load_monitors([monitor.tenant]) == {monitor.tenant: saved}


def test_monitors_come_by_tenant(store: Store) -> None:
    """Only tenants whose monitor runs have an entry, whichever tenants are asked for."""
    saved = {tenant: store.save_monitor(a_monitor(tenant=tenant)) for tenant in (DEFAULT_TENANT, OTHER)}
    asked = [*saved, *(TenantId(f"t{n}") for n in range(120)), *(TenantId(text) for text in NAUGHTY_STRINGS if len(text) < 100)]

    store.delete_monitor(TenantId("t1"))
    assert store.load_monitors(asked) == saved
    assert store.load_monitors([DEFAULT_TENANT]) == {DEFAULT_TENANT: saved[DEFAULT_TENANT]}
    assert store.load_monitors([]) == {}
    store.delete_monitor(OTHER)
    assert store.load_monitors(asked) == {DEFAULT_TENANT: saved[DEFAULT_TENANT]}


def test_a_tenant_has_one_monitor(store: Store) -> None:
    """A second start finds the first."""
    first = store.save_monitor(a_monitor())

    with pytest.raises(StoreConflictError):
        store.save_monitor(a_monitor(interval=HOUR))
    assert store.load_monitors([DEFAULT_TENANT]) == {DEFAULT_TENANT: first}


def test_a_monitor_is_carried_on_once(store: Store) -> None:
    """Of two ticks that read the same monitor, one carries it on."""
    read = store.save_monitor(a_monitor())
    carried = store.save_monitor(advance_monitor(read, RunId("run_1"), NOW))

    assert (carried.version, carried.runs, carried.next_at) == (2, 1, NOW + MINUTE)
    with pytest.raises(StoreConflictError):
        store.save_monitor(advance_monitor(read, RunId("run_2"), NOW))
    assert store.load_monitors([DEFAULT_TENANT]) == {DEFAULT_TENANT: carried}


def test_a_stopped_monitor_is_not_brought_back(store: Store) -> None:
    """A tick that read it before writes nothing; stopping it again does nothing."""
    read = store.save_monitor(a_monitor())
    for _ in range(2):
        store.delete_monitor(DEFAULT_TENANT)

    with pytest.raises(StoreConflictError):
        store.save_monitor(advance_monitor(read, RunId("run_1"), NOW))
    assert store.load_monitors([DEFAULT_TENANT]) == {}
    assert store.load_due(NOW + DAY) == Due()


def test_the_monitor_of_before_is_not_the_one_of_now(store: Store) -> None:
    """A tick holding an old monitor changes nothing if the monitor was stopped and started again meanwhile."""
    read = store.save_monitor(a_monitor())
    store.delete_monitor(DEFAULT_TENANT)
    new = store.save_monitor(a_monitor(interval=HOUR, started_at=NOW + MINUTE))

    with pytest.raises(StoreConflictError):
        store.save_monitor(advance_monitor(read, RunId("run_1"), NOW))
    assert store.load_monitors([DEFAULT_TENANT]) == {DEFAULT_TENANT: new}


def test_of_many_starters_exactly_one_wins(shared_store: Store) -> None:
    """Of eight that start the monitor at the same time one is stored, and the others get a conflict."""
    gate = Barrier(8)

    def race(n: int) -> Monitor | None:
        gate.wait(timeout=20)
        try:
            return shared_store.save_monitor(a_monitor(started_by=f"user_{n}"))
        except StoreConflictError:
            return None

    with ThreadPoolExecutor(8) as pool:
        won = [monitor for monitor in pool.map(race, range(8)) if monitor]
    assert list(shared_store.load_monitors([DEFAULT_TENANT]).values()) == won


def test_all_that_is_due_comes_by_kind_earliest_first(store: Store) -> None:
    """Shards, monitors and open runs that are due are returned separately, each earliest first; none before its time."""
    shard = store.pick_shard(1)
    store.save_source(a_head(a_source(shard_id=shard)), a_schedule(due_at=NOW - HOUR))
    late, early = (store.save_monitor(a_monitor(tenant=TenantId(f"t{n}"), next_at=NOW - n * MINUTE)) for n in (1, 2))
    run = open_run(store, NOW, "src_1", tenant=OTHER)
    store.save_monitor(a_monitor(next_at=NOW + timedelta(microseconds=1)))
    open_run(store, NOW + timedelta(microseconds=1), "src_1")

    assert store.load_due(NOW) == Due(shards=tuple(store.load_shards([shard])), monitors=(early, late), runs=(run,))
    assert list(store.load_due(NOW).shards) == store.load_shards([shard])
    assert store.load_due(NOW - DAY) == Due()


def test_the_limit_takes_the_earliest_of_all(store: Store) -> None:
    """A late monitor does not stand behind a hundred runs that came due after it."""
    monitor = store.save_monitor(a_monitor(next_at=NOW - DAY))
    runs = [open_run(store, NOW - n * MINUTE, "s") for n in range(5)]

    assert store.load_due(NOW, limit=3) == Due(monitors=(monitor,), runs=(runs[4], runs[3]))


def test_a_monitor_is_due_again_when_it_says_so(store: Store) -> None:
    """A monitor that was carried on is found from its next time on, not before."""
    carried = store.save_monitor(advance_monitor(store.save_monitor(a_monitor()), RunId("run_1"), NOW))

    assert store.load_due(carried.next_at - timedelta(microseconds=1)).monitors == ()
    assert store.load_due(carried.next_at).monitors == (carried,)


def test_an_open_run_is_due_until_it_ends(store: Store) -> None:
    """An overdue run is found with the reports so far, and after its end no more."""
    run = open_run(store, NOW, "src_1", "src_2")
    reported = store.report_sources(DEFAULT_TENANT, run.run.run_id, [a_report()])

    assert store.load_due(NOW).runs == (reported,)
    assert close(store, reported)
    assert store.load_due(NOW + DAY) == Due()


def test_a_run_that_is_saved_over_is_due_no_more(store: Store) -> None:
    """A run that was open and is written whole leaves nothing for the tick."""
    run = open_run(store, NOW, "src_1")
    store.save_run(run.run, expires_at=NOW + DAY)

    assert store.load_due(NOW + DAY) == Due()
    assert store.find_open_run(DEFAULT_TENANT, run.run.run_id) is None


def test_a_removed_tenant_has_nothing_due(store: Store) -> None:
    """Neither its monitor nor its open runs are found, and its neighbour's are."""
    store.save_monitor(a_monitor())
    open_run(store, NOW, "src_1")
    monitor, run = store.save_monitor(a_monitor(tenant=OTHER)), open_run(store, NOW, "src_1", tenant=OTHER)
    store.remove_tenant(DEFAULT_TENANT)

    assert store.load_due(NOW) == Due(monitors=(monitor,), runs=(run,))
    assert store.load_monitors([DEFAULT_TENANT]) == {}
