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
from tests.support.json_app import CRM, URL, JsonApp
from tests.support.rows_app import CallCounter, Died


def only(run):
    """Return the report of a run of one source."""
    return run.sources[0]


def test_every_client_is_taken_once_and_an_unchanged_list_writes_nothing():
    """122 clients are 122 records; the second sync finds the same and touches none."""
    app = JsonApp()

    first = app.sync()
    before = app.snapshot()
    second = app.sync()

    assert (first.counts["created"], first.counts["seen"]) == (122, 122)
    assert (only(second).outcome, second.counts["unchanged"]) == (Outcome.UNCHANGED, 122)
    assert app.snapshot() == before
    assert app.record(7).fields["contact"] == app.api.clients[7]["contact"]


@pytest.mark.parametrize(
    "settings",
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
def test_every_style_of_pages_gives_the_same(settings):
    """Whatever leads from page to page, all 122 come, and a second sync finds nothing new."""
    app = JsonApp(**settings)

    assert app.sync().counts["created"] == 122
    assert only(app.sync()).outcome is Outcome.UNCHANGED
    assert sorted(int(r.key) for r in app.records()) == list(range(1, 123))


def test_fields_are_mapped_and_nothing_else_is_kept():
    """A record has the fields that the map names, found where it says."""
    app = JsonApp(fields={"name": "name", "email": "contact.email", "city": "addresses[0].city", "none": "no.such.place"})

    app.sync()

    client = app.api.clients[5]
    assert app.record(5).fields == {
        "name": client["name"],
        "email": client["contact"]["email"],
        "city": client["addresses"][0]["city"],
        "none": None,
    }


def test_new_only_adds_what_is_new_and_leaves_edits_and_changes_alone():
    """Of 122 clients 100 are known: 22 are new, 100 exist, and neither an edit nor a change at the source is touched."""
    app = JsonApp()
    late = {record_id: app.api.clients.pop(record_id) for record_id in range(101, 123)}
    app.sync()
    app.put(7, {"name": "Ada herself"})
    before = app.snapshot()
    app.api.clients |= late
    app.api.change(8, app.clock() + timedelta(hours=1), name="Changed at the source")
    app.api.remove(9)

    run = app.sync(new_only=True)

    assert (run.counts["created"], run.counts["unchanged"], run.counts["seen"]) == (22, 99, 121)
    assert {k: v for k, v in app.snapshot().items() if k in before} == before
    assert app.record(7).fields["name"] == "Ada herself"
    app.sync()
    assert (app.record(7).fields["name"], app.record(8).fields["name"]) == ("Ada herself", "Changed at the source")


def test_killed_anywhere_and_run_again_nothing_is_doubled_or_lost():
    """The process dies before or after any write of a new-only sync; the next one ends where an undisturbed one would."""
    calls = _new_only_calls(None, after=False)[1]
    assert calls > 5
    for place in range(1, calls + 1):
        for after in (False, True):
            app, _ = _new_only_calls(place, after=after)
            records = {r.key: r for r in app.records()}
            assert sorted(map(int, records)) == list(range(1, 123)), (place, after)
            assert all(
                len(app.bokit.records.list_changes(DEFAULT_TENANT, r.id).items) == 1 + (r.key == "7") for r in records.values()
            ), (place, after)
            assert records["7"].fields["name"] == "Ada herself"


def _new_only_calls(place, *, after):
    app = JsonApp()
    late = {record_id: app.api.clients.pop(record_id) for record_id in range(101, 123)}
    app.sync()
    app.put(7, {"name": "Ada herself"})
    app.api.clients |= late
    app.hour()
    store = CallCounter(app.store)
    store.die_at, store.die_after = place, after
    plain, app.bokit = app.bokit, app.assemble(store)
    if place is None:
        app.sync(new_only=True)
    else:
        with pytest.raises(Died):
            app.sync(new_only=True)
    app.bokit = plain
    app.hour()
    app.sync(new_only=True)
    return app, len(store.calls)


def test_a_line_lost_in_the_middle_takes_no_page():
    """When the third page does not come, the first two are not taken; the next sync takes all."""
    app = JsonApp(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 40})
    app.line.lost = range(3, 6)

    first = app.sync()

    assert (first.status, only(first).error["code"], app.records()) == (RunStatus.FAILED, "connection", [])
    assert app.pauses == [1.25, 2.5]
    app.hour()
    assert app.sync().counts["created"] == 122


