"""Two hosts' stories on the deployed stack.

A guest extends: cleaning, door code and website follow. A feed is empty, then has other UIDs: the code stays. Airbnb no
longer reads our calendar: the host is notified. A guest asks to be forgotten, while the feed still shows the guest.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from icalendar import Calendar

from bokit.core.model.access import hash_token
from bokit.core.model.readers import Reader, next_check
from bokit.store.published_protocol import ReadersChange
from tests.support.api_client import Client
from tests.support.deployed import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]
ARRIVAL = datetime.now(UTC).date() + timedelta(days=40)
GUEST = "Ann Sentinel-Meyer"


class Channel:
    """A channel's feed on loopback; it shows the stays that it is given, each a UID, its nights and its guest."""

    def __init__(self) -> None:
        self.stays: list[tuple[str, date, date, str]] = []
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = channel.body()
                self.send_response(200)
                self.send_header("Content-Type", "text/calendar; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the feed is."""
        return f"http://127.0.0.1:{self.server.server_port}/house.ics"

    def body(self) -> bytes:
        """Return the feed as it is now."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tests//Channel//EN"]
        for uid, first, end, guest in self.stays:
            lines += ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART;VALUE=DATE:{first:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}"]
            lines += [f"SUMMARY:{guest}", "END:VEVENT"]
        return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


@pytest.fixture
def channel() -> Iterator[Channel]:
    """A feed that is gone after the test."""
    made = Channel()
    yield made
    made.server.shutdown()
    made.server.server_close()


def sync(client: Client) -> Any:
    """Sync all sources of the tenant; return the run."""
    return client.follow(client.ask("POST", "/sync/trigger", {})[1]["run_id"])


def furnish(client: Client, channel: Channel, days: int = 3) -> tuple[str, str]:
    """Declare a flat with codes, fed by *channel* with one stay of so many days; return the unit's and the booking's id."""
    assert client.ask("PUT", "/options/access.codes", {"value": True})[0] == 200
    source = client.furnish(channel.url)
    unit = client.get(f"/sources/{source}")["unit_id"]
    channel.stays = [("one@channel.example", ARRIVAL, ARRIVAL + timedelta(days=days), GUEST)]
    sync(client)
    (booking,) = client.get(f"/bookings?unit_id={unit}")["items"]
    return unit, booking["id"]


def test_a_code_and_the_website_follow_a_guest_whatever_the_feed_does(client: Client, channel: Channel) -> None:
    """Extended, absent from an empty feed, and under another UID: one stay with one code, and its nights taken."""
    unit, booking = furnish(client, channel)
    calendar = client.ask("POST", f"/units/{unit}/calendars", {"for": "airbnb"})[1]
    code = client.get(f"/bookings/{booking}/access")

    longer = ARRIVAL + timedelta(days=5)
    channel.stays = [("one@channel.example", ARRIVAL, longer, GUEST)]
    sync(client)
    moved = client.get(f"/bookings/{booking}/access")
    assert (moved["code"], moved["valid_from"]) == (code["code"], code["valid_from"])
    assert moved["valid_until"][:10] == longer.isoformat()
    (turnover,) = client.get(f"/turnovers?unit_id={unit}&from={ARRIVAL}&until={longer + timedelta(days=1)}")["items"]
    assert (turnover["leaves"], turnover["date"]) == (booking, longer.isoformat())
    taken = [{"from": ARRIVAL.isoformat(), "to": longer.isoformat()}]
    assert read_json(calendar["availability_url"])["taken"] == taken

    channel.stays = []
    sync(client)
    assert client.get("/sync/status")["sources"][0]["state"] == "held"
    assert client.get(f"/bookings/{booking}/access") == moved
    assert read_json(calendar["availability_url"])["taken"] == taken

    channel.stays = [("renamed@channel.example", ARRIVAL, longer, GUEST)]
    sync(client)
    assert client.get(f"/bookings/{booking}/access") == moved
    assert [b["id"] for b in client.get(f"/bookings?unit_id={unit}")["items"]] == [booking]
    assert read_json(calendar["availability_url"])["taken"] == taken


def test_airbnb_stops_reading_and_the_host_is_notified(client: Client, channel: Channel) -> None:
    """After days of reads every three hours, none for ten: an event, and a line of the status, by the schedule alone."""
    unit, _ = furnish(client, channel)
    calendar = client.ask("POST", f"/units/{unit}/calendars", {"for": "airbnb"})[1]
    since = client.get("/events")["seq"]
    read_json(calendar["url"], "Airbnb/1.0 (calendar import)", is_calendar=True)
    listed = wait_until(lambda: client.get(f"/units/{unit}/calendars")["items"][0]["readers"], 60)
    assert [(reader["kind"], reader["usual_interval_s"]) for reader in listed] == [("airbnb", None)]

    let_days_pass(client, calendar["url"], timedelta(hours=3), ago=timedelta(hours=10))

    (event,) = wait_until(
        lambda: [e for e in client.get(f"/events?since={since}")["items"] if e["type"] == "calendar.unread"], 120
    )
    assert (event["data"]["unit_id"], event["data"]["kind"]) == (unit, "airbnb")
    assert client.get(f"/units/{unit}/calendars")["items"][0]["readers"][0]["usual_interval_s"] == 3 * 3600


def test_a_guest_who_asked_is_forgotten_while_the_feed_still_shows_them(client: Client, channel: Channel) -> None:
    """Nothing of the table names the guest, before and after another sync; nights, booking and code are as before."""
    unit, booking = furnish(client, channel)
    code = client.get(f"/bookings/{booking}/access")
    assert client.ask("PATCH", f"/bookings/{booking}", {"notes": f"{GUEST} comes late"})[0] == 200
    assert GUEST in json.dumps(client.get(f"/bookings/{booking}"))

    found = [item["id"] for item in client.ask("POST", "/guests/find", {"who": GUEST})[1]["items"]]
    status, asked = client.ask("POST", "/guests/erase", {"bookings": found})
    assert (found, status, asked["code"]) == ([booking], 409, "not-confirmed")
    assert client.ask("POST", "/guests/erase", {"bookings": found, "plan": asked["plan"]})[0] == 200

    for _ in range(2):
        assert GUEST not in json.dumps(client.get(f"/bookings/{booking}"))
        assert client.ask("POST", "/guests/find", {"who": GUEST})[1]["items"] == []
        sync(client)
    (same,) = client.get(f"/bookings?unit_id={unit}")["items"]
    assert (same["id"], same["check_in"]) == (booking, ARRIVAL.isoformat())
    assert client.get(f"/bookings/{booking}/access") == code


def let_days_pass(client: Client, url: str, interval: timedelta, ago: timedelta) -> None:
    """Make the reader of a calendar one that read it at this interval, the last time so long ago."""
    store = client.deployed.store
    page = store.find_published(hash_token(url.rpartition("/")[2].removesuffix(".ics")))
    assert page
    reader = Reader(kind="airbnb", read_at=datetime.now(UTC) - ago, gaps=(int(interval.total_seconds()),) * 8)
    assert store.save_readers(page.hash, ReadersChange(before=page.readers, after=(reader,), due_at=next_check((reader,))))


def read_json(url: str, agent: str = "Mozilla/5.0 (X11) Firefox/140.0", *, is_calendar: bool = False) -> Any:
    """Read an outgoing calendar, or its taken nights, as *agent*."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": agent}), timeout=60) as answer:  # noqa: S310 - our own
        body = answer.read()
    return body if is_calendar else json.loads(body)


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
