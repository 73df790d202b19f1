"""Connections that go where they may, and no longer than they may.

The check stands at the connection itself: a host is resolved once, every address of it must be allowed, and the socket is
opened to that very address. TLS and the Host header still see the name. Whatever parses the URL before, and whatever the
name resolves to a moment later, nothing else is ever connected to.

The deadline is the thread's: every read waits for what is left of it, so that a byte each second does not keep it alive.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from bokit.errors import SourceUnavailableError
from bokit.sources.addresses import is_public, refused_address

Resolve = Callable[[str, int], Sequence[tuple[Any, ...]]]
"""What ``socket.getaddrinfo`` answers for a host and a port, TCP alone."""
_ENDS_AT: ContextVar[float] = ContextVar("ends_at")
_MOST_FOR_ONE_ADDRESS = 8.0
"""Seconds for one address, so that a dead one leaves time for the next."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let everything on guarded connections, in this thread and block, end within *seconds*."""
    token = _ENDS_AT.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ENDS_AT.reset(token)


def time_left() -> float:
    """Return the seconds until the deadline; raises SourceUnavailableError once it has passed."""
    left = _ENDS_AT.get(time.monotonic() + 20) - time.monotonic()
    if left <= 0:
        raise late()
    return left


def late() -> SourceUnavailableError:
    """Return the error of a source that was too slow."""
    return SourceUnavailableError("the source did not answer in time; Bokit tries again", code="timeout")


class TimedSocket(socket.socket):
    """A socket whose every read ends with the deadline."""

    def recv_into(self, *given: Any) -> int:
        self.settimeout(time_left())
        return super().recv_into(*given)


class TimedTlsSocket(ssl.SSLSocket):
    """The same under TLS."""

    def recv_into(self, *given: Any) -> int:
        self.settimeout(time_left())
        return super().recv_into(*given)


class Gate:
    """Resolves and connects; the only door to the network."""

    def __init__(self, *, allow_private: bool = False, resolve: Resolve | None = None) -> None:
        self.allow_private = allow_private
        self.resolve = resolve or _resolve

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a socket to the first address of *host* that answers; raises for what may not be connected to."""
        failure: OSError | None = None
        for family, address in self.find_addresses(host, port):
            try:
                return self.open(family, address)
            except OSError as error:
                failure = error
        time_left()
        message = "the source's server cannot be reached; Bokit tries again"
        code = "timeout" if isinstance(failure, TimeoutError) else "connection"
        raise SourceUnavailableError(message, code=code, host=host)

    def find_addresses(self, host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
        """Return where *host* is; one address that is not allowed refuses them all."""
        found = [(family, address) for family, _, _, _, address in self._resolve_in_time(host, port)]
        if not self.allow_private and not all(is_public(ip_address(address[0])) for _, address in found):
            raise refused_address(host)
        return found

    def open(self, family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
        """Connect to one address."""
        opened = TimedSocket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.settimeout(min(time_left(), _MOST_FOR_ONE_ADDRESS))
            opened.connect(address)
            opened.settimeout(time_left())
        except BaseException:
            opened.close()
            raise
        return opened

    def _resolve_in_time(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        """Resolve in a thread of its own: the system's resolver knows no deadline."""
        found: list[Sequence[tuple[Any, ...]]] = []

        def look() -> None:
            with suppress(OSError, UnicodeError, ValueError):
                found.append(self.resolve(host, port))

        thread = threading.Thread(target=look, daemon=True, name="resolve")
        thread.start()
        thread.join(time_left())
        if thread.is_alive():
            raise late()
        if not found or not found[0]:
            raise SourceUnavailableError("the source's host has no address; check the URL", code="dns", host=host)
        return found[0]


class GuardedAdapter(HTTPAdapter):
    """requests' adapter on guarded connections: no proxy, nothing from the environment, TLS always verified."""

    def __init__(self, gate: Gate, tls: ssl.SSLContext | None = None) -> None:
        self._gate = gate
        self._given_tls = tls
        super().__init__(pool_connections=64, pool_maxsize=32, max_retries=0)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """One context for all: reading the certificates costs 20 ms."""
        context = self._given_tls or _open_tls()
        context.sslsocket_class = TimedTlsSocket
        return context

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: Any) -> None:
        """Make the pools, whose connections all go through the gate."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = _make_pools(self._gate)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Verify TLS with our own context, whatever is asked."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self.tls, "cert_reqs": "CERT_REQUIRED"} if host["scheme"] == "https" else {}

    def cert_verify(self, *_: Any) -> None:
        """Nothing to do: the context has its certificates."""


def _make_pools(gate: Gate) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return gate.connect(self._dns_host, self.port)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return gate.connect(self._dns_host, self.port)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _open_tls() -> ssl.SSLContext:
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.keylog_filename = None  # type: ignore[assignment] # SSLKEYLOGFILE is the environment's
    return context


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Drop it: urllib3 logs paths and queries, which are secrets here."""
        return False


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.poolmanager", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Silence())
