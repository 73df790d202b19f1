"""A source that moves to another unit takes its bookings with it; no night opens that its feed says is taken."""

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.bookings.stay import held_nights, is_moved
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source, UnitId
from bokit.core.model.records import Record, RecordId
from bokit.core.model.runs import Outcome
from bokit.errors import StateError
from tests.support.apartment import AIRBNB, BOOKING, Flat
from tests.support.simulated_app import Calls, Died

ROSA = "user:rosa"


class Home(Flat):
    """A flat and a loft; Airbnb's calendar was added to the flat, and both units' calendars are read by somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.loft = self.add_unit("Loft", timezone="Europe/Lisbon")
        self.source = self.add_feed(AIRBNB)
        for first, end in ((3, 6), (10, 14), (20, 22)):
            self.book(AIRBNB, first, end)
        self.sync()
        self.sync()
        self.calendar()
        self.calendar(unit=self.loft)

    def shift(self, unit: UnitId | None = None, *, release: bool = True, **values: Any) -> Source:
        """Move the source; to the loft if no unit is named."""
        return self.bokit.catalog.sources.move(
            DEFAULT_TENANT, self.source.id, unit or self.loft, values, by=ROSA, release=release
        )

    def listed(self, unit: UnitId) -> list[tuple[Any, ...]]:
        found = self.bokit.bookings.list_bookings(DEFAULT_TENANT, [unit])
        return [(d["check_in"], d["check_out"], d["guest_name"], d["presence"]) for d in found]

    def nights(self, unit: UnitId) -> set[str]:
        return {n.isoformat() for r in self.records(unit) for n in held_nights(r)}

    def mine(self, unit: UnitId) -> list[Record]:
        return sorted((r for r in self.records(unit) if not is_moved(r)), key=lambda r: str(r.remote.get("check_in")))


@pytest.fixture
def home() -> Home:
    return Home()


def test_its_bookings_go_with_it_and_both_calendars_are_written_again(home):
    """Edits, evidence and ids' ends stay; the next sync finds all of them in the same feed, and changes nothing."""
    record = home.mine(home.flat)[0]
    home.bokit.bookings.edit(DEFAULT_TENANT, record.id, {"guest_name": "Ann"}, by=ROSA)
    listed, nights, events = home.listed(home.flat), home.nights(home.flat), home.events()

    moved = home.shift()

    assert (moved.scope, home.bokit.catalog.sources.load(DEFAULT_TENANT, home.source.id)) == (home.loft, moved)
    assert (home.listed(home.loft), home.nights(home.loft), home.events(unit=home.loft)) == (listed, nights, events)
    assert (home.listed(home.flat), home.nights(home.flat), home.events()) == ([], set(), [])
    assert {r.id.partition(".")[2] for r in home.mine(home.loft)} == {r.id.partition(".")[2] for r in home.records()}
    home.sync()
    (report,) = home.bokit.status.load_history(DEFAULT_TENANT).items[0].sources
    assert (report.outcome, home.listed(home.loft)) == (Outcome.UNCHANGED, listed)
    home.book(AIRBNB, 30, 33)
    home.sync()
    assert (len(home.listed(home.loft)), home.events()) == (4, [])
    (log,) = home.store.load_changes(DEFAULT_TENANT, home.mine(home.loft)[0].id).items
    assert (log.action, log.by, log.reason) == ("move", ROSA, f"moved with its source from {record.id}")


def test_what_would_free_nights_wants_a_person_s_word(home):
    """The plan names the nights; nothing is written until they are released. Nights that another booking holds are not freed."""
    home.make(2, 5)
    home.make(12, 16, unit=home.loft)
    before = home.nights(home.flat), home.nights(home.loft)

    plan = home.bokit.catalog.sources.plan_move(DEFAULT_TENANT, home.source.id, home.loft, by=ROSA)
    with pytest.raises(StateError, match="free nights") as caught:
        home.shift(release=False)

    assert (caught.value.stable_code, caught.value.facts["nights"]) == ("frees-nights", 7)
    assert [n.isoformat() for n in plan.frees] == [home.day(n) for n in (5, 10, 11, 12, 13, 20, 21)]
    assert [n.isoformat() for n in plan.meets] == [home.day(n) for n in (12, 13)]
    assert (plan.bookings, (home.nights(home.flat), home.nights(home.loft))) == (3, before)
    home.shift()
    assert (home.events(), len(home.conflicts(home.loft))) == ([(2, 5)], 1)


