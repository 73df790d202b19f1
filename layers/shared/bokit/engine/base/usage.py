"""Writing what a person edits, counted against the tenant's quota of writes."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from bokit.core.model.catalog import Parent
from bokit.core.model.quotas import day_of
from bokit.core.model.records import Fields, LoggedChange, Record, RecordId, TenantId
from bokit.engine.base.tenant_options import days_kept
from bokit.errors import BokitError
from bokit.store.protocols import Store, UsageStore

WRITES_OF_AN_EDIT = 2
"""The record, and the line of its change log."""


def save_edit(
    store: Store,
    record: Record,
    change: LoggedChange,
    defaults: Fields,
    *,
    within: Sequence[Parent],
    counted: Container[RecordId] = (),
) -> Record:
    """Write a record that a person made or edited, its change, and what both count; return it as it is stored.

    Lines that the change pushes out of the log's last are kept as the tenant's options say. *within*, *counted*: as for
    ``RecordStore.apply_records``. Raises QuotaError if the tenant may write no more today.
    """
    days = days_kept(store, [record], defaults)
    with counted_writes(store, record.tenant, change.at, WRITES_OF_AN_EDIT):
        return store.apply_records([record], [change], lease=None, within=within, counted=counted, kept_days=days)[0]


@contextmanager
def counted_writes(store: UsageStore, tenant: TenantId, at: datetime, writes: int) -> Iterator[None]:
    """Count writes, unless they are refused inside; raises QuotaError if the tenant may not write so much more today."""
    store.count_writes(tenant, day_of(at), writes)
    try:
        yield
    except BokitError:
        store.count_writes(tenant, day_of(at), -writes, forced=True)
        raise
