"""``/sync``: start syncs, and see how they went."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import Field

from bokit.core.model.records import CollectionName, RunId, SourceId, TenantId
from bokit.core.model.runs import Trigger, describe_run
from bokit.engine.live.messages import ACTIONS
from bokit.engine.runs.limits import (
    MAX_DELAY_SECONDS,
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_MONITOR_RUNS,
    MAX_MONITOR_SECONDS,
    MAX_SOURCES_PER_RUN,
    MIN_MONITOR_SECONDS,
)
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.status import SourceStatusDocument
from bokit.http.bodies import Body, SpanText, Word
from bokit.http.limits import MAX_PAGE_ITEMS
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.public import JSON
from bokit.http.replies import Reply, reply, reply_stored
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("sync")

NewOnly = Annotated[bool | None, Field(description="Only add what is new; null: as `sync.new_only` says.")]


class TriggerRequest(Body):
    """What to sync; without a selection, every source."""

    source_ids: list[Word] | None = Field(
        default=None, min_length=1, max_length=MAX_SOURCES_PER_RUN, description="These sources."
    )
    unit_id: Word | None = Field(default=None, description="The sources of this unit.")
    collection: Word | None = Field(default=None, description="The sources of this collection.")
    new_only: NewOnly = None
    force: bool = Field(default=False, description="Ignore the interval and read unchanged content again.")
    dry_run: bool = Field(default=False, description="Answer with the plan; write nothing.")
    delay_seconds: int = Field(default=0, ge=0, le=MAX_DELAY_SECONDS, description="Start after this delay.")


class MonitorStart(Body):
    """The monitor to start."""

    interval: Annotated[int, SpanText()] = Field(
        ge=MIN_MONITOR_SECONDS,
        le=MAX_MONITOR_SECONDS,
        description="Time between two runs, in seconds or as `30m`.",
        examples=[300, "30m"],
    )
    new_only: NewOnly = None
    max_runs: int | None = Field(default=None, ge=1, le=MAX_MONITOR_RUNS, description="Stop after this many runs; null: never.")


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_IDEMPOTENCY_KEY_LENGTH,
        pattern=r"^[\x21-\x7e]+$",
        description="A text of your choice: for 24 hours a repeat with the same body gets the first answer and starts nothing.",
    ),
]


@routes.serve(
    "POST",
    "/sync/trigger",
    OPERATOR,
    shows("RunQueued", "Queued; see `GET /sync/history/{run_id}`.", 202)
    | shows("Run", "With `dry_run`: `plan` is what would change; nothing was written."),
)
def trigger_sync(body: TriggerRequest | None = None, idempotency_key: IdempotencyKey = None) -> Reply:
    """Sync now or after a delay: every source, or those that the body selects."""
    call, wanted = routes.call, body or TriggerRequest()
    done = call.engine.queued_runs.trigger(
        _read_request(call.tenant, wanted),
        delay_seconds=wanted.delay_seconds,
        key=idempotency_key,
        request_hash=_hash_request(wanted),
    )
    return Response(status_code=done.status, content_type=JSON, body=done.body)


def _read_request(tenant: TenantId, wanted: TriggerRequest) -> SyncRequest:
    """Return the request; without a selection, every source that is not paused, due or not."""
    return SyncRequest(
        tenant=tenant,
        trigger=Trigger.MANUAL,
        source_ids=tuple(SourceId(s) for s in wanted.source_ids or ()),
        scope=wanted.unit_id,
        collection=CollectionName(wanted.collection) if wanted.collection else None,
        everything=not (wanted.source_ids or wanted.unit_id or wanted.collection),
        new_only=wanted.new_only,
        force=wanted.force,
        dry_run=wanted.dry_run,
        details=wanted.dry_run,
    )


def _hash_request(wanted: TriggerRequest) -> str:
    """Return a hash that differs for different requests under the same key, whatever the order of their fields."""
    text = json.dumps(["POST", "/sync/trigger", wanted.sent()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@routes.serve("POST", "/sync/start", OPERATOR, makes("Monitor", "Started; its first run begins within a minute."))
def start_monitor(body: MonitorStart) -> Reply:
    """Start the tenant's monitor, which replaces the schedule while it runs; a second one is refused."""
    call = routes.call
    monitor = call.engine.monitors.start(
        call.tenant, interval=body.interval, new_only=body.new_only, max_runs=body.max_runs, by=call.by
    )
    return reply(monitor.as_dict(), 201)


@routes.serve("POST", "/sync/stop", OPERATOR, shows("Stopped", "Stopped; the schedule continues."))
def stop_monitor() -> Reply:
    """Stop the tenant's monitor."""
    call = routes.call
    stopped = call.engine.monitors.stop(call.tenant)
    return reply({"stopped": stopped is not None, "monitor": stopped and stopped.as_dict()})


@routes.serve("GET", "/sync/status", VIEWER, shows("Status"))
def show_status(limit: Limit = MAX_PAGE_ITEMS, cursor: Cursor = None) -> Reply:
    """Show the monitor, totals of all sources, and when each source of this page was last read.

    Send `cursor` back to get the sources after these.
    """
    call = routes.call
    status = call.engine.status.load_status(call.tenant)
    shown, following = call.cut_documents(status["sources"], dict, by_unit, ("status",), limit, cursor)
    return reply({**status, "sources": shown, "cursor": following})


def by_unit(doc: SourceStatusDocument) -> Key:
    """Return the sort key of a source's status."""
    return str(doc["unit_id"] or doc["collection"]), doc["name"], doc["source_id"]


@routes.serve("POST", "/sync/ticket", VIEWER, shows("Ticket", "Open a WebSocket at `url`, once, before `expires_at`."))
def issue_ticket() -> Reply:
    """Get a ticket that opens a WebSocket.

    404 `no-websocket`: the stack has none; read `GET /events` from time to time. So with 409 `too-many-connections`.
    """
    call = routes.call
    return reply(call.engine.tickets.issue(call.principal))


@routes.serve("GET", "/sync/websocket", VIEWER, shows("WebSocket"))
def show_websocket() -> Reply:
    """Show how to hear of events at once."""
    return reply({"url": routes.call.engine.tickets.find_url(), "ticket": "/sync/ticket", "actions": list(ACTIONS)})


@routes.serve("GET", "/sync/history", VIEWER, lists("Run"))
def list_runs(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the runs, newest first."""
    call = routes.call
    fetch = partial(call.engine.status.load_history, call.tenant, cursor=cursor)
    describe = partial(describe_run, names=call.name_sources())
    return reply_stored(lambda most: fetch(limit=most), describe, limit)


@routes.serve("GET", "/sync/history/{run_id}", VIEWER, shows("Run"))
def show_run(run_id: Id) -> Reply:
    """Show one run."""
    call = routes.call
    return reply(describe_run(call.engine.status.load_run(call.tenant, RunId(run_id)), call.name_sources()))
