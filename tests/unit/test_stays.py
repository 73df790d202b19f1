"""A booking in its record: what it holds, what is shown of it, and what a person may say of it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bokit.core.bookings.edit import read_edit
from bokit.core.bookings.nights import join_nights, nights, read_spans, write_spans
from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import describe_booking, held_nights, read_remote, read_stay
from bokit.core.ical.entries import BLOCKING, Status
from bokit.core.model.merge import accept_remote, edit_record
from bokit.core.model.records import Presence
from bokit.errors import InputError
from tests.support.simulated_source import SimulatedSource, closure, day, nights_of, reservation, window

ROSA, AT = "user:rosa", datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
A, B = reservation("HMAAAAAAAA", 10, 14, guest_name="Zoé"), reservation("HMBBBBBBBB", 20, 24)


def edited(source: SimulatedSource, **values):
    """Edit the first booking as a person does."""
    record = source.stays()[0]
    source.records[record.id], _ = edit_record(record, read_edit(record, values), ROSA, AT)
    return source.records[record.id]


def known() -> SimulatedSource:
    source = SimulatedSource("airbnb")
    source.see(A, B)
    return source


def test_an_edit_frees_no_night_that_the_feed_closes():
    """Other dates by hand: both are held, and the disagreement is shown."""
    record = edited(known(), check_in="2026-06-12", check_out="2026-06-20")

    assert held_nights(record) == nights_of(9 + 1, 14) | nights_of(11, 19)
    shown = describe_booking(record)
    assert shown["disagreements"]["check_in"] == {"local": "2026-06-12", "remote": "2026-06-11"}
    assert shown["edits"]["check_in"] == {"value": "2026-06-12", "remote": "2026-06-11", "by": ROSA, "at": "2026-06-01T10:00:00Z"}


@pytest.mark.parametrize("status", sorted(set(Status) - BLOCKING))
def test_a_status_set_by_hand_frees_nothing(status):
    """As long as the source's status blocks, so does the booking."""
    assert held_nights(edited(known(), status=status)) == nights_of(10, 14)


def test_only_an_explicit_release_frees_nights():
    """Released nights are free, and stay so; closed again by another entry they are held."""
    source = known()
    edited(source, released_nights=[day(12).isoformat(), day(13).isoformat()])

    assert held_nights(source.stays()[0]) == nights_of(10, 12)
    source.apply(source.plan(play_seen(source, A, B)))
    assert held_nights(source.stays()[0]) == nights_of(10, 12)
    source.apply(source.plan(play_seen(source, A, B, reservation("HMCCCCCCCC", 12, 14))))
    assert nights_of(12, 14) <= source.held()


def play_seen(source: SimulatedSource, *entries):
    from bokit.core.model.source_rules import Seen

    return Seen(entries=entries, platform=source.platform)


def test_a_cancelled_stay_holds_nothing_but_what_a_person_keeps():
    """Gone, its nights are free; unless a person set a status that blocks."""
    source = known()
    source.see(B)
    source.see(B, hours=25)
    assert held_nights(source.stays(Presence.GONE)[0]) == set()

    assert held_nights(edited(source, status="confirmed")) == nights_of(10, 14)


def test_a_return_revives_the_edits():
    """An edit outlives the cancellation and the return of its booking."""
    source = known()
    edited(source, guest_name="Zoé Lambert")
    source.see(B)
    source.see(B, hours=25)

    source.see(A, B, hours=48)

    assert source.stays()[0].fields["guest_name"] == "Zoé Lambert"
    assert accept_remote(source.stays()[0], None, ROSA, AT)[0].fields["guest_name"] == "Zoé"


def test_an_edited_field_stays_and_the_others_follow():
    """A feed that moves an edited booking moves what was not edited, and reports what it preserved."""
    source = known()
    edited(source, guest_name="Rosa's aunt")

    plan = source.see(reservation("HMAAAAAAAA", 11, 16, guest_name="Zoe L."), B)

    (action,) = plan.actions
    assert set(action.fields) == {"check_in", "check_out"}
    assert set(action.preserved) == {"guest_name"}


