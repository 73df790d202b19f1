"""The rules of records with an id of their own, in any collection: how items are read, matched by key, planned and guarded.

What becomes of one record is decided in ``planning``; what one fetch may remove, in ``guard``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bokit.core.items.edit import read_record_edit
from bokit.core.items.guard import guard_records
from bokit.core.items.limits import MAX_ITEM_PROBLEMS
from bokit.core.items.planning import (
    RecordContext,
    find_type_changes,
    plan_absent,
    plan_removal,
    plan_shown,
    plan_tombstone,
    removable_at,
)
from bokit.core.items.reader import TOO_DEEP, ItemMap, RowMatches, SeenItem, hash_body, read_body, read_problems
from bokit.core.model.collections import read_record_settings
from bokit.core.model.documents import RESERVED
from bokit.core.model.field_changes import FIELDS, TYPE_CHANGED, FieldVerdict, find_field_changes, judge_field_changes
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.plan import Action, ActionKind, Hold, Plan
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record
from bokit.core.model.source_memory import read_memory
from bokit.core.model.source_rules import FIELD_NOT_FOUND, Context, Problem, Seen, Verdict
from bokit.values import replace

if TYPE_CHECKING:
    from bokit.core.model.undo import UndoStep, UndoTerms

CODE_VERSION = "records-1"
"""Raised when the same body would be read differently."""
RELEASED = "its source was removed, and a person released it"
HASHED_SETTINGS = ("id", "fields", "items", "on_missing", "collection", "without", "volatile", "deleted")
"""Settings that decide what a body means."""


WITHOUT_ID = frozenset({"no-id", "no-object", TOO_DEEP})
"""Problems of an item; without its id nobody knows whose it is."""
SHADOWED = "the field `{name}` has a name that records need themselves; they show it in `_meta.shadowed`"


class RecordRules:
    """Rules of items that have an id. Stateless, safe to share."""

    def hash_content(self, body: bytes, context: Context) -> str:
        settings = {name: value for name in HASHED_SETTINGS if (value := context.settings.get(name)) is not None}
        is_mapped = "fields" in settings  # then paths lead through records, not through items
        left_out = [] if is_mapped else [*settings.get("without", ()), *settings.get("volatile", ())]
        return hash_body(body, json.dumps([CODE_VERSION, settings], sort_keys=True), left_out)

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[SeenItem]:
        try:
            (whole, items), problems = read_body(body), read_problems(body)
        except (ValueError, TypeError, RecursionError):
            problem = Problem(code="not-json", message="it is not a JSON document with items")
            return Seen(verdict=Verdict.UNREADABLE, problems=(problem,))
        return read_items(items, context.settings, whole=whole, problems=problems)

    def recall(self, snapshot: bytes, context: Context) -> Seen[SeenItem]:
        """Return that nothing was seen: a held plan is applied to the records themselves."""
        return Seen(verdict=Verdict.EMPTY, whole=False)

    def inspect(self, body: bytes, seen: Seen[SeenItem], context: Context) -> dict[str, Json]:
        return {"entries": [{"id": row.key, "fields": dict(row.fields)} for row in seen.entries], "whole": seen.whole}

    def match(self, known: Sequence[Record], seen: Seen[SeenItem], context: Context) -> RowMatches:
        records, rows = {r.key: r for r in known}, {row.key: row for row in seen.entries}
        verdict = _judge_fields(records, rows, context)
        if verdict.held:
            rows = {key: _keep_fields(records.get(key), row, verdict, context) for key, row in rows.items()}
        return RowMatches(
            known=records,
            seen=seen,
            rows=rows,
            rejected=frozenset(p.uid for p in seen.problems if p.uid),
            unidentified=sum(p.uid is None and p.code in WITHOUT_ID for p in seen.problems),
            fields=verdict,
        )

    def plan(self, matches: RowMatches, context: Context) -> Plan:
        record_context = _record_context(context)
        return _plan_new(matches, record_context) if context.new_only else _plan_all(matches, record_context)

    def guard(self, plan: Plan, matches: RowMatches, context: Context) -> Plan:
        problems = [*matches.seen.problems, *_find_other_sources(matches, context), *_find_shadowed(matches)]
        listed = [*plan.problems, *(p.as_dict() for p in problems)][:MAX_ITEM_PROBLEMS]
        return replace(guard_records(plan, matches, _record_context(context)), problems=tuple(listed))

    def bound(self, plan: Plan, matches: RowMatches, context: Context, room: int | None) -> Plan:
        """Return *plan* without the new records beyond *room*: they are planned again once there is more."""
        if room is None:
            return replace(plan, actions=())
        left = {a.record_id for a in [a for a in plan.actions if a.kind is ActionKind.CREATE][room:]}
        return replace(plan, actions=tuple(a for a in plan.actions if a.record_id not in left))

    plans_current_body = False

    def needs_body(self, hold: Hold) -> bool:
        return hold.code == FIELDS

    def needs_elsewhere(self, matches: RowMatches, context: Context) -> bool:
        return False

    def object_to(self, seen: Seen[SeenItem], context: Context) -> str | None:
        return None

    def read_marks(self, records: Sequence[Record], platform: str | None) -> Iterable[str]:
        return ()

    def read_published(self, records: Sequence[Record]) -> Iterable[str]:
        return ()

    def read_stamp(self, body: bytes) -> datetime | None:
        return None

    def read_hold(self, memory: Fields) -> Hold | None:
        return read_memory(memory).hold

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        return read_record_edit(values)

    def release(self, record: Record, *, by: str, at: datetime, zone: ZoneInfo) -> tuple[Record, LoggedChange] | None:
        """Return the record as gone. It stays stored, and another source may restore it."""
        action = None if record.presence is Presence.GONE else plan_removal(record, RELEASED, at)
        if action is None:
            return None
        change = LoggedChange(record_id=record.id, at=at, by=by, action="release", reason=RELEASED, fields=action.fields)
        return action.after, change

    def plan_undo(self, record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoStep:
        from bokit.core.items.undo import plan_undo

        return plan_undo(record, log, lines, terms)


def _record_context(context: Context) -> RecordContext:
    return RecordContext(fetch=context, settings=read_record_settings(context.settings))


# ── reading ──


def read_items(items: Sequence[Json], settings: Fields, *, whole: bool, problems: Sequence[Problem] = ()) -> Seen[SeenItem]:
    """Return what *items* show, read by a source's settings; *problems* are those of the fetch.

    an item                                         result
    not an object, without id, too large            a problem
    the same id twice, with the same content        one row
    the same id twice, with other content           a problem of that id: neither is used
    not what the collection's schema asks for       a problem by field
    else                                            a row
    """
    item_map, check = ItemMap.of(settings), SchemaCheck(read_record_settings(settings).schema)
    rows: dict[str, SeenItem] = {}
    problems = list(problems)
    duplicates: set[str] = set()
    for item in items:
        row = item_map.read(item)
        if isinstance(row, Problem):
            problems.append(row)
        elif rows.setdefault(row.key, row) != row:
            duplicates.add(row.key)
    problems += [Problem(code="duplicate-id", message="several items have this id", uid=key) for key in sorted(duplicates)]
    violations = {key: check.find_problems(row.fields, key) for key, row in rows.items() if key not in duplicates}
    problems += [p for found in violations.values() for p in found]
    kept = tuple(rows[key] for key, found in violations.items() if not found)
    verdict = Verdict.PARTIAL if problems else Verdict.OK if kept else Verdict.EMPTY
    notes = _find_empty_fields(item_map, kept)
    return Seen(entries=kept, problems=(*notes, *problems), verdict=verdict, whole=whole)


def _find_empty_fields(item_map: ItemMap, rows: Sequence[SeenItem]) -> list[Problem]:
    """Return a note for each field whose declared place is in no item: its name may be misspelt."""
    if item_map.fields is None or not rows:
        return []
    empty = {name for name in item_map.fields if all(row.fields.get(name) is None for row in rows)}
    return [note_empty_field(name, where) for name, where in item_map.fields.items() if name in empty]


def note_empty_field(name: str, where: str) -> Problem:
    """Return the note of a field whose declared place is in no item."""
    message = f"`{name}` is declared at `{where}`, which no item has; check `fields`"
    return Problem(code=FIELD_NOT_FOUND, message=message, field=name)


# ── fields ──


def _judge_fields(known: Mapping[str, Record], rows: Mapping[str, SeenItem], context: Context) -> FieldVerdict:
    """Return what is done with the fields that vanished or changed their type in most of this source's records."""
    settings, memory, mapped = read_record_settings(context.settings), read_memory(context.memory), context.settings.get("fields")
    own = ((r, row) for key, row in rows.items() if (r := known.get(key)) and r.source_id == context.source_id)
    pairs = [(r.remote, row.fields) for r, row in own if r.presence is not Presence.GONE and not row.is_deleted]
    left_out = frozenset([*settings.preserve, *settings.volatile, *(context.settings.get("without") or ())])
    found = find_field_changes(pairs, mapped=mapped, left_out=left_out)
    if settings.schema is not None:  # it decides about types
        found = [drift for drift in found if drift.code != TYPE_CHANGED]
    is_approved = memory.hold is not None and memory.hold.code == FIELDS and context.approved == memory.hold.plan_hash
    approved = [str(release["key"]) for release in memory.hold.releases] if memory.hold and is_approved else []
    return judge_field_changes(found, settings.schema_policy, memory.fields, context.at, approved)


