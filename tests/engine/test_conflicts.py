"""Conflicts, found by the run that brings the second booking, whichever crashes or hurries; bookings by hand; linked units."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import combinations

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Scope
from bokit.core.occupancy.conflict_records import CONFLICTS
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import InputError, UnknownIdError
from bokit.store.memory.store import MemoryStore
from bokit.values import replace
from tests.support.apartment import AIRBNB, BOOKING, VRBO, Apartment
from tests.support.rows_app import CallCounter, Died

DAY = timedelta(days=1)


@pytest.fixture
def home():
    made = Apartment()
    made.add_feed(AIRBNB)
    made.add_feed(VRBO)
    made.sync()
    return made


def test_the_run_that_brings_the_second_booking_finds_the_conflict(home):
    """Opened in that run, reported once, with the run in its log; unchanged syncs say nothing more."""
    home.book(AIRBNB, 20, 24)
    home.sync()
    home.book(VRBO, 22, 26)
    home.sync()

    (conflict,) = home.conflicts()
    assert (conflict["nights"], conflict["certainty"]) == ([home.day(22), home.day(23)], "certain")
    (line,) = home.store.load_changes(DEFAULT_TENANT, conflict["id"]).items
    assert line.run_id == home.bokit.status.load_history(DEFAULT_TENANT).items[0].run_id
    home.sync()
    home.sync()
    assert home.news() == ["conflict.opened"]
    assert home.conflicts()[0]["version"] == 1


def test_a_conflict_closes_when_its_source_releases_the_nights(home):
    """The guest cancels: held for a day, then gone, and the conflict with it."""
    stay, _ = home.book(AIRBNB, 20, 24), home.book(AIRBNB, 60, 64)
    home.book(VRBO, 22, 26)
    home.sync()
    home.world.cancel(stay)
    home.sync()
    assert len(home.conflicts()) == 1
    for _ in range(26):
        home.sync()

    assert home.conflicts() == []
    assert [c["status"] for c in home.conflicts(everything=True)] == ["closed"]
    assert home.news() == ["conflict.closed", "conflict.opened"]


def test_a_day_of_unchanged_syncs_reads_no_booking(home):
    """What hangs on bookings is looked at where something may have changed, never for unchanged feeds."""
    home.book(AIRBNB, 20, 24)
    home.sync()
    counting = CallCounter(home.store)
    bokit = home.open(store=counting)

    home.move(hours=1)
    bokit.tick()
    for body in home.queue.bodies:
        home.deliver(body, bokit)

    assert "load_heads" in counting.calls
    assert {"load_records", "load_units", "apply_records"} & set(counting.calls) == set()


def end_of(home):
    """Return what is stored and reported, without times."""
    records = home.store.load_records(DEFAULT_TENANT, CONFLICTS, Scope(home.flat))
    lines = [len(home.store.load_changes(DEFAULT_TENANT, r.id).items) for r in records]
    kept = [(r.remote["nights"], r.remote["certainty"], r.remote["opened"], str(r.presence)) for r in records]
    return kept, lines, home.news()


def play_deadly(die_at, die_after):
    """Let the second booking come, and end the process at one store call; then let the next tick take over."""
    home = Apartment(store=MemoryStore())
    home.add_feed(AIRBNB)
    home.add_feed(VRBO)
    home.sync()
    home.book(AIRBNB, 20, 24)
    home.sync()
    home.book(VRBO, 22, 26)
    counting = CallCounter(home.store)
    counting.die_at, counting.die_after = die_at, die_after
    dying = home.open(store=counting)
    home.move(hours=1)
    home.bokit.tick()
    for body in list(home.queue.bodies):
        try:
            home.deliver(body, dying)
        except Died:
            break
    died = die_at is not None and len(counting.calls) >= die_at
    home.queue.bodies.clear()
    for _ in range(3):
        home.sync(minutes=31)
    return end_of(home), counting.calls, died


def test_a_run_that_dies_anywhere_leaves_the_same_conflict_notified_once():
    """Before or after every call of the store: the next run ends in the same state, no notice lost or doubled."""
    expected, calls, _ = play_deadly(None, False)
    deaths = 0

    for at in range(1, len(calls) + 1):
        for after in (False, True):
            found, _, died = play_deadly(at, after)
            assert found == expected, (at, after, calls[at - 1])
            deaths += died

    assert expected[2] == ["conflict.opened"]
    assert deaths > 15


def test_two_runs_at_once_see_both_bookings(home):
    """Each brings one of the two; the last to end finds the conflict, and it is there once."""
    home.book(AIRBNB, 20, 24)
    home.book(VRBO, 22, 26)
    home.move(hours=1)
    sources = home.store.load_sources(DEFAULT_TENANT)
    gate = threading.Barrier(2)

    def run(source):
        bokit = home.open()
        fetch = home.fetcher.fetch

        def meet(wanted, **given):
            answer = fetch(wanted, **given)
            gate.wait(10)
            return answer

        part = type("Part", (), {"fetch": staticmethod(meet)})()
        kind = replace(bokit.kinds["ical"], fetcher=part)
        home.open(kinds={"ical": kind}).sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))

    threads = [threading.Thread(target=run, args=(s,)) for s in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert [c["nights"] for c in home.conflicts()] == [[home.day(22), home.day(23)]]
    assert home.news() == ["conflict.opened"]


def test_a_slower_writer_of_the_same_conflict_looks_again(home):
    """Another run wrote it between our reading and our writing: no error, and one opening."""
    home.book(AIRBNB, 20, 24)
    home.sync()
    home.book(VRBO, 22, 26)

    class Overtaken(CallCounter):
        def __getattr__(self, name):
            call = super().__getattr__(name)

            def raced(*args, **given):
                if name == "apply_records" and args[0][0].collection == CONFLICTS and "raced" not in self.calls:
                    self.calls.append("raced")
                    home.store.apply_records(*args, **given)
                return call(*args, **given)

            return raced

    bokit = home.open(store=Overtaken(home.store))
    home.move(hours=1)
    run = bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))

    assert [r.error for r in run.sources] == [None, None]
    assert [c["version"] for c in home.conflicts()] == [1]


def test_a_booking_by_hand_returns_its_conflicts(home):
    """Written, reported, edited, cancelled: the conflict agrees with each."""
    home.book(AIRBNB, 20, 24)
    home.sync()
    bookings = home.bokit.bookings

    made = bookings.create(
        DEFAULT_TENANT, home.flat, {"check_in": home.day(22), "check_out": home.day(26), "guest_name": "Ann"}, by="user:rosa"
    )
    assert [c["nights"] for c in made["conflicts"]] == [[home.day(22), home.day(23)]]
    assert (made["kind"], made["status"], made["blocks_nights"], made["source_id"]) == ("reservation", "confirmed", True, None)
    moved = bookings.edit(DEFAULT_TENANT, made["id"], {"check_in": home.day(24), "check_out": home.day(26)}, by="user:rosa")
    assert moved["conflicts"] == []
    back = bookings.edit(DEFAULT_TENANT, made["id"], {"check_in": home.day(23)}, by="user:rosa")
    assert [c["nights"] for c in back["conflicts"]] == [[home.day(23)]]
    cancelled = bookings.edit(DEFAULT_TENANT, made["id"], {"status": "cancelled"}, by="user:rosa")
    assert (cancelled["conflicts"], cancelled["blocks_nights"]) == ([], False)
    actions = [line.action for line in home.bokit.records.list_changes(DEFAULT_TENANT, made["id"]).items]
    assert actions == ["edit", "edit", "edit", "create"]
    home.sync()
    assert bookings.show(DEFAULT_TENANT, made["id"])["status"] == "cancelled", "no sync touches it"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"check_in": "2027-01-05"}, "check_out"),
        ({"check_in": "2027-01-05", "check_out": "2027-01-05"}, "check_out"),
        ({"check_in": "tomorrow", "check_out": "2027-01-05"}, "check_in"),
        ({"check_in": "2027-01-01", "check_out": "2027-01-05", "kind": "window"}, "kind"),
        ({"check_in": "2027-01-01", "check_out": "2027-01-05", "colour": "red"}, "colour"),
        ({"check_in": "2027-01-01", "check_out": "9999-01-05"}, "check_out"),
        ({"check_in": "1027-01-01", "check_out": "1027-01-05"}, "check_in"),
    ],
)
def test_a_wrong_booking_by_hand_is_refused_by_field(home, values, field):
    """One clear error, and nothing written."""
    with pytest.raises(InputError) as error:
        home.bokit.bookings.create(DEFAULT_TENANT, home.flat, values, by="user:rosa")

    assert error.value.facts["field"] == field
    assert home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat]) == []


def test_a_booking_needs_a_unit_that_there_is(home):
    """An unknown unit is said so."""
    with pytest.raises(UnknownIdError):
        home.bokit.bookings.create(DEFAULT_TENANT, "unit_none", {}, by="user:rosa")


def test_an_acknowledged_conflict_is_quiet_until_it_changes(home):
    """A person knows of it; when a booking moves, it is reported again."""
    stay = home.book(AIRBNB, 20, 24)
    home.book(VRBO, 22, 26)
    home.sync()
    (conflict,) = home.conflicts()
    home.bokit.bookings.acknowledge(DEFAULT_TENANT, conflict["id"], by="user:rosa")

    home.sync()
    assert [c["status"] for c in home.conflicts()] == ["acknowledged"]
    home.world.move(stay, home.today + 21 * DAY, home.today + 25 * DAY)
    home.sync()
    assert [(c["status"], c["nights"]) for c in home.conflicts()] == [("open", [home.day(n) for n in (22, 23, 24)])]
    assert len(home.news()) == 2

    with pytest.raises(UnknownIdError):
        home.bokit.bookings.acknowledge(DEFAULT_TENANT, home.flat + ".none", by="user:rosa")


def test_a_third_guest_joins_the_conflict(home):
    """It keeps its id and is reported once more, acknowledged or not; the page of conflicts has it once, with all three."""
    home.book(AIRBNB, 20, 24)
    home.book(VRBO, 22, 26)
    home.sync()
    (conflict,) = home.conflicts()
    home.bokit.bookings.acknowledge(DEFAULT_TENANT, conflict["id"], by="user:rosa")

    made = home.bokit.bookings.create(
        DEFAULT_TENANT, home.flat, {"check_in": home.day(25), "check_out": home.day(28), "guest_name": "Ann"}, by="user:rosa"
    )

    (after,) = home.conflicts()
    assert (after["id"], after["status"]) == (conflict["id"], "open")
    assert after["bookings"] == [*conflict["bookings"], made["id"]]
    assert after["nights"] == [home.day(22), home.day(23), home.day(25)]
    assert home.news() == ["conflict.opened", "conflict.opened"]

    home.bokit.bookings.acknowledge(DEFAULT_TENANT, conflict["id"], by="user:rosa")
    home.bokit.bookings.edit(DEFAULT_TENANT, made["id"], {"status": "cancelled"}, by="user:rosa")
    assert [(c["id"], c["status"], c["bookings"]) for c in home.conflicts()] == [
        (conflict["id"], "acknowledged", conflict["bookings"])
    ]
    assert len(home.news()) == 2


def test_a_missing_booking_stays_in_its_conflict_and_takes_nobody_in(home):
    """Its guest has most likely left: who books its nights then is in no conflict with it."""
    stay, _ = home.book(AIRBNB, 20, 24), home.book(AIRBNB, 60, 64)
    home.book(VRBO, 22, 26)
    home.sync()
    (conflict,) = home.conflicts()
    home.world.cancel(stay)
    home.sync()

    made = home.bokit.bookings.create(
        DEFAULT_TENANT, home.flat, {"check_in": home.day(20), "check_out": home.day(22), "guest_name": "Ann"}, by="user:rosa"
    )

    assert made["conflicts"] == []
    assert [c["bookings"] for c in home.conflicts()] == [conflict["bookings"]]
    assert home.news() == ["conflict.opened"]


@pytest.mark.parametrize("quiet", [True, False])
def test_pairs_of_the_former_release_become_a_group_at_the_next_write(home, quiet):
    """Until then they are listed as they are; then one goes on with all three, acknowledged if all were, and without a notice."""
    home.book(AIRBNB, 20, 26)
    home.book(VRBO, 20, 26)
    home.sync()
    values = {"check_in": home.day(22), "check_out": home.day(24), "guest_name": "Ann"}
    hand = home.bokit.bookings.create(DEFAULT_TENANT, home.flat, values, by="user:rosa")
    former_pairs(home, quiet=quiet)
    before = home.conflicts()
    assert sorted(len(c["bookings"]) for c in before) == [2, 2, 2]
    news = home.news()

    home.bokit.bookings.edit(DEFAULT_TENANT, hand["id"], {"notes": "asked her"}, by="user:rosa")

    (after,) = home.conflicts()
    assert after["id"] in {c["id"] for c in before}
    assert len(after["bookings"]) == 3
    assert after["status"] == ("acknowledged" if quiet else "open")
    assert home.news() == news


def former_pairs(home, *, quiet):
    """Write the conflict of three bookings as the former release did: as three pairs, which know of no further records."""
    (group,) = home.store.load_records(DEFAULT_TENANT, CONFLICTS, Scope(home.flat))
    known = {"acknowledged_at": "2026-06-01T10:00:00.000000Z", "acknowledged_by": "user:rosa"} if quiet else {}
    remote = {name: value for name, value in group.remote.items() if name != "also"} | known
    pairs = [{**remote, "bookings": list(pair)} for pair in combinations(group.remote["bookings"], 2)]
    others = [f"{home.flat}.former{n}" for n in range(2)]
    records = [
        replace(group, remote=pairs[0]),
        *(replace(group, id=i, key=i, version=0, remote=pair) for i, pair in zip(others, pairs[1:], strict=True)),
    ]
    home.store.apply_records(records, [], lease=None)


def test_a_released_source_closes_its_conflicts(home):
    """A removed source still holds its nights, and the conflict stands; released, it is closed at once."""
    home.book(AIRBNB, 20, 24)
    home.book(VRBO, 22, 26)
    home.sync()
    source = next(s for s in home.store.load_sources(DEFAULT_TENANT) if s.name == VRBO)

    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")
    assert len(home.conflicts()) == 1
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, release=True, by="user:rosa")
    assert home.conflicts() == []


def test_linked_units_meet_and_unlinked_ones_do_not(home):
    """Linking opens what was apart, unlinking closes it; either unit shows the conflict, and the night shows both."""
    app = home.add_unit("Villa")
    home.add_feed(BOOKING, app)
    home.book(AIRBNB, 20, 24)
    home.book(BOOKING, 22, 30)
    home.sync()
    assert home.conflicts(home.flat, app) == []

    home.bokit.catalog.edit_unit(DEFAULT_TENANT, app, {"parts": [home.flat]})
    assert [c["id"] for c in home.conflicts(home.flat)] == [c["id"] for c in home.conflicts(app)]
    (night,) = home.bokit.bookings.explain(DEFAULT_TENANT, [home.flat], home.today + 25 * DAY)
    assert [(by["unit_id"], by["why"]) for by in night["by"]] == [(app, ["its dates hold the night"])]
    home.bokit.catalog.edit_unit(DEFAULT_TENANT, app, {"parts": []})
    assert home.conflicts(home.flat, app) == []


def test_a_turnover_is_the_units_else_the_propertys(home):
    """Set on the property it counts for its units, where they say nothing else."""
    home.book(AIRBNB, 20, 24)
    home.book(VRBO, 24, 26)
    home.sync()
    assert home.conflicts() == []

    home.bokit.catalog.edit_property(DEFAULT_TENANT, home.rosa.id, {"turnover_days": 1})
    assert [(c["is_turnover"], c["nights"]) for c in home.conflicts()] == [(True, [home.day(24)])]
    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"turnover_days": 0})
    assert home.conflicts() == []


def test_an_echo_is_reported_as_such_and_becomes_a_conflict_when_its_original_moves(home):
    """The closure repeats the stay; when that is moved away for good, the closure is one of its own, and meets the next."""
    home.add_feed(BOOKING)
    home.sync()
    stay = home.book(AIRBNB, 20, 24)
    home.sync()
    home.book(BOOKING, 20, 24)
    home.sync()
    (own, echo) = home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat])
    own, echo = (own, echo) if own["state"] == "own" else (echo, own)
    assert (echo["state"], echo["echo_of"], own["echoes"]) == ("echo", [own["id"]], [echo["id"]])

    home.world.move(stay, home.today + 23 * DAY, home.today + 27 * DAY)
    home.sync()
    assert home.conflicts() == [], "its platform may not have dropped it yet"
    for _ in range(37):
        home.sync()

    assert [c["nights"] for c in home.conflicts()] == [[home.day(23)]], "time alone found it, though no feed changed"


def test_a_held_plan_that_a_person_applies_closes_the_conflict(home):
    """What a person releases ends at once."""
    stays = [home.book(AIRBNB, first, first + 4) for first in (20, 40, 50)]
    home.book(VRBO, 22, 26)
    home.sync()  # more than three new bookings at once would wait for a second fetch
    stays += [home.book(AIRBNB, first, first + 4) for first in (60, 70, 80)]
    home.sync()
    source = next(s for s in home.store.load_sources(DEFAULT_TENANT) if s.name == AIRBNB)
    for stay in stays:
        home.world.cancel(stay)
    home.sync()
    assert len(home.conflicts()) == 1
    hold = home.bokit.records.find_hold(DEFAULT_TENANT, source.id)

    home.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=hold.plan_hash, apply=True, by="user:rosa")

    assert home.conflicts() == []
