"""What the engine needs of a kind of source: how its content is read, matched, planned and guarded.

The engine runs the steps and knows nothing of bookings; bookings (``core.bookings.rules``) and items
(``core.items.rules``) implement this protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import EndsOn
from bokit.core.model.documents import ContentProblem
from bokit.core.model.limits import MAX_LIVE_BOOKINGS, MAX_LIVE_NIGHTS
from bokit.core.model.plan import Hold, Plan
from bokit.core.model.records import (
    CollectionName,
    Fields,
    Json,
    LoggedChange,
    Record,
    RecordId,
    Scope,
    SourceId,
    TenantId,
    new_record,
)
from bokit.values import Value, field

if TYPE_CHECKING:
    from bokit.core.model.undo import UndoStep, UndoTerms

SEVERAL_ROOMS = "several-rooms"
"""The problem of a feed that lists several rooms at once."""
TOO_MANY_BOOKINGS = "too-many-bookings"
"""The problem of a feed that shows more bookings than one source may have: the rest is held as nights."""
FIELD_NOT_FOUND = "field-not-found"
"""The problem of a field whose place is declared, and is in no item."""
ADVICE = (SEVERAL_ROOMS, TOO_MANY_BOOKINGS, FIELD_NOT_FOUND)
"""Problems of the whole content, of which the owner hears while it stays the same: the source and the status show them."""

E = TypeVar("E")
"""One entry as its rules read it: an event's ``Entry``, an item's ``Row``."""
E_co = TypeVar("E_co", covariant=True)
M = TypeVar("M")
"""Which known record each entry is, with all that plan and guard need of what was matched."""


class Verdict(StrEnum):
    """What one fetched body is worth as evidence."""

    OK = "ok"
    EMPTY = "empty"  # a whole calendar without events
    PARTIAL = "partial"  # not all of it was read: what is missing from it proves nothing
    UNREADABLE = "unreadable"


class Problem(Value):
    """One thing in a body that could not be read or used."""

    code: str
    message: str
    uid: str | None = None  # of the event or record
    field: str | None = None  # path of the record's field

    def as_dict(self) -> ContentProblem:
        """As inspections and runs show it."""
        doc: ContentProblem = {"code": self.code, "message": self.message, "uid": self.uid}
        return {**doc, "field": self.field} if self.field else doc


class BookingLimits(Value):
    """How many bookings with nights to come one source may have, and their nights together; known ones are kept beyond it."""

    live: int = MAX_LIVE_BOOKINGS
    nights: int = MAX_LIVE_NIGHTS


class Context(Value):
    """All that rules may know about a source and a fetch, beyond its content."""

    tenant: TenantId
    source_id: SourceId
    collection: CollectionName
    scope: Scope
    at: datetime  # the time of the fetch, in UTC: the only clock of the core
    timezone: ZoneInfo
    last_read: datetime | None = None
    """When the source was last read before this fetch; None: never, or not known."""
    platform: str | None = None  # chosen by the owner; None: detected from the content and *host*
    host: str | None = None
    cancel_after: timedelta = timedelta(hours=24)
    horizon: timedelta = timedelta(days=730)
    ends_on: EndsOn = EndsOn.DEPARTURE
    ignore_transparent: bool = False
    new_only: bool = False
    """Only new records are created: nothing is updated, marked as missing, cancelled or remembered."""
    made_at: datetime | None = None  # when the response says that it was made
    interval: timedelta | None = None  # how often the source is fetched
    fingerprint: str | None = None  # of the address that answered in the end
    alerted_at: datetime | None = None  # when the alert of the hold that stands was delivered
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Bookings that other sources of the tenant know, each with its source's name; gathered where the rules ask for them."""
    memory: Fields = field(default_factory=dict)  # what the last plan kept of this source
    approved: str | None = None  # the hash of the held plan that a person approved
    discarded: str | None = None  # the hash of the held plan that a person discarded
    settings: Fields = field(default_factory=dict)
    """What else the source's kind needs: field maps, preserved fields."""
    limits: BookingLimits = BookingLimits()
    """How many bookings the source may have: what its feed shows beyond them is held as nights."""
    other_sources: frozenset[SourceId] = frozenset()
    """Other sources that feed the same scope; their records are not touched."""

    def new_record(self, record_id: RecordId, key: str, remote: Fields) -> Record:
        """Return a record of this source that is not stored yet."""
        return new_record(record_id, self.tenant, self.collection, self.at, source_id=self.source_id, key=key, remote=remote)


