"""Connections to public addresses, kept after a response for the next request to the same host; threads may share them."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections import OrderedDict

from bokit.net.addresses import Target
from bokit.net.guard import DeadlineSocket, DeadlineTlsSocket, Exchange, Guard
from bokit.net.limits import MAX_IDLE_SECONDS, MAX_POOL_SIZE, MAX_POOLS

Sock = DeadlineSocket | DeadlineTlsSocket
Origin = tuple[str, str, int]


class Connections:
    """What is open and not in use.

    request      │ take: one that is kept, still open and not idle for too long; else a new one, to an address that was checked
    response     │ keep: it was read to its end, and the other end goes on; else it is closed
    """

    def __init__(self, guard: Guard, context: ssl.SSLContext) -> None:
        self._guard, self._context = guard, context
        self._lock = threading.Lock()
        self._kept: OrderedDict[Origin, list[tuple[Sock, float]]] = OrderedDict()
        """With the time until which each may be used; the host that was used last comes last."""

    def take(self, target: Target, exchange: Exchange) -> Sock:
        """Return a connection to *target* whose reads and writes end with *exchange*."""
        sock = self._take_kept(target.origin)
        if sock is None:
            sock = self._open(target, exchange)
        sock.ends = exchange.ends
        sock.settimeout(exchange.left())
        return sock

    def keep(self, target: Target, sock: Sock) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            own = self._kept.setdefault(target.origin, [])
            self._kept.move_to_end(target.origin)
            own.append((sock, time.monotonic() + MAX_IDLE_SECONDS))
            over = [own.pop(0)] if len(own) > MAX_POOL_SIZE else []
            over += self._kept.popitem(last=False)[1] if len(self._kept) > MAX_POOLS else []
        for each, _ in over:
            each.close()

    def count(self) -> int:
        """Return how many are kept."""
        with self._lock:
            return sum(map(len, self._kept.values()))

    def clear(self) -> None:
        """Close what is kept."""
        with self._lock:
            kept, self._kept = self._kept, OrderedDict()
        for sock, _ in (one for own in kept.values() for one in own):
            sock.close()

    def _take_kept(self, origin: Origin) -> Sock | None:
        while True:
            with self._lock:
                own = self._kept.get(origin)
                if not own:
                    return None
                sock, until = own.pop()
                if not own:
                    del self._kept[origin]
            if time.monotonic() < until and not _has_news(sock):
                return sock
            sock.close()

    def _open(self, target: Target, exchange: Exchange) -> Sock:
        plain = self._guard.connect(target.host, target.port, exchange)
        if target.scheme == "http":
            return plain
        try:
            secure = self._context.wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise
        return secure  # type: ignore[return-value]  # the context's class of sockets


def _has_news(sock: socket.socket) -> bool:
    """Return whether the other end closed the connection, or says what nobody asked for."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
