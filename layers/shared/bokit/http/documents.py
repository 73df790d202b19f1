"""Documents that HTTP answers alone have: problems, and what joins or cuts the engine's documents."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from bokit.core.model.documents import ContentProblem, Count, Day, ErrorDocument
from bokit.core.model.monitor import MonitorDocument
from bokit.core.model.plan import HoldDocument
from bokit.engine.bookings.terms import EntryKind, Status
from bokit.engine.catalog.access import TokenDocument
from bokit.engine.catalog.view import SourceDocument
from bokit.engine.live.tickets import TicketDocument
from bokit.engine.runs.status import FreshnessDocument


class FieldProblem(TypedDict):
    """What is wrong with one field of the request."""

    field: str
    message: str


class ProblemDocument(TypedDict):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, "Stable, for programs; docs/reference.md lists all codes."]
    errors: NotRequired[Annotated[list[FieldProblem], "What is wrong, field by field."]]
    plan: NotRequired[Annotated[str, "With the codes `not-confirmed` and `plan-changed`: what to confirm, as it is now."]]
    count: NotRequired[Annotated[int, "With the same codes, of a collection: how many records go, as far as they were counted."]]
    quota: NotRequired[Annotated[str, "With the code `quota`: what is counted."]]
    limit: NotRequired[Annotated[int, "With the code `quota`: how much is allowed."]]
    used: NotRequired[Annotated[int, "With the code `quota`: how much there is."]]
    parameter: NotRequired[Annotated[str, "With the code `quota`: the parameter of the stack that changes it."]]


class GatewayMessage(TypedDict):
    """An answer of the gateway itself."""

    message: NotRequired[str]


class HealthDocument(TypedDict):
    """The API is up."""

    status: Literal["ok"]
    version: str
    stage: str


class PageSettingsDocument(TypedDict):
    """What the page has to know of its stack."""

    version: str
    ws: Annotated[str | None, "The WebSocket's URL; null: there is none, and the page polls."]
    issuer: Annotated[str | None, "The identity provider whose tokens the API takes; null: it takes Bokit's own."]
    client_id: Annotated[str | None, "The page's client id there."]
    locale: Annotated[str, "The language of a page whose browser asks for none that there is."]


class RunQueuedDocument(TypedDict):
    """A run that was queued."""

    run_id: str


class WebSocketDocument(TypedDict):
    """How to hear of events at once."""

    url: Annotated[str, "Where the WebSocket is; a ticket opens it."]
    ticket: Annotated[str, "Where to get a ticket, by POST."]
    actions: Annotated[list[str], 'What may be sent: `{"action": "resume", "since": SEQ}` and `{"action": "ping"}`.']


class StoppedDocument(TypedDict):
    """Whether a monitor was stopped, and which."""

    stopped: bool
    monitor: MonitorDocument | None


class AlertTestedDocument(TypedDict):
    """A test message that the channel's service accepted."""

    sent: bool


class TokenCreatedDocument(TokenDocument):
    """A new token with its text, which is shown only once."""

    token: str


class SourceInFull(SourceDocument, FreshnessDocument):
    """A source with its freshness and its held plan."""

    hold: HoldDocument | None


class SourceRemovedDocument(SourceDocument):
    """A removed source, and how many bookings were released or kept."""

    released: Count
    kept: Count


class EntryDocument(TypedDict):
    """One event, as it is read."""

    uid: str
    kind: EntryKind
    status: Status
    check_in: Day
    check_out: Day


class SeenRecordDocument(TypedDict):
    """A record, as its source shows it."""

    id: str
    fields: dict[str, Any]
    collection: NotRequired[Annotated[str, "Of a database: the collection of its table."]]


class SampleDocument(TypedDict):
    """A declared table of a database: its columns and first rows."""

    name: str
    table: str
    collection: str
    columns: Annotated[dict[str, str], "Record field: what its column holds."]
    rows: Annotated[list[SeenRecordDocument], "The first five."]
    error: Annotated[ErrorDocument | None, "Why it cannot be read."]


class ListedColumnDocument(TypedDict):
    """A column."""

    name: str
    type: Annotated[str, "As the database calls it."]
    nullable: bool


class ListedTableDocument(TypedDict):
    """A table or view of the database."""

    table: Annotated[str, "As `table` takes it in the config file."]
    view: bool
    columns: list[ListedColumnDocument]
    primary_key: list[str]
    unique: Annotated[list[list[str]], "Other columns of which no two rows have the same."]
    suggested: Annotated[dict[str, Any], "Settings that fit the table by its keys and names: `key`, `updated_at`, `deleted`."]


class ListingDocument(TypedDict):
    """The tables that the database has, as far as the account may see them."""

    tables: Annotated[list[ListedTableDocument], "The first 200, by name."]
    more: Annotated[Count, "How many more the account may read."]
    hidden: Annotated[Count, "How many it may not read, where the database says so."]
    problem: Annotated[str | None, "Why they cannot be listed."]


class PreviewDocument(TypedDict):
    """What is read in a calendar; nothing was stored."""

    platform: str | None
    entries: list[EntryDocument]
    total: Annotated[Count, "Number of entries; the first 200 are shown."]
    problems: list[ContentProblem]
    suggested: Annotated[dict[str, str], "Settings of the source that fit its content better, by name."]
    verdict: Literal["ok", "empty", "partial", "unreadable"]


class SourceTestDocument(TypedDict):
    """What is read in a source; nothing was stored."""

    platform: Annotated[str | None, "null: its records are no bookings."]
    entries: Annotated[
        list[EntryDocument | SeenRecordDocument], "Events of a calendar, or records; of a database the first five a table."
    ]
    total: Annotated[Count, "Number of entries; the first 200 are shown."]
    problems: list[ContentProblem]
    suggested: Annotated[dict[str, str], "Settings of the source that fit its content better, by name."]
    verdict: Literal["ok", "empty", "partial", "unreadable"]
    whole: NotRequired[Annotated[bool, "Of an API: whether its whole list was read."]]
    tables: NotRequired[Annotated[list[SampleDocument], "Of a database: the tables that the source declares."]]
    database: NotRequired[Annotated[ListingDocument, "Of a database: the tables that there are."]]


ANSWERS = (
    ProblemDocument,
    GatewayMessage,
    HealthDocument,
    PageSettingsDocument,
    RunQueuedDocument,
    StoppedDocument,
    WebSocketDocument,
    TicketDocument,
    TokenCreatedDocument,
    AlertTestedDocument,
    SourceInFull,
    SourceRemovedDocument,
    PreviewDocument,
    SourceTestDocument,
)
