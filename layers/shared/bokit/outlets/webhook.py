"""Webhooks over HTTP, through the guarded client."""

from __future__ import annotations

from collections.abc import Mapping

from bokit.core.model.webhooks import Answer
from bokit.errors import AddressRefusedError, LaterError, NeverError
from bokit.net.session import SafeSession

HEADERS = {"User-Agent": "Bokit/0.1 (webhooks)", "Connection": "close"}
"""A kept connection that the receiver has closed meanwhile would cost an attempt: no POST is repeated on a new one."""


class HttpWebhooks:
    """``WebhookSender`` over HTTP: no redirect is followed, and no body of an answer is read."""

    def __init__(self, session: SafeSession) -> None:
        self._session = session

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request; the code of what went wrong is that of the client, or ``http-<status>``."""
        try:
            response = self._session.request("POST", url, headers={**HEADERS, **headers}, data=body, allow_redirects=False)
        except (LaterError, NeverError, AddressRefusedError) as error:
            return Answer(error=error.stable_code)
        status = response.status_code
        error_code = None if 200 <= status < 300 else f"http-{status}"
        return Answer(status=status, error=error_code, retry_after=response.retry_after)
