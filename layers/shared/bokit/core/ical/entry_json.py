"""Entries as JSON and back: in full for people, as short as possible for snapshots."""

from __future__ import annotations

from dataclasses import MISSING, fields, make_dataclass
from datetime import date, datetime
from typing import Any, cast

from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.merge import normalise
from bokit.core.model.records import Json

_NAMES = tuple(f.name for f in fields(Entry))
_DEFAULTS: list[Json] = [{} if f.name == "extra" else None if f.default is MISSING else f.default for f in fields(Entry)]
_DEFAULT_TAILS = tuple(tuple(_DEFAULTS[size:]) for size in range(len(_DEFAULTS) + 1))
_KIND, _STATUS, _CHECK_IN, _CHECK_OUT = map(_NAMES.index, ("kind", "status", "check_in", "check_out"))
_TIMES = tuple(map(_NAMES.index, ("starts_at", "ends_at")))
_MIN_SIZE = max(_KIND, _STATUS, _CHECK_IN, _CHECK_OUT, *_TIMES) + 1
_KINDS = {str(kind): kind for kind in EntryKind}
_STATUSES = {str(status): status for status in Status}
_MutableEntry = make_dataclass("_MutableEntry", _NAMES, slots=True)
"""The same slots as an Entry's, filled by position, not frozen: a frozen value's __init__ takes six times as long."""


def entry_as_dict(entry: Entry) -> dict[str, Json]:
    """Return every field of *entry*, dates and times as text."""
    return {name: normalise(getattr(entry, name)) for name in _NAMES}


def pack_entry(entry: Entry) -> list[Json]:
    """Return the values of *entry*'s fields in their order, without the defaults at the end: what a snapshot keeps."""
    values = [getattr(entry, name) for name in _NAMES]
    while len(values) > _MIN_SIZE and values[-1] == _DEFAULTS[len(values) - 1]:
        values.pop()
    return [normalise(value) for value in values]


def unpack_entry(values: list[Any]) -> Entry:
    """Return the entry that :func:`pack_entry` wrote; changes *values*. Raises LookupError, TypeError or ValueError."""
    values[_KIND], values[_STATUS] = _KINDS[values[_KIND]], _STATUSES[values[_STATUS]]
    values[_CHECK_IN], values[_CHECK_OUT] = date.fromisoformat(values[_CHECK_IN]), date.fromisoformat(values[_CHECK_OUT])
    for place in _TIMES:
        if values[place]:
            values[place] = datetime.fromisoformat(values[place])
    entry: Any = _MutableEntry(*values, *_DEFAULT_TAILS[len(values)])
    entry.__class__ = Entry
    return cast("Entry", entry)
