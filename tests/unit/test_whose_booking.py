"""Whose booking: names, the roles of UIDs, several stays of one UID, and what a person is asked to confirm."""

from __future__ import annotations

import pytest

from bokit.core.bookings.edit import read_edit
from bokit.core.bookings.names import is_neutral
from bokit.core.bookings.nights import nights
from bokit.core.bookings.pairs import MatchReason
from bokit.core.bookings.stay import ANOTHER_GUEST, GoneReason, describe_booking, held_nights
from bokit.core.bookings.uids import UidRoles
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.ical.platforms.base import RawEvent, UidRole
from bokit.core.ical.platforms.registry import find_platform, traits_of
from bokit.core.model.merge import CONFIRM, accept_remote, edit_record
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Presence
from bokit.core.model.source_memory import UidHistory, read_memory
from bokit.errors import InputError
from bokit.values import replace
from tests.support.simulated_source import START, SimulatedSource, block, closure, day, kinds, reasons, reservation

ZOE = "Zoe Zimmer"


def guest(uid: str, name: str, first: int, end: int, **given) -> Entry:
    """Return a stay as a calendar of names shows it: the guest is the summary."""
    filled = {"uid": uid, "summary": name, "kind": EntryKind.RESERVATION, "status": Status.UNDEFINED}
    return Entry(**filled | {"check_in": day(first), "check_out": day(end)} | given)


def taken(uid: str, first: int, end: int, **given) -> Entry:
    """Return a stay without a name."""
    return guest(uid, "Reserved", first, end, **given)


FAR = guest("z@x", ZOE, 60, 62)


def edit(source: SimulatedSource, index: int = 0, **values: object) -> str:
    """Edit a booking as a person does; return its id."""
    record = source.stays()[index]
    source.records[record.id], _ = edit_record(record, read_edit(record, values), "user:rosa", source.at)
    return record.id


def edited_names(source: SimulatedSource) -> dict[str, object]:
    """Return the bookings' effective guests, by id."""
    return {r.id: r.fields.get("guest_name") for r in source.stays()}


# ── names ──


@pytest.mark.parametrize("platform", ["google", "generic", "vrbo", "guesty", "beds24"])
@pytest.mark.parametrize("span", [(10, 20), (13, 15), (19, 25)], ids=["the same nights", "inside", "one night"])
@pytest.mark.parametrize("uid", ["b@x", "a@x"], ids=["another UID", "the same UID"])
def test_another_guest_is_another_booking_and_inherits_nothing(platform, span, uid):
    """Bob takes Anna's place: her booking is missing, then cancelled, and what was written about her stays hers."""
    source = SimulatedSource(platform)
    source.see(guest("a@x", "Anna Rossi", 10, 20), FAR)
    anna = edit(source, guest_name="Anna R.", phone="0170 1234567", notes="door 4711")

    source.see(guest(uid, "Bob Meier", *span), FAR)
    source.see(guest(uid, "Bob Meier", *span), FAR, hours=13)
    source.see(guest(uid, "Bob Meier", *span), FAR, hours=13)

    bob = next(r for r in source.stays(Presence.PRESENT) if r.remote["summary"] == "Bob Meier")
    assert bob.id != anna
    assert not bob.edits
    assert source.records[anna].presence is Presence.GONE
    assert source.records[anna].gone_reason != GoneReason.JOINED


def test_the_same_guest_on_other_nights_is_the_same_booking():
    """An equal name decides, whatever the UID, where the nights overlap."""
    source = SimulatedSource("google")
    source.see(guest("a@x", "Anna Rossi", 10, 14), FAR)
    mine = edit(source, notes="late")

    plan = source.see(guest("b@x", "ANNA  ROSSI", 12, 17), FAR)

    assert ActionKind.CREATE not in kinds(plan)
    assert source.records[mine].remote["check_out"] == day(17).isoformat()
    assert describe_booking(source.records[mine])["confirm"] is None


@pytest.mark.parametrize("name", ["Anna Rossi - paid", "Rossi", "Anna Rossi-Verdi", "Reserved", ""])
def test_a_name_that_somebody_completes_is_the_same_guest(name):
    """The same UID and a word in common, or no name any more: the same booking."""
    source = SimulatedSource("google")
    source.see(guest("a@x", "Anna Rossi", 10, 14), FAR)
    mine = edit(source, notes="late")

    source.see(guest("a@x", name, 10, 14), FAR)

    assert [r.id for r in source.stays() if r.edits] == [mine]
    assert len(source.stays()) == 2