def _keep_fields(known: Record | None, row: SeenItem, verdict: FieldVerdict, context: Context) -> SeenItem:
    if known is None or known.source_id != context.source_id:
        return row
    return replace(row, fields=verdict.keep(known.remote, row.fields))


# ── planning ──


def _plan_all(matches: RowMatches, context: RecordContext) -> Plan:
    """Return the plan of a fetch. In an incremental one, records that are not shown count as unchanged."""
    fetch, seen = context.fetch, matches.seen
    mine = {key: row for key, row in matches.rows.items() if not is_foreign(matches.known.get(key), fetch)}
    shown = [_plan_row(matches.known.get(key), row, context) for key, row in mine.items()]
    actions = [a for a in shown if a]
    seen_keys = matches.rows.keys() | matches.rejected
    absent = [r for r in matches.known.values() if r.source_id == fetch.source_id and r.key not in seen_keys]
    if seen.whole:
        actions += [a for r in absent if (a := plan_absent(r, context))]
    rest = 0 if seen.whole else sum(r.presence is not Presence.GONE for r in absent)
    return Plan(
        actions=tuple(sorted(actions, key=lambda a: a.record_id)),
        seen=len(matches.rows) + rest,
        unchanged=shown.count(None) + rest,
        memory=fetch.memory,
        settle_at=_settle_at(absent, actions, context),
        problems=tuple(p.as_dict() for p in _field_problems(matches, context)),
    )


