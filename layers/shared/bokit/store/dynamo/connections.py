"""Tickets and connections in the table. ``ConnectionStore`` has the timeline of a token that is revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bokit.core.model.access import Token
from bokit.core.model.codec import read_document, write_document, write_micros
from bokit.core.model.connections import Connection, ConnectionId, Ticket
from bokit.core.model.records import TenantId
from bokit.store.connection_protocol import DueClosings
from bokit.store.dynamo import keys
from bokit.store.dynamo.access import read_token
from bokit.store.dynamo.gateway import DeleteItem, PutItem, TableGateway, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.limits import CONNECTION_TTL


class DynamoConnections:
    """``ConnectionStore`` on the table."""

    _table: TableGateway

    def save_ticket(self, ticket: Ticket) -> None:
        document = {"doc": write_document(ticket), "tenant": ticket.caller.tenant, "expires_at": ticket.expires_at}
        self._table.put(PutItem(key=keys.ticket_key(ticket.hash), attributes=document))

    def take_ticket(self, digest: str) -> Ticket | None:
        key = keys.find_key(keys.ticket_key, digest)
        row = self._table.get(key) if key else None
        if key is None or row is None or not self._table.write(DeleteItem(key=key, condition=ItemRow.pk.exists()), []):
            return None
        return read_document(Ticket, row.doc)

    def save_connection(self, connection: Connection) -> None:
        attributes = {
            "doc": write_document(connection),
            "due_pk": keys.DUE_CLOSINGS,
            "due_at": write_micros(connection.ends_at),
            "expires_at": connection.ends_at + CONNECTION_TTL,
        }
        self._table.put(PutItem(key=keys.connection_key(connection.tenant, connection.id), attributes=attributes))

    def find_connection(self, tenant: TenantId, connection_id: ConnectionId) -> Connection | None:
        key = keys.find_key(keys.connection_key, tenant, connection_id)
        row = self._table.get(key) if key else None
        return read_document(Connection, row.doc) if row else None

    def load_connections(self, tenant: TenantId) -> Sequence[Connection]:
        return [read_document(Connection, row.doc) for row in self._table.query(keys.connections_partition(tenant))]

    def delete_connection(self, tenant: TenantId, connection_id: ConnectionId) -> None:
        if key := keys.find_key(keys.connection_key, tenant, connection_id):
            self._table.delete(key)

    def load_due_closings(self, now: datetime, limit: int = 100) -> DueClosings:
        # As ``load_due``: the index is eventually consistent and has keys only.
        until = write_micros(now)
        rows = self._table.get_all(self._table.query_due(until, limit, keys.DUE_CLOSINGS))
        due = sorted(
            (int(row.due_at), key, row) for key, row in rows.items() if row.due_at is not None and int(row.due_at) <= until
        )
        return DueClosings(
            connections=tuple(read_document(Connection, row.doc) for _, key, row in due if not keys.is_token(key)),
            tokens=tuple(read_token(row) for _, key, row in due if keys.is_token(key)),
        )

    def clear_closing(self, token: Token) -> None:
        actions = [ItemRow.due_pk.remove(), ItemRow.due_at.remove()]
        is_ours = ItemRow.tenant == token.tenant
        self._table.update(UpdateItem(key=keys.token_key(token.hash), actions=actions, condition=is_ours))
