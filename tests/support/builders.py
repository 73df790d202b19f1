"""Small builders of valid values: a test says only what its claim is about, the rest is filled in here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.access import Role, Token, TokenId, hash_token
from bokit.core.model.catalog import (
    BOOKINGS,
    DEFAULT_TENANT,
    Collection,
    Property,
    PropertyId,
    ShardId,
    Source,
    Tenant,
    Unit,
    UnitId,
)
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import (
    CollectionName,
    Edit,
    FieldChange,
    LoggedChange,
    Record,
    RunId,
    Scope,
    SourceId,
    TenantId,
    make_record_id,
)
from bokit.core.model.runs import IdempotentResponse, OpenRun, Outcome, Run, RunStatus, RunStep, SourceReport, Trigger
from bokit.core.model.scheduling import Head, HeartbeatRun, SourceSchedule
from bokit.store.protocols import PublishedDocument
from bokit.values import replace

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""The present of most tests."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

NAUGHTY_STRINGS = (
    "",
    " ",
    "#",
    "T#other#",
    "a.b",
    "../..",
    "%23",
    "null",
    "0",
    "-1",
    "1e400",
    "NaN",
    "'; DROP TABLE x; --",
    '"quoted"',
    "\\",
    "<script>alert(1)</script>",
    "line\nbreak\r\n",
    "\x00nul",
    "\x85\u2028\u2029",
    "\u200bzero width",
    "\u202eright to left",
    "Ωμέγα",
    "部屋の予約",
    "🏠👨‍👩‍👧",
    "e\u0301",
    "\ufeffBOM",
    "{}",
    "[]",
    "#{x}",
    ":v",
    "true",
    "x" * 5000,
)
"""Strings that have broken other stores, keys and exports."""

_numbers: Iterator[int] = count(1)


def a_name(prefix: str) -> str:
    """Return an id that no other call returned."""
    return f"{prefix}_{next(_numbers):06d}"


def a_tenant(**given: Any) -> Tenant:
    """Return a tenant."""
    given.setdefault("id", TenantId(a_name("ten")))
    return Tenant(**{"name": "Rosa & Sons", "created_at": NOW} | given)


def a_property(**given: Any) -> Property:
    """Return a property of the default tenant."""
    given.setdefault("id", PropertyId(a_name("prop")))
    return Property(**{"tenant": DEFAULT_TENANT, "name": "Villa Rosa", "timezone": "Europe/Rome"} | given)


def a_unit(**given: Any) -> Unit:
    """Return a unit of the default tenant."""
    given.setdefault("id", UnitId(a_name("unit")))
    return Unit(**{"tenant": DEFAULT_TENANT, "property_id": PropertyId("prop_1"), "name": "Garden flat"} | given)


def a_source(**given: Any) -> Source:
    """Return an iCal source of the default tenant's unit ``unit_1``."""
    given.setdefault("id", SourceId(a_name("src")))
    filled = {
        "tenant": DEFAULT_TENANT,
        "name": "Airbnb",
        "kind": "ical",
        "url": "https://feeds.example/1.ics",
        "scope": Scope("unit_1"),
        "shard_id": ShardId("shard_000001"),
    }
    return Source(**filled | given)


def a_head(source: Source | None = None, **given: Any) -> Head:
    """Return a head of *source*, as after its first sync."""
    filled = {
        "source": source or a_source(),
        "unit_timezone": "Europe/Rome",
        "etag": '"1"',
        "content_hash": "c0ffee",
        "synced_at": NOW,
    }
    return Head(**filled | given)


def a_schedule(**given: Any) -> SourceSchedule:
    """Return a line that is due in an hour."""
    filled = {"tenant": DEFAULT_TENANT, "due_at": NOW + HOUR, "interval": HOUR, "attempted_at": NOW, "succeeded_at": NOW}
    return SourceSchedule(**filled | given)


def a_batch_run(**given: Any) -> HeartbeatRun:
    """Return an unchanged batch of one source."""
    given.setdefault("run_id", RunId(a_name("run")))
    filled = {
        "trigger": "schedule",
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=2),
        "sources": (SourceId("src_1"),),
    }
    return HeartbeatRun(**filled | given)


