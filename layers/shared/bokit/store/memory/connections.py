"""Tickets and connections in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bokit.core.model.access import Token
from bokit.core.model.connections import Connection, ConnectionId, Ticket
from bokit.core.model.records import TenantId
from bokit.store.connection_protocol import DueClosings
from bokit.store.memory.state import MemoryState, load_all


class MemoryConnections(MemoryState):
    """``ConnectionStore`` in memory."""

    def save_ticket(self, ticket: Ticket) -> None:
        with self._lock:
            self._tickets[ticket.hash] = ticket

    def take_ticket(self, digest: str) -> Ticket | None:
        with self._lock:
            return self._tickets.pop(digest, None)

    def save_connection(self, connection: Connection) -> None:
        with self._lock:
            self._connections[connection.tenant, connection.id] = connection

    def find_connection(self, tenant: TenantId, connection_id: ConnectionId) -> Connection | None:
        with self._lock:
            return self._connections.get((tenant, connection_id))

    def load_connections(self, tenant: TenantId) -> Sequence[Connection]:
        with self._lock:
            return load_all(self._connections, tenant)

    def delete_connection(self, tenant: TenantId, connection_id: ConnectionId) -> None:
        with self._lock:
            self._connections.pop((tenant, connection_id), None)

    def load_due_closings(self, now: datetime, limit: int = 100) -> DueClosings:
        with self._lock:
            ended = [(c.ends_at, c.id) for c in self._connections.values() if c.ends_at <= now]
            revoked = [(at, digest) for digest, at in self._unclosed.items() if at <= now and digest in self._tokens]
            taken = {name for _, name in sorted([*ended, *revoked])[:limit]}
            connections = sorted((c for c in self._connections.values() if c.id in taken), key=lambda c: (c.ends_at, c.id))
            return DueClosings(
                connections=tuple(connections),
                tokens=tuple(self._tokens[digest] for _, digest in sorted(revoked) if digest in taken),
            )

    def clear_closing(self, token: Token) -> None:
        with self._lock:
            self._unclosed.pop(token.hash, None)