def test_a_label_on_many_entries_is_not_a_guest():
    """A summary that a feed repeats says nothing of a guest, in whatever language."""
    source = SimulatedSource("generic")
    source.see(*(guest(f"{n}@x", "Foglalt", 10 * n, 10 * n + 4) for n in (1, 2, 3, 4)))

    plan = source.see(*(guest(f"{n}b@x", "Foglalva", 10 * n, 10 * n + 4) for n in (1, 2, 3, 4)))

    assert kinds(plan) == [ActionKind.UPDATE] * 4
    assert len(source.stays()) == 4


def test_labels_are_neutral():
    assert all(map(is_neutral, ("Reserved", "CLOSED - Not available", "Booked", "", None)))


# ── the role of UIDs ──


@pytest.mark.parametrize(
    ("platform", "kind", "role"),
    [
        ("airbnb", EntryKind.RESERVATION, UidRole.IDENTITY),
        ("airbnb", EntryKind.BLOCK, UidRole.DATES),
        ("booking_com", EntryKind.RESERVATION, UidRole.DATES),
        ("vrbo", EntryKind.RESERVATION, UidRole.UNKNOWN),
        ("guesty", EntryKind.RESERVATION, UidRole.UNKNOWN),
        ("google", EntryKind.RESERVATION, UidRole.IDENTITY),
        ("generic", EntryKind.RESERVATION, UidRole.UNKNOWN),
    ],
)
def test_each_platform_has_its_prior(platform, kind, role):
    roles = UidRoles(traits=traits_of(platform), history=UidHistory(), at=START)
    assert roles.role_of(taken("a@x", 10, 14, kind=kind)) is role


def test_a_uid_with_the_arrival_in_it_is_made_of_dates():
    roles = UidRoles(traits=traits_of("generic"), history=UidHistory(kept=3, moved=True), at=START)
    assert roles.role_of(taken(f"room-{day(10)}@x", 10, 14)) is UidRole.DATES
    assert roles.role_of(taken("room-7@x", 10, 14)) is UidRole.IDENTITY


def test_an_identity_that_others_kept_makes_an_unnamed_stay_another_booking():
    """Google: the other entry kept its UID, so this UID's stay is gone, and a new one is there."""
    source = SimulatedSource("google")
    source.see(taken("a@x", 10, 20), taken("c@x", 40, 44))
    mine = edit(source, guest_name="Anna")

    plan = source.see(taken("b@x", 10, 20), taken("c@x", 40, 44))

    assert ActionKind.CREATE in kinds(plan)
    assert source.records[mine].presence is Presence.MISSING
    assert [name for name in edited_names(source).values() if name] == ["Anna"]


def test_uids_that_all_change_at_once_are_reissued():
    """No live stay kept its UID: equal nights are the same stays, and the edits stay."""
    source = SimulatedSource("google")
    source.see(taken("a@x", 10, 20), taken("c@x", 40, 44))
    mine = edit(source, guest_name="Anna")

    plan = source.see(taken("d@x", 10, 20), taken("e@x", 40, 44))

    assert set(reasons(plan)) <= {MatchReason.NIGHTS}
    assert source.records[mine].presence is Presence.PRESENT
    assert describe_booking(source.records[mine])["confirm"] is None


def test_uids_that_all_change_do_not_move_a_stay():
    """Reissued at the same time as other nights: another booking."""
    source = SimulatedSource("google")
    past = taken("p@x", -4, -2)
    source.see(past, taken("a@x", 10, 20), taken("c@x", 40, 44))
    mine = edit(source, 1, guest_name="Anna")

    source.see(past, taken("d@x", 12, 22), taken("e@x", 40, 44))

    assert source.records[mine].presence is Presence.MISSING


def test_who_took_some_nights_of_a_stay_and_moves_away_opens_none_of_the_others():
    """The new UID had the stay by its nights alone; where it goes says nothing of the nights that it never showed."""
    source = SimulatedSource("generic")
    source.see(taken("a@x", 10, 13), FAR)
    mine = edit(source, notes="door 4711")
    source.see(taken("b@x", 10, 11), FAR, hours=1)
    assert len(source.stays()) == 2

    source.see(taken("b@x", 6, 7), FAR, hours=3)
    moved = next(r for r in source.stays() if r.key == "b@x" and r.id != mine)
    assert held_nights(moved) == nights(day(6), day(7))
    assert held_nights(source.records[mine]) == nights(day(10), day(13))
    assert not moved.edits

    for _ in range(3):
        source.see(taken("b@x", 6, 7), FAR, hours=13)
    assert moved.id in [r.id for r in source.stays(Presence.PRESENT)]
    assert source.records[mine].presence is Presence.GONE


