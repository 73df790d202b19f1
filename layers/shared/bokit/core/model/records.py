"""Records: what Bokit knows of one thing, whatever its collection, and where each field comes from.

A booking from a feed, a client from an API and a row of a table are all records. Engine and store know no more of them
than this; what a field means is decided by the collection's rules (for bookings: ``core.bookings.rules``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

from bokit.errors import UnknownIdError
from bokit.values import Value, field, replace

TenantId = NewType("TenantId", str)
SourceId = NewType("SourceId", str)
RecordId = NewType("RecordId", str)
RunId = NewType("RunId", str)
CollectionName = NewType("CollectionName", str)
Scope = NewType("Scope", str)
"""Groups records of a collection that are loaded together: a unit's id for bookings."""

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
else:  # the codec and the schemas take it as it is
    Json = Any
"""A value that JSON can hold. No float where an integer will do."""
Fields = Mapping[str, Any]
"""An object of JSON that is read by the names of its fields."""


class Presence(StrEnum):
    """Whether the source still shows the record."""

    PRESENT = "present"
    MISSING = "missing"  # no longer shown, without sufficient evidence yet: its nights stay held
    GONE = "gone"  # cancelled, vanished or deleted; kept for ever, and restored if the source shows it again


class Edit(Value):
    """A person's value for one field. It stands until a person removes it, whatever the source says."""

    value: Json
    base: Json  # the source's value at the time of the edit: the base of the three-way merge
    by: str
    at: datetime


class Record(Value, not_compared=("lines", "in_parts", "updated_by")):
    """One thing in a collection: its source's last values, and a person's edits."""

    id: RecordId
    tenant: TenantId
    collection: CollectionName
    scope: Scope
    source_id: SourceId | None  # None: made by hand, and never touched by a sync
    key: str
    """The source's present identity for it (a UID, a primary key); it may change while the record remains."""
    remote: Fields = field(default_factory=dict)
    """The source's last values; of a record made by hand, the person's."""
    edits: Mapping[str, Edit] = field(default_factory=dict)
    presence: Presence = Presence.PRESENT
    missing_since: datetime | None = None
    """The time of the first fetch, held ones included, that did not show it."""
    gone_at: datetime | None = None
    gone_reason: str | None = None
    memory: Fields = field(default_factory=dict)
    """What the collection's rules keep for identity and evidence; never shown."""
    version: int = 0  # raised by the store at each write; 0: not stored yet
    lines: tuple[str, ...] = ()
    """The names of its change log's last lines, which no age deletes; kept by the store."""
    in_parts: bool = False
    """Its document is larger than one item of the table, and stored in parts; kept by the store, and not in the document."""
    updated_by: str | None = None
    """Who made its last logged change, as the log has it; kept by the store, of declared collections."""
    created_at: datetime
    updated_at: datetime  # when a field or the presence last changed

    @property
    def fields(self) -> Fields:
        """The effective values: a person's if there is one, else the source's."""
        return {**self.remote, **{name: edit.value for name, edit in self.edits.items()}} if self.edits else self.remote

    def as_present(self, key: str, **changes: Any) -> Record:
        """Return the record as one that its source shows, under *key*, with other *changes*."""
        shown = {"presence": Presence.PRESENT, "missing_since": None, "gone_at": None, "gone_reason": None}
        return replace(self, key=key, **shown, **changes)

    def as_gone(self, at: datetime, reason: str) -> Record:
        """Return the record as one that is cancelled or deleted since *at*."""
        return replace(self, presence=Presence.GONE, gone_at=at, gone_reason=reason)

    @property
    def disagreements(self) -> dict[str, tuple[Json, Json]]:
        """Edited fields in which the source has another value, as (ours, theirs)."""
        return {n: (e.value, self.remote.get(n)) for n, e in self.edits.items() if e.value != self.remote.get(n)}


class FieldChange(Value):
    """One field of one record, before and after."""

    before: Json
    after: Json


class NewFields(Mapping[str, FieldChange]):
    """The fields of a record that is new, as changes of nothing: each is made when somebody asks for it."""

    __slots__ = ("_after",)

    def __init__(self, after: Fields) -> None:
        self._after = after

    @property
    def after(self) -> Fields:
        """The values by name."""
        return self._after

    def __getitem__(self, name: str) -> FieldChange:
        return FieldChange(before=None, after=self._after[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._after)

    def __len__(self) -> int:
        return len(self._after)

    def __repr__(self) -> str:
        return f"NewFields({self._after!r})"


class LoggedChange(Value, not_compared=("line",)):
    """A line of a record's change log: what changed, by whom, and why."""

    record_id: RecordId
    at: datetime
    by: str  # ``source:<source id>`` or ``user:<name>``
    action: str
    reason: str
    fields: Mapping[str, FieldChange]
    run_id: RunId | None = None
    preserved: Mapping[str, FieldChange] = field(default_factory=dict)
    """Edited fields in which the source changed and we kept the person's value: the source's before and after."""
    line: str = ""
    """Its name in the log, which the store gives to what it reads; never stored with it."""

    @property
    def id(self) -> str:
        """What a person names it by: its record's id, and the version that the record had after it."""
        return name_change(self.record_id, self.line)


def name_change(record_id: str, line: str) -> str:
    """Return the id of the line of this name in a record's change log; a second line of one write ends in its place.

    >>> name_change("unit_1.4h8k", "00001784548800000000#0000000007#000"), name_change("unit_1.4h8k", "01#07#001")
    ('unit_1.4h8k@7', 'unit_1.4h8k@7.1')
    """
    _, version, place = line.split("#") if line else ("", "0", "0")
    return f"{record_id}@{int(version)}" + (f".{int(place)}" if int(place) else "")


def new_record(
    record_id: RecordId,
    tenant: TenantId,
    collection: CollectionName,
    at: datetime,
    *,
    source_id: SourceId | None = None,
    key: str | None = None,
    remote: Fields | None = None,
) -> Record:
    """Return a record that is not stored yet; its scope is that of its id, and its key the id where none is given."""
    return Record(
        id=record_id,
        tenant=tenant,
        collection=collection,
        scope=scope_of(record_id),
        source_id=source_id,
        key=record_id if key is None else key,
        remote=remote or {},
        created_at=at,
        updated_at=at,
    )


def make_record_id(scope: Scope, suffix: str) -> RecordId:
    """Return the id of a record of *scope*. The id contains its scope: a store finds the record in one read.

    >>> make_record_id(Scope("unit_1"), "4h8k")
    'unit_1.4h8k'
    """
    if not suffix or "." in suffix:
        raise ValueError("a record id's suffix is not empty and has no dot")
    return RecordId(f"{scope}.{suffix}")


def scope_of(record_id: RecordId) -> Scope:
    """Return the scope of the record with this id; raises UnknownIdError if it is not a record's id.

    >>> scope_of(RecordId("unit_1.4h8k"))
    'unit_1'
    """
    scope, dot, suffix = record_id.rpartition(".")
    if not (scope and dot and suffix):
        raise UnknownIdError("no such record", id=record_id)
    return Scope(scope)
