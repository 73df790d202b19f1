"""Sockets to public addresses only, whose every read knows how much time the request has left.

A socket's timeout is for one read: a server that sends a byte now and then would hold us for ever. Here the socket itself
computes, before each read, what is left until the request's deadline.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from bokit.net.addresses import is_public

AddressInfo = tuple[Any, ...]
"""As ``socket.getaddrinfo`` returns it."""
Resolver = Callable[[str, int], Sequence[AddressInfo]]


class PrivateAddressError(OSError):
    """A name whose address is not public."""


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


class DeadlineSocket(socket.socket):
    """A socket whose reads end at the deadline."""

    ends: float

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_seconds_until(self.ends))
        return super().recv_into(*args)


class DeadlineTlsSocket(ssl.SSLSocket):
    """The same over TLS. One read never exceeds its timeout, however slowly its records arrive."""

    ends: float

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_seconds_until(self.ends))
        return super().recv_into(*args)


def make_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that checks certificates and names, and reads nothing of the environment, as the default does."""
    import certifi

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_file or certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = DeadlineTlsSocket
    return context


@cache
def shared_tls_context() -> ssl.SSLContext:
    """Return the context of every client that trusts what everybody trusts: its certificates take long to load, so once."""
    return make_tls_context()


class Guard:
    """Opens sockets to public addresses, and to no others."""

    def __init__(self, allow_private_addresses: bool, resolver: Resolver) -> None:
        self.allow_private_addresses, self._resolver = allow_private_addresses, resolver

    def start(self, host: str, deadline: float) -> Exchange:
        """Begin an exchange with *host*, which ends after *deadline* seconds."""
        return Exchange(host, time.monotonic() + deadline)

    def connect(self, host: str, port: int, exchange: Exchange) -> DeadlineSocket:
        """Resolve *host* once, and connect to one of the checked addresses: later answers of its name do not matter."""
        found = self._look_up(host, port, exchange)
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


def _connect_to_any(found: Sequence[AddressInfo], exchange: Exchange) -> DeadlineSocket:
    """Return a connection to the first address that answers; raises the last failure if none does."""
    failure: OSError = OSError("no address answered")
    for at, info in enumerate(found):
        try:
            return _connect(info, exchange, share=1 / (len(found) - at))
        except OSError as error:
            failure = error
    raise failure


def _connect(info: AddressInfo, exchange: Exchange, share: float) -> DeadlineSocket:
    """Return a connection to one address, made within a *share* of the time that is left."""
    family, kind, protocol, _, address = info
    sock = DeadlineSocket(family, kind, protocol)
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