def test_a_uid_that_showed_all_the_nights_moves_with_its_edits():
    """Shorter, then elsewhere, under one UID: the booking and what was written about it go along."""
    source = SimulatedSource("generic")
    source.see(taken("a@x", 10, 13), FAR)
    mine = edit(source, notes="late")
    source.see(taken("a@x", 10, 11), FAR, hours=1)

    source.see(taken("a@x", 6, 7), FAR, hours=3)

    assert len(source.stays()) == 2
    assert held_nights(source.records[mine]) == nights(day(6), day(7))


def test_the_only_stay_of_a_feed_is_judged_by_its_nights():
    source = SimulatedSource("google")
    past = taken("p@x", -4, -2)
    source.see(past, taken("a@x", 10, 20))
    mine = edit(source, 1, guest_name="Anna")

    source.see(past, taken("b@x", 10, 18))

    assert source.records[mine].presence is Presence.PRESENT
    assert describe_booking(source.records[mine])["confirm"] == "may be another guest"


def history(source: SimulatedSource) -> UidHistory:
    return read_memory(source.memory).uids


def test_a_generic_feed_teaches_that_its_uids_identify():
    """Changed fetches that keep every UID, one of them with another arrival."""
    source = SimulatedSource("generic")
    source.see(taken("a@x", 10, 14), taken("b@x", 20, 24))
    for n in range(3):
        source.see(taken("a@x", 11 + n, 14 + n), taken("b@x", 20, 24))

    assert history(source) == UidHistory(kept=3, moved=True)
    plan = source.see(taken("n@x", 13, 16), taken("b@x", 20, 24))
    assert ActionKind.CREATE in kinds(plan)


def test_a_stay_that_keeps_nights_teaches_nothing_of_its_uid():
    """Its arrival was shown elsewhere already: only what a fetch shows is another arrival."""
    source = SimulatedSource("generic")
    source.see(taken("a@x", 10, 14), taken("b@x", 20, 24), taken("c@x", 30, 34))
    source.see(taken("n@x", 12, 14), taken("b@x", 20, 24), taken("c@x", 30, 34))
    for n in range(4):
        source.see(taken("n@x", 12, 14), taken("b@x", 20, 24), taken("c@x", 30, 34), taken(f"d{n}@x", 50 + n, 51 + n))
    assert not history(source).moved


def test_a_generic_feed_whose_uids_all_changed_is_volatile_for_30_days():
    source = SimulatedSource("generic")
    source.see(taken("a@x", 50, 54), taken("b@x", 60, 64))
    source.see(taken("c@x", 50, 54), taken("d@x", 60, 64))
    mine = edit(source, guest_name="Anna")

    roles = UidRoles(traits=traits_of("generic"), history=history(source), at=source.at)
    assert roles.role_of(taken("e@x", 50, 54)) is UidRole.VOLATILE
    source.see(taken("e@x", 50, 54), taken("d@x", 60, 64))
    assert source.records[mine].presence is Presence.PRESENT
    assert describe_booking(source.records[mine])["confirm"] is None

    source.see(taken("e@x", 50, 54), taken("d@x", 60, 64), hours=31 * 24)
    roles = UidRoles(traits=traits_of("generic"), history=history(source), at=source.at)
    assert roles.role_of(taken("e@x", 50, 54)) is UidRole.UNKNOWN


def test_a_platform_with_a_prior_is_not_learned():
    source = SimulatedSource("booking_com")
    for n in range(5):
        source.see(closure(10 + n, 20), closure(40, 44))
    assert history(source) == UidHistory()


# ── a feed that changes its labels ──


def relabel(*entries: Entry, kind: EntryKind = EntryKind.BLOCK) -> list[Entry]:
    """Return *entries* as a feed shows them that calls all of its nights the same; its UIDs are made of the dates."""
    return [replace(e, uid=f"{e.check_in:%Y%m%d}@x", kind=kind, guest_name=None, summary="") for e in entries]


@pytest.mark.parametrize("name", [None, "Anna Rossi"])
def test_a_feed_that_shows_nights_alone_from_now_on_cancels_nothing(name):
    """Every guest's nights are closures now, beside an owner's that always was one; what a person wrote stays."""
    source = SimulatedSource("generic")
    guests = [taken("a@x", 10, 14, guest_name=name), taken("b@x", 20, 24), taken("c@x", 30, 34)]
    own = taken("o@x", 40, 44, kind=EntryKind.BLOCK)
    source.see(*guests, own)
    mine = edit(source, notes="key box 7")

    for hours in (1, 25, 25):
        assert set(kinds(source.see(*relabel(*guests, own), hours=hours))) <= {ActionKind.UPDATE}
    assert source.records[mine].fields["notes"] == "key box 7"
    assert kinds(source.see(*relabel(*guests, own, kind=EntryKind.RESERVATION))) == [ActionKind.UPDATE] * 4


