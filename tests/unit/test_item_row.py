"""Items of the table: our shorter way of writing and reading them does what PynamoDB's own does."""

from __future__ import annotations

from typing import Any

import pytest
from pynamodb.models import Model

from bokit.store.dynamo.model import ItemRow

ITEMS: dict[str, dict[str, Any]] = {
    "a record": {"doc": '{"summary": "Réservé"}', "version": 3},
    "packed, in parts": {"packed": b"\x00\xff", "parts": 2, "stamp": "a"},
    "due": {"due_pk": "DUE", "due_at": 1_764_547_200_000_000, "expires_at": None},
    "a shard": {"schedules": {"src_1": "a", "src_2": "b"}, "fence": 7, "recent_0": b"run"},
    "progress": {"pending": {"src_1", "src_2"}, "groups": 0},
    "a former run": {"reports": {"src_1": b"report"}, "share": 300},
    "the schema": {"schema_number": 1},
    "nothing": {"doc": None, "pending": set()},
}


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_is_written_and_read_as_pynamodb_does(name: str) -> None:
    """For each kind of attribute that an item has."""
    row = ItemRow("T#default", "R#1", **ITEMS[name])
    written = row.serialize()
    assert written == Model.serialize(row)

    read = ItemRow.from_raw_data(written)
    assert read.serialize() == written
    assert read.doc == ITEMS[name].get("doc")
