"""The one client for every outgoing request: no private address, no redirect into one, no endless answer, no URL in an error.

    url ─► judged ─► name resolved once ─► every address public? ─► connected to *that* address ─► answer, bounded
             ▲                                                                                   │
             └──────────────────────────── a redirect is judged anew, three at most ◄─────────────┘

A deadline holds over all of it: connecting, TLS, headers, body and redirects. urllib3's own timeouts are by read, so that
a server which sends a byte now and then would hold them for ever; a watch cuts the connection instead.
"""

from __future__ import annotations

import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar, cast
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceUnavailableError
from bokit.sources.addresses import Target, is_public, read_url

USER_AGENT = (
    "Mozilla/5.0 (compatible; Bokit/0.1; calendar sync) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)
"""Like a browser's: platforms answer 429 to the default agents of HTTP libraries."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3
CHUNK = 65_536
T = TypeVar("T")
Resolver = Callable[[str, int], Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str
    """Of the URL first asked."""

    @property
    def retry_after(self) -> float | None:
        """Return the seconds that the server asks us to wait; None where it does not."""
        return read_retry_after(self.headers.get("retry-after"), self.headers.get("date"))


def resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """Return the addresses of *host*, as the system's resolver gives them."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(slots=True)
class _Exchange:
    """One request's deadline, and the socket to cut when it has passed."""

    ends: float
    socks: list[socket.socket] = field(default_factory=list)
    is_over: bool = False

    def left(self) -> float:
        return max(0.001, self.ends - time.monotonic())

    def cut(self) -> None:
        """Close whatever is open: a blocked read ends at once."""
        self.is_over = True
        for sock in self.socks:
            with suppress(OSError):  # it was closed already
                sock.shutdown(socket.SHUT_RDWR)

    def watch(self, sock: socket.socket | None) -> None:
        """Cut *sock* too; a reused connection's, or the one that TLS made of ours, is another than was opened."""
        if sock is not None:
            self.socks.append(sock)
        if self.is_over:
            self.cut()


class _RefusedAddress(OSError):
    """A name that leads to an address which is not asked; an OSError, so that urllib3 lets it pass."""


class _Guard:
    """Opens sockets to public addresses, and to no others."""

    def __init__(self, allow_private: bool, resolver: Resolver) -> None:
        self.allow_private, self.resolver = allow_private, resolver
        self.here = threading.local()

    def connect(self, host: str, port: int) -> socket.socket:
        """Resolve *host* once, and connect to one of the addresses that were checked."""
        exchange: _Exchange = self.here.exchange
        found = self.resolver(host.strip("[]"), port)
        if not found:
            raise socket.gaierror("no address")
        if not self.allow_private and not all(is_public(str(info[4][0]).split("%")[0]) for info in found):
            raise _RefusedAddress
        failure: OSError | None = None
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            exchange.socks.append(sock)
            try:
                sock.settimeout(exchange.left())
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                failure = error
                continue
            return sock
        raise failure or OSError("no address answered")


def _pools(guard: _Guard) -> dict[str, Any]:
    """Return urllib3's pools, made of connections that *guard* opens."""

    class GuardedConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return guard.connect(self._dns_host, int(self.port or 80))

        def getresponse(self) -> Any:
            guard.here.exchange.watch(self.sock)
            return super().getresponse()

    class GuardedTlsConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return guard.connect(self._dns_host, int(self.port or 443))

        def getresponse(self) -> Any:
            guard.here.exchange.watch(self.sock)
            return super().getresponse()

    class Pool(HTTPConnectionPool):
        ConnectionCls = GuardedConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedTlsConnection

    return {"http": Pool, "https": TlsPool}


class _GuardedAdapter(HTTPAdapter):
    """requests' adapter over guarded pools, without retries of its own."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        super().__init__(max_retries=0, pool_connections=32, pool_maxsize=4)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **more)
        self.poolmanager.pool_classes_by_scheme = _pools(self._guard)


class SafeClient:
    """Asks public addresses, within a deadline and a size; safe to share between threads."""

    def __init__(
        self, *, allow_private_addresses: bool = False, deadline: float = 20.0, most_bytes: int = 5_000_000,
        resolver: Resolver = resolve, verify: bool | str = True,
    ) -> None:  # fmt: skip
        self.allow_private, self.deadline, self.most_bytes, self.verify = allow_private_addresses, deadline, most_bytes, verify
        self._guard = _Guard(allow_private_addresses, resolver)
        self._here = threading.local()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:  # fmt: skip
        """Return the answer to one request, redirects followed, read whole.

        Raises AddressRefusedError (an address that is not asked), SourceUnavailableError (name, connection, TLS, deadline,
        an answer cut short) and SourceMalformedError (too large, wrongly encoded, too many redirects). No text of an error
        holds the URL.
        """
        target = first = read_url(url, allow_private_addresses=self.allow_private)
        sent = dict(headers or {})
        with self._exchange() as exchange:
            for _ in range(MOST_REDIRECTS + 1):
                response = self._send(method, target, sent, body, exchange)
                where = response.headers.get("location")
                if response.status_code not in REDIRECTS or not where:
                    return self._read(response, first.host, exchange)
                response.close()
                onward = self._redirect(target, where)
                if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
                    method, body = "GET", None
                if onward.origin != target.origin:
                    sent = {name: value for name, value in sent.items() if name.lower() in ("accept", "accept-language")}
                target = onward
        raise SourceMalformedError("it redirects too often", code="too-many-redirects")

    def _redirect(self, target: Target, where: str) -> Target:
        onward = read_url(urljoin(target.url, where), allow_private_addresses=self.allow_private)
        if target.scheme == "https" and onward.scheme == "http":
            raise AddressRefusedError("it redirects from https to http", code="address-refused")
        return onward

    def _send(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes | None, exchange: _Exchange
    ) -> requests.Response:
        return translated(exchange, lambda: self._session().request(
            method, target.url, headers=dict(headers), data=body, auth=target.auth, stream=True,
            allow_redirects=False, timeout=exchange.left(), verify=self.verify,
        ))  # fmt: skip

    def _read(self, response: requests.Response, host: str, exchange: _Exchange) -> Answer:
        """Return the answer, its body decoded and no larger than allowed; a body cut short is no answer."""
        with response:
            body = translated(exchange, lambda: _read_body(response, self.most_bytes, exchange))
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=names, body=body, host=host)

    @contextmanager
    def _exchange(self) -> Iterator[_Exchange]:
        """Hold the deadline over all that is asked inside."""
        exchange = self._guard.here.exchange = _Exchange(ends=time.monotonic() + self.deadline)
        watch = threading.Timer(self.deadline, exchange.cut)
        watch.daemon = True
        watch.start()
        try:
            yield exchange
        finally:
            watch.cancel()

    def _session(self) -> requests.Session:
        """Return this thread's session: no proxy and no netrc of the environment, no cookies."""
        if not hasattr(self._here, "session"):
            session = requests.Session()
            session.trust_env = False
            session.cookies.set_policy(_NoCookies())
            session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
            for scheme in ("http://", "https://"):
                session.mount(scheme, _GuardedAdapter(self._guard))
            self._here.session = session
        return cast("requests.Session", self._here.session)


class _NoCookies(DefaultCookiePolicy):
    """Takes none and sends none."""

    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False

    def return_ok(self, cookie: Any, request: Any) -> bool:
        return False


def _read_body(response: requests.Response, most_bytes: int, exchange: _Exchange) -> bytes:
    """Return the decoded body; urllib3 decodes a piece at a time, so that a bomb is cut before it bursts."""
    pieces, size = [], 0
    for piece in response.raw.stream(CHUNK, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise SourceMalformedError("the answer is too large", code="too-large", most_bytes=most_bytes)
        if exchange.is_over:
            raise TimeoutError
    if exchange.is_over:
        raise TimeoutError
    return b"".join(pieces)


def translated(exchange: _Exchange, ask: Callable[[], T]) -> T:
    """Return what *ask* returns; raise ours for the libraries' errors, without a trace of them: their texts hold the URL."""
    try:
        return ask()
    except BokitError:
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        ours = _translate(error, is_over=exchange.is_over)
    raise ours


def _translate(error: BaseException, *, is_over: bool) -> BokitError:
    """Return our error for a library's.

    an address that is not asked        AddressRefusedError
    the deadline, or a read that hung   timeout
    name, certificate, connection       dns, tls, connection
    fewer bytes than were announced     truncated
    gzip that is none                   bad-encoding
    """
    causes = list(_causes(error))

    def is_any(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_any(_RefusedAddress):
        return AddressRefusedError("the name leads to an address that is not public", code="address-refused")
    if is_over or is_any(TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        return SourceUnavailableError("it did not answer in time", code="timeout")
    if is_any(socket.gaierror, UnicodeError):
        return SourceUnavailableError("its name is not known", code="dns")
    if is_any(ssl.SSLError, urllib3.exceptions.SSLError):
        return SourceUnavailableError("its certificate or its TLS is not to be trusted", code="tls")
    if is_any(urllib3.exceptions.IncompleteRead):
        return SourceUnavailableError("the answer broke off", code="truncated")
    if is_any(urllib3.exceptions.DecodeError):
        return SourceMalformedError("the answer is wrongly compressed", code="bad-encoding")
    return SourceUnavailableError("the connection failed", code="connection")


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
    if not value:
        return None
    if value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        until = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(date or "")
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None
