"""``/alerts``: where a tenant is notified of what needs a person."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bokit.core.alerts.limits import MAX_SETTING_LENGTH
from bokit.core.model.alerts import AlertChannelDocument, AlertChannelId
from bokit.http.bodies import Body, Name
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply, reply_nothing
from bokit.http.routing import ADMIN, NOTHING, VIEWER, Routes, lists, makes, shows, updates

routes = Routes("alerts")

Kind = Literal["email", "ntfy", "telegram", "slack", "discord", "gotify", "home_assistant", "webhook"]
SeverityWord = Annotated[
    Literal["info", "warning", "critical"],
    Field(description="The least severe that it sends: `critical` is a double booking, `warning` a calendar that needs you."),
]
Hours = Annotated[
    str | None,
    Field(
        max_length=20,
        description="What can wait is sent at their end, in the tenant's timezone; null: at once.",
        examples=["22:00-07:00"],
    ),
]


def _setting(about: str) -> Any:
    return Field(default=None, min_length=1, max_length=MAX_SETTING_LENGTH, description=about)


class AlertSettings(Body):
    """Where a channel sends to. Secrets may be ``secret:NAME`` of the tenant; none is shown again."""

    address: str | None = _setting("Of `email`: who gets it.")
    topic: str | None = _setting("Of `ntfy`: the topic, a secret.")
    chat_id: str | None = _setting("Of `telegram`: the chat.")
    service: str | None = _setting("Of `home_assistant`: the notify service, as in `mobile_app_phone`; left out: `notify`.")
    token: str | None = _setting("Of `telegram`, `gotify`, `home_assistant`, `ntfy` and `webhook`: a secret.")
    url: str | None = _setting("Of all but `email`: the service's address, a secret; `ntfy` and `telegram` know their own.")


class NewAlert(AlertSettings):
    """A channel to add."""

    kind: Kind
    name: Name | None = Field(default=None, description="Left out: the kind.")
    severity: SeverityWord = "warning"
    quiet_hours: Hours = None
    digest: bool = Field(default=False, description="A summary of the day at 8:00, with arrivals and departures.")


class AlertEdit(AlertSettings):
    """Changes to a channel."""

    name: Name = ""
    severity: SeverityWord = "warning"
    quiet_hours: Hours = None
    digest: bool = False
    enabled: bool = True


@routes.serve("GET", "/alerts", VIEWER, lists("AlertChannel"))
def list_alerts(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the alert channels, oldest first, with what each has not sent; no secret is shown."""
    call = routes.call
    found = call.engine.alerts.describe_all(call.tenant)
    return call.reply_page(found, lambda doc: doc, by_age, ("alerts",), limit, cursor)


def by_age(doc: AlertChannelDocument) -> Key:
    """Return the sort key of a channel."""
    return doc["created_at"].isoformat(), doc["id"]


@routes.serve("POST", "/alerts", ADMIN, makes("AlertChannel"))
def add_alert(body: NewAlert) -> Reply:
    """Add an alert channel.

    It sends what happens from now on: double bookings, calendars that fail, are held or are out of date, webhooks that were
    switched off, and when each is over. 409 `no-mail`: this stack sends no e-mail of its own.
    """
    call = routes.call
    channel = call.engine.alerts.add(call.tenant, _without_null(body.sent()))
    return reply(call.engine.alerts.describe(channel), 201, location=f"/alerts/{channel.id}")


def _without_null(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@routes.serve("GET", "/alerts/{id}", VIEWER, shows("AlertChannel"))
def show_alert(id: Id) -> Reply:
    """Show one alert channel."""
    alerts = routes.call.engine.alerts
    return reply(alerts.describe(alerts.find(routes.call.tenant, AlertChannelId(id))))


@routes.serve("PATCH", "/alerts/{id}", ADMIN, updates("AlertChannel"))
def edit_alert(id: Id, body: AlertEdit) -> Reply:
    """Change an alert channel; settings that are left out stay."""
    alerts = routes.call.engine.alerts
    return reply(alerts.describe(alerts.edit(routes.call.tenant, AlertChannelId(id), body.sent())))


@routes.serve("DELETE", "/alerts/{id}", ADMIN, NOTHING)
def remove_alert(id: Id) -> Reply:
    """Remove an alert channel, and what it has not sent."""
    routes.call.engine.alerts.remove(routes.call.tenant, AlertChannelId(id))
    return reply_nothing()


@routes.serve("POST", "/alerts/{id}/test", ADMIN, shows("AlertTested", "The service accepted the message."))
def test_alert(id: Id) -> Reply:
    """Send a test message now, also in quiet hours; 422 says why the service did not accept it."""
    routes.call.engine.alerts.test(routes.call.tenant, AlertChannelId(id))
    return reply({"sent": True})
