"""Tickets: a caller of the HTTP API gets one, and opens a WebSocket with it, once.

POST /sync/ticket    │ the caller's token is valid ──► a ticket, for 60 s
wss://…?ticket=…     · the authorizer                 │ takes it; the token is still valid ──► the gateway opens the socket
again                ·                                · gone: refused
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict
from urllib.parse import urlencode

from bokit.core.model.access import Principal, TokenId, hash_token
from bokit.core.model.connections import Ticket, is_ticket
from bokit.engine.base.clock import Clock
from bokit.engine.live.limits import MAX_CONNECTIONS, MAX_TICKET_AGE
from bokit.errors import InputError, StateError, UnknownIdError
from bokit.store.protocols import Store


class TicketDocument(TypedDict):
    """Where to open a WebSocket, once."""

    url: str
    expires_at: datetime


class TicketService:
    """Issues and redeems tickets; without a URL the stack has no WebSocket."""

    def __init__(self, store: Store, clock: Clock, new_secret: Callable[[], str], url: str | None = None) -> None:
        self.store, self.clock, self.new_secret, self.url = store, clock, new_secret, url

    def find_url(self) -> str:
        """Return the address of the WebSocket; raises InputError where the stack has none."""
        if self.url is None:
            raise InputError("this stack has no WebSocket; read GET /events from time to time", code="no-websocket")
        return self.url

    def issue(self, caller: Principal) -> TicketDocument:
        """Return a ticket's URL, which is shown only this once."""
        url, now = self.find_url(), self.clock()
        valid = self.find_valid(caller)
        if valid is None:
            raise InputError("the token is not valid any more", code="token-invalid")
        self._check_room(caller, now)
        text, expires_at = self.new_secret(), now + MAX_TICKET_AGE
        self.store.save_ticket(Ticket(hash=hash_token(text), caller=valid, expires_at=expires_at))
        return {"url": f"{url}?{urlencode({'ticket': text})}", "expires_at": expires_at}

    def _check_room(self, caller: Principal, now: datetime) -> None:
        open_now = sum(c.ends_at > now for c in self.store.load_connections(caller.tenant))
        if open_now >= MAX_CONNECTIONS:
            message = f"the tenant has {open_now} open WebSockets; read GET /events from time to time"
            raise StateError(message, code="too-many-connections", limit=MAX_CONNECTIONS, used=open_now)

    def redeem(self, text: object) -> Principal | None:
        """Return whom the ticket acts for, and make it worthless; None: nobody.

        Not shaped like a ticket, nothing is read; unknown or used, one read; expired or of a revoked token, it is used up.
        """
        if not isinstance(text, str) or not is_ticket(text):
            return None
        ticket = self.store.take_ticket(hash_token(text))
        if ticket is None or ticket.expires_at <= self.clock():
            return None
        return self.find_valid(ticket.caller)

    def find_valid(self, caller: Principal) -> Principal | None:
        """Return *caller* with the end of its token; None where that is revoked, expired or gone."""
        now = self.clock()
        if caller.is_external:
            return caller if caller.expires_at is None or caller.expires_at > now else None
        try:
            token = self.store.load_token(caller.tenant, TokenId(caller.id))
        except UnknownIdError:
            return None
        if not token.is_valid(now):
            return None
        return Principal(tenant=caller.tenant, role=token.role, id=caller.id, expires_at=token.expires_at)
