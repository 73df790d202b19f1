"""``/sync``: start a sync, let it repeat, and see how it went."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import Field

from bokit.core.model.records import CollectionName, RunId, SourceId, TenantId
from bokit.core.model.runs import Trigger, describe_run
from bokit.engine.runs.manual import SyncRequest
from bokit.http.bodies import Body, Word
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import JSON, Reply, reply
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, makes, shows

routes = Routes("sync")


class TriggerRequest(Body):
    """What to sync; what it does not name is not asked."""

    source_ids: list[Word] | None = Field(default=None, min_length=1, max_length=1000, description="These sources.")
    unit_id: Word | None = Field(default=None, description="The sources of this unit.")
    collection: Word | None = Field(default=None, description="The sources of this collection.")
    new_only: bool | None = Field(default=None, description="Add what is new, touch nothing else; null: as the option says.")
    force: bool = Field(default=False, description="Ignore interval and unchanged content.")
    dry_run: bool = Field(default=False, description="Answer with the plan, and write nothing.")
    delay_seconds: int = Field(default=0, ge=0, le=900, description="Begin so much later.")


class MonitorStart(Body):
    """The monitor to start."""

    interval: int = Field(ge=60, le=31_622_400, description="Seconds between two runs.", examples=[300])
    new_only: bool | None = Field(default=None, description="Add what is new, touch nothing else; null: as the option says.")
    max_runs: int | None = Field(default=None, ge=1, le=1_000_000_000, description="It ends after so many; null: when stopped.")


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text of your own: for 24 hours a repeat with the same body gets the first answer, and starts nothing.",
    ),
]


@routes.serve(
    "POST",
    "/sync/trigger",
    OPERATOR,
    shows("Triggered", "It will run; `GET /sync/history/{run_id}` tells how it goes.", 202)
    | shows("Run", "With `dry_run`: what would change, in `plan`; nothing was written."),
)
def trigger_sync(body: TriggerRequest | None = None, idempotency_key: IdempotencyKey = None) -> Reply:
    """Sync now, or in a while: every source, or those that the body names."""
    call, told = routes.call, body or TriggerRequest()
    done = call.engine.queued_runs.trigger(
        _read_request(call.tenant, told), delay_seconds=told.delay_seconds, key=idempotency_key, request_hash=_hash_request(told)
    )
    return Response(status_code=done.status, content_type=JSON, body=done.body)


def _read_request(tenant: TenantId, told: TriggerRequest) -> SyncRequest:
    """Return what is asked for: where nothing is named, every source that is not paused, due or not."""
    return SyncRequest(
        tenant=tenant,
        trigger=Trigger.MANUAL,
        source_ids=tuple(SourceId(s) for s in told.source_ids or ()),
        scope=told.unit_id,
        collection=CollectionName(told.collection) if told.collection else None,
        everything=not (told.source_ids or told.unit_id or told.collection),
        new_only=told.new_only,
        force=told.force,
        dry_run=told.dry_run,
        details=told.dry_run,
    )


def _hash_request(told: TriggerRequest) -> str:
    """Return what tells one request from another under the same key; the order of its fields does not."""
    text = json.dumps(["POST", "/sync/trigger", told.told()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@routes.serve("POST", "/sync/start", OPERATOR, makes("Monitor", "It runs; its first run begins within a minute."))
def start_monitor(body: MonitorStart) -> Reply:
    """Start the tenant's monitor: it takes the schedule's place while it runs; a second one is refused."""
    call = routes.call
    monitor = call.engine.monitors.start(
        call.tenant, interval=body.interval, new_only=body.new_only, max_runs=body.max_runs, by=call.by
    )
    return reply(monitor.as_dict(), 201)


@routes.serve("POST", "/sync/stop", OPERATOR, shows("Stopped", "It runs no more; the schedule goes on."))
def stop_monitor() -> Reply:
    """Stop the tenant's monitor."""
    call = routes.call
    stopped = call.engine.monitors.stop(call.tenant)
    return reply({"stopped": stopped is not None, "monitor": stopped and stopped.as_dict()})


@routes.serve("GET", "/sync/status", VIEWER, shows("Status"))
def show_status() -> Reply:
    """How things stand: the monitor, totals, and the freshness of every source, judged now."""
    call = routes.call
    return reply(call.engine.status.load_status(call.tenant))


@routes.serve("GET", "/sync/history", VIEWER, lists("Run"))
def list_runs(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The runs, newest first."""
    call = routes.call
    page = call.engine.status.load_history(call.tenant, limit=limit, cursor=cursor)
    return reply({"items": [describe_run(run) for run in page.items], "cursor": page.cursor})


@routes.serve("GET", "/sync/history/{run_id}", VIEWER, shows("Run"))
def show_run(run_id: Id) -> Reply:
    """One run."""
    call = routes.call
    return reply(describe_run(call.engine.status.load_run(call.tenant, RunId(run_id))))
