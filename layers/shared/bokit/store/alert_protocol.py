"""What the engine needs of a store for alert channels; ``protocols`` says what holds for all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import WebhookFailure


class AlertStore(Protocol):
    """Alert channels, and what each has read of its tenant's event log."""

    def load_alert_channels(self, tenant: TenantId) -> Sequence[AlertChannel]: ...
    def load_alert_channel(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertChannel: ...
    def load_alert_states(self, tenant: TenantId) -> Mapping[AlertChannelId, AlertState]:
        """Return the states of the tenant's channels, in one query."""

    def load_alert_state(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertState: ...
    def add_alert_channel(self, channel: AlertChannel, state: AlertState) -> AlertChannel:
        """Write a new channel and its state, in one transaction that counts it."""

    def save_alert_channel(self, channel: AlertChannel) -> AlertChannel: ...
    def save_alert_state(self, state: AlertState) -> AlertState:
        """Write it on its version; one whose channel was deleted meanwhile is a conflict too."""

    def wake_alert(self, tenant: TenantId, channel_id: AlertChannelId, at: datetime) -> None:
        """Make a channel due at *at* where it is due later, or not at all. Nothing else of it changes."""

    def save_webhook_failure(self, failure: WebhookFailure, *, expires_at: datetime) -> None:
        """Keep it for the tenant's channels, in the place of an earlier one of its webhook."""

    def load_webhook_failures(self, tenant: TenantId) -> Sequence[WebhookFailure]:
        """Return the last one of each webhook, by webhook, in one query."""

    def delete_alert_channel(self, tenant: TenantId, channel_id: AlertChannelId) -> None: ...
    def load_due_alerts(self, now: datetime, limit: int) -> Sequence[tuple[TenantId, AlertChannelId]]:
        """Return the channels that are due at *now*, the earliest first, by one query of the index."""
