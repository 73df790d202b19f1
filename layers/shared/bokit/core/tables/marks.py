"""Until which time each table was read: shown as people read it, and taken back, so that all of it is read again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from bokit.core.model.documents import write_time
from bokit.core.model.records import Json
from bokit.core.tables.agreement import States, is_former
from bokit.core.tables.chunks import TableState, pack_manifest, unpack_manifest
from bokit.core.tables.values import unpack_key
from bokit.values import replace


def show_watermark(state: TableState) -> Json:
    """Return the last updated-at value seen, as its column holds it; None: none yet."""
    value = None if state.watermark is None else unpack_key([state.watermark])[0]
    if isinstance(value, datetime):
        return write_time(value) if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


def reset_watermarks(states: States, names: Iterable[str]) -> dict[str, TableState]:
    """Return *states* with nothing read of the tables of these *names*; their rows stay agreed on, and none is missing."""
    chosen = {name for name in names if name in states and not is_former(name)}
    kept = {name: state for name, state in states.items() if name not in chosen}
    return kept | {name: replace(states[name], watermark=None, full_at=None, unstamped="") for name in chosen}


def reset_manifest(content: bytes, names: Iterable[str]) -> bytes:
    """Return a stored manifest with nothing read of these tables; the same where nothing differs."""
    states = unpack_manifest(content)
    after = reset_watermarks(states, names)
    return content if after == states else pack_manifest(after)
