"""Alert channels of the deployed stack: what a person must know arrives, although the service was down."""

from __future__ import annotations

import pytest

from tests.support.alert_server import serve_alerts
from tests.support.deployed import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_a_double_booking_arrives_after_its_service_was_down(client):
    """Found by the API's function, numbered by the log's, sent by the queue's and again by the schedule's; once in the end."""
    with serve_alerts() as server:
        server.status = 503
        client.ask("POST", "/alerts", {"kind": "webhook", "url": f"{server.url}/phone"})
        home = client.ask("POST", "/properties", {"name": "Villa"})[1]["id"]
        unit = client.ask("POST", "/units", {"name": "Garden flat", "property_id": home})[1]["id"]
        for first, last in (("2030-07-10", "2030-07-14"), ("2030-07-12", "2030-07-16")):
            status, _ = client.ask("POST", "/bookings", {"unit_id": unit, "check_in": first, "check_out": last})
            assert status == 201

        wait_until(lambda: bool(server.posted), seconds=100)
        (waiting,) = client.get("/alerts")["items"]
        assert (waiting["pending"], waiting["error"]) == (1, "the service answered HTTP 503; Bokit will retry")
        server.status = 200
        wait_until(lambda: bool(server.accepted), seconds=200)

        (message,) = server.accepted
        assert message["title"] == "Double booking: Garden flat"
        assert "12 July to 13 July 2030" in message["text"]
        wait_until(lambda: client.get("/alerts")["items"][0]["pending"] == 0, seconds=30)
