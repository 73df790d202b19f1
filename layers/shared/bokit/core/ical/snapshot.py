"""Snapshots: what a body's groups said, compressed, so that the next reading parses only what changed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from bokit.core.ical.entries import Entry
from bokit.core.ical.entry_json import pack_entry, unpack_entry
from bokit.core.ical.groups import Group, GroupRead
from bokit.core.ical.lexer import CalendarText
from bokit.core.model.records import Json
from bokit.core.model.source_rules import Problem

CODE_VERSION = "2"
"""Raise it whenever the same bytes would be read otherwise: hashes and snapshots of before then count no more."""
MAX_SNAPSHOT = 64_000_000


class Series(NamedTuple):
    """What a series needs to be expanded again, since it says more as days pass."""

    calendar: int
    uid: str
    texts: tuple[str, ...]
    window: tuple[date, date]


class Kept(NamedTuple):
    """One group in a snapshot. *line* is the group as the snapshot writes it: what stays as it was is not written anew."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    series: Series | None
    line: str


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


def salt_of(calendar: CalendarText, number: int, settings: tuple[str, ...]) -> str:
    """Return what, beside its own text, decides how an event of *calendar*, the *number*-th of its body, reads."""
    told = json.dumps([CODE_VERSION, *settings, number, calendar.head])
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def pack_snapshot(memory: Memory) -> bytes:
    """Return *memory* as bytes: a line for the body, then one for each group, led by its fingerprint."""
    head = {
        "calendars": [[c.head, list(c.timezones), c.properties] for c in memory.calendars],
        "platform": memory.platform,
        "problems": problems_as_dicts(memory.problems),
        "whole": memory.is_whole,
    }
    lines = (f"{key} {kept.line}" for key, kept in memory.groups.items())
    return zlib.compress("\n".join((json.dumps(head, ensure_ascii=False), *lines)).encode(), 1)


def unpack_snapshot(snapshot: bytes) -> Memory | None:
    """Return the snapshot's content; None for one that is empty, damaged or of another make: then all is read anew."""
    try:
        first, *lines = zlib.decompressobj().decompress(snapshot, MAX_SNAPSHOT).decode().split("\n")
        head = json.loads(first)
        return Memory(
            groups=_read_lines([line.partition(" ") for line in lines]),
            calendars=tuple(CalendarText(head=h, timezones=tuple(z), properties=p) for h, z, p in head["calendars"]),
            platform=head["platform"],
            problems=_read_problems(head["problems"]),
            is_whole=head["whole"],
        )
    except (zlib.error, ValueError, LookupError, TypeError, AttributeError):
        return None


def keep_group(group: Group, calendar: int, read: GroupRead, window: tuple[date, date]) -> Kept:
    """Return what a snapshot keeps of a group that was just read: mostly one entry, and then just that."""
    series = Series(calendar, group.uid, group.texts, window) if read.is_series else None
    told: list[Json] = [pack_entry(entry) for entry in read.entries]
    if len(told) == 1 and not read.problems and not series:
        return Kept(read.entries, (), None, _write(told[0]))
    member = [calendar, group.uid, group.texts, [day.isoformat() for day in window]] if series else None
    return Kept(read.entries, read.problems, series, _write([told, problems_as_dicts(read.problems), member]))


def _write(told: Json) -> str:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _read_lines(lines: Sequence[tuple[str, str, str]]) -> dict[str, Kept]:
    """Read all the groups in one go: a call for each would cost more than the reading."""
    told = json.loads(f"[{','.join(line for _, _, line in lines)}]")
    return {
        key: Kept((unpack_entry(group),), (), None, line) if group[0].__class__ is str else _read_kept(line, *group)
        for (key, _, line), group in zip(lines, told, strict=True)
    }


def _read_kept(line: str, entries: list[Json], problems: Sequence[Json], series: Json) -> Kept:
    told = tuple(map(unpack_entry, entries))
    if not series:
        return Kept(told, _read_problems(problems), None, line)
    calendar, uid, texts, (first, last) = series
    window = (date.fromisoformat(first), date.fromisoformat(last))
    return Kept(told, _read_problems(problems), Series(calendar, uid, tuple(texts), window), line)


def _read_problems(told: Sequence[Json]) -> tuple[Problem, ...]:
    return tuple(Problem(**problem) for problem in told)


def problems_as_dicts(problems: Sequence[Problem]) -> list[dict[str, Json]]:
    """Return problems in the contract's shape."""
    return [{"code": p.code, "message": p.message, "uid": p.uid} for p in problems]
