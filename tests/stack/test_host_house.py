"""A host's day on the deployed stack: a guest extends, and cleaning follows."""

from __future__ import annotations

import urllib.request
from datetime import datetime

import pytest
from icalendar import Calendar

from tests.support.api_client import Client

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_a_guest_extends_and_cleaning_follows(client: Client) -> None:
    """The turnover, the cleaner's calendar and its event move along; too little time is said, and no guest is named."""
    times = {"check_out_time": "10:00", "cleaning_minutes": 360}
    house = client.ask("POST", "/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome", **times})[1]["id"]
    unit = client.ask("POST", "/units", {"name": "Garden flat", "property_id": house})[1]["id"]
    stay = {"unit_id": unit, "check_in": "2027-06-01", "check_out": "2027-06-05", "guest_name": "Ann Meyer"}
    ann = client.ask("POST", "/bookings", stay)[1]["id"]
    eve = client.ask("POST", "/bookings", {**stay, "check_in": "2027-06-07", "check_out": "2027-06-09"})[1]["id"]
    url = client.ask("POST", f"/units/{unit}/calendars", {"variant": "turnovers"})[1]["url"]
    path = f"/turnovers?from=2027-06-01&until=2027-07-01&unit_id={unit}"

    first, last = client.get(path)["items"]
    assert (first["leaves"], first["arrives"], first["same_day"], first["warning"]) == (ann, eve, False, None)
    assert (first["from"], first["until"]) == ("2027-06-05T10:00:00+02:00", "2027-06-07T15:00:00+02:00")
    assert (last["leaves"], last["arrives"]) == (eve, None)
    before, after = read(url)
    assert before["DTSTART"].dt.isoformat() == "2027-06-05T08:00:00+00:00"

    assert client.ask("PATCH", f"/bookings/{ann}", {"check_out": "2027-06-07"})[0] == 200

    first, _ = client.get(path)["items"]
    assert (first["date"], first["same_day"], first["warning"]) == ("2027-06-07", True, "too-short")
    assert datetime.fromisoformat(first["until"]) > datetime.fromisoformat(first["from"])
    moved, same = read(url)
    assert (moved["UID"], moved["DTSTART"].dt.isoformat()) == (before["UID"], "2027-06-07T08:00:00+00:00")
    assert (same["UID"], same["DTSTART"].dt) == (after["UID"], after["DTSTART"].dt)


def read(url: str) -> list[Calendar]:
    """Return a calendar's events by time; it names nobody."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own
        body = answer.read()
    assert b"Ann Meyer" not in body
    return sorted(Calendar.from_ical(body).events, key=lambda event: event["DTSTART"].dt)
