"""Deleting a record by hand, and bringing it back: for records that programs pushed, which no source shows or hides.

before                    deleted          restored        PUT                     PATCH
present, missing          gone             refused         changed                 changed
gone, deleted by hand     nothing          present         present, and changed    refused
"""

from __future__ import annotations

from datetime import datetime

from bokit.core.model.plan import ActionKind
from bokit.core.model.records import LoggedChange, Presence, Record
from bokit.values import replace

DELETED_BY_HAND = "deleted by hand"
"""Why a record is gone that a person or a program deleted."""
RESTORED_BY_HAND = "restored by hand"


def is_deleted_by_hand(record: Record) -> bool:
    """Return whether the record is gone since a person or a program deleted it, and not for its source."""
    return record.presence is Presence.GONE and record.gone_reason == DELETED_BY_HAND


def delete_by_hand(record: Record, by: str, at: datetime) -> tuple[Record, LoggedChange]:
    """Return *record* as gone, with its fields and edits, and the line for its change log."""
    after = replace(record.as_gone(at, DELETED_BY_HAND), updated_at=at)
    return after, _log(record, ActionKind.CANCEL, DELETED_BY_HAND, by, at)


def restore_by_hand(record: Record, by: str, at: datetime) -> tuple[Record, LoggedChange]:
    """Return *record* as present again, with the fields that it had, and the line for its change log."""
    after = replace(record.as_present(record.key), updated_at=at)
    return after, _log(record, ActionKind.RESTORE, RESTORED_BY_HAND, by, at)


def _log(record: Record, kind: ActionKind, reason: str, by: str, at: datetime) -> LoggedChange:
    return LoggedChange(record_id=record.id, at=at, by=by, action=str(kind), reason=reason, fields={})
