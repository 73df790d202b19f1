"""What each command prints with ``--json``: the API's own documents where they are the same, else those of the command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from bokit.core.items.planning import RecordDocument
from bokit.core.model.alerts import AlertChannelDocument
from bokit.core.model.collections import CollectionDocument
from bokit.core.model.documents import ContentProblem, Count, Day, ErrorDocument, Time
from bokit.core.model.plan import HoldDocument
from bokit.core.model.quotas import QuotaDocument
from bokit.core.model.records import Json
from bokit.core.model.runs import RunDocument
from bokit.core.model.webhooks import DeliveryDocument, WebhookDocument, WebhookTestDocument
from bokit.engine.base.moves import MoveDocument
from bokit.engine.bookings.charts import AgendaDocument, ChartDocument, NeedDocument
from bokit.engine.bookings.door_codes import AccessDocument
from bokit.engine.bookings.guests import GuestBookingDocument, GuestExportDocument
from bokit.engine.bookings.service import BookingInFull
from bokit.engine.bookings.terms import (
    BookingDocument,
    ConflictDocument,
    ExplainedBooking,
    NightEvidence,
    OccupancyDocument,
    PublishedNight,
    ReceiptDocument,
)
from bokit.engine.bookings.undo import UndoDocument
from bokit.engine.catalog.access import TokenDocument
from bokit.engine.catalog.collections import PatchResultDocument
from bokit.engine.catalog.config.planning import ConfigPlanDocument
from bokit.engine.catalog.marks import MarkDocument
from bokit.engine.catalog.options import OptionDocument
from bokit.engine.catalog.view import ChangeDocument, PropertyDocument, SourceDocument, TenantDocument, UnitDocument
from bokit.engine.runs.dead_letters import LetterDocument
from bokit.engine.runs.status import FreshnessDocument, StatusDocument
from bokit.http.documents import EntryDocument, FieldProblem, ListingDocument, SampleDocument, SourceRemovedDocument


class FailureDetails(TypedDict):
    """Why a command failed."""

    code: Annotated[str, "Stable, for programs; docs/reference.md lists all codes."]
    message: Annotated[str, "What is wrong, and how to correct it."]
    errors: Annotated[list[FieldProblem], "What is wrong, option by option or field by field; empty where it is none of them."]
    facts: Annotated[dict[str, Json], "What the message is about: ids, names, limits."]


class CommandFailureDocument(TypedDict):
    """What a command prints in place of its own document where it fails; the exit code is 1, 2 or 130."""

    error: FailureDetails


class FeedDocument(TypedDict):
    """What is read in a feed; nothing was stored."""

    platform: str | None
    entries: list[EntryDocument]
    problems: list[ContentProblem]
    suggested: Annotated[dict[str, str], "Settings of the source that fit its content better, by name."]
    verdict: Literal["ok", "empty", "partial", "unreadable"]


class SourceAddedDocument(SourceDocument):
    """A new source, and what was read in it first."""

    preview: Annotated[FeedDocument | None, "null with `--no-check`."]


class SourceEditedDocument(SourceDocument):
    """A source as it is now; with `--dry-run`, as it was."""

    move: NotRequired[Annotated[MoveDocument, "What its move to another unit did, or would do."]]


class SourceTestedDocument(TypedDict):
    """What a source shows now; nothing was stored."""

    source_id: str
    error: ErrorDocument | None
    platform: NotRequired[str | None]
    entries: NotRequired[list[EntryDocument]]
    problems: NotRequired[list[ContentProblem]]
    suggested: NotRequired[dict[str, str]]
    verdict: NotRequired[Literal["ok", "empty", "partial", "unreadable"]]
    tables: NotRequired[list[SampleDocument]]
    database: NotRequired[ListingDocument]


class StatusShownDocument(StatusDocument):
    """The tenant's status, and what the stack gave up."""

    dead_letters: Annotated[Count | None, "Messages that were given up; null where the queues are unknown or do not answer."]
    needs: NotRequired[Annotated[list[NeedDocument], "With `--check`: what needs a person."]]


class CheckDocument(TypedDict):
    """What one check found."""

    name: str
    state: Literal["ok", "wrong", "unchecked"]
    message: Annotated[str, "What is, in a sentence; of a check that could not look: why."]
    fix: Annotated[str | None, "What to do where it is wrong, else null."]


class DoctorDocument(TypedDict):
    """Whether all that syncs depend on works."""

    ok: Annotated[bool, "Whether nothing is wrong; what is unchecked counts as neither."]
    checks: list[CheckDocument]


class PlanMadeDocument(TypedDict):
    """A change that waits for a person; nothing is written."""

    plan: Annotated[str, "Identifies it."]
    about: Annotated[str, "What it does, in plain words."]
    record_id: Annotated[str, "The booking, or the conflict."]
    expires_at: Time
    apply: Annotated[str, "The command with which a person applies it, in a terminal."]


