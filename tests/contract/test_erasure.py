"""Erased guests: of one that was planted everywhere nothing is left in any item, nor comes back while the feed shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bokit.core.bookings.stay import held_nights
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.records import Presence, Record
from bokit.engine.bookings.receipts import ReceiptDocument
from bokit.errors import StateError
from bokit.store.memory.store import MemoryStore
from bokit.values import replace
from tests.support.door_app import GENERIC, DoorApp, calendar, event, stay
from tests.support.stored_texts import stored_texts

WORDS = ("zebedee", "quillfeather", "hmqqqqqqqq", "9187391", "quill.example", "vegan")
NAME = "Zebedee Quillfeather"
HOOK = "https://hooks.example/a"
GUEST = stay("Q", 20, 24, uid="guest", phone="7391")
OTHER = stay("B", 30, 33)
THIRD = stay("C", 40, 42)


class GuestApp(DoorApp):
    """A host whose guest is in everything that is stored and sent."""

    def erase(self, who: str = NAME, by: str = "user:rosa") -> Any:
        """Erase whom *who* means, as a person does: find, look, confirm."""
        service, search = self.bokit.bookings.erasing, self.bokit.bookings.guests
        ids = [found.record.id for found in search.find_all(DEFAULT_TENANT, who)]
        plan = service.plan(DEFAULT_TENANT, ids)
        return service.erase(DEFAULT_TENANT, ids, plan=plan.plan_hash, by=by)

    def found(self) -> set[str]:
        """Return which of the guest's words are stored anywhere."""
        everything = [text.lower() for text in stored_texts(self.store)]
        return {word for word in WORDS if any(word in text for text in everything)}

    def guest(self) -> Record:
        """Return the booking of the twentieth of December."""
        return next(r for r in self.records() if r.remote["check_in"] == "2026-12-21")

    def shown(self) -> list[Any]:
        """Return the names, codes and nights of the flat's reservations that a person sees."""
        docs = self.bokit.bookings.list_bookings(DEFAULT_TENANT, [self.unit])
        return [(d["guest_name"], d["reservation_code"], d["check_in"], d["check_out"]) for d in docs if d["blocks_nights"]]


def plant(app: GuestApp) -> None:
    """Put the guest into the feed, edits, the change log, the snapshot, a calendar with details, and a door code."""
    app.add(calendar(GUEST, OTHER, THIRD))
    app.bokit.webhooks.add(DEFAULT_TENANT, {"url": "https://hooks.example/", "details": True})
    record_id = app.guest().id
    for values in (
        {"guest_name": "Zebedee"},
        {"guest_name": NAME, "phone": "+39 055 9187391", "email": "zeb@quill.example"},
        {"notes": f"{NAME} is vegan"},
        {"notes": "a person who is vegan"},
    ):
        app.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, values, by="user:rosa")
    app.set("export.anonymous", False)
    app.bokit.calendars.open(DEFAULT_TENANT, app.unit)
    app.set("access.source", "phone")
    assert app.code(record_id) == "7391"
    app.sync(calendar(GUEST, OTHER, THIRD, event("note", 60, 61, summary="Reserved")))
    app.bokit.events.drain()


NAMED = event("n-1", 20, 24, summary=NAME)
NAMED_OTHERS = event("n-2", 30, 33, summary="Ann Lee") + event("n-3", 40, 42, summary="Bob Ray")


@pytest.fixture
def named() -> GuestApp:
    """A host whose feed has names in its summaries, and no code."""
    made = GuestApp(store=MemoryStore())
    made.add(calendar(NAMED, NAMED_OTHERS, prodid=GENERIC))
    assert made.found() == {"zebedee", "quillfeather"}
    return made


@pytest.fixture
def coded() -> GuestApp:
    """A host whose feed has codes and the last digits of phones."""
    made = GuestApp(store=MemoryStore(), access_source="phone")
    made.add(calendar(GUEST, OTHER, THIRD))
    return made


@pytest.fixture
def app(shared_store: Any) -> GuestApp:
    made = GuestApp(store=shared_store)
    plant(made)
    return made


