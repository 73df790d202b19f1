"""Deaths around WebSockets: at each call of store or gateway, before or after it; nothing is lost, nobody stays in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.connections import ConnectionId, read_claims
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.runs import Trigger
from bokit.engine.catalog.access import TokenService
from bokit.engine.live.connections import ConnectionService
from bokit.engine.live.events import EventLog
from tests.support.live_app import LiveApp, Socket
from tests.support.rows_app import CallCounter, Died


class Doomed:
    """The services of one process, which dies at its *die_at*-th call."""

    def __init__(self, app: LiveApp, die_at: int, die_after: bool) -> None:
        self.app, self.calls = app, list[str]()
        self.store, self.sockets = CallCounter(app.store, self.calls), CallCounter(app.sockets, self.calls)
        for counter in (self.store, self.sockets):
            counter.die_at, counter.die_after = die_at, die_after
        self.connections = ConnectionService(self.store, app.clock, app.bokit.tickets, self.sockets)
        self.events = EventLog(self.store, app.clock, post=self.connections.post_events)
        self.access = TokenService(
            self.store, app.clock, lambda prefix: prefix, lambda: "", lambda token: self.connections.close_revoked(token)
        )

    def survives(self, act: Callable[[], object]) -> bool:
        """Do it, or die."""
        try:
            act()
        except Died:
            return False
        return True


def write_events(app: LiveApp, count: int) -> None:
    """Put outbox items of one event each."""
    for n in range(count):
        app.move(microseconds=1)
        (item,) = fill_outbox(DEFAULT_TENANT, app.clock(), [NewEvent(type=EventType.RECORD_CHANGED, data={"id": f"r{n}"})])
        app.store.put_outbox(item)


def known_after(socket: Socket, seq: int = 0) -> list[int]:
    """Return the numbers of the events that came, and of those that come when the client resumes after *seq*."""
    return sorted({m["seq"] for m in socket.read() + socket.resume(seq) if m["type"] == "record.changed"})


@pytest.mark.parametrize("die_after", [False, True])
@pytest.mark.parametrize("clients", [1, 3])
def test_a_death_while_posting_loses_no_event(monkeypatch, clients, die_after):
    """The next drain numbers what was left, once; every client has all events by what came and one resume."""
    for die_at in range(1, 100):
        app = LiveApp(monkeypatch)
        caller = app.sign_in()
        sockets = [app.connect(caller) for _ in range(clients)]
        write_events(app, 3)
        doomed = Doomed(app, die_at, die_after)

        has_survived = doomed.survives(lambda doomed=doomed: doomed.events.drain())
        app.bokit.events.drain().check()

        assert app.store.load_last_seq(DEFAULT_TENANT) == 3
        assert [known_after(socket) for socket in sockets] == [[1, 2, 3]] * clients
        if has_survived:
            break
    assert {"number_events", "load_connections", "post"} <= set(doomed.calls)


@pytest.mark.parametrize("die_after", [False, True])
def test_a_death_while_revoking_leaves_nobody_in(monkeypatch, die_after):
    """Either the token is still valid, or a tick closes what is left; after it nothing is due."""
    for die_at in range(1, 100):
        app = LiveApp(monkeypatch)
        caller, other = app.sign_in(), app.sign_in()
        sockets, kept = [app.connect(caller) for _ in range(2)], app.connect(other)
        doomed, token_id = Doomed(app, die_at, die_after), caller.authorizer["lambda"]["id"]

        has_survived = doomed.survives(lambda doomed=doomed, name=token_id: doomed.access.revoke(DEFAULT_TENANT, name))
        is_revoked = app.store.load_token(DEFAULT_TENANT, token_id).revoked_at is not None
        app.bokit.tick(Trigger.SCHEDULE).check()

        assert [socket.is_closed for socket in (*sockets, kept)] == [is_revoked, is_revoked, False]
        assert len(app.store.load_connections(DEFAULT_TENANT)) == (1 if is_revoked else 3)
        assert app.store.load_due_closings(app.clock()).tokens == ()
        if has_survived:
            break
    assert {"revoke_token", "close", "delete_connection", "clear_closing"} <= set(doomed.calls)


@pytest.mark.parametrize("die_after", [False, True])
def test_a_death_while_connecting_leaves_no_unseen_connection(monkeypatch, die_after):
    """The gateway refuses where the function died: what was remembered is forgotten by the first post, or at its end."""
    for die_at in range(1, 20):
        app = LiveApp(monkeypatch)
        claims = app.admit(app.ticket_of(app.sign_in()))
        caller = app.connect(app.sign_in())
        doomed = Doomed(app, die_at, die_after)

        who = read_claims(claims)
        has_survived = doomed.survives(lambda doomed=doomed, who=who: doomed.connections.open("dead", who))
        if not has_survived:
            app.sockets.closed.append(ConnectionId("dead"))  # it was never open
        app.happen(1)

        ids = {connection.id for connection in app.store.load_connections(DEFAULT_TENANT)}
        assert ids == ({caller.id, "dead"} if has_survived else {caller.id})
        if has_survived:
            break
    assert "save_connection" in doomed.calls