class Seen(Value, Generic[E_co]):
    """What one fetched body shows, read; only the rules know what *entries* mean."""

    entries: tuple[E_co, ...] = ()
    problems: tuple[Problem, ...] = ()
    verdict: Verdict = Verdict.OK
    snapshot: bytes = b""
    """The entries and their fingerprints, compressed: the next reading parses only what changed."""
    platform: str | None = None  # the feed's platform; None: unreadable, or not a feed of a platform
    names: str | None = None  # the platform that the content names, where it was read as another's
    made_at: datetime | None = None  # the newest time with which the content is stamped
    repeats: bool = False  # the source said that nothing changed: the last content again
    whole: bool = True  # False: only recent changes were requested; what is missing proves nothing


class Rules(Protocol[E, M]):
    """How one kind of source is understood. Every method is pure."""

    def hash_content(self, body: bytes, context: Context) -> str:
        """Return a hash equal for bodies of equal content, salted with the code's version and *context*'s settings."""
        ...

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen[E]:
        """Return what *body* shows, reusing what did not change from the last *snapshot* (b"": none). Never raises."""
        ...

    def recall(self, snapshot: bytes, context: Context) -> Seen[E]:
        """Return what the last accepted body showed, from its *snapshot* alone."""
        ...

    def inspect(self, body: bytes, seen: Seen[E], context: Context) -> dict[str, Json]:
        """Return what was read in *body*, as ``source test`` shows it."""
        ...

    def match(self, known: Sequence[Record], seen: Seen[E], context: Context) -> M:
        """Return which known record each entry is, with a named reason for each."""
        ...

    def plan(self, matches: M, context: Context) -> Plan:
        """Return what must change, before any guard."""
        ...

    def guard(self, plan: Plan, matches: M, context: Context) -> Plan:
        """Return *plan*, with releases held back for which there is not enough evidence."""
        ...

    @property
    def plans_current_body(self) -> bool:
        """Whether a held plan that a person approved is made again from the body of that moment."""
        ...

    def needs_body(self, hold: Hold) -> bool:
        """Return whether *hold* can only be applied by the content of that moment."""
        ...

    def bound(self, plan: Plan, matches: M, context: Context, room: int | None) -> Plan:
        """Return *plan* with at most *room* new records; None: without any change that may wait.

        Nights that the source newly closes are held nevertheless, without a booking and by one write.
        """
        ...

    def needs_elsewhere(self, matches: M, context: Context) -> bool:
        """Return whether only what the tenant's other sources know says whose content this is."""
        ...

    def object_to(self, seen: Seen[E], context: Context) -> str | None:
        """Return why *seen* cannot be a new source's content, by what the tenant's other sources know; None: it can be."""
        ...

    def read_marks(self, records: Sequence[Record], platform: str | None) -> Iterable[str]:
        """Return what identifies *records* at any source; where *platform* is given, of those that were read there."""
        ...

    def read_published(self, records: Sequence[Record]) -> Iterable[str]:
        """Return what would identify *records* in an outgoing calendar of ours."""
        ...

    def read_stamp(self, body: bytes) -> datetime | None:
        """Return the time with which *body* is stamped; None: it has none."""
        ...

    def read_hold(self, memory: Fields) -> Hold | None:
        """Return the held plan in a source's *memory*; None if nothing is held."""
        ...

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        """Return a person's *values* in the collection's types; raises InputError."""
        ...

    def release(self, record: Record, *, by: str, at: datetime, zone: ZoneInfo) -> tuple[Record, LoggedChange] | None:
        """Return *record* released, after its source was removed; None if there is nothing to release."""
        ...

    def plan_undo(self, record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoStep:
        """Return what undoing these lines of the record's change log does; *log* holds it from the oldest of them on."""
        ...


AnyRules: TypeAlias = Rules[Any, Any]
"""The rules of a source whose kind is only known when it is synced: what they read goes back into the same rules."""