class TokenShownDocument(TypedDict):
    """A new token with its text, which is shown only once."""

    token: str
    id: str
    role: str
    expires_at: Time | None


class RemovedDocument(TypedDict):
    """What was removed."""

    id: str
    removed: Annotated[bool, ("const", True)]


class NamedDocument(TypedDict):
    """An id and its name."""

    id: str
    name: str
    full_name: str


class UnitLossDocument(TypedDict):
    """What goes with a unit that is removed."""

    id: str
    name: str
    full_name: str
    sources: list[NamedDocument]
    bookings: Annotated[list[str], "Ids of what holds nights to come."]
    nights: list[Day]
    calendars: Annotated[Count, "Outgoing calendars; their addresses stop working."]


class PlaceRemovedDocument(TypedDict):
    """A unit or a property that was removed, with what went with it."""

    id: str
    removed: Annotated[bool, "false: a dry run."]
    units: list[UnitLossDocument]


class WebhookRemovedDocument(TypedDict):
    """The webhook that was removed."""

    id: str


class AlertTriedDocument(TypedDict):
    """Whether a channel's service accepted a test message."""

    id: str
    sent: bool
    error: str | None


class ExportDocument(TypedDict):
    """A unit's outgoing calendar, and its secret URL."""

    url: str
    calendar: Annotated[str, "iCalendar."]


class ConfigWrittenDocument(TypedDict):
    """A config file that was written, and what it declares."""

    file: str
    properties: Count
    units: Count
    sources: Count
    collections: Count


class BackupDocument(TypedDict):
    """A backup's file, and how many items of each sort it has."""

    file: str
    counts: dict[str, Count]


class CollectionLossDocument(TypedDict):
    """What emptying or removing a collection deletes."""

    collection: str
    records: Annotated[Count, "So many were deleted, or would be."]
    removed: Annotated[bool, "false: a dry run."]


class RecordsExportedDocument(TypedDict):
    """A file of records that was written; of bookings, its lines or events."""

    file: str
    format: Literal["csv", "ndjson", "ics"]
    records: Count
    columns: Annotated[list[str], "Of CSV, in order; of other forms none."]
    guarded: Annotated[Count, "Cells with a ' before them, since a spreadsheet might run them as formulas."]


class QuotasDocument(TypedDict):
    """How much of their quotas the tenant and the whole stack use."""

    tenant: list[QuotaDocument]
    stack: list[QuotaDocument]


class StatsDocument(TypedDict):
    """Totals over records, sources and the kept runs."""

    sources: Count
    collections: Annotated[dict[str, dict[str, Count]], "Records by presence, for each collection."]
    runs: Annotated[dict[str, Count], "The last 100 runs at most, by status."]
    last_success_at: Time | None


class StayChange(TypedDict):
    """One change of a stay."""

    at: Time
    change: Literal["created", "moved", "changed", "cancelled", "restored", "merged"]
    check_in: Day
    check_out: Day


class RefusedFetch(TypedDict):
    """A fetch that a guard held or that could not be read."""

    at: Time
    code: str
    source_id: NotRequired[str]


class ReplayedStay(TypedDict):
    """A stay, with all its changes."""

    id: str
    kind: str
    code: str | None
    history: list[StayChange]
    provisional: NotRequired[bool]
    source_id: NotRequired[str]


class ReplayedSource(TypedDict):
    """A folder, as a source of the unit."""

    source_id: str
    name: str
    fetches: Count


class ReplayDocument(TypedDict):
    """What the engine concluded from a feed's history, or with `--unit` from several ones of a unit."""

    fetches: Count
    refused: list[RefusedFetch]
    stays: list[ReplayedStay]
    counts: dict[str, Count]
    sources: NotRequired[Annotated[list[ReplayedSource], "With `--unit`, as the next ones."]]
    echoes: NotRequired[list[dict[str, Any]]]
    joint: NotRequired[list[dict[str, Any]]]
    conflicts: NotRequired[list[dict[str, Any]]]


class ExplainedHere(ExplainedBooking):
    """A booking that holds the night, and the name of its source."""

    source: str | None


class NightShownDocument(TypedDict):
    """Which bookings hold a unit's night, what each calendar that is read says of it, and each outgoing one."""

    unit_id: str
    unit: str
    night: Day
    held: bool
    by: list[ExplainedHere]
    feeds: Annotated[list[NightEvidence], "The evidence: the calendars that are read for the unit, and those linked to it."]
    published: list[PublishedNight]


class HoldShown(HoldDocument):
    """A held plan, and the commands that apply or discard it."""

    settle: list[str]


class SourceShownDocument(SourceDocument, FreshnessDocument):
    """A source with its freshness and its held plan."""

    hold: HoldShown | None


class GuestsExportedDocument(TypedDict):
    """A file that was written."""

    file: str
    bookings: Count


