"""Door codes through the whole engine: what a host lives through, and what is reported of it."""

from __future__ import annotations

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import DOOR_CODES
from bokit.core.model.quotas import QuotaName
from bokit.errors import InputError, StateError, UnknownIdError
from bokit.values import replace
from tests.support.door_app import GENERIC, DoorApp, calendar, event, stay

LATER = stay("z", 60, 63)
"""Another stay, which every calendar here shows."""


def set_code(app: DoorApp, record_id, text):
    return app.bokit.bookings.door_codes.set_code(DEFAULT_TENANT, record_id, text)


def renew(app: DoorApp, record_id):
    return app.bokit.bookings.door_codes.renew(DEFAULT_TENANT, record_id)


@pytest.fixture
def home() -> DoorApp:
    """A flat with two guests to come on Airbnb."""
    app = DoorApp()
    app.add(calendar(stay("a", 1, 5), LATER))
    return app


def test_a_stay_has_one_code_from_check_in_to_check_out(home):
    """In the unit's timezone; asked again it is the same, and another stay has another one."""
    assert home.news() == [("created", []), ("created", [])]
    found = home.access()

    assert found["state"] == "ready"
    assert len(found["code"]) == 4
    assert found["origin"] == "random"
    assert (found["valid_from"], found["valid_until"]) == ("2026-12-02T14:00:00Z", "2026-12-06T10:00:00Z")
    assert home.access() == found
    assert home.code(home.id_of(1)) != found["code"]
    assert home.news() == []


def test_the_guest_extends_and_keeps_the_code(home):
    before, _ = home.code(), home.news()

    home.sync(calendar(stay("a", 1, 7), LATER))

    assert (home.code(), home.access()["valid_until"]) == (before, "2026-12-08T10:00:00Z")
    assert home.news() == [("changed", ["valid_until"])]


def test_the_guest_moves_by_a_week_and_keeps_the_code(home):
    before, _ = home.code(), home.news()

    home.sync(calendar(stay("a", 8, 12), LATER))

    assert home.code() == before
    assert home.news() == [("changed", ["valid_from", "valid_until"])]


def test_the_platform_renames_every_uid(home):
    """The code stays; nothing is reported."""
    codes = [home.code(home.id_of(n)) for n in (0, 1)]
    home.news()

    home.sync(calendar(stay("a", 1, 5, uid="new-1"), stay("z", 60, 63, uid="new-2")))

    assert [home.code(home.id_of(n)) for n in (0, 1)] == codes
    assert home.news() == []


def test_a_calendar_of_nights_alone_renames_every_uid():
    """Without codes and names, where all UIDs of two stays or more change at once, the same nights are the same guests."""
    app = DoorApp()
    app.add(calendar(event("a", 1, 5), event("b", 60, 63), prodid=GENERIC))
    codes = [app.code(app.id_of(n)) for n in (0, 1)]

    app.sync(calendar(event("c", 1, 5), event("d", 60, 63), prodid=GENERIC))

    assert [app.code(app.id_of(n)) for n in (0, 1)] == codes


def test_the_calendar_is_empty_for_an_hour(home):
    before, _ = home.code(), home.news()

    home.sync(calendar())
    assert home.code() == before
    home.sync(calendar(stay("a", 1, 5), LATER))

    assert home.code() == before
    assert home.news() == []


def test_a_cancelled_stay_loses_its_code_and_gets_it_back_with_its_return(home):
    before, record, _ = home.code(), home.id_of(), home.news()

    home.sync(calendar(LATER), times=30)
    revoked = home.access(record)
    assert (revoked["state"], revoked["code"], revoked["valid_from"]) == ("revoked", None, None)
    assert home.news() == [("revoked", [])]
    home.sync(calendar(stay("a", 1, 5), LATER))

    assert home.code(record) == before
    assert home.news() == [("created", [])]


def test_what_was_revoked_may_be_given_by_hand_and_then_does_not_come_back(home):
    before, record = home.code(), home.id_of()
    home.sync(calendar(LATER), times=30)
    other = home.by_hand(20, 24)

    assert set_code(home, other, before)["code"] == before
    home.sync(calendar(stay("a", 1, 5), LATER))

    assert home.code(record) != before
    assert home.code(other) == before


def test_another_guest_on_the_same_nights_has_another_code():
    """Two names are two guests, whatever the nights."""
    app = DoorApp()
    app.add(calendar(event("u1", 1, 5, summary="Anna Rossi"), event("u2", 60, 63, summary="Bo Berg"), prodid=GENERIC))
    first, record = app.code(), app.id_of()
    app.news()

    app.sync(calendar(event("u3", 1, 5, summary="Carl Sund"), event("u2", 60, 63, summary="Bo Berg"), prodid=GENERIC), times=30)
    (other,) = [r.id for r in app.records() if r.fields["summary"] == "Carl Sund"]

    assert app.code(other) != first
    assert app.access(record)["state"] == "revoked"
    assert [kind for kind, _ in app.news()] == ["created", "revoked"]


