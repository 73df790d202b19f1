"""requests' transport adapter: the address is checked and pinned, the deadline holds over all, the body is capped.

Library errors become ours here, without their texts and tracebacks, which contain the URL.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from requests import PreparedRequest
from requests.adapters import BaseAdapter

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceUnavailableError
from bokit.net.addresses import Target, read_url
from bokit.net.bodies import read_body
from bokit.net.connections import Connections, Sock
from bokit.net.guard import Exchange, Guard, PrivateAddressError, make_tls_context, shared_tls_context
from bokit.net.limits import DEADLINE_SECONDS, MAX_BODY_BYTES, MAX_ERROR_CAUSES
from bokit.net.response import SafeResponse
from bokit.net.wire import WireResponse, read_response, write_request

REPEATABLE = frozenset({"GET", "HEAD"})
T = TypeVar("T")
Opened = tuple[WireResponse, Sock | None]
"""A response whose head has come, and its connection; None: a test played it."""


class GuardedAdapter(BaseAdapter):
    """Sends requests over connections of a *guard*, and reads their responses whole; safe to share between threads."""

    def __init__(self, guard: Guard, *, max_bytes: int = MAX_BODY_BYTES, ca_file: str | None = None) -> None:
        super().__init__()
        self._guard, self._max_bytes, self._ca_file = guard, max_bytes, ca_file
        self._lock = threading.Lock()
        self._connections: Connections | None = None

    def send(self, request: PreparedRequest, *args: Any, timeout: Any = None, **options: Any) -> SafeResponse:
        """Return the response to one request, without redirects; *timeout* seconds hold over all of it.

        The other arguments of requests, which would loosen the checks, are ignored. Raises AddressRefusedError (an address
        that is not asked), SourceUnavailableError (name, connection, TLS, deadline, a response cut short) and
        SourceMalformedError (too large, wrongly encoded, not HTTP). No error, cause or traceback contains the URL.
        """
        return self.ask(request, read_url(str(request.url), allow_private_addresses=self._guard.allow_private_addresses), timeout)

    def ask(self, request: PreparedRequest, target: Target, timeout: float | None) -> SafeResponse:
        """Return the response to a *request* whose URL was read as *target*; see :meth:`send`."""
        exchange = self._guard.start(target.host, DEADLINE_SECONDS if timeout is None else timeout)
        raw, sock = self._open(request, target, exchange)
        body = self._read(raw, sock, target, exchange)
        return SafeResponse(url=target.url, status=raw.status, headers=raw.fields.values(), body=body, request=request)

    def close(self) -> None:
        """Close every connection."""
        if self._connections:
            self._connections.clear()

    def _open(self, request: PreparedRequest, target: Target, exchange: Exchange) -> Opened:
        """Return the head of the response. A kept connection that the other end has closed is replaced once."""
        send = partial(self._send_once, request, target, exchange)
        try:
            return translated(exchange, send)
        except SourceUnavailableError as error:
            was_kept = exchange.opened == 0 and error.stable_code == "connection"
            if not was_kept or request.method not in REPEATABLE:
                raise
        return translated(exchange, send)

    def _send_once(self, request: PreparedRequest, target: Target, exchange: Exchange) -> Opened:
        method = str(request.method)
        sent = write_request(method, target, request.headers, request.body)
        sock = self.open_connections().take(target, exchange)
        try:
            sock.sendall(sent)
            return read_response(sock, method), sock
        except BaseException:
            sock.close()
            raise

    def _read(self, raw: WireResponse, sock: Sock | None, target: Target, exchange: Exchange) -> bytes:
        """Return the decoded body of a success, and nothing of any other: nobody needs it, and it may be a bomb.

        With a cap of 0 no body is read: who sends only wants the status. A connection that may still bring something is closed.
        """
        body = b""
        try:
            if 200 <= raw.status < 300 and self._max_bytes > 0:
                body = translated(exchange, partial(read_body, raw, self._max_bytes), broken="truncated")
        except BaseException:
            _close(sock)
            raise
        if sock and raw.may_be_followed:
            self.open_connections().keep(target, sock)
        else:
            _close(sock)
        return body

    def open_connections(self) -> Connections:
        """Return the connections, made for the first request but not on its time: loading the certificates takes a while."""
        if self._connections is None:
            with self._lock:
                if self._connections is None:
                    context = make_tls_context(self._ca_file) if self._ca_file else shared_tls_context()
                    self._connections = Connections(self._guard, context)
        return self._connections


def _close(sock: Sock | None) -> None:
    """Close the connection: what it may still send is not read."""
    if sock:
        sock.close()


def translated(exchange: Exchange, call: Callable[[], T], broken: str = "connection") -> T:
    """Return what *call* returns; raise our error for a library's, whose text contains the URL."""
    try:
        return call()
    except (http.client.HTTPException, OSError, ValueError) as error:
        ours = _translate(error, exchange, broken)
    raise ours  # outside of the except block: the library's error would be its context


def _translate(error: BaseException, exchange: Exchange, broken: str) -> BokitError:
    """Return our error for a library's.

    an address that is not public       address-refused
    the deadline, or a read that hung   timeout
    name, certificate, connection       dns, tls, connection
    fewer bytes than were announced     truncated
    something other than HTTP           bad-http
    """
    causes = list(_causes(error))

    def is_any(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_any(PrivateAddressError):
        return AddressRefusedError("the host has an address that is not public", code="address-refused")
    if exchange.is_over or is_any(TimeoutError):
        return SourceUnavailableError("the host did not answer in time; Bokit will retry", code="timeout")
    if is_any(socket.gaierror):
        return SourceUnavailableError(f"host {exchange.host} not found; check the URL", code="dns")
    if broken == "truncated" or is_any(http.client.IncompleteRead):
        return SourceUnavailableError("the response was cut short; Bokit will retry", code="truncated")
    if is_any(ssl.SSLError):
        return SourceUnavailableError(f"TLS error with {exchange.host}: certificate not trusted, or no TLS", code="tls")
    if is_any(http.client.HTTPException) and not is_any(ConnectionError):
        return SourceMalformedError("the host does not speak HTTP; check the URL", code="bad-http")
    return SourceUnavailableError("the connection failed; Bokit will retry", code="connection")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and all its causes: causes, contexts, reasons and arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or len(seen) > MAX_ERROR_CAUSES:
            continue
        seen.add(id(one))
        yield one
        more = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [cause for cause in more if isinstance(cause, BaseException)]
