"""Conflicts as records: opened, changed and closed by the runs that find them, acknowledged by a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from itertools import count
from typing import Annotated, Any, Literal, TypedDict

from bokit.core.bookings.stay import time_or_none
from bokit.core.model.documents import Count, Day, Time, write_time
from bokit.core.model.merge import compare_fields
from bokit.core.model.records import (
    CollectionName,
    Fields,
    Json,
    LoggedChange,
    Presence,
    Record,
    RecordId,
    RunId,
    TenantId,
    new_record,
)
from bokit.core.occupancy.conflicts import Certainty, Conflict
from bokit.errors import StateError
from bokit.values import Value, replace

CONFLICTS = CollectionName("conflicts")
PAST = "its nights are past"
NO_LONGER_SHARED = "the bookings no longer share a night"
JOINED = "it is a part of the conflict {id}"
NOT_ACKNOWLEDGED = {"acknowledged_at": None, "acknowledged_by": None}


class ConflictAuthor(Value):
    """For which tenant, when and by whom conflicts are written."""

    tenant: TenantId
    at: datetime
    today: date
    by: str
    run_id: RunId | None = None


class ConflictChange(Value):
    """One conflict's record to write, the line for its log, and what to publish."""

    record: Record
    line: LoggedChange
    news: str | None = None
    """``opened`` or ``closed``."""


def read_members(record: Record) -> frozenset[RecordId]:
    """Return the records of a conflict's bookings, when it was last written."""
    return frozenset((*record.remote["bookings"], *record.remote.get("also", ())))


def list_known(known: Iterable[Record]) -> list[frozenset[RecordId]]:
    """Return the members of each open conflict, as ``find_conflicts`` takes them."""
    return [read_members(r) for r in known if r.presence is not Presence.GONE]


def plan_conflicts(known: Iterable[Record], found: Iterable[Conflict], author: ConflictAuthor) -> list[ConflictChange]:
    """Return what must be written so that the records agree with the conflicts found.

    A conflict found continues each open one of its kind with which it has two bookings or more in common.

    it continues      result
    none              opened
    one               that one goes on under its id, also where its first booking left it; of several that continue it (it
                      was split), the one with its first booking, else with most of its bookings
    several           the one that was opened first goes on; the others are closed, and nobody is notified of that
    none of a unit    another is opened in its place, likewise: an id names a unit in which there is a booking
    that is in it

    Open ones that none continues are closed. What continues one is acknowledged as long as all that it continues are, no
    booking joins, and no night is added. A booking that joins is reported, and so is a night added to what was
    acknowledged. Nights that passed are not a change.
    """
    stored = {r.id: r for r in known}
    planner = _ConflictPlanner(stored, list(found), author)
    changes = [planner.plan(number) for number in range(len(planner.found))]
    return [c for c in changes if c] + planner.close_rest()


