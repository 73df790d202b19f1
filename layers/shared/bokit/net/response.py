"""Responses as users of requests know them, read whole, whose errors contain no URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from bokit.net.headers import read_retry_after


class SafeResponse(requests.Response):
    """A response with its body; ``content`` is empty unless the status is a success."""

    def __init__(
        self,
        *,
        url: str,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes = b"",
        request: requests.PreparedRequest | None = None,
    ) -> None:
        # requests' own makes a jar of cookies for each response, which nobody reads
        self.url, self.status_code = url, status
        self.headers = CaseInsensitiveDict(headers)
        self.history: list[requests.Response] = []
        self._content, self._content_consumed = body, True
        self.raw, self._next, self.reason = None, None, ""
        self.elapsed = timedelta()
        if request:
            self.request = request

    @cached_property
    def cookies(self) -> RequestsCookieJar:  # type: ignore[override]
        """Return no cookies."""
        return RequestsCookieJar()

    @cached_property
    def encoding(self) -> str | None:  # type: ignore[override]
        """Return the character set that the headers name."""
        return get_encoding_from_headers(self.headers)

    @property
    def host(self) -> str:
        """Return the host that was asked first, before any redirect."""
        return urlsplit((self.history[0] if self.history else self).url).hostname or ""

    def raise_for_status(self) -> None:
        """Raise HTTPError for a status of 400 or more; requests' own contains the URL."""
        if self.status_code >= 400:
            raise requests.HTTPError(f"HTTP {self.status_code}", response=self)

    @property
    def retry_after(self) -> float | None:
        """Return the seconds that the server asks us to wait, or None."""
        return read_retry_after(self.headers.get("retry-after"), self.headers.get("date"))
