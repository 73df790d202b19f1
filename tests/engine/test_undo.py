"""What a run, an edit or an applied plan did is given back, as far as nothing changed it since."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.records import LoggedChange, Presence, Record, RunId
from bokit.core.model.runs import Outcome
from bokit.core.occupancy.out_calendar import CalendarChoice
from bokit.engine.bookings.undo import UndoPlan
from bokit.errors import StateError, UnknownIdError
from bokit.values import replace
from tests.support.feed_shapes import ShapedEvent, word, write
from tests.support.one_feed_app import OneFeedApp

ROSA = "user:rosa"
MINE = [ShapedEvent(f"{i}@x", 40 + 5 * i, 3, f"Reserved - {word(i)}") for i in range(8)]


class Home(OneFeedApp):
    """A flat whose feed was read well, and whose calendar is published."""

    def __init__(self) -> None:
        super().__init__()
        self.source = self.add(write(MINE))
        self.sync(times=2)
        self.out = self.bokit.calendars.open(DEFAULT_TENANT, self.unit, CalendarChoice())

    def published(self) -> bytes:
        """Return the outgoing calendar, as its events' dates alone."""
        page = self.bokit.feeds.serve(self.bokit.calendars.token_of(self.out))
        assert page is not None
        return b"\n".join(line for line in page.body.split(b"\r\n") if line.startswith((b"DTSTART", b"DTEND")))

    def seen(self) -> Any:
        """Return what a host and the platforms see: fields, nights, and the outgoing calendar."""
        return [r.fields for r in self.records()], self.held(), self.published()

    def edit(self, record: Record, **values: Any) -> None:  # type: ignore[override]
        self.clock.move(minutes=1)
        self.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record.id, values, by=ROSA)

    def log(self, record: Record) -> tuple[LoggedChange, ...]:
        return tuple(self.store.load_changes(DEFAULT_TENANT, record.id).items)

    def last(self, record: Record) -> str:
        return self.log(record)[0].id

    def undo(self, word: str, *, confirmed: bool = False, releases: bool = False) -> UndoPlan:
        self.clock.move(minutes=1)
        plan = self.bokit.bookings.undo.plan(DEFAULT_TENANT, word, by=ROSA, releases=releases)
        self.bokit.bookings.undo.apply(plan, by=ROSA, confirmed=confirmed)
        return plan

    def apply_held(self) -> RunId:
        run = self.bokit.records.resolve_hold(DEFAULT_TENANT, self.source.id, plan_hash=None, apply=True, by=ROSA)
        return run.run_id

    def run(self) -> RunId:
        return self.bokit.status.load_history(DEFAULT_TENANT).items[0].run_id


@pytest.fixture
def home() -> Home:
    return Home()


def later(event: ShapedEvent, days: int) -> ShapedEvent:
    return dataclasses.replace(event, first=event.first + days)


def test_an_edit_is_undone_and_the_field_is_its_source_s_again(home):
    """The nights that only the edit held are freed once that is confirmed; nothing of the edit remains."""
    before, record = home.seen(), home.records()[0]
    check_out = (home.clock.at.date() + timedelta(days=90)).isoformat()
    home.edit(record, check_out=check_out, guest_name="Ann")
    change = home.last(record)
    with pytest.raises(StateError) as caught:
        home.undo(change)
    assert (caught.value.stable_code, home.records()[0].fields["guest_name"]) == ("frees-nights", "Ann")

    plan = home.undo(change, confirmed=True)

    assert (home.seen(), home.records()[0].edits) == (before, {})
    assert plan.frees == len(plan.steps[0].frees) > 30
    assert home.log(record)[0].reason == f"undo of {change}"


def test_an_undo_is_undone(home):
    """Undo is in the change log as any change, and what it did is given back the same way."""
    record = home.records()[0]
    home.edit(record, guest_name="Ann")
    edited = home.seen()
    home.undo(home.last(record))
    home.undo(home.last(record))
    assert home.seen() == edited
    assert [c.action for c in home.log(record)[:3]] == ["undo", "undo", "edit"]


