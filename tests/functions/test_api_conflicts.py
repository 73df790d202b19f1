"""Bookings by hand, the conflicts that they make, and who holds a night, over HTTP."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.support.caller import ApiApp, Caller
from tests.support.terminal import JULY, UID, URL, a_feed, an_event

VRBO = "https://8.8.8.8/vrbo.ics"


@pytest.fixture
def unit(app: ApiApp) -> str:
    """A flat with guests from 10 to 14 July and 1 to 8 August."""
    ids = app.furnish()
    app.sync()
    return ids["unit"]


def book(caller: Caller, unit: str, check_in: str, check_out: str, **values: Any) -> dict[str, Any]:
    """Write a booking by hand."""
    doc: dict[str, Any] = caller.post("/bookings", {"unit_id": unit, "check_in": check_in, "check_out": check_out, **values})
    return doc


def test_a_booking_by_hand_returns_its_conflicts(caller, unit):
    """A double one is stored, and reported with the night and both bookings; one from departure to arrival is none."""
    double = book(caller, unit, "2026-07-13", "2026-07-15", guest_name="Ann Meyer")
    free = book(caller, unit, "2026-07-15", "2026-07-18", kind="block", notes="painter")
    (conflict,) = double["conflicts"]

    assert conflict["nights"] == ["2026-07-13"]
    assert double["id"] in conflict["bookings"]
    assert (double["kind"], double["status"], double["blocks_nights"], double["state"]) == (
        "reservation",
        "confirmed",
        True,
        "own",
    )
    assert (free["kind"], free["conflicts"], free["source_id"]) == ("block", [], None)
    assert caller.get(f"/bookings/{double['id']}")["conflicts"] == [conflict]
    assert caller.get("/conflicts")["items"] == [conflict] == caller.get("/conflicts", unit_id=unit)["items"]
    assert caller.get(f"/conflicts/{conflict['id']}") == conflict


def test_an_edit_returns_what_becomes_of_the_conflict(caller, unit):
    """Moved away, it has none; moved back, it has it again; a closed one is shown where all are asked for."""
    made = book(caller, unit, "2026-07-13", "2026-07-15")
    path = f"/bookings/{made['id']}"
    away = caller.ask("PATCH", path, {"check_in": "2026-07-14"}).doc
    closed = caller.get("/conflicts", all="true")["items"]

    assert away["conflicts"] == []
    assert caller.get("/conflicts")["items"] == []
    assert [c["status"] for c in closed] == ["closed"]
    assert caller.ask("PATCH", path, {"check_in": "2026-07-12"}).doc["conflicts"][0]["nights"] == ["2026-07-12", "2026-07-13"]


def test_an_acknowledged_conflict_is_quiet(caller, unit):
    """It says who knows of it; a closed one is not acknowledged."""
    made = book(caller, unit, "2026-07-13", "2026-07-15")
    path = f"/conflicts/{made['conflicts'][0]['id']}"

    acknowledged = caller.post(f"{path}/acknowledge", status=200)
    assert (acknowledged["status"], acknowledged["acknowledged_by"]) == ("acknowledged", "token:tok_tests")
    assert caller.get(path) == acknowledged
    caller.ask("PATCH", f"/bookings/{made['id']}", {"status": "cancelled"})
    refused = caller.ask("POST", f"{path}/acknowledge")
    assert (refused.status, refused.code) == (409, "closed")


def test_a_night_is_explained(caller, unit):
    """The booking that holds it, its source, since when, who edited it, and why; a free night has none."""
    booking = caller.get("/bookings")["items"][0]
    caller.ask("PATCH", f"/bookings/{booking['id']}", {"check_out": "2026-07-16"})

    (held,) = caller.get("/bookings/explain", unit_id=unit, date="2026-07-15")["items"]
    (free,) = caller.get("/bookings/explain", date="2026-07-20")["items"]

    assert (held["held"], held["night"], held["unit"]) == (True, "2026-07-15", "Garden flat")
    assert [(b["id"], b["edited_by"]) for b in held["by"]] == [(booking["id"], ["token:tok_tests"])]
    assert [(b["reasons"], b["why"]) for b in held["by"]] == [(["dates"], ["its dates hold the night"])]
    assert [source["uid"] for source in held["by"][0]["sources"]] == [UID.format(1)]
    assert (free["held"], free["by"]) == (False, [])
    (feed,) = free["feeds"]
    assert (feed["says"], feed["state"], feed["shows_until"]) == ("free", "ok", "2026-08-08")
    assert held["feeds"] == [{**feed, "says": "free"}]  # of a night that a person's edit alone holds


@pytest.mark.parametrize("query", [{}, {"date": "x"}, {"date": "2026-02-30"}])
def test_a_night_is_a_day_of_the_calendar(caller, unit, query):
    """422 for what is none, and where it is left out."""
    answer = caller.ask("GET", "/bookings/explain", query=query)

    assert answer.status == 422
    assert answer.doc["errors"][0]["field"] == "date"


def test_one_reservation_through_two_sources_is_one_booking(caller, app, unit):
    """It is listed once, with both sources; each source's record leads to it, and to its own log."""
    app.shelf.bodies[VRBO] = a_feed(an_event(7, "2026-07-10", "2026-07-14", "HMABCDEF12"))
    caller.post("/sources", {"name": "Manager", "unit_id": unit, "url": VRBO})
    app.sync()

    found = [b for b in caller.get("/bookings")["items"] if b["check_in"] == "2026-07-10"]

    assert len(found) == 1
    assert len(found[0]["sources"]) == 2
    for source in found[0]["sources"]:
        assert caller.get(f"/bookings/{source['booking_id']}")["id"] == found[0]["id"]
        assert caller.get(f"/bookings/{source['booking_id']}/changes")["items"]
    assert caller.get("/conflicts")["items"] == []


