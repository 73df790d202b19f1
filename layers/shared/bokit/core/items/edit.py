"""What a person, or another program, makes of one record: laid over what it is, three ways where a base is told.

    PUT             objects are merged in depth, arrays by key where told; what the document does not name stays
    PUT with base   only what differs between ``_base`` (what its writer read) and the document is changed
    PATCH           a JSON merge patch: null takes a field away (RFC 7396)

Preserved fields keep the value that they have; ``id``, ``createdAt``, ``updatedAt`` and what begins with an underscore are ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bokit.core.items.planning import describe_record
from bokit.core.items.reader import DEEPEST, LARGEST_ITEM, settle
from bokit.core.model.collections import RecordSettings, write_key
from bokit.core.model.json_merge import ABSENT, follow, is_same, keep_paths, lay_over, patch, read_path
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.merge import compare_fields, normalise_fields
from bokit.core.model.records import Edit, FieldChange, Fields, Json, LoggedChange, Record
from bokit.core.model.source_rules import Problem
from bokit.errors import InputError

KEPT_BY_US = ("createdAt", "updatedAt")
BASE = "_base"
MOST_FIELDS = 2000


class Manner(StrEnum):
    """How a document is laid over a record."""

    PUT = "put"
    PATCH = "patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What is asked of one record."""

    manner: Manner
    values: Fields
    by: str
    preserve: tuple[str, ...] = ()
    """By this request, besides what the collection preserves."""
    base: Fields | None = None
    """What the writer read; None: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchResult:
    """What became of a wish."""

    record: Record
    change: LoggedChange | None
    """None: nothing changed, and nothing is to be written."""
    preserved: tuple[str, ...] = ()
    """Fields that kept their value although the document had another."""


def read_patch(document: Any, manner: Manner, by: str, preserve: Sequence[str] = ()) -> Patch:
    """Return what *document* asks, or raise InputError that says what is wrong with it."""
    values = read_record_edit(document)
    base = document.get(BASE)
    if base is not None and not isinstance(base, Mapping):
        raise InputError("the base is the record as you read it, an object", code="bad-field", field=BASE)
    told = None if base is None else _without_ours(base)
    return Patch(manner=manner, values=values, by=by, preserve=tuple(preserve), base=told)


def read_record_edit(values: Any) -> dict[str, Json]:
    """Return a person's *values* as JSON, without what is ours, or raise InputError that says what is wrong."""
    if not isinstance(values, Mapping):
        raise InputError("a record is a JSON object", code="bad-field")
    try:
        told: dict[str, Json] = settle(normalise_fields(values))
        size = len(json.dumps(told, allow_nan=False))
    except RecursionError:
        raise InputError(f"nested too deeply; at most {DEEPEST} objects and arrays in one another", code="bad-field") from None
    except (TypeError, ValueError):
        raise InputError("not JSON: a value is none that JSON can hold", code="bad-field") from None
    if size > LARGEST_ITEM or len(told) > MOST_FIELDS:
        raise InputError(f"the record is too large; it may have {LARGEST_ITEM} bytes", code="too-large")
    return {name: value for name, value in told.items() if not name.startswith("_")}


def _without_ours(values: Fields) -> dict[str, Json]:
    return {n: v for n, v in read_record_edit(values).items() if n not in (*KEPT_BY_US, "id")}


def grant(known: Record, wish: Patch, settings: RecordSettings, at: datetime, *, is_new: bool = False) -> PatchResult:
    """Return *known* with what *wish* asks, and the line for its change log; raises InputError where the schema forbids it."""
    if "id" in wish.values and write_key(wish.values["id"]) != known.key:
        raise InputError("the record's id is the one of its path; leave it out", code="bad-field", field="id")
    current = {name: value for name, value in known.fields.items() if value is not None}
    wanted = _lay(current, wish, settings)
    wanted, refused = keep_paths(current, wanted, (*settings.preserve, *wish.preserve), settings.array_keys)
    wanted |= {n: known.fields[n] for n in known.fields if known.fields[n] is None and wanted.get(n, ABSENT) is ABSENT}
    ours = tuple(n for n in KEPT_BY_US if n in wish.values and not is_same(wish.values[n], describe_record(known).get(n)))
    preserved = tuple(dict.fromkeys([*refused, *ours]))
    if not is_new and not compare_fields(known.fields, wanted):
        return PatchResult(record=known, change=None, preserved=preserved)
    _check(wanted, known.key, settings)
    after = _write(known, wanted, wish.by, at)
    fields = compare_fields({} if is_new else known.fields, after.fields)
    kept = {path: FieldChange(before=read_path(current, path), after=value) for path, value in refused.items()}
    change = LoggedChange(
        record_id=known.id,
        at=at,
        by=wish.by,
        action="create" if is_new else "edit",
        reason="made by hand" if is_new else "edited by a person",
        fields=fields,
        preserved=kept,
    )
    return PatchResult(record=replace(after, updated_at=at), change=change, preserved=preserved)


def _lay(current: dict[str, Json], wish: Patch, settings: RecordSettings) -> dict[str, Json]:
    values = {n: v for n, v in wish.values.items() if n not in (*KEPT_BY_US, "id")}
    if wish.manner is Manner.PATCH:
        return dict(patch(current, values))
    if wish.base is not None:
        return dict(follow(wish.base, values, current, settings.array_keys)[0])
    return dict(lay_over(current, values, settings.array_keys))


def _check(wanted: Fields, key: str, settings: RecordSettings) -> None:
    problems = SchemaCheck(settings.schema).find_problems(wanted, key)
    if problems:
        raise InputError(
            "the record does not obey its collection's schema", code="schema", errors=[describe_error(p) for p in problems]
        )


def describe_error(problem: Problem) -> dict[str, str]:
    """Return an error of one field, as the API tells it."""
    return {"field": problem.field or "", "message": problem.message}


def _write(known: Record, wanted: dict[str, Json], by: str, at: datetime) -> Record:
    """Return *known* saying *wanted*: a record made by hand says it itself, one with a source under a person's edits."""
    if known.source_id is None:
        return replace(known, remote=wanted)
    changed = compare_fields(known.fields, wanted)
    made = {name: Edit(value=wanted.get(name), base=_base_of(known, name), by=by, at=at) for name in changed}
    return replace(known, edits={**known.edits, **made})


def _base_of(known: Record, name: str) -> Json:
    edit = known.edits.get(name)
    return edit.base if edit and isinstance(edit.base, (dict, list)) else known.remote.get(name)