def test_nothing_of_an_erased_guest_is_left_or_comes_back(app: GuestApp) -> None:
    """In no item, also while the feed still shows the guest; the nights stay held, under the same id and UID."""
    assert app.found() == set(WORDS)
    assert any("BEGIN:VCALENDAR" in text and NAME in text for text in stored_texts(app.store))
    before = app.guest()

    receipt = app.erase()
    after = app.guest()

    assert app.found() == set()
    assert (after.id, after.key, held_nights(after)) == (before.id, before.key, held_nights(before))
    assert receipt["bookings"] == [before.id]
    assert receipt["counts"]["fields"] >= 5
    assert receipt["counts"]["changes"] >= 4
    assert receipt["counts"]["events"] == 1
    bodies = [calendar(GUEST, OTHER, event("more", 70 + n, 71 + n, summary="Reserved")) for n in range(3)]
    for body in bodies:
        app.sync(body)
        assert app.found() == set()
    assert app.guest().id == before.id
    assert app.guest().presence is Presence.PRESENT


def test_alerts_that_wait_and_notices_name_no_guest(app: GuestApp) -> None:
    """Of a double booking of the guest's nights, before the erasure as after it: an alert that waits is stored with its text."""
    channel = app.bokit.alerts.add(DEFAULT_TENANT, {"kind": "webhook", "url": HOOK})
    app.by_hand(19, 22, guest_name="Ann Lee")
    app.bokit.events.drain()
    app.clock.move(minutes=5)
    app.bokit.alert_delivery.run_due()
    waiting = app.store.load_alert_state(DEFAULT_TENANT, channel.id).pending
    texts = repr([waiting, list(app.alerts.notices.values())]).lower()

    assert [alert.type for alert in waiting] == ["conflict.opened"]
    assert any("conflict" in notice.type for notice in app.alerts.notices.values())
    assert not [word for word in WORDS if word in texts]
    app.erase()
    assert app.found() == set()


def test_a_delivery_that_waits_sends_no_guest(coded: GuestApp) -> None:
    """With details the booking is read at each attempt: one that failed before the erasure is sent without its guest."""
    coded.bokit.webhooks.add(DEFAULT_TENANT, {"url": HOOK, "details": True})
    coded.receivers.shelf[HOOK] = 503
    coded.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, coded.guest().id, {"guest_name": NAME}, by="user:rosa")
    coded.bokit.events.drain()
    sent = repr(coded.receivers.came)
    coded.erase()
    coded.receivers.came.clear()
    coded.receivers.shelf[HOOK] = 204
    coded.clock.move(hours=2)
    coded.bokit.tick()

    assert NAME in sent
    assert coded.receivers.came
    assert not [word for word in WORDS if word in repr(coded.receivers.came).lower()]


def test_another_record_of_the_same_booking_goes_with_it(coded: GuestApp) -> None:
    """Which a channel manager shows by its name alone; both are erased, and stay one booking."""
    manager = calendar(event("m-1", 20, 24, summary=NAME), prodid=GENERIC)
    feeds = {"https://feeds.example/flat.ics": coded.feed.body, "https://feeds.example/manager.ics": manager}
    coded.feed.bodies = feeds
    values = {"name": "Manager", "url": "https://feeds.example/manager.ics"}
    coded.bokit.catalog.sources.add(DEFAULT_TENANT, coded.unit, values)
    coded.sync()
    joint = [d for d in coded.bokit.bookings.list_bookings(DEFAULT_TENANT, [coded.unit]) if d["check_in"] == "2026-12-21"]
    receipt = coded.erase("HMQQQQQQQQ")
    feeds["https://feeds.example/manager.ics"] = calendar(
        event("m-1", 20, 24, summary=NAME), event("m-2", 80, 82, summary="Reserved"), prodid=GENERIC
    )
    coded.sync()
    after = [d for d in coded.bokit.bookings.list_bookings(DEFAULT_TENANT, [coded.unit]) if d["check_in"] == "2026-12-21"]

    assert ([len(d["sources"]) for d in joint], len(receipt["bookings"])) == ([2], 2)
    assert ([d["id"] for d in after], [len(d["sources"]) for d in after]) == ([d["id"] for d in joint], [2])
    assert coded.bokit.bookings.list_conflicts(DEFAULT_TENANT, [coded.unit]) == []
    assert coded.found() == set()