def test_a_line_lost_for_a_moment_is_asked_again():
    """One lost answer costs a pause, and nothing else."""
    app = JsonApp(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 40})
    app.line.lost = range(2, 3)

    assert app.sync().counts["created"] == 122


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
    """Whatever the API says that is not a list: the run fails with one code, is recorded, and no record is touched."""
    settings = {"url": f"{URL}/cursor?size=50", "items": "results", "pages": {"cursor": "meta.next", "param": "cursor"}}
    app = JsonApp(**settings, on_missing="delete")
    app.sync()
    before = app.snapshot()
    app.hour()
    app.api.fault(fault)

    run = app.sync()

    assert (run.status, only(run).outcome, only(run).error["code"]) == (RunStatus.FAILED, Outcome.FAILED, code)
    assert app.snapshot() == before
    assert app.bokit.status.load_run(DEFAULT_TENANT, run.run_id).sources[0].error["code"] == code
    app.api.clear()
    app.hour()
    assert only(app.sync()).outcome in (Outcome.UNCHANGED, Outcome.CHANGED)
    assert app.snapshot() == before


def test_no_error_shows_address_key_or_client():
    """Whatever goes wrong, the report and the alerts contain no URL, no key and no name."""
    app = JsonApp()
    app.sync()
    for fault in ("html", "no-items", "duplicate-ids", "bad-email", "401", "500", "empty"):
        app.api.clear()
        app.api.fault(fault)
        app.hour()
        shown = f"{app.sync()} {app.alerts.notices}"
        assert not any(secret in shown for secret in ("sim-key", "crm.example/api", "Somebody Else")), fault


def test_the_same_id_twice_is_an_error_of_that_id_alone():
    """Two items with one id are both ignored; the others are read, and the run names it."""
    app = JsonApp(on_missing="delete")
    app.sync()
    app.hour()
    app.api.change(50, app.clock(), name="New name")
    app.api.fault("duplicate-ids")

    run = app.sync()

    assert (only(run).outcome, only(run).error["code"]) == (Outcome.HELD, "partial-feed")
    assert [(p["code"], p["uid"]) for p in only(run).problems] == [("duplicate-id", "1")]
    assert app.record(50).fields["name"] == "New name"
    assert app.record(1).presence is Presence.PRESENT
    app.api.clear()
    app.hour()
    assert only(app.sync()).outcome is Outcome.UNCHANGED
    assert app.head.hold is None


SCHEMA = {
    "type": "object",
    "required": ["name", "contact"],
    "properties": {
        "name": {"type": "string"},
        "contact": {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}},
    },
}


def test_what_breaks_the_schema_is_left_as_it_was_and_reported_by_field():
    """The offending record keeps what it had, the run names the field, the others are taken."""
    app = JsonApp(collection={"schema": SCHEMA})
    app.sync()
    before = app.record(1).fields
    app.hour()
    app.api.change(2, app.clock(), name="New name")
    app.api.fault("bad-email")

    run = app.sync()

    assert [(p["code"], p["uid"], p["field"]) for p in only(run).problems] == [("schema", "1", "contact.email")]
    assert (app.record(1).fields, app.record(2).fields["name"]) == (before, "New name")
    assert only(run).outcome is Outcome.HELD


def test_a_type_that_changes_for_all_is_held_for_a_day_and_with_a_schema_refused():
    """Names that become objects stay texts until the source agrees with itself for a day; with a schema they are refused."""
    plain, strict = JsonApp(), JsonApp(collection={"schema": SCHEMA})
    for app in (plain, strict):
        app.sync()
        app.hour()
        app.api.fault("other-type")

    accepted, refused = plain.sync(), strict.sync()

    assert (accepted.counts["updated"], only(accepted).error["code"]) == (0, "fields-changed")
    assert [(p["code"], p["field"], p["uid"]) for p in only(accepted).problems] == [("type-changed", "name", None)]
    assert "`name` was text and is an object now in 122 of 122 records" in only(accepted).error["message"]
    plain.clock.move(hours=25)
    assert (plain.sync().counts["updated"], isinstance(plain.record(1).fields["name"], dict)) == (122, True)
    assert (refused.counts["updated"], only(refused).outcome) == (0, Outcome.HELD)
    assert isinstance(strict.record(1).fields["name"], str)


