"""Events of the WebSocket, as the gateway hands them to the function ``live``.

$connect       ─► 200, or 403 and the gateway opens nothing; nothing can be posted to it yet
$disconnect    ─► forgotten
every message  ─► answered on its connection
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from bokit.core.model.connections import ConnectionId, read_claims
from bokit.engine.app import Bokit


def answer_socket(event: Mapping[str, Any], engine: Callable[[], Bokit]) -> dict[str, int]:
    """Serve one event of a WebSocket; whom it acts for comes from the gateway's authorizer, and from nowhere else."""
    context = event["requestContext"]
    connection_id, caller = ConnectionId(str(context["connectionId"])), read_claims(context.get("authorizer") or {})
    if caller is None:
        return {"statusCode": 401}
    kind = context["eventType"]
    if kind == "CONNECT":
        return {"statusCode": 200 if engine().connections.open(connection_id, caller) else 403}
    if kind == "DISCONNECT":
        engine().connections.forget(caller.tenant, connection_id)
    else:
        engine().messages.answer(caller.tenant, connection_id, _read_body(event))
    return {"statusCode": 200}


def _read_body(event: Mapping[str, Any]) -> str:
    """Return the message's text; of bytes that are no text, nothing."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body)
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