def test_a_closure_beside_reservations_is_not_the_guest_who_was_there():
    """Two guests cancelled and the owner closed their nights: the feed goes on to show others as reservations."""
    source = SimulatedSource("generic")
    guests = [taken("a@x", 10, 14), taken("b@x", 20, 24), taken("c@x", 30, 34), taken("d@x", 40, 44), taken("e@x", 50, 54)]
    source.see(*guests)
    plan = source.see(*relabel(*guests[:2]), *guests[2:])
    assert kinds(plan).count(ActionKind.CREATE) == 2


def test_a_guest_whose_nights_are_a_closure_now_is_to_be_confirmed():
    """The label may have changed, or the last guests cancelled and their nights were closed: a person is asked."""
    source = SimulatedSource("generic")
    guests = [taken("a@x", 10, 14, guest_name="Anna Rossi"), taken("b@x", 20, 24)]
    source.see(*guests)
    mine = edit(source, notes="key box 7")
    source.see(*relabel(*guests))

    assert source.records[mine].memory[CONFIRM] == ANOTHER_GUEST


# ── several stays of one UID ──


def test_one_uid_on_several_stays():
    """Each keeps its nights; one of them goes, and the other stays what it is."""
    source = SimulatedSource("generic")
    source.see(taken("a@x", 10, 14), taken("a@x", 30, 34), taken("b@x", 50, 52))
    first, second, _ = source.stays()
    assert [r.remote["check_in"] for r in (first, second)] == [day(10).isoformat(), day(30).isoformat()]

    source.see(taken("a@x", 10, 14), taken("b@x", 50, 52))

    assert source.records[first.id].presence is Presence.PRESENT
    assert source.records[second.id].presence is Presence.MISSING
    source.see(taken("a@x", 30, 34), taken("a@x", 10, 14), taken("b@x", 50, 52))
    assert source.spans() == [(10, 14), (30, 34), (50, 52)]


# ── inside another entry ──


@pytest.mark.parametrize("span", [(13, 15), (10, 20)], ids=["inside", "equal"])
def test_two_guests_on_the_same_nights_are_two_bookings(span):
    source = SimulatedSource("google")
    source.see(guest("a@x", "Anna Rossi", 10, 20), guest("b@x", "Bob Meier", *span))
    assert len(source.stays()) == 2


def test_a_coded_reservation_inside_another_is_a_booking():
    source = SimulatedSource("airbnb")
    source.see(reservation("HMAAAAAAAA", 10, 20), reservation("HMBBBBBBBB", 12, 14))
    assert len(source.stays()) == 2


def test_a_guest_inside_a_block_is_a_booking():
    source = SimulatedSource("vrbo")
    source.see(block(10, 20), guest("b@x", "Reserved - Bob", 12, 14, guest_name="Bob"))
    assert sorted(r.remote["kind"] for r in source.stays()) == ["block", "reservation"]


@pytest.mark.parametrize("inner", [taken("b@x", 13, 15), block(13, 15), guest("b@x", "Anna Rossi", 13, 15)])
def test_a_closure_or_the_same_guest_inside_another_entry_is_not_a_booking(inner):
    source = SimulatedSource("google")
    source.see(guest("a@x", "Anna Rossi", 10, 20), inner)
    assert len(source.stays()) == 1


def test_a_nested_stay_is_not_a_booking_on_its_departure_day():
    """Neither on that day nor on the days after, whether the outer one is clipped to today or not."""
    source = SimulatedSource()
    source.see(closure(2, 8), closure(3, 5), closure(40, 44))
    for hours, first in ((96, 2), (24, 5), (12, 5), (24, 6)):
        source.see(closure(first, 8), closure(3, 5), closure(40, 44), hours=hours)
    assert len(source.stays()) == 2


# ── confirm ──


def flagged(source: SimulatedSource, record_id: str) -> object:
    return describe_booking(source.records[record_id])["confirm"]


@pytest.mark.parametrize(
    ("then", "asked"),
    [
        ([closure(10, 17)], True),  # another departure under the same UID: a later guest has it, too
        ([closure(12, 20)], True),
        ([closure(10, 20)], False),
    ],
)
def test_a_match_by_nights_alone_asks_whether_the_edits_still_hold(then, asked):
    source = SimulatedSource()
    source.see(closure(10, 20), closure(40, 44))
    mine = edit(source, guest_name="Anna")

    source.see(*then, closure(40, 44))

    assert flagged(source, mine) == ("may be another guest" if asked else None)
    source.see(*then, closure(40, 44))
    assert flagged(source, mine) == ("may be another guest" if asked else None)


