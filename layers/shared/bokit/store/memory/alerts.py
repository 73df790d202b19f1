"""Alert channels and their states in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState
from bokit.core.model.codec import read_document, write_document
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import WebhookFailure
from bokit.errors import StoreConflictError
from bokit.store.memory.state import MemoryState, load_all, load_one, next_version
from bokit.values import replace


class MemoryAlerts(MemoryState):
    """``AlertStore`` in memory."""

    def load_alert_channels(self, tenant: TenantId) -> Sequence[AlertChannel]:
        with self._lock:
            return load_all(self._alert_channels, tenant)

    def load_alert_channel(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertChannel:
        with self._lock:
            return load_one(self._alert_channels, (tenant, channel_id), "alert channel", channel_id)

    def load_alert_states(self, tenant: TenantId) -> Mapping[AlertChannelId, AlertState]:
        with self._lock:
            return {state.channel_id: state for state in load_all(self._alert_states, tenant)}

    def load_alert_state(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertState:
        with self._lock:
            return load_one(self._alert_states, (tenant, channel_id), "alert channel", channel_id)

    def add_alert_channel(self, channel: AlertChannel, state: AlertState) -> AlertChannel:
        with self._lock:
            key = channel.tenant, channel.id
            if key in self._alert_channels or key in self._alert_states:
                raise StoreConflictError("a channel of this id exists already", id=channel.id)
            self._count(channel.tenant, QuotaName.ALERTS, 1)
            self._alert_states[key] = _copy_state(replace(state, version=1))
            saved = self._alert_channels[key] = replace(channel, version=1)
            return saved

    def save_alert_channel(self, channel: AlertChannel) -> AlertChannel:
        with self._lock:
            key = channel.tenant, channel.id
            version = next_version(channel, self._alert_channels.get(key))
            saved = self._alert_channels[key] = replace(channel, version=version)
            return saved

    def save_alert_state(self, state: AlertState) -> AlertState:
        with self._lock:
            key = state.tenant, state.channel_id
            version = next_version(state, self._alert_states.get(key))
            saved = self._alert_states[key] = _copy_state(replace(state, version=version))
            return saved

    def wake_alert(self, tenant: TenantId, channel_id: AlertChannelId, at: datetime) -> None:
        with self._lock:
            state = self._alert_states.get((tenant, channel_id))
            if state and (state.due_at is None or state.due_at > at):
                self._alert_states[tenant, channel_id] = replace(state, due_at=at)

    def save_webhook_failure(self, failure: WebhookFailure, *, expires_at: datetime) -> None:
        with self._lock:
            self._webhook_failures[failure.tenant, failure.webhook_id] = failure

    def load_webhook_failures(self, tenant: TenantId) -> Sequence[WebhookFailure]:
        with self._lock:
            return sorted(load_all(self._webhook_failures, tenant), key=lambda failure: failure.webhook_id)

    def delete_alert_channel(self, tenant: TenantId, channel_id: AlertChannelId) -> None:
        with self._lock:
            if self._alert_channels.pop((tenant, channel_id), None) is not None:
                self._alert_states.pop((tenant, channel_id), None)
                self._count(tenant, QuotaName.ALERTS, -1)

    def load_due_alerts(self, now: datetime, limit: int) -> Sequence[tuple[TenantId, AlertChannelId]]:
        with self._lock:
            due = [(state.due_at, key) for key, state in self._alert_states.items() if state.due_at and state.due_at <= now]
            return [key for _, key in sorted(due)[:limit]]


def _copy_state(state: AlertState) -> AlertState:
    """Return the state as the table would return it."""
    return read_document(AlertState, write_document(state))
