"""The one client for every outgoing request: no private address, no redirect into one, no endless answer, no URL in an error.

    url ─► judged ─► name resolved once ─► every address public? ─► connected to *that* address ─► answer, bounded
             ▲                                                                                   │
             └──────────────────────────── a redirect is judged anew, three at most ◄─────────────┘

A deadline holds over all of it: name, connecting, TLS, headers, body and redirects. No proxy, netrc, certificate or key log
of the environment has a say, no cookie is kept. It stands on urllib3 itself: what requests adds follows and reads redirects,
looks into the environment and costs as much CPU again.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from urllib.parse import urljoin

import urllib3

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceUnavailableError
from bokit.net.adapter import Exchange, Guard, PrivateAddressError, Resolver, make_pools, make_tls_context, resolve
from bokit.net.addresses import Target, read_url
from bokit.net.bodies import read_body

USER_AGENT = (
    "Mozilla/5.0 (compatible; Bokit/0.1; calendar sync) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)
"""Like a browser's: platforms answer 429 to the default agents of HTTP libraries."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 3
REPEATABLE = frozenset({"GET", "HEAD"})
HARMLESS = frozenset({"accept", "accept-language", "if-none-match", "if-modified-since"})
"""Headers that follow a redirect to another origin; all others may hold a secret of the first."""
T = TypeVar("T")