# ── what is gone ──


def test_a_missing_client_is_kept_marked_or_deleted_after_grace():
    """Keep: nothing happens. Mark: missing since. Delete: gone after a day and two fetches, and restored with its edits."""
    for policy, at_once, later in (("keep", "present", "present"), ("mark", "missing", "missing"), ("delete", "missing", "gone")):
        app = JsonApp(on_missing=policy)
        app.sync()
        app.put(9, {"note": "mine"})
        lost = app.api.clients.pop(9)
        app.hour()
        app.sync()
        assert str(app.record(9).presence) == at_once, policy
        app.clock.move(hours=23)
        app.sync()
        assert str(app.record(9).presence) == at_once, policy
        app.clock.move(hours=2)
        app.sync()
        assert str(app.record(9).presence) == later, policy
        app.api.clients[9] = lost
        app.hour()
        app.sync()
        assert (str(app.record(9).presence), app.record(9).fields["note"]) == ("present", "mine"), policy


@pytest.mark.parametrize("policy", ["keep", "mark", "delete"])
def test_a_source_that_shows_nothing_is_held_and_a_person_settles_it(policy):
    """An empty list deletes nobody, whatever the policy, however often it comes; applied, it does what the policy says."""
    app = JsonApp(on_missing=policy)
    app.sync()
    before = app.snapshot()
    app.api.fault("empty")
    for _ in range(4):
        app.clock.move(hours=20)
        run = app.sync()
        assert (only(run).outcome, only(run).error["code"]) == (Outcome.HELD, "empty-feed")
        assert app.snapshot() == before
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, app.source.id)
    assert len(hold.releases) == 122

    app.bokit.records.resolve_hold(DEFAULT_TENANT, app.source.id, plan_hash=hold.plan_hash, apply=True, by="user:ada")

    wanted = {"keep": Presence.PRESENT, "mark": Presence.MISSING, "delete": Presence.GONE}[policy]
    assert {r.presence for r in app.records()} == {wanted}
    app.hour()
    assert only(app.sync()).outcome is not Outcome.HELD


def test_half_a_list_is_held_until_it_agreed_for_a_day():
    """Half of the clients gone at once are not missed at first; a discarded hold comes again, and a day of agreement ends it."""
    app = JsonApp(on_missing="delete")
    app.sync()
    app.api.clients = {record_id: c for record_id, c in app.api.clients.items() if record_id % 2}
    app.hour()

    run = app.sync()
    assert (only(run).outcome, only(run).error["code"], run.counts["missing"]) == (Outcome.HELD, "shrunken-feed", 0)
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, app.source.id)
    app.bokit.records.resolve_hold(DEFAULT_TENANT, app.source.id, plan_hash=hold.plan_hash, apply=False, by="user:ada")
    app.hour()
    assert only(app.sync()).outcome is Outcome.HELD
    app.clock.move(hours=25)
    assert app.sync().counts["missing"] == 61
    app.hour()
    assert app.sync().counts["cancelled"] == 61


def test_a_held_half_can_be_applied_at_once():
    """A person who knows that half of the clients left lets them go now, and those alone."""
    app = JsonApp(on_missing="delete")
    app.sync()
    app.api.clients = {record_id: c for record_id, c in app.api.clients.items() if record_id % 2}
    app.hour()
    app.sync()
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, app.source.id)

    app.bokit.records.resolve_hold(DEFAULT_TENANT, app.source.id, plan_hash=hold.plan_hash, apply=True, by="user:ada")

    gone = {int(r.key) for r in app.records() if r.presence is Presence.GONE}
    assert gone == {record_id for record_id in range(1, 123) if record_id % 2 == 0}


# ── what stands ──


