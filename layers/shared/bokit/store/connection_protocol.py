"""What the engine needs of a store for connections of the WebSocket; see ``store.protocols``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.access import Token
from bokit.core.model.connections import Connection, ConnectionId, Ticket
from bokit.core.model.records import TenantId
from bokit.values import Value


class DueClosings(Value):
    """What is to be closed now."""

    connections: tuple[Connection, ...] = ()
    """Those that have reached their end."""
    tokens: tuple[Token, ...] = ()
    """Revoked ones whose connections may still be open."""


class ConnectionStore(Protocol):
    """Open connections by tenant, and tickets by their hash.

    A revoked token is due at once, with the write that revokes it, until its connections are closed:

        time ─────────┬──────────────────────────────┬──────────────────────►
        revoke        │ revoked, due                 ·
        $connect      · saves the connection, then   │ reads the token: revoked, it deletes it again
    """

    def save_ticket(self, ticket: Ticket) -> None:
        """Write a new ticket."""

    def take_ticket(self, digest: str) -> Ticket | None:
        """Delete the ticket with this hash and return it, to one of any number of callers. It may be expired."""

    def save_connection(self, connection: Connection) -> None:
        """Write a connection; it is due when it ends."""

    def find_connection(self, tenant: TenantId, connection_id: ConnectionId) -> Connection | None:
        """Return the tenant's connection of this id."""

    def load_connections(self, tenant: TenantId) -> Sequence[Connection]:
        """Return the tenant's connections; some may be gone, or have reached their end."""

    def delete_connection(self, tenant: TenantId, connection_id: ConnectionId) -> None: ...
    def load_due_closings(self, now: datetime, limit: int = 100) -> DueClosings:
        """Return what is due at *now*, the earliest first, by one index query."""

    def clear_closing(self, token: Token) -> None:
        """Make a revoked token due no more: its connections are closed."""
