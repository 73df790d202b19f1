"""Marks: until which time a source's table or list was read, between two passes that read all of it.

show      what the next sync asks for, table by table
reset     the next sync reads all of it again; no record is deleted or changed by that
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, TypedDict

from bokit.core.items.long_lists import read_list_memory, write_list_memory
from bokit.core.model.documents import write_time
from bokit.core.model.due_times import DAILY, next_full_at, plan_next_full
from bokit.core.model.options import Options
from bokit.core.model.records import Json
from bokit.core.model.scheduling import Head, Lease
from bokit.core.tables.agreement import assign_states
from bokit.core.tables.chunks import TableState, unpack_manifest
from bokit.core.tables.marks import reset_manifest, show_watermark
from bokit.core.tables.spec import TableSpec, read_table_settings
from bokit.errors import InputError
from bokit.store.protocols import Snapshot, Store
from bokit.values import replace

SINCE = "since:"
"""Begins the ETag of an API's list that was read until a time."""
WHOLE = "every sync reads all of it"
FIRST = "the next sync reads all of it"


class MarkDocument(TypedDict):
    """Until which time a table, or an API's list, was read."""

    table: Annotated[str | None, "null: the list of a JSON API."]
    collection: str
    by: Annotated[str | None, "The column, or the parameter of the API, that says what was updated; null: every sync reads all."]
    mark: Annotated[Json, "The last value seen, as the column holds it; null: none, and the next sync reads all."]
    full_at: Annotated[datetime | None, "When all of it was read last."]
    next_full_at: Annotated[datetime | None, "When all of it is read next; null: at the next sync, or it is not scheduled."]
    meaning: Annotated[str, "What the next sync reads, in a sentence."]


class MarksDocument(TypedDict):
    """The marks of a source: one for each of its tables, or one for its list."""

    items: list[MarkDocument]


def describe_marks(store: Store, head: Head, options: Options, now: datetime) -> list[MarkDocument]:
    """Return the marks of a source."""
    source = head.source
    if not source.settings.get("tables"):
        return [_describe_list(head, options, now)]
    settings = read_table_settings(source.settings)
    states = assign_states(unpack_manifest(store.load_snapshot(source).content), settings)
    return [_describe_table(spec, states[spec.name], options) for spec in settings.tables]


def _describe_table(spec: TableSpec, state: TableState, options: Options) -> MarkDocument:
    is_read = bool(spec.updated_at) and state.watermark is not None and state.full_at is not None
    due = plan_next_full(options["sync.full_interval"] or DAILY, state.full_at, options) if is_read and state.full_at else None
    mark = show_watermark(state) if is_read else None
    updated = f"the next sync reads the rows with {spec.updated_at} from {mark} on, and some time before it"
    return {
        "table": spec.name,
        "collection": spec.collection,
        "by": spec.updated_at,
        "mark": mark,
        "full_at": state.full_at,
        "next_full_at": due,
        "meaning": _say(spec.updated_at, updated if is_read else None, due),
    }


def _describe_list(head: Head, options: Options, now: datetime) -> MarkDocument:
    since = head.source.settings.get("updated_since")
    mark = head.etag.removeprefix(SINCE) if since and head.etag and head.etag.startswith(SINCE) else None
    due, by = next_full_at(head, options, now) if mark else None, str(since["param"]) if since else None
    return {
        "table": None,
        "collection": head.source.collection,
        "by": by,
        "mark": mark and write_time(datetime.fromisoformat(mark)),
        "full_at": head.full_at,
        "next_full_at": due,
        "meaning": _say(by, mark and f"the next sync asks for what has changed since {mark}, and some time before it", due),
    }


def _say(by: str | None, updated: str | None, due: datetime | None) -> str:
    if by is None:
        return WHOLE
    if updated is None:
        return FIRST
    return f"{updated}; all of it from {due:%Y-%m-%d %H:%M} UTC on" if due else updated


# ── resetting ──


def choose_marks(head: Head, table: str | None) -> list[str]:
    """Return the names of the tables whose marks are to be reset: *table*, or all; none of a source without tables."""
    if not head.source.settings.get("tables"):
        if table is not None:
            raise InputError("the source has no tables", code="not-found")
        return []
    specs = read_table_settings(head.source.settings).tables
    chosen = [spec.name for spec in specs if table is None or table in (spec.name, spec.table)]
    if not chosen:
        raise InputError("the source reads no such table", code="not-found", known=", ".join(spec.name for spec in specs))
    return chosen


def reset_marks(store: Store, head: Head, names: Sequence[str], lease: Lease) -> None:
    """Forget until which time the tables of these names were read; of a source without tables, its list."""
    snapshot = store.load_snapshot(head.source)
    after = _reset_tables(snapshot, names) if names else _reset_list(snapshot)
    if after != snapshot:
        store.save_snapshot(after, lease=lease)


def _reset_tables(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    return replace(snapshot, content=reset_manifest(snapshot.content, names))


def _reset_list(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot in which no pass over a list is unfinished: a new one begins."""
    memory = read_list_memory(snapshot.memory)
    if memory.progress is None or memory.progress.token is None:
        return snapshot
    begun = replace(memory, progress=replace(memory.progress, token=None))
    return replace(snapshot, memory=write_list_memory(begun))
