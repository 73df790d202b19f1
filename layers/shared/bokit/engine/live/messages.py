"""What goes over a WebSocket: events, progress, and the answers to what clients send.

{"action": "resume", "since": 17}    │ the events after 17, and {"type": "ready", "seq"}; or {"type": "resync", "seq"}
{"action": "ping"}                   │ {"type": "pong", "seq"}
anything else                        │ {"type": "error", "code", "message"}
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bokit.core.model.connections import ConnectionId
from bokit.core.model.documents import write_json
from bokit.core.model.events import Event, EventDocument, EventType, describe_event
from bokit.core.model.records import TenantId
from bokit.core.model.runs import OpenRun
from bokit.engine.live.limits import MAX_CLIENT_MESSAGE, MAX_FRAME_BYTES, MAX_RESUMED_EVENTS, MAX_SEQ
from bokit.errors import InputError, LaterError
from bokit.values import Value

if TYPE_CHECKING:
    from bokit.engine.live.connections import ConnectionService
    from bokit.engine.live.events import EventLog

log = logging.getLogger("bokit.live")

ACTIONS = ("resume", "ping")


def write_message(kind: str, seq: int) -> str:
    """Return a message on where the log is."""
    return write_json({"type": kind, "seq": seq})


def write_event(event: Event) -> str:
    """Return the message of an event; of one that is too large for a frame, that the log is to be read."""
    return _fit(describe_event(event))


def _fit(document: EventDocument) -> str:
    text = write_json(document)
    return text if len(text.encode()) <= MAX_FRAME_BYTES else write_message("resync", document["seq"])


def is_under_way(opened: OpenRun) -> bool:
    """Return whether some of the run's sources have reported, and some have not."""
    return bool(opened.run.sources) and bool(opened.pending)


def write_progress(opened: OpenRun, now: datetime) -> str:
    """Return the message on how far an open run is: an event without a number."""
    run, done = opened.run, len(opened.run.sources)
    counts = {name: count for name, count in run.counts.items() if count}
    about = {"run_id": run.run_id, "trigger": str(run.trigger), "status": str(run.status)}
    data = {**about, "sources": done + len(opened.pending), "done": done, "counts": counts}
    kind = str(EventType.SYNC_PROGRESS)
    return write_json({"id": f"{run.run_id}_{done}", "type": kind, "at": now, "timestamp": now, "data": data})


class ClientMessage(Value):
    """What a client sent."""

    action: str
    since: int = 0


def read_client_message(body: str) -> ClientMessage:
    """Return the message of *body*; raises InputError that says what is wrong with it."""
    if len(body) > MAX_CLIENT_MESSAGE:
        raise InputError(f"a message has at most {MAX_CLIENT_MESSAGE} characters", code="too-large")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("the message is not JSON", code="bad-json") from None
    action = message.get("action") if isinstance(message, Mapping) else None
    if action not in ACTIONS:
        raise InputError(f"no such action; known: {', '.join(ACTIONS)}", code="unknown-action")
    return ClientMessage(action=action, since=_read_since(message.get("since")) if action == "resume" else 0)


def _read_since(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEQ:
        raise InputError("since must be the `seq` of an answer before", code="bad-field")
    return value


class MessageService:
    """Answers what clients send over their connections."""

    def __init__(self, log: EventLog, connections: ConnectionService) -> None:
        self.log, self.connections = log, connections

    def answer(self, tenant: TenantId, connection_id: ConnectionId, body: str) -> None:
        """Answer one message, on its connection; one that may not go on is closed instead.

        What the gateway does not take is left: a client without an answer connects again.
        """
        try:
            if self.connections.is_open(tenant, connection_id):
                self._post(tenant, connection_id, self._make_answers(tenant, body))
        except LaterError:
            log.warning("a client got no answer", exc_info=True, extra={"facts": {"tenant": tenant}})

    def _post(self, tenant: TenantId, connection_id: ConnectionId, groups: Sequence[Sequence[str]]) -> None:
        for texts in groups:
            if texts and not self.connections.post(tenant, connection_id, texts):
                return

    def _make_answers(self, tenant: TenantId, body: str) -> Sequence[Sequence[str]]:
        """Return the messages of an answer, in groups of which each is sent after the one before."""
        try:
            message = read_client_message(body)
            if message.action == "ping":
                return [[write_message("pong", self.log.read(tenant, None)["seq"])]]
            return self._resume(tenant, message.since)
        except InputError as error:
            if error.stable_code == "resync":
                return [[write_message("resync", error.facts["seq"])]]
            return [[write_json({"type": "error", "code": error.stable_code, "message": error.message})]]

    def _resume(self, tenant: TenantId, since: int) -> Sequence[Sequence[str]]:
        """Return the events after *since*, and that these were all; raises InputError ``resync`` where the log has not all."""
        last = self.log.read(tenant, None)["seq"]
        if last - since > MAX_RESUMED_EVENTS:
            return [[write_message("resync", last)]]
        page = self.log.read(tenant, since, MAX_RESUMED_EVENTS)
        return [[_fit(document) for document in page["items"]], [write_message("ready", page["seq"])]]
