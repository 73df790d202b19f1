"""What must change in one record for it to agree with what its source shows: rows of tables and items of APIs alike.

known     shown     policy of the source               result
absent    yes       any                                create
present   yes       any                                update, except edited and preserved fields
missing   yes       any                                no longer missing
gone      yes       any                                restore, with its edits
by hand   yes       any                                the source's from now on; fields that only the person set stand as edits
present   no        keep                               nothing
present   no        mark                               missing since, never removed
present   no        delete, ``cancel_after`` not over  missing since
missing   no        delete, ``cancel_after`` over      gone (a second fetch agrees)
any       as deleted  any                              gone; what is not known is not created
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, NotRequired, TypedDict, cast

from bokit.core.model.collections import OnMissing, RecordSettings, make_id
from bokit.core.model.documents import RESERVED, Count, EditDocument, Time, describe_edits, write_time
from bokit.core.model.exact_numbers import show_exact
from bokit.core.model.field_changes import type_name
from bokit.core.model.json_merge import ABSENT, drop_paths, is_same, keep_paths, or_none, overlay, read_path, rebase
from bokit.core.model.merge import change_action, create_action
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Edit, FieldChange, Fields, Json, Presence, Record
from bokit.core.model.source_rules import Context, Problem
from bokit.values import Value, field, replace

REFUSED_VALUES = "said"
"""In a record's memory: what its source says at preserved paths, where the record has something else."""
SHOWN, SHOWN_AGAIN = "the source shows it", "the source shows it again"
ADOPTED = "the source shows what a person made by hand"
NOT_SHOWN, DELETED = "the source does not show it", "deleted at the source"


class RecordContext(Value):
    """The context of one fetch, with the settings of the collection that its records belong to."""

    fetch: Context
    settings: RecordSettings
    mark: Fields = field(default_factory=dict)
    """What each shown record remembers beside the values that it did not take: which table it is a row of."""

    @property
    def at(self) -> datetime:
        """The time of the fetch."""
        return self.fetch.at


# ── records that the source shows ──


def plan_shown(known: Record | None, key: str, fields: Fields, context: RecordContext) -> Action | None:
    """Return the action for one shown row, whose record is *known* (None: not stored yet); None if nothing changes."""
    if known is None:
        record_id = make_id(context.fetch.collection, key, context.settings.buckets)
        made = context.fetch.new_record(record_id, key, dict(fields))
        return create_action(replace(made, memory=context.mark) if context.mark else made, SHOWN)
    if known.source_id != context.fetch.source_id:
        return _plan_adoption(known, key, fields, context)
    settings = context.settings
    remote, refused = keep_paths(dict(known.remote), dict(fields), settings.preserve, settings.array_keys)
    if settings.volatile and is_same(drop_paths(remote, settings.volatile), drop_paths(known.remote, settings.volatile)):
        remote = known.remote
    edits = {name: _rebase_edit(edit, name, remote, settings) for name, edit in known.edits.items()}
    preserved = _preserved_changes(known, remote, edits, refused)
    reason = SHOWN if known.presence is Presence.PRESENT else SHOWN_AGAIN
    after = replace(known.as_present(key), remote=remote, edits=edits, memory=_remember(refused, context))
    return change_action(known, after, reason, context.at, preserved=preserved)


def _remember(refused: Fields, context: RecordContext) -> dict[str, Json]:
    """Return the memory of a record whose preserved paths were *refused* these values."""
    return {**({REFUSED_VALUES: dict(refused)} if refused else {}), **context.mark}


def _plan_adoption(known: Record, key: str, fields: Fields, context: RecordContext) -> Action | None:
    """Return how a record made by hand, or left by a removed source, becomes this source's.

    Preserved fields stand. Where the person's value differs from the source's, it stands as an edit.
    """
    settings = context.settings
    ours = dict(known.remote) if known.source_id is None else {}
    remote, refused = keep_paths(dict(known.remote), dict(fields), settings.preserve, settings.array_keys)
    merged = {n: overlay(remote.get(n, ABSENT), v, settings.array_keys, n) for n, v in ours.items()}
    made = {
        name: Edit(value=value, base=remote.get(name), by="user", at=context.at)
        for name, value in merged.items()
        if not is_same(value, remote.get(name))
    }
    shown = replace(known.as_present(key), source_id=context.fetch.source_id)
    after = replace(shown, remote=remote, edits={**known.edits, **made}, memory=_remember(refused, context))
    return change_action(known, after, ADOPTED, context.at, preserved={})


def _rebase_edit(edit: Edit, name: str, remote: Fields, settings: RecordSettings) -> Edit:
    """Return *edit* over the source's present value: what the person did not touch inside it follows the source."""
    if not isinstance(edit.value, (dict, list)):
        return edit
    value, base = rebase(edit.base, edit.value, remote.get(name, ABSENT), settings.array_keys, name)
    after = Edit(value=or_none(value), base=or_none(base), by=edit.by, at=edit.at)
    return edit if is_same(after.value, edit.value) and is_same(after.base, edit.base) else after


def _preserved_changes(known: Record, remote: Fields, edits: Mapping[str, Edit], refused: Fields) -> dict[str, FieldChange]:
    """Return where the source changed without effect: under a person's edit, and at preserved paths."""
    changes: dict[str, FieldChange] = {}
    for name, edit in edits.items():
        before, now = known.remote.get(name), remote.get(name)
        if not is_same(before, now) and not is_same(edit.value, now):
            changes[name] = FieldChange(before=before, after=now)
    refused_before = known.memory.get(REFUSED_VALUES, {})
    for path, value in refused.items():
        if path not in refused_before or not is_same(refused_before[path], value):
            changes[path] = FieldChange(before=refused_before.get(path, read_path(known.remote, path)), after=value)
    return changes


