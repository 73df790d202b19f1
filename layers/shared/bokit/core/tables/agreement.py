"""What was agreed on of a table belongs to its settings: which state it goes on from, and when all of it is read again.

what changed in the settings            what becomes of the table's state
the table's key or collection           a new one is begun; the old one is a *former* table's, whose records are judged
the table's name, here or there         the same one goes on
fields, without, volatile, deleted,     the same one, and the next pass reads the whole table
  condition, updated_at, zone, URL
preserve, schema, array_keys            the same, and that pass compares every row with its record
the table is not declared any more      a former table's: kept as it is until the table is back or removed for good
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from bokit.core.model.catalog import Source
from bokit.core.model.records import Fields
from bokit.core.tables.chunks import TableState
from bokit.core.tables.spec import TableSettings, TableSpec
from bokit.values import replace

READING = "rows-2"
"""Raised when the same rows would be read differently."""
RULES = ("preserve", "array_keys", "schema")
"""What a collection says of its records' content."""
_FORMER = "\x00"
"""Begins the names of former tables' states; no declared name has it."""

States = Mapping[str, TableState]
"""The states of a source's tables by their names, former ones by names of their own."""


def is_former(name: str) -> bool:
    """Return whether the state of this name is a former table's."""
    return name.startswith(_FORMER)


def read_meaning(spec: TableSpec, source: Source) -> str:
    """Return what identifies how *source* reads a row of the table; the URL itself cannot be read from it."""
    later = [spec.without, spec.volatile, spec.deleted]  # without them a table is read as by former releases
    return _hash([READING, spec.fields, spec.where, spec.updated_at, source.timezone, source.url, *(later if any(later) else ())])


def read_rules(collection: Fields | None) -> str:
    """Return what identifies the rules of a collection, of which a source's settings have this copy."""
    return _hash([(collection or {}).get(name) for name in RULES])


def assign_states(stored: States, settings: TableSettings) -> dict[str, TableState]:
    """Return the state that each declared table goes on from, and those of former tables that still keep rows.

    its own, if its collection and key are the same
    else that of a table which is not declared any more, of the same collection and key, if the database calls it the same,
      or it was called the same here, or it left the settings at this change: it was renamed
    else a new one
    """
    free, assigned = dict(_identify(stored, settings)), dict[str, TableState]()
    for spec in settings.tables:
        if spec.name in free and _is_same(free[spec.name], spec):
            assigned[spec.name] = free.pop(spec.name)
    for spec in settings.tables:
        if spec.name not in assigned and (name := _find_renamed(free, spec, settings)):
            assigned[spec.name] = free.pop(name)
    used = {state.fingerprint for state in (*assigned.values(), *free.values())}
    for spec in settings.tables:
        state = assigned.get(spec.name) or TableState(fingerprint=_new_fingerprint(spec, used))
        used.add(state.fingerprint)
        assigned[spec.name] = replace(state, collection=str(spec.collection), key=spec.key, table=spec.table, name="")
    former = ((name, state) for name, state in free.items() if not state.is_empty)
    return assigned | {_FORMER + state.fingerprint: replace(state, name=state.name or name) for name, state in former}


def _identify(stored: States, settings: TableSettings) -> Iterator[tuple[str, TableState]]:
    """Yield the stored states, each with its collection and key, and a fingerprint that no other has.

    A former release stored neither, only their hash, and gave twins the same one.
    """
    specs, seen = {spec.name: spec for spec in settings.tables}, set[str]()
    for name, state in stored.items():
        if state.fingerprint in seen:
            continue
        seen.add(state.fingerprint)
        if not state.collection:
            spec = specs.get(name)
            known = next((s for s in settings.tables if _former_hash(s, {name, s.table}) & {state.fingerprint}), spec)
            if known is None:
                continue
            is_known = bool(_former_hash(known, {name, known.table}) & {state.fingerprint})
            state = replace(state, collection=str(known.collection), key=known.key if is_known else (), table=known.table)
        yield name, state


def _former_hash(spec: TableSpec, tables: Iterable[str]) -> set[str]:
    return {replace(spec, table=table).fingerprint for table in tables}


def _is_same(state: TableState, spec: TableSpec) -> bool:
    return (state.collection, state.key) == (spec.collection, spec.key)


def _find_renamed(free: States, spec: TableSpec, settings: TableSettings) -> str | None:
    """Return the name of the state that *spec*, which has none of its own, goes on from."""
    declared = {table.name for table in settings.tables}
    same = {name: state for name, state in free.items() if name not in declared and _is_same(state, spec)}
    for name, state in same.items():
        if spec.table == state.table or spec.name == (state.name or name):
            return name
    just_left = [name for name in same if not is_former(name) and name not in settings.left]
    return just_left[0] if len(just_left) == 1 else None


def _new_fingerprint(spec: TableSpec, used: set[str]) -> str:
    """Return a fingerprint for a new state: the table's own, unless another state has it."""
    if spec.fingerprint not in used:
        return spec.fingerprint
    numbered = (_hash([spec.fingerprint, spec.name, number]) for number in range(len(used) + 1))
    return next(made for made in numbered if made not in used)


def shared_collections(states: States) -> set[str]:
    """Return the collections that several tables of the source feed or fed: their records are marked by table."""
    fed = [state.collection for state in states.values()]
    return {name for name in fed if fed.count(name) > 1}


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
