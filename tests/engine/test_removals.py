"""Nothing is freed by the way: what holds nights to come is not deleted, also not by two requests at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Parent, UnitId
from bokit.core.model.records import RecordId
from bokit.errors import StateError, UnknownIdError
from tests.support.apartment import AIRBNB, Flat

URL = "https://feeds.example/late.ics"


class Villa(Flat):
    """A flat that is part of a villa; a calendar of the flat is published."""

    def __init__(self) -> None:
        super().__init__()
        self.villa = self.add_unit("Villa", parts=[self.flat])
        self.calendar()


@pytest.fixture
def home() -> Villa:
    return Villa()


def remove(home: Villa, unit: UnitId | None = None) -> None:
    home.bokit.catalog.remove_unit(DEFAULT_TENANT, unit or home.villa)


def units(home: Villa) -> set[UnitId]:
    return {u.id for u in home.bokit.catalog.list_units(DEFAULT_TENANT)}


def test_a_unit_with_a_booking_by_hand_stays(home):
    """While a booking by hand holds nights to come the unit stays, and the error names it; cancelled, it no longer does."""
    home.make(-9, -5, home.villa)
    doc = home.make(20, 24, home.villa)
    before = home.events()
    with pytest.raises(StateError) as caught:
        remove(home)
    assert (caught.value.stable_code, caught.value.facts["ids"]) == ("not-empty", doc["id"])
    assert home.events() == before == [(-9, -5), (20, 24)]

    home.bokit.bookings.edit(DEFAULT_TENANT, RecordId(doc["id"]), {"status": "cancelled"}, by="user:rosa")
    remove(home)
    assert (units(home), home.events()) == ({home.flat}, [])


def test_a_unit_with_nights_of_a_removed_source_stays(home):
    """A removed source that was not released keeps its unit, its nights and what calendars say; released, it does not."""
    source = home.add_feed(AIRBNB, home.villa)
    home.book(AIRBNB, 3, 6)
    home.sync()
    home.sync()
    with pytest.raises(StateError, match="has sources"):
        remove(home)
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")
    before = home.events()
    with pytest.raises(StateError, match="removed sources"):
        remove(home)
    assert home.events() == before == [(3, 6)]

    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa")
    remove(home)
    assert (units(home), home.events()) == ({home.flat}, [])


def test_a_stay_that_ends_today_holds_nothing(home):
    """The last night of a stay holds its unit; the day of departure does not."""
    home.make(-3, 1, home.villa)
    with pytest.raises(StateError):
        remove(home)
    home.move(days=1)
    remove(home)
    assert units(home) == {home.flat}


def add_source(home: Villa, unit: UnitId) -> Any:
    return home.bokit.catalog.sources.add(DEFAULT_TENANT, unit, {"name": "late", "url": URL})


def add_booking(home: Villa, unit: UnitId) -> Any:
    return home.make(20, 24, unit)


def add_whole(home: Villa, unit: UnitId) -> Any:
    return home.add_unit("Estate", parts=[unit])


def add_part(home: Villa, unit: UnitId) -> Any:
    other = home.add_unit("Other")
    return home.bokit.catalog.edit_unit(DEFAULT_TENANT, other, {"parts": [unit]})


ADDERS = [add_source, add_booking, add_whole, add_part]


@pytest.mark.parametrize("add", ADDERS)
def test_what_is_added_while_a_unit_is_deleted_keeps_it(home, monkeypatch, add: Callable[[Villa, UnitId], Any]):
    """A source, booking or link that comes between check and deletion stops the deletion."""
    delete, added = home.store.delete_parent, []

    def late(parent: Parent, check_empty: Callable[[], object], **given: Any) -> None:
        def check() -> None:
            check_empty()
            if not added:
                added.append(add(home, home.villa))

        delete(parent, check, **given)

    monkeypatch.setattr(home.store, "delete_parent", late)
    calendar = home.calendar(unit=home.villa)
    with pytest.raises(StateError) as caught:
        remove(home)
    assert caught.value.stable_code == "not-empty"
    assert home.villa in units(home)
    assert home.page(calendar) is not None


@pytest.mark.parametrize(
    ("add", "writes"), [*zip(ADDERS, ["save_source", "apply_records", "save_unit", "save_unit"], strict=True)]
)
def test_nothing_is_added_to_a_unit_that_was_just_deleted(home, monkeypatch, add: Callable[[Villa, UnitId], Any], writes: str):
    """A unit that is deleted between the check of a request and its write is unknown to that request."""
    write = getattr(home.store, writes)

    def late(*given: Any, within: Any = (), **more: Any) -> Any:
        if home.villa in {parent.id for parent in within} and home.villa in units(home):
            remove(home)
        return write(*given, within=within, **more)

    monkeypatch.setattr(home.store, writes, late)
    with pytest.raises(UnknownIdError):
        add(home, home.villa)
    assert home.villa not in units(home)
    assert [s.name for s in home.bokit.catalog.sources.list_sources(DEFAULT_TENANT)] == []
    assert home.records(home.villa) == []
    assert not [u for u in home.bokit.catalog.list_units(DEFAULT_TENANT) if home.villa in u.parts]


def test_a_calendar_of_a_deleted_unit_ends_with_it_however_late(home, monkeypatch):
    """A crash after the unit's deletion leaves its calendar; deleting the unit again ends it."""
    calendar = home.calendar(unit=home.villa)
    monkeypatch.setattr(home.bokit.calendars, "remove_all", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        remove(home)
    monkeypatch.undo()
    assert home.page(calendar) is not None
    with pytest.raises(UnknownIdError):
        remove(home)
    assert home.page(calendar) is None


def test_no_calendar_is_opened_for_a_unit_that_was_just_deleted(home, monkeypatch):
    """The unit is deleted between the check and the write of a new calendar, which is not made."""
    write = home.store.apply_records

    def late(*given: Any, within: Any = (), **more: Any) -> Any:
        if home.villa in {parent.id for parent in within} and home.villa in units(home):
            remove(home)
        return write(*given, within=within, **more)

    monkeypatch.setattr(home.store, "apply_records", late)
    with pytest.raises(UnknownIdError):
        home.calendar(unit=home.villa)
    assert home.bokit.calendars.list_calendars(DEFAULT_TENANT, home.villa) == []


def test_a_property_that_just_got_a_unit_stays(home, monkeypatch):
    """A unit that is added between check and deletion keeps its property."""
    house = home.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Bianca"})
    delete, added = home.store.delete_parent, []

    def late(parent: Parent, check_empty: Callable[[], object], **given: Any) -> None:
        def check() -> None:
            check_empty()
            if not added:
                added.append(home.bokit.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "late"}))

        delete(parent, check, **given)

    monkeypatch.setattr(home.store, "delete_parent", late)
    with pytest.raises(StateError, match="has units"):
        home.bokit.catalog.remove_property(DEFAULT_TENANT, house.id)
    assert added[0].id in units(home)


def test_a_tenant_whose_nights_are_held_stays(home):
    """A tenant without sources, but with a booking by hand to come, is not removed, and nothing of it is."""
    tenant = home.bokit.catalog.add_tenant("Berta", "berta")
    house = home.bokit.catalog.add_property(tenant.id, {"name": "House"})
    flats = [home.bokit.catalog.add_unit(tenant.id, house.id, {"name": name}) for name in ("a", "b")]
    whole = home.bokit.catalog.add_unit(tenant.id, house.id, {"name": "c", "parts": [f.id for f in flats]})
    values = {"check_in": home.day(4), "check_out": home.day(6)}
    doc = home.bokit.bookings.create(tenant.id, flats[1].id, values, by="user:berta")
    with pytest.raises(StateError, match="nights to come"):
        home.bokit.catalog.remove_tenant(tenant.id)
    assert {u.id for u in home.bokit.catalog.list_units(tenant.id)} == {whole.id, *(f.id for f in flats)}

    home.bokit.bookings.edit(tenant.id, RecordId(doc["id"]), {"status": "cancelled"}, by="user:berta")
    home.bokit.catalog.remove_tenant(tenant.id)
    assert not home.bokit.is_known(tenant.id)
