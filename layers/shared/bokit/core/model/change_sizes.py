"""Lines of a change log that one item of the table holds: the longest values are cut, and say so.

A record may be as large as its source and its people made it; a line has each changed value twice, before and after. What
is cut is only shown: no merge and no guard reads the log, and an undo leaves such a field alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from bokit.core.model.codec import dump_json, write_document
from bokit.core.model.records import FieldChange, Json, LoggedChange
from bokit.values import replace

CUT = "_cut"
"""The one name of what stands for a value that was cut: ``{"_cut": {"bytes": 262144, "begins": "…"}}``."""
MAX_SHOWN = 200
"""Characters of a value that are kept."""
_SIZES = (100_000, 20_000, 4_000, 1_000, 0)
"""Bytes of a value that stays, tried one after the other."""
_SMALL = 2_000


def fit_change(change: LoggedChange, size: int) -> LoggedChange:
    """Return *change* so that its document, compressed, has at most *size* bytes."""
    if _is_small(change) or len(zlib.compress(write_document(change).encode())) <= size:
        return change
    fitting = (_cut_change(change, limit) for limit in _SIZES)
    return next((c for c in fitting if len(zlib.compress(write_document(c).encode())) <= size), _cut_change(change, 0))


def is_cut(value: Json) -> bool:
    """Return whether *value* stands for one that was cut."""
    return isinstance(value, Mapping) and value.keys() == {CUT}


def _is_small(change: LoggedChange) -> bool:
    """Return whether no document needs to be made to see that the line fits."""
    values = [v for changes in (change.fields, change.preserved) for c in changes.values() for v in (c.before, c.after)]
    return len(values) < 100 and all(
        not isinstance(v, (dict, list)) and (not isinstance(v, str) or len(v) < _SMALL) for v in values
    )


def _cut_change(change: LoggedChange, limit: int) -> LoggedChange:
    def cut(changes: Mapping[str, FieldChange]) -> dict[str, FieldChange]:
        return {name: _cut_field(field, limit) for name, field in changes.items()}

    return replace(change, fields=cut(change.fields), preserved=cut(change.preserved))


def _cut_field(field: FieldChange, limit: int) -> FieldChange:
    """Return the change with both values cut if one of them is too large: half of a change cannot be undone."""
    before, after = dump_json(field.before), dump_json(field.after)
    if max(len(before), len(after)) <= limit:
        return field
    shown = min(MAX_SHOWN, limit)
    return FieldChange(before=_cut_value(field.before, before, shown), after=_cut_value(field.after, after, shown))


def _cut_value(value: Json, document: str, shown: int) -> Json:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    begins = value if isinstance(value, str) else document
    return {CUT: {"bytes": len(document), "begins": begins[:shown]}}
