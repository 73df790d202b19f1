"""What the rules keep of a source between two fetches, as JSON beside its snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bokit.core.model.catalog import EndsOn
from bokit.core.model.codec import RULES_CODEC
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json
from bokit.values import Value, field


class UidHistory(Value):
    """What accepted fetches taught of a feed's UIDs."""

    kept: int = 0
    """Changed fetches in a row that kept every UID, as far as that matters."""
    moved: bool = False
    """One of them showed another arrival under a known UID."""
    changed_at: datetime | None = None
    """When every UID changed at once."""


class Roll(Value):
    """A closure that may roll with the calendar, as it was on the last day that it did."""

    ahead: int  # days from that day to its end, or to its first day
    label: str
    day: str
    times: int = 0  # with how many midnights it rolled, as far as that matters
    at: datetime | None = None  # of the first fetch that showed it so on that day; None: it is not expected to roll


class PlatformHistory(Value):
    """As whose feed a source is read, where its owner does not say it."""

    name: str | None = None
    """The platform that the content named."""
    other: str | None = None
    """The one that accepted fetches have named instead, lately."""
    since: datetime | None = None
    fetches: int = 0
    """How many of them, apart, as far as that matters."""
    at: datetime | None = None
    """When the last of these was."""


class SourceHabits(Value):
    """What accepted fetches taught of how a source shows its stays."""

    begun: tuple[str, ...] = ()  # stays that it showed well after their arrival, as many as prove the habit
    drops_begun: bool = False  # it was seen to drop stays that have begun, whatever its platform does
    stamps: int = 0  # 1: the last accepted fetch was stamped with its time
    stamp: datetime | None = None  # of the last accepted body
    response_at: datetime | None = None  # the last accepted response's own Date
    stale_since: datetime | None = None  # when the stale body that comes was made
    ahead: datetime | None = None  # the stamp of a body that said that it was made later than it was fetched
    ahead_at: datetime | None = None  # when that was fetched
    dropped: int = 0  # stays in a row that vanished on the day after their arrival
    notice: Roll | None = None  # the closure that started on the last day
    notice_kept: Roll | None = None  # the notice that is remembered
    calendar_end: Roll | None = None  # the closure after all others
    end_start: Roll | None = None  # its first day


class RenameHistory(Value):
    """What a feed renames at each fetch: UIDs, codes, names or texts of all its bookings (``core.bookings.renames``)."""

    times: Mapping[str, int] = field(default_factory=dict)
    """In how many fetches in a row each part was renamed, as far as that matters."""
    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Hashes of some of what the last of them showed, by part."""
    at: datetime | None = None  # when the last of them was
    since: datetime | None = None  # since when what was known is kept


class SourceMemory(Value):
    """What the rules keep of a source between fetches."""

    starts: Mapping[str, str] = field(default_factory=dict)
    """First nights and the UIDs that the room's feed gave them."""
    domains: tuple[str, ...] = ()  # of its UIDs; written by former releases, and only shows that a fetch was accepted
    was_accepted: bool = False  # a whole fetch was accepted once
    fingerprint: str | None = None  # of the address that the last accepted fetch came from
    ends_on: EndsOn = EndsOn.DEPARTURE  # by which meaning of ends its stays were read
    uids: UidHistory = UidHistory()
    renames: RenameHistory = RenameHistory()
    platform: PlatformHistory = PlatformHistory()
    habits: SourceHabits = SourceHabits()
    hold: Hold | None = None
    absent: Mapping[str, datetime] = field(default_factory=dict)
    """Stays that shrunken fetches did not show, and since when."""
    held_since: datetime | None = None  # since when every fetch was held
    contradicted_since: datetime | None = None  # since when a stay was missing that one of them showed
    read_at: datetime | None = None  # when the last accepted fetch before them was
    was_empty: bool = False  # written by former releases, and read by none; its stored name stays taken
    doubted_at: datetime | None = None  # when a fetch was last held, or contradicted an earlier one
    agreed_since: datetime | None = None  # since when held fetches agree
    agreed_code: str | None = None  # on what they agree: the hold's code; None: ``shrunken-feed``
    agreed_fetches: int = 0  # how many of them, apart, as far as that matters
    agreed_at: datetime | None = None  # when the last of these was
    agreed_spans: tuple[str, ...] = ()  # the new nights that the first of them showed
    agreed_absent: tuple[str, ...] = ()  # the stays that none of them showed, where it is another listing's
    quiet_until: datetime | None = None  # when the first bookings after a quiet time came
    empty_since: datetime | None = None  # since when every readable body was empty
    filled_at: datetime | None = None  # when the last body before them came
    empty_bodies: int = 0  # how many of them, apart, as far as that matters
    empty_at: datetime | None = None  # when the last of these was
    unshown: tuple[str, ...] = ()  # stays that held pages after enough of them did not show either: `filled_at` is kept for these
    fields: Mapping[str, datetime] = field(default_factory=dict)
    """Fields of records that vanished or changed their type, by ``FieldDrift.key``, and since when fetches agree on it."""
    unidentified: int = 0  # items without an id that the last accepted list had
    tombstones: tuple[str, ...] = ()  # those of *absent* that the source shows as deleted
    declined: bool = False  # a person discarded the hold: no time lifts it until the source's own feed is back

    def without_hold(self) -> SourceMemory:
        """Return it with nothing held."""
        return SourceMemory(
            starts=self.starts,
            domains=self.domains,
            was_accepted=self.was_accepted,
            fingerprint=self.fingerprint,
            ends_on=self.ends_on,
            uids=self.uids,
            renames=self.renames,
            platform=self.platform,
            habits=self.habits,
            doubted_at=self.doubted_at,
            quiet_until=self.quiet_until,
            unidentified=self.unidentified,
        )


LATER = ("uids", "renames", "platform", "habits", "ends_on", "fields", "unidentified", "tombstones")
"""Fields that are left out where they are empty, as the releases before them wrote it."""


def read_memory(memory: Fields) -> SourceMemory:
    """Return what :func:`write_memory` wrote."""
    return RULES_CODEC.read(SourceMemory, memory)


def write_memory(memory: SourceMemory) -> dict[str, Json]:
    """Return *memory* as JSON, without what is empty."""
    unset = SourceMemory()
    empty = {name for name in LATER if getattr(memory, name) == getattr(unset, name)}
    document = {name: value for name, value in RULES_CODEC.write(memory).items() if name not in empty}
    hold = document.get("hold")
    if isinstance(hold, dict) and hold.get("opens_at") is None:  # as former releases wrote it
        document["hold"] = {name: value for name, value in hold.items() if name != "opens_at"}
    return document