def test_edits_stand_deep_inside_and_the_rest_follows():
    """A person's phone number stands while the e-mail beside it follows the source; arrays follow by key if a key is set."""
    app = JsonApp(collection={"array_keys": {"addresses": "kind"}})
    app.sync()
    home = app.api.clients[3]["addresses"][0]
    app.put(3, {"contact": {"phone": "mine"}, "addresses": [{"kind": "work", "city": "Ulm"}, {"kind": "home", "zip": "0"}]})
    app.hour()
    contact = {"email": "new@clients.example", "phone": "theirs"}
    app.api.change(3, app.clock(), contact=contact, addresses=[{**home, "city": "Bari", "zip": "9"}])

    run = app.sync()

    fields = app.record(3).fields
    assert fields["contact"] == {"email": "new@clients.example", "phone": "mine"}
    assert fields["addresses"] == [{"kind": "home", "city": "Bari", "zip": "0"}, {"kind": "work", "city": "Ulm"}]
    assert run.counts["preserved"] == 1
    app.hour()
    assert app.sync().counts["updated"] == 0


def test_preserved_fields_keep_what_they_have_and_say_so_once():
    """A preserved field, even deep inside, stays as it first came; the log shows the source's value once."""
    app = JsonApp(collection={"preserve": ["createdAt", "contact.email"]})
    app.sync()
    first = app.record(4).fields
    app.hour()
    app.api.change(4, app.clock(), createdAt="2001-01-01T00:00:00Z", contact={"email": "x@y.example", "phone": "1"})

    run = app.sync()
    again = app.sync(force=True)

    fields = app.record(4).fields
    assert (fields["createdAt"], fields["contact"]) == (first["createdAt"], {"email": first["contact"]["email"], "phone": "1"})
    assert (run.counts["preserved"], again.counts["preserved"], again.counts["updated"]) == (1, 0, 0)
    line = app.bokit.records.list_changes(DEFAULT_TENANT, app.record(4).id).items[0]
    assert set(line.preserved) == {"createdAt", "contact.email"}


def test_a_record_made_by_hand_becomes_the_sources_and_keeps_what_was_said():
    """A client that a person entered first is found again when the API shows it; the person's values stay as edits."""
    app = JsonApp()
    app.put(5, {"name": "By hand", "note": "met at the fair"})

    run = app.sync()

    record = app.record(5)
    assert (record.source_id, record.fields["name"], record.fields["note"]) == (app.source.id, "By hand", "met at the fair")
    assert record.fields["contact"] == app.api.clients[5]["contact"]
    assert run.counts["created"] == 121
    assert app.sync(force=True).counts["updated"] == 0


def test_another_source_touches_no_record_that_is_not_its_own():
    """Two sources with the same ids: the first keeps its records, the second takes over once it is removed."""
    app = JsonApp()
    app.sync()
    settings = {"name": "Second", "url": f"{URL}/offset", "items": "items", "pages": {"offset": "offset", "limit": 50}}
    app.declare(**settings)
    second = app.bokit.catalog.sources.find(DEFAULT_TENANT, "Second")
    before = app.snapshot()

    run = app.sync(everything=False, source_ids=(second.id,))
    assert {p["code"] for p in only(run).problems} == {"other-source"}
    assert app.snapshot() == before

    app.bokit.catalog.sources.remove(DEFAULT_TENANT, app.source.id, by="user:ada")
    app.hour()
    app.sync(everything=False, source_ids=(second.id,), force=True)
    assert {r.source_id for r in app.records()} == {second.id}


def test_records_are_spread_over_buckets_and_found_all_the_same():
    """With eight buckets every record is found by its id, pages show each once, and a second sync is a no-op."""
    app = JsonApp(collection={"buckets": 8})
    app.sync()

    assert len({r.scope for r in app.records()}) == 8
    assert app.record(77).key == "77"
    collections, shown, cursor = app.bokit.catalog.collections, [], None
    while True:
        page = collections.page(app.collection, limit=50, cursor=cursor)
        shown += [r.key for r in page.items]
        if (cursor := page.cursor) is None:
            break
    assert sorted(shown, key=int) == [str(n) for n in range(1, 123)]
    assert only(app.sync(force=True)).outcome is Outcome.UNCHANGED


