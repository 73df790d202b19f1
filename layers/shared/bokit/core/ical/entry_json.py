"""Entries as JSON and back: in full for people, as short as possible for snapshots."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.merge import normalise
from bokit.core.model.records import Json
from bokit.values import MISSING, defaults_of, fields_of

_NAMES = fields_of(Entry)
_DEFAULTS = [None if default is MISSING else default for default in defaults_of(Entry).values()]
_KIND, _STATUS, _CHECK_IN, _CHECK_OUT = map(_NAMES.index, ("kind", "status", "check_in", "check_out"))
_TIMES = tuple(map(_NAMES.index, ("starts_at", "ends_at")))
_MIN_SIZE = max(_KIND, _STATUS, _CHECK_IN, _CHECK_OUT, *_TIMES) + 1
_KINDS = {str(kind): kind for kind in EntryKind}
_STATUSES = {str(status): status for status in Status}


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
    return Entry(**dict(zip(_NAMES[: len(values)], values, strict=True)))
