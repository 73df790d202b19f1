"""The one client for every outgoing request of the product: guarded addresses, bounded time and size, no secret told.

Every error is Bokit's, with a constant message and no cause: the texts of requests and urllib3 hold the URL. So errors are
made inside ``except`` and raised outside of it, where nothing is chained to them.
"""

from __future__ import annotations

import http.client
import ssl
import time
from calendar import timegm
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urljoin

import requests
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from bokit.errors import AddressRefusedError, BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.sources.addresses import Target, check_url, read_target, show_url
from bokit.sources.guarded_connection import Gate, GuardedAdapter, deadline, late, time_left

__all__ = ["Answer", "SafeClient", "check_url", "raise_for_status", "read_retry_after", "show_url"]

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Bokit/0.1"
"""Airbnb answers 429 to the default ones of HTTP libraries."""
MOST_REDIRECTS = 3
MOST_RETRY_AFTER = 86_400
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSALS = frozenset({401, 403, 404, 410})
_CARRIED = frozenset({"accept", "accept-encoding", "user-agent"})
"""Headers that another origin gets too."""
_CHUNK = 65_536

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered: its status, its headers in lower case, and the decoded body of a success."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    host: str


class SafeClient:
    """Fetches over HTTP and HTTPS; safe to share between threads, which then share its connections.

    *allow_private_addresses* is for the demo and tests. *seconds* bounds one fetch with all its redirects, names and TLS
    included; *max_bytes* bounds the decoded body.
    """

    def __init__(
        self, *, allow_private_addresses: bool = False, seconds: float = 20.0, max_bytes: int = 5_000_000,
        gate: Gate | None = None, tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.seconds, self.max_bytes = seconds, max_bytes
        self.gate = gate or Gate(allow_private=allow_private_addresses)
        self.allow_private = self.gate.allow_private
        self._adapter = GuardedAdapter(self.gate, tls)

    def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> Answer:
        """Return what *url* answers, whatever its status; only a GET follows redirects.

        Raises AddressRefusedError, SourceUnavailableError or SourceMalformedError (too large, not decodable).
        """
        target = read_target(url, self.allow_private)
        given = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate", **(headers or {})}
        if target.authorization:
            given["Authorization"] = target.authorization
        with deadline(self.seconds):
            return self._follow(target, given, method, body)

    def close(self) -> None:
        """Close the connections that wait for reuse."""
        self._adapter.close()

    def _follow(self, target: Target, headers: dict[str, str], method: str, body: bytes | None) -> Answer:
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._send_again_if_lost(target, headers, method, body)
            if method != "GET" or answer.status not in _REDIRECTS:
                return answer
            origin, target = target.origin, _redirected(target, answer.headers.get("location"), self.allow_private)
            if target.origin != origin:
                headers = {name: value for name, value in headers.items() if name.lower() in _CARRIED}
            if target.authorization:
                headers = {**headers, "Authorization": target.authorization}
        raise SourceRefusedError(
            "the source sends us on and on; give the URL where it ends", code="too-many-redirects", host=target.host
        )

    def _send_again_if_lost(self, target: Target, headers: Mapping[str, str], method: str, body: bytes | None) -> Answer:
        """A server may close an idle connection just as we reuse it: a GET is sent a second time."""
        try:
            return self._send(target, headers, method, body)
        except SourceUnavailableError as error:
            if error.stable_code != "connection-lost" or method != "GET":
                raise
        return self._send(target, headers, method, body)

    def _send(self, target: Target, headers: Mapping[str, str], method: str, body: bytes | None) -> Answer:
        response = _translated(lambda: self._open(target, headers, method, body), target.host, _explain_connecting)
        try:
            told = {name.lower(): value for name, value in response.headers.items()}
            has_body = 200 <= response.status_code < 300
            content = _translated(lambda: self._read(response), target.host, _explain_reading) if has_body else b""
        finally:
            response.close()
        return Answer(status=response.status_code, headers=told, body=content, host=target.host)

    def _open(self, target: Target, headers: Mapping[str, str], method: str, body: bytes | None) -> requests.Response:
        prepared = requests.Request(method, target.url, headers=dict(headers), data=body).prepare()
        return self._adapter.send(prepared, stream=True, timeout=time_left(), proxies={})

    def _read(self, response: requests.Response) -> bytes:
        pieces, size = [], 0
        for piece in response.raw.stream(_CHUNK, decode_content=True):
            size += len(piece)
            if size > self.max_bytes:
                raise SourceMalformedError(
                    "the source's answer is too large to be a calendar", code="too-large", most=self.max_bytes
                )
            time_left()
            pieces.append(piece)
        return b"".join(pieces)


def raise_for_status(answer: Answer) -> None:
    """Raise what *answer*'s status means, unless it is a success or says that nothing changed."""
    status = answer.status
    if 200 <= status < 300 or status == 304:
        return
    if status in _REFUSALS:
        raise SourceRefusedError(_REFUSED[status], code=f"http-{status}", host=answer.host)
    if status in (408, 425, 429) or status >= 500:
        wait = read_retry_after(answer.headers)
        code = "http-5xx" if status >= 500 else f"http-{status}"
        raise SourceUnavailableError(
            "the source is not available now; Bokit tries again", code=code, retry_after=wait, host=answer.host, status=status
        )
    raise SourceMalformedError(
        "the source answered what no feed answers; check the URL", code="http-status", host=answer.host, status=status
    )


_REFUSED = {
    401: "the source wants a password; give its URL anew",
    403: "the source refuses us; give its URL anew",
    404: "the source's address is not there any more; give its URL anew",
    410: "the source's address is gone for good; give its URL anew",
}


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks us to wait, a day at most; None where it says nothing sensible.

    A date is taken against the answer's own Date, so that neither clock need be right.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(min(int(text[:9]), MOST_RETRY_AFTER))
    until = _read_date(text)
    if until is None:
        return None
    since = _read_date(headers.get("date", ""))
    wait = until - (timegm(time.gmtime()) if since is None else since)
    return float(min(max(wait, 0.0), MOST_RETRY_AFTER))


def _read_date(text: str) -> float | None:
    try:
        read = parsedate_to_datetime(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _redirected(target: Target, location: str | None, allow_private: bool) -> Target:
    if not location:
        raise SourceMalformedError("the source sends us on and does not say where", code="bad-redirect", host=target.host)
    try:
        url = urljoin(target.url, location.encode("latin-1").decode("utf-8", "replace"))
    except (ValueError, UnicodeError):
        url = ""
    following = read_target(url, allow_private)
    if target.scheme == "https" and following.scheme == "http":
        raise AddressRefusedError(
            "the source sends us from https to http; give an https URL", code="insecure-redirect", host=target.host
        )
    return following


def _translated(do: Callable[[], T], host: str, explain: Callable[[BaseException, str], BokitError]) -> T:
    """Return what *do* returns; what the libraries raise becomes an error of ours that holds none of theirs."""
    try:
        return do()
    except BokitError as error:
        failure = error
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        failure = explain(error, host)
    failure.__cause__ = failure.__context__ = None
    raise failure.with_traceback(None)


def _explain_connecting(error: BaseException, host: str) -> BokitError:
    causes = list(_causes(error))
    if told := next((cause for cause in causes if isinstance(cause, BokitError)), None):
        return told
    if any(isinstance(cause, (TimeoutError, ReadTimeoutError)) for cause in causes):
        return late()
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return SourceUnavailableError("the source's server does not prove who it is (TLS)", code="tls", host=host)
    if any(isinstance(cause, (ConnectionError, http.client.RemoteDisconnected)) for cause in causes):
        return SourceUnavailableError("the source's server hung up; Bokit tries again", code="connection-lost", host=host)
    return SourceUnavailableError("the source's server does not speak HTTP properly", code="bad-answer", host=host)


def _explain_reading(error: BaseException, host: str) -> BokitError:
    causes = list(_causes(error))
    if told := next((cause for cause in causes if isinstance(cause, BokitError)), None):
        return told
    if any(isinstance(cause, (TimeoutError, ReadTimeoutError)) for cause in causes):
        return late()
    if any(isinstance(cause, DecodeError) for cause in causes):
        return SourceMalformedError("the source's answer cannot be decoded", code="bad-encoding", host=host)
    return SourceUnavailableError("the source's answer broke off; Bokit tries again", code="truncated", host=host)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and all that is behind it, each once."""
    waiting, met = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        yield one
        behind = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [cause for cause in behind if isinstance(cause, BaseException)]
