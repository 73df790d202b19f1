"""Clients of a JSON API: what is new, what changed, what is gone, and everything that an API gets wrong."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from bokit.core.items.edit import WriteMethod
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Presence
from bokit.core.model.runs import Outcome, RunStatus
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.errors import InputError, StateError
from bokit.store.memory.store import MemoryStore
from tests.engine.clients_office import CRM, URL, Office
from tests.engine.house import Counting, Died


def only(run):
    """Return the report of a run of one source."""
    return run.sources[0]


def test_every_client_is_taken_once_and_an_unchanged_list_writes_nothing():
    """122 clients are 122 records; the second sync finds the same and touches none."""
    office = Office()

    first = office.sync()
    before = office.snapshot()
    second = office.sync()

    assert (first.counts["created"], first.counts["seen"]) == (122, 122)
    assert (only(second).outcome, second.counts["unchanged"]) == (Outcome.UNCHANGED, 122)
    assert office.snapshot() == before
    assert office.record(7).fields["contact"] == office.api.clients[7]["contact"]


@pytest.mark.parametrize(
    "told",
    [
        {"url": f"{URL}/linked?size=50", "items": "data[]", "pages": {"next": "links.next"}},
        {"url": f"{URL}/paged", "items": "@", "pages": {"page": "page", "size": 40}},
        {"url": f"{URL}/paged", "items": None, "pages": {"page": "page", "size": 61}},
        {"url": f"{URL}/paged", "items": None, "pages": {"page": "page", "size": 500}},
        {"url": f"{URL}/offset", "items": "items", "pages": {"offset": "offset", "limit": 33}},
        {"url": f"{URL}/cursor?size=30", "items": "results", "pages": {"cursor": "meta.next", "param": "cursor"}},
    ],
    ids=["next", "page", "full-last-page", "smaller-pages-than-asked", "offset", "cursor"],
)
def test_every_style_of_pages_gives_the_same(told):
    """Whatever leads from page to page, all 122 come, and a second sync finds nothing new."""
    office = Office(**told)

    assert office.sync().counts["created"] == 122
    assert only(office.sync()).outcome is Outcome.UNCHANGED
    assert sorted(int(r.key) for r in office.records()) == list(range(1, 123))


def test_fields_are_mapped_and_nothing_else_is_kept():
    """A record has the fields that the map names, found where it says."""
    office = Office(fields={"name": "name", "email": "contact.email", "city": "addresses[0].city", "none": "no.such.place"})

    office.sync()

    client = office.api.clients[5]
    assert office.record(5).fields == {
        "name": client["name"],
        "email": client["contact"]["email"],
        "city": client["addresses"][0]["city"],
        "none": None,
    }


def test_new_only_adds_what_is_new_and_leaves_edits_and_changes_alone():
    """Of 122 clients 100 are known: 22 are new, 100 exist, and neither an edit nor a change at the source is touched."""
    office = Office()
    late = {id: office.api.clients.pop(id) for id in range(101, 123)}
    office.sync()
    office.put(7, {"name": "Ada herself"})
    before = office.snapshot()
    office.api.clients |= late
    office.api.change(8, office.clock() + timedelta(hours=1), name="Changed at the source")
    office.api.remove(9)

    run = office.sync(new_only=True)

    assert (run.counts["created"], run.counts["unchanged"], run.counts["seen"]) == (22, 99, 121)
    assert {k: v for k, v in office.snapshot().items() if k in before} == before
    assert office.record(7).fields["name"] == "Ada herself"
    office.sync()
    assert (office.record(7).fields["name"], office.record(8).fields["name"]) == ("Ada herself", "Changed at the source")


def test_killed_anywhere_and_run_again_nothing_is_doubled_or_lost():
    """The process dies before or after any write of a new-only sync; the next one ends where an undisturbed one would."""
    calls = _new_only_calls(None, after=False)[1]
    assert calls > 5
    for place in range(1, calls + 1):
        for after in (False, True):
            office, _ = _new_only_calls(place, after=after)
            records = {r.key: r for r in office.records()}
            assert sorted(map(int, records)) == list(range(1, 123)), (place, after)
            assert all(
                len(office.bokit.records.list_changes(DEFAULT_TENANT, r.id).items) == 1 + (r.key == "7") for r in records.values()
            ), (place, after)
            assert records["7"].fields["name"] == "Ada herself"


def _new_only_calls(place, *, after):
    office = Office()
    late = {id: office.api.clients.pop(id) for id in range(101, 123)}
    office.sync()
    office.put(7, {"name": "Ada herself"})
    office.api.clients |= late
    office.hour()
    store = Counting(office.store)
    store.die_at, store.die_after = place, after
    plain, office.bokit = office.bokit, office.assemble(store)
    if place is None:
        office.sync(new_only=True)
    else:
        with pytest.raises(Died):
            office.sync(new_only=True)
    office.bokit = plain
    office.hour()
    office.sync(new_only=True)
    return office, len(store.calls)


def test_a_line_lost_in_the_middle_takes_no_page():
    """When the third page does not come, the first two are not taken; the next sync takes all."""
    office = Office(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 40})
    office.line.lost = range(3, 6)

    first = office.sync()

    assert (first.status, only(first).error["code"], office.records()) == (RunStatus.FAILED, "connection", [])
    assert office.pauses == [1.25, 2.5]
    office.hour()
    assert office.sync().counts["created"] == 122


def test_a_line_lost_for_a_moment_is_asked_again():
    """One lost answer costs a pause, and nothing else."""
    office = Office(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 40})
    office.line.lost = range(2, 3)

    assert office.sync().counts["created"] == 122


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("html", "not-json"),
        ("not-json", "not-json"),
        ("truncated", "not-json"),
        ("nothing", "not-json"),
        ("no-items", "no-items"),
        ("endless", "endless-pages"),
        ("same-cursor", "repeated-cursor"),
        ("401", "http-401"),
        ("403", "http-403"),
        ("404", "http-404"),
        ("429", "http-429"),
        ("500", "http-500"),
        ("503", "http-503"),
    ],
)
def test_a_wrong_answer_is_one_error_and_changes_nothing(fault, code):
    """Whatever the API says that is no list: the run fails with one code, is recorded, and no record is touched."""
    told = {"url": f"{URL}/cursor?size=50", "items": "results", "pages": {"cursor": "meta.next", "param": "cursor"}}
    office = Office(**told, on_missing="delete")
    office.sync()
    before = office.snapshot()
    office.hour()
    office.api.fault(fault)

    run = office.sync()

    assert (run.status, only(run).outcome, only(run).error["code"]) == (RunStatus.FAILED, Outcome.FAILED, code)
    assert office.snapshot() == before
    assert office.bokit.status.load_run(DEFAULT_TENANT, run.run_id).sources[0].error["code"] == code
    office.api.clear()
    office.hour()
    assert only(office.sync()).outcome in (Outcome.UNCHANGED, Outcome.CHANGED)
    assert office.snapshot() == before


def test_no_error_tells_address_key_or_client():
    """Whatever goes wrong, the report and the alerts hold neither the URL nor the key nor anybody's name."""
    office = Office()
    office.sync()
    for fault in ("html", "no-items", "duplicate-ids", "bad-email", "401", "500", "empty"):
        office.api.clear()
        office.api.fault(fault)
        office.hour()
        told = f"{office.sync()} {office.alerts.notices}"
        assert not any(secret in told for secret in ("sim-key", "crm.example/api", "Somebody Else")), fault


