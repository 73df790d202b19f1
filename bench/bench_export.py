"""Export of a million records as CSV and as NDJSON: ``python -m bench.bench_export``.

Each export is the whole command, ``bokit records export``, in a process of its own, so that its peak memory is all that it needs;
the records are in a file, as in the other benchmarks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.bench_tables import DiskStore, read_peak
from bench.rows import Row, memory_rows, show_rows
from bokit.core.model.catalog import DEFAULT_TENANT, Collection
from bokit.core.model.codec import read_document
from bokit.core.model.collections import make_id
from bokit.core.model.records import CollectionName, Record, RecordId, Scope, SourceId, TenantId, new_record
from bokit.engine.app import Bokit, EngineParts
from bokit.store.protocols import Page
from bokit_cli.main import execute
from bokit_cli.session import StackLocator

SIZES = (100_000, 1_000_000)
FORMS = ("csv", "ndjson")
TARGETS = {"memory": 1.1, "peak_mb": 100}
"""At most: peak memory relative to a tenth of the records, and in megabytes."""
CLIENTS = CollectionName("clients")
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
BATCH = 1000


class ExportStore(DiskStore):
    """Records in a file, read a page at a time, as from the table."""

    def load_record_page(
        self, tenant: TenantId, collection: CollectionName, scope: Scope, *, limit: int, after: RecordId | None = None
    ) -> Page[Record]:
        first, end = (f"r/{after}\0", f"r/{scope}/") if after else (f"r/{scope}.", f"r/{scope}/")
        query = "SELECT value FROM kept WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
        rows = self._file.execute(query, (first, end, limit + 1)).fetchall()
        records = tuple(read_document(Record, value.decode()) for (value,) in rows[:limit])
        return Page(items=records, cursor=records[-1].id if len(rows) > limit else None)


class AtStore(StackLocator):
    """A stack whose records are in a file."""

    def __init__(self, store: ExportStore) -> None:
        self.store = store

    def open(self) -> Bokit:
        return Bokit(EngineParts(store=self.store, kinds={}, clock=lambda: AT))


def open_store(disk: Path) -> ExportStore:
    """Return the store in a file, with its collection declared."""
    store = ExportStore(disk)
    store.save_collection(Collection(name=CLIENTS, tenant=DEFAULT_TENANT), at=AT)
    return store


def a_client(number: int) -> Record:
    """Return a record of half a kilobyte: texts, numbers, an object and a list; some fields only few records have."""
    fields: dict[str, Any] = {
        "name": f"Client {number}",
        "email": f"client{number}@clients.example",
        "phone": f"+39 055 {number:07d}",
        "balance": number * 1_000_000_007,
        "address": {"street": f"Via Roma {number % 300}", "city": "Firenze", "zip": f"50{number % 1000:03d}"},
        "tags": ["guest", "returning"] if number % 3 else [],
        "notes": f'He said "hello", then left; {number}\n' + "x" * 100,
    }
    if number % 1000 == 999:
        fields[f"rare_{number % 7}"] = "=1+1"
    return new_record(
        make_id(CLIENTS, str(number)), DEFAULT_TENANT, CLIENTS, AT, source_id=SourceId("src_1"), key=str(number), remote=fields
    )


def fill(store: ExportStore, numbers: range) -> None:
    """Store these clients."""
    for first in range(numbers.start, numbers.stop, BATCH):
        some = [a_client(number) for number in range(first, min(first + BATCH, numbers.stop))]
        store.apply_records(some, [], lease=None)


def export(disk: Path, target: Path) -> dict[str, Any]:
    """Run the command in this process; return what it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    code = execute(["records", "export", "--collection", CLIENTS, "--output", str(target)], AtStore(open_store(disk)))
    took = {"cpu_s": round(time.process_time() - cpu, 1), "wall_s": round(time.perf_counter() - wall, 1)}
    return {**took, "peak_mb": read_peak(), "code": code, "mb": round(target.stat().st_size / 1e6, 1)}


def run() -> dict[str, Any]:
    """Measure both sizes in both forms."""
    sizes: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        disk, done = Path(folder) / "records.db", 0
        for count in SIZES:
            fill(open_store(disk), range(done, count))
            done = count
            sizes[str(count)] = {form: _child(disk, Path(folder) / f"out.{form}") for form in FORMS}
    small, large = (sizes[str(count)] for count in SIZES)
    memory = {form: round(large[form]["peak_mb"] / small[form]["peak_mb"], 3) for form in FORMS}
    peak = max(row["peak_mb"] for forms in sizes.values() for row in forms.values())
    return {"sizes": sizes, "memory": memory, "peak_mb": peak, "peak_of_goal": round(peak / TARGETS["peak_mb"], 3)}


def _child(disk: Path, target: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.bench_export", str(disk), str(target)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={"PYTHONPATH": "layers/shared:cli:.", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if result["code"]:
        raise RuntimeError(done.stderr)
    return result


def rows(report: dict[str, Any]) -> list[Row]:
    """Return the memory of ten times the records in both forms, and the most of all."""
    made = memory_rows("export", "records", report, SIZES, TARGETS["memory"])
    what, ours = f"the most of these, of {TARGETS['peak_mb']} MB", f"{report['peak_mb']:.0f} MB"
    most = Row(
        name="export.peak_of_goal", what=what, ours=ours, ratio=report["peak_of_goal"], goal=1, at_most=True, is_ratio=False
    )
    return [*made, most]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(export(Path(sys.argv[1]), Path(sys.argv[2]))))
    else:
        show_rows(rows(run()))
