"""Open runs in the table: one item for the run, and its progress in items of their own.

    the run       what was asked, until when, and how many progress items there are
    progress      of at most a hundred sources: which are pending, and what the others reported

A report rewrites the progress of its own sources and nothing else, so a run of a thousand sources costs ten times one of a
hundred. A run without pending sources in any of its progress items is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition

from bokit.core.model.codec import dump_json, pack, read_document, unpack, write_document, write_micros
from bokit.core.model.records import SourceId
from bokit.core.model.runs import OpenRun, RunStatus, SourceReport
from bokit.store.dynamo import keys
from bokit.store.dynamo.former_open_runs import shorten
from bokit.store.dynamo.gateway import PutItem, UpdateItem
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.model import ItemRow
from bokit.store.limits import MAX_CHUNK_BYTES, MAX_PROGRESS_SOURCES, PROGRESS_TTL
from bokit.values import Value, replace

Reports = Mapping[SourceId, SourceReport]


class _StoredReports(Value):
    """Reports, as they are packed."""

    reports: tuple[SourceReport, ...]


class RunProgress(Value):
    """The progress of some sources of an open run."""

    key: Key
    pending: frozenset[SourceId]
    reports: Reports
    version: int


# ── how a run is opened ──


def write_open_run(
    open_run: OpenRun, together: Iterable[Iterable[SourceId]], expires_at: datetime
) -> tuple[dict[str, Any], list[PutItem]]:
    """Return the attributes of an open run's item, and the writes of its progress, to be made first.

    *together*: sources that will report at the same time. Their stamp makes sure that another division of the same run, left
    by a process that died before it wrote the run, is not read as this one's.
    """
    run, groups = open_run.run, divide_sources(open_run.pending, together)
    reports = [run.sources, *[()] * (len(groups) - 1)] if groups else [run.sources]
    stamp = hashlib.sha256(dump_json([sorted(group) for group in groups]).encode()).hexdigest()[:16]
    puts = [
        PutItem(
            key=keys.progress_key(keys.run_key(run.tenant, run.run_id), stamp, number),
            attributes=_progress_attributes(pending, given, 0, open_run.overdue_at + PROGRESS_TTL),
            condition=ItemRow.pk.does_not_exist(),
        )
        for number, (pending, given) in enumerate(zip(groups or [frozenset()], reports, strict=True))
    ]
    attributes = {
        "doc": write_document(replace(open_run, pending=frozenset(), run=replace(run, sources=()))),
        "groups": len(puts),
        "stamp": stamp,
        "due_pk": keys.DUE,
        "due_at": write_micros(open_run.due_at),
        "expires_at": expires_at,
    }
    return attributes, puts


def divide_sources(pending: frozenset[SourceId], together: Iterable[Iterable[SourceId]]) -> list[frozenset[SourceId]]:
    """Return *pending* in groups of one progress item each: those of *together*, then the rest."""
    left, groups = set(pending), []
    for given in (*together, sorted(pending)):
        group = sorted(left.intersection(given))
        groups += [frozenset(group[at : at + MAX_PROGRESS_SOURCES]) for at in range(0, len(group), MAX_PROGRESS_SOURCES)]
        left.difference_update(group)
    return groups


def _progress_attributes(
    pending: frozenset[SourceId], reports: Iterable[SourceReport], version: int, expires_at: datetime | None
) -> dict[str, Any]:
    return {
        "pending": set(pending) or None,
        "packed": pack_reports(sorted(reports, key=lambda report: report.source_id)),
        "version": version,
        "expires_at": expires_at,
    }


def write_postponed(row: ItemRow, overdue_at: datetime, waiting: frozenset[SourceId]) -> UpdateItem:
    """Return the write of when a run is due, on the condition that what it was asked is as *row* has it."""
    after = replace(read_document(OpenRun, row.doc), overdue_at=overdue_at, waiting=waiting)
    actions = [ItemRow.doc.set(write_document(after)), ItemRow.due_at.set(write_micros(after.due_at))]
    unchanged = is_open_run() & (ItemRow.doc == row.doc)
    return UpdateItem(key=Key(row.pk, row.sk), actions=actions, condition=unchanged, once=True)


# ── a report ──


def write_progress(progress: RunProgress) -> UpdateItem:
    """Return the write of *progress*, on the version on which it was read."""
    attributes = _progress_attributes(progress.pending, progress.reports.values(), progress.version, None)
    pending = ItemRow.pending.set(attributes["pending"]) if progress.pending else ItemRow.pending.remove()
    actions = [pending, ItemRow.packed.set(attributes["packed"]), ItemRow.version.set(progress.version + 1)]
    return UpdateItem(key=progress.key, actions=actions, condition=ItemRow.version == progress.version)


def add_reports(progress: RunProgress, reports: Reports) -> RunProgress:
    """Return *progress* with the reports of those sources that are pending in it."""
    counted = {source: report for source, report in reports.items() if source in progress.pending}
    return replace(progress, pending=progress.pending - counted.keys(), reports={**progress.reports, **counted})


def pack_reports(reports: Sequence[SourceReport]) -> bytes:
    """Return *reports* compressed, all shortened alike to what one item holds; outcomes, counts and codes always fit."""
    for shorter in zip(*(tuple(shorten(report)) for report in reports), strict=True):
        packed = pack(write_document(_StoredReports(reports=shorter)))
        if len(packed) <= MAX_CHUNK_BYTES:
            return packed
    return packed if reports else pack(write_document(_StoredReports(reports=())))


# ── how a run is read ──


def is_open_run() -> Condition:
    """Return the condition that a run is open, in the present form or a former release's."""
    is_open: Condition = ItemRow.groups.exists() | ItemRow.reports.exists()
    return is_open


def read_progress(row: ItemRow) -> RunProgress:
    """Return the progress of its row."""
    reports = read_document(_StoredReports, unpack(row.packed)).reports
    return RunProgress(
        key=Key(row.pk, row.sk),
        pending=frozenset(SourceId(source) for source in row.pending or ()),
        reports={report.source_id: report for report in reports},
        version=int(row.version),
    )


def join_open_run(row: ItemRow, progress: Iterable[RunProgress]) -> OpenRun:
    """Return the open run of its row and its progress, its reports in the order of their sources."""
    parts = tuple(progress)
    open_run = read_document(OpenRun, row.doc)
    reports = {source: report for part in parts for source, report in part.reports.items()}
    status = RunStatus.RUNNING if any(part.version for part in parts) else open_run.run.status
    run = replace(open_run.run, status=status, sources=tuple(reports[source] for source in sorted(reports)))
    return replace(open_run, pending=frozenset().union(*(part.pending for part in parts)), run=run)
