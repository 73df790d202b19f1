"""How far the retention of guest details is (``guest.keep_days``), as a record of the tenant keeps it and the status shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from bokit.core.model.documents import Count
from bokit.core.model.records import CollectionName, Fields, Record, Scope, TenantId, make_record_id, new_record
from bokit.store.protocols import Store
from bokit.values import replace

ERASURES = CollectionName(".erasures")
"""Receipts, the key of the digests, and how far retention is; a name that no declared collection can have."""
SCOPE = Scope("erasures")
STATE_ID = make_record_id(SCOPE, "retention")


class RetentionDocument(TypedDict):
    """How far the retention of guest details is."""

    keep_days: Annotated[Count, "Days after departure, by `guest.keep_days`."]
    last_run_at: Annotated[datetime | None, "When it last came to its end; null: not yet."]
    erased: Annotated[Count, "Bookings whose guest it has erased, ever."]
    error: Annotated[str | None, "Why its last attempt failed; null: it did not."]


def load_state(store: Store, tenant: TenantId, at: datetime) -> Record:
    """Return the record of how far retention is; a new one before the first."""
    found = store.find_records(tenant, ERASURES, [STATE_ID])
    return found.get(STATE_ID) or new_record(STATE_ID, tenant, ERASURES, at)


def save_state(store: Store, state: Record, values: Fields) -> Record:
    """Store *values* over those that *state* has."""
    return store.apply_records([replace(state, remote={**state.remote, **values})], [], lease=None)[0]


def describe_retention(state: Record, keep_days: int) -> RetentionDocument:
    """Return its document."""
    ended = state.remote.get("ended_at")
    return {
        "keep_days": keep_days,
        "last_run_at": datetime.fromisoformat(ended) if ended else None,
        "erased": int(state.remote.get("erased", 0)),
        "error": state.remote.get("error"),
    }