# ── changed since, and full passes ──


def test_an_incremental_source_asks_for_what_changed_and_for_all_once_a_day():
    """Between full passes only changes are fetched, and what is missing from them is not missed; daily, all is looked at."""
    settings = {"url": f"{URL}/linked?size=50", "items": "data", "pages": {"next": "links.next"}}
    app = JsonApp(**settings, updated_since={"param": "since"}, on_missing="delete", interval=900)
    app.sync()
    assert len(app.line.asked) == 3
    app.api.change(3, app.clock() + timedelta(minutes=10), name="New name")
    app.api.remove(4)

    app.tick(minutes=15)
    assert [url for url in app.line.asked[3:] if "since=2026-11-21T08%3A55%3A00Z" not in url] == []
    assert (app.record(3).fields["name"], app.record(4).presence) == ("New name", Presence.PRESENT)
    for _ in range(4 * 24):
        app.tick(minutes=15)
    assert app.record(4).presence is Presence.MISSING
    full = [url for url in app.line.asked[3:] if "since" not in url]
    assert len(full) == 3


def test_a_pass_over_changes_counts_all_known_records():
    """Whatever little an incremental pass asks for, its counts are of all: a change, a new one, and the rest unchanged."""
    settings = {"url": f"{URL}/linked?size=50", "items": "data", "pages": {"next": "links.next"}}
    app = JsonApp(**settings, updated_since={"param": "since"}, interval=900)
    app.sync()
    app.clock.move(minutes=15)
    app.api.change(3, app.clock(), name="New name")
    app.api.add(app.clock())

    new, changed, again = app.sync(new_only=True), app.sync(), app.sync()

    assert [(r.counts["created"], r.counts["updated"], r.counts["unchanged"], r.counts["seen"]) for r in (new, changed)] == [
        (1, 0, 122, 123),
        (0, 1, 122, 123),
    ]
    assert (again.counts["seen"], again.counts["unchanged"]) == (123, 123)


def test_new_only_by_the_quarter_hour_with_a_full_pass_at_two():
    """In virtual time: every quarter hour what is new, at 02:00 of the tenant's day all, over three days."""
    app = JsonApp(new_only=True, interval=900)
    options = app.bokit.catalog.options
    options.set(DEFAULT_TENANT, "sync.full_interval", "02:00")
    options.set(DEFAULT_TENANT, "timezone", "Europe/Rome")
    fulls, asked = [], []
    for _ in range(3 * 24 * 60):
        before = (app.head.full_at, len(app.line.asked))
        app.tick(minutes=1)
        if app.head.full_at != before[0]:
            fulls.append(app.clock())
        if len(app.line.asked) != before[1]:
            asked.append(app.clock())
    assert [f"{at:%d %H:%M}" for at in fulls] == ["21 09:01", "22 01:00", "23 01:00", "24 01:00"]
    pauses = [(b - a) / timedelta(minutes=1) for a, b in pairwise(asked)]
    assert max(pauses) <= 15
    assert 3 * 96 <= len(asked) <= 3 * 96 * 1.2


def test_changes_wait_for_the_full_pass_and_what_is_new_does_not():
    """With new-only on, a new client comes within the quarter hour, a change with the full pass."""
    app = JsonApp(new_only=True, interval=900)
    app.bokit.catalog.options.set(DEFAULT_TENANT, "sync.full_interval", "6h")
    app.tick(minutes=1)
    app.api.change(3, app.clock(), name="New name")
    app.api.add(app.clock(), name="New client")

    app.tick(minutes=15)
    assert (app.record(123).fields["name"], app.record(3).fields["name"] == "New name") == ("New client", False)
    for _ in range(24):
        app.tick(minutes=15)
    assert app.record(3).fields["name"] == "New name"


def test_a_collections_interval_is_its_sources_interval():
    """The collection's interval applies to a source without an interval of its own."""
    app = JsonApp(collection={"interval": "5m"})
    app.tick(minutes=1)
    asked = len(app.line.asked)
    for _ in range(10):
        app.tick(minutes=1)
    assert len(app.line.asked) == asked + 2
    app.declare(collection={"interval": "1h"})
    app.tick(minutes=1)
    asked = len(app.line.asked)
    for _ in range(30):
        app.tick(minutes=1)
    assert len(app.line.asked) == asked


