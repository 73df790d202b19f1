"""Open WebSockets: remembered by tenant, posted to, and closed.

    $connect       │ saved, then the token is read again: a revocation meanwhile finds the connection, or is found
    numbered       │ posted to the tenant's connections, at the same time to many; 410: forgotten
    revoked        │ its connections are closed at once; those that remain, and those at their end, by the next tick
    $disconnect    │ forgotten

A message that is lost costs nothing but time: clients find a gap by the numbers, or by the next pong, and read the events by
HTTP. So posting never fails what it follows, and a slow connection is left alone after three seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from bokit.core.model.access import Principal, Token
from bokit.core.model.connections import Connection, ConnectionId
from bokit.core.model.events import Event
from bokit.core.model.records import Json, RunId, TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.live.limits import (
    MAX_CONNECTION_AGE,
    MAX_CONNECTIONS,
    MAX_DUE_CLOSINGS,
    MAX_POST_SECONDS,
    MAX_POST_THREADS,
    MAX_POSTING,
    MAX_RESUMED_EVENTS,
    MIN_PROGRESS_PAUSE,
)
from bokit.engine.live.messages import is_under_way, write_event, write_message, write_progress
from bokit.engine.live.tickets import TicketService
from bokit.outlets.protocols import Connections
from bokit.store.protocols import Store
from bokit.values import Value

log = logging.getLogger("bokit.live")
T = TypeVar("T")


class ClosingReport(Value):
    """How many connections a tick closed, and the first error."""

    count: int = 0
    error: Exception | None = None

    def as_dict(self) -> dict[str, Json]:
        """Return the facts for the log."""
        return {"connections": self.count, "failed": self.error is not None}


class ConnectionService:
    """The open WebSockets; a process without *sockets* leaves them to others."""

    def __init__(self, store: Store, clock: Clock, tickets: TicketService, sockets: Connections | None) -> None:
        self.store, self.clock, self.tickets, self.sockets = store, clock, tickets, sockets
        self._posted_at: dict[RunId, datetime] = {}
        """When the progress of each run was last posted."""

    # ── their life ──

    def open(self, connection_id: ConnectionId, caller: Principal) -> bool:
        """Remember a connection that the gateway is about to open; False: refuse it.

        It is saved before the token is read: of a revocation at the same time, one of the two sees the other.
        """
        now = self.clock()
        ends = min(caller.expires_at or now + MAX_CONNECTION_AGE, now + MAX_CONNECTION_AGE)
        if sum(c.ends_at > now for c in self.store.load_connections(caller.tenant)) >= MAX_CONNECTIONS:
            return False
        self.store.save_connection(Connection(id=connection_id, caller=caller, opened_at=now, ends_at=ends))
        if self.tickets.find_valid(caller) is None:
            self.forget(caller.tenant, connection_id)
            return False
        return True

    def forget(self, tenant: TenantId, connection_id: ConnectionId) -> None:
        """Forget a connection that is closed."""
        self.store.delete_connection(tenant, connection_id)

    def is_open(self, tenant: TenantId, connection_id: ConnectionId) -> bool:
        """Return whether the connection may go on; one that was forgotten, or has reached its end, is closed here."""
        known = self.store.find_connection(tenant, connection_id)
        if known is not None and known.ends_at > self.clock():
            return True
        if self.sockets:
            self.sockets.close(connection_id)
        return False

    def close_revoked(self, token: Token) -> ClosingReport:
        """Close the connections of a revoked token; what fails here the next tick repeats."""
        if self.sockets is None:
            return ClosingReport()
        try:
            report = self._close_all(self._load_of(token))
            if report.error is None:
                self.store.clear_closing(token)
        except Exception as error:
            log.warning("connections of a revoked token were not closed", exc_info=True, extra={"facts": {"token_id": token.id}})
            return ClosingReport(error=error)
        return report

    def close_due(self) -> ClosingReport:
        """Close what has reached its end, and what is left of revoked tokens."""
        if self.sockets is None:
            return ClosingReport()
        began = self.clock()
        due = self.store.load_due_closings(began, limit=MAX_DUE_CLOSINGS)
        reports = [self._close_all(due.connections)]
        reports += [self.close_revoked(token) for token in due.tokens if self.clock() - began <= MAX_POSTING]
        return ClosingReport(
            count=sum(report.count for report in reports),
            error=next((report.error for report in reports if report.error), None),
        )

    def _load_of(self, token: Token) -> list[Connection]:
        found = self.store.load_connections(token.tenant)
        return [c for c in found if c.caller.id == token.id and not c.caller.is_external]

    def _close_all(self, connections: Sequence[Connection]) -> ClosingReport:
        errors: list[Exception] = []

        def close(connection: Connection) -> None:
            try:
                if self.sockets:
                    self.sockets.close(connection.id)
                self.store.delete_connection(connection.tenant, connection.id)
            except Exception as error:
                log.warning("a connection was not closed", exc_info=True)
                errors.append(error)

        self._do_each(connections, close)
        return ClosingReport(count=len(connections) - len(errors), error=errors[0] if errors else None)

    # ── posting ──

    def post_events(self, tenant: TenantId, events: Sequence[Event]) -> None:
        """Post numbered events to the tenant's connections; more than a socket takes at once are one ``resync``."""
        if self.sockets is None or not events:
            return
        try:
            texts = [write_event(event) for event in events]
            if len(texts) > MAX_RESUMED_EVENTS:
                texts = [write_message("resync", events[-1].seq)]
            self._post_all(self.store.load_connections(tenant), texts)
        except Exception:
            log.exception("events were not posted", extra={"facts": {"tenant": tenant}})

    def post_progress(self, runs: Iterable[tuple[TenantId, RunId]]) -> None:
        """Post how far open runs are, about once a second each. It has no number, and losing one costs nothing."""
        now = self.clock()
        if self.sockets is None:
            return
        self._posted_at = {run_id: at for run_id, at in self._posted_at.items() if now - at < MIN_PROGRESS_PAUSE}
        for tenant, run_id in dict.fromkeys(runs):
            if run_id not in self._posted_at:
                self._posted_at[run_id] = now
                self._post_progress(tenant, run_id, now)

    def _post_progress(self, tenant: TenantId, run_id: RunId, now: datetime) -> None:
        try:
            connections = self.store.load_connections(tenant)
            opened = self.store.find_open_run(tenant, run_id) if connections else None
            if opened is not None and is_under_way(opened):
                self._post_all(connections, [write_progress(opened, now)])
        except Exception:
            log.exception("progress was not posted", extra={"facts": {"run_id": run_id}})

    def post(self, tenant: TenantId, connection_id: ConnectionId, texts: Sequence[str]) -> bool:
        """Post to one connection, many messages at the same time: clients sort them. Return False where it is gone.

        Raises LaterError where the gateway does not take one of them.
        """
        sockets = self.sockets
        if sockets is None:
            return False
        taken: list[bool] = []
        self._do_each(texts, lambda text: taken.append(sockets.post(connection_id, text)))
        if not all(taken):
            self.forget(tenant, connection_id)
        return all(taken)

    def _post_all(self, connections: Sequence[Connection], texts: Sequence[str]) -> None:
        now = self.clock()
        self._do_each([c for c in connections if c.ends_at > now], lambda connection: self._post_within(connection, texts))

    def _post_within(self, connection: Connection, texts: Sequence[str]) -> None:
        """Post what three seconds are enough for, in order; one that takes longer learns of the rest by its next pong."""
        began = time.monotonic()
        try:
            for text in texts:
                if time.monotonic() - began > MAX_POST_SECONDS:
                    raise TimeoutError
                if not self.post(connection.tenant, connection.id, [text]):
                    break
        except Exception:
            log.warning("a connection was left alone: it did not take its messages", exc_info=True)

    def _do_each(self, items: Sequence[T], act: Callable[[T], None]) -> None:
        """Call *act* with each item, at the same time with many."""
        if len(items) == 1:
            act(items[0])
        elif items and self.sockets:
            self.sockets.prepare()
            with ThreadPoolExecutor(max_workers=min(len(items), MAX_POST_THREADS)) as pool:
                list(pool.map(act, items))
