"""However large a first sync is, those who read the log hear of it once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import LoggedChange, Record
from bokit.engine.live.limits import MAX_EVENTS_PER_PAGE
from bokit.store.memory.store import MemoryStore
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile

ROWS = 200_000


class ForgetfulStore(MemoryStore):
    """A store that forgets the records of a write when it is done, and keeps its events."""

    def apply_records(self, records: Sequence[Record], changes: Sequence[LoggedChange], **given: Any) -> Sequence[Record]:
        saved = super().apply_records(records, changes, **given)
        self._records.clear()
        self._changes.clear()
        return saved


@pytest.mark.slow
def test_a_first_sync_of_two_hundred_thousand_rows_is_one_event(tmp_path: Path) -> None:
    """With its counts; it waits for the last write, so that nobody loads half of it."""
    file = SqliteFile(tmp_path)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(ROWS)])
    app = SqlApp(file.url, ForgetfulStore())
    source = app.add_source(CLIENTS)
    app.bokit.events.drain().check()
    before = app.store.load_last_seq(DEFAULT_TENANT)

    report = app.report()
    app.bokit.events.drain().check()

    assert report.counts["created"] == ROWS
    found = app.store.load_events(DEFAULT_TENANT, after=before, until=before + MAX_EVENTS_PER_PAGE)
    events = [(str(event.type), event.data) for event in found if not event.type.startswith("sync.")]
    ((kind, data),) = events
    assert (kind, data["collection"], data["source_id"], data["counts"]) == (
        "collection.changed",
        "clients",
        source.id,
        {"created": ROWS},
    )
