"""However much a sync of a database changes, those who read the log hear of it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import LoggedChange, Record
from bokit.engine.live.limits import MAX_EVENTS_PER_PAGE
from bokit.engine.sync.limits import MAX_BULK_HOLD
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


def news(app: SqlApp, before: int) -> Counter[tuple[str, str]]:
    """Number what waits, and return the events after *before*, by kind and what they count."""
    app.bokit.events.drain().check()
    found = app.store.load_events(DEFAULT_TENANT, after=before, until=before + MAX_EVENTS_PER_PAGE)
    return Counter((str(e.type), str(e.data.get("counts", ""))) for e in found if not e.type.startswith("sync."))


@pytest.mark.parametrize("changed", [0, 1, 90, 91, 100, 101, 350])
def test_a_later_sync_is_one_event_for_each_change_or_one_for_more_than_a_hundred(tmp_path: Path, changed: int) -> None:
    """However many transactions it takes: their number is known at the end, and nothing is numbered before."""
    app, file = _open(tmp_path)
    before = app.store.load_last_seq(DEFAULT_TENANT)

    file.run("UPDATE clients SET name = name || '!' WHERE id < ?", rows=[(changed,)])
    assert app.report(advance=25 * 3600).counts.get("updated", 0) == changed

    one = {("collection.changed", f"{{'updated': {changed}}}"): 1}
    assert news(app, before) == (one if changed > 100 else {("record.changed", ""): changed} if changed else {})
    assert news(app, app.store.load_last_seq(DEFAULT_TENANT)) == Counter()


def test_what_a_sync_wrote_before_it_died_is_one_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never came to say each change; a quarter of an hour later, readers are asked to load the collection."""
    app, file = _open(tmp_path)
    before = app.store.load_last_seq(DEFAULT_TENANT)
    file.run("UPDATE clients SET name = name || '!' WHERE id < 30")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "put_outbox", _die)
        with pytest.raises(KeyboardInterrupt):
            app.report(advance=25 * 3600)
    assert news(app, before) == Counter()

    app.clock.move(seconds=(MAX_BULK_HOLD + timedelta(seconds=1)).total_seconds())
    assert news(app, before) == Counter({("collection.changed", "{'updated': 30}"): 1})


def _open(folder: Path) -> tuple[SqlApp, SqliteFile]:
    """Return an app whose table of 400 rows is read, and the file."""
    file = SqliteFile(folder)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(400)])
    app = SqlApp(file.url, MemoryStore())
    app.add_source(CLIENTS)
    app.report()
    app.bokit.events.drain().check()
    return app, file


def _die(*_: Any) -> None:
    raise KeyboardInterrupt
