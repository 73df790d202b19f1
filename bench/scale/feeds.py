"""A feed server that takes little of the machine: one answer for all requests, with the DTSTAMP of its second."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import cast

from bench.bench_reading import build_feed

EVENTS = 100
FORMER_STAMP = "20000101T000000Z"
"""What ``build_feed`` is asked for, and each answer replaces."""


class FeedProtocol(asyncio.Protocol):
    """Answers every request on a connection that stays open."""

    body = build_feed(EVENTS, FORMER_STAMP)
    made_at, answer = 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._asked = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        self._asked += data
        *complete, self._asked = self._asked.split(b"\r\n\r\n")
        for _ in complete:
            self._transport.write(self._make_answer())

    @classmethod
    def _make_answer(cls) -> bytes:
        now = int(time.time())
        if now != cls.made_at:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            body = cls.body.replace(FORMER_STAMP.encode(), stamp.encode())
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nContent-Length: {len(body)}\r\n\r\n"
            cls.made_at, cls.answer = now, head.encode() + body
        return cls.answer


async def _serve(port: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(FeedProtocol, "127.0.0.1", 0, backlog=512)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(port: Connection) -> None:
    """Send the port, and serve until the process ends."""
    asyncio.run(_serve(port))


@contextmanager
def feed_server() -> Iterator[tuple[str, int]]:
    """Serve feeds in a process of their own; yield the address and the process's id."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}", process.pid or 0
    finally:
        process.terminate()
        process.join()