def test_the_same_id_twice_is_an_error_of_that_id_alone():
    """Neither of two items with one id is believed; the others are read, and the run tells which it was."""
    office = Office(on_missing="delete")
    office.sync()
    office.hour()
    office.api.change(50, office.clock(), name="New name")
    office.api.fault("duplicate-ids")

    run = office.sync()

    assert (only(run).outcome, only(run).error["code"]) == (Outcome.HELD, "partial-feed")
    assert [(p["code"], p["uid"]) for p in only(run).problems] == [("duplicate-id", "1")]
    assert office.record(50).fields["name"] == "New name"
    assert office.record(1).presence is Presence.PRESENT
    office.api.clear()
    office.hour()
    assert only(office.sync()).outcome is Outcome.UNCHANGED
    assert office.head.hold is None


SCHEMA = {
    "type": "object",
    "required": ["name", "contact"],
    "properties": {
        "name": {"type": "string"},
        "contact": {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}},
    },
}


def test_what_breaks_the_schema_is_left_as_it_was_and_told_by_field():
    """The offending record keeps what it had, the run names the field, the others are taken."""
    office = Office(collection={"schema": SCHEMA})
    office.sync()
    before = office.record(1).fields
    office.hour()
    office.api.change(2, office.clock(), name="New name")
    office.api.fault("bad-email")

    run = office.sync()

    assert [(p["code"], p["uid"], p["field"]) for p in only(run).problems] == [("schema", "1", "contact.email")]
    assert (office.record(1).fields, office.record(2).fields["name"]) == (before, "New name")
    assert only(run).outcome is Outcome.HELD