def test_only_the_plan_that_was_shown_is_erased(coded: GuestApp) -> None:
    """Without it, or after a change, nothing is written, and the error has the plan."""
    service, record_id = coded.bokit.bookings.erasing, coded.guest().id
    with pytest.raises(StateError) as refused:
        service.erase(DEFAULT_TENANT, [record_id], plan=None, by="user:rosa")
    coded.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, {"notes": "late"}, by="user:rosa")
    with pytest.raises(StateError) as changed:
        service.erase(DEFAULT_TENANT, [record_id], plan=str(refused.value.facts["plan"]), by="user:rosa")

    assert (refused.value.stable_code, changed.value.stable_code) == ("not-confirmed", "plan-changed")
    assert coded.guest().remote["reservation_code"] == "HMQQQQQQQQ"
    assert service.list_receipts(DEFAULT_TENANT) == []


@pytest.mark.parametrize("who", [NAME, "quillfeather zebedee", "n-1 nobody", "Ann"])
def test_a_guest_is_found_by_all_words_of_a_name(named: GuestApp, who: str) -> None:
    """In any order and case; another's booking is not."""
    found = [f.record.remote["summary"] for f in named.bokit.bookings.guests.find_all(DEFAULT_TENANT, who)]

    assert found == {"n-1 nobody": [], "Ann": ["Ann Lee"]}.get(who, [NAME])


@pytest.mark.parametrize("who", ["HMQQQQQQQQ", "hmqqqqqqqq", "+39 055 123 7391", "7391", "ZEB@quill.example"])
def test_a_guest_is_found_by_code_phone_and_address(coded: GuestApp, who: str) -> None:
    """Also in what an edit replaced, which the change log holds."""
    record_id = coded.guest().id
    for email in ("zeb@quill.example", "another@quill.example"):
        coded.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, {"email": email}, by="user:rosa")

    assert [f.record.id for f in coded.bokit.bookings.guests.find_all(DEFAULT_TENANT, who)] == [record_id]


def test_a_search_goes_on_page_by_page(coded: GuestApp) -> None:
    """Where one page may look into one booking alone, all are found by as many pages, each once."""
    search = coded.bokit.bookings.guests
    search.max_records = 1
    first = search.find(DEFAULT_TENANT, "reserved hm")
    found = [search.find_all(DEFAULT_TENANT, f"HM{letter * 8}") for letter in "QBC"]

    assert first.cursor is not None
    assert [len(guests) for guests in found] == [1, 1, 1]


def test_an_erased_booking_moves_with_its_code(coded: GuestApp) -> None:
    """Under another UID and on other nights it is the same booking, without its guest."""
    record_id = coded.guest().id
    coded.erase("HMQQQQQQQQ")
    coded.sync(calendar(stay("Q", 22, 27, uid="another", phone="7391"), OTHER, THIRD))

    moved = next(r for r in coded.records() if r.id == record_id)
    assert (moved.remote["check_in"], moved.remote["check_out"]) == ("2026-12-23", "2026-12-28")
    assert len(coded.records()) == 3
    assert coded.found() == set()


def test_an_erased_booking_moves_with_its_name(named: GuestApp) -> None:
    """In a feed without codes, whose UIDs changed too, the name that the feed shows is recognised, and not stored."""
    record_id = named.guest().id
    named.erase()
    named.sync(calendar(event("n-9", 21, 25, summary=NAME), NAMED_OTHERS, prodid=GENERIC))

    moved = next(r for r in named.records() if r.id == record_id)
    assert moved.remote["check_out"] == "2026-12-26"
    assert len(named.records()) == 3
    assert named.found() == set()


