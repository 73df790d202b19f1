"""A billing database of five tables, on real servers: what is read, what is written, and how much memory it takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bokit.core.model.catalog import Source
from bokit.core.model.records import LoggedChange, Record
from bokit.core.model.runs import Outcome
from bokit.core.model.scheduling import Lease
from bokit.engine.tables import ranges
from bokit.sources.sql import query
from bokit.store.memory.store import MemoryStore
from simulator.billing import SPECS, Billing, make_row
from tests.support.emulator import needs_emulator
from tests.support.rows_app import CallCounter
from tests.support.servers import needs_mariadb
from tests.support.sql_app import SqlApp
from tests.support.sql_places import DATABASES, Place, make_place

COLLECTIONS = [spec["collection"] for spec in SPECS]
WRITES = ("apply_records", "save_chunks", "save_snapshot", "save_head")


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Place]:
    """An empty database of each kind."""
    with make_place(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def billing(place: Place) -> Iterator[Billing]:
    """The billing company's own access to it."""
    made = Billing(place.admin_url)
    made.create()
    place.grant()
    yield made
    made.close()


def counts(app: SqlApp, **request: Any) -> dict[str, int]:
    """Sync, and return the counts that are not zero."""
    return {name: n for name, n in app.report(**request).counts.items() if n}


class Seen(CallCounter):
    """A store that also counts the records written."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.written = 0

    def apply_records(self, records: list[Record], changes: list[LoggedChange], **more: Any) -> Any:
        self.calls.append("apply_records")
        self.written += len(records)
        return self._inner.apply_records(records, changes, **more)


def test_five_tables_are_synced_and_only_what_changes_is_written(place: Place, billing: Billing) -> None:
    """All rows, then none, then the one in a hundred that changed, with additions and losses, whatever the database."""
    billing.fill(3000)
    app = SqlApp(place.url)
    app.add_source(*SPECS, on_missing="mark")
    assert counts(app) == {"seen": 3000, "created": 3000}
    assert {name: len(app.records(name)) for name in COLLECTIONS} == {
        "clients": 1500,
        "services": 600,
        "forwarders": 450,
        "representatives": 300,
        "shipping-lines": 150,
    }
    store = Seen(app.store)
    app.bokit = app.assemble(store)
    assert counts(app, tables=("forwarders", "shipping_lines", "representatives", "services")) == {
        "seen": 1500,
        "unchanged": 1500,
    }
    assert not [c for c in store.calls if c in WRITES]

    changed = sum(billing.change(spec["table"], range(1, {"clients": 16}.get(spec["table"], 5))) for spec in SPECS)
    billing.remove("services", range(598, 601))
    billing.add("representatives", range(1000, 1007))
    assert counts(app, force=True) == {
        "seen": 3004,
        "created": 7,
        "updated": changed,
        "missing": 3,
        "unchanged": 3004 - 7 - changed,
    }
    assert store.written == 7 + changed + 3
    found = app.records("services")[make_row("services", 1)["id"]]
    assert found.fields == {"title": make_row("services", 1, 1)["title"], "price": make_row("services", 1, 1)["price_minor"]}


@needs_mariadb
@pytest.mark.parametrize("place", [DATABASES[1]], indirect=True)
def test_the_servers_log_of_whole_syncs_shows_selects_alone(place: Place, billing: Billing) -> None:
    """20,000 rows in five tables: a first sync, one that changes nothing, one in a hundred changed; all of it by SELECT."""
    rows = billing.fill(20_000)
    app = SqlApp(place.url)
    app.add_source(*SPECS)
    assert place.server is not None
    begun = len(place.server.statements())
    assert counts(app) == {"seen": 20_000, "created": 20_000}
    store = Seen(app.store)
    app.bokit = app.assemble(store)
    assert counts(app, force=False, tables=("services",))["unchanged"] == rows["services"]
    report = app.report(advance=25 * 3600)
    assert (report.outcome, report.counts["seen"]) == (Outcome.UNCHANGED, 20_000)
    assert store.written == 0
    statements = place.server.statements()[begun:]
    for spec in SPECS:
        billing.change(spec["table"], range(1, rows[spec["table"]] // 100 + 1))
    mark = len(place.server.statements())
    assert counts(app, advance=25 * 3600) == {"seen": 20_000, "updated": 200, "unchanged": 19_800}
    assert store.written == 200
    statements += place.server.statements()[mark:]
    assert {line.split()[0] for line in statements} == {"SELECT", "SET", "SHOW", "START", "ROLLBACK"}
    assert sum(line.startswith("SELECT") for line in statements) > 60


@pytest.mark.parametrize("place", [DATABASES[0]], indirect=True)
def test_memory_is_flat(place: Place, billing: Billing, tmp_path: Path) -> None:
    """Ten times the rows take a quarter more memory at most, beside what the store itself keeps, first sync and unchanged one.

    With chunks and pages a tenth as large; `make bench` measures twenty and two hundred thousand rows with the real ones. Each in
    a process of its own: what other tests left behind takes memory, too.
    """
    peaks = []
    for rows in (1_200, 12_000):
        billing.create()
        billing.fill(rows)
        with get_context("spawn").Pool(1) as pool:
            peaks.append(pool.apply(measure_peaks, (place.url, tmp_path / str(rows))))
    (first, again), (first_of_ten, again_of_ten) = peaks
    assert first_of_ten < first * 1.25
    assert again_of_ten < again * 1.25


def measure_peaks(url: str, folder: Path) -> tuple[int, int]:
    """Return the peaks of a first sync and of an unchanged one; another source warms caches up."""
    vars(ranges)["CHUNK_ROWS"], vars(query)["PAGE_ROWS"] = 200, 100
    folder.mkdir()
    for name in ("warm", "measured"):
        app = SqlApp(url, Sink(folder / name))
        app.add_source(*SPECS)
        peaks = _peak(app), _peak(app)
    return peaks


class Sink(MemoryStore):
    """A store that forgets records and keeps chunks in files: what it keeps is not the engine's memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._folder.mkdir()

    def apply_records(self, records: Any, changes: Any, **_: Any) -> Any:
        return records

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        for name, chunk in chunks.items():
            path = self._folder / quote(name, safe="")
            if chunk is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(chunk)

    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        paths = {name: self._folder / quote(name, safe="") for name in names}
        return {name: path.read_bytes() for name, path in paths.items() if path.exists()}


