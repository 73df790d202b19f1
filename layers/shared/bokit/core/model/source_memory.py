"""What the rules keep of a source between two fetches, as JSON beside its snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bokit.core.model.merge import write_time
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the rules keep of a source between fetches."""

    starts: Mapping[str, str] = field(default_factory=dict)
    """First nights and the UIDs that the room's feed gave them."""
    domains: tuple[str, ...] = ()
    """What follows the at sign in the source's UIDs."""
    hold: Hold | None = None
    absent: Mapping[str, datetime] = field(default_factory=dict)
    """Stays that shrunken fetches did not show, and since when."""
    held_since: datetime | None = None
    """Since when every fetch was held."""
    was_empty: bool = False
    """One of the held fetches was a whole calendar without events."""
    doubted_at: datetime | None = None
    """When a fetch was last held, or contradicted one before it."""
    agreed_since: datetime | None = None
    """Since when shrunken fetches agree on which stays are gone."""

    def without_hold(self) -> Remembered:
        """Return it with nothing held."""
        return Remembered(starts=self.starts, domains=self.domains, doubted_at=self.doubted_at)


def read_memory(memory: Fields) -> Remembered:
    """Return what *memory*, written by ``write_memory``, tells."""
    return Remembered(
        starts=dict(memory.get("starts", {})),
        domains=tuple(memory.get("domains", ())),
        hold=_read_hold(memory["hold"]) if memory.get("hold") else None,
        absent={id: datetime.fromisoformat(at) for id, at in memory.get("absent", {}).items()},
        held_since=_read_time(memory.get("held_since")),
        doubted_at=_read_time(memory.get("doubted_at")),
        was_empty=bool(memory.get("was_empty")),
        agreed_since=_read_time(memory.get("agreed_since")),
    )


def write_memory(told: Remembered) -> dict[str, Json]:
    """Return *told* as JSON."""
    memory: dict[str, Json] = {}
    if told.starts:
        memory["starts"] = dict(told.starts)
    if told.domains:
        memory["domains"] = list(told.domains)
    if told.hold:
        memory["hold"] = _write_hold(told.hold)
    if told.absent:
        memory["absent"] = {id: write_time(at) for id, at in sorted(told.absent.items())}
    if told.held_since:
        memory["held_since"] = write_time(told.held_since)
    if told.doubted_at:
        memory["doubted_at"] = write_time(told.doubted_at)
    if told.was_empty:
        memory["was_empty"] = True
    if told.agreed_since:
        memory["agreed_since"] = write_time(told.agreed_since)
    return memory


def _write_hold(hold: Hold) -> dict[str, Json]:
    offered = write_time(hold.offered_at) if hold.offered_at else None
    return {
        "code": hold.code,
        "message": hold.message,
        "since": write_time(hold.since),
        "can_apply": hold.can_apply,
        "releases": [dict(r) for r in hold.releases],
        "offered_at": offered,
    }


def _read_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _read_hold(told: Fields) -> Hold:
    return Hold(
        code=told["code"],
        message=told["message"],
        since=datetime.fromisoformat(told["since"]),
        can_apply=told["can_apply"],
        releases=tuple(told["releases"]),
        offered_at=_read_time(told.get("offered_at")),
    )
