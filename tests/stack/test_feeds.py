"""Outgoing calendars on the deployed stack: created over the API, read through the gateway."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from icalendar import Calendar

from tests.support.api_client import Client

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def read(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body of a calendar's response."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=sent)  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def test_a_calendar_is_made_read_compared_and_rotated(client: Client) -> None:
    """201 with a working address; 200, 304, HEAD; changes at once; 404 after a rotation without overlap."""
    home = client.ask("POST", "/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})[1]["id"]
    unit = client.ask("POST", "/units", {"name": "Garden flat", "property_id": home})[1]["id"]
    stay = {"unit_id": unit, "check_in": "2027-06-01", "check_out": "2027-06-05", "guest_name": "Ann Meyer"}
    assert client.ask("POST", "/bookings", stay)[0] == 201
    status, calendar = client.ask("POST", f"/units/{unit}/calendars", {"for": "airbnb"})
    assert (status, calendar["url"].startswith(client.deployed.api_url)) == (201, True)

    status, headers, body = read(calendar["url"])
    assert (status, headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert [e["DTSTART"].dt.isoformat() for e in Calendar.from_ical(body).events] == ["2027-06-01"]
    assert b"Ann Meyer" not in body
    assert read(calendar["url"], If_None_Match=headers["etag"])[0] == 304
    assert read(calendar["url"], If_Modified_Since=headers["last-modified"])[0] == 304
    status, head, empty = read(calendar["url"], "HEAD")
    assert (status, head["etag"], empty) == (200, headers["etag"], b"")

    double = client.ask("POST", "/bookings", {**stay, "check_in": "2027-06-04", "check_out": "2027-06-06"})[1]
    assert [c["nights"] for c in double["conflicts"]] == [["2027-06-04"]]
    assert [c["id"] for c in client.get("/conflicts")["items"]] == [double["conflicts"][0]["id"]]
    assert len(Calendar.from_ical(read(calendar["url"], If_None_Match=headers["etag"])[2]).events) == 2

    rotated = client.ask("POST", f"/calendars/{calendar['id']}/rotate", {"overlap_seconds": 0})[1]
    assert (read(calendar["url"])[0], read(rotated["url"])[0]) == (404, 200)
    assert read(calendar["url"].replace("/feeds/", "/feeds/x"))[0] == 404
