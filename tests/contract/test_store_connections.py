"""What every store does with connections of the WebSocket, and with tickets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from bokit.core.model.access import Principal, Role, hash_token
from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.connections import Connection, ConnectionId, Ticket
from bokit.core.model.records import TenantId
from bokit.store.connection_protocol import DueClosings
from bokit.store.protocols import Store
from tests.support.builders import HOUR, NAUGHTY_STRINGS, NOW, a_token
from tests.support.steps import OTHER

SECOND = timedelta(seconds=1)


def a_caller(tenant: TenantId = DEFAULT_TENANT, **given: object) -> Principal:
    """Return somebody who opens a socket."""
    return Principal(**{"tenant": tenant, "role": Role.VIEWER, "id": "tok_1", **given})


def a_connection(name: str = "L0SM9cOFvHcCIhw=", tenant: TenantId = DEFAULT_TENANT, **given: object) -> Connection:
    """Return an open socket."""
    values = {"id": ConnectionId(name), "caller": a_caller(tenant), "opened_at": NOW, "ends_at": NOW + HOUR, **given}
    return Connection(**values)


def a_ticket(text: str = "text", tenant: TenantId = DEFAULT_TENANT) -> Ticket:
    """Return a ticket."""
    return Ticket(hash=hash_token(text), caller=a_caller(tenant), expires_at=NOW + 60 * SECOND)


def test_a_connection_comes_back_whole(store: Store) -> None:
    """A connection is found by its tenant and id, and in its tenant's list, with every field."""
    caller = a_caller(TenantId("t#1"), role=Role.ADMIN, id="a#b%", expires_at=NOW + HOUR, is_external=True)
    connection = a_connection("a#/=%", caller=caller)
    store.save_connection(connection)

    assert store.find_connection(connection.tenant, connection.id) == connection
    assert store.load_connections(connection.tenant) == [connection]


def test_tenants_do_not_see_each_others_connections(store: Store) -> None:
    """The same id in two tenants is two connections; deleting one leaves the other."""
    ours, theirs = a_connection("c"), a_connection("c", OTHER)
    for connection in (ours, theirs):
        store.save_connection(connection)
    store.delete_connection(DEFAULT_TENANT, ours.id)
    store.delete_connection(DEFAULT_TENANT, ours.id)

    assert store.load_connections(DEFAULT_TENANT) == []
    assert store.find_connection(DEFAULT_TENANT, ours.id) is None
    assert store.load_connections(OTHER) == [theirs]


def test_a_ticket_is_taken_once(store: Store) -> None:
    """The first who brings it gets it, whole; the second gets nothing."""
    ticket = a_ticket()
    store.save_ticket(ticket)

    assert store.take_ticket(hash_token("other")) is None
    assert [store.take_ticket(ticket.hash) for _ in range(2)] == [ticket, None]


def test_of_many_at_the_same_time_one_gets_the_ticket(shared_store: Store) -> None:
    """Sixteen ask at the same moment."""
    store, barrier = shared_store, Barrier(16)
    ticket = a_ticket()
    store.save_ticket(ticket)

    def take(_: int) -> Ticket | None:
        barrier.wait()
        return store.take_ticket(ticket.hash)

    with ThreadPoolExecutor(16) as pool:
        assert [found for found in pool.map(take, range(16)) if found] == [ticket]


def test_what_is_not_a_hash_or_an_id_finds_nothing(store: Store) -> None:
    """No text that a client sends finds a ticket or connection, or deletes one."""
    connection = a_connection()
    store.save_ticket(a_ticket())
    store.save_connection(connection)
    for text in (*NAUGHTY_STRINGS, "\ud800", "x" * 3000):
        assert store.take_ticket(text) is None
        assert store.find_connection(DEFAULT_TENANT, ConnectionId(text)) is None
        store.delete_connection(DEFAULT_TENANT, ConnectionId(text))

    assert store.load_connections(DEFAULT_TENANT) == [connection]


def test_what_has_ended_is_due(store: Store) -> None:
    """A connection is due from its end on, the earliest first, in whichever tenant; a deleted one is not."""
    late, early, gone, open_one = (
        a_connection(name, tenant, ends_at=NOW + n * SECOND)
        for name, tenant, n in (("late", DEFAULT_TENANT, 2), ("early", OTHER, 1), ("gone", OTHER, 1), ("open", OTHER, 3))
    )
    for connection in (late, early, gone, open_one):
        store.save_connection(connection)
    store.delete_connection(gone.tenant, gone.id)

    assert store.load_due_closings(NOW) == DueClosings()
    assert store.load_due_closings(NOW + 2 * SECOND) == DueClosings(connections=(early, late))
    assert store.load_due_closings(NOW + 2 * SECOND, limit=1).connections == (early,)


def test_a_revoked_token_is_due_until_its_connections_are_closed(store: Store) -> None:
    """With the write that revokes it, once, until that is cleared; a valid one never is."""
    token, valid = a_token(), a_token()
    for each in (token, valid):
        store.save_token(each)
    revoked = store.revoke_token(DEFAULT_TENANT, token.id, NOW)
    store.revoke_token(DEFAULT_TENANT, token.id, NOW + HOUR)

    assert store.load_due_closings(NOW - SECOND) == DueClosings()
    assert store.load_due_closings(NOW) == DueClosings(tokens=(revoked,))
    store.clear_closing(revoked)
    assert store.load_due_closings(NOW + HOUR) == DueClosings()
    assert store.find_token(token.hash) == revoked


def test_a_removed_tenant_leaves_no_connection_and_no_ticket(store: Store) -> None:
    """Neither opens anything afterwards; another tenant's stay."""
    store.save_tenant(Tenant(id=OTHER, name="Other", created_at=NOW))
    for tenant in (DEFAULT_TENANT, OTHER):
        store.save_ticket(a_ticket(tenant, tenant))
        store.save_connection(a_connection("c", tenant))
    store.remove_tenant(OTHER)

    assert store.take_ticket(hash_token(OTHER)) is None
    assert store.load_connections(OTHER) == []
    assert store.load_due_closings(NOW + HOUR) == DueClosings(connections=(a_connection("c"),))
    assert store.take_ticket(hash_token(DEFAULT_TENANT)) == a_ticket(DEFAULT_TENANT, DEFAULT_TENANT)
