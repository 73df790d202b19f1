"""Calendars as exporters in the field write them: which nights they hold, which labels they have, and what is only text."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bokit.core.ical.labels import Label, is_label, read_label
from bokit.core.ical.reader import ReadSettings, inspect_feed, read_ical
from bokit.core.model.source_rules import Seen, Verdict

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def calendar(*lines: str, prodid: str = "-//Example//EN", head: str = "") -> str:
    """Return a calendar of one event with these lines."""
    event = "\n".join(("BEGIN:VEVENT", "UID:a", *lines, "END:VEVENT"))
    return f"BEGIN:VCALENDAR\nPRODID:{prodid}\n{head}{event}\nEND:VCALENDAR\n"


def read(text: str, zone: str = "Europe/Rome", **settings: bool) -> Seen:
    return read_ical(text.encode(), ReadSettings(at=AT, timezone=ZoneInfo(zone), **settings))


def spans(seen: Seen) -> list[tuple[str, str]]:
    """Return the nights of each entry that blocks them, the year left out."""
    return [(f"{e.check_in:%m%d}", f"{e.check_out:%m%d}") for e in seen.entries if e.status != "cancelled"]


@pytest.mark.parametrize(
    ("zone", "start", "end", "nights"),
    [
        ("America/Denver", "20270310T000000Z", "20270313T000000Z", ("0310", "0313")),
        ("America/Denver", "20270310T000000Z", "20270312T235900Z", ("0310", "0313")),
        ("America/Denver", "20270310T230000Z", "20270313T170000Z", ("0310", "0313")),
        ("America/Los_Angeles", "20270110T000000Z", "20270113T190000Z", ("0109", "0113")),
        ("Europe/Rome", "20270309T230000Z", "20270312T230000Z", ("0310", "0313")),
        ("Europe/Lisbon", "20270310T000000", "20270312T235959", ("0310", "0313")),
        ("Europe/Lisbon", "20270310T000000", "20270313T110000", ("0310", "0313")),
        ("Europe/Lisbon", "20270310T150000", "20270313T203000", ("0310", "0313")),
        ("Europe/Lisbon", "20270310T150000", "20270312T213000", ("0310", "0313")),
        ("Europe/Lisbon", "20270310T190000", "20270310T233000", ("0310", "0311")),
        ("Europe/Lisbon", "2027-03-10T15:00:00+01:00", "2027-03-13T10:00+01:00", ("0310", "0313")),
        ("Asia/Tokyo", "20270310T233000-0500", "20270313T100000-0500", ("0311", "0314")),
    ],
)
def test_times_hold_the_nights_that_they_mean(zone, start, end, nights):
    seen = read(calendar(f"DTSTART:{start}", f"DTEND:{end}", "SUMMARY:Reserved"), zone)

    assert spans(seen) == [nights]
    assert seen.verdict is Verdict.OK


def test_whole_days_of_another_zone_are_the_dates_there():
    event = ("DTSTART;TZID=Europe/Berlin:20270310T000000", "DTEND;TZID=Europe/Berlin:20270313T000000")

    assert spans(read(calendar(*event), "America/New_York")) == [("0310", "0313")]


def test_a_late_end_is_noted():
    seen = read(calendar("DTSTART:20270310T150000", "DTEND:20270312T220000"))

    assert [p.code for p in seen.problems] == ["late-end"]
    assert [entry.extra for entry in seen.entries] == [{"late_end": True}]


@pytest.mark.parametrize("end", ["DTEND;VALUE=DATE:20270301", "DTEND:soon", "DURATION:-P2D", "DURATION:long"])
def test_an_impossible_end_costs_no_first_night(end):
    seen = read(calendar("DTSTART;VALUE=DATE:20270310", end))

    assert spans(seen) == [("0310", "0311")]
    assert seen.verdict is Verdict.PARTIAL


def test_an_event_without_an_end_mark_is_held():
    text = calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313", "BEGIN:VEVENT", "UID:b", "DTSTART:20270320")
    seen = read(text)

    assert spans(seen) == [("0310", "0313"), ("0320", "0321")]
    assert seen.verdict is Verdict.PARTIAL


def test_a_calendar_may_end_on_the_last_night():
    text = calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270310")

    assert [p.code for p in read(text).problems] == ["ends-on-its-start"]
    assert not read(text, ends_on_last_night=True).problems


def test_one_uid_on_different_nights_holds_all():
    later = ("END:VEVENT", "BEGIN:VEVENT", "UID:a", "SEQUENCE:4", "DTSTART;VALUE=DATE:20270320", "DTEND;VALUE=DATE:20270322")

    seen = read(calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313", *later))

    assert spans(seen) == [("0310", "0313"), ("0320", "0322")]


@pytest.mark.parametrize(
    "lines",
    [
        ("DESCRIPTION:Her last stay", "Status: Cancelled"),
        ("DESCRIPTION:Her last stay", "status:cancelled"),
        ("DESCRIPTION:Her last stay", "STATUS: CANCELLED"),
        ("DESCRIPTION:Her last stay", "was in May", "STATUS:CANCELLED"),
        ("DESCRIPTION:Leaves", "DTEND:on the 2nd"),
        ("DESCRIPTION:Hello", "Begin: 10 June", "End: 13 June"),
        ("DESCRIPTION:Hello", "Begin: Friday"),
        ("DESCRIPTION:Hello", "End: Friday", "BEGIN: noon"),
        ("DESCRIPTION:Hello", "DTSTART;VALUE=DATE:20270501"),
        ("BEGIN:VALARM", "TRIGGER:-PT1H", "DURATION:PT1M", "STATUS:CANCELLED", "END:VALARM"),
        ("STATUS:CONFIRMED", "DESCRIPTION:x", "STATUS:CANCELLED"),
    ],
)
def test_a_line_of_the_description_is_not_a_property(lines):
    dates = ("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313")

    for order in ((*dates, *lines), (*lines, *dates), (dates[0], *lines, dates[1])):
        seen = read(calendar(*order))
        assert (spans(seen), seen.verdict) == ([("0310", "0313")], Verdict.OK)


def test_a_status_in_the_events_own_style_cancels():
    dates = ("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313")

    assert spans(read(calendar(*dates, "DESCRIPTION:x", "STATUS:CANCELLED"))) == []
    assert spans(read(calendar("dtstart;value=date:20270310", "dtend:20270313", "status:cancelled"))) == []


def test_events_marked_as_free_are_held_unless_the_owner_ignores_them():
    text = calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313", "TRANSP:TRANSPARENT")

    assert spans(read(text)) == [("0310", "0313")]
    assert [p.code for p in read(text).problems] == ["transparent"]
    ignored = read(text, ignore_transparent=True)
    assert (spans(ignored), [p.code for p in ignored.problems]) == ([], ["transparent-ignored"])


@pytest.mark.parametrize("summary", ["Canceled: Reserved", "Cancelled - Anna", "Annullata: Anna"])
def test_a_summary_cancels_nothing(summary):
    seen = read(calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313", f"SUMMARY:{summary}"))

    assert (spans(seen), [p.code for p in seen.problems]) == ([("0310", "0313")], ["cancelled-in-summary"])


@pytest.mark.parametrize("indent", ["  ", "\t", "\t\t"])
def test_what_surrounds_a_calendar_does_not_hide_it(indent):
    plain = calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313", "SUMMARY:Reserved")
    texts = (
        "<b>Notice</b>: x in y on line 3<br />" + plain,
        plain.rstrip() + "</pre>\n",
        plain.replace("\n", "\n" + indent),
        plain.replace("BEGIN:VEVENT", indent + "BEGIN:VEVENT").replace("END:VEVENT", indent + "END:VEVENT"),
    )

    assert [(spans(read(text)), read(text).verdict) for text in texts] == [([("0310", "0313")], Verdict.OK)] * 4


FIRST = "BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20270310\nDTEND;VALUE=DATE:20270313\nEND:VEVENT\n"
SECOND = "BEGIN:VEVENT\nUID:b\nDTSTART;VALUE=DATE:20270320\nDTEND;VALUE=DATE:20270323\nEND:VEVENT\n"
BOTH = [("0310", "0313"), ("0320", "0323")]


def around(*events: str, prodid: str = "-//Example//EN") -> str:
    return f"BEGIN:VCALENDAR\nPRODID:{prodid}\n{''.join(events)}END:VCALENDAR\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (around(FIRST) + SECOND, ["outside-calendar"]),
        (FIRST + around(SECOND), ["outside-calendar"]),
        (around(FIRST) + SECOND + around(), ["outside-calendar"]),
        (around(FIRST, SECOND.replace("BEGIN:VEVENT", "BEGN:VEVENT")), ["broken-event"]),
        (around(FIRST, SECOND.replace("BEGIN:VEVENT\n", "")), ["broken-event"]),
        (around(FIRST.replace("BEGIN:VEVENT\n", ""), SECOND), ["broken-event"]),
        (around(FIRST, SECOND.replace("BEGIN:VEVENT", "BEGIN;X-A=1:VEVENT")), ["broken-event"]),
        (around(FIRST, SECOND.replace("VEVENT", "EVENT")), ["broken-event"]),
        (around(FIRST).rstrip() + around(SECOND), []),
        (around(FIRST) + "<b>Warning</b>: x" + "<br />" + around(SECOND), []),
        (around(FIRST, SECOND).rstrip() + "0", []),
        (around(FIRST, SECOND).replace("\nUID", "\n  UID").replace("\nDT", "\n  DT"), []),
    ],
)
def test_no_event_is_lost_where_its_surroundings_are_broken(text, problems):
    """What can be read is held; it is noted, and where lines of an event may be missing, the body proves no absence."""
    seen = read(text)

    assert (spans(seen), [p.code for p in seen.problems]) == (BOTH, problems)
    assert seen.verdict is (Verdict.PARTIAL if problems == ["broken-event"] else Verdict.OK)


@pytest.mark.parametrize("name", ["VTODO", "VJOURNAL", "X-ROOM", "VALARM"])
def test_other_components_are_no_events(name):
    """A component of another kind holds no night, and damages nothing."""
    seen = read(around(FIRST, SECOND.replace("VEVENT", name)))

    assert (spans(seen), seen.problems, seen.verdict) == ([("0310", "0313")], (), Verdict.OK)


@pytest.mark.parametrize("name", ["VFREEBUSY", "VAVAILABILITY"])
def test_free_busy_times_beside_events_are_noted(name):
    seen = read(around(FIRST, f"BEGIN:{name}\nDTSTART:20270320T130000Z\nEND:{name}\n"))

    assert (spans(seen), [p.code for p in seen.problems], seen.verdict) == ([("0310", "0313")], ["free-busy-ignored"], Verdict.OK)


def test_marks_of_arrivals_and_departures_are_counted():
    """Smoobu shows three events for each stay: one note says how many of them are no stays."""
    marks = "".join(
        f"BEGIN:VEVENT\nUID:{n}\nSUMMARY:{n}\nDTSTART;VALUE=DATE:20270310\nEND:VEVENT\n" for n in ("Check-in A", "Check-out A")
    )
    seen = read(around(FIRST, marks, prodid="-//Smoobu//EN"))

    assert [(p.code, p.message.split(" ")[0], p.uid) for p in seen.problems] == [("not-a-stay", "2", None)]


@pytest.mark.parametrize("start", ["DTSTART:soon", "X-NOTHING:here"])
@pytest.mark.parametrize(
    ("end", "settings", "night"),
    [
        ("DTEND;VALUE=DATE:20270313", {}, ("0312", "0313")),
        ("DTEND;VALUE=DATE:20270313", {"ends_on_last_night": True}, ("0313", "0314")),
        ("DTEND:20270313T100000", {}, ("0312", "0313")),
    ],
)
def test_an_impossible_start_costs_no_last_night(start, end, settings, night):
    seen = read(calendar(start, end), **settings)

    assert (spans(seen), [p.code for p in seen.problems], seen.verdict) == ([night], ["bad-start"], Verdict.PARTIAL)


def test_a_folded_guests_text_ends_no_event():
    dates = ("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313")

    assert spans(read(calendar("DESCRIPTION:x\n END:VEVENT\n BEGIN:VEVENT", *dates))) == [("0310", "0313")]


def test_free_busy_times_alone_are_no_empty_calendar():
    seen = read("BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nFREEBUSY:20270310T130000Z/PT9H\nEND:VFREEBUSY\nEND:VCALENDAR\n")

    assert ([p.code for p in seen.problems], seen.verdict) == (["only-free-busy"], Verdict.UNREADABLE)


@pytest.mark.parametrize(
    ("summary", "label", "guest"),
    [
        ("Prenotato", "reservation", None),
        ("RÉSERVÉ", "reservation", None),
        ("Gereserveerd - Jan de Vries", "reservation", "Jan de Vries"),
        ("Anna-Maria Møller – Reserveret", "reservation", "Anna-Maria Møller"),
        ("Zarezerwowane: Łucja", "reservation", "Łucja"),
        ("Melanie (Reservado)", "reservation", "Melanie"),
        ("จองแล้ว - มานี", "reservation", "มานี"),
        ("Reserved - Airbnb", "reservation", None),
        ("Vorläufig - Otto", "tentative", "Otto"),
        ("Προσωρινή", "tentative", None),
        ("Varauspyyntö - Aino", "request", "Aino"),
        ("Geblokkeerd", "closure", None),
        ("Nedostupné", "closure", None),
        ("ไม่พร้อมให้บริการ", "closure", None),
        ("Airbnb (Non disponibile)", "closure", None),
        ("Inte tillgänglig - städning", "closure", None),
        ("Melanie", None, None),
        ("Zzz qqq", None, None),
    ],
)
def test_labels_are_known_in_the_languages_of_the_platforms(summary, label, guest):
    reading = read_label(summary)

    assert (reading.label and str(reading.label), reading.guest) == (label, guest)
    assert is_label(summary) == ((guest is None and label is not None) or summary == "Reserved - Airbnb")


def test_every_language_has_every_label():
    from bokit.core.ical.labels import WORDS

    assert {label: len(lines) for label, lines in WORDS.items()} == dict.fromkeys(Label, 17)


@pytest.mark.parametrize("prodid", ["-//HomeAway.com, Inc.//EN", "-//Airbnb Inc//Hosting Calendar 1.0//EN"])
def test_an_unknown_label_proves_no_guest(prodid):
    text = calendar("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270313", "SUMMARY:Zzz qqq", prodid=prodid)

    [entry] = inspect_feed(text.encode(), ReadSettings(at=AT, timezone=ZoneInfo("Europe/Rome")))["entries"]

    assert (entry["kind"], entry["status"], entry["guest_name"]) == ("block", "undefined", None)
