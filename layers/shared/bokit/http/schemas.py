"""What the API answers, as JSON Schemas. Tests hold every answer against them, so that they say neither more nor less."""

from __future__ import annotations

from typing import Any

from bokit.core.bookings.stay import RELEASED, SHOWN
from bokit.core.ical.entries import Kind, Status
from bokit.core.model.due_times import State
from bokit.core.model.records import Presence
from bokit.core.model.runs import COUNTS, Outcome, RunStatus, Trigger
from bokit.core.occupancy.conflicts import Certainty
from bokit.core.occupancy.echoes import State as Judged
from bokit.core.occupancy.outgoing import Variant

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
ANY: Schema = {}


def obj(about: str, /, **properties: Schema) -> Schema:
    """Return the schema of an object that has all of *properties*."""
    return {"type": "object", "description": about, "required": list(properties), "properties": properties}


def ref(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def null(schema: Schema) -> Schema:
    """Return *schema*, or null."""
    if "enum" in schema or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def many(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def by_name(schema: Schema) -> Schema:
    """Return the schema of an object whose members are all of *schema*."""
    return {"type": "object", "additionalProperties": schema}


def one_of(words: Any) -> Schema:
    """Return the schema of a word of a closed list."""
    return {"type": "string", "enum": [str(word) for word in words]}


def with_more(base: Schema, about: str, /, **properties: Schema) -> Schema:
    """Return *base* with *properties* besides, all of which are there."""
    more = obj(about, **base["properties"], **properties)
    return {**more, "required": [*base["required"], *properties]}


PROPERTY = obj("A house, with its timezone.", id=TEXT, name=TEXT, timezone=null(TEXT), turnover_days=null(COUNT))
UNIT = obj(
    "What is let as one: a flat, a room, or a whole villa made of parts.",
    id=TEXT,
    name=TEXT,
    property_id=TEXT,
    timezone=null(TEXT),
    turnover_days=null(COUNT),
    parts=many(TEXT),
)
SOURCE = obj(
    "Where bookings, or records of another collection, come from.",
    id=TEXT,
    name=TEXT,
    kind=TEXT,
    unit_id={**null(TEXT), "description": "null: it feeds a collection."},
    collection=TEXT,
    url={**TEXT, "description": "Scheme and host, or a secret's name; the rest of a URL is never shown."},
    platform=null(TEXT),
    interval=null(COUNT),
    cancel_after=null(COUNT),
    timezone=null(TEXT),
    enabled=FLAG,
    removed_at=null(TIME),
)
ERROR = obj("What went wrong.", code=TEXT, message=TEXT)
HOLD = obj(
    "What a guard holds, until a person or evidence settles it.",
    code=TEXT,
    message=TEXT,
    since=TIME,
    plan={**TEXT, "description": "Tells this plan from another one."},
    releases=many({"type": "object"}),
    can_apply=FLAG,
    offered_at=null(TIME),
)
FRESHNESS = {
    "state": null(one_of(State)),
    "last_attempt_at": null(TIME),
    "last_success_at": null(TIME),
    "last_change_at": null(TIME),
    "next_due_at": null(TIME),
    "failures": null(COUNT),
    "error": null(ref("Error")),
}
SOURCE_STATUS = obj(
    "How one source fares.",
    source_id=TEXT,
    name=TEXT,
    kind=TEXT,
    collection=TEXT,
    unit_id=null(TEXT),
    interval=COUNT,
    **FRESHNESS,
    hold=null(obj("The short of a held plan.", code=TEXT, message=TEXT, since=TIME, plan=TEXT)),
)
MONITOR = obj(
    "A tenant's monitor while it runs.",
    interval=COUNT,
    new_only=null(FLAG),
    max_runs=null(COUNT),
    runs=COUNT,
    started_at=TIME,
    started_by=TEXT,
    next_at=TIME,
    last_run_id=null(TEXT),
)
CHANGED = {"from": ANY, "to": ANY}
ACTION = obj(
    "One record's change.",
    action=TEXT,
    record_id=TEXT,
    reason=TEXT,
    fields=by_name(obj("One field's change.", **CHANGED)),
)
REPORT = obj(
    "What a run made of one source.",
    source_id=TEXT,
    name=TEXT,
    outcome=one_of(Outcome),
    error=null(ref("Error")),
    counts=ref("Counts"),
    duration_ms=COUNT,
)
REPORT["properties"]["problems"] = {
    **many(obj("What could not be taken.", code=TEXT, message=TEXT, uid=null(TEXT))),
    "description": "What of its content could not be taken, item by item; the first of them, and only where there is any.",
}
REPORT["properties"]["problems"]["items"]["properties"]["field"] = TEXT
RUN = obj(
    "One run.",
    run_id=TEXT,
    trigger=one_of(Trigger),
    status=one_of(RunStatus),
    started_at=TIME,
    finished_at=null(TIME),
    counts=ref("Counts"),
    sources=many(ref("SourceReport")),
)
RUN["properties"]["plan"] = {**many(ref("Action")), "description": "Of a dry run: what would change."}
EDIT = obj("A person's value, and the source's.", value=ANY, remote=ANY, by=TEXT, at=TIME)
BOOKING_SOURCE = obj(
    "What one source says of a booking.",
    source_id={**null(TEXT), "description": "null: a person."},
    booking_id=TEXT,
    kind=null(TEXT),
    status=null(TEXT),
    check_in=null(DAY),
    check_out=null(DAY),
    presence=one_of(Presence),
    seen_at=TIME,
    missing_since=null(TIME),
)
BOOKING = obj(
    "Who stays when; dates are half-open, from check-in to check-out.",
    id=TEXT,
    unit_id=TEXT,
    kind=one_of(Kind),
    status=one_of(Status),
    blocks_nights=FLAG,
    check_in=null(DAY),
    check_out=null(DAY),
    starts_at=null(TIME),
    ends_at=null(TIME),
    **{name: null(TEXT) for name in SHOWN if name not in ("guests", "adults", "children", "extra")},
    **dict.fromkeys(("guests", "adults", "children"), null(COUNT)),
    extra=null({"type": "object"}),
    **{RELEASED: many(DAY)},
    source_id=null(TEXT),
    presence=one_of(Presence),
    missing_since=null(TIME),
    gone_at=null(TIME),
    gone_reason=null(TEXT),
    edits=by_name(ref("Edit")),
    disagreements=by_name(obj("Where the two differ.", local=ANY, remote=ANY)),
    created_at=TIME,
    updated_at=TIME,
    version=COUNT,
    state={**null(one_of(Judged)), "description": "What it is to the others; null: it holds no night."},
    echo_of={**many(TEXT), "description": "Ids of the bookings that it only repeats."},
    echoes={**many(TEXT), "description": "Ids of those that only repeat it."},
    sources={
        **many(ref("BookingSource")),
        "description": "Who tells it; several where several sources tell the same reservation.",
    },
)
BOOKING["properties"] |= {
    "fading_nights": {**many(DAY), "description": "Nights that others are not told, since what they repeat is gone; if any."},
    "fades_until": {**null(TIME), "description": "Beside those: then they are a closure of its own, if they are still shown."},
}
CONFLICT = obj(
    "Two bookings that hold the same nights of a unit, or come too near to each other.",
    id=TEXT,
    unit_id=TEXT,
    unit_ids=many(TEXT),
    nights=many(DAY),
    bookings=many(TEXT),
    first={**TEXT, "description": "Which of the two was there first."},
    certainty=one_of(Certainty),
    is_turnover={**FLAG, "description": "They share no night, and leave less time than the unit needs."},
    status=one_of(("open", "acknowledged", "closed")),
    opened_at=TIME,
    acknowledged_at=null(TIME),
    acknowledged_by=null(TEXT),
    closed_at=null(TIME),
    closed_reason=null(TEXT),
    updated_at=TIME,
    version=COUNT,
)
EXPLAINED = with_more(
    BOOKING,
    "A booking that holds the night, and why.",
    since={**TIME, "description": "When it was first seen."},
    edited_by=many(TEXT),
    why={**many(TEXT), "description": "In words."},
)
IN_FULL = with_more(BOOKING, "A booking, and the open conflicts that it is in.", conflicts=many(ref("Conflict")))
CALENDAR = obj(
    "A unit's outgoing calendar.",
    id=TEXT,
    unit_id=TEXT,
    variant=one_of(Variant),
    details={**null(FLAG), "description": "null: as `export.anonymous` says."},
    url={**null(TEXT), "description": "Where it is read; a secret, told to operators. null: not to be told."},
    created_at=TIME,
    former_until={**null(TIME), "description": "The former address works until then."},
    **{"for": {**null(TEXT), "description": "Who reads it, and is not told its own; null: anybody."}},
)
COLLECTION: Schema = {
    **obj(
        "Records of one sort.",
        name=TEXT,
        preserve=many(TEXT),
        array_keys=by_name(TEXT),
        schema=null({"type": "object"}),
        buckets=COUNT,
        interval=null(COUNT),
    ),
}
COLLECTION["properties"]["counts"] = {**by_name(COUNT), "description": "How many records there are; only where it was asked for."}
RECORD: Schema = {
    **obj(
        "A record: its own fields, and beside them what we know of it. `createdAt` and `updatedAt` are ours where it has none.",
        id=TEXT,
        createdAt=ANY,
        updatedAt=ANY,
        _meta=obj(
            "What we know of a record beyond its own fields.",
            record_id=TEXT,
            collection=TEXT,
            source_id=null(TEXT),
            version=COUNT,
            presence=one_of(Presence),
            missing_since=null(TIME),
            gone_at=null(TIME),
            gone_reason=null(TEXT),
            edits=by_name(ref("Edit")),
            created_at=TIME,
            updated_at=TIME,
        ),
    ),
    "additionalProperties": True,
}
GRANTED = obj(
    "What became of a write.",
    changed={**FLAG, "description": "false: the record said all of it already, and nothing was written."},
    record=ref("Record"),
    preserved={**many(TEXT), "description": "Fields that kept their value although the document had another."},
)
CHANGE = obj(
    "A line of a record's change log.",
    at=TIME,
    by=TEXT,
    action=TEXT,
    reason=TEXT,
    run_id=null(TEXT),
    fields=by_name(obj("One field's change.", **CHANGED)),
    preserved=by_name(obj("What the source said anew, and a person's edit withstood.", **CHANGED)),
)
TOKEN = obj(
    "Who may come in; what opens the door is not told.",
    id=TEXT,
    name=TEXT,
    role=one_of(("viewer", "operator", "admin")),
    state=one_of(("valid", "expired", "revoked")),
    created_at=TIME,
    expires_at=null(TIME),
    last_used_at=null(TIME),
    revoked_at=null(TIME),
)
ENTRY: Schema = {
    **obj("One event, as the engine reads it.", uid=TEXT, kind=one_of(Kind), status=one_of(Status), check_in=DAY, check_out=DAY),
    "additionalProperties": True,
}
PREVIEW = obj(
    "What is read in a source; nothing was written.",
    platform=null(TEXT),
    entries=many(ENTRY),
    total={**COUNT, "description": "Entries that there are; the first 200 are told."},
    problems=many(obj("What could not be read.", code=TEXT, message=TEXT, uid=null(TEXT))),
    verdict=one_of(("ok", "empty", "partial", "unreadable")),
)
STATUS = obj(
    "How things stand.",
    at=TIME,
    enabled=FLAG,
    install_complete=FLAG,
    interval=COUNT,
    monitor=null(ref("Monitor")),
    totals=by_name(COUNT),
    sources=many(ref("SourceStatus")),
)
PROBLEM: Schema = {
    **obj(
        "An RFC 9457 problem document.",
        type=TEXT,
        title=TEXT,
        status=WHOLE,
        detail=TEXT,
        code={**TEXT, "description": "Stable, for programs; docs/reference.md tells them all."},
    ),
    "additionalProperties": True,
}
PROBLEM["properties"]["errors"] = {
    **many(obj("One place that is wrong.", field=TEXT, message=TEXT)),
    "description": "Where the request is wrong.",
}

SCHEMAS: dict[str, Schema] = {
    "Action": ACTION,
    "Booking": BOOKING,
    "BookingInFull": IN_FULL,
    "Calendar": CALENDAR,
    "Change": CHANGE,
    "Collection": COLLECTION,
    "Conflict": CONFLICT,
    "Counts": obj("How many records; `updated` counts those in which a field really changed.", **dict.fromkeys(COUNTS, COUNT)),
    "Edit": EDIT,
    "Error": ERROR,
    "ExplainedBooking": EXPLAINED,
    "GrantedRecord": GRANTED,
    "GatewayMessage": {"type": "object", "description": "What the gateway itself answers.", "properties": {"message": TEXT}},
    "Health": obj("It answers.", status={"const": "ok"}, version=TEXT, stage=TEXT),
    "HeldNight": obj(
        "Who holds a unit's night.", unit_id=TEXT, unit=TEXT, night=DAY, held=FLAG, by=many(ref("ExplainedBooking"))
    ),
    "Hold": HOLD,
    "TokenCreated": with_more(TOKEN, "A token with its text, which is told this once.", token=TEXT),
    "Monitor": MONITOR,
    "Option": obj("One option.", name=TEXT, value=ANY, default=ANY, is_set=FLAG, about=TEXT),
    "Preview": PREVIEW,
    "Problem": PROBLEM,
    "Property": PROPERTY,
    "Record": RECORD,
    "SourceRemoved": with_more(SOURCE, "A removed source, and what became of its nights.", released=COUNT, kept=COUNT),
    "Run": RUN,
    "Source": SOURCE,
    "SourceInFull": with_more(SOURCE, "A source, how it fares, and what is held.", **FRESHNESS, hold=null(ref("Hold"))),
    "SourceReport": REPORT,
    "SourceStatus": SOURCE_STATUS,
    "Status": STATUS,
    "Stopped": obj("What was stopped.", stopped=FLAG, monitor=null(ref("Monitor"))),
    "BookingSource": BOOKING_SOURCE,
    "Token": TOKEN,
    "Triggered": obj("What was begun.", run_id=TEXT),
    "Unit": UNIT,
}