def test_a_type_that_changes_is_told_and_without_a_schema_taken():
    """Names that become objects are new values, each told; with a schema they are refused."""
    plain, strict = Office(), Office(collection={"schema": SCHEMA})
    for office in (plain, strict):
        office.sync()
        office.hour()
        office.api.fault("other-type")

    told, refused = plain.sync(), strict.sync()

    assert told.counts["updated"] == 122
    assert {p["code"] for p in only(told).problems} == {"type-changed"}
    assert isinstance(plain.record(1).fields["name"], dict)
    assert (refused.counts["updated"], only(refused).outcome) == (0, Outcome.HELD)
    assert isinstance(strict.record(1).fields["name"], str)


# ── what is gone ──


def test_a_missing_client_is_kept_marked_or_deleted_after_grace():
    """Keep: nothing happens. Mark: missing since. Delete: gone after a day and two fetches, and restored with its edits."""
    for policy, at_once, later in (("keep", "present", "present"), ("mark", "missing", "missing"), ("delete", "missing", "gone")):
        office = Office(on_missing=policy)
        office.sync()
        office.put(9, {"note": "mine"})
        lost = office.api.clients.pop(9)
        office.hour()
        office.sync()
        assert str(office.record(9).presence) == at_once, policy
        office.clock.move(hours=23)
        office.sync()
        assert str(office.record(9).presence) == at_once, policy
        office.clock.move(hours=2)
        office.sync()
        assert str(office.record(9).presence) == later, policy
        office.api.clients[9] = lost
        office.hour()
        office.sync()
        assert (str(office.record(9).presence), office.record(9).fields["note"]) == ("present", "mine"), policy


@pytest.mark.parametrize("policy", ["keep", "mark", "delete"])
def test_a_source_that_shows_nothing_is_held_and_a_person_settles_it(policy):
    """An empty list deletes nobody, whatever the policy, however often it comes; applied, it does what the policy says."""
    office = Office(on_missing=policy)
    office.sync()
    before = office.snapshot()
    office.api.fault("empty")
    for _ in range(4):
        office.clock.move(hours=20)
        run = office.sync()
        assert (only(run).outcome, only(run).error["code"]) == (Outcome.HELD, "empty-feed")
        assert office.snapshot() == before
    hold = office.bokit.records.find_hold(DEFAULT_TENANT, office.source.id)
    assert len(hold.releases) == 122

    office.bokit.records.resolve_hold(DEFAULT_TENANT, office.source.id, plan_hash=hold.plan_hash, apply=True, by="user:ada")

    wanted = {"keep": Presence.PRESENT, "mark": Presence.MISSING, "delete": Presence.GONE}[policy]
    assert {r.presence for r in office.records()} == {wanted}
    office.hour()
    assert only(office.sync()).outcome is not Outcome.HELD


def test_half_a_list_is_held_until_it_agreed_for_a_day():
    """Half of the clients gone at once are not missed at first; a discarded hold comes again, and a day of agreement ends it."""
    office = Office(on_missing="delete")
    office.sync()
    office.api.clients = {id: c for id, c in office.api.clients.items() if id % 2}
    office.hour()

    run = office.sync()
    assert (only(run).outcome, only(run).error["code"], run.counts["missing"]) == (Outcome.HELD, "shrunken-feed", 0)
    hold = office.bokit.records.find_hold(DEFAULT_TENANT, office.source.id)
    office.bokit.records.resolve_hold(DEFAULT_TENANT, office.source.id, plan_hash=hold.plan_hash, apply=False, by="user:ada")
    office.hour()
    assert only(office.sync()).outcome is Outcome.HELD
    office.clock.move(hours=25)
    assert office.sync().counts["missing"] == 61
    office.hour()
    assert office.sync().counts["cancelled"] == 61