# ── manners of asking ──


def test_a_rate_limit_is_waited_for_and_a_long_one_left_to_the_schedule():
    """Two seconds are waited, with jitter; ten minutes are not: the next attempt is after them."""
    app = JsonApp(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 20})
    app.api.limit = 3
    assert app.sync().counts["created"] == 122
    assert set(app.pauses) == {2.5}
    app.api.limit = 0
    app.api.fault("503")
    app.hour()

    app.sync()

    schedule = app.store.load_heads(app.source.shard_id)[0].schedules[app.source.id]
    assert timedelta(minutes=9) < schedule.due_at - app.clock() < timedelta(minutes=20)


def test_pages_are_spaced_by_the_tenants_request_delay():
    """Between two requests lies the pause that the option asks for; before the first none."""
    app = JsonApp(url=f"{URL}/paged", items=None, pages={"page": "page", "size": 50})
    app.bokit.catalog.options.set(DEFAULT_TENANT, "sync.request_delay", 250)

    app.sync()

    assert app.pauses == [0.25] * 4  # three pages, the empty one that ends them, and page 0, which is none
    app.sync()
    assert app.pauses == [0.25] * 7


def test_a_preview_shows_what_would_be_read():
    """`source test` shows the records that it reads, and writes nothing."""
    app = JsonApp(fields={"name": "name"})

    doc = app.bokit.catalog.sources.test(DEFAULT_TENANT, app.source.id).as_dict()

    assert (doc["verdict"], len(doc["entries"]), doc["entries"][0]["id"]) == ("ok", 122, "1")
    assert app.records() == []


def test_a_dry_run_returns_its_plan_and_writes_nothing():
    """The plan names every record and field, and no record is there afterwards."""
    app = JsonApp(fields={"name": "name"})

    run = app.sync(dry_run=True)

    assert run.counts["created"] == 122
    assert only(run).plan[0].as_dict()["fields"] == {"name": {"from": None, "to": app.api.clients[1]["name"]}}
    assert app.records() == []


# ── declared ──


def test_declaring_again_changes_nothing_and_what_differs_reaches_the_source():
    """A second import is a no-op; a changed collection makes its sources read again."""
    app = JsonApp()
    app.sync()
    again = app.declare()
    assert (again.added, again.changed, len(again.unchanged)) == ([], [], 2)

    changed = app.declare(collection={"preserve": ["name"]})

    assert {d["kind"] for d in changed.changed} == {"collection"}
    app.api.change(1, app.clock(), name="Other")
    app.hour()
    app.sync()
    assert app.record(1).fields["name"] != "Other"


def test_a_collection_with_records_keeps_its_buckets_and_cannot_be_removed():
    """Where records lie is not changed under them, and nothing is forgotten that has records or sources."""
    app = JsonApp()
    app.sync()
    collections = app.bokit.catalog.collections
    with pytest.raises(InputError, match="buckets is fixed"):
        app.declare(collection={"buckets": 4})
    with pytest.raises(StateError, match="a source feeds this collection"):
        collections.remove(DEFAULT_TENANT, "clients")
    app.bokit.catalog.sources.remove(DEFAULT_TENANT, app.source.id, by="user:ada")
    with pytest.raises(StateError, match="has records"):
        collections.remove(DEFAULT_TENANT, "clients")


def test_a_source_stays_with_its_collection():
    """Another collection under the same name would leave records behind: refused."""
    app = JsonApp()
    other = read_config({"sources": [{**CRM, "collection": "guests"}]})
    with pytest.raises(InputError, match='source "CRM" already feeds "clients", use another name'):
        import_config(app.bokit.catalog, DEFAULT_TENANT, other)


def test_a_patch_of_nobody_is_refused():
    """Only PUT makes a record."""
    app = JsonApp(store=MemoryStore())
    with pytest.raises(InputError, match="no such record"):
        app.put("nobody", {"a": 1}, WriteMethod.PATCH)