def _plan_row(known: Record | None, row: SeenItem, context: RecordContext) -> Action | None:
    return plan_tombstone(known, context) if row.is_deleted else plan_shown(known, row.key, row.fields, context)


def _field_problems(matches: RowMatches, context: RecordContext) -> list[Problem]:
    """Return the fields that changed in most records, and single ones that came as another type.

    Where a schema is declared, it decides about types.
    """
    most = [drift.as_problem() for drift in matches.fields.found]
    if context.settings.schema is not None:
        return most
    named = {problem.field for problem in most}
    pairs = ((matches.known.get(key), row) for key, row in matches.rows.items())
    changes = [p for known, row in pairs if known for p in find_type_changes(known, row.key, row.fields)]
    return [*most, *(p for p in changes if p.field not in named)][:MAX_ITEM_PROBLEMS]


def _settle_at(absent: Sequence[Record], actions: Sequence[Action], context: RecordContext) -> datetime | None:
    after = {a.record_id: a.after for a in actions}
    times = [removable_at(after.get(r.id, r), context) for r in absent]
    return min((t for t in times if t), default=None)


def _plan_new(matches: RowMatches, context: RecordContext) -> Plan:
    """Return the plan that only creates records."""
    fetch = context.fetch
    new = [row for key, row in matches.rows.items() if key not in matches.known and not row.is_deleted]
    actions = sorted((a for row in new if (a := plan_shown(None, row.key, row.fields, context))), key=lambda a: a.record_id)
    present = [r for r in matches.known.values() if r.presence is not Presence.GONE]
    mine = {r.key for r in present if r.source_id == fetch.source_id}
    total = len(matches.rows) if matches.seen.whole else len(mine | set(matches.rows))
    return Plan(actions=tuple(actions), seen=total, unchanged=total - len(new), memory=fetch.memory)


def is_foreign(known: Record | None, context: Context) -> bool:
    """Return whether a record belongs to another source that still feeds the collection."""
    return known is not None and known.source_id in context.other_sources


def _find_shadowed(matches: RowMatches) -> list[Problem]:
    """Return a note for each name that the items use, and that a record's document needs itself."""
    names = sorted({name for row in matches.rows.values() for name in RESERVED if name in row.fields})
    return [Problem(code="reserved-name", message=SHADOWED.format(name=name), field=name) for name in names]


def _find_other_sources(matches: RowMatches, context: Context) -> list[Problem]:
    keys = sorted(key for key in matches.rows if is_foreign(matches.known.get(key), context))
    return [Problem(code="other-source", message="another source feeds the record of this id", uid=key) for key in keys]