def test_without_edits_of_the_guest_there_is_nothing_to_confirm():
    source = SimulatedSource()
    source.see(closure(10, 20), closure(40, 44))
    mine = edit(source, status="confirmed")
    source.see(closure(10, 17), closure(40, 44))
    assert flagged(source, mine) is None


def test_the_guest_in_the_house_is_not_doubted_by_a_clip():
    source = SimulatedSource()
    source.see(closure(1, 9), closure(40, 44))
    mine = edit(source, guest_name="Anna")
    for n in (1, 2, 3):
        source.see(closure(n, 9), closure(40, 44), hours=24)
    assert flagged(source, mine) is None


def test_a_new_uid_on_a_platform_that_may_reissue_them_asks():
    source = SimulatedSource("vrbo")
    source.see(taken("a", 10, 20), taken("c", 40, 44))
    mine = edit(source, guest_name="Anna")
    source.see(taken("b", 10, 20), taken("c", 40, 44))
    assert flagged(source, mine) == "may be another guest"


def test_a_cancelled_stay_that_returns_asks():
    source = SimulatedSource()
    source.see(closure(10, 20), closure(40, 44))
    mine = edit(source, guest_name="Anna")
    source.see(closure(40, 44))
    source.see(closure(40, 44), hours=25)
    assert source.records[mine].presence is Presence.GONE
    source.see(closure(10, 20), closure(40, 44))
    assert flagged(source, mine) == "may be another guest"


@pytest.mark.parametrize("how", ["edit", "confirm", "accept"])
def test_a_person_settles_it(how):
    source = SimulatedSource()
    source.see(closure(10, 20), closure(40, 44))
    mine = edit(source, guest_name="Anna")
    source.see(closure(10, 17), closure(40, 44))

    record = source.records[mine]
    if how == "accept":
        after, _ = accept_remote(record, None, "user:rosa", source.at)
    else:
        values = {"guest_name": "Bea"} if how == "edit" else {"confirm": None}
        after, _ = edit_record(record, read_edit(record, values), "user:rosa", source.at)
    source.records[mine] = after

    assert flagged(source, mine) is None
    source.see(closure(10, 17), closure(40, 44))
    assert flagged(source, mine) is None


def test_confirm_takes_no_text():
    source = SimulatedSource()
    source.see(closure(10, 20))
    with pytest.raises(InputError):
        read_edit(source.stays()[0], {"confirm": "yes"})


# ── what identifies ──


def read(platform: str, **raw: str) -> dict:
    return dict(find_platform(platform, None, None).read_event(RawEvent(**raw)) or {})


@pytest.mark.parametrize(
    "text", ["see https://house.example/page?id=4711", "we book 2026", "bookid=1002", "COMMENTS:bookid=1002", "NOTES:id=1002"]
)
def test_a_guests_text_is_not_a_booking_number(text):
    assert read("beds24", uid="1001@beds24.com", summary="Anna", description=text)["reservation_code"] == "1001"
    assert read("beds24", uid="x", summary="Anna", description=text)["reservation_code"] is None


def test_the_booking_url_is():
    url = "https://www.beds24.com/control2.php?bookid=4711"
    assert read("beds24", uid="x", summary="Anna", url=url)["reservation_code"] == "4711"


def test_a_guests_comment_cancels_nothing_and_names_no_channel():
    text = "GUESTS:2/2/0\nCOMMENTS:hello\nSTATUS:0\nOTA:airbnb HM12345678"
    facts = read("beds24", uid="1001@beds24.com", summary="Anna", description=text)
    assert (facts["status"], facts["ota"]) == (Status.CONFIRMED, None)
    assert "HM12345678" in facts["comments"]


def test_airbnb_codes_come_from_the_url_the_summary_or_a_line_of_their_own():
    url = "Reservation URL: https://www.airbnb.com/hosting/reservations/details/HMABCDEF12\nPhone Number (Last 4 Digits): 0000"
    assert read("airbnb", summary="Reserved", description=url)["reservation_code"] == "HMABCDEF12"
    assert read("airbnb", summary="Melanie (HMABCDEF12)")["reservation_code"] == "HMABCDEF12"
    assert read("airbnb", summary="Reserved", description="Confirmation code: HMABCDEF12")["reservation_code"] == "HMABCDEF12"
    assert read("airbnb", summary="Reserved", description="my friend is HMABCDEF12, ok?")["reservation_code"] is None
