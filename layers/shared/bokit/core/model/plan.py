"""The plan: what must change, as data. A dry run prints it, guards judge it, history stores it, tests compare it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypedDict

from bokit.core.model.documents import FieldDiff, describe_diffs
from bokit.core.model.records import FieldChange, Fields, Json, Record, RecordId
from bokit.values import Value, field


class ActionKind(StrEnum):
    """What is done to one record."""

    CREATE = "create"
    UPDATE = "update"
    MARK_MISSING = "miss"  # the source no longer shows it; nothing is released yet
    CLEAR_MISSING = "find"  # it was missing and is shown again, before anything was released
    CANCEL = "cancel"
    RESTORE = "restore"
    MERGE = "merge"  # the source joined it with another record, which remains
    TOUCH = "remember"
    """Bookkeeping: only the rules' memory, the key, or the source's value under an edit changed. Not reported or counted."""


class ActionDocument(TypedDict):
    """One record's change."""

    action: str
    record_id: str
    reason: str
    fields: dict[str, FieldDiff]


class HoldSummary(TypedDict):
    """A held plan in short."""

    code: str
    message: str
    since: datetime
    plan: Annotated[str, "Identifies this plan: `apply-held` and `discard-held` take it."]
    opens_at: Annotated[datetime | None, "When time lifts it, unless it is discarded; null: never."]


class HoldDocument(HoldSummary):
    """A held plan: what a guard holds until a person decides, or the source proves it."""

    releases: Annotated[list[dict[str, Json]], "What applying it would cancel or free."]
    can_apply: bool
    offered_at: datetime | None


RELEASES = frozenset({ActionKind.CANCEL, ActionKind.MERGE})


class Action(Value):
    """One record's change: before, after, the fields that differ, and the named reason."""

    kind: ActionKind
    before: Record | None
    after: Record
    fields: Mapping[str, FieldChange] = field(default_factory=dict)  # effective fields that change
    preserved: Mapping[str, FieldChange] = field(default_factory=dict)
    """Edited fields in which the source changed: its values before and after; the edit stands."""
    reason: str

    @property
    def record_id(self) -> RecordId:
        """The record that it changes."""
        return self.after.id

    def as_dict(self) -> ActionDocument:
        """As ``--dry-run --json`` prints it."""
        fields = describe_diffs(self.fields)
        return {"action": str(self.kind), "record_id": self.record_id, "reason": self.reason, "fields": fields}


class Hold(Value):
    """What a guard holds back, why, and since when."""

    code: str  # ``empty-feed``, ``unreadable-feed``, ``shrunken-feed``, ``partial-feed``, ``other-listing`` …
    message: str  # for the owner: what happened, and what to do
    since: datetime
    releases: tuple[Fields, ...] = ()
    """What applying it would cancel or free: ``{"action", "record_id", "check_in", …}``, for people and for the hash."""
    can_apply: bool = True  # False: there is nothing to apply (an unreadable body)
    offered_at: datetime | None = None  # when the owner was notified of it again
    opens_at: datetime | None = None  # when time lifts it if fetches go on to agree; None: never

    @property
    def plan_hash(self) -> str:
        """Identifies what was shown: only that can be applied."""
        shown = json.dumps([self.code, [dict(r) for r in self.releases]], sort_keys=True, default=str)
        return hashlib.sha256(shown.encode()).hexdigest()[:16]

    def as_dict(self) -> HoldDocument:
        """As ``source show`` shows it."""
        return {
            "code": self.code,
            "message": self.message,
            "since": self.since,
            "plan": self.plan_hash,
            "releases": [dict(r) for r in self.releases],
            "can_apply": self.can_apply,
            "offered_at": self.offered_at,
            "opens_at": self.opens_at,
        }


class Plan(Value):
    """All that follows from one fetch: what is done now, what is held, and when time alone may change it."""

    actions: tuple[Action, ...] = ()
    hold: Hold | None = None
    seen: int = 0  # entries that the source showed
    unchanged: int = 0
    refused: bool = False
    """The fetch is not trusted (unreadable, empty, another listing's …): ETag and hash are not stored."""
    stale_since: datetime | None = None  # when the content was made, where the source stands still
    renames_since: datetime | None = None  # since when what the source calls its records is not believed
    stamps_fetches: bool = False  # fresh content is stamped with the time of its fetch
    settle_at: datetime | None = None
    """The earliest time at which time alone, the feed staying the same, can change the plan."""
    held_until: datetime | None = None
    """Of held content: until when the same again would change nothing; None: not known."""
    memory: Fields = field(default_factory=dict)  # what the rules keep of the source until the next fetch
    problems: tuple[Fields, ...] = ()
    """What could not be used, item by item: ``{"code", "message", "uid", "field"}``."""
    content: bytes | None = None
    """What is kept of the content in place of its snapshot, which shows guests who were erased; None: the snapshot."""

    @property
    def is_empty(self) -> bool:
        """Whether no record changes."""
        return not self.actions


def count_actions(plan: Plan) -> dict[str, int]:
    """Return the contract's counts of *plan*: an update counts only where an effective field changed."""
    counts = dict.fromkeys(("created", "updated", "missing", "cancelled", "restored", "preserved"), 0)
    names = {
        ActionKind.CREATE: "created",
        ActionKind.MARK_MISSING: "missing",
        ActionKind.CANCEL: "cancelled",
        ActionKind.MERGE: "cancelled",
        ActionKind.RESTORE: "restored",
    }
    for action in plan.actions:
        if action.kind in names:
            counts[names[action.kind]] += 1
        elif action.kind is ActionKind.UPDATE and action.fields:
            counts["updated"] += 1
        counts["preserved"] += bool(action.preserved)
    return counts
