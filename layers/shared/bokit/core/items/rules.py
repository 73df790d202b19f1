"""Records of any collection as the engine's rules: how items are read, identified by their key, planned and guarded.

What one record becomes is ``record_plan``; what one fetch may be believed is ``record_guard``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bokit.core.items.edit import read_record_edit
from bokit.core.items.guard import guard_records
from bokit.core.items.planning import Look, describe_record, find_type_changes, let_go, plan_absent, plan_shown, ripens_at
from bokit.core.items.reader import ItemMap, Row, hash_body, read_body
from bokit.core.model.collections import read_record_settings
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.plan import Action, Hold, Plan
from bokit.core.model.records import Fields, Json, LoggedChange, Presence, Record
from bokit.core.model.source_memory import read_memory
from bokit.core.model.source_rules import Context, Problem, Seen, Verdict

CODE_VERSION = "records-1"
"""Raised when the same body would be read differently."""
RELEASED = "its source was removed, and a person released it"
MAX_PROBLEMS = 50
"""Problems of a fetch that are told one by one."""
READ_ANEW = ("id", "fields", "items", "on_missing", "collection")
"""Settings after whose change a body says something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Which known record each row is."""

    known: Mapping[str, Record]
    """By key."""
    seen: Seen[Row]
    rows: Mapping[str, Row]


class RecordRules:
    """The rules of items that have an id; a value without state, safe to share."""

    def hash_content(self, body: bytes, context: Context) -> str:
        """Return a hash equal for bodies that say the same."""
        told = {name: context.settings.get(name) for name in READ_ANEW}
        return hash_body(body, json.dumps([CODE_VERSION, told], sort_keys=True))

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[Row]:
        """Return the rows of *body*; never raises. What cannot be a row is a problem, and the rest is read."""
        try:
            whole, items = read_body(body)
        except (ValueError, RecursionError):
            return Seen(verdict=Verdict.UNREADABLE, problems=(Problem(code="not-json", message="it is no JSON of items"),))
        return read_items(items, context.settings, whole=whole)

    def recall(self, snapshot: bytes, context: Context) -> Seen[Row]:
        """Return that nothing was seen: what a held plan names is settled from the records themselves."""
        return Seen(verdict=Verdict.EMPTY, whole=False)

    def inspect(self, body: bytes, seen: Seen[Row], context: Context) -> dict[str, Json]:
        """Return the rows, as `source test` shows them."""
        return {"entries": [{"id": row.key, "fields": dict(row.fields)} for row in seen.entries], "whole": seen.whole}

    def match(self, known: Sequence[Record], seen: Seen[Row], context: Context) -> Rows:
        """Return which record each row is: the one with its key."""
        return Rows(known={r.key: r for r in known}, seen=seen, rows={row.key: row for row in seen.entries})

    def plan(self, matches: Rows, context: Context) -> Plan:
        """Return what must change, before any guard."""
        look = Look(context=context, settings=read_record_settings(context.settings))
        return _only_new(matches, look) if context.new_only else _plan(matches, look)

    def guard(self, plan: Plan, matches: Rows, context: Context) -> Plan:
        """Return *plan* with what the evidence does not carry held back."""
        settings = read_record_settings(context.settings)
        known, seen = list(matches.known.values()), matches.seen
        problems = [*seen.problems, *_find_strangers(matches, context)]
        told = [*plan.problems, *(p.as_dict() for p in problems)][:MAX_PROBLEMS]
        return replace(guard_records(plan, known, seen, context, settings), problems=tuple(told))

    def read_hold(self, memory: Fields) -> Hold | None:
        """Return the held plan that *memory* keeps, as it was shown."""
        return read_memory(memory).hold

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        """Return a person's *values*, or raise InputError that says what is wrong."""
        return read_record_edit(values)

    def release(self, record: Record, *, by: str, at: datetime, zone: ZoneInfo) -> tuple[Record, LoggedChange] | None:
        """Return a record that is gone with its source; it is kept, and another source may bring it back."""
        action = None if record.presence is Presence.GONE else let_go(record, RELEASED, at)
        if action is None:
            return None
        line = LoggedChange(record_id=record.id, at=at, by=by, action="release", reason=RELEASED, fields=action.fields)
        return action.after, line

    def describe(self, record: Record) -> dict[str, Json]:
        """Return *record* as the API and the command line show it."""
        return describe_record(record)


