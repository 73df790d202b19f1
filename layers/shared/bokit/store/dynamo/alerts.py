"""Alert channels and their states in the table.

The time at which a channel is due is an attribute of its own: what wakes a channel changes that alone, and never meets what
serves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState
from bokit.core.model.codec import read_document, write_document, write_micros
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import WebhookFailure
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import has_version
from bokit.store.dynamo.gateway import DeleteItem, PutItem, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.shards import read_optional_time
from bokit.store.dynamo.usage import DynamoUsage, UsageChange
from bokit.values import replace

CHANGED = "the channel was changed or removed by another since it was read; read it again"


class DynamoAlerts(DynamoUsage):
    """``AlertStore`` on the table."""

    def load_alert_channels(self, tenant: TenantId) -> Sequence[AlertChannel]:
        rows = self._table.query(keys.alerts_partition(tenant), ItemRow.sk.startswith("CHANNEL#"))
        return sorted((read_document(AlertChannel, row.doc) for row in rows), key=lambda channel: channel.id)

    def load_alert_channel(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertChannel:
        key = keys.find_key(keys.alert_channel_key, tenant, channel_id)
        row = self._table.get(key) if key else None
        if row is None:
            raise _unknown(channel_id)
        return read_document(AlertChannel, row.doc)

    def load_alert_states(self, tenant: TenantId) -> Mapping[AlertChannelId, AlertState]:
        rows = self._table.query(keys.alerts_partition(tenant), ItemRow.sk.startswith("STATE#"))
        return {state.channel_id: state for state in map(_read_state, rows)}

    def load_alert_state(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertState:
        row = self._table.get(keys.alert_state_key(tenant, channel_id))
        if row is None:
            raise _unknown(channel_id)
        return _read_state(row)

    def add_alert_channel(self, channel: AlertChannel, state: AlertState) -> AlertChannel:
        saved = replace(channel, version=1)
        puts = [_put_channel(saved), _put_state(replace(state, version=1))]
        more = UsageChange(tenant=channel.tenant, counted=QuotaName.ALERTS, more=1)
        if self.transact_counted(Transaction(puts=puts), [more]):
            raise StoreConflictError("a channel of this id exists already", id=channel.id)
        return saved

    def save_alert_channel(self, channel: AlertChannel) -> AlertChannel:
        saved = replace(channel, version=channel.version + 1)
        if not self._table.put(_put_channel(saved)):
            raise StoreConflictError(CHANGED, id=channel.id)
        return saved

    def save_alert_state(self, state: AlertState) -> AlertState:
        saved = replace(state, version=state.version + 1)
        if not self._table.put(_put_state(saved)):
            raise StoreConflictError(CHANGED, id=state.channel_id)
        return saved

    def wake_alert(self, tenant: TenantId, channel_id: AlertChannelId, at: datetime) -> None:
        moment = write_micros(at)
        later = ItemRow.pk.exists() & (ItemRow.due_at.does_not_exist() | (ItemRow.due_at > moment))
        actions = [ItemRow.due_pk.set(keys.DUE_ALERTS), ItemRow.due_at.set(moment)]
        self._table.update(UpdateItem(key=keys.alert_state_key(tenant, channel_id), actions=actions, condition=later))

    def save_webhook_failure(self, failure: WebhookFailure, *, expires_at: datetime) -> None:
        attributes = {"doc": write_document(failure), "expires_at": expires_at}
        self._table.put(PutItem(key=keys.webhook_failure_key(failure.tenant, failure.webhook_id), attributes=attributes))

    def load_webhook_failures(self, tenant: TenantId) -> Sequence[WebhookFailure]:
        rows = self._table.query(keys.alerts_partition(tenant), ItemRow.sk.startswith("FAILURE#"))
        return sorted((read_document(WebhookFailure, row.doc) for row in rows), key=lambda failure: failure.webhook_id)

    def delete_alert_channel(self, tenant: TenantId, channel_id: AlertChannelId) -> None:
        key = keys.find_key(keys.alert_channel_key, tenant, channel_id)
        if key:
            state = keys.alert_state_key(tenant, channel_id)
            deletes = [DeleteItem(key=key, condition=ItemRow.pk.exists()), DeleteItem(key=state)]
            fewer = UsageChange(tenant=tenant, counted=QuotaName.ALERTS, more=-1)
            self.transact_counted(Transaction(deletes=deletes), [fewer])  # if another was first, it is deleted as well

    def load_due_alerts(self, now: datetime, limit: int) -> Sequence[tuple[TenantId, AlertChannelId]]:
        found = self._table.query_due(write_micros(now), limit, keys.DUE_ALERTS)
        return [(keys.tenant_of(key), AlertChannelId(keys.last_part(key))) for key in found]


def _put_channel(saved: AlertChannel) -> PutItem:
    return PutItem(
        key=keys.alert_channel_key(saved.tenant, saved.id),
        attributes={"doc": write_document(saved), "version": saved.version},
        condition=has_version(saved.version - 1),
    )


def _put_state(saved: AlertState) -> PutItem:
    attributes: dict[str, Any] = {"doc": write_document(replace(saved, due_at=None)), "version": saved.version}
    if saved.due_at:
        attributes |= {"due_pk": keys.DUE_ALERTS, "due_at": write_micros(saved.due_at)}
    key = keys.alert_state_key(saved.tenant, saved.channel_id)
    return PutItem(key=key, attributes=attributes, condition=has_version(saved.version - 1))


def _read_state(row: ItemRow) -> AlertState:
    return replace(read_document(AlertState, row.doc), due_at=read_optional_time(row.due_at))


def _unknown(channel_id: str) -> UnknownIdError:
    return UnknownIdError("no such alert channel; `bokit alert list` shows them", id=channel_id)
