"""What the engine needs of a queue and of an alert channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bokit.core.model.alerts import AlertChannel, PendingAlert
from bokit.core.model.notices import Notice
from bokit.core.model.webhooks import Answer


class Queue(Protocol):
    """Carries messages to the workers, at least once."""

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Send every body, or raise LaterError: sending one twice is harmless."""


class Alerts(Protocol):
    """Publishes notices to the owner."""

    delivers: bool
    """Whether a notice that it accepted reaches a person."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Publish every notice, or raise LaterError."""


class WebhookSender(Protocol):
    """Sends events to their receivers."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request, and return what was answered; no answer at all is one, too."""


class AlertSender(Protocol):
    """Sends one message to one channel."""

    @property
    def mails(self) -> bool:
        """Whether it can send e-mail: the stack has a sender's address."""

    def check(self, channel: AlertChannel) -> None:
        """Raise AddressRefusedError for a channel at an address that this stack does not ask. Uses no network."""

    def send(self, channel: AlertChannel, alert: PendingAlert) -> None:
        """Return once the message is accepted; else raise LaterError, NeverError or AddressRefusedError."""