# ── reading ──


def read_items(items: Sequence[Json], settings: Mapping[str, Json], *, whole: bool) -> Seen[Row]:
    """Return what *items* show by a source's settings.

    an item                                         what becomes of it
    no object, no id, too large                     a problem
    the same id twice, saying the same              one row
    the same id twice, saying something else        a problem of that id: neither is believed
    not what the collection's schema asks for       a problem by field
    else                                            a row
    """
    where, check = ItemMap.of(settings), SchemaCheck(read_record_settings(settings).schema)
    rows: dict[str, Row] = {}
    problems: list[Problem] = []
    doubled: set[str] = set()
    for item in items:
        row = where.read(item)
        if isinstance(row, Problem):
            problems.append(row)
        elif rows.setdefault(row.key, row) != row:
            doubled.add(row.key)
    problems += [Problem(code="duplicate-id", message="several items have this id", uid=key) for key in sorted(doubled)]
    faults = {key: check.find_problems(row.fields, key) for key, row in rows.items() if key not in doubled}
    problems += [p for found in faults.values() for p in found]
    kept = tuple(row for key, row in rows.items() if key not in doubled and not faults[key])
    verdict = Verdict.PARTIAL if problems else Verdict.OK if kept else Verdict.EMPTY
    return Seen(entries=kept, problems=tuple(problems), verdict=verdict, whole=whole)


# ── planning ──


def _plan(found: Rows, look: Look) -> Plan:
    """Return the plan of all that was shown; what only changes were asked for does not show counts as it is known."""
    context = look.context
    mine = {key: row for key, row in found.rows.items() if not is_foreign(found.known.get(key), context)}
    told = [plan_shown(found.known.get(key), key, row.fields, look) for key, row in mine.items()]
    actions = [a for a in told if a]
    absent = [r for r in found.known.values() if r.source_id == context.source_id and r.key not in found.rows]
    if found.seen.whole:
        actions += [a for r in absent if (a := plan_absent(r, look))]
    actions.sort(key=lambda a: a.record_id)
    rest = 0 if found.seen.whole else sum(1 for r in absent if r.presence is not Presence.GONE)
    unchanged = sum(1 for a in told if not a) + rest
    return Plan(
        actions=tuple(actions),
        seen=len(found.rows) + rest,
        unchanged=unchanged,
        memory=context.memory,
        settle_at=_settle_at(absent, actions, look),
        problems=tuple(p.as_dict() for p in _type_changes(found, look)),
    )


def _type_changes(found: Rows, look: Look) -> list[Problem]:
    """Return fields that came as another type; where a schema is declared, it decides."""
    if look.settings.schema is not None:
        return []
    pairs = ((found.known.get(key), row) for key, row in found.rows.items())
    changes = [p for known, row in pairs if known for p in find_type_changes(known, row.key, row.fields)]
    return changes[:MAX_PROBLEMS]


def _settle_at(absent: Sequence[Record], actions: Sequence[Action], look: Look) -> datetime | None:
    after = {a.record_id: a.after for a in actions}
    times = [ripens_at(after.get(r.id, r), look.settings, look.context.cancel_after) for r in absent]
    return min((t for t in times if t), default=None)


def _only_new(found: Rows, look: Look) -> Plan:
    """Return the plan where nothing but what is new may be touched."""
    new = [row for key, row in found.rows.items() if key not in found.known]
    actions = sorted((a for row in new if (a := plan_shown(None, row.key, row.fields, look))), key=lambda a: a.record_id)
    mine = {r.key for r in found.known.values() if r.source_id == look.context.source_id and r.presence is not Presence.GONE}
    total = len(found.rows) if found.seen.whole else len(mine | set(found.rows))
    return Plan(actions=tuple(actions), seen=total, unchanged=total - len(new), memory=look.context.memory)


def is_foreign(known: Record | None, context: Context) -> bool:
    """Return whether a record is another source's that is still fed."""
    return known is not None and known.source_id in context.other_sources


def _find_strangers(found: Rows, context: Context) -> list[Problem]:
    shown = sorted(key for key in found.rows if is_foreign(found.known.get(key), context))
    return [Problem(code="other-source", message="another source feeds the record of this id", uid=key) for key in shown]
