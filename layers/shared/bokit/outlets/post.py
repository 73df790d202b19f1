"""Alerts, posted to their channels by the guarded client, and e-mail by SES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bokit.core.alerts.forms import write_post
from bokit.core.model.alerts import SECRET_PREFIX, AlertChannel, ChannelKind, PendingAlert
from bokit.core.model.records import TenantId
from bokit.errors import BokitError, SourceRefusedError, SourceUnavailableError
from bokit.net.addresses import read_url
from bokit.net.response import SafeResponse
from bokit.net.session import SafeSession
from bokit.outlets.limits import MAX_ANSWER_BYTES, MAX_POST_SECONDS

USER_AGENT = "Bokit/0.1 (alerts)"
LATER = frozenset({408, 425, 429})


class Mail(Protocol):
    """Sends e-mail."""

    def send(self, address: str, alert: PendingAlert) -> None:
        """Return once it is accepted; else raise LaterError or NeverError."""


class ChannelSender:
    """``AlertSender`` over HTTP, and over *mail* where there is one; safe to share between threads."""

    def __init__(
        self,
        *,
        allow_private_addresses: bool,
        reveal: Callable[[str, TenantId], str],
        mail: Mail | None = None,
        session: SafeSession | None = None,
    ) -> None:
        self._allow_private, self._reveal, self._mail = allow_private_addresses, reveal, mail
        self._session = session or SafeSession(
            allow_private_addresses=allow_private_addresses, deadline=MAX_POST_SECONDS, max_bytes=MAX_ANSWER_BYTES
        )

    @property
    def mails(self) -> bool:
        return self._mail is not None

    def check(self, channel: AlertChannel) -> None:
        url = channel.settings.get("url")
        if url and not url.startswith(SECRET_PREFIX):
            read_url(url, allow_private_addresses=self._allow_private)

    def send(self, channel: AlertChannel, alert: PendingAlert) -> None:
        settings = {name: self._reveal(value, channel.tenant) for name, value in channel.settings.items()}
        if channel.kind is ChannelKind.EMAIL:
            self._send_mail(settings, alert)
        else:
            self._post(channel.kind, settings, alert)

    def _send_mail(self, settings: Mapping[str, str], alert: PendingAlert) -> None:
        if self._mail is None:
            raise SourceUnavailableError("this stack sends no e-mail: its parameter MailFrom is empty", code="no-mail")
        self._mail.send(settings["address"], alert)

    def _post(self, kind: ChannelKind, settings: Mapping[str, str], alert: PendingAlert) -> None:
        post = write_post(kind, settings, alert)
        headers = {"User-Agent": USER_AGENT, **post.headers}
        response = self._session.request("POST", post.url, headers=headers, json=post.body, allow_redirects=False)
        if not 200 <= response.status_code < 300:
            raise _refusal(response)


def _refusal(response: SafeResponse) -> BokitError:
    """Return the error that a status means.

    408, 425, 429, 5xx    later, with the service's Retry-After
    3xx                   refused: a message is not sent to an address that nobody entered
    else                  refused: the owner must act
    """
    status, code = response.status_code, f"http-{response.status_code}"
    if status in LATER or status >= 500:
        message = f"the service answered HTTP {status}; Bokit will retry"
        return SourceUnavailableError(message, code=code, retry_after=response.retry_after)
    if 300 <= status < 400:
        return SourceRefusedError(f"HTTP {status}: the address redirects; enter the new one", code=code)
    if status in (401, 403):
        return SourceRefusedError(f"HTTP {status}: the service refused our credentials; check the token", code=code)
    if status in (404, 410):
        return SourceRefusedError(f"HTTP {status}: nothing at this address any more; check it", code=code)
    return SourceRefusedError(f"HTTP {status}: the service did not take the message; check the channel's settings", code=code)