def test_an_echo_says_what_it_repeats(caller, app, unit):
    """A closure of another source over the same nights is listed as an echo, and is not a conflict."""
    app.shelf.bodies[VRBO] = a_feed(an_event(8, "2026-07-10", "2026-07-14", summary="Airbnb (Not available)"))
    caller.post("/sources", {"name": "VRBO", "unit_id": unit, "url": VRBO})
    app.sync()
    found = {b["kind"]: b for b in caller.get("/bookings", until="2026-07-20")["items"]}

    assert found["block"]["state"] == "echo"
    assert found["block"]["echo_of"] == [found["reservation"]["id"]]
    assert found["reservation"]["echoes"] == [found["block"]["id"]]
    assert caller.get("/conflicts")["items"] == []


def test_windows_are_listed_where_they_are_asked_for(caller, app):
    """They hold nights and are no bookings; each record that holds a night can be found."""
    ids = app.furnish()
    app.shelf.bodies[URL] = a_feed(JULY, an_event(9, "2026-12-01", "2027-06-01", summary="Airbnb (Not available)"))
    app.sync()
    listed = caller.get("/bookings", kind="reservation,block,window", unit_id=ids["unit"])["items"]
    stored = app.store.load_records("default", "bookings", ids["unit"])

    assert {b["id"] for b in listed} == {r.id for r in stored}
    for booking in listed:
        assert caller.get(f"/bookings/{booking['id']}")["id"] == booking["id"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"check_in": None}, "check_in"),
        ({"check_out": "2026-07-13"}, "check_out"),
        ({"check_out": "2026-07-10"}, "check_out"),
        ({"kind": "window"}, "kind"),
        ({"status": "nope"}, "status"),
        ({"guests": -1}, "guests"),
        ({"colour": "red"}, "colour"),
        ({"check_out": "2036-01-01"}, "check_out"),
        ({"check_in": "2026-02-30"}, "check_in"),
    ],
)
def test_a_wrong_booking_is_refused_by_field(caller, unit, values, field):
    """422, which field, and nothing is written."""
    before = caller.get("/bookings")
    answer = caller.ask("POST", "/bookings", {"unit_id": unit, "check_in": "2026-07-13", "check_out": "2026-07-15"} | values)

    assert answer.status == 422
    assert field in {error["field"] for error in answer.doc["errors"]}
    assert caller.get("/bookings") == before


def test_a_booking_is_made_in_a_unit_that_there_is(caller, unit):
    """404 for another, and for a filter by one."""
    made = caller.ask("POST", "/bookings", {"unit_id": "none", "check_in": "2026-07-13", "check_out": "2026-07-15"})

    assert (made.status, made.code) == (404, "not-found")
    assert caller.ask("GET", "/conflicts", query={"unit_id": "none"}).code == "not-found"
    assert caller.ask("GET", "/bookings/explain", query={"unit_id": "none", "date": "2026-07-13"}).code == "not-found"


def test_conflicts_come_in_pages(caller, unit):
    """In the order of their nights, each once."""
    for day in (1, 3, 5, 7):
        for _ in range(2):
            book(caller, unit, f"2026-09-0{day}", f"2026-09-0{day + 1}")

    assert [c["nights"] for c in caller.every("/conflicts", limit=2)] == [[f"2026-09-0{day}"] for day in (1, 3, 5, 7)]


def guests(*stays: tuple[str, str, int]) -> bytes:
    """Return Airbnb's calendar with so many guests of the same nights."""
    total, events = 0, []
    for first, end, many in stays:
        codes = ["HM" + "".join("ABCDEFGHIJ"[int(d)] for d in f"{n:08d}") for n in range(total, total + many)]
        events += [an_event(n, first, end, code).replace("-01234", f"-{n:05d}") for n, code in enumerate(codes, total)]
        total += many
    return a_feed(*events)


def test_three_hundred_guests_of_one_night_are_one_conflict_and_one_notice(caller, app, unit):
    """44,850 pairs of them: the list has one conflict that names all, in one page; the next sync says nothing."""
    app.shelf.bodies[VRBO] = guests(("2026-07-12", "2026-07-13", 300))
    caller.post("/sources", {"name": "Evil", "unit_id": unit, "url": VRBO})
    for _ in range(2):
        app.sync()
        app.move(hours=1)

    (conflict,) = caller.get("/conflicts")["items"]

    assert (conflict["nights"], conflict["certainty"]) == (["2026-07-12"], "certain")
    assert len(set(conflict["bookings"])) == 301
    assert conflict["first"] == conflict["bookings"][0]
    (notice,) = (n for n in app.alerts.notices.values() if n.type.startswith("conflict"))
    assert "301 bookings hold 1 night from 2026-07-12" in notice.text