def find_type_changes(known: Record, key: str, fields: Fields) -> list[Problem]:
    """Return a problem for each field whose type has changed; without a schema such a value is taken all the same."""
    pairs = ((name, type_name(known.remote.get(name)), type_name(value)) for name, value in fields.items())
    return [
        Problem(code="type-changed", message=f"it was {old} and is {new} now", uid=key, field=name)
        for name, old, new in pairs
        if "nothing" not in (old, new) and old != new
    ]


# ── records that the source does not show, or shows as deleted ──


def plan_tombstone(known: Record | None, context: RecordContext) -> Action | None:
    """Return the action for a record that its source shows as deleted; None if it is not known, not its own, or gone."""
    if known is None or known.source_id != context.fetch.source_id or known.presence is Presence.GONE:
        return None
    return plan_removal(known, DELETED, context.at)


def plan_absent(known: Record, context: RecordContext) -> Action | None:
    """Return the action for a record that a whole, trusted fetch does not show; None if nothing changes."""
    policy = context.settings.on_missing
    if known.presence is Presence.GONE or policy is OnMissing.KEEP:
        return None
    if policy is OnMissing.DELETE and _may_remove(known, context):
        return plan_removal(known, DELETED, context.at)
    if known.presence is Presence.MISSING:
        return None
    since = known.missing_since or context.at
    return change_action(known, replace(known, presence=Presence.MISSING, missing_since=since), NOT_SHOWN, context.at)


def _may_remove(known: Record, context: RecordContext) -> bool:
    """Return whether two fetches, at least ``cancel_after`` apart, did not show it."""
    since = known.missing_since
    return since is not None and since < context.at and context.at - since >= context.fetch.cancel_after


def removable_at(known: Record, context: RecordContext) -> datetime | None:
    """Return when a missing record may be removed; None: never, or it is not missing."""
    if context.settings.on_missing is not OnMissing.DELETE or known.presence is not Presence.MISSING or not known.missing_since:
        return None
    return known.missing_since + context.fetch.cancel_after


def plan_removal(known: Record, reason: str, at: datetime) -> Action | None:
    """Return the action that marks a record as gone. It stays stored, and is restored when its source shows it again."""
    since = known.missing_since or at
    return change_action(known, replace(known.as_gone(at, reason), missing_since=since), reason, at, kind=ActionKind.CANCEL)


# ── documents ──


class RecordMeta(TypedDict):
    """What Bokit stores of a record beside its own fields."""

    record_id: str
    collection: str
    source_id: Annotated[str | None, "null: pushed through the API or edited by hand."]
    version: Count
    presence: Presence
    missing_since: Time | None
    gone_at: Time | None
    gone_reason: str | None
    edits: dict[str, EditDocument]
    shadowed: NotRequired[
        Annotated[
            dict[str, Json], "Fields whose names the document needs itself: `_meta`, `_base`, and an `id` that is not its id."
        ]
    ]
    created_at: Time
    updated_at: Time
    updated_by: Annotated[str | None, "Who made the last change: `token:…`, `source:…`; null: not known, of a former release."]


class RecordDocument(TypedDict):
    """A record: its own fields and `_meta`. `createdAt`, `updatedAt` and `updatedBy` are Bokit's where the source has none.

    Whole numbers beyond 2^53 are text, which programs in JavaScript read and write unchanged.
    """

    id: str
    createdAt: Json
    updatedAt: Json
    updatedBy: Json
    _meta: RecordMeta


def describe_record(record: Record) -> RecordDocument:
    """Return *record*'s document. ``id`` is the source's own."""
    shown, shadowed = split_fields(record)
    meta = describe_state(record)
    if shadowed:
        meta["shadowed"] = show_exact(shadowed)
    return cast("RecordDocument", {**{name: show_exact(value) for name, value in shown.items()}, "_meta": meta})


def split_fields(record: Record) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what a record's document shows beside ``_meta``, and the fields whose names the document needs itself."""
    fields = {name: value for name, value in record.fields.items() if value is not None or record.remote.get(name) is None}
    shadowed = {name: value for name, value in fields.items() if is_shadowed(name, value, record.key)}
    shown: dict[str, Json] = {
        "createdAt": write_time(record.created_at),
        "updatedAt": write_time(record.updated_at),
        "updatedBy": record.updated_by,
        **{name: value for name, value in fields.items() if name not in shadowed},
        "id": record.key,
    }
    if record.source_id is None and record.updated_by:  # what a program pushed to a former release does not stand in its place
        shown["updatedBy"] = record.updated_by
    return shown, shadowed


def is_shadowed(name: str, value: Json, key: str) -> bool:
    """Return whether a record's document needs this name itself."""
    return name in RESERVED or (name == "id" and str(value) != key)


def describe_state(record: Record) -> RecordMeta:
    """Return what is stored of a record beside its own fields."""
    return {
        "record_id": record.id,
        "collection": record.collection,
        "source_id": record.source_id,
        "version": record.version,
        "presence": record.presence,
        "missing_since": _time(record.missing_since),
        "gone_at": _time(record.gone_at),
        "gone_reason": record.gone_reason,
        "edits": describe_edits(record),
        "created_at": write_time(record.created_at),
        "updated_at": write_time(record.updated_at),
        "updated_by": record.updated_by,
    }


def _time(at: datetime | None) -> str | None:
    return write_time(at) if at else None