def test_the_bookings_document_is_the_contracts():
    """Every name of the contract is there, for a stay, a missing one and a window."""
    source = known()
    source.see(B, window(200, 366))
    shown = [describe_booking(r) for r in source.records.values()]
    stay = next(s for s in shown if s["reservation_code"] == "HMAAAAAAAA")

    for document in shown:
        assert {
            "id",
            "unit_id",
            "kind",
            "status",
            "blocks_nights",
            "check_in",
            "check_out",
            "starts_at",
            "ends_at",
            "guest_name",
            "reservation_code",
            "reservation_url",
            "source_id",
            "missing_since",
            "edits",
            "disagreements",
            "released_nights",
            "created_at",
            "updated_at",
        } <= set(document)
    assert (stay["unit_id"], stay["kind"], stay["blocks_nights"]) == ("unit_1", "reservation", True)
    assert (stay["presence"], stay["missing_since"]) == ("missing", "2026-06-01T11:00:00Z")
    assert (stay["check_in"], stay["gone_at"], stay["edits"]) == (day(10).isoformat(), None, {})


def test_a_stay_is_read_as_it_was_written():
    """Kind, status, dates, code and guest come back typed."""
    stay = read_stay(known().stays()[0])

    assert (stay.code, stay.guest_name, stay.span) == ("HMAAAAAAAA", "Zoé", (day(10), day(14)))
    assert stay.nights_from(day(12)) == nights_of(12, 14)
    assert "notes" not in read_remote(A)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"check_in": "12/06/2026"}, "check_in"),
        ({"check_in": "2026-02-30"}, "check_in"),
        ({"check_in": 20260612}, "check_in"),
        ({"check_out": "2026-06-11"}, "check_out"),
        ({"check_out": None}, "check_out"),
        ({"status": "lost"}, "status"),
        ({"kind": "window"}, "kind"),
        ({"kind": 1}, "kind"),
        ({"guests": "many"}, "guests"),
        ({"guests": True}, "guests"),
        ({"guest_name": 5}, "guest_name"),
        ({"guest_name": "x" * 5000}, "guest_name"),
        ({"released_nights": 3}, "released_nights"),
        ({"released_nights": ["soon"]}, "released_nights"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_input_is_refused_by_name(values, field):
    """An unknown field or a wrong value raises InputError that names the field."""
    with pytest.raises(InputError) as caught:
        read_edit(known().stays()[0], values)

    assert caught.value.facts["field"] == field


def test_good_input_is_read_into_the_bookings_types():
    """Dates, counts, texts and lists come out as the record keeps them."""
    values = BookingRules().read_edit(
        known().stays()[0],
        {
            "check_in": date(2026, 6, 12),
            "status": "Confirmed",
            "guests": "3",
            "adults": "",
            "children": None,
            "guest_name": " Zoé ",
            "notes": None,
            "phone": "",
            "released_nights": "2026-06-13, 2026-06-12,",
        },
    )

    assert values == {
        "check_in": "2026-06-12",
        "status": "confirmed",
        "guests": 3,
        "adults": None,
        "children": None,
        "guest_name": "Zoé",
        "notes": None,
        "phone": None,
        "released_nights": ["2026-06-12", "2026-06-13"],
    }


def test_a_booking_made_by_hand_needs_its_dates_alone():
    """Kind and status have defaults; a date that is missing is named."""
    values = read_edit(None, {"check_in": "2026-07-01", "check_out": "2026-07-03"})

    assert values == {"kind": "reservation", "status": "confirmed", "check_in": "2026-07-01", "check_out": "2026-07-03"}
    with pytest.raises(InputError, match="dates"):
        read_edit(None, {"check_in": "2026-07-01"})


def test_a_window_cannot_be_edited():
    """A window follows its calendar."""
    source = SimulatedSource("airbnb")
    source.see(window(200, 366), A)

    with pytest.raises(InputError, match="window"):
        read_edit(source.window(), {"notes": "x"})


def test_nights_are_joined_into_as_few_spans_as_can_be():
    """Nights written as spans are the same nights when read."""
    held = nights(day(1), day(4)) | nights(day(7), day(8))

    assert [(a, b) for a, b in join_nights(held)] == [(day(1), day(4)), (day(7), day(8))]
    assert [tuple(s) for s in read_spans(write_spans(held))] == join_nights(held)


def test_a_codeless_inquiry_blocks_nothing():
    """An entry whose status does not block is a booking that holds no night."""
    source = SimulatedSource("generic")
    source.see(closure(10, 14, uid="a", status=Status.INQUIRY), closure(20, 24, uid="b"))

    assert describe_booking(source.stays()[0])["blocks_nights"] is False
