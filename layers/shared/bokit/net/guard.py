"""Connections to public addresses only, whose every read knows how much time the request has left.

urllib3's timeouts are for one read: a server that sends a byte now and then would hold us for ever. Here the socket itself
computes, before each read, what is left until the request's deadline.
"""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bokit.net.addresses import is_public
from bokit.net.limits import MAX_IDLE_SECONDS, MAX_INTERIM_RESPONSES, MAX_POOL_SIZE, MAX_POOLS

AddressInfo = tuple[Any, ...]
"""As ``socket.getaddrinfo`` returns it."""
Resolver = Callable[[str, int], Sequence[AddressInfo]]


class PrivateAddressError(OSError):
    """A name whose address is not public; an OSError, which urllib3 lets pass."""


def resolve(host: str, port: int) -> Sequence[AddressInfo]:
    """Return the addresses of *host*, from the system's resolver."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(slots=True)
class Exchange:
    """One request: when it must have ended, and how many connections it opened."""

    host: str
    ends: float
    """As ``time.monotonic`` counts."""
    opened: int = 0

    @property
    def is_over(self) -> bool:
        """Return whether the deadline has passed."""
        return time.monotonic() >= self.ends

    def left(self) -> float:
        """Return the seconds that are left; raises TimeoutError if none are."""
        return _seconds_until(self.ends)


def _seconds_until(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _DeadlineSocket(socket.socket):
    """A socket whose reads end at the deadline."""

    ends: float

    def recv_into(self, *args: Any, **more: Any) -> int:
        self.settimeout(_seconds_until(self.ends))
        return super().recv_into(*args, **more)


class _DeadlineTlsSocket(ssl.SSLSocket):
    """The same over TLS. One read never exceeds its timeout, however slowly its records arrive."""

    ends: float

    def recv_into(self, *args: Any, **more: Any) -> int:
        self.settimeout(_seconds_until(self.ends))
        return super().recv_into(*args, **more)


def make_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that checks certificates and names, and reads nothing of the environment, as the default does."""
    import certifi

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_file or certifi.where())
    context.sslsocket_class = _DeadlineTlsSocket
    return context


@cache
def shared_tls_context() -> ssl.SSLContext:
    """Return the context of every client that trusts what everybody trusts: its certificates take long to load, so once."""
    return make_tls_context()


class Guard:
    """Opens sockets to public addresses, and to no others."""

    def __init__(self, allow_private_addresses: bool, resolver: Resolver) -> None:
        self.allow_private_addresses, self._resolver = allow_private_addresses, resolver
        self._here = threading.local()

    @property
    def exchange(self) -> Exchange:
        """Return the exchange of this thread: urllib3 passes nothing through to its connections."""
        exchange: Exchange = self._here.exchange
        return exchange

    def start(self, host: str, deadline: float) -> Exchange:
        """Begin an exchange of this thread with *host*, which ends after *deadline* seconds."""
        exchange = self._here.exchange = Exchange(host, time.monotonic() + deadline)
        return exchange

    def connect(self, host: str, port: int) -> socket.socket:
        """Resolve *host* once, and connect to one of the checked addresses: later answers of its name do not matter."""
        exchange = self.exchange
        found = self._look_up(host.strip("[]"), port, exchange)
        if not self.allow_private_addresses and not all(is_public(str(info[4][0])) for info in found):
            raise PrivateAddressError
        exchange.opened += 1
        return _connect_to_any(found, exchange)

    def _look_up(self, host: str, port: int, exchange: Exchange) -> Sequence[AddressInfo]:
        """Return the addresses of *host*, in a thread of its own: the system's resolver has no deadline."""
        answers: queue.SimpleQueue[Sequence[AddressInfo]] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._resolver(host, port))
            except (OSError, UnicodeError):
                answers.put(())

        threading.Thread(target=look_up, daemon=True, name="look-up").start()
        try:
            found = answers.get(timeout=exchange.left())
        except queue.Empty:
            raise TimeoutError from None
        if not found:
            raise socket.gaierror("no address")
        return found


def _connect_to_any(found: Sequence[AddressInfo], exchange: Exchange) -> socket.socket:
    """Return a connection to the first address that answers; raises the last failure if none does."""
    failure: OSError = OSError("no address answered")
    for at, info in enumerate(found):
        try:
            return _connect(info, exchange, share=1 / (len(found) - at))
        except OSError as error:
            failure = error
    raise failure


def _connect(info: AddressInfo, exchange: Exchange, share: float) -> socket.socket:
    """Return a connection to one address, made within a *share* of the time that is left."""
    family, kind, protocol, _, address = info
    sock = _DeadlineSocket(family, kind, protocol)
    sock.ends = exchange.ends
    try:
        sock.settimeout(exchange.left() * share)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(exchange.left())
    except BaseException:
        sock.close()
        raise
    return sock


class _FinalResponse(http.client.HTTPResponse):
    """A response after its early hints: http.client itself skips 100 alone, of all interim responses."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM_RESPONSES):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200 or found[1] == http.client.SWITCHING_PROTOCOLS:
                return found
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException


def make_pools(guard: Guard, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Return urllib3's pools, of connections that *guard* opens; threads may share them."""

    class Guarded:
        """What both kinds of connection do differently from urllib3's."""

        fresh_until = 0.0
        response_class = _FinalResponse

        def _new_conn(self) -> socket.socket:
            own: Any = self
            return guard.connect(own._dns_host, int(own.port or own.default_port))

        def connect(self) -> None:
            super().connect()  # type: ignore[misc]
            self._set_deadline()

        def request(self, *args: Any, **more: Any) -> None:
            self._set_deadline()
            super().request(*args, **more)  # type: ignore[misc]

        def _set_deadline(self) -> None:
            own: Any = self
            if own.sock is not None:
                own.sock.ends = guard.exchange.ends
                own.sock.settimeout(guard.exchange.left())
                self.fresh_until = time.monotonic() + MAX_IDLE_SECONDS

        @property
        def is_connected(self) -> bool:
            return bool(super().is_connected) and time.monotonic() < self.fresh_until  # type: ignore[misc]

    pools = urllib3.PoolManager(num_pools=MAX_POOLS, maxsize=MAX_POOL_SIZE, ssl_context=context)
    plain = type("GuardedConnection", (Guarded, HTTPConnection), {})
    secure = type("GuardedTlsConnection", (Guarded, HTTPSConnection), {})
    pools.pool_classes_by_scheme = {
        "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    return pools
