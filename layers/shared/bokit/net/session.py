"""The one client for every outgoing request: no private address, no endless response, no URL in an error.

    URL ─► checked ─► name resolved once ─► every address public? ─► connected to *that* address ─► response, capped
             ▲                                                                                         │
             └────────────────────────── a redirect is checked again, five at most ◄───────────────────┘

One deadline holds over all of it: name, connection, TLS, headers, body and redirects. Proxies, netrc, certificates and key
logs of the environment are not used, and no cookie is kept.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import requests
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict

from bokit.errors import AddressRefusedError, SourceMalformedError
from bokit.net.adapter import GuardedAdapter
from bokit.net.addresses import Target, read_url
from bokit.net.guard import Guard, Resolver, resolve, shared_tls_context
from bokit.net.limits import DEADLINE_SECONDS, MAX_BODY_BYTES, MAX_REDIRECTS
from bokit.net.response import SafeResponse

USER_AGENT = (
    "Mozilla/5.0 (compatible; Bokit/0.1; calendar sync) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)
"""Like a browser's: platforms answer 429 to the default agents of HTTP libraries."""
DEFAULT_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HARMLESS = frozenset({"accept", "accept-language", "if-none-match", "if-modified-since"})
"""Headers that follow a redirect to another origin; all others may hold a secret of the first."""


def load_certificates() -> None:
    """Load what sessions trust, once for all of them: the first request would wait for it."""
    shared_tls_context()


class SafeSession(requests.Session):
    """requests' session for public addresses only, with a deadline and a cap; safe to share between threads."""

    def __init__(
        self,
        *,
        allow_private_addresses: bool = False,
        deadline: float = DEADLINE_SECONDS,
        max_bytes: int = MAX_BODY_BYTES,
        resolver: Resolver = resolve,
        ca_file: str | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers = CaseInsensitiveDict(DEFAULT_HEADERS)
        self._allow_private, self._deadline = allow_private_addresses, deadline
        guard = Guard(allow_private_addresses, resolver)
        self.adapter = GuardedAdapter(guard, max_bytes=max_bytes, ca_file=ca_file)
        self.adapters = OrderedDict({"http://": self.adapter, "https://": self.adapter})

    def get(self, url: str, **options: Any) -> SafeResponse:  # type: ignore[override]
        """Return the response to a GET; see :meth:`request`."""
        return self.request("GET", url, **options)

    def request(  # type: ignore[override]  # no arguments that would loosen the checks (proxies, verify, stream …)
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | Mapping[str, str] | None = None,
        json: object = None,
        timeout: float | None = None,
        allow_redirects: bool = True,
    ) -> SafeResponse:
        """Return the response, read whole; *timeout* or the session's deadline, the shorter one, holds over all redirects.

        Raises what :meth:`GuardedAdapter.send` raises, and SourceMalformedError for too many redirects.
        """
        target = read_url(url, allow_private_addresses=self._allow_private)
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = method, target.url
        prepared.headers = CaseInsensitiveDict([*self._default_headers(), *(headers or {}).items()])
        if data is not None or json is not None:
            prepared.prepare_body(data, None, json)
        _authorize(prepared, target)
        return self._send(prepared, target, timeout, allow_redirects)

    def _default_headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.headers.items()]

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, *, timeout: float | None = None, allow_redirects: bool = True
    ) -> SafeResponse:
        """Send a prepared request straight through the adapter; see :meth:`request`."""
        target = read_url(str(request.url), allow_private_addresses=self._allow_private)
        return self._send(request, target, timeout, allow_redirects)

    def _send(
        self, request: requests.PreparedRequest, target: Target, timeout: float | None, allow_redirects: bool
    ) -> SafeResponse:
        self.adapter.open_connections()
        ends = time.monotonic() + (self._deadline if timeout is None else min(timeout, self._deadline))
        history: list[requests.Response] = []
        while True:
            response = self.adapter.ask(request, target, ends - time.monotonic())
            location = response.headers.get("location")
            if response.status_code not in REDIRECTS or not location or not allow_redirects:
                response.history = history
                return response
            if len(history) == MAX_REDIRECTS:
                raise SourceMalformedError("the URL redirects too often", code="too-many-redirects")
            history.append(response)
            request, target = self._follow(request, target, response.status_code, location)

    def _follow(
        self, request: requests.PreparedRequest, here: Target, status: int, location: str
    ) -> tuple[requests.PreparedRequest, Target]:
        """Return the request that follows a redirect, and where it goes; raises AddressRefusedError if it is not followed.

        303, and 301 or 302 to a POST      GET without a body, as browsers do; RFC 9110 15.4
        to another origin                  without credentials, and without headers that could hold any
        """
        onward = self._read_location(here, location)
        following = request.copy()
        following.url = onward.url
        if onward.origin != here.origin:
            following.headers = CaseInsensitiveDict(self._default_headers())
            following.headers.update({name: value for name, value in request.headers.items() if name.lower() in HARMLESS})
        if (status == 303 and request.method != "HEAD") or (status in (301, 302) and request.method == "POST"):
            following.method, following.body = "GET", None
            for name in [name for name in following.headers if name.lower().startswith("content-")]:
                del following.headers[name]
        _authorize(following, onward)
        return following, onward

    def _read_location(self, here: Target, location: str) -> Target:
        """Return where a redirect leads. Errors of either parser quote the URL and are dropped."""
        try:
            onward = read_url(
                urljoin(here.url, _read_bytes(location).strip().replace(" ", "%20")), allow_private_addresses=self._allow_private
            )
        except (AddressRefusedError, ValueError):
            onward = None
        if onward is None:
            raise AddressRefusedError("the URL redirects to an address that is not fetched", code="address-refused")
        if here.scheme == "https" and onward.scheme == "http":
            raise AddressRefusedError("the URL redirects from https to http", code="address-refused")
        return onward


def _read_bytes(header: str) -> str:
    """Return a header whose bytes are UTF-8 as that text, as browsers do; http.client reads headers as Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _authorize(request: requests.PreparedRequest, target: Target) -> None:
    """Send a URL's user info as credentials."""
    if target.auth:
        HTTPBasicAuth(*(part.encode() for part in target.auth))(request)
