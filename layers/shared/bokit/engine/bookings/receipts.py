"""Receipts of erasures: what was erased, when and by whom, and nothing of a guest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

from bokit.core.model.documents import Count, Time
from bokit.core.model.records import Record, make_record_id
from bokit.engine.base.retention import SCOPE

KEY_ID = make_record_id(SCOPE, "key")


class ErasureCounts(TypedDict):
    """How much is erased."""

    bookings: Annotated[Count, "Records; of a booking that several sources report, each."]
    fields: Annotated[Count, "Values that a source or a person gave."]
    changes: Annotated[Count, "Lines of change logs that named a guest."]
    events: Annotated[Count, "Events in what is kept of feeds."]
    door_codes: Annotated[Count, "Door codes made of the guest's phone, of stays that are over."]


class ReceiptDocument(TypedDict):
    """What was erased, without anything of a guest."""

    id: str
    at: Time
    by: str
    reason: str
    bookings: list[str]
    counts: ErasureCounts
    finished_at: Annotated[Time | None, "null: it was interrupted; `bokit guest erase --again` ends it."]


def describe_receipt(record: Record) -> ReceiptDocument:
    """Return the receipt that *record* keeps."""
    remote: Mapping[str, object] = record.remote
    names = ReceiptDocument.__annotations__
    return {"id": record.id, **{name: remote[name] for name in names if name != "id"}}  # type: ignore[typeddict-item]
