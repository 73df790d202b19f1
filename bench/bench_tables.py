"""A billing database of five tables on a real MariaDB: ``python -m bench.bench_tables``.

Each sync runs in its own process, so its peak memory can be measured; the records are in a file. The peer is the simple
pipeline: select all rows, load each row's record, compare.
"""

from __future__ import annotations

import gc
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from bench.rows import LackingError, Row, memory_rows, show_rows
from bokit.core.model.catalog import Source
from bokit.core.model.codec import read_document, write_document
from bokit.core.model.collections import make_id
from bokit.core.model.records import CollectionName, LoggedChange, Record, RecordId, TenantId
from bokit.core.model.scheduling import Lease
from bokit.core.tables.values import write_row_key
from bokit.handlers import MANY_OBJECTS
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Snapshot
from bokit.values import replace
from simulator.billing import SPECS, TABLES, Billing
from tests.support.servers import INSTALL_DB, MARIADB, PASSWORD, run_mariadb
from tests.support.sql_app import SqlApp

SIZES = (20_000, 200_000)
TARGETS = {"memory": 1.2, "unchanged": 3.0, "first": 2.0}
"""Peak memory relative to a tenth of the rows (at most); CPU of the simple pipeline relative to an unchanged sync (at least);
CPU of a first sync relative to the simple pipeline, which writes nothing (at most)."""


class DiskStore(MemoryStore):
    """The memory store with records, chunks and snapshots in a file, so the engine's memory is measured."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.written, self.calls = 0, 0
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")  # what a disk costs is not measured
        self._file.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def _put(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self.calls += 1
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
        self._file.execute("COMMIT")

    def _get(self, keys: Sequence[str]) -> dict[str, bytes]:
        marks = ", ".join("?" * len(keys))
        return dict(self._file.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", keys))  # noqa: S608

    def apply_records(
        self, records: Sequence[Record], changes: Sequence[LoggedChange], *, lease: Lease | None, **_: object
    ) -> Sequence[Record]:
        self.written += len(records)
        saved = [replace(r, version=r.version + 1) for r in records]
        self._put((f"r/{r.id}", write_document(r).encode()) for r in saved)
        self._put((f"c/{c.record_id}/{c.at}", write_document(c).encode()) for c in changes)
        return saved

    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        found = self._get([f"r/{record_id}" for record_id in ids])
        return {RecordId(key[2:]): read_document(Record, value.decode()) for key, value in found.items()}

    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        return {key[2:]: value for key, value in self._get([f"k/{name}" for name in names]).items()}

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        self._put((f"k/{name}", chunk or b"") for name, chunk in chunks.items())

    def load_snapshot(self, source: Source) -> Snapshot:
        found = self._get(["s"]).get("s")
        if found is None:
            return Snapshot()
        stored = json.loads(found)
        return Snapshot(content=stored["content"].encode("latin-1"), memory=stored["memory"], version=stored["version"])

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot:
        saved = replace(snapshot, version=snapshot.version + 1)
        stored = {"content": saved.content.decode("latin-1"), "memory": dict(saved.memory), "version": saved.version}
        self._put([("s", json.dumps(stored).encode())])
        return saved


def sync_once(url: str, disk: str) -> dict[str, float]:
    """Sync the five tables once, in this process; return its counts, time and memory."""
    gc.set_threshold(MANY_OBJECTS)  # as the worker of databases does
    store = DiskStore(Path(disk))
    ledger = SqlApp(url, store)
    ledger.add_source(*[{**spec, "updated_at": None} for spec in SPECS])
    cpu, wall = time.process_time(), time.perf_counter()
    counts = ledger.report().counts
    took = {"cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2)}
    return {**took, "peak_mb": read_peak(), "written": store.written, "store_writes": store.calls, **counts}


def read_peak() -> float:
    """Return the peak memory of this process in megabytes; getrusage would include its parent's from before the fork."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return round(int(line.split()[1]) / 1024, 1)


