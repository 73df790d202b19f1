"""Counting what a person writes against the tenant's quota of writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from bokit.core.model.quotas import day_of
from bokit.core.model.records import TenantId
from bokit.errors import BokitError
from bokit.store.protocols import UsageStore

WRITES_OF_AN_EDIT = 2
"""The record, and the line of its change log."""


@contextmanager
def counted_edit(store: UsageStore, tenant: TenantId, at: datetime) -> Iterator[None]:
    """Count an edit, unless it is refused inside; raises QuotaError if the tenant may write no more today."""
    store.count_writes(tenant, day_of(at), WRITES_OF_AN_EDIT)
    try:
        yield
    except BokitError:
        store.count_writes(tenant, day_of(at), -WRITES_OF_AN_EDIT, forced=True)
        raise
