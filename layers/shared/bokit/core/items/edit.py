"""Changes that a person or a program makes to one record, merged into what is stored; three ways where a base is given.

    PUT             objects are merged in depth, arrays by their declared key; fields that the document leaves out stay
    PUT with base   only what differs between ``_base`` (what its writer read) and the document is changed
    PATCH           a JSON merge patch: null removes a field (RFC 7396)

A PUT brings back a record that was deleted by hand, with its fields; a PATCH of one is refused.

Preserved fields keep their value. ``id``, ``createdAt``, ``updatedAt``, ``updatedBy``, ``_meta`` and ``_base`` are Bokit's.
Whole numbers beyond
2^53 are text in documents; what comes back is exact again (``restore_exact``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from bokit.core.items.by_hand import RESTORED_BY_HAND, is_deleted_by_hand
from bokit.core.items.limits import MAX_ITEM_BYTES, MAX_ITEM_DEPTH, MAX_RECORD_BYTES, MAX_RECORD_FIELDS
from bokit.core.items.planning import describe_record
from bokit.core.items.reader import normalise_numbers
from bokit.core.model.collections import RecordSettings, write_key
from bokit.core.model.documents import RESERVED
from bokit.core.model.exact_numbers import restore_exact
from bokit.core.model.json_merge import ABSENT, is_same, keep_paths, overlay, patch_json, read_path, rebase
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.merge import compare_fields, normalise_fields
from bokit.core.model.records import Edit, FieldChange, Fields, Json, LoggedChange, Record
from bokit.errors import InputError, StateError
from bokit.values import Value, replace

OWN = ("createdAt", "updatedAt", "updatedBy")
BASE = "_base"


class WriteMethod(StrEnum):
    """How a document is merged into a record."""

    PUT = "put"
    PATCH = "patch"


class Patch(Value):
    """A change requested of one record."""

    method: WriteMethod
    values: Fields
    by: str
    preserve: tuple[str, ...] = ()
    """Paths that this request preserves, besides the collection's."""
    base: Fields | None = None
    """What the writer read; None: not given."""


class PatchResult(Value):
    """The outcome of a patch."""

    record: Record
    change: LoggedChange | None
    """None: nothing changed, and nothing is to be written."""
    preserved: tuple[str, ...] = ()
    """Fields that kept their value although the document had another."""


def read_patch(document: Any, method: WriteMethod, by: str, preserve: Sequence[str] = ()) -> Patch:
    """Return the patch in *document*, or raise InputError that says what is wrong with it."""
    values = read_record_edit(document)
    base = document.get(BASE)
    if base is not None and not isinstance(base, Mapping):
        raise InputError("the base is the record as you read it, an object", code="bad-field", field=BASE)
    own = None if base is None else _without_reserved(read_record_edit(base))
    return Patch(method=method, values=values, by=by, preserve=tuple(preserve), base=own)


def read_record_edit(values: Any) -> dict[str, Json]:
    """Return a person's *values* as JSON, without the names that documents need themselves, or raise InputError."""
    if not isinstance(values, Mapping):
        raise InputError("a record is a JSON object", code="bad-field")
    try:
        fields: dict[str, Json] = normalise_numbers(normalise_fields(values))
        size = len(json.dumps(fields, allow_nan=False))
    except RecursionError:
        message = f"nested too deeply; at most {MAX_ITEM_DEPTH} objects and arrays inside each other"
        raise InputError(message, code="bad-field") from None
    except (TypeError, ValueError):
        raise InputError("not JSON: a value that JSON cannot hold", code="bad-field") from None
    if size > MAX_ITEM_BYTES or len(fields) > MAX_RECORD_FIELDS:
        raise InputError(f"the record is too large; it may have {MAX_ITEM_BYTES} bytes", code="too-large")
    return {name: value for name, value in fields.items() if name not in RESERVED}


def _without_reserved(values: Fields) -> dict[str, Json]:
    return {n: v for n, v in values.items() if n not in (*OWN, "id")}