def compare_plainly(url: str, disk: str) -> dict[str, float]:
    """Run the simple pipeline: select all rows, load the record of each, compare."""
    store, different, rows = DiskStore(Path(disk)), 0, 0
    engine = create_engine(url)
    cpu = time.process_time()
    with engine.connect() as connection:
        for spec in SPECS:
            name = CollectionName(spec["collection"])
            fields = spec.get("fields") or {c.name: c.name for c in TABLES[spec["table"]].columns}
            found = connection.execute(select(TABLES[spec["table"]])).mappings().all()
            for start in range(0, len(found), 100):
                some = {make_id(name, write_row_key([row[k] for k in spec["key"]])): row for row in found[start : start + 100]}
                known = store.find_records(TenantId("default"), name, some)
                different += sum(
                    any(str(known[key].fields[f]) != str(row[c]) for f, c in fields.items()) for key, row in some.items()
                )
            rows += len(found)
    return {"cpu_s": round(time.process_time() - cpu, 2), "rows": rows, "different": different}


def run() -> dict[str, Any]:
    """Measure both sizes; raises LackingError without MariaDB."""
    if not (MARIADB and INSTALL_DB):
        raise LackingError("mariadb-server is not installed")
    with ExitStack() as stack:
        server = stack.enter_context(run_mariadb())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server.run(
            "CREATE DATABASE billing CHARACTER SET utf8mb4",
            f"CREATE USER 'reader'@'%' IDENTIFIED BY '{PASSWORD}'",
            "GRANT SELECT ON billing.* TO 'reader'@'%'",
        )
        billing, url = Billing(server.url(server.admin, "billing", "")), server.url("reader", "billing")
        stack.callback(billing.close)
        sizes = {str(rows): _measure(server, billing, url, folder / f"{rows}.db", rows) for rows in SIZES}
    small, large = (sizes[str(rows)] for rows in SIZES)
    return {
        "sizes": sizes,
        "memory": {step: round(large[step]["peak_mb"] / small[step]["peak_mb"], 3) for step in ("first", "unchanged", "1 %")},
        "unchanged": round(large["plain"]["cpu_s"] / large["unchanged"]["cpu_s"], 2),
        "first": round(large["first"]["cpu_s"] / large["plain"]["cpu_s"], 2),
    }


def _measure(server: Any, billing: Billing, url: str, disk: Path, rows: int) -> dict[str, Any]:
    billing.create()
    counts = billing.fill(rows)
    begun = len(server.statements())
    taken: dict[str, Any] = {"first": _child("sync", url, disk), "unchanged": _child("sync", url, disk)}
    statements = server.statements()[begun:]
    for spec in SPECS:
        billing.change(spec["table"], range(1, counts[spec["table"]] // 100 + 1))
    mark = len(server.statements())
    taken["1 %"] = _child("sync", url, disk)
    statements += server.statements()[mark:]
    taken["statements"] = sorted({line.split()[0] for line in statements})
    return {**taken, "plain": _child("plain", url, disk)}


def _child(work: str, url: str, disk: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.bench_tables", work, url, str(disk)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={"PYTHONPATH": "layers/shared:cli:.", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def rows(report: dict[str, Any]) -> list[Row]:
    """Return the memory of ten times the rows, and the CPU of two syncs beside the simple pipeline."""
    large = report["sizes"][str(SIZES[1])]
    plain = f"{large['plain']['cpu_s']:.1f} s"
    made = memory_rows("tables", "SQL rows", report, SIZES, TARGETS["memory"])
    for name, at_most in (("unchanged", False), ("first", True)):
        what, ours = f"{SIZES[1]:,} SQL rows, {name}; simple pipeline", f"{large[name]['cpu_s']:.1f} s"
        goal = TARGETS[name]
        made.append(Row(name=f"tables.{name}", what=what, ours=ours, peer=plain, ratio=report[name], goal=goal, at_most=at_most))
    return made


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps({"sync": sync_once, "plain": compare_plainly}[sys.argv[1]](sys.argv[2], sys.argv[3])))
    else:
        show_rows(rows(run()))