def moved_by_nights() -> tuple[DoorApp, str]:
    """A stay that only nights distinguish from another one, whose departure moves after its code was read."""
    app = DoorApp()
    app.add(calendar(event("a", 1, 5), event("b", 60, 63), prodid=GENERIC))
    code = app.code()
    app.news()
    app.sync(calendar(event("x", 1, 8), event("b", 60, 63), prodid=GENERIC))
    return app, code


def test_a_stay_by_nights_alone_asks_before_its_code_goes_on():
    """It is withheld, and reported as such; confirmed it is the same again, and further syncs do not ask again."""
    app, code = moved_by_nights()

    found = app.access()
    assert (found["state"], found["code"], found["confirm"]) == ("confirm", None, "may be another guest")
    assert app.news() == [("changed", ["valid_until", "confirm"])]
    app.confirm(app.id_of())
    app.sync()

    assert app.code() == code
    assert app.news() == [("changed", ["confirm"])]


def test_an_edit_of_something_else_confirms_no_code():
    app, _ = moved_by_nights()
    app.bokit.bookings.edit(DEFAULT_TENANT, app.id_of(), {"notes": "late"}, by="user:rosa")
    assert app.access()["state"] == "confirm"


def test_a_new_code_answers_the_question_as_well():
    app, code = moved_by_nights()

    made = renew(app, app.id_of())

    assert (made["state"], made["confirm"]) == ("ready", None)
    assert made["code"] != code
    assert app.news()[-1] == ("changed", ["code", "confirm"])


def test_a_code_that_nobody_read_belongs_to_the_guest_who_comes():
    """Nothing can be passed on, so nothing is asked."""
    app = DoorApp()
    app.add(calendar(event("a", 1, 5), event("b", 60, 63), prodid=GENERIC))
    app.sync(calendar(event("x", 1, 8), event("b", 60, 63), prodid=GENERIC))
    assert app.access()["state"] == "ready"


def test_the_last_digits_of_the_phone_are_the_code():
    """Where another stay has them, and where the phone is not known, it is random."""
    app = DoorApp(access_source="phone")
    app.add(calendar(stay("a", 1, 5, phone="8421"), stay("b", 6, 9, phone="8421"), stay("c", 10, 12)))

    found = [app.access(app.id_of(n)) for n in range(3)]

    assert (found[0]["code"], found[0]["origin"]) == ("8421", "phone")
    assert [doc["origin"] for doc in found] == ["phone", "random", "random"]
    assert len({doc["code"] for doc in found}) == 3
    app.sync(calendar(stay("a", 1, 5, phone="9999"), stay("b", 6, 9, phone="8421"), stay("c", 10, 12)))
    assert app.code() == "8421"
    assert renew(app, app.id_of())["origin"] == "random"


def test_a_longer_code_than_the_digits_that_are_known_is_random():
    app = DoorApp(access_source="phone", access_length=6)
    app.add(calendar(stay("a", 1, 5, phone="8421"), LATER))
    assert (app.access()["origin"], len(app.code())) == ("random", 6)


def test_by_hand_alone_nothing_is_reported_before_a_person_sets_it():
    app = DoorApp(access_source="manual")
    app.add(calendar(stay("a", 1, 5), LATER))
    assert (app.access()["state"], app.access()["code"], app.news()) == ("unset", None, [])

    made = set_code(app, app.id_of(), " 240 68".replace(" ", ""))

    assert (made["code"], made["origin"], app.news()) == ("24068", "manual", [("created", [])])
    assert renew(app, app.id_of())["state"] == "unset"
    assert app.news() == [("revoked", [])]


@pytest.mark.parametrize("text", ["", "123", "12345678901", "12a4", "١٢٣٤", "-1234"])
def test_a_code_is_four_to_ten_digits(home, text):
    with pytest.raises(InputError, match="4 to 10 digits"):
        set_code(home, home.id_of(), text)


def test_no_other_stay_of_the_unit_gets_a_code_by_hand_that_one_has_or_had(home):
    """Neither the one that it has, nor the one before that; its own former one may be set again."""
    had, first, other = home.code(), home.id_of(), home.id_of(1)
    has = renew(home, first)["code"]

    for taken in (had, has):
        with pytest.raises(StateError, match="another stay of the unit"):
            set_code(home, other, taken)
    assert set_code(home, first, str(had))["code"] == had
    assert set_code(home, first, str(had))["origin"] == "manual"


def test_a_code_rests_for_ninety_days_after_the_stay(home):
    home.sync(calendar(stay("a", 1, 5), stay("z", 200, 203)))
    code, other = set_code(home, home.id_of(), "4812")["code"], home.id_of(1)

    home.clock.move(days=100)
    with pytest.raises(StateError, match="another stay of the unit"):
        set_code(home, other, code)
    home.clock.move(days=8)

    assert set_code(home, other, code)["code"] == "4812"


