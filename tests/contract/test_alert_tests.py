"""Test messages of alert channels: they go out at once, and what they show of a channel stays to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.errors import SourceRefusedError
from bokit.values import replace
from tests.support.alert_home import Home
from tests.support.alert_server import AlertServer, serve_alerts
from tests.support.apartment import AIRBNB, VRBO

MINUTE = timedelta(minutes=1)


@pytest.fixture
def server() -> Iterator[AlertServer]:
    """A service that takes messages."""
    with serve_alerts() as state:
        yield state


@pytest.fixture
def home() -> Home:
    """A flat on two platforms."""
    home = Home(AIRBNB, VRBO)
    home.sync()
    home.bokit.events.drain()
    return home


def test_a_test_message_goes_out_at_once_or_says_why_not(home: Home, server: AlertServer) -> None:
    """Also in quiet hours."""
    channel = home.notify(server, quiet_hours="00:00-23:59")
    home.bokit.alerts.test(DEFAULT_TENANT, channel.id)
    assert server.titles() == ["Test message from Bokit"]

    server.status = 403
    with pytest.raises(SourceRefusedError, match="HTTP 403"):
        home.bokit.alerts.test(DEFAULT_TENANT, channel.id)


def test_a_channel_whose_test_failed_does_not_show_as_well(home: Home, server: AlertServer) -> None:
    """A new channel with a wrong token is seen in lists, not only by who added it; a test that works again clears it."""
    channel = home.notify(server)
    server.status = 403
    with pytest.raises(SourceRefusedError):
        home.bokit.alerts.test(DEFAULT_TENANT, channel.id)
    shown = home.bokit.alerts.describe(channel)
    assert shown["failing_since"] is not None
    assert "HTTP 403" in str(shown["error"])

    server.status = 200
    home.bokit.alerts.test(DEFAULT_TENANT, channel.id)
    shown = home.bokit.alerts.describe(channel)
    assert (shown["failing_since"], shown["error"]) == (None, None)
    assert shown["delivered_at"] is not None


def test_what_waited_is_sent_once_a_test_is_accepted(home: Home, server: AlertServer) -> None:
    """A person corrects the channel and tests it: nothing waits for the next try, which may be an hour away."""
    channel = home.notify(server)
    server.status = 403
    home.double_book(30, 33)
    assert home.bokit.alerts.describe(channel)["pending"] == 1
    assert server.accepted == []

    server.status = 200
    home.bokit.alerts.test(DEFAULT_TENANT, channel.id)
    home.bokit.alert_delivery.run_due()
    assert server.titles()[-1] == "Double booking: Flat"
    assert home.bokit.alerts.describe(channel)["pending"] == 0


def test_a_test_beside_a_turn_leaves_the_channel_to_it(home: Home, server: AlertServer) -> None:
    """The turn stores how far it is on the state that it read; a test in between must not make it stop."""
    channel = home.notify(server)
    state = home.store.load_alert_state(DEFAULT_TENANT, channel.id)
    claimed = home.store.save_alert_state(replace(state, held_until=home.clock() + MINUTE))
    home.bokit.alerts.test(DEFAULT_TENANT, channel.id)
    assert home.store.load_alert_state(DEFAULT_TENANT, channel.id) == claimed
