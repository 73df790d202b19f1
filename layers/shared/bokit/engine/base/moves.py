"""The move of a source to another unit, as the collection of its records plans it: ``engine.bookings.moves``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Protocol, TypedDict

from bokit.core.model.catalog import Source, UnitId
from bokit.core.model.documents import Count, Day
from bokit.core.model.records import Fields, LoggedChange, Record, Scope
from bokit.values import Value


class MoveDocument(TypedDict):
    """What the move of a source to another unit does to nights and bookings."""

    from_unit_id: str
    to_unit_id: str
    bookings: Annotated[Count, "Bookings that go with it, with their edits; the past ones, too."]
    frees: Annotated[list[Day], "Nights to come that nothing else holds in the unit that it leaves."]
    holds: Annotated[list[Day], "Nights to come that are newly held in the other unit."]
    meets: Annotated[list[Day], "Nights to come that something else holds there already."]


class SourceMove(Value):
    """What a source's move writes, in this order: the records there, the source, and what they leave here."""

    there: Sequence[Record]
    here: Sequence[Record]
    lines: Sequence[LoggedChange]
    """Of both."""
    scopes: Sequence[Scope]
    """The units whose conflicts and calendars follow."""
    memory: Fields
    """What the rules keep of the source afterwards."""
    bookings: int
    frees: Sequence[date]
    holds: Sequence[date]
    meets: Sequence[date]

    def lines_of(self, records: Sequence[Record]) -> list[LoggedChange]:
        """Return the lines of these records."""
        ids = {record.id for record in records}
        return [line for line in self.lines if line.record_id in ids]

    def describe(self, source: Source, to: UnitId) -> MoveDocument:
        """Return the document of the move of *source*, as it is before it."""
        return {
            "from_unit_id": source.scope,
            "to_unit_id": to,
            "bookings": self.bookings,
            "frees": [night.isoformat() for night in self.frees],
            "holds": [night.isoformat() for night in self.holds],
            "meets": [night.isoformat() for night in self.meets],
        }


class MovePlanning(Protocol):
    """Plans moves of sources between units; writes nothing."""

    def find_freed(self, source: Source) -> Sequence[date]:
        """Return the nights to come that only *source* holds in its unit."""
        ...

    def plan(self, source: Source, to: UnitId, *, by: str) -> SourceMove:
        """Return what the move of *source* to the unit writes."""
        ...
