"""What every store does with alert channels, and with what each still has to send."""

from __future__ import annotations

import pytest

from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState, ChannelKind, PendingAlert, Severity
from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import WebhookFailure, WebhookId
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import HOUR, NOW
from tests.support.steps import OTHER

PHONE = AlertChannelId("chn_phone")


def a_channel(name: str = "phone", *, tenant: TenantId = DEFAULT_TENANT) -> AlertChannel:
    """Return a channel that posts to a webhook."""
    return AlertChannel(
        id=AlertChannelId(f"chn_{name}"),
        tenant=tenant,
        kind=ChannelKind.WEBHOOK,
        name=name,
        settings={"url": "https://hooks.example/a"},
        severity=Severity.CRITICAL,
        created_at=NOW,
    )


def add(store: Store, name: str = "phone", *, tenant: TenantId = DEFAULT_TENANT, **state: object) -> AlertChannel:
    """Store a channel with its state."""
    channel = a_channel(name, tenant=tenant)
    return store.add_alert_channel(channel, AlertState(tenant=tenant, channel_id=channel.id, **state))


def test_a_channel_and_its_state_come_back_as_they_were_written(store: Store) -> None:
    """With the messages that wait, in their order."""
    waiting = tuple(
        PendingAlert(id=f"alr_{n}", type="test", severity=Severity.INFO, title="a", text="é", at=NOW, not_quiet_from=NOW)
        for n in range(2)
    )
    channel = add(store, seq=7, pending=waiting, due_at=NOW, digest_on="2026-06-01")

    assert store.load_alert_channel(DEFAULT_TENANT, PHONE) == channel == replace(a_channel(), version=1)
    assert store.load_alert_channels(DEFAULT_TENANT) == [channel]
    state = store.load_alert_state(DEFAULT_TENANT, PHONE)
    assert state == AlertState(
        tenant=DEFAULT_TENANT, channel_id=PHONE, seq=7, pending=waiting, due_at=NOW, digest_on="2026-06-01", version=1
    )
    assert store.load_alert_states(DEFAULT_TENANT) == {PHONE: state}


def test_channel_and_state_are_written_on_their_versions(store: Store) -> None:
    """Of two that read the same, the second is refused; so is a second channel of an id."""
    channel, state = add(store), store.load_alert_state(DEFAULT_TENANT, PHONE)

    assert store.save_alert_channel(replace(channel, name="b")).version == 2
    assert store.save_alert_state(replace(state, seq=1)).version == 2
    for again in (
        lambda: store.save_alert_channel(channel),
        lambda: store.save_alert_state(state),
        lambda: add(store),
    ):
        with pytest.raises(StoreConflictError):
            again()


def test_a_deleted_channel_is_gone_whole(store: Store) -> None:
    """What served it meanwhile cannot bring its state back, and nothing is due."""
    add(store, due_at=NOW)
    state = store.load_alert_state(DEFAULT_TENANT, PHONE)

    store.delete_alert_channel(DEFAULT_TENANT, PHONE)
    store.delete_alert_channel(DEFAULT_TENANT, PHONE)
    store.wake_alert(DEFAULT_TENANT, PHONE, NOW)

    for load in (store.load_alert_channel, store.load_alert_state):
        with pytest.raises(UnknownIdError):
            load(DEFAULT_TENANT, PHONE)
    with pytest.raises(StoreConflictError):
        store.save_alert_state(state)
    assert store.load_due_alerts(NOW + HOUR, 10) == []


def test_due_channels_come_in_their_order_and_waking_one_only_hurries_it(store: Store) -> None:
    """Waking does not change the version: what serves the channel at the same time is not refused."""
    add(store, "a", due_at=NOW)
    add(store, "b", due_at=NOW + HOUR)
    add(store, "c", tenant=OTHER)
    state = store.load_alert_state(OTHER, AlertChannelId("chn_c"))

    store.wake_alert(OTHER, AlertChannelId("chn_c"), NOW - HOUR)
    store.wake_alert(DEFAULT_TENANT, AlertChannelId("chn_a"), NOW + HOUR)

    everything = [(OTHER, "chn_c"), (DEFAULT_TENANT, "chn_a"), (DEFAULT_TENANT, "chn_b")]
    assert store.load_due_alerts(NOW, 10) == everything[:2]
    assert store.load_due_alerts(NOW + HOUR, 10) == everything
    assert store.load_due_alerts(NOW + HOUR, 1) == everything[:1]
    assert store.save_alert_state(replace(state, seq=3)).due_at is None
    assert store.load_due_alerts(NOW + HOUR, 10) == everything[1:]


def test_what_channels_should_hear_of_a_webhook_is_kept_once_for_each(store: Store) -> None:
    """The last one of a webhook stays; channels and states are not among them, and nothing of another tenant is."""
    add(store)
    hooks = WebhookId("whk_a"), WebhookId("whk_b")
    for hook, hours in ((hooks[1], 0), (hooks[0], 0), (hooks[1], 1)):
        failure = WebhookFailure(tenant=DEFAULT_TENANT, webhook_id=hook, at=NOW + hours * HOUR)
        store.save_webhook_failure(failure, expires_at=NOW + 9 * HOUR)
    store.save_webhook_failure(WebhookFailure(tenant=OTHER, webhook_id=hooks[0], at=NOW), expires_at=NOW + HOUR)

    found = store.load_webhook_failures(DEFAULT_TENANT)

    assert [(f.tenant, f.webhook_id, f.at) for f in found] == [
        (DEFAULT_TENANT, hooks[0], NOW),
        (DEFAULT_TENANT, hooks[1], NOW + HOUR),
    ]
    state = store.load_alert_state(DEFAULT_TENANT, PHONE)
    read = {failure.webhook_id: failure.at for failure in found}
    store.save_alert_state(replace(state, failures_read=read))
    assert store.load_alert_state(DEFAULT_TENANT, PHONE).failures_read == read
    assert len(store.load_alert_channels(DEFAULT_TENANT)) == len(store.load_alert_states(DEFAULT_TENANT)) == 1


def test_a_removed_tenant_takes_its_channels_along(store: Store) -> None:
    """Nothing of another tenant is touched."""
    store.save_tenant(Tenant(id=OTHER, name="Other", created_at=NOW))
    for tenant in (DEFAULT_TENANT, OTHER):
        add(store, tenant=tenant, due_at=NOW)
        store.save_webhook_failure(WebhookFailure(tenant=tenant, webhook_id=WebhookId("whk_a"), at=NOW), expires_at=NOW + HOUR)

    store.remove_tenant(OTHER)

    assert [len(store.load_webhook_failures(tenant)) for tenant in (OTHER, DEFAULT_TENANT)] == [0, 1]
    assert (store.load_alert_channels(OTHER), store.load_alert_states(OTHER)) == ([], {})
    assert store.load_due_alerts(NOW, 10) == [(DEFAULT_TENANT, PHONE)]