def a_record(**given: Any) -> Record:
    """Return a booking of ``unit_1`` that is not stored yet."""
    scope = given.setdefault("scope", Scope("unit_1"))
    given.setdefault("id", make_record_id(scope, a_name("bk")))
    given.setdefault("key", f"{given['id']}@feeds.example")
    filled = {
        "tenant": DEFAULT_TENANT,
        "collection": BOOKINGS,
        "source_id": SourceId("src_1"),
        "remote": {"kind": "reservation", "status": "confirmed", "check_in": "2026-07-01", "check_out": "2026-07-05"},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Record(**filled | given)


def an_edit(value: Any, **given: Any) -> Edit:
    """Return a person's edit."""
    return Edit(**{"value": value, "base": None, "by": "rosa", "at": NOW} | given)


def a_change(record: Record, **given: Any) -> LoggedChange:
    """Return a line of *record*'s change log."""
    filled = {
        "record_id": record.id,
        "at": NOW,
        "by": "source:src_1",
        "action": "create",
        "reason": "new",
        "fields": {"status": FieldChange(before=None, after="confirmed")},
    }
    return LoggedChange(**filled | given)


def a_run(**given: Any) -> Run:
    """Return a finished run of one source."""
    given.setdefault("run_id", RunId(a_name("run")))
    filled = {
        "tenant": DEFAULT_TENANT,
        "trigger": Trigger.SCHEDULE,
        "status": RunStatus.SUCCEEDED,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=3),
        "sources": (a_report(),),
    }
    return Run(**filled | given)


def a_report(**given: Any) -> SourceReport:
    """Return what a run made of one source."""
    filled = {
        "source_id": SourceId("src_1"),
        "name": "Airbnb",
        "outcome": Outcome.CHANGED,
        "counts": {"seen": 3, "created": 1},
        "duration_ms": 120,
        "steps": (RunStep(name="fetch", started_at=NOW, duration_ms=80),),
    }
    return SourceReport(**filled | given)


def an_open_run(*waiting: str, **given: Any) -> OpenRun:
    """Return a queued run that waits for these sources, overdue in an hour."""
    open_fields = {
        key: given.pop(key) for key in ("pending", "overdue_at", "new_only", "force", "named", "waiting") if key in given
    }
    queued = {"status": RunStatus.QUEUED, "trigger": Trigger.MANUAL, "finished_at": None, "sources": ()}
    filled = {"pending": frozenset(SourceId(source_id) for source_id in waiting), "overdue_at": NOW + HOUR}
    return OpenRun(run=a_run(**queued | given), **filled | open_fields)


def an_answer(key: str = "key", **given: Any) -> IdempotentResponse:
    """Return the first answer to a request under *key*, good for a day."""
    filled = {
        "request_hash": "5ha",
        "status": 202,
        "body": '{"run_id": "run_1"}',
        "run_id": RunId("run_1"),
        "expires_at": NOW + DAY,
    }
    return IdempotentResponse(key=key, **filled | given)


def a_monitor(**given: Any) -> Monitor:
    """Return a monitor that was just started, and runs every minute."""
    filled = {
        "tenant": DEFAULT_TENANT,
        "interval": timedelta(minutes=1),
        "started_at": NOW,
        "started_by": "token:tok_1",
        "next_at": NOW,
    }
    return Monitor(**filled | given)


def a_token(**given: Any) -> Token:
    """Return a viewer's token that does not expire."""
    given.setdefault("id", TokenId(a_name("tok")))
    given.setdefault("hash", hash_token(f"secret of {given['id']}"))
    return Token(**{"tenant": DEFAULT_TENANT, "role": Role.VIEWER, "name": "the page", "created_at": NOW} | given)


def a_page(**given: Any) -> PublishedDocument:
    """Return an outgoing calendar of the default tenant."""
    given.setdefault("id", a_name("out"))
    given.setdefault("hash", hash_token(f"path of {given['id']}"))
    filled = {
        "tenant": DEFAULT_TENANT,
        "body": b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "content_type": "text/calendar",
        "etag": '"1"',
        "changed_at": NOW,
    }
    return PublishedDocument(**filled | given)


def a_collection(**given: Any) -> Collection:
    """Return a declared collection of the default tenant."""
    given.setdefault("name", CollectionName(a_name("clients")))
    return Collection(**{"tenant": DEFAULT_TENANT} | given)


def an_entry(**given: Any) -> Entry:
    """Return a confirmed reservation as a feed shows it."""
    given.setdefault("uid", f"{a_name('uid')}@feeds.example")
    filled = {
        "kind": EntryKind.RESERVATION,
        "status": Status.CONFIRMED,
        "check_in": date(2026, 7, 1),
        "check_out": date(2026, 7, 5),
    }
    return Entry(**filled | given)


def with_tenant(record: Record, tenant: TenantId) -> Record:
    """Return *record* as another tenant's."""
    return replace(record, tenant=tenant)