def test_another_guest_on_the_same_nights_is_another_booking(named: GuestApp) -> None:
    """The name differs from what was erased, so nothing of the new guest is left out."""
    named.erase()
    named.sync(calendar(event("n-9", 20, 24, summary="Cleo Ross"), NAMED_OTHERS, prodid=GENERIC))

    assert "Cleo Ross" in {d["summary"] for d in named.bokit.bookings.list_bookings(DEFAULT_TENANT, [named.unit])}


def test_a_new_booking_of_the_guest_is_shown(coded: GuestApp) -> None:
    """With a code, a UID and dates of its own: what was erased is what was there."""
    coded.erase("HMQQQQQQQQ")
    coded.sync(calendar(GUEST, OTHER, THIRD, stay("Z", 50, 52, phone="7391")))

    assert (None, "HMZZZZZZZZ", "2027-01-20", "2027-01-22") in coded.shown()
    assert (None, None, "2026-12-21", "2026-12-25") in coded.shown()


def test_time_alone_judges_an_erased_booking_by_what_is_kept(coded: GuestApp) -> None:
    """A stay that goes missing beside it is cancelled by an unchanged feed; the erased one stays, under its id."""
    record_id = coded.guest().id
    coded.erase("HMQQQQQQQQ")
    coded.sync(calendar(GUEST, OTHER))
    for _ in range(30):
        coded.sync()

    presences = {r.remote["check_in"]: r.presence for r in coded.records()}
    assert presences == {"2026-12-21": Presence.PRESENT, "2026-12-31": Presence.PRESENT, "2027-01-10": Presence.GONE}
    assert coded.guest().id == record_id
    assert coded.found() == set()


def test_an_erased_booking_is_cancelled_and_comes_back(coded: GuestApp) -> None:
    """By the evidence that its code still is; restored, it has no guest."""
    record_id = coded.guest().id
    coded.erase("HMQQQQQQQQ")
    for _ in range(30):
        coded.sync(calendar(OTHER, THIRD))
    gone = next(r for r in coded.records() if r.id == record_id)
    coded.sync(calendar(stay("Q", 20, 24, uid="new", phone="7391"), OTHER, THIRD))

    assert gone.presence is Presence.GONE
    assert coded.guest().id == record_id
    assert coded.guest().presence is Presence.PRESENT
    assert coded.found() == set()


def test_undo_brings_no_guest_back(coded: GuestApp) -> None:
    """Neither of an edit nor of a run: their lines say nothing of the guest any more."""
    record_id = coded.guest().id
    coded.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, {"guest_name": "Zebedee"}, by="user:rosa")
    coded.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record_id, {"guest_name": "Rosa"}, by="user:rosa")
    lines = [c.id for c in coded.bokit.records.list_changes(DEFAULT_TENANT, record_id).items]
    runs = [run.run_id for run in coded.store.load_runs(DEFAULT_TENANT).items]
    coded.erase("HMQQQQQQQQ")
    for undone in (*lines, *runs):
        plan = coded.bokit.bookings.undo.plan(DEFAULT_TENANT, undone, by="user:rosa")
        coded.bokit.bookings.undo.apply(plan, by="user:rosa", confirmed=True)
        assert coded.found() == set()
    assert "guest_name" not in next(r for r in coded.records() if r.id == record_id).fields


def test_a_door_code_of_a_stay_to_come_stays_and_is_said_to_be_of_the_phone(coded: GuestApp) -> None:
    """The guest stands before the door; the code goes when the stay is over and the guest is erased again."""
    record_id = coded.guest().id
    assert coded.code(record_id) == "7391"
    plan = coded.bokit.bookings.erasing.plan(DEFAULT_TENANT, [record_id])
    coded.erase("HMQQQQQQQQ")

    assert plan.phone_codes == (record_id,)
    assert coded.code(record_id) == "7391"
    coded.clock.move(days=40)
    receipt = coded.erase("HMQQQQQQQQ") if coded.bokit.bookings.guests.find_all(DEFAULT_TENANT, "HMQQQQQQQQ") else None
    assert receipt is None
    again = coded.bokit.bookings.erasing.plan(DEFAULT_TENANT, [record_id])
    done = coded.bokit.bookings.erasing.apply(again, by="user:rosa", reason="request")
    assert done["counts"]["door_codes"] == 1
    assert '"origin": "phone"' not in coded.stored()


