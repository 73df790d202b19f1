"""Open runs as former releases stored them: one item, with the pending sources and the reports in it.

Such a run goes on as it was begun; it ends within the hour in which a release is deployed. ``open_runs`` has the present form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import and_
from typing import Any

from pynamodb.expressions.operand import Path

from bokit.core.model.codec import pack, read_document, unpack, write_document
from bokit.core.model.records import SourceId
from bokit.core.model.runs import OpenRun, RunStatus, SourceReport
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.values import replace


def write_former_reports(key: keys.Key, reports: Mapping[SourceId, SourceReport], share: int) -> UpdateItem:
    """Return the write of *reports*, on the condition that all of their sources are pending.

    *share* is assumed before the run is read. If the run's is smaller, only reports that fit it as well are written.
    """
    packed = {source: pack_report(report, share) for source, report in reports.items()}
    pending = reduce(and_, (ItemRow.pending.contains(source) for source in packed))
    fits = ItemRow.share >= min(share, max(len(report) for report in packed.values()))
    stored = [Path(["reports", source]).set(report) for source, report in packed.items()]
    actions = [*stored, ItemRow.pending.delete(set(packed)), ItemRow.version.add(1)]
    return UpdateItem(key=key, actions=actions, condition=ItemRow.reports.exists() & pending & fits)


def read_former_run(row: ItemRow) -> OpenRun | None:
    """Return the open run of its row, its reports in the order of their sources; None if it has ended."""
    if row.reports is None:
        return None
    open_run = read_document(OpenRun, row.doc)
    packed: Any = row.reports
    reports = tuple(read_document(SourceReport, unpack(report)) for _, report in sorted(packed.as_dict().items()))
    status = RunStatus.RUNNING if row.version else open_run.run.status
    pending = frozenset(SourceId(source) for source in row.pending or ())
    return replace(open_run, pending=pending, run=replace(open_run.run, status=status, sources=reports))


def pack_report(report: SourceReport, share: int) -> bytes:
    """Return *report* compressed, shortened to *share* bytes; its outcome, counts and code always fit."""
    for shorter in shorten(report):
        packed = pack(write_document(shorter))
        if len(packed) <= share:
            break
    return packed


def shorten(report: SourceReport) -> Iterator[SourceReport]:
    """Yield *report* with less and less: without its plan, its steps, everything but the history's columns, long words."""
    yield report
    yield replace(report, plan=())
    yield replace(report, plan=(), steps=())
    columns = {name: getattr(report, name) for name in ("source_id", "name", "outcome", "error", "counts", "duration_ms")}
    bare = SourceReport(**columns)
    yield bare
    for length in (80, 40, 10):
        error = {name: word[:length] if name != "code" else word for name, word in (report.error or {}).items()}
        yield replace(bare, name=report.name[:length], error=error or None)
