"""What must change in one record for it to agree with what its source shows: rows of tables and items of APIs alike.

known     shown     policy of the source             result
absent    yes       any                              create
present   yes       any                              follow the source, but for what a person edited and what is preserved
missing   yes       any                              found again
gone      yes       any                              restore, with its edits
by hand   yes       any                              the source's from now on; what a person said and it does not, stands
present   no        keep                             nothing
present   no        mark                             missing since, never let go
present   no        delete, not for long enough      missing since
missing   no        delete, for long enough, in two  gone
                    fetches
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bokit.core.model.collections import OnMissing, RecordSettings, make_id
from bokit.core.model.json_merge import ABSENT, follow, is_same, keep_paths, lay_over, or_none, read_path
from bokit.core.model.merge import change_action, create_action, write_time
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Edit, FieldChange, Fields, Json, Presence, Record, scope_of
from bokit.core.model.source_rules import Context, Problem

SAID = "said"
"""In a record's memory: what its source says at preserved fields, where it is not what we have."""
SHOWN, FOUND, ADOPTED = "the source shows it", "the source shows it again", "the source shows what a person made by hand"
MISSED, DELETED = "the source does not show it", "deleted at the source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One fetch, as every record's rule looks at it."""

    context: Context
    settings: RecordSettings

    @property
    def at(self) -> datetime:
        """The time of the fetch."""
        return self.context.at


def plan_shown(known: Record | None, key: str, fields: Fields, look: Look) -> Action | None:
    """Return what one row asks of its record (None: there is none yet), or None where nothing changes."""
    if known is None:
        return create_action(new_record(key, fields, look), SHOWN)
    if known.source_id != look.context.source_id:
        return _adopt(known, key, fields, look)
    settings = look.settings
    remote, refused = keep_paths(dict(known.remote), dict(fields), settings.preserve, settings.array_keys)
    edits = {name: _follow_edit(edit, name, remote, settings) for name, edit in known.edits.items()}
    return change_action(
        known,
        SHOWN if known.presence is Presence.PRESENT else FOUND,
        look.at,
        remote=remote,
        edits=edits,
        key=key,
        presence=Presence.PRESENT,
        missing_since=None,
        gone_at=None,
        gone_reason=None,
        memory=_remember(refused),
        preserved=_preserved(known, remote, edits, refused),
    )


def new_record(key: str, fields: Fields, look: Look) -> Record:
    """Return the record that a row makes."""
    context = look.context
    id = make_id(context.collection, key, look.settings.buckets)
    return Record(
        id=id,
        tenant=context.tenant,
        collection=context.collection,
        scope=scope_of(id),
        source_id=context.source_id,
        key=key,
        remote=dict(fields),
        created_at=look.at,
        updated_at=look.at,
    )


def _adopt(known: Record, key: str, fields: Fields, look: Look) -> Action | None:
    """Return how a record that a person made, or a source that is no more fed, becomes this source's.

    What a person said, and the source does not say, stands as an edit; preserved fields stand too.
    """
    settings = look.settings
    ours = dict(known.remote) if known.source_id is None else {}
    remote, refused = keep_paths(dict(known.remote), dict(fields), settings.preserve, settings.array_keys)
    laid = {n: lay_over(remote.get(n, ABSENT), v, settings.array_keys, n) for n, v in ours.items()}
    told = {name: value for name, value in laid.items() if not is_same(value, remote.get(name))}
    made = {n: Edit(value=v, base=remote.get(n), by="user", at=look.at) for n, v in told.items()}
    return change_action(
        known,
        ADOPTED,
        look.at,
        remote=remote,
        edits={**known.edits, **made},
        key=key,
        source_id=look.context.source_id,
        presence=Presence.PRESENT,
        missing_since=None,
        gone_at=None,
        gone_reason=None,
        memory=_remember(refused),
        preserved={},
    )


def _follow_edit(edit: Edit, name: str, remote: Fields, settings: RecordSettings) -> Edit:
    """Return a person's edit as it stands over what the source says now: untouched insides of it follow the source."""
    if not isinstance(edit.value, (dict, list)):
        return edit
    value, base = follow(edit.base, edit.value, remote.get(name, ABSENT), settings.array_keys, name)
    after = Edit(value=or_none(value), base=or_none(base), by=edit.by, at=edit.at)
    return edit if is_same(after.value, edit.value) and is_same(after.base, edit.base) else after


