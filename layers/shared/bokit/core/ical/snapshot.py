"""Snapshots: what a body's groups said, compressed; the next reading parses only what changed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from bokit.core.ical.entries import Entry
from bokit.core.ical.entry_json import pack_entry, unpack_entry
from bokit.core.ical.groups import EventGroup, GroupContent
from bokit.core.ical.lexer import CalendarText
from bokit.core.ical.limits import MAX_SNAPSHOT_BYTES
from bokit.core.model.records import Json
from bokit.core.model.source_rules import Problem
from bokit.values import Value, field, replace

CODE_VERSION = "5"
"""Raise it whenever the same bytes would be read differently: older hashes and snapshots are then ignored."""

MASKED = "!"
"""How the name of a group begins that was changed after it was read: no fingerprint begins so."""


class KeptSeries(NamedTuple):
    """What is needed to expand a series again as days pass."""

    calendar: int
    uid: str
    texts: tuple[str, ...]
    window: tuple[date, date]


class KeptGroup(NamedTuple):
    """One group in a snapshot. *line* is the group as the snapshot writes it: an unchanged group is not written again."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    series: KeptSeries | None
    line: str


class BodyContent(Value):
    """What a body says, group by group: a snapshot, unpacked."""

    groups: Mapping[str, KeptGroup] = field(default_factory=dict)
    """By fingerprint, which covers calendar, settings and code version as well."""
    calendars: tuple[CalendarText, ...] = ()  # what a series needs of its calendar; empty without a series
    platform: str = "generic"
    problems: tuple[Problem, ...] = ()  # of the body as a whole
    is_whole: bool = True


def begin_fingerprint(calendar: CalendarText, number: int, settings: tuple[str, ...]) -> hashlib.blake2b:
    """Return a hash of what, beside its own text, decides how an event of *calendar*, the *number*-th of its body, is read."""
    content = json.dumps([CODE_VERSION, *settings, number, calendar.head])
    salt = hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return hashlib.blake2b(salt.encode(), digest_size=12)


def pack_snapshot(content: BodyContent) -> bytes:
    """Return *content* as bytes: a line for the body, then one for each group, led by its fingerprint."""
    head = {
        "calendars": [[c.head, list(c.timezones), c.properties] for c in content.calendars],
        "platform": content.platform,
        "problems": [p.as_dict() for p in content.problems],
        "whole": content.is_whole,
    }
    lines = (f"{key} {kept.line}" for key, kept in content.groups.items())
    return zlib.compress("\n".join((json.dumps(head, ensure_ascii=False), *lines)).encode(), 1)


def unpack_snapshot(snapshot: bytes) -> BodyContent | None:
    """Return the snapshot's content; None for one that is empty, damaged or of another format: then all is read again."""
    try:
        first, *lines = zlib.decompressobj().decompress(snapshot, MAX_SNAPSHOT_BYTES).decode().split("\n")
        head = json.loads(first)
        return BodyContent(
            groups=_read_lines([line.partition(" ") for line in lines]),
            calendars=tuple(CalendarText(head=h, timezones=tuple(z), properties=p) for h, z, p in head["calendars"]),
            platform=head["platform"],
            problems=_read_problems(head["problems"]),
            is_whole=head["whole"],
        )
    except (zlib.error, ValueError, LookupError, TypeError, AttributeError):
        return None


def keep_group(group: EventGroup, calendar: int, read: GroupContent, window: tuple[date, date]) -> KeptGroup:
    """Return what a snapshot keeps of a group that was just read: usually one entry, and then just that."""
    entries: list[Json] = [pack_entry(entry) for entry in read.entries]
    if len(entries) == 1 and not read.problems and not read.is_series:
        return KeptGroup(read.entries, (), None, _write(entries[0]))
    series = KeptSeries(calendar, *group, window) if read.is_series else None
    member = [calendar, group.uid, group.texts, [day.isoformat() for day in window]] if series else None
    line = _write([entries, [p.as_dict() for p in read.problems], member])
    return KeptGroup(read.entries, read.problems, series, line)


def mask_snapshot(snapshot: bytes, mask: Callable[[Entry], Entry | None]) -> tuple[bytes, int]:
    """Return *snapshot* with what *mask* makes of its entries (None: nothing), and how many it changed.

    A group with such an entry is kept under a name that no fingerprint has: the next reading of a body parses it again, and
    only a recall takes what is kept. Of a series its texts go, too.
    """
    content = unpack_snapshot(snapshot)
    if content is None:
        return snapshot, 0
    groups, count = dict[str, KeptGroup](), 0
    for key, kept in content.groups.items():
        entries = tuple(mask(entry) or entry for entry in kept.entries)
        if entries == kept.entries:
            groups[key] = kept
            continue
        count += sum(new != entry for new, entry in zip(entries, kept.entries, strict=True))
        packed: list[Json] = [pack_entry(entry) for entry in entries]
        line = _write([packed, [p.as_dict() for p in kept.problems], None])
        groups[f"{MASKED}{len(groups)}"] = KeptGroup(entries, kept.problems, None, line)
    return (pack_snapshot(replace(content, groups=groups)), count) if count else (snapshot, 0)


def _write(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _read_lines(lines: Sequence[tuple[str, str, str]]) -> dict[str, KeptGroup]:
    """Read all the groups in one JSON document: a call for each would cost more than the reading."""
    groups = json.loads(f"[{','.join(line for _, _, line in lines)}]")
    return {
        key: KeptGroup((unpack_entry(group),), (), None, line) if group[0].__class__ is str else _read_kept(line, *group)
        for (key, _, line), group in zip(lines, groups, strict=True)
    }


def _read_kept(line: str, packed: list[Any], problems: Sequence[Any], member: Any) -> KeptGroup:
    entries, series = tuple(map(unpack_entry, packed)), None
    if member:
        calendar, uid, texts, (first, last) = member
        window = (date.fromisoformat(first), date.fromisoformat(last))
        series = KeptSeries(calendar, uid, tuple(texts), window)
    return KeptGroup(entries, _read_problems(problems), series, line)


def _read_problems(problems: Sequence[Any]) -> tuple[Problem, ...]:
    return tuple(Problem(**problem) for problem in problems)
