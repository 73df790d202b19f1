"""Connections that are kept: how many a batch opens, and how many stay."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from bokit.net.limits import MAX_POOL_SIZE, MAX_POOLS
from tests.support.guarded import Serve, a_patient_client, leads_to, serve  # noqa: F401
from tests.support.scripted_server import TIMEOUT, ok, say


def test_a_batch_opens_no_more_connections_to_a_host_than_it_has_threads(serve: Serve) -> None:
    """A hundred feeds of one host take eight connections in eight threads, and the next batch takes the same ones."""
    server, client = serve(say(ok(b"x" * 32_000))), a_patient_client()
    for _ in range(2):
        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(lambda number: client.get(server.url(f"/{number}")).content, range(100)))
        assert {len(body) for body in bodies} == {32_000}
    assert server.connections <= 8
    assert len(server.heads) == 200


def test_the_connections_that_are_kept_are_bounded(serve: Serve) -> None:
    """More than sixteen of one host, and hosts beyond the sixty-fourth, are closed."""
    released = threading.Barrier(MAX_POOL_SIZE + 4, timeout=TIMEOUT)

    def script(sock: socket.socket, head: bytes) -> bool:
        released.wait()
        return say(ok())(sock, head)

    client = a_patient_client(resolver=leads_to("127.0.0.1"))
    server = serve(script)
    with ThreadPoolExecutor(MAX_POOL_SIZE + 4) as pool:
        list(pool.map(lambda number: client.get(server.url(f"/{number}")), range(MAX_POOL_SIZE + 4)))
    kept = client.adapter.open_connections()
    assert kept.count() == MAX_POOL_SIZE
    plain = serve(say(ok()))
    for number in range(MAX_POOLS + 6):
        client.get(f"http://h{number}.example.org:{plain.port}/")
    assert kept.count() == MAX_POOLS
    client.adapter.close()
    assert kept.count() == 0