def test_linked_units_share_no_code():
    """The guests of a villa and of its flat have the same doors."""
    app = DoorApp()
    (house,) = app.bokit.catalog.list_properties(DEFAULT_TENANT)
    villa = app.bokit.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Villa", "parts": ["Flat"]}).id
    flat, app.unit = app.by_hand(1, 5), villa
    whole = app.by_hand(8, 12)
    set_code(app, flat, "4812")

    with pytest.raises(StateError, match="another stay"):
        set_code(app, whole, "4812")


def test_what_is_not_a_stay_has_no_code(home):
    """A block, a stay that a person cancelled before it had one, and one that is over."""
    block = home.by_hand(20, 24, kind="block")
    with pytest.raises(StateError, match="only a stay"):
        home.access(block)
    record = home.id_of()
    home.bokit.bookings.edit(DEFAULT_TENANT, record, {"status": "cancelled"}, by="user:rosa")
    assert home.access(record)["state"] == "revoked"
    with pytest.raises(StateError, match="only a stay"):
        set_code(home, record, "4812")
    home.clock.move(days=90)
    assert home.access(home.id_of(2))["state"] == "ended"


def test_options_report_what_they_change(home):
    """Another buffer changes every validity; off revokes all, and on again brings the same codes."""
    code, _ = home.code(), home.news()

    home.set("access.buffer_minutes", 30)
    assert home.access()["valid_from"] == "2026-12-02T13:30:00Z"
    assert home.news() == [("changed", ["valid_from", "valid_until"])] * 2
    home.set("access.codes", False)
    assert home.news() == [("revoked", [])] * 2
    with pytest.raises(StateError, match="door codes are off"):
        home.access()
    home.set("access.codes", True)

    assert home.code() == code
    assert home.news() == [("created", [])] * 2


def test_without_the_option_nothing_is_stored_or_reported():
    app = DoorApp(access_codes=False)
    app.add(calendar(stay("a", 1, 5), LATER))
    assert (app.stored(), app.news()) == ("[]", [])


def test_no_code_is_stored_or_reported_in_clear(home):
    """Neither in the table, nor in the event log, also where a person set it."""
    set_code(home, home.id_of(), "7305918264")
    code = home.code(home.id_of(1))
    home.bokit.events.drain()

    said = str(home.bokit.events.read(DEFAULT_TENANT, 0)["items"])
    listed = str(home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.unit]))

    assert "7305918264" not in home.stored() + said + listed
    assert f'"{code}"' not in home.stored()


def test_another_secret_opens_no_code(home):
    """A table that was restored beside another secret says that its codes are lost, and a new one may be made."""
    home.code()
    home.bokit.bookings.door_codes.key = lambda: "another" * 7

    assert home.access()["state"] == "lost"
    assert home.access()["code"] is None
    assert renew(home, home.id_of())["state"] == "ready"


def test_other_times_are_reported_at_once(home):
    """Of the unit, and of its property where the unit has none of its own: a lock follows without waiting for a sync."""
    code, catalog = home.code(), home.bokit.catalog
    home.news()

    catalog.edit_unit(DEFAULT_TENANT, home.unit, {"check_in_time": "16:00"})
    assert home.news() == [("changed", ["valid_from"])] * 2
    house = catalog.load_unit(DEFAULT_TENANT, home.unit).property_id
    catalog.edit_property(DEFAULT_TENANT, house, {"check_in_time": "14:00", "check_out_time": "10:00"})
    assert home.news() == [("changed", ["valid_until"])] * 2
    catalog.edit_property(DEFAULT_TENANT, house, {"timezone": "Asia/Bangkok"})
    assert home.news() == [("changed", ["valid_from", "valid_until"])] * 2

    assert (home.code(), home.access()["valid_from"]) == (code, "2026-12-02T09:00:00Z")


def test_a_unit_that_is_removed_leaves_no_codes(home):
    """Nor those of past stays; a removal that was interrupted before that is repeated."""
    home.code()
    (source,) = home.bokit.catalog.sources.list_sources(DEFAULT_TENANT)
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa")
    (book,) = home.store.load_records(DEFAULT_TENANT, DOOR_CODES, home.unit)
    before = home.store.load_usage(DEFAULT_TENANT, home.clock().date())

    home.bokit.catalog.remove_unit(DEFAULT_TENANT, home.unit)
    assert home.store.load_records(DEFAULT_TENANT, DOOR_CODES, home.unit) == []
    assert home.store.load_usage(DEFAULT_TENANT, home.clock().date())[QuotaName.RECORDS] == before[QuotaName.RECORDS]

    home.store.apply_records([replace(book, version=0)], [], lease=None)
    with pytest.raises(UnknownIdError):
        home.bokit.catalog.remove_unit(DEFAULT_TENANT, home.unit)
    assert home.store.load_records(DEFAULT_TENANT, DOOR_CODES, home.unit) == []
