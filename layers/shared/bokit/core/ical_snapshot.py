"""Snapshots: what a body's groups said, compressed, so that the next reading parses only what changed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bokit.core.entry_json import pack_entry, read_entry_dict
from bokit.core.ical_groups import Group, GroupRead
from bokit.core.ical_text import CalendarText
from bokit.core.records import Json
from bokit.core.rules import Problem

CODE_VERSION = "1"
"""Raise it whenever the same bytes would be read otherwise: hashes and snapshots of before then count no more."""
MAX_SNAPSHOT = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One group in a snapshot. A series is kept with its texts, since it must be expanded again as days pass."""

    read: GroupRead
    calendar: int = 0
    uid: str = ""
    texts: tuple[str, ...] = ()
    window: tuple[date, date] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A snapshot, unpacked."""

    groups: Mapping[str, Kept] = field(default_factory=dict)
    """By fingerprint, which holds calendar, settings and code version as well."""
    calendars: tuple[CalendarText, ...] = ()
    """What a series needs of its calendar; kept where there is one."""
    platform: str = "generic"
    problems: tuple[Problem, ...] = ()
    """Of the body as a whole."""
    is_whole: bool = True


def salt_of(calendar: CalendarText, platform: str, timezone: str, settings: str) -> str:
    """Return what, beside its own text, decides how an event of *calendar* reads."""
    told = json.dumps([CODE_VERSION, platform, timezone, settings, calendar.head])
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def pack_snapshot(memory: Memory) -> bytes:
    """Return *memory* as bytes."""
    told = {
        "groups": {key: _pack_kept(kept) for key, kept in memory.groups.items()},
        "calendars": [[c.head, list(c.timezones), c.properties] for c in memory.calendars],
        "platform": memory.platform,
        "problems": [_pack_problem(p) for p in memory.problems],
        "whole": memory.is_whole,
    }
    return zlib.compress(json.dumps(told, separators=(",", ":")).encode(), 1)


def unpack_snapshot(snapshot: bytes) -> Memory | None:
    """Return the snapshot's content; None for one that is empty, damaged or of another make: then all is read anew."""
    try:
        told = json.loads(zlib.decompressobj().decompress(snapshot, MAX_SNAPSHOT))
        return Memory(
            groups={key: _read_kept(kept) for key, kept in told["groups"].items()},
            calendars=tuple(CalendarText(head=h, timezones=tuple(z), properties=p) for h, z, p in told["calendars"]),
            platform=told["platform"],
            problems=tuple(Problem(**p) for p in told["problems"]),
            is_whole=told["whole"],
        )
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_group(group: Group, calendar: int, read: GroupRead, window: tuple[date, date]) -> Kept:
    """Return what a snapshot keeps of a group that was just read."""
    if not read.is_series:
        return Kept(read=read)
    return Kept(read=read, calendar=calendar, uid=group.uid, texts=group.texts, window=window)


def _pack_kept(kept: Kept) -> Json:
    told: dict[str, Json] = {"e": [pack_entry(entry) for entry in kept.read.entries]}
    if kept.read.problems:
        told["p"] = [_pack_problem(p) for p in kept.read.problems]
    if kept.window:
        told["s"] = [kept.calendar, kept.uid, kept.texts, [day.isoformat() for day in kept.window]]
    return told


def _read_kept(told: Json) -> Kept:
    entries = tuple(read_entry_dict(entry) for entry in told["e"])
    problems = tuple(Problem(**p) for p in told.get("p", ()))
    read = GroupRead(entries=entries, problems=problems, is_series="s" in told)
    if "s" not in told:
        return Kept(read=read)
    calendar, uid, texts, (first, last) = told["s"]
    window = (date.fromisoformat(first), date.fromisoformat(last))
    return Kept(read=read, calendar=calendar, uid=uid, texts=tuple(texts), window=window)


def _pack_problem(problem: Problem) -> dict[str, Json]:
    return {"code": problem.code, "message": problem.message, "uid": problem.uid}


def problems_as_dicts(problems: Sequence[Problem]) -> list[dict[str, Json]]:
    """Return problems in the contract's shape."""
    return [_pack_problem(problem) for problem in problems]
