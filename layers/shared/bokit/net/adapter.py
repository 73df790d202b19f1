"""requests' transport adapter: the address is checked and pinned, the deadline holds over all, the body is capped.

Library errors become ours here, without their texts and tracebacks, which contain the URL.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import urllib3
from requests import PreparedRequest
from requests.adapters import BaseAdapter

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceUnavailableError
from bokit.net.addresses import Target, read_url
from bokit.net.bodies import read_body
from bokit.net.guard import Exchange, Guard, PrivateAddressError, make_pools, make_tls_context, shared_tls_context
from bokit.net.limits import DEADLINE_SECONDS, MAX_BODY_BYTES, MAX_ERROR_CAUSES
from bokit.net.response import SafeResponse

REPEATABLE = frozenset({"GET", "HEAD"})
T = TypeVar("T")

for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda record: False)  # its lines contain paths and queries


class GuardedAdapter(BaseAdapter):
    """Sends requests over connections of a *guard*, and reads their responses whole; safe to share between threads."""

    def __init__(self, guard: Guard, *, max_bytes: int = MAX_BODY_BYTES, ca_file: str | None = None) -> None:
        super().__init__()
        self._guard, self._max_bytes, self._ca_file = guard, max_bytes, ca_file
        self._lock = threading.Lock()
        self._pools: urllib3.PoolManager | None = None

    def send(self, request: PreparedRequest, *args: Any, timeout: Any = None, **options: Any) -> SafeResponse:
        """Return the response to one request, without redirects; *timeout* seconds hold over all of it.

        The other arguments of requests, which would loosen the checks, are ignored. Raises AddressRefusedError (an address
        that is not asked), SourceUnavailableError (name, connection, TLS, deadline, a response cut short) and
        SourceMalformedError (too large, wrongly encoded, not HTTP). No error, cause or traceback contains the URL.
        """
        target = read_url(str(request.url), allow_private_addresses=self._guard.allow_private_addresses)
        self.open_pools()
        exchange = self._guard.start(target.host, DEADLINE_SECONDS if timeout is None else timeout)
        raw = self._open(request, target, exchange)
        body = self._read(raw, exchange)
        return SafeResponse(url=target.url, status=raw.status, headers=raw.headers, body=body, request=request)

    def close(self) -> None:
        """Close every connection."""
        if self._pools:
            self._pools.clear()

    def _open(self, request: PreparedRequest, target: Target, exchange: Exchange) -> urllib3.BaseHTTPResponse:
        """Return the head of the response. A kept connection that the other end has closed is replaced once."""
        send = partial(self._send_once, request, target, exchange)
        try:
            return translated(exchange, send)
        except SourceUnavailableError as error:
            was_kept = exchange.opened == 0 and error.stable_code == "connection"
            if not was_kept or request.method not in REPEATABLE:
                raise
        return translated(exchange, send)

    def _send_once(self, request: PreparedRequest, target: Target, exchange: Exchange) -> urllib3.BaseHTTPResponse:
        pool = self.open_pools().connection_from_host(target.host, target.port, target.scheme)
        return pool.urlopen(
            str(request.method),
            target.path,
            body=request.body,
            headers=request.headers,
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=exchange.left(),
        )

    def _read(self, raw: urllib3.BaseHTTPResponse, exchange: Exchange) -> bytes:
        """Return the decoded body of a success, and nothing of any other: nobody needs it, and it may be a bomb.

        With a cap of 0 no body is read: who sends only wants the status.
        """
        body = b""
        if is_success := 200 <= raw.status < 300 and self._max_bytes > 0:
            try:
                body = translated(exchange, partial(read_body, raw, self._max_bytes), broken="truncated")
            except BokitError:
                _drop(raw)
                raise
        if is_success or raw.status == 304:
            raw.release_conn()
        else:
            _drop(raw)
        return body

    def open_pools(self) -> urllib3.PoolManager:
        """Return the pools, made for the first request but not on its time: loading the certificates takes a while."""
        with self._lock:
            if self._pools is None:
                context = make_tls_context(self._ca_file) if self._ca_file else shared_tls_context()
                self._pools = make_pools(self._guard, context)
            return self._pools


def _drop(raw: urllib3.BaseHTTPResponse) -> None:
    """Close the connection: what it may still send is not read."""
    raw.close()
    raw.release_conn()


def translated(exchange: Exchange, call: Callable[[], T], broken: str = "connection") -> T:
    """Return what *call* returns; raise our error for a library's, whose text contains the URL."""
    try:
        return call()
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
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
    if exchange.is_over or is_any(TimeoutError, urllib3.exceptions.TimeoutError):
        return SourceUnavailableError("the host did not answer in time; Bokit will retry", code="timeout")
    if is_any(socket.gaierror):
        return SourceUnavailableError(f"host {exchange.host} not found; check the URL", code="dns")
    if broken == "truncated" or is_any(http.client.IncompleteRead):
        return SourceUnavailableError("the response was cut short; Bokit will retry", code="truncated")
    if is_any(ssl.SSLError, urllib3.exceptions.SSLError):
        return SourceUnavailableError(f"TLS error with {exchange.host}: certificate not trusted, or no TLS", code="tls")
    if is_any(http.client.HTTPException, urllib3.exceptions.InvalidHeader) and not is_any(ConnectionError):
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
