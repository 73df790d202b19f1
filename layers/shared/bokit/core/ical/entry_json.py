"""Entries as JSON and back: for people as the contract shows them, for snapshots as short as they can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime
from typing import Any, cast

from bokit.core.ical.entries import Entry, Kind, Status
from bokit.core.model.records import Json

_NAMES = tuple(f.name for f in fields(Entry))
_DEFAULTS: list[Json] = [{} if f.name == "extra" else None if f.default is MISSING else f.default for f in fields(Entry)]
_KIND, _STATUS, _CHECK_IN, _CHECK_OUT = map(_NAMES.index, ("kind", "status", "check_in", "check_out"))
_TIMES = tuple(map(_NAMES.index, ("starts_at", "ends_at")))
_LEAST = max(_KIND, _STATUS, _CHECK_IN, _CHECK_OUT, *_TIMES) + 1
_REST = tuple(tuple(_DEFAULTS[size:]) for size in range(len(_DEFAULTS) + 1))
_KINDS = {str(kind): kind for kind in Kind}
_STATUSES = {str(status): status for status in Status}


class _Draft:
    """An entry that is being filled in: the same slots, not frozen yet. A frozen value's __init__ takes six times as long."""

    __slots__ = _NAMES


def entry_as_dict(entry: Entry) -> dict[str, Json]:
    """Return every field of *entry*, dates and times as the contract writes them."""
    return {name: _plain(getattr(entry, name)) for name in _NAMES}


def pack_entry(entry: Entry) -> list[Json]:
    """Return the values of *entry*'s fields in their order, without the defaults at the end: what a snapshot keeps."""
    values = [getattr(entry, name) for name in _NAMES]
    while len(values) > _LEAST and values[-1] == _DEFAULTS[len(values) - 1]:
        values.pop()
    return [_plain(value) for value in values]


def unpack_entry(told: list[Json]) -> Entry:
    """Return the entry that :func:`pack_entry` wrote, using up *told*; raises LookupError, TypeError or ValueError."""
    told[_KIND], told[_STATUS] = _KINDS[told[_KIND]], _STATUSES[told[_STATUS]]
    told[_CHECK_IN], told[_CHECK_OUT] = date.fromisoformat(told[_CHECK_IN]), date.fromisoformat(told[_CHECK_OUT])
    for place in _TIMES:
        if told[place]:
            told[place] = datetime.fromisoformat(told[place])
    new: Any = _Draft()
    values: list[Any] = [*told, *_REST[len(told)]]
    (
        new.uid,
        new.recurrence_id,
        new.kind,
        new.status,
        new.check_in,
        new.check_out,
        new.starts_at,
        new.ends_at,
        new.summary,
        new.guest_name,
        new.reservation_code,
        new.reservation_url,
        new.phone_last4,
        new.phone,
        new.email,
        new.country,
        new.guests,
        new.adults,
        new.children,
        new.ota,
        new.ota_reference,
        new.comments,
        new.notes,
        new.sequence,
        new.extra,
    ) = values
    new.__class__ = Entry
    return cast("Entry", new)


def _plain(value: Json) -> Json:
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Kind | Status) else value