def test_a_held_half_can_be_applied_at_once():
    """A person who knows that half of the clients left lets them go now, and those alone."""
    office = Office(on_missing="delete")
    office.sync()
    office.api.clients = {id: c for id, c in office.api.clients.items() if id % 2}
    office.hour()
    office.sync()
    hold = office.bokit.records.find_hold(DEFAULT_TENANT, office.source.id)

    office.bokit.records.resolve_hold(DEFAULT_TENANT, office.source.id, plan_hash=hold.plan_hash, apply=True, by="user:ada")

    gone = {int(r.key) for r in office.records() if r.presence is Presence.GONE}
    assert gone == {id for id in range(1, 123) if id % 2 == 0}


# ── what stands ──


def test_edits_stand_deep_inside_and_the_rest_follows():
    """A person's phone number stands while the e-mail beside it follows the source; arrays follow by key where told."""
    office = Office(collection={"array_keys": {"addresses": "kind"}})
    office.sync()
    home = office.api.clients[3]["addresses"][0]
    office.put(3, {"contact": {"phone": "mine"}, "addresses": [{"kind": "work", "city": "Ulm"}, {"kind": "home", "zip": "0"}]})
    office.hour()
    contact = {"email": "new@clients.example", "phone": "theirs"}
    office.api.change(3, office.clock(), contact=contact, addresses=[{**home, "city": "Bari", "zip": "9"}])

    run = office.sync()

    fields = office.record(3).fields
    assert fields["contact"] == {"email": "new@clients.example", "phone": "mine"}
    assert fields["addresses"] == [{"kind": "home", "city": "Bari", "zip": "0"}, {"kind": "work", "city": "Ulm"}]
    assert run.counts["preserved"] == 1
    office.hour()
    assert office.sync().counts["updated"] == 0


def test_preserved_fields_keep_what_they_have_and_say_so_once():
    """A preserved field, even deep inside, stays as it first came; the log tells once what the source wanted."""
    office = Office(collection={"preserve": ["createdAt", "contact.email"]})
    office.sync()
    first = office.record(4).fields
    office.hour()
    office.api.change(4, office.clock(), createdAt="2001-01-01T00:00:00Z", contact={"email": "x@y.example", "phone": "1"})

    run = office.sync()
    again = office.sync(force=True)

    fields = office.record(4).fields
    assert (fields["createdAt"], fields["contact"]) == (first["createdAt"], {"email": first["contact"]["email"], "phone": "1"})
    assert (run.counts["preserved"], again.counts["preserved"], again.counts["updated"]) == (1, 0, 0)
    line = office.bokit.records.list_changes(DEFAULT_TENANT, office.record(4).id).items[0]
    assert set(line.preserved) == {"createdAt", "contact.email"}


def test_a_record_made_by_hand_becomes_the_sources_and_keeps_what_was_said():
    """A client that a person entered first is found again when the API shows it; the person's words stand as edits."""
    office = Office()
    office.put(5, {"name": "By hand", "note": "met at the fair"})

    run = office.sync()

    record = office.record(5)
    assert (record.source_id, record.fields["name"], record.fields["note"]) == (office.source.id, "By hand", "met at the fair")
    assert record.fields["contact"] == office.api.clients[5]["contact"]
    assert run.counts["created"] == 121
    assert office.sync(force=True).counts["updated"] == 0


def test_another_source_touches_no_record_that_is_not_its_own():
    """Two sources with the same ids: the first keeps its records, the second takes over once it is removed."""
    office = Office()
    office.sync()
    told = {"name": "Second", "url": f"{URL}/offset", "items": "items", "pages": {"offset": "offset", "limit": 50}}
    office.declare(**told)
    second = office.bokit.catalog.sources.find(DEFAULT_TENANT, "Second")
    before = office.snapshot()

    run = office.sync(everything=False, source_ids=(second.id,))
    assert {p["code"] for p in only(run).problems} == {"other-source"}
    assert office.snapshot() == before

    office.bokit.catalog.sources.remove(DEFAULT_TENANT, office.source.id, by="user:ada")
    office.hour()
    office.sync(everything=False, source_ids=(second.id,), force=True)
    assert {r.source_id for r in office.records()} == {second.id}