def test_a_room_type_of_five_rooms_makes_one_notice_a_run(caller, app, unit):
    """25 nights with five guests each: one notice that names 20 by date, and says how many there are; the list has all."""
    nights = [f"2026-09-{day:02d}" for day in range(1, 27)]
    app.shelf.bodies[VRBO] = guests(*((first, end, 5) for first, end in pairwise(nights)))
    caller.post("/sources", {"name": "Rooms", "unit_id": unit, "url": VRBO})
    app.sync()

    found = caller.every("/conflicts", limit=10)
    (notice,) = (n for n in app.alerts.notices.values() if n.type.startswith("conflict"))

    assert [c["nights"] for c in found] == [[night] for night in nights[:-1]]
    assert {len(c["bookings"]) for c in found} == {5}
    assert notice.text.startswith("25 conflicts: 25 opened. Garden flat, 1 night from 2026-09-01: 5 bookings, certain; ")
    assert "from 2026-09-20" in notice.text
    assert "from 2026-09-21" not in notice.text
    assert "; and 5 more. " in notice.text
    assert notice.facts["conflict_ids"] == [c["id"] for c in found[:20]]
    assert (notice.facts["opened"], notice.facts["closed"]) == (25, 0)


SEVERAL_ROOMS = "this feed lists several rooms; give each room its own address"


def test_a_feed_of_several_rooms_is_shown_as_such(caller, app, unit):
    """In the preview, in the run, in the source and in the status, until the feed lists one room."""
    rooms = guests(("2026-09-01", "2026-09-04", 5))
    app.shelf.bodies[VRBO] = rooms
    values = {"name": "Rooms", "unit_id": unit, "url": VRBO}
    (problem,) = caller.ask("POST", "/sources", values, query={"preview": "true"}).doc["problems"]
    made = caller.post("/sources", values)
    app.sync()

    def advice():
        (status,) = (s for s in caller.get("/sync/status")["sources"] if s["source_id"] == made["id"])
        return caller.get(f"/sources/{made['id']}")["advice"], status["advice"]

    assert problem["code"] == "several-rooms"
    assert problem["message"] == f"{SEVERAL_ROOMS} (5 reservations on the night of 2026-09-01)"
    reports = [report for run in caller.get("/sync/history")["items"] for report in run["sources"]]
    assert [p["code"] for report in reports for p in report.get("problems", [])] == ["several-rooms"]
    assert advice() == (problem["message"], problem["message"])
    app.move(hours=1)
    app.shelf.bodies[VRBO] = b"<html>"
    app.sync()
    assert advice() == (problem["message"], problem["message"]), "what cannot be read says nothing of it"
    app.move(hours=1)
    app.shelf.bodies[VRBO] = guests(("2026-09-01", "2026-09-04", 1))
    app.sync()
    assert advice() == (None, None)


ROOM = "https://8.8.8.8/booking.ics"


def a_room(*stays: tuple[str, str]) -> bytes:
    """Return a calendar as Booking.com shows it: a UID is made of the first night."""
    events = (
        f"BEGIN:VEVENT\r\nUID:{'ab' * 12}{first}@booking.com\r\nDTSTART;VALUE=DATE:{first}\r\nDTEND;VALUE=DATE:{end}\r\n"
        "SUMMARY:CLOSED - Not available\r\nEND:VEVENT\r\n"
        for first, end in stays
    )
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//admin.booking.com\\, b.v.//NONSGML v1.0//EN\r\n"
    return (head + "".join(events) + "END:VCALENDAR\r\n").encode()


@pytest.mark.parametrize("values", [{"confirm": None}, {"notes": "still Anna"}])
def test_a_booking_that_may_be_another_guests_asks_until_a_person_confirms(app, caller, values):
    """The departure changed, and nights alone say that it is the same booking."""
    app.shelf.bodies[ROOM] = a_room(("20260710", "20260720"), ("20260801", "20260808"))
    app.furnish(url=ROOM)
    app.sync()
    path = f"/bookings/{caller.get('/bookings')['items'][0]['id']}"
    assert caller.get(path)["confirm"] is None
    caller.ask("PATCH", path, {"guest_name": "Anna"})

    app.shelf.bodies[ROOM] = a_room(("20260710", "20260717"), ("20260801", "20260808"))
    caller.post("/sync/trigger", {"force": True}, status=202)
    app.work()

    assert caller.get(path)["confirm"] == "may be another guest"
    assert caller.get("/bookings")["items"][0]["confirm"] == "may be another guest"
    refused = caller.ask("PATCH", path, {"confirm": "yes"})
    assert refused.status in (400, 422)
    assert caller.ask("PATCH", path, values).doc["confirm"] is None
    assert caller.get(path)["guest_name"] == "Anna"
