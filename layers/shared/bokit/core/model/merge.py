"""The three-way merge by field: the agreed value, a person's edit of it, and the source's value now.

    edited    source changed    result
    no        yes               the source's value
    no        no                nothing
    yes       yes               the person's value; both are shown, and the change log notes that it was preserved
    yes       no                the person's value

An edit stands until a person removes it (``accept_remote``), even if the source's value equals it for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from bokit.core.model.documents import write_time
from bokit.core.model.json_merge import is_same
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Edit, FieldChange, Fields, Json, LoggedChange, NewFields, Presence, Record
from bokit.errors import InputError
from bokit.values import replace

CONFIRM = "confirm"
"""In a record's rules state: what a person is asked to confirm; gone with the next edit."""
DOUBTED_AT = "doubted_at"
"""In a record's rules state: when it last became perhaps another thing than it was; gone once a person confirms it."""


def normalise(value: Any) -> Any:
    """Return *value* as JSON would return it; otherwise equal values could look like an edit."""
    if value is None or value.__class__ is str:  # the usual case, and a str enum is not one
        return value
    if isinstance(value, Enum):
        return normalise(value.value)
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): normalise(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalise(inner) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted(normalise(inner) for inner in value)
    return value


def normalise_fields(values: Mapping[str, Any]) -> dict[str, Json]:
    """Return *values* as JSON would return them."""
    return {name: value if value.__class__ is str else normalise(value) for name, value in values.items()}


def compare_fields(before: Fields, after: Fields) -> dict[str, FieldChange]:
    """Return the fields that differ; an absent field is None."""
    names = sorted({*before, *after})
    return {
        name: FieldChange(before=before.get(name), after=after.get(name))
        for name in names
        if not is_same(before.get(name), after.get(name))
    }


def change_action(
    before: Record,
    after: Record,
    reason: str,
    at: datetime,
    *,
    kind: ActionKind | None = None,
    preserved: Mapping[str, FieldChange] | None = None,
) -> Action | None:
    """Return the action that makes *after* of *before*, or None if nothing differs.

    *preserved*: values of the source that were not applied; None: those of every edited field in which it changed.

    *kind*, if not given: RESTORE, CLEAR_MISSING or MARK_MISSING if the presence alone decides it, UPDATE if an
    effective field changes, else TOUCH.
    """
    if after == before and is_same(after.remote, before.remote):
        return None
    fields = compare_fields(before.fields, after.fields)
    if preserved is None:
        changed = compare_fields(before.remote, after.remote)
        preserved = {name: change for name, change in changed.items() if name in before.edits}
    kind = kind or _judge_kind(before, after, bool(fields))
    if fields or before.presence is not after.presence:
        after = replace(after, updated_at=at)
    return Action(kind=kind, before=before, after=after, fields=fields, preserved=preserved, reason=reason)


def _judge_kind(before: Record, after: Record, has_fields: bool) -> ActionKind:
    if before.presence is Presence.GONE and after.presence is not Presence.GONE:
        return ActionKind.RESTORE
    if has_fields:
        return ActionKind.UPDATE
    if before.presence is after.presence:
        return ActionKind.TOUCH
    return ActionKind.CLEAR_MISSING if after.presence is Presence.PRESENT else ActionKind.MARK_MISSING


def create_action(record: Record, reason: str) -> Action:
    """Return the action that makes *record*."""
    fields = NewFields({name: value for name, value in sorted(record.fields.items()) if value is not None})
    return Action(kind=ActionKind.CREATE, before=None, after=record, fields=fields, reason=reason)


def edit_record(record: Record, values: Fields, by: str, at: datetime) -> tuple[Record, LoggedChange]:
    """Return *record* with a person's *values* (none: it is confirmed), and the line for its change log.

    A line without fields: nothing changed.

    made by hand    equals the effective value    result
    yes             no                            the value itself changes
    no              no                            an edit
    any             yes                           nothing
    """
    wanted = normalise_fields(values)
    changed = {name: value for name, value in wanted.items() if not is_same(value, record.fields.get(name))}
    if record.source_id is None:
        after = replace(record, remote={**record.remote, **changed})
    else:
        made = {n: Edit(value=v, base=_base_of(record, n), by=by, at=at) for n, v in changed.items()}
        after = replace(record, edits={**record.edits, **made})
    after = after if wanted else replace(after, memory=_without(after.memory, DOUBTED_AT))
    return _logged(record, after, by, at, "edit", "edited by a person")


def _base_of(record: Record, name: str) -> Json:
    """Return the base of an edit of this field: the source's value.

    An earlier edit inside an object or array keeps its base, which shows what the person changed.
    """
    edit = record.edits.get(name)
    return edit.base if edit and isinstance(edit.base, (dict, list)) else record.remote.get(name)


def accept_remote(record: Record, fields: Iterable[str] | None, by: str, at: datetime) -> tuple[Record, LoggedChange]:
    """Return *record* with its source's values in *fields* (None: in all), and the line for its change log.

    Raises InputError for a field that nobody edited.
    """
    names = set(record.edits) if fields is None else set(fields)
    if unknown := sorted(names - set(record.edits)):
        raise InputError("nobody edited this field; leave it out", field=unknown[0])
    kept = {name: edit for name, edit in record.edits.items() if name not in names}
    return _logged(record, replace(record, edits=kept), by, at, "accept-remote", "the source's value was accepted")


def _logged(before: Record, after: Record, by: str, at: datetime, action: str, reason: str) -> tuple[Record, LoggedChange]:
    """Return *after* and the line of its change log; a person who writes has confirmed what the record asks for."""
    after = replace(after, memory=_without(after.memory, CONFIRM))
    fields = compare_fields(before.fields, after.fields)
    after = replace(after, updated_at=at) if fields else after
    return after, LoggedChange(record_id=before.id, at=at, by=by, action=action, reason=reason, fields=fields)


def _without(memory: Fields, name: str) -> Fields:
    return {other: value for other, value in memory.items() if other != name}