def test_records_are_spread_over_buckets_and_found_all_the_same():
    """With eight buckets every record is found by its id, pages show each once, and a second sync is a no-op."""
    office = Office(collection={"buckets": 8})
    office.sync()

    assert len({r.scope for r in office.records()}) == 8
    assert office.record(77).key == "77"
    desk, shown, cursor = office.bokit.catalog.collections, [], None
    while True:
        page = desk.page(office.collection, limit=50, cursor=cursor)
        shown += [r.key for r in page.items]
        if (cursor := page.cursor) is None:
            break
    assert sorted(shown, key=int) == [str(n) for n in range(1, 123)]
    assert only(office.sync(force=True)).outcome is Outcome.UNCHANGED


# ── changed since, and full passes ──


def test_an_incremental_source_asks_for_what_changed_and_for_all_once_a_day():
    """Between full passes only changes are fetched, and what is missing from them is not missed; daily, all is looked at."""
    told = {"url": f"{URL}/linked?size=50", "items": "data", "pages": {"next": "links.next"}}
    office = Office(**told, updated_since={"param": "since"}, on_missing="delete", interval=900)
    office.sync()
    assert len(office.line.asked) == 3
    office.api.change(3, office.clock() + timedelta(minutes=10), name="New name")
    office.api.remove(4)

    office.tick(minutes=15)
    assert [url for url in office.line.asked[3:] if "since=2026-11-21T08%3A55%3A00Z" not in url] == []
    assert (office.record(3).fields["name"], office.record(4).presence) == ("New name", Presence.PRESENT)
    for _ in range(4 * 24):
        office.tick(minutes=15)
    assert office.record(4).presence is Presence.MISSING
    full = [url for url in office.line.asked[3:] if "since" not in url]
    assert len(full) == 3


def test_a_pass_over_changes_tells_of_all_that_is_known():
    """Whatever little an incremental pass asks for, its counts are of all: a change, a new one, and the rest unchanged."""
    told = {"url": f"{URL}/linked?size=50", "items": "data", "pages": {"next": "links.next"}}
    office = Office(**told, updated_since={"param": "since"}, interval=900)
    office.sync()
    office.clock.move(minutes=15)
    office.api.change(3, office.clock(), name="New name")
    office.api.add(office.clock())

    new, changed, again = office.sync(new_only=True), office.sync(), office.sync()

    assert [(r.counts["created"], r.counts["updated"], r.counts["unchanged"], r.counts["seen"]) for r in (new, changed)] == [
        (1, 0, 122, 123),
        (0, 1, 122, 123),
    ]
    assert (again.counts["seen"], again.counts["unchanged"]) == (123, 123)


def test_new_only_by_the_quarter_hour_with_a_full_pass_at_two():
    """In virtual time: every quarter hour what is new, at 02:00 of the tenant's day all, over three days."""
    office = Office(new_only=True, interval=900)
    options = office.bokit.catalog.options
    options.set(DEFAULT_TENANT, "sync.full_interval", "02:00")
    options.set(DEFAULT_TENANT, "timezone", "Europe/Rome")
    fulls, asked = [], []
    for _ in range(3 * 24 * 60):
        before = (office.head.full_at, len(office.line.asked))
        office.tick(minutes=1)
        if office.head.full_at != before[0]:
            fulls.append(office.clock())
        if len(office.line.asked) != before[1]:
            asked.append(office.clock())
    assert [f"{at:%d %H:%M}" for at in fulls] == ["21 09:01", "22 01:00", "23 01:00", "24 01:00"]
    pauses = [(b - a) / timedelta(minutes=1) for a, b in pairwise(asked)]
    assert max(pauses) <= 15
    assert 3 * 96 <= len(asked) <= 3 * 96 * 1.2


def test_changes_wait_for_the_full_pass_and_what_is_new_does_not():
    """With new-only on, a new client comes within the quarter hour, a change with the full pass."""
    office = Office(new_only=True, interval=900)
    office.bokit.catalog.options.set(DEFAULT_TENANT, "sync.full_interval", "6h")
    office.tick(minutes=1)
    office.api.change(3, office.clock(), name="New name")
    office.api.add(office.clock(), name="New client")

    office.tick(minutes=15)
    assert (office.record(123).fields["name"], office.record(3).fields["name"] == "New name") == ("New client", False)
    for _ in range(24):
        office.tick(minutes=15)
    assert office.record(3).fields["name"] == "New name"