def _remember(refused: Mapping[str, Json]) -> dict[str, Json]:
    return {SAID: dict(refused)} if refused else {}


def _preserved(known: Record, remote: Fields, edits: Mapping[str, Edit], refused: Mapping[str, Json]) -> dict[str, FieldChange]:
    """Return where the source changed and was not heard: under a person's edit, and in preserved fields."""
    told: dict[str, FieldChange] = {}
    for name, edit in edits.items():
        before, now = known.remote.get(name), remote.get(name)
        if not is_same(before, now) and not is_same(edit.value, now):
            told[name] = FieldChange(before=before, after=now)
    said = known.memory.get(SAID, {})
    for path, value in refused.items():
        if path not in said or not is_same(said[path], value):
            told[path] = FieldChange(before=said.get(path, read_path(known.remote, path)), after=value)
    return told


def plan_absent(known: Record, look: Look) -> Action | None:
    """Return what to make of a record that a whole, trusted fetch does not show."""
    policy = look.settings.on_missing
    if known.presence is Presence.GONE or policy is OnMissing.KEEP:
        return None
    if policy is OnMissing.DELETE and is_ripe(known, look):
        return let_go(known, DELETED, look.at)
    if known.presence is Presence.MISSING:
        return None
    return change_action(known, MISSED, look.at, presence=Presence.MISSING, missing_since=known.missing_since or look.at)


def is_ripe(known: Record, look: Look) -> bool:
    """Return whether two fetches, ``cancel_after`` apart at least, did not show it."""
    since = known.missing_since
    return since is not None and since < look.at and look.at - since >= look.context.cancel_after


def ripens_at(known: Record, settings: RecordSettings, cancel_after: timedelta) -> datetime | None:
    """Return when a missing record may be let go; None: never, or it is not missing."""
    if settings.on_missing is not OnMissing.DELETE or known.presence is not Presence.MISSING or not known.missing_since:
        return None
    return known.missing_since + cancel_after


def let_go(known: Record, reason: str, at: datetime) -> Action | None:
    """Return the action that lets a record go; it is kept, and restored when its source shows it again."""
    return change_action(
        known,
        reason,
        at,
        kind=ActionKind.CANCEL,
        presence=Presence.GONE,
        gone_at=at,
        gone_reason=reason,
        missing_since=known.missing_since or at,
    )


def find_type_changes(known: Record, key: str, fields: Fields) -> list[Problem]:
    """Return the fields that came as another type than before: taken where no schema forbids it, and told."""
    pairs = ((name, known.remote.get(name), value) for name, value in fields.items())
    return [
        Problem(code="type-changed", message=f"it was {type_word(old)} and is {type_word(new)} now", uid=key, field=name)
        for name, old, new in pairs
        if old is not None and new is not None and type_word(old) != type_word(new)
    ]


def type_word(value: Json) -> str:
    """Return a value's type in a word."""
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, (int, float)):
        return "a number"
    words = {str: "text", dict: "an object", list: "an array"}
    return next((word for kind, word in words.items() if isinstance(value, kind)), "nothing")


def describe_record(record: Record) -> dict[str, Json]:
    """Return *record* as the API and the command line show it: its own document, and beside it what we know of it.

    ``id`` is the source's own; ``createdAt`` and ``updatedAt`` are ours where the source has none.
    """
    fields = {name: value for name, value in record.fields.items() if value is not None or record.remote.get(name) is None}
    shown: dict[str, Json] = {
        "createdAt": write_time(record.created_at),
        "updatedAt": write_time(record.updated_at),
        **fields,
        "id": record.key,
    }
    if "id" in fields and str(fields["id"]) != record.key:
        shown["_id"] = fields["id"]
    return {**shown, "_meta": describe_state(record)}


def describe_state(record: Record) -> dict[str, Json]:
    """Return what we know of a record beyond its own document."""
    edits = {
        name: {"value": e.value, "remote": record.remote.get(name), "by": e.by, "at": write_time(e.at)}
        for name, e in sorted(record.edits.items())
    }
    return {
        "record_id": record.id,
        "collection": record.collection,
        "source_id": record.source_id,
        "version": record.version,
        "presence": str(record.presence),
        "missing_since": _time(record.missing_since),
        "gone_at": _time(record.gone_at),
        "gone_reason": record.gone_reason,
        "edits": edits,
        "created_at": write_time(record.created_at),
        "updated_at": write_time(record.updated_at),
    }


def _time(at: datetime | None) -> str | None:
    return write_time(at) if at else None