def test_it_moves_back_as_it_came(home):
    """Its records have their former ids again, and their logs go on; what was edited meanwhile stays."""
    before, ids = home.listed(home.flat), {r.id for r in home.records()}
    home.shift()
    last = home.mine(home.loft)[-1]
    home.bokit.bookings.edit(DEFAULT_TENANT, last.id, {"notes": "late"}, by=ROSA)
    home.shift(home.flat)

    assert (home.listed(home.flat), home.listed(home.loft), {r.id for r in home.mine(home.flat)}) == (before, [], ids)
    assert home.mine(home.flat)[-1].fields["notes"] == "late"
    actions = [c.action for c in home.store.load_changes(DEFAULT_TENANT, home.mine(home.flat)[-1].id).items]
    assert actions == ["move", "move", "create"]
    home.sync()
    assert home.listed(home.flat) == before


def test_a_cancellation_that_waits_goes_on_waiting(home):
    """Evidence goes with the booking: what was missing before the move is cancelled when it would have been."""
    home.world.cancel("stay-1")
    home.sync()
    home.sync()
    since = home.mine(home.flat)[0].missing_since
    home.shift()
    assert home.mine(home.loft)[0].missing_since == since is not None
    home.sync(hours=22)
    assert len(home.events(unit=home.loft)) == 3
    home.sync(hours=2)
    home.sync()
    assert len(home.events(unit=home.loft)) == 2


def test_a_move_is_refused_where_it_would_be_wrong(home):
    """While a plan is held, under a name that is taken, of a source of another sort, and to a unit that there is not."""
    home.add_feed(BOOKING, home.loft)
    for source in home.bokit.catalog.sources.list_sources(DEFAULT_TENANT):
        home.bokit.catalog.sources.edit(DEFAULT_TENANT, source.id, {"name": "Feed"})
    with pytest.raises(StateError, match="of this name already"):
        home.shift()
    assert home.shift(name="Airbnb").name == "Airbnb"
    home.world.fault(AIRBNB, "empty-calendar")
    home.sync()
    with pytest.raises(StateError, match="apply or discard it first"):
        home.shift(home.flat)
    with pytest.raises(Exception, match="no such unit"):
        home.shift(UnitId("unit_0"))


def test_an_older_change_is_not_undone_over_a_move(home):
    """What a booking left behind is moved back with its source, not by its changes; the move's line says so, too."""
    record = home.mine(home.flat)[0]
    home.bokit.bookings.edit(DEFAULT_TENANT, record.id, {"guest_name": "Ann"}, by=ROSA)
    home.shift()
    undo = home.bokit.bookings.undo
    for change in home.store.load_changes(DEFAULT_TENANT, record.id).items:
        (step,) = undo.plan(DEFAULT_TENANT, change.id, by=ROSA).steps
        assert (step.change, "moves the source" in step.left["unit_id"]) == (None, True)
    moved = RecordId(f"{home.loft}.{record.id.partition('.')[2]}")
    home.bokit.bookings.edit(DEFAULT_TENANT, moved, {"guest_name": "Bea"}, by=ROSA)
    (last, *_) = home.store.load_changes(DEFAULT_TENANT, moved).items
    undo.apply(undo.plan(DEFAULT_TENANT, last.id, by=ROSA), by=ROSA, confirmed=False)
    assert home.store.load_record(DEFAULT_TENANT, BOOKINGS, moved).fields["guest_name"] == "Ann"


def test_a_move_that_dies_anywhere_is_repeated(home):
    """After each call to the store: no night of the feed is open in both units, and the repetition ends it as the first would."""

    def live(die_at: int | None) -> tuple[Any, Calls]:
        home = Home()
        nights, calls = home.nights(home.flat), Calls(die_at=die_at, die_after=True)
        calendars = home.calendar(), home.calendar(unit=home.loft)
        hand = home.open(store=calls.watch_part(home.store))
        give = {"by": ROSA, "release": True}
        try:
            hand.catalog.sources.move(DEFAULT_TENANT, home.source.id, home.loft, **give)
        except Died:
            assert home.nights(home.flat) | home.nights(home.loft) == nights
            home.move(minutes=6)
            home.bokit.catalog.sources.move(DEFAULT_TENANT, home.source.id, home.loft, **give)
        lengths = [len(home.store.load_changes(DEFAULT_TENANT, r.id).items) for r in home.mine(home.loft)]
        ends = home.nights(home.flat), home.nights(home.loft) == nights, home.listed(home.loft), lengths
        dates = [[line for line in home.body(c).split() if line.startswith(b"DT") and b"STAMP" not in line] for c in calendars]
        return (*ends, dates), calls

    expected, calls = live(None)
    assert len(calls.names) > 15
    for die_at in range(1, len(calls.names) + 1):
        assert live(die_at)[0] == expected, calls.names[die_at - 1]