def test_a_collections_interval_is_its_sources_interval():
    """Five minutes told of the collection are five minutes for the source that tells none itself."""
    office = Office(collection={"interval": "5m"})
    office.tick(minutes=1)
    asked = len(office.line.asked)
    for _ in range(10):
        office.tick(minutes=1)
    assert len(office.line.asked) == asked + 2
    office.declare(collection={"interval": "1h"})
    office.tick(minutes=1)
    asked = len(office.line.asked)
    for _ in range(30):
        office.tick(minutes=1)
    assert len(office.line.asked) == asked


# ── manners of asking ──


def test_a_rate_limit_is_waited_for_and_a_long_one_left_to_the_schedule():
    """Two seconds are waited, with jitter; ten minutes are not: the next attempt is after them."""
    office = Office(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 20})
    office.api.limit = 3
    assert office.sync().counts["created"] == 122
    assert set(office.pauses) == {2.5}
    office.api.limit = 0
    office.api.fault("503")
    office.hour()

    office.sync()

    schedule = office.store.load_heads(office.source.shard_id)[0].schedules[office.source.id]
    assert timedelta(minutes=9) < schedule.due_at - office.clock() < timedelta(minutes=20)


def test_pages_are_spaced_by_the_tenants_request_delay():
    """Between two requests lies the pause that the option asks for; before the first none."""
    office = Office(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 50})
    office.bokit.catalog.options.set(DEFAULT_TENANT, "sync.request_delay", 250)

    office.sync()

    assert office.pauses == [0.25] * 2


def test_a_preview_shows_what_would_be_read():
    """`source test` tells the records that it reads, and writes nothing."""
    office = Office(fields={"name": "name"})

    doc = office.bokit.catalog.sources.test(DEFAULT_TENANT, office.source.id).as_dict()

    assert (doc["verdict"], len(doc["entries"]), doc["entries"][0]["id"]) == ("ok", 122, "1")
    assert office.records() == []


def test_a_dry_run_tells_and_writes_nothing():
    """The plan names every record and field, and no record is there afterwards."""
    office = Office(fields={"name": "name"})

    run = office.sync(dry_run=True)

    assert run.counts["created"] == 122
    assert only(run).plan[0].as_dict()["fields"] == {"name": {"from": None, "to": office.api.clients[1]["name"]}}
    assert office.records() == []


# ── declared ──


def test_declaring_again_changes_nothing_and_what_differs_reaches_the_source():
    """A second import is a no-op; a changed collection makes its sources read anew."""
    office = Office()
    office.sync()
    again = office.declare()
    assert (again.added, again.changed, len(again.unchanged)) == ([], [], 2)

    changed = office.declare(collection={"preserve": ["name"]})

    assert {d["kind"] for d in changed.changed} == {"collection"}
    office.api.change(1, office.clock(), name="Other")
    office.hour()
    office.sync()
    assert office.record(1).fields["name"] != "Other"


def test_a_collection_with_records_keeps_its_buckets_and_cannot_be_removed():
    """Where records lie is not changed under them, and nothing is forgotten that has records or sources."""
    office = Office()
    office.sync()
    desk = office.bokit.catalog.collections
    with pytest.raises(InputError, match="buckets is fixed"):
        office.declare(collection={"buckets": 4})
    with pytest.raises(StateError, match="has sources"):
        desk.remove(DEFAULT_TENANT, "clients")
    office.bokit.catalog.sources.remove(DEFAULT_TENANT, office.source.id, by="user:ada")
    with pytest.raises(StateError, match="has records"):
        desk.remove(DEFAULT_TENANT, "clients")


def test_a_source_stays_with_its_collection():
    """Another collection under the same name would leave records behind: refused."""
    office = Office()
    other = read_config({"sources": [{**CRM, "collection": "guests"}]})
    with pytest.raises(InputError, match='source "CRM" already feeds "clients", use another name'):
        import_config(office.bokit.catalog, DEFAULT_TENANT, other)


def test_a_patch_of_nobody_is_refused():
    """Only PUT makes a record."""
    office = Office(store=MemoryStore())
    with pytest.raises(InputError, match="no such record"):
        office.put("nobody", {"a": 1}, WriteMethod.PATCH)