def test_guests_go_so_many_days_after_departure(coded: GuestApp) -> None:
    """Once a day, a part an hour, with receipts; stays to come, and those that ended later, keep theirs."""
    coded.set("guest.keep_days", 10)
    coded.clock.at = coded.clock.at.replace(year=2027, month=1, day=14, hour=6, minute=6)
    service = coded.bokit.bookings.retention
    early = coded.bokit.tick()
    coded.clock.at = coded.clock.at.replace(minute=7)
    done, again = coded.bokit.tick(), service.run_due()
    codes = [record.remote.get("reservation_code") for record in coded.records()]
    state = coded.bokit.status.load_status(DEFAULT_TENANT)["retention"]

    assert (early.erased, done.erased, done.error, again.count) == (0, 2, None, 0)
    assert codes == [None, None, "HMCCCCCCCC"]
    assert [r["reason"] for r in coded.bokit.bookings.erasing.list_receipts(DEFAULT_TENANT)] == ["retention"]
    assert state is not None
    assert (state["keep_days"], state["erased"], state["error"]) == (10, 2, None)
    assert state["last_run_at"] is not None
    assert coded.clock.at - state["last_run_at"] < timedelta(seconds=1)


def test_retention_goes_on_where_it_stopped(coded: GuestApp) -> None:
    """With so little room that it takes several ticks, each erases others, until nothing is left."""
    coded.clock.at = coded.clock.at.replace(year=2027, month=6, day=1)
    service = coded.bokit.bookings.retention
    parts = [service.run(DEFAULT_TENANT, 10, limit=1) for _ in range(5)]

    assert (sum(parts), parts[-1], max(parts)) == (3, 0, 1)
    assert all("erased" in record.memory for record in coded.records())


def test_a_retention_that_fails_is_seen(coded: GuestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the tick's report, whose function fails, and in the status until it ends well."""
    coded.set("guest.keep_days", 10)
    coded.clock.at = coded.clock.at.replace(year=2027, month=6, day=1, hour=6, minute=7)

    def fail(*_: Any, **__: Any) -> None:
        raise StateError("the source is being synced; try again in a moment", code="lease-held")

    with monkeypatch.context() as broken:
        broken.setattr(coded.bokit.bookings.erasing, "apply", fail)
        report = coded.bokit.tick()
    failed = coded.bokit.status.load_status(DEFAULT_TENANT)["retention"]
    coded.bokit.tick()
    ended = coded.bokit.status.load_status(DEFAULT_TENANT)["retention"]

    assert isinstance(report.error, StateError)
    assert failed is not None
    assert ended is not None
    assert (failed["error"], ended["error"], ended["erased"]) == (
        "the source is being synced; try again in a moment",
        None,
        3,
    )


def test_receipts_erase_again_what_a_restored_table_has(coded: GuestApp) -> None:
    """A receipt names bookings and nobody; on a table from before it, the same guests go again, and only once."""
    before = coded.guest()
    receipt = coded.erase("HMQQQQQQQQ")
    stored = coded.guest()
    coded.store.apply_records([replace(before, version=stored.version, lines=stored.lines)], [], lease=None)
    assert "hmqqqqqqqq" in coded.found()

    service = coded.bokit.bookings.erasing
    receipts: list[ReceiptDocument] = service.list_receipts(DEFAULT_TENANT)
    again = service.repeat(DEFAULT_TENANT, receipts, by="user:rosa")

    assert receipts == [receipt]
    assert [r["bookings"] for r in again] == [[before.id]]
    assert coded.found() == set()
    assert service.repeat(DEFAULT_TENANT, service.list_receipts(DEFAULT_TENANT), by="user:rosa") == []
