"""Entries as JSON and back: for people as the contract shows them, for snapshots as short as they can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime

from bokit.core.entries import Entry, Kind, Status
from bokit.core.records import Json

_DEFAULTS: dict[str, Json] = {f.name: {} if f.name == "extra" else f.default for f in fields(Entry)}
_OPTIONAL = {name: None if default is MISSING else default for name, default in _DEFAULTS.items()}
_PUT = tuple(getattr(Entry, name).__set__ for name in _DEFAULTS)
"""Each field's own way in: a frozen value's __init__ takes twice the time, and snapshots hold thousands."""
_TIMES = ("starts_at", "ends_at")
_NAMES = tuple(f.name for f in fields(Entry))


def entry_as_dict(entry: Entry) -> dict[str, Json]:
    """Return every field of *entry*, dates and times as the contract writes them."""
    return {name: _plain(getattr(entry, name)) for name in _NAMES}


def pack_entry(entry: Entry) -> dict[str, Json]:
    """Return the fields of *entry* that differ from their defaults: what a snapshot keeps."""
    told: dict[str, Json] = {}
    for name, default in _DEFAULTS.items():
        value = getattr(entry, name)
        if value != default:
            told[name] = value if value.__class__ is str else _plain(value)
    return told


def read_entry_dict(values: Mapping[str, Json]) -> Entry:
    """Return the entry that :func:`entry_as_dict` or :func:`pack_entry` wrote; raises KeyError or ValueError."""
    return unpack_entry(dict(values))


def unpack_entry(told: dict[str, Json]) -> Entry:
    """The same, using up *told*: a snapshot has hundreds of them."""
    told["kind"], told["status"] = _KINDS[told["kind"]], _STATUSES[told["status"]]
    told["check_in"], told["check_out"] = date.fromisoformat(told["check_in"]), date.fromisoformat(told["check_out"])
    for name in _TIMES:
        if told.get(name):
            told[name] = datetime.fromisoformat(told[name])
    entry: Entry = object.__new__(Entry)
    for put, value in zip(_PUT, {**_OPTIONAL, "uid": told["uid"], **told}.values(), strict=True):
        put(entry, value)
    return entry


_KINDS = {str(kind): kind for kind in Kind}
_STATUSES = {str(status): status for status in Status}


def _plain(value: Json) -> Json:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Kind | Status) else value