class GuestsErasedDocument(TypedDict):
    """What was erased, or with `--dry-run` would be."""

    bookings: Annotated[list[GuestBookingDocument], "Those that name the guest; empty with `--again`."]
    fields: Annotated[Count, "Values that a source or a person gave."]
    phone_codes: Annotated[list[str], "Stays to come whose door code is digits of the guest's phone: it stays valid."]
    receipts: Annotated[list[ReceiptDocument], "Empty where nothing was erased."]


Shape = Any
"""A document's type; in a list where the command prints ``{"items": […], "cursor"}``."""
CONFIG = "the config file"
"""Not a document of ours: docs/schemas/config.schema.json describes it."""
COMMANDS: dict[str, tuple[Shape, ...]] = {
    "alert add": (AlertChannelDocument,),
    "alert list": ([AlertChannelDocument],),
    "alert remove": (RemovedDocument,),
    "alert test": (AlertTriedDocument,),
    "backup create": (BackupDocument,),
    "backup restore": (BackupDocument,),
    "booking accept-remote": (BookingInFull,),
    "booking access": (AccessDocument,),
    "booking add": (BookingInFull,),
    "booking changes": ([ChangeDocument],),
    "booking edit": (BookingInFull,),
    "booking export": (RecordsExportedDocument,),
    "bookings": ([BookingDocument], [NightShownDocument]),
    "calendar": (ChartDocument,),
    "collection empty": (CollectionLossDocument,),
    "collection list": ([CollectionDocument],),
    "collection remove": (CollectionLossDocument,),
    "collection show": (CollectionDocument,),
    "config diff": (ConfigPlanDocument,),
    "config export": (ConfigWrittenDocument, CONFIG),
    "config import": (ConfigPlanDocument,),
    "conflicts": ([ConflictDocument], ConflictDocument),
    "dead-letters discard": ([LetterDocument],),
    "dead-letters list": ([LetterDocument],),
    "dead-letters redrive": ([LetterDocument],),
    "doctor": (DoctorDocument,),
    "export": (ExportDocument, RemovedDocument),
    "feed inspect": (FeedDocument,),
    "guest erase": (GuestsErasedDocument,),
    "guest export": ([GuestExportDocument], GuestsExportedDocument),
    "guest find": ([GuestBookingDocument],),
    "guest receipts": ([ReceiptDocument],),
    "history": ([RunDocument], RunDocument),
    "options get": (OptionDocument,),
    "options list": ([OptionDocument],),
    "options set": (OptionDocument,),
    "options unset": (OptionDocument,),
    "plan acknowledge": (PlanMadeDocument,),
    "plan edit": (PlanMadeDocument,),
    "property add": (PropertyDocument,),
    "property edit": (PropertyDocument,),
    "property list": ([PropertyDocument],),
    "property remove": (PlaceRemovedDocument,),
    "quotas": (QuotasDocument,),
    "records delete": (RecordDocument,),
    "records export": (RecordsExportedDocument,),
    "records get": (RecordDocument,),
    "records history": ([ChangeDocument],),
    "records list": ([RecordDocument],),
    "records restore": (RecordDocument,),
    "records set": (PatchResultDocument,),
    "replay": (ReplayDocument,),
    "source add": (SourceAddedDocument,),
    "source apply-held": (RunDocument,),
    "source discard-held": (RunDocument,),
    "source edit": (SourceEditedDocument,),
    "source list": ([SourceDocument],),
    "source marks": ([MarkDocument],),
    "source pause": (SourceDocument,),
    "source remove": (SourceRemovedDocument,),
    "source restore": (SourceDocument,),
    "source resume": (SourceDocument,),
    "source show": (SourceShownDocument,),
    "source test": (SourceTestedDocument,),
    "stats": (StatsDocument, [OccupancyDocument]),
    "status": (StatusShownDocument,),
    "sync": (RunDocument, [RunDocument], StatusShownDocument),
    "tenant add": (TenantDocument,),
    "tenant list": ([TenantDocument],),
    "tenant remove": (RemovedDocument,),
    "today": (AgendaDocument,),
    "token create": (TokenShownDocument,),
    "token list": ([TokenDocument],),
    "token revoke": (TokenDocument,),
    "undo": (UndoDocument,),
    "unit add": (UnitDocument,),
    "unit edit": (UnitDocument,),
    "unit list": ([UnitDocument],),
    "unit remove": (PlaceRemovedDocument,),
    "webhook add": (WebhookDocument,),
    "webhook deliveries": ([DeliveryDocument],),
    "webhook edit": (WebhookDocument,),
    "webhook list": ([WebhookDocument],),
    "webhook redeliver": (DeliveryDocument,),
    "webhook remove": (WebhookRemovedDocument,),
    "webhook rotate": (WebhookDocument,),
    "webhook test": (WebhookTestDocument,),
    "week": (AgendaDocument,),
}
"""By a command's words: what it prints, and what else with other options."""
