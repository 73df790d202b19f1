"""Plans the move of a source to another unit: which records go with it, and which nights that frees, holds and doubles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from bokit.core.bookings.move import RecordMove, is_written, move_record, rename_id, rename_ids
from bokit.core.bookings.stay import held_nights, is_moved, is_window, published_nights
from bokit.core.model.catalog import BOOKINGS, Source, UnitId
from bokit.core.model.records import Fields, LoggedChange, Record, RecordId, Scope
from bokit.engine.base.clock import Clock
from bokit.engine.base.moves import SourceMove
from bokit.engine.bookings.unit_groups import UnitGroupReader
from bokit.store.protocols import Store
from bokit.values import Value


class _Unit(Value):
    """A unit's records, and its date."""

    scope: Scope
    records: list[Record]
    today: date

    def nights(self, records: Iterable[Record]) -> set[date]:
        """Return the nights to come that *records* hold; of a window, those that others are shown."""
        held = (published_nights(r) if is_window(r) else held_nights(r) for r in records)
        return {night for nights in held for night in nights if night >= self.today}


class MovePlanner:
    """Plans moves of sources; writes nothing."""

    def __init__(self, store: Store, defaults: Fields, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.reader = UnitGroupReader(store, defaults)

    def find_freed(self, source: Source) -> list[date]:
        """Return the nights to come that only *source* holds in its unit."""
        unit = self._load(source, source.scope)
        mine = [r for r in unit.records if r.source_id == source.id]
        return sorted(unit.nights(mine) - unit.nights(r for r in unit.records if r.source_id != source.id))

    def plan(self, source: Source, to: UnitId, *, by: str) -> SourceMove:
        """Return what the move of *source* to the unit writes.

        Also what a move that was interrupted left in other units goes: where the source is there already, its records are, too.
        """
        scope, at = Scope(to), self.clock()
        there = self._load(source, scope)
        known, is_there = {r.id: r for r in there.records}, source.scope == scope
        copies, left, lines = dict[RecordId, Record](), list[Record](), dict[RecordId, LoggedChange]()
        frees, scopes = set[date](), {scope, source.scope}
        for unit in self._load_others(source, scope):
            mine = [r for r in unit.records if r.source_id == source.id]
            moves: list[RecordMove] = [move_record(r, scope, known, by=by, at=at) for r in mine]
            copies |= {m.there.id: m.there for m in moves if not (is_there and m.there.id in known)}
            left += [m.here for m in moves]
            lines |= {line.record_id: line for m in moves for line in m.lines}
            scopes |= (
                {unit.scope} if mine or any(is_moved(r) and rename_id(r.id, scope) in known for r in unit.records) else set()
            )
            frees |= unit.nights(mine) - unit.nights(r for r in unit.records if r.source_id != source.id)
        copies = {i: r for i, r in copies.items() if not is_written(r, known.get(i))}
        beside = there.nights(r for r in there.records if r.source_id != source.id)
        moved = there.nights([*copies.values(), *(r for r in there.records if r.source_id == source.id)])
        return SourceMove(
            there=tuple(copies.values()),
            here=tuple(left),
            lines=tuple(lines.values()),
            scopes=tuple(sorted(scopes)),
            memory=rename_ids(self.store.load_snapshot(source).memory, source.scope, scope),
            bookings=sum(1 for r in left if r.id in lines and not is_window(r)),
            frees=tuple(sorted(frees)),
            holds=tuple(sorted(moved - beside)),
            meets=tuple(sorted(moved & beside)),
        )

    def _load_others(self, source: Source, scope: Scope) -> Iterator[_Unit]:
        """Yield each other unit in which there are records of *source*: its own one last, since these are the newest."""
        others = {Scope(u.id) for u in self.store.load_units(source.tenant)} - {scope}
        return (self._load(source, other) for other in sorted(others, key=lambda other: (other == source.scope, other)))

    def _load(self, source: Source, scope: Scope) -> _Unit:
        records = list(self.store.load_records(source.tenant, BOOKINGS, scope))
        return _Unit(scope=scope, records=records, today=self.reader.load_group(source.tenant, scope, self.clock()).today)
