"""Open runs in the table: how one is written, what a report does to it, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from bokit.core.model.codec import pack, read_document, unpack, write_document, write_time
from bokit.core.model.records import SourceId
from bokit.core.model.runs import OpenRun, RunStatus, SourceReport
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Update
from bokit.store.dynamo.model import Row

ROOM = 300_000
"""Bytes for all reports of a run: with a thousand ids, twice each, the item stays under DynamoDB's 400 KB."""
MAX_REPORTS = 50
"""Reports in one write: an expression takes 4 KB."""


def write_open_run(open: OpenRun, expires_at: datetime) -> dict[str, Any]:
    """Return the attributes of an open run: what it was asked, who is waited for, and the reports so far."""
    share = ROOM // max(1, len(open.pending) + len(open.run.sources))
    asked = replace(open, pending=frozenset(), run=replace(open.run, sources=()))
    return {
        "doc": write_document(asked),
        "version": 0,
        "share": share,
        "pending": set(open.pending) or None,
        "reports": {report.source_id: pack_report(report, share) for report in open.run.sources},
        "due_pk": keys.DUE,
        "due_at": write_time(open.overdue_at),
        "expires_at": expires_at,
    }


def write_reports(key: keys.Key, reports: Mapping[SourceId, SourceReport], share: int) -> Update:
    """Return the write that takes *reports*: all of their sources must be pending, and the run's share as large as thought.

    Where *share* is more than the run's, reports that fit the run's as well pass all the same.
    """
    packed = {id: pack_report(report, share) for id, report in reports.items()}
    waiting = Row.pending.contains(next(iter(packed)))
    for id in list(packed)[1:]:
        waiting &= Row.pending.contains(id)
    fitting = Row.share >= min(share, max(len(told) for told in packed.values()))
    told = [Path(["reports", id]).set(report) for id, report in packed.items()]
    actions = [*told, Row.pending.delete(set(packed)), Row.version.add(1)]
    return Update(key=key, actions=actions, condition=is_open() & waiting & fitting)


def is_open() -> Condition:
    """Return the condition that a run is open: an ended one has no reports beside its document."""
    return Row.reports.exists()


def read_open_run(row: Row) -> OpenRun | None:
    """Return the open run that its row tells, its reports in the order of their sources; None: it has ended."""
    if row.reports is None:
        return None
    open = read_document(OpenRun, row.doc)
    kept: Any = row.reports
    reports: dict[str, bytes] = dict(kept.as_dict())
    told = tuple(read_document(SourceReport, unpack(reports[id])) for id in sorted(reports))
    status = RunStatus.RUNNING if row.version else open.run.status
    pending = frozenset(SourceId(id) for id in row.pending or ())
    return replace(open, pending=pending, run=replace(open.run, status=status, sources=told))


def pack_report(report: SourceReport, share: int) -> bytes:
    """Return *report* compressed, as much of it as its share takes; its outcome, counts and code always fit."""
    for shorter in _shorten(report):
        packed = pack(write_document(shorter))
        if len(packed) <= share:
            break
    return packed


def _shorten(report: SourceReport) -> Iterator[SourceReport]:
    """Yield *report* with less and less: without its plan, its steps, all that is no column of the history, long words."""
    yield report
    yield replace(report, plan=())
    yield replace(report, plan=(), steps=())
    bare = SourceReport(
        source_id=report.source_id,
        name=report.name,
        outcome=report.outcome,
        error=report.error,
        counts=report.counts,
        duration_ms=report.duration_ms,
    )
    yield bare
    for most in (80, 40, 10):
        error = {name: word[:most] if name != "code" else word for name, word in (report.error or {}).items()}
        yield replace(bare, name=report.name[:most], error=error or None)