def merge_patch(known: Record, patch: Patch, settings: RecordSettings, at: datetime, *, is_new: bool = False) -> PatchResult:
    """Return *known* with *patch* merged in, and its line for the change log; raises InputError on a schema violation."""
    patch = _restore(patch, known)
    if patch.method is WriteMethod.PATCH and is_deleted_by_hand(known):
        raise StateError("the record is deleted; restore it, or PUT it again", code="deleted", id=known.key)
    if "id" in patch.values and write_key(patch.values["id"]) != known.key:
        raise InputError("the record's id is the one of its path; leave it out", code="bad-field", field="id")
    current = {name: value for name, value in known.fields.items() if value is not None}
    merged = _merge(current, patch, settings)
    wanted, refused = keep_paths(current, merged, (*settings.preserve, *patch.preserve), settings.array_keys)
    wanted |= {n: v for n, v in known.fields.items() if v is None and wanted.get(n, ABSENT) is ABSENT}
    preserved = tuple(dict.fromkeys([*refused, *_refused_own(known, patch)]))
    is_back = is_deleted_by_hand(known)
    if not (is_new or is_back or compare_fields(known.fields, wanted)):
        return PatchResult(record=known, change=None, preserved=preserved)
    _check_size(wanted, current)
    _check_schema(wanted, known.key, settings)
    after = _with_fields(known.as_present(known.key) if is_back else known, wanted, patch.by, at)
    change = LoggedChange(
        record_id=known.id,
        at=at,
        by=patch.by,
        action="create" if is_new else "restore" if is_back else "edit",
        reason="made by hand" if is_new else RESTORED_BY_HAND if is_back else "edited by a person",
        fields=compare_fields({} if is_new else known.fields, after.fields),
        preserved={path: FieldChange(before=read_path(current, path), after=value) for path, value in refused.items()},
    )
    return PatchResult(record=replace(after, updated_at=at), change=change, preserved=preserved)


def _restore(patch: Patch, known: Record) -> Patch:
    """Return *patch* with the whole numbers beyond 2^53 that its writer read as text, or as doubles."""
    values = restore_exact(patch.values, known.fields)
    return replace(patch, values=values, base=None if patch.base is None else restore_exact(patch.base, known.fields))


def _merge(current: dict[str, Json], patch: Patch, settings: RecordSettings) -> dict[str, Json]:
    values = _without_reserved(patch.values)
    if patch.method is WriteMethod.PATCH:
        return dict(patch_json(current, values))
    if patch.base is not None:
        return dict(rebase(patch.base, values, current, settings.array_keys)[0])
    return dict(overlay(current, values, settings.array_keys))


def _refused_own(known: Record, patch: Patch) -> list[str]:
    document: Fields = dict(describe_record(known))
    return [n for n in OWN if n in patch.values and not is_same(patch.values[n], document.get(n))]


def _check_size(wanted: Fields, current: Fields) -> None:
    """Refuse a record that many changes have made too large; one that becomes smaller is never refused."""
    size = len(json.dumps(wanted))
    if size > MAX_RECORD_BYTES and size > len(json.dumps(current)):
        message = f"the record would have {size} bytes with this change; with all of its changes it may have {MAX_RECORD_BYTES}"
        raise InputError(message, code="too-large")


def _check_schema(wanted: Fields, key: str, settings: RecordSettings) -> None:
    if problems := SchemaCheck(settings.schema).find_problems(wanted, key):
        errors = [{"field": p.field or "", "message": p.message} for p in problems]
        raise InputError("the record violates its collection's schema", code="schema", errors=errors)


def _with_fields(known: Record, wanted: dict[str, Json], by: str, at: datetime) -> Record:
    """Return *known* with these fields: its own where it was made by hand, as edits where a source feeds it."""
    if known.source_id is None:
        return replace(known, remote=wanted)
    changed = compare_fields(known.fields, wanted)
    made = {name: Edit(value=wanted.get(name), base=_base_of(known, name), by=by, at=at) for name in changed}
    return replace(known, edits={**known.edits, **made})


def _base_of(known: Record, name: str) -> Json:
    edit = known.edits.get(name)
    return edit.base if edit and isinstance(edit.base, (dict, list)) else known.remote.get(name)