def test_a_field_that_was_changed_since_is_left_alone(home):
    """A later edit of one field stands and is named; the other field is given back."""
    record = home.records()[0]
    home.edit(record, guest_name="Ann", notes="late")
    change = home.last(record)
    home.edit(record, guest_name="Bea")
    home.edit(record, guest_name="Ann")
    since = home.last(record)

    plan = home.undo(change)

    fields = home.records()[0].fields
    assert (fields["guest_name"], fields.get("notes")) == ("Ann", None)
    assert plan.steps[0].left == {"guest_name": f"changed since by {ROSA}: {since}"}


def test_an_edit_of_an_edit_gives_back_the_first(home):
    """The value before was a person's, and is a person's again, on the source's base."""
    record = home.records()[0]
    home.edit(record, guest_name="Ann")
    home.edit(record, guest_name="Bea")
    home.undo(home.last(record))
    edit = home.records()[0].edits["guest_name"]
    assert (edit.value, edit.base) == ("Ann", record.remote.get("guest_name"))


def test_a_run_s_dates_are_given_back_as_an_edit_that_the_next_sync_keeps(home):
    """The feed says the same again and again: the undone dates stay, and its own nights stay held until released."""
    record = home.records()[0]
    was = record.fields["check_in"], record.fields["check_out"]
    home.sync(write([later(MINE[0], -20), *MINE[1:]]))
    run = home.run()
    moved = next(r for r in home.records() if r.id == record.id).fields
    assert moved["check_in"] < was[0]

    plan = home.undo(run)
    home.sync(times=3)

    after = next(r for r in home.records() if r.id == record.id)
    assert (after.fields["check_in"], after.fields["check_out"]) == was
    assert set(after.edits) == {"check_in", "check_out"}
    assert len(plan.steps[0].kept) == 3
    assert plan.frees == 0
    assert {n.isoformat() for n in home.held()} >= {moved["check_in"], was[0]}


def test_an_undone_move_frees_the_source_s_nights_only_where_asked(home):
    """With release the booking holds what it held before, once that is confirmed."""
    before = home.held()
    home.sync(write([later(MINE[0], -20), *MINE[1:]]))
    run = home.run()
    with pytest.raises(StateError):
        home.undo(run, releases=True)
    home.undo(run, releases=True, confirmed=True)
    assert home.held() == before


def test_a_wrong_apply_held_is_undone_and_the_guard_judges_again(home):
    """Nights, fields and the outgoing calendar are as before; the same body is held again at once, and frees nothing."""
    before = home.seen()
    assert home.sync(write(MINE[:2])).outcome is Outcome.HELD
    run = home.apply_held()
    assert home.held() < before[1]
    assert home.published() != before[2]

    home.undo(run)

    assert home.seen() == before
    assert {r.presence for r in home.records()} == {Presence.PRESENT}
    assert (home.sync().outcome, home.seen()) == (Outcome.HELD, before)
    assert (home.sync(write(MINE)).outcome, home.seen()) == (Outcome.UNCHANGED, before)


def test_what_is_brought_back_is_cancelled_by_evidence_of_its_own(home):
    """A stay that vanished and was undone is cancelled again after the same wait, not at once."""
    record = home.records()[0]
    home.sync(write(MINE[1:]), times=30)
    assert home.records()[0].presence is Presence.GONE
    (line, *_) = home.log(record)
    home.undo(line.id)

    home.sync(times=3)
    assert home.records()[0].presence is Presence.MISSING
    home.sync(times=40)
    assert home.records()[0].presence is Presence.GONE


def test_the_undo_of_a_run_is_a_run(home):
    """Undone, its bookings are as the run left them; nights that their source would still hold are freed where asked."""
    home.sync(write(MINE[:2]))
    run = home.apply_held()
    applied = home.held()
    home.undo(run)
    again = home.run()
    assert again != run
    back = home.held()
    home.undo(again)
    assert home.held() == back > applied
    assert {r.fields["status"] for r in home.records()} == {"undefined", "vanished"}
    home.undo(home.run())
    with pytest.raises(StateError):
        home.undo(home.run(), releases=True)
    home.undo(home.run(), releases=True, confirmed=True)
    assert home.held() == applied


