"""The notice of a run's conflicts: one for all that it opened and closed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bokit.core.model.full_names import FullNames
from bokit.core.model.notices import Notice
from bokit.core.model.records import Json, Presence
from bokit.core.occupancy.conflict_records import ConflictChange
from bokit.core.occupancy.conflicts import Certainty
from bokit.engine.bookings.limits import MAX_CONFLICTS_NAMED, MAX_UNITS_NAMED
from bokit.engine.bookings.unit_groups import UnitGroup

SHOWN = "`bokit conflicts` shows them."


def notice_conflicts(changes: Sequence[ConflictChange], group: UnitGroup) -> Notice:
    """Return the notice of *changes*, one or more; its id is the same each time they are published.

    It names MAX_CONFLICTS_NAMED by date, those that opened first, and says how many there are.
    """
    ordered = sorted(changes, key=lambda c: (c.news != "opened", c.record.remote["nights"], c.record.id))
    identity = "/".join(f"{c.news}/{c.record.id}/{c.record.remote['opened']}" for c in ordered)
    return Notice(
        id="ntc_" + hashlib.sha256(identity.encode()).hexdigest()[:20],
        type=f"conflict.{ordered[0].news}",
        tenant=group.tenant,
        at=group.at,
        text=_write_sentence(ordered[0], group.names) if len(ordered) == 1 else _write_list(ordered, group.names),
        facts=_list_facts(ordered),
    )


def _list_facts(ordered: Sequence[ConflictChange]) -> dict[str, Json]:
    """Return the facts of the first conflict, and the ids of those named."""
    first = ordered[0].record
    return {
        "conflict_id": first.id,
        "unit_id": first.scope,
        "certainty": first.remote["certainty"],
        "conflict_ids": [c.record.id for c in ordered[:MAX_CONFLICTS_NAMED]],
        "opened": sum(c.news == "opened" for c in ordered),
        "closed": sum(c.news == "closed" for c in ordered),
    }


def _write_sentence(change: ConflictChange, names: FullNames) -> str:
    """Return the notice of one conflict."""
    conflict, where = change.record.remote, _write_units(change, names)
    nights, many = _write_nights(change), len(conflict["bookings"])
    count = "two" if many == 2 else str(many)
    if change.record.presence is Presence.GONE:
        return f"{where}: the conflict over {nights} is closed, {change.record.gone_reason}."
    if conflict["is_turnover"]:
        return f"{where}: less time between {count} stays than the unit needs, {nights}; {SHOWN}"
    if conflict["certainty"] == Certainty.POSSIBLE:
        return f"{where}: perhaps {count} bookings hold {nights}, or one calendar repeats the other; {SHOWN}"
    return f"{where}: {count} bookings hold {nights}; {SHOWN}"


def _write_list(ordered: Sequence[ConflictChange], names: FullNames) -> str:
    """Return the notice of several conflicts."""
    opened = sum(c.news == "opened" for c in ordered)
    counts = [f"{n} {word}" for n, word in ((opened, "opened"), (len(ordered) - opened, "closed")) if n]
    named = [_write_item(change, names) for change in ordered[:MAX_CONFLICTS_NAMED]]
    more = len(ordered) - len(named)
    listed = "; ".join([*named, *[f"and {more} more"] * bool(more)])
    return f"{len(ordered)} conflicts: {' and '.join(counts)}. {listed}. {SHOWN}"


def _write_item(change: ConflictChange, names: FullNames) -> str:
    conflict = change.record.remote
    state = "closed" if change.news == "closed" else conflict["certainty"]
    return f"{_write_units(change, names)}, {_write_nights(change)}: {len(conflict['bookings'])} bookings, {state}"


def _write_units(change: ConflictChange, names: FullNames) -> str:
    units = [names.of_unit(unit) for unit in change.record.remote["unit_ids"]]
    more = len(units) - MAX_UNITS_NAMED
    shown = units if more <= 0 else [*units[:MAX_UNITS_NAMED], f"{more} more"]
    return " and ".join(shown)


def _write_nights(change: ConflictChange) -> str:
    nights = change.record.remote["nights"]
    return f"{len(nights)} night{'s' if len(nights) > 1 else ''} from {nights[0]}"
