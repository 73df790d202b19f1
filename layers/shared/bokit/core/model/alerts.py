"""Alert channels: where a tenant is notified of what needs a person, and what each channel still has to send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NewType, TypedDict
from urllib.parse import urlsplit

from bokit.core.model.documents import Count
from bokit.core.model.records import SourceId, TenantId
from bokit.values import Value, field, replace

AlertChannelId = NewType("AlertChannelId", str)
SECRET_PREFIX = "secret:"  # noqa: S105 - begins a reference, and is none


class ChannelKind(StrEnum):
    """What a channel sends to."""

    EMAIL = "email"
    NTFY = "ntfy"
    TELEGRAM = "telegram"
    SLACK = "slack"
    DISCORD = "discord"
    GOTIFY = "gotify"
    HOME_ASSISTANT = "home_assistant"
    WEBHOOK = "webhook"


class Severity(StrEnum):
    """How much an alert matters; a channel sends what is at least as severe as its own."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place in the order, the least severe first."""
        return list(Severity).index(self)


class AlertChannel(Value):
    """One place where a tenant is notified. Its settings may be secrets, or ``secret:<name>`` of one."""

    id: AlertChannelId
    tenant: TenantId
    kind: ChannelKind
    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    severity: Severity = Severity.WARNING
    quiet_hours: str | None = None
    """As in ``22:00-07:00``, in the tenant's timezone: what can wait is sent at their end."""
    digest: bool = False
    """A summary of the day at eight in the morning."""
    enabled: bool = True
    created_at: datetime
    version: int = 0


class HoldCause(Value):
    """What a message about a held source is about; a hold that time lifts asks whether a person was notified of it."""

    source_id: SourceId
    cause: str
    """The hold's code and the time at which it began."""


class PendingAlert(Value):
    """A message that a channel has not sent yet."""

    id: str
    """The same at each attempt: receivers that know it take a repeated message once."""
    type: str
    severity: Severity
    title: str
    text: str
    at: datetime
    """When it happened."""
    queued_at: datetime | None = None
    """When the channel read of it."""
    holds: tuple[HoldCause, ...] = ()
    """The holds of which it notifies."""
    not_quiet_from: datetime | None = None
    """From then on quiet hours do not hold it back; None: they do."""


class AlertState(Value):
    """How far a channel is in the tenant's event log, and what it still has to send."""

    tenant: TenantId
    channel_id: AlertChannelId
    seq: int = 0
    """Read up to this event."""
    pending: tuple[PendingAlert, ...] = ()
    due_at: datetime | None = None
    """When to look again."""
    held_until: datetime | None = None
    """Somebody serves it until then; None: nobody."""
    failures: int = 0
    """Attempts that failed in a row."""
    retry_at: datetime | None = None
    """Nothing is sent before; None: the last attempt was accepted."""
    failing_since: datetime | None = None
    error: str | None = None
    """Why the last attempt failed, without an address."""
    given_up: int = 0
    """Messages that were given up, ever."""
    given_up_at: datetime | None = None
    delivered_at: datetime | None = None
    """When a message was last accepted."""
    digest_on: str | None = None
    """The date of the last digest."""
    failures_read: Mapping[str, datetime] = field(default_factory=dict)
    """By webhook: when the delivery was given up of which the channel read last."""
    version: int = 0

    def as_accepted(self, at: datetime) -> AlertState:
        """Return it after the service accepted a message at *at*: what waits may be sent."""
        return replace(self, failures=0, retry_at=None, failing_since=None, error=None, delivered_at=at)

    def as_refused(self, at: datetime, error: str) -> AlertState:
        """Return it after the service did not accept a message at *at*, and why; when to try again is not said here."""
        return replace(self, failing_since=self.failing_since or at, error=error)


class AlertChannelDocument(TypedDict):
    """An alert channel (secrets omitted), and how it fares."""

    id: str
    kind: ChannelKind
    name: str
    severity: Severity
    quiet_hours: Annotated[str | None, "As in `22:00-07:00`, in the tenant's timezone."]
    digest: bool
    enabled: bool
    host: Annotated[str | None, "Where it sends to; of an address only the host is shown."]
    settings: Annotated[dict[str, str], "Those that are not secret."]
    secrets: Annotated[list[str], "Names of the secrets that are set."]
    created_at: datetime
    pending: Annotated[Count, "Messages that wait: for a retry, or for the end of quiet hours."]
    failing_since: datetime | None
    error: Annotated[str | None, "Why the last attempt failed."]
    given_up: Annotated[Count, "Messages that were given up."]
    given_up_at: datetime | None
    delivered_at: datetime | None


class AlertsDocument(TypedDict):
    """Who hears of what needs a person."""

    topic: Annotated[bool, "Whether notices also go to the stack's alert topic; who subscribed hears of them."]
    channels: list[AlertChannelDocument]


SHOWN_SETTINGS = frozenset({"address", "chat_id", "service"})
"""Settings that are not secret."""


def describe_channel(channel: AlertChannel, state: AlertState | None) -> AlertChannelDocument:
    """Return the channel's document; *state* None: it was never served."""
    known = state or AlertState(tenant=channel.tenant, channel_id=channel.id)
    settings = channel.settings
    return {
        "id": channel.id,
        "kind": channel.kind,
        "name": channel.name,
        "severity": channel.severity,
        "quiet_hours": channel.quiet_hours,
        "digest": channel.digest,
        "enabled": channel.enabled,
        "host": find_host(settings.get("url")),
        "settings": {name: value for name, value in settings.items() if name in SHOWN_SETTINGS},
        "secrets": sorted(name for name in settings if name not in SHOWN_SETTINGS),
        "created_at": channel.created_at,
        "pending": len(known.pending),
        "failing_since": known.failing_since,
        "error": known.error,
        "given_up": known.given_up,
        "given_up_at": known.given_up_at,
        "delivered_at": known.delivered_at,
    }


def find_host(url: str | None) -> str | None:
    """Return the host of an address; None for a reference to a secret, and where there is none."""
    if not url or url.startswith(SECRET_PREFIX):
        return None
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
