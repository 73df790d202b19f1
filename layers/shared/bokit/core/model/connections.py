"""Connections of the WebSocket, and the tickets that open them. Pure; secrets are made at the edge.

A browser can send no header with a WebSocket, and a token in a URL would be in every log. So a client asks for a ticket with its
token, and opens the socket with the ticket: 43 random characters, stored as their SHA-256, taken once, worthless after a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NewType

from bokit.core.model.access import Principal, Role
from bokit.core.model.records import TenantId
from bokit.values import Value

ConnectionId = NewType("ConnectionId", str)
"""The gateway's id of an open socket."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


class Ticket(Value):
    """Opens one connection for a caller."""

    hash: str
    caller: Principal
    expires_at: datetime
    """Of the ticket itself."""


class Connection(Value):
    """An open socket, and whom it acts for."""

    id: ConnectionId
    caller: Principal
    opened_at: datetime
    ends_at: datetime
    """When it is closed at the latest: sockets have an age, and it does not outlive its token."""

    @property
    def tenant(self) -> TenantId:
        """The caller's tenant."""
        return self.caller.tenant


def is_ticket(text: object) -> bool:
    """Return whether *text* has the form of a ticket; what has not costs no read."""
    return isinstance(text, str) and _SHAPE.fullmatch(text) is not None


def write_claims(caller: Principal) -> dict[str, str]:
    """Return *caller* as the gateway carries it from the authorizer to every later event: as texts."""
    ends = caller.expires_at.isoformat() if caller.expires_at else ""
    return {
        "tenant": caller.tenant,
        "role": str(caller.role),
        "id": caller.id,
        "expires_at": ends,
        "issuer": "other" if caller.is_external else "bokit",
    }


def read_claims(claims: Mapping[str, Any]) -> Principal | None:
    """Return the caller that :func:`write_claims` wrote; None if it names none."""
    tenant, role, caller_id, ends = (str(claims.get(name) or "") for name in ("tenant", "role", "id", "expires_at"))
    if not (tenant and caller_id and role in list(Role)):
        return None
    return Principal(
        tenant=TenantId(tenant),
        role=Role(role),
        id=caller_id,
        expires_at=datetime.fromisoformat(ends).astimezone(UTC) if ends else None,
        is_external=claims.get("issuer") == "other",
    )