def _peak(app: SqlApp) -> int:
    """Return the peak of one sync; garbage is collected often, so that none of it counts."""
    gc.collect()
    often, usual = (100, 5, 5), gc.get_threshold()
    gc.set_threshold(*often)
    tracemalloc.start()
    try:
        app.sync()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)


@needs_emulator
@pytest.mark.parametrize("place", [DATABASES[0]], indirect=True)
def test_the_real_table_takes_it_too(place: Place, billing: Billing, request: pytest.FixtureRequest) -> None:
    """On DynamoDB's double: the same counts, and an unchanged sync writes no item of the source's."""
    from tests.support.emulator import empty_table

    request.getfixturevalue("aws")
    billing.fill(1000)
    app = SqlApp(place.url, empty_table(request.getfixturevalue("emulated_store")))
    source = app.add_source(*SPECS, on_missing="delete")
    assert counts(app) == {"seen": 1000, "created": 1000}
    version = app.store.load_snapshot(source).version
    assert counts(app, advance=25 * 3600) == {"seen": 1000, "unchanged": 1000}
    billing.remove("services", range(1, 4))
    assert counts(app, advance=25 * 3600) == {"seen": 997, "missing": 3, "unchanged": 997}
    assert counts(app, advance=25 * 3600) == {"seen": 997, "cancelled": 3, "unchanged": 997}
    assert app.store.load_snapshot(source).version > version
