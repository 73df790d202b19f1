"""Plans that wait for a person, each in a file for the user alone, named by the hash of what it would do.

planned ──► a file ──► applied once, by a person in a terminal ──► the file is deleted
                   └─► older than a day, or its booking has changed: refused
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from bokit.errors import InputError, UnknownIdError

KEPT = timedelta(days=1)
"""How long a plan can be applied."""
HASH_LENGTH = 12
NO_PLAN = "no such plan: it was applied, or made for another user, or never made"
EXPIRED = "the plan is older than a day, and the person who reads it may not know why it was made; have it made again"


class PlanKind(StrEnum):
    """What a plan does."""

    EDIT = "edit"
    ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """One write that a person is asked to make."""

    kind: PlanKind
    stack: str
    """Identifies the table that it is about."""
    tenant: str
    record_id: str
    version: int
    """The record's version that it was made for: another one is not changed."""
    about: str
    """What it does, in plain words."""
    values: Mapping[str, Any] = field(default_factory=dict)
    made_at: str

    @property
    def hash(self) -> str:
        """Identifies it: only what was shown can be applied."""
        return hashlib.sha256(self._as_text().encode()).hexdigest()[:HASH_LENGTH]

    @property
    def expires_at(self) -> datetime:
        """Return until when it can be applied."""
        return datetime.fromisoformat(self.made_at) + KEPT

    def _as_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def save(self, folder: Path) -> None:
        """Write it, for this user alone."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.file_in(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self._as_text())

    def file_in(self, folder: Path) -> Path:
        """Return where it waits."""
        return folder / f"{self.hash}.json"


def load_plan(folder: Path, name: str, now: datetime) -> WaitingPlan:
    """Return the plan of this hash; raises InputError if there is none, it was changed, or it is too old."""
    is_hash = len(name) == HASH_LENGTH and set(name) <= set("0123456789abcdef")
    file = folder / f"{name}.json"
    if not is_hash or not file.is_file():
        raise UnknownIdError(NO_PLAN, id=name)
    stored = json.loads(file.read_text(encoding="utf-8"))
    plan = WaitingPlan(**{**stored, "kind": PlanKind(stored["kind"])})
    if plan.hash != name:
        raise UnknownIdError("the plan's file was changed since the plan was made; have it made again", id=name)
    if now > plan.expires_at:
        file.unlink(missing_ok=True)
        raise InputError(EXPIRED, code="plan-expired", id=name)
    return plan


def forget_old(folder: Path, now: datetime) -> None:
    """Delete the files of plans that can no longer be applied."""
    for file in folder.glob("*.json"):
        if datetime.fromtimestamp(file.stat().st_mtime, now.tzinfo) < now - 2 * KEPT:
            file.unlink(missing_ok=True)