class _ConflictPlanner:
    """Which stored conflict each found one continues, and what must be written of it."""

    def __init__(self, stored: Mapping[RecordId, Record], found: Sequence[Conflict], author: ConflictAuthor) -> None:
        self.found, self._stored, self._author = found, stored, author
        is_open = (r for r in stored.values() if r.presence is not Presence.GONE)
        self._open = {r.id: r for r in sorted(is_open, key=lambda r: (r.remote["opened_at"], r.id))}
        self._common = {record.id: self._count_common(record) for record in self._open.values()}
        self._parents: dict[int, list[Record]] = {}
        for record_id, common in self._common.items():
            for number in common:
                self._parents.setdefault(number, []).append(self._open[record_id])
        self._heirs = self._choose_heirs()
        self._ids = {number: record.id for number, record in self._heirs.items()}
        self._taken = set(self._open)

    @cached_property
    def _places(self) -> Mapping[tuple[bool, RecordId], Sequence[tuple[int, RecordId]]]:
        """In which conflicts found each record is, by kind, and its booking."""
        places: dict[tuple[bool, RecordId], list[tuple[int, RecordId]]] = {}
        for number, conflict in enumerate(self.found):
            for records in conflict.records:
                for member in records:
                    places.setdefault((conflict.is_turnover, member), []).append((number, records[0]))
        return places

    def _count_common(self, record: Record) -> dict[int, int]:
        """Return the conflicts found that continue *record*, with the number of bookings that they have in common."""
        kind = record.remote["is_turnover"]
        places = {place for member in read_members(record) for place in self._places.get((kind, member), ())}
        return {number: times for number, times in Counter(number for number, _ in places).items() if times > 1}

    def _choose_heirs(self) -> dict[int, Record]:
        """Return the record that goes on as each conflict found; records come in the order in which they were opened."""
        heirs: dict[int, Record] = {}
        for record in self._open.values():
            free = [n for n in self._common[record.id] if n not in heirs and record.scope in self.found[n].unit_ids]
            if free:
                first = record.remote["bookings"][0]
                heirs[max(free, key=lambda n: (first in self.found[n].members, self._common[record.id][n], -n))] = record
        return heirs

    def plan(self, number: int) -> ConflictChange | None:
        """Return what must be written of one conflict found."""
        conflict, parents = self.found[number], self._parents.get(number, [])
        values, before = _read_values(conflict), self._heirs.get(number)
        if not parents:
            return self._open_new(number, values)
        members = frozenset[RecordId]().union(*map(read_members, parents))
        has_joined = any(members.isdisjoint(records) for records in conflict.records)
        was_quiet = all(r.remote.get("acknowledged_at") is not None for r in parents)
        shown = {night.isoformat() for night in conflict.nights}
        is_longer = bool(shown.difference(*(r.remote["nights"] for r in parents)))
        is_news = has_joined or (was_quiet and is_longer)
        quiet = {} if was_quiet and not is_news else NOT_ACKNOWLEDGED
        if before is None:
            return self._split_off(number, {**values, **_acknowledgement(parents[0]), **quiet}, is_news)
        return self._go_on(before, {**values, **quiet}, is_news, has_joined)

    def _go_on(self, before: Record, values: Fields, is_news: bool, has_joined: bool) -> ConflictChange | None:
        """Return the change of a conflict that goes on; nights that passed are none."""
        today = self._author.today.isoformat()
        known = {**before.remote, "nights": [night for night in before.remote["nights"] if night >= today]}
        after = {**known, **values, **({"opened": known["opened"] + 1} if is_news else {})}
        if after == {"also": [], **known}:
            return None
        reason = "a booking joined it" if has_joined else "it changed"
        record = replace(before, remote=after, updated_at=self._author.at)
        return _change(before, record, "change", reason, self._author, "opened" if is_news else None)

    def _open_new(self, number: int, values: Fields) -> ConflictChange:
        """Return the conflict opened, for the first time or again."""
        return self._open_as(number, {**values, **NOT_ACKNOWLEDGED}, "bookings hold the same nights", "opened")

    def _split_off(self, number: int, values: Fields, is_news: bool) -> ConflictChange:
        """Return the conflict opened that was a part of another: nobody is notified, unless there is more than before."""
        return self._open_as(number, values, "it was a part of another conflict", "opened" if is_news else None)

    def _open_as(self, number: int, values: Fields, reason: str, news: str | None) -> ConflictChange:
        conflict = self.found[number]
        conflict_id = next(i for turn in count() if (i := conflict.id_of(turn)) not in self._taken)
        self._taken.add(conflict_id)
        self._ids[number] = conflict_id
        before, author = self._stored.get(conflict_id), self._author
        record = before or new_record(conflict_id, author.tenant, CONFLICTS, author.at, remote={"opened": 0})
        opened = {"opened": record.remote["opened"] + 1, "opened_at": write_time(author.at)}
        after = replace(record.as_present(record.key), remote={**values, **opened}, updated_at=author.at)
        return _change(before, after, "open", reason, author, news)

    def close_rest(self) -> list[ConflictChange]:
        """Return the open conflicts closed that do not go on."""
        going_on = {record.id for record in self._heirs.values()}
        return [self._close(record) for record in self._open.values() if record.id not in going_on]

    def _close(self, before: Record) -> ConflictChange:
        author = self._author
        is_past = all(night < author.today.isoformat() for night in before.remote["nights"])
        merged = [self._ids[number] for number in self._common[before.id]]
        reason = JOINED.format(id=merged[0]) if merged else PAST if is_past else NO_LONGER_SHARED
        after = replace(before.as_gone(author.at, reason), updated_at=author.at)
        return _change(before, after, "close", reason, author, None if merged else "closed")


