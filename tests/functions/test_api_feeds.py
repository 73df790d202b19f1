"""Outgoing calendars over HTTP: opened, read, compared, rotated and forgotten."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from icalendar import Calendar

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.documents import write_time
from bokit.http.conditional import is_known, write_http_date
from tests.support.caller import OTHER, Answer, ApiApp, Caller
from tests.support.rows_app import CallCounter
from tests.support.terminal import AUGUST, JULY, URL, a_feed, an_event

OLD = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture
def unit(app: ApiApp) -> str:
    """A flat whose Airbnb feed has guests in July and August."""
    ids = app.furnish()
    app.sync()
    return ids["unit"]


def open_calendar(caller: Caller, unit: str, **body: Any) -> dict[str, Any]:
    """Open a calendar; return its document."""
    doc: dict[str, Any] = caller.post(f"/units/{unit}/calendars", body)
    return doc


def path_of(calendar: dict[str, Any]) -> str:
    """Return the path of a calendar's address."""
    return str(calendar["url"]).removeprefix("https://api.example")


def read(caller: Caller, calendar: dict[str, Any], method: str = "GET", **headers: str) -> Answer:
    """Read a calendar, as a platform does: without a token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.ask(method, path_of(calendar), headers=named, authorizer=None)


# ── reading ──


def test_a_calendar_is_read_by_anyone_who_knows_its_path(caller, unit):
    """Text, as RFC 5545 has it, for readers and not for search engines or shared caches."""
    answer = read(caller, open_calendar(caller, unit))

    assert answer.status == 200
    assert len(Calendar.from_ical(answer.text).events) == 2
    assert answer.headers == {
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Disposition": 'inline; filename="calendar.ics"',
        "ETag": answer.headers["ETag"],
        "Last-Modified": "Mon, 01 Jun 2026 12:00:00 GMT",
    }


def test_what_is_known_is_answered_with_304(caller, unit):
    """Its ETag, strong or weak, alone or in a list, or any: no body, and the headers that RFC 9110 asks for."""
    calendar = open_calendar(caller, unit)
    etag = read(caller, calendar).headers["ETag"]

    for etags in (etag, f"W/{etag}", f'"x", {etag}', f'"a,b" ,W/{etag},"c"', "*", " * "):
        answer = read(caller, calendar, If_None_Match=etags)
        assert (answer.status, answer.text, answer.headers["ETag"]) == (304, "", etag), etags
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Content-Type" not in answer.headers
    for etags in ('"x"', etag.strip('"'), "", etag[:-1], f"x{etag}"):
        assert read(caller, calendar, If_None_Match=etags).status == 200, etags


def test_a_date_is_compared_where_no_etag_is_sent(caller, unit, app):
    """If-Modified-Since is asked where If-None-Match is left out, and ignored where it is not a date."""
    calendar = open_calendar(caller, unit)
    modified = read(caller, calendar).headers["Last-Modified"]

    assert read(caller, calendar, If_Modified_Since=modified).status == 304
    assert read(caller, calendar, If_Modified_Since=OLD).status == 200
    assert read(caller, calendar, If_Modified_Since="yesterday").status == 200
    assert read(caller, calendar, If_Modified_Since=modified, If_None_Match='"x"').status == 200
    caller.post("/bookings", {"unit_id": unit, "check_in": "2026-09-01", "check_out": "2026-09-03"})
    assert read(caller, calendar, If_Modified_Since=modified).status == 200
    assert parsedate_to_datetime(read(caller, calendar).headers["Last-Modified"]) <= app.clock()


def test_head_returns_all_but_the_bytes(caller, unit):
    """The same status and headers as GET, and no body; 304 and 404 too."""
    calendar = open_calendar(caller, unit)
    got, looked = read(caller, calendar), read(caller, calendar, "HEAD")

    assert (looked.status, looked.headers, looked.text) == (200, got.headers, "")
    assert read(caller, calendar, "HEAD", If_None_Match=got.headers["ETag"]).status == 304
    assert caller.ask("HEAD", "/feeds/none.ics", authorizer=None).status == 404


def test_an_unchanged_calendar_keeps_its_etag(caller, unit, app):
    """After syncs that say nothing new, a tenth reading, and another day."""
    calendar = open_calendar(caller, unit, **{"for": "vrbo"})
    etag = read(caller, calendar).headers["ETag"]
    for _ in range(3):
        app.move(hours=9)
        app.sync()

    assert read(caller, calendar).headers["ETag"] == etag
    app.shelf.bodies[URL] = a_feed(JULY, AUGUST, an_event(3, "2026-09-01", "2026-09-04"))
    app.move(hours=2)
    app.sync()
    assert read(caller, calendar).headers["ETag"] != etag


def test_every_wrong_path_is_the_same_404_by_the_same_read(caller, unit, app, monkeypatch):
    """Invented, malformed, rotated away, removed: one read, one answer; another tenant's path is another's alone."""
    theirs = caller.as_(tenant=OTHER)
    gone = open_calendar(caller, unit, **{"for": "vrbo"})
    caller.ask("DELETE", f"/calendars/{gone['id']}")
    rotated = open_calendar(caller, unit)
    caller.post(f"/calendars/{rotated['id']}/rotate", {"overlap_seconds": 0}, status=200)
    app.sent()
    counting = CallCounter(app.store)
    monkeypatch.setattr(app.bokit.feeds, "store", counting)
    answers = set()

    for path in (
        path_of(gone),
        path_of(rotated),
        "/feeds/" + "A" * 43 + ".ics",
        "/feeds/x.ics",
        "/feeds/%2e%2e.ics",
        f"/feeds/{unit}.ics",
        "/feeds/" + "x" * 3000 + ".ics",
    ):
        counting.calls.clear()
        answer = theirs.ask("GET", path, authorizer=None)
        answers.add((answer.status, answer.text))
        assert counting.calls == ["find_published"], path

    assert [status for status, _ in answers] == [404]


def test_a_reader_wakes_the_calendars_own_tenant(caller, app):
    """A platform's request checks the schedule of the calendar's tenant, and of none for a wrong path."""
    theirs = caller.as_(tenant=OTHER)
    unit = app.furnish(theirs, "https://8.8.8.8/other.ics")["unit"]
    app.furnish()
    calendar = open_calendar(theirs, unit)
    app.sent()
    app.move(hours=1)

    assert caller.ask("GET", "/feeds/none.ics", authorizer=None).status == 404
    assert app.sent() == 0
    assert read(caller, calendar).status == 200
    assert app.sent() == 1


def test_the_functions_log_holds_no_path(caller, unit, capsys):
    """A path is a secret: served, refused or unknown, no line of the log shows it."""
    calendar = open_calendar(caller, unit)
    for path in (path_of(calendar), path_of(calendar)[:-5] + "x.ics"):
        caller.ask("GET", path, authorizer=None)
    captured = capsys.readouterr()

    assert path_of(calendar)[7:40] not in captured.out + captured.err


# ── looking after them ──


def test_operators_see_addresses_and_viewers_that_there_are_calendars(caller, unit):
    """A url is a secret; the list, one calendar and its rotation show it to those who may know it."""
    made = open_calendar(caller.as_("operator"), unit, **{"for": "airbnb"}, variant="bookings", details=True)
    seen = caller.as_("viewer").get(f"/units/{unit}/calendars")["items"]

    assert seen == [{**made, "url": None}]
    assert caller.as_("viewer").get(f"/calendars/{made['id']}")["url"] is None
    assert caller.as_("operator").get(f"/calendars/{made['id']}") == made
    assert (made["for"], made["variant"], made["details"], made["unit_id"]) == ("airbnb", "bookings", True, unit)


def test_a_calendar_says_when_it_was_last_read(caller, unit, app):
    """Never, at first; a read under the former address counts as well."""
    made = open_calendar(caller, unit)
    read(caller, made)
    first = app.clock()
    current = caller.post(f"/calendars/{made['id']}/rotate", status=200)
    app.move(hours=5)

    assert made["last_read_at"] is None
    assert current["last_read_at"] == write_time(first)
    read(caller, made)
    (later,) = caller.as_("viewer").get(f"/units/{unit}/calendars")["items"]
    assert later["last_read_at"] == write_time(app.clock())


def test_a_rotated_address_works_for_its_overlap(caller, unit, app):
    """Both read the same for as long as was asked for; then the former is unknown."""
    former = open_calendar(caller, unit)
    current = caller.post(f"/calendars/{former['id']}/rotate", {"overlap_seconds": 3600}, status=200)

    assert current["url"] != former["url"]
    assert read(caller, former).text == read(caller, current).text
    app.move(seconds=3601)
    assert (read(caller, former).status, read(caller, current).status) == (404, 200)


def test_a_calendar_is_opened_once_and_forgotten(caller, unit):
    """Asked twice, it is the same; deleted, it is unknown, and so is its address."""
    first, again = open_calendar(caller, unit), open_calendar(caller, unit)

    assert first == again
    assert caller.ask("DELETE", f"/calendars/{first['id']}").status == 204
    assert caller.ask("GET", f"/calendars/{first['id']}").code == "not-found"
    assert read(caller, first).status == 404
    assert caller.get(f"/units/{unit}/calendars")["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"for": "nobody"}, "for"),
        ({"variant": "x"}, "variant"),
        ({"details": 1}, "details"),
        ({"consumer": "airbnb"}, "consumer"),
    ],
)
def test_a_wrong_calendar_is_refused_by_field(caller, unit, body, field):
    """422, and which field."""
    answer = caller.ask("POST", f"/units/{unit}/calendars", body)

    assert answer.status == 422
    assert [error["field"] for error in answer.doc["errors"]] == [field]


def test_an_option_reaches_every_calendar(caller, unit):
    """Anonymous by default; with the option off, guests are named at once, but for calendars that say otherwise."""
    caller.post("/bookings", {"unit_id": unit, "check_in": "2026-09-01", "check_out": "2026-09-03", "guest_name": "Ann Meyer"})
    plain, never = open_calendar(caller, unit), open_calendar(caller, unit, details=False)
    assert "Ann Meyer" not in read(caller, plain).text

    caller.ask("PUT", "/options/export.anonymous", {"value": False})

    assert "Ann Meyer" in read(caller, plain).text
    assert "Ann Meyer" not in read(caller, never).text


def test_the_stacks_secret_may_be_gone(app, caller, unit, monkeypatch):
    """Calendars are read without it; who wants an address learns that the stack lacks something, and no more."""
    calendar = open_calendar(caller, unit)
    monkeypatch.setattr(app.bokit.calendars, "parts", app.bokit.calendars.parts.__class__(store=app.store, clock=app.clock))

    assert read(caller, calendar).status == 200
    assert caller.as_("viewer").get(f"/units/{unit}/calendars")["items"][0]["url"] is None
    assert caller.ask("GET", f"/calendars/{calendar['id']}").status == 500


# ── conditions ──


def test_a_condition_is_judged_as_rfc_9110_says():
    """The ETag first; a date only where none is sent; to the second."""
    at = datetime(2026, 6, 1, 12, 0, 0, 700_000, tzinfo=UTC)
    before, after = at - timedelta(seconds=1), at + timedelta(seconds=1)

    def known(none_match: str | None = None, modified_since: str | None = None) -> bool:
        return is_known('"a"', at, none_match=none_match, modified_since=modified_since)

    assert not known()
    assert known('"a"')
    assert not known('"b"', write_http_date(after))
    assert not known("", write_http_date(after))
    assert known(None, write_http_date(at))
    assert not known(None, write_http_date(before))
    assert known(None, write_http_date(after))
    for no_date in ("", "x", "Mon, 01 Jun 2026 12:00:00", "32 Foo 99999 99:99:99 GMT", "0"):
        assert not known(None, no_date)


def test_the_default_tenants_calendar_is_nobody_elses(app, caller, unit):
    """Ids of a calendar and of a unit say nothing to another tenant."""
    calendar, theirs = open_calendar(caller, unit), caller.as_(tenant=OTHER)

    for method, path in (
        ("GET", f"/units/{unit}/calendars"),
        ("POST", f"/units/{unit}/calendars"),
        ("GET", f"/calendars/{calendar['id']}"),
        ("POST", f"/calendars/{calendar['id']}/rotate"),
        ("DELETE", f"/calendars/{calendar['id']}"),
    ):
        assert theirs.ask(method, path).code == "not-found"
    assert len(app.bokit.calendars.list_calendars(DEFAULT_TENANT)) == 1
    assert read(caller, calendar).status == 200


# ── who reads it ──


def test_readers_are_known_by_their_user_agent(caller, unit, app):
    """The kind, the last read and the usual interval, once four reads are known; nothing that the reader sent."""
    calendar = open_calendar(caller, unit, **{"for": "vrbo"})
    for _ in range(4):
        read(caller, calendar, User_Agent="Airbnb/1.0 <script>")
        last_read_at = write_time(app.clock())
        app.clock.move(hours=3)
    read(caller, calendar, User_Agent="Mozilla/5.0 (X11) Gecko/20100101 Firefox/128.0")

    doc = caller.get(f"/calendars/{calendar['id']}")
    assert doc["readers"] == [
        {"kind": "airbnb", "last_read_at": last_read_at, "usual_interval_s": 10_800, "unread": False},
        {"kind": "browser", "last_read_at": doc["last_read_at"], "usual_interval_s": None, "unread": False},
    ]
    assert caller.get("/sync/status")["unread"] == []

    app.clock.move(hours=6, minutes=1)
    app.bokit.tick()

    (found,) = caller.get("/sync/status")["unread"]
    assert (found["calendar_id"], found["kind"], found["name"], found["usual_interval_s"]) == (
        calendar["id"],
        "airbnb",
        "Airbnb",
        10_800,
    )


# ── one's own website ──


def test_a_website_reads_taken_nights(caller, unit):
    """JSON for any website's script, with an ETag that a browser sends again: 304 while nothing is new."""
    calendar = open_calendar(caller, unit)
    path = path_of(calendar).replace(".ics", ".json")
    assert calendar["availability_url"] == f"https://api.example{path}"

    answer = caller.ask("GET", path, authorizer=None)

    assert answer.status == 200
    assert set(json.loads(answer.text)) == {"unit", "as_of", "taken"}
    assert len(json.loads(answer.text)["taken"]) == 2
    assert answer.headers == {
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Content-Type": "application/json",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Date, ETag",
        "ETag": answer.headers["ETag"],
    }
    again = caller.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]}, authorizer=None)
    assert (again.status, again.text, again.headers["Access-Control-Allow-Origin"]) == (304, "", "*")
    head = caller.ask("HEAD", path, authorizer=None)
    assert (head.status, head.text, head.headers["ETag"]) == (200, "", answer.headers["ETag"])


def test_taken_nights_name_no_guest_and_hide_with_the_calendar(caller, unit):
    """Neither guests nor texts; unknown, removed and naming paths are 404 alike; other methods 405."""
    calendar = open_calendar(caller, unit)
    path = path_of(calendar).replace(".ics", ".json")
    text = caller.ask("GET", path, authorizer=None).text
    assert not any(word in text for word in ("Reserved", "summary", "guest", "HM", "airbnb"))
    assert caller.ask("POST", path, authorizer=None).status == 405

    named = open_calendar(caller, unit, details=True)
    assert named["availability_url"] is None
    assert caller.ask("DELETE", f"/calendars/{calendar['id']}").status == 204
    for hidden in (path, path_of(named).replace(".ics", ".json"), "/feeds/invented.json"):
        answer = caller.ask("GET", hidden, authorizer=None)
        assert (answer.status, json.loads(answer.text)["code"]) == (404, "not-found")
