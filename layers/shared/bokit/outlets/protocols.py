"""What the engine needs of a queue and of an alert channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.alerts import AlertChannel, PendingAlert
from bokit.core.model.connections import ConnectionId
from bokit.core.model.notices import Notice
from bokit.core.model.webhooks import Answer
from bokit.values import Value


class Queue(Protocol):
    """Carries messages to the workers, at least once."""

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Send every body, or raise LaterError: sending one twice is harmless."""


class DeadLetter(Value):
    """A message that failed too often."""

    id: str
    body: str
    sent_at: datetime
    """When it was first sent to its queue."""
    receives: int
    """How often it was delivered, to workers and to readers of dead letters."""


class Letters(Protocol):
    """The dead letters of one queue. What cannot be reached raises LaterError, or ConfigError."""

    @property
    def has_queue(self) -> bool:
        """Whether a letter can be moved back: the scheduler's events have no queue."""

    def read(self) -> Sequence[DeadLetter]:
        """Return the letters; each stays where it is."""

    def count(self) -> int:
        """Return about how many there are, by one call that receives none."""

    def move_back(self, wanted: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        """Send each wanted letter to its queue, then delete it; what dies in between has it in both, which is harmless."""

    def discard(self, wanted: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        """Delete each wanted letter, and return them."""


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


class Connections(Protocol):
    """Open sockets, by the gateway's ids."""

    def prepare(self) -> None:
        """Make the client, before threads need it."""

    def post(self, connection_id: ConnectionId, text: str) -> bool:
        """Send one message; return False where the connection is gone. Raises LaterError where it was not taken."""

    def close(self, connection_id: ConnectionId) -> None:
        """Close it; one that is gone is closed. Raises LaterError."""


class AlertSender(Protocol):
    """Sends one message to one channel."""

    @property
    def mails(self) -> bool:
        """Whether it can send e-mail: the stack has a sender's address."""

    def check(self, channel: AlertChannel) -> None:
        """Raise AddressRefusedError for a channel at an address that this stack does not ask. Uses no network."""

    def send(self, channel: AlertChannel, alert: PendingAlert) -> None:
        """Return once the message is accepted; else raise LaterError, NeverError or AddressRefusedError."""
