"""Steps that the store's tests share."""

from __future__ import annotations

from typing import Any

from bokit.core.model.catalog import Source
from bokit.core.model.records import Record, TenantId
from bokit.core.model.runs import OpenRun, Run, RunStatus
from bokit.core.model.scheduling import Lease, Shard
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, a_change, a_head, a_record, a_run, a_schedule, a_source

OTHER = TenantId("other")


def add_source(store: Store, *, limit: int = 100, **given: Any) -> Source:
    """Save a source in a shard that has room, due in an hour."""
    source = a_source(shard_id=store.pick_shard(limit), **given)
    return store.save_source(a_head(source), a_schedule(tenant=source.tenant))


def lease_of(store: Store, source: Source, holder: str = "run_1") -> Lease:
    """Take the source's lease for an hour."""
    lease = store.acquire_lease(source, holder=holder, now=NOW, until=NOW + HOUR)
    assert lease is not None
    return lease


def claim(store: Store, source: Source, holder: str = "tick_1") -> Shard:
    """Claim the source's shard for an hour."""
    shard = store.claim_shard(store.load_shards([source.shard_id])[0], holder=holder, now=NOW, until=NOW + HOUR)
    assert shard is not None
    return shard


def add_record(store: Store, *, lease: Lease | None = None, **given: Any) -> Record:
    """Save a record with one line in its change log."""
    record = a_record(**given)
    return store.apply_records([record], [a_change(record)], lease=lease)[0]


def add_run(store: Store, **given: Any) -> Run:
    """Save a run for a day."""
    run = a_run(**given)
    store.save_run(run, expires_at=NOW + DAY)
    return run


def close(store: Store, open_run: OpenRun, status: RunStatus = RunStatus.SUCCEEDED) -> bool:
    """End an open run with the reports that it has."""
    return store.close_run(replace(open_run.run, status=status, finished_at=NOW + HOUR), expires_at=NOW + DAY)