for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda record: False)  # its lines hold paths and queries


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response, read whole."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes
    """Decoded; empty where the status tells no success, since nobody reads that."""
    host: str
    """Of the URL first asked."""

    @property
    def retry_after(self) -> float | None:
        """Return the seconds that the server asks us to wait; None where it does not."""
        return read_retry_after(self.headers.get("retry-after"), self.headers.get("date"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One request of an exchange."""

    method: str
    target: Target
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class SafeSession:
    """Asks public addresses, within a deadline and a size; safe to share between threads."""

    def __init__(
        self,
        *,
        allow_private_addresses: bool = False,
        deadline: float = 20.0,
        max_bytes: int = 5_000_000,
        resolver: Resolver = resolve,
        ca_file: str | None = None,
    ) -> None:
        self._allow_private, self._deadline, self._most_bytes = allow_private_addresses, deadline, max_bytes
        self._guard = Guard(allow_private_addresses, resolver)
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._pools: urllib3.PoolManager | None = None

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Return the answer to one request, redirects followed, read whole.

        Raises AddressRefusedError (an address that is not asked), SourceUnavailableError (name, connection, TLS, deadline,
        an answer cut short) and SourceMalformedError (too large, wrongly encoded, no HTTP, too many redirects). Nothing of
        an error, its causes and its traceback holds the URL.
        """
        first = read_url(url, allow_private_addresses=self._allow_private)
        asked = _Asked(method=method, target=first, headers=headers or {}, body=body)
        exchange = self._guard.start(self._deadline)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(asked, exchange)
            where = response.headers.get("location")
            if response.status not in REDIRECTS or not where:
                return self._read(response, first.host, exchange)
            _drop(response)
            asked = _redirect(asked, response.status, self._judge(asked.target, where))
        raise SourceMalformedError("it redirects too often", code="too-many-redirects")

    def _judge(self, target: Target, where: str) -> Target:
        """Return where a redirect leads; raises AddressRefusedError where we do not follow."""
        onward = _join(target, where, allow_private=self._allow_private)
        if onward is None:
            raise AddressRefusedError("it redirects to an address that is not fetched", code="address-refused")
        if target.scheme == "https" and onward.scheme == "http":
            raise AddressRefusedError("it redirects from https to http", code="address-refused")
        return onward

    def _send(self, asked: _Asked, exchange: Exchange) -> urllib3.BaseHTTPResponse:
        """Return the head of the answer; asks once more where a kept connection turns out to be closed at the other end."""
        opened = exchange.opened
        try:
            return translated(exchange, asked.target.host, partial(self._ask, asked, exchange))
        except SourceUnavailableError as error:
            was_kept = exchange.opened == opened and error.stable_code == "connection"
            if not was_kept or asked.method not in REPEATABLE:
                raise
        return translated(exchange, asked.target.host, partial(self._ask, asked, exchange))

    def _ask(self, asked: _Asked, exchange: Exchange) -> urllib3.BaseHTTPResponse:
        target = asked.target
        pool = self._open_pools().connection_from_host(target.host, target.port, target.scheme)
        return pool.urlopen(
            asked.method,
            target.path,
            body=asked.body,
            headers=_make_headers(asked),
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=exchange.left(),
        )

    def _read(self, response: urllib3.BaseHTTPResponse, host: str, exchange: Exchange) -> HttpResponse:
        """Return the answer with its body; a body cut short is no answer."""
        status, body = response.status, b""
        if 200 <= status < 300:
            try:
                body = translated(exchange, host, partial(read_body, response, self._most_bytes), broken="truncated")
            except BokitError:
                _drop(response)
                raise
        if 200 <= status < 300 or status == 304:
            response.release_conn()
        else:
            _drop(response)
        names = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(status=status, headers=names, body=body, host=host)

    def _open_pools(self) -> urllib3.PoolManager:
        """Return the pools, made at the first request: reading the certificates takes a while."""
        with self._lock:
            if self._pools is None:
                self._pools = make_pools(self._guard, make_tls_context(self._ca_file))
            return self._pools


def _make_headers(asked: _Asked) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **asked.headers}
    if asked.target.auth:
        told = base64.b64encode(":".join(asked.target.auth).encode()).decode()
        headers["Authorization"] = f"Basic {told}"
    return headers


def _drop(response: urllib3.BaseHTTPResponse) -> None:
    """Close the connection: what it may still say is not read."""
    response.close()
    response.release_conn()


def _join(target: Target, where: str, *, allow_private: bool) -> Target | None:
    """Return the target of a Location, or None; errors of either parser quote the URL, so that none gets out."""
    try:
        return read_url(urljoin(target.url, where.strip()), allow_private_addresses=allow_private)
    except (AddressRefusedError, ValueError):
        return None


def _redirect(asked: _Asked, status: int, onward: Target) -> _Asked:
    """Return the request that follows a redirect.

    303, and 301 or 302 to a POST      GET without body, as browsers do; RFC 9110 15.4
    to another origin                  without credentials, and without headers that could hold any
    """
    if onward.origin == asked.target.origin:
        onward = replace(onward, auth=onward.auth or asked.target.auth)
    else:
        kept = {name: value for name, value in asked.headers.items() if name.lower() in HARMLESS}
        asked = replace(asked, headers=kept)
    becomes_get = (status == 303 and asked.method != "HEAD") or (status in (301, 302) and asked.method == "POST")
    if becomes_get:
        kept = {name: value for name, value in asked.headers.items() if not name.lower().startswith("content-")}
        asked = replace(asked, method="GET", body=None, headers=kept)
    return replace(asked, target=onward)


def translated(exchange: Exchange, host: str, ask: Callable[[], T], broken: str = "connection") -> T:
    """Return what *ask* returns; raise ours for the libraries' errors, without a trace of them: their texts hold the URL."""
    try:
        return ask()
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        ours = _translate(error, host, is_over=exchange.is_over, broken=broken)
    raise ours  # not within the except: the library's error would hang on as its context


def _translate(error: BaseException, host: str, *, is_over: bool, broken: str) -> BokitError:
    """Return our error for a library's.

    an address that is not asked        address-refused
    the deadline, or a read that hung   timeout
    name, certificate, connection       dns, tls, connection
    fewer bytes than were announced     truncated
    something else than HTTP            bad-http
    """
    causes = list(_causes(error))

    def is_any(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_any(PrivateAddressError):
        return AddressRefusedError(f"{host} is not a public address", code="address-refused")
    if is_over or is_any(TimeoutError, urllib3.exceptions.TimeoutError):
        return SourceUnavailableError(f"{host} did not answer in time, will retry", code="timeout")
    if is_any(socket.gaierror):
        return SourceUnavailableError(f"host {host} not found, check the URL", code="dns")
    if broken == "truncated" or is_any(http.client.IncompleteRead):
        return SourceUnavailableError(f"the response of {host} broke off, will retry", code="truncated")
    if is_any(ssl.SSLError, urllib3.exceptions.SSLError):
        return SourceUnavailableError(f"TLS error with {host}: certificate not trusted", code="tls")
    if is_any(http.client.HTTPException, urllib3.exceptions.InvalidHeader) and not is_any(ConnectionError):
        return SourceMalformedError(f"{host} does not speak HTTP", code="bad-http")
    return SourceUnavailableError(f"the connection to {host} failed, will retry", code="connection")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Return *error* and all that it came from, as causes, contexts, reasons and arguments."""
    waiting, met = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in met or len(met) > 50:
            continue
        met.add(id(one))
        yield one
        more = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [m for m in more if isinstance(m, BaseException)]


def read_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date told against the server's own.

    >>> read_retry_after("120")
    120.0

    Source: RFC 9110, section 10.2.3.
    """
    told = (value or "").strip()
    if told.isascii() and told.isdecimal():
        return float(told[:9])
    try:
        until = email.utils.parsedate_to_datetime(told)
        now = email.utils.parsedate_to_datetime(date or "")
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
