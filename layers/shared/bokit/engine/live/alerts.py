"""Alert channels: added, listed, changed, tested and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.alerts.catalogs import find_catalog
from bokit.core.alerts.messages import AlertWriter
from bokit.core.alerts.quiet_hours import find_digest_day, next_digest, read_quiet_hours
from bokit.core.alerts.settings import SETTINGS, read_channel_name, read_kind, read_settings, read_severity
from bokit.core.model.alerts import (
    AlertChannel,
    AlertChannelDocument,
    AlertChannelId,
    AlertState,
    ChannelKind,
    describe_channel,
)
from bokit.core.model.options import read_flag
from bokit.core.model.records import Fields, TenantId
from bokit.engine.base.clock import Clock, Ids
from bokit.engine.base.lookup import find_named
from bokit.engine.base.reconcile import earliest
from bokit.engine.base.tenant_options import check_tenant, load_options
from bokit.engine.live.limits import MAX_ALERT_UNREAD
from bokit.errors import BokitError, InputError, StateError, StoreConflictError
from bokit.outlets.protocols import AlertSender
from bokit.store.protocols import Store
from bokit.values import replace

NO_MAIL = (
    "this stack sends no e-mail of its own: deploy it with the parameter MailFrom, an address that SES has verified; or add "
    "another kind of channel"
)
FIELDS = ("name", "severity", "quiet_hours", "digest", "enabled")


class AlertService:
    """A tenant's alert channels."""

    def __init__(self, store: Store, sender: AlertSender, clock: Clock, new_id: Ids, defaults: Fields) -> None:
        self.store, self.sender, self.clock, self.new_id, self.defaults = store, sender, clock, new_id, defaults

    def list_channels(self, tenant: TenantId) -> Sequence[AlertChannel]:
        """Return the tenant's channels, in the order in which they were added."""
        return sorted(self.store.load_alert_channels(tenant), key=lambda c: (c.created_at, c.id))

    def describe_all(self, tenant: TenantId) -> list[AlertChannelDocument]:
        """Return the documents of the tenant's channels."""
        states = self.store.load_alert_states(tenant)
        return [describe_channel(channel, states.get(channel.id)) for channel in self.list_channels(tenant)]

    def describe(self, channel: AlertChannel) -> AlertChannelDocument:
        """Return one channel's document."""
        return describe_channel(channel, self.store.load_alert_state(channel.tenant, channel.id))

    def find(self, tenant: TenantId, channel_id: AlertChannelId) -> AlertChannel:
        """Return the channel of this id; raises UnknownIdError."""
        return self.store.load_alert_channel(tenant, channel_id)

    def find_named(self, tenant: TenantId, word: str) -> AlertChannel:
        """Return the channel of this id, or the only one of this name."""
        return find_named(self.list_channels(tenant), word, "alert")

    def add(self, tenant: TenantId, values: Mapping[str, Any]) -> AlertChannel:
        """Add a channel. It sends what happens from now on.

        Raises InputError for a field that is missing, unknown or wrong, StateError ``no-mail`` for e-mail where the stack
        sends none, and QuotaError where the tenant may have no more.
        """
        check_tenant(self.store, tenant)
        kind, now = read_kind(values.get("kind")), self.clock()
        channel = AlertChannel(
            id=AlertChannelId(self.new_id("chn")),
            tenant=tenant,
            kind=kind,
            settings=read_settings(kind, _settings_of(values)),
            created_at=now,
            **{"name": str(kind), **_read_common(values)},
        )
        self._check(channel)
        return self.store.add_alert_channel(channel, self._new_state(channel, now))

    def _new_state(self, channel: AlertChannel, now: datetime) -> AlertState:
        zone = self._zone(channel.tenant)
        day = find_digest_day(None, now, zone)
        return AlertState(
            tenant=channel.tenant,
            channel_id=channel.id,
            seq=self.store.load_last_seq(channel.tenant),
            due_at=self._first_due(channel, now),
            digest_on=day.isoformat() if day else None,
            failures_read=self._failures(channel.tenant),
        )

    def _failures(self, tenant: TenantId) -> dict[str, datetime]:
        """Return the deliveries that were given up before, of which a channel says nothing."""
        return {failure.webhook_id: failure.at for failure in self.store.load_webhook_failures(tenant)}

    def _first_due(self, channel: AlertChannel, now: datetime) -> datetime | None:
        digest = next_digest(now, self._zone(channel.tenant)) if channel.digest else None
        return earliest(digest, now + MAX_ALERT_UNREAD) if channel.enabled else None

    def _zone(self, tenant: TenantId) -> ZoneInfo:
        return ZoneInfo(load_options(self.store, tenant, self.defaults)["timezone"])

    def _check(self, channel: AlertChannel) -> None:
        """Raise StateError for e-mail that nobody sends, and AddressRefusedError for an address that is not asked."""
        if channel.kind is ChannelKind.EMAIL and not self.sender.mails:
            raise StateError(NO_MAIL, code="no-mail", parameter="MailFrom")
        self.sender.check(channel)

    def edit(self, tenant: TenantId, channel_id: AlertChannelId, values: Mapping[str, Any]) -> AlertChannel:
        """Change a channel; settings that are not named stay. One that is switched on again sends what happens from then on."""
        before = self.find(tenant, channel_id)
        if "kind" in values and read_kind(values["kind"]) is not before.kind:
            raise InputError("a channel stays of its kind; add another one", code="bad-field", field="kind")
        merged = {**before.settings, **_settings_of(values)}
        channel = replace(before, settings=read_settings(before.kind, merged), **_read_common(values))
        if channel == before:
            return before
        self._check(channel)
        saved = self.store.save_alert_channel(channel)
        self._resume(before, saved)
        return saved

    def _resume(self, before: AlertChannel, channel: AlertChannel) -> None:
        if channel.enabled and not before.enabled:
            state = self.store.load_alert_state(channel.tenant, channel.id)
            seq, failures = self.store.load_last_seq(channel.tenant), self._failures(channel.tenant)
            self.store.save_alert_state(replace(state, seq=seq, failures_read=failures))
        if channel.enabled:
            self.store.wake_alert(channel.tenant, channel.id, self.clock())

    def remove(self, tenant: TenantId, channel_id: AlertChannelId) -> None:
        """Remove a channel, and what it has not sent; raises UnknownIdError."""
        self.find(tenant, channel_id)
        self.store.delete_alert_channel(tenant, channel_id)

    def test(self, tenant: TenantId, channel_id: AlertChannelId) -> None:
        """Send a test message now, whatever the quiet hours; raises what the sender raises.

        The channel's state says how it went, as of any other message.
        """
        channel = self.find(tenant, channel_id)
        self._check(channel)
        options = load_options(self.store, tenant, self.defaults)
        writer = AlertWriter(find_catalog(str(options["locale"])), ZoneInfo(options["timezone"]))
        try:
            self.sender.send(channel, writer.write_test(self.new_id("test"), self.clock()))
        except BokitError as error:
            self._note_test(channel, error)
            raise
        self._note_test(channel, None)

    def _note_test(self, channel: AlertChannel, error: BokitError | None) -> None:
        """Store how a test went, unless the channel is being served: then its turn does. What waited is sent after a success."""
        now, state = self.clock(), self.store.load_alert_state(channel.tenant, channel.id)
        if state.held_until and state.held_until > now:
            return
        noted = state.as_refused(now, error.message) if error else state.as_accepted(now)
        with suppress(StoreConflictError):
            self.store.save_alert_state(noted)
        if error is None and state.pending:
            self.store.wake_alert(channel.tenant, channel.id, now)


def _settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among *values*; raises InputError for a field that no channel has."""
    for name in values:
        if name not in SETTINGS and name not in FIELDS and name != "kind":
            known = ", ".join(("kind", *FIELDS, *SETTINGS))
            raise InputError("no such field", code="unknown-field", field=name, known=known)
    return {name: value for name, value in values.items() if name in SETTINGS}


def _read_common(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: READERS[name](value) for name, value in values.items() if name in READERS}


def _read_hours(value: Any) -> str | None:
    return None if value in (None, "") else read_quiet_hours(str(value))


READERS: Mapping[str, Callable[[Any], Any]] = {
    "name": read_channel_name,
    "severity": read_severity,
    "quiet_hours": _read_hours,
    "digest": read_flag,
    "enabled": read_flag,
}