def _read_values(conflict: Conflict) -> dict[str, Json]:
    return {
        "nights": [night.isoformat() for night in conflict.nights],
        "bookings": list(conflict.bookings),
        "also": sorted(conflict.members.difference(conflict.bookings)),
        "unit_ids": list(conflict.unit_ids),
        "certainty": str(conflict.certainty),
        "is_turnover": conflict.is_turnover,
    }


def _acknowledgement(record: Record) -> Fields:
    return {name: record.remote.get(name) for name in NOT_ACKNOWLEDGED}


def _change(
    before: Record | None, after: Record, action: str, reason: str, author: ConflictAuthor, news: str | None
) -> ConflictChange:
    line = _log(before, after, action, reason, author.by, author.at)
    return ConflictChange(record=after, line=replace(line, run_id=author.run_id), news=news)


def _log(before: Record | None, after: Record, action: str, reason: str, by: str, at: datetime) -> LoggedChange:
    fields = compare_fields(before.remote if before else {}, after.remote)
    return LoggedChange(record_id=after.id, at=at, by=by, action=action, reason=reason, fields=fields)


def acknowledge_conflict(record: Record, by: str, at: datetime) -> tuple[Record, LoggedChange | None]:
    """Return the conflict acknowledged by a person: muted until a booking or a night is added. Raises StateError if closed."""
    if record.presence is Presence.GONE:
        raise StateError("the conflict is closed; nothing is left to acknowledge", code="closed", id=record.id)
    if record.remote.get("acknowledged_at") is not None:
        return record, None
    remote = {**record.remote, "acknowledged_at": write_time(at), "acknowledged_by": by}
    after = replace(record, remote=remote, updated_at=at)
    return after, _log(record, after, "acknowledge", "acknowledged by a person", by, at)


def is_open(record: Record, today: date) -> bool:
    """Return whether the conflict stands; one whose nights are past does not, even if no run has closed it yet."""
    return record.presence is not Presence.GONE and any(n >= today.isoformat() for n in record.remote["nights"])


class ConflictDocument(TypedDict):
    """A double booking: bookings that hold the same nights of a unit, or too little time between guests.

    Who shares a night with any of them is one of them.
    """

    id: str
    unit_id: str
    unit_ids: list[str]
    nights: list[Day]
    bookings: Annotated[list[str], "Ids of the bookings, two or more; the one that was there first is first."]
    first: Annotated[str, "Which of the bookings was there first."]
    certainty: Certainty
    is_turnover: Annotated[bool, "true: no night is taken twice, but there is less time between the guests than the unit needs."]
    status: Literal["open", "acknowledged", "closed"]
    opened_at: Time
    acknowledged_at: Time | None
    acknowledged_by: str | None
    closed_at: Time | None
    closed_reason: str | None
    updated_at: Time
    version: Count


def describe_conflict(record: Record, today: date) -> ConflictDocument:
    """Return a conflict as the API and the command line show it."""
    values: Mapping[str, Any] = record.remote
    stands, acknowledged = is_open(record, today), values.get("acknowledged_at")
    return {
        "id": record.id,
        "unit_id": record.scope,
        "unit_ids": values["unit_ids"],
        "nights": values["nights"],
        "bookings": values["bookings"],
        "first": values["bookings"][0],
        "certainty": values["certainty"],
        "is_turnover": values["is_turnover"],
        "status": ("acknowledged" if acknowledged else "open") if stands else "closed",
        "opened_at": values["opened_at"],
        "acknowledged_at": acknowledged,
        "acknowledged_by": values.get("acknowledged_by"),
        "closed_at": time_or_none(record.gone_at),
        "closed_reason": None if stands else record.gone_reason or PAST,
        "updated_at": write_time(record.updated_at),
        "version": record.version,
    }