def test_a_booking_that_a_run_made_stays_held_while_its_source_shows_it(home):
    """Undone, it is deleted; its nights are freed only with release, since the feed still closes them."""
    before = home.held()
    home.sync(write([*MINE, ShapedEvent("new@x", 200, 3, "Reserved - Cleo")]))
    run = home.run()
    (step,) = home.undo(run).steps
    assert (step.after.fields["status"], step.frees, len(step.kept)) == ("deleted", (), 3)
    home.undo(home.last(step.after))
    home.sync()
    assert (home.records()[-1].edits, home.held() > before) == ({}, True)


def test_a_booking_by_hand_is_undone_and_made_again(home):
    """Its nights are freed once that is confirmed; undoing that holds them again."""
    before = home.held()
    days = {"check_in": "2027-08-01", "check_out": "2027-08-05"}
    doc = home.bokit.bookings.create(DEFAULT_TENANT, home.unit, days, by=ROSA)
    record = home.store.load_record(DEFAULT_TENANT, BOOKINGS, doc["id"])
    home.undo(home.last(record), confirmed=True)
    assert home.held() == before
    home.undo(home.last(record))
    assert len(home.held() - before) == 4


def test_what_the_history_does_not_hold_cannot_be_undone(home):
    """An unknown run, change or booking is named as such."""
    record = home.records()[0]
    for word_ in ("run_unknown", f"{record.id}@99", f"{home.unit}.none@1"):
        with pytest.raises(UnknownIdError):
            home.undo(word_)


def test_a_booking_that_its_source_cancelled_is_held_again_for_good(home):
    """The source says so at every fetch: the status before is a person's edit, which stands."""
    before, event = home.seen(), MINE[0].text()
    home.sync(write(MINE).replace(event.encode(), event.replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY").encode()))
    record = home.records()[0]
    assert (record.fields["status"], record.presence) == ("cancelled", Presence.GONE)

    home.undo(home.run())
    home.sync(times=3)

    assert home.seen() == before
    assert [d["blocks_nights"] for d in home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.unit])] == [True] * 8


def test_a_plan_that_grew_old_is_refused(home):
    """A booking that was edited after the plan was shown is not overwritten."""
    record = home.records()[0]
    home.edit(record, guest_name="Ann")
    plan = home.bokit.bookings.undo.plan(DEFAULT_TENANT, home.last(record), by=ROSA)
    home.edit(record, guest_name="Bea")
    with pytest.raises(StateError) as caught:
        home.bokit.bookings.undo.apply(plan, by=ROSA, confirmed=True)
    assert (caught.value.stable_code, home.records()[0].fields["guest_name"]) == ("plan-changed", "Bea")


def test_what_a_removed_source_released_is_given_back(home):
    """Each booking that the removal released is held again by its change's id, in the outgoing calendar too."""
    before = home.seen()
    home.bokit.catalog.sources.remove(DEFAULT_TENANT, home.source.id, release=True, by=ROSA)
    assert home.held() == set()

    for record in home.records():
        home.undo(home.last(record))

    assert home.seen() == before


def test_a_removed_source_is_restored_for_thirty_days(home):
    """Settings, edits, nights and calendar are as they were; it counts once, is due at once, and its feed is known as its own."""
    home.edit(home.records()[0], guest_name="Ann")
    before, sources = home.seen(), home.bokit.catalog.sources
    with pytest.raises(StateError, match="not removed"):
        sources.restore(DEFAULT_TENANT, home.source.id)
    was = sources.load(DEFAULT_TENANT, home.source.id)
    sources.remove(DEFAULT_TENANT, home.source.id, by=ROSA)
    home.clock.move(days=29)

    back = sources.restore(DEFAULT_TENANT, home.source.id)

    assert (replace(back, version=0), home.seen()[0]) == (replace(was, version=0), before[0])
    assert (home.sync().outcome, next(r.edits.keys() for r in home.records())) == (Outcome.UNCHANGED, {"guest_name"})
    sources.remove(DEFAULT_TENANT, home.source.id, by=ROSA)
    home.clock.move(days=31)
    with pytest.raises(StateError, match="too long ago"):
        sources.restore(DEFAULT_TENANT, home.source.id)
