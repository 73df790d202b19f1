"""Lists that are too long for one body: read part by part, resumed where a worker ended, and judged as short ones are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Outcome
from bokit.core.model.scheduling import LONG_LIST
from bokit.store.memory.store import MemoryStore
from tests.support.long_list_app import SIZE, LongListApp, make_item, shrink_lists
from tests.support.rows_app import CallCounter, Died
from tests.support.sql_app import TimeBudget


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small pages, buckets and checkpoints."""
    shrink_lists(monkeypatch)


def counted(report, *names):
    return {name: report.counts[name] for name in names}


def settle(app, *, apply):
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, app.source.id)
    app.bokit.records.resolve_hold(DEFAULT_TENANT, app.source.id, plan_hash=hold.plan_hash, apply=apply, by="user:ada")
    return hold


@pytest.mark.parametrize("style", ["paged", "cursor", "linked"])
def test_a_long_list_is_read_part_by_part_and_unchanged_writes_nothing(style):
    """Every item once, each page requested once; a second pass compares digests and asks the store for no record."""
    app = LongListApp(100, style)

    first = app.report()
    assert counted(first, "created", "seen", "unchanged") == {"created": 100, "seen": 100, "unchanged": 0}
    assert (app.head.content_hash, app.head.entries) == (LONG_LIST, 100)
    assert len(app.paged.requests) == 10 + (style == "paged")
    before, app.paged.requests[:] = app.snapshot(), []
    counter = CallCounter(app.store)
    app.bokit = app.assemble(counter)
    app.hour()
    second = app.report()

    assert (second.outcome, counted(second, "seen", "unchanged")) == (Outcome.UNCHANGED, {"seen": 100, "unchanged": 100})
    assert len(app.paged.requests) <= 11
    assert app.snapshot() == before
    assert {c for c in counter.calls if c.startswith(("apply", "save_snapshot", "save_chunks", "save_head", "find_rec"))} == set()


def test_changes_new_items_and_another_order_write_what_differs():
    """One change, one new item at the front, and everything shifted: two records are written, and the order nothing."""
    app = LongListApp(100)
    app.sync()
    app.paged.items[42]["name"] = "New name"
    app.paged.items.insert(0, make_item(500))
    app.hour()

    report = app.report()

    assert counted(report, "created", "updated", "seen", "unchanged") == {
        "created": 1,
        "updated": 1,
        "seen": 101,
        "unchanged": 99,
    }
    app.paged.items.reverse()
    app.hour()
    assert app.report().outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("style", ["paged", "cursor", "linked"])
def test_killed_at_every_third_request_nothing_is_doubled_lost_or_read_from_the_start(style):
    """Each worker dies at its third request; the next goes on behind what the last one stored, to the same end."""
    app = LongListApp(100, style)
    deaths = 0
    while True:
        app.paged.die_at = len(app.paged.requests) + 3
        try:
            report = app.report()
        except Died:
            deaths += 1
            app.clock.move(minutes=6)
            assert deaths < 40
            continue
        break

    truth = LongListApp(100, style)
    truth.sync()
    assert app.shown() == truth.shown()
    assert deaths >= 4
    firsts = [url for url in app.paged.requests if url == app.paged.requests[0]]
    assert len(firsts) == 1
    assert len(app.paged.requests) <= 2 * 11
    assert all(len(app.bokit.records.list_changes(DEFAULT_TENANT, r.id).items) == 1 for r in app.records())
    assert counted(report, "seen", "created") == {"seen": 100, "created": 100}
    assert app.store.load_snapshot(app.source).memory.get("list", {}).get("progress") is None
    app.paged.die_at = None
    app.hour()
    assert app.report().outcome is Outcome.UNCHANGED


def test_no_key_of_the_url_is_stored_with_the_progress():
    """Where the next page is, is stored without what the owner's URL has; the resumed request has it again."""
    app = LongListApp(100, "linked")
    app.paged.die_at = 5
    with pytest.raises(Died):
        app.sync()

    memory = app.store.load_snapshot(app.source).memory
    assert memory["list"]["progress"]["token"]["next"]["place"] == {"link": "/api/linked?from=40", "own": ["key"]}
    assert "SENTINEL" not in str(memory)
    app.paged.die_at = None
    app.clock.move(minutes=6)
    app.paged.requests.clear()
    app.sync()
    assert app.paged.requests[0] == "https://crm.example/api/linked?from=40&key=SENTINEL"
    assert len(app.records()) == 100


@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_write_changes_nothing_in_the_end(after):
    """The process dies before, or after, every call of a first pass and of one with changes: the next ones end the same."""
    truth = LongListApp(60, on_missing="mark")
    truth.sync()
    change(truth)
    truth.sync()
    for at in range(1 + after, 120, 3):
        app = LongListApp(60, on_missing="mark")
        died = 0
        for turn in range(2):
            counter = CallCounter(app.store)
            counter.die_at, counter.die_after = at, after
            plain, app.bokit = app.bokit, app.assemble(counter)
            try:
                app.sync()
            except Died:
                died += 1
            app.bokit = plain
            app.clock.move(minutes=6)
            app.sync()
            if turn == 0:
                change(app)
        assert app.shown() == truth.shown(), at
        assert all(len(app.bokit.records.list_changes(DEFAULT_TENANT, r.id).items) <= 2 for r in app.records()), at
        if not died:
            return
    raise AssertionError("the range of calls ended before the pass did")


def change(app):
    """Change, add and remove items at the beginning, in the middle and at the end."""
    app.clock.move(hours=1)
    items = {i["id"]: i for i in app.paged.items}
    items[7]["name"] = items[59]["name"] = "New name"
    for gone in (3, 30, 60):
        del items[gone]
    app.paged.items = [*items.values(), make_item(200)]


@pytest.mark.parametrize("seconds", [50, 60, 300])
def test_a_pass_goes_on_where_its_workers_time_ended(seconds):
    """However short the time of a worker is, one after the other comes to the end, with the counts of one pass."""
    app, budget = LongListApp(100), TimeBudget(seconds)
    reports = []
    for _ in range(60):
        before = len(app.paged.requests)
        result = attempt(app, budget)
        assert len(app.paged.requests) > before
        reports.append(result)
        if not result.unfinished:
            break
        assert result.advanced

    assert (len(reports) > 1) is (seconds < 300)
    assert counted(reports[-1].report, "created", "seen") == {"created": 100, "seen": 100}
    assert len(app.records()) == 100


def attempt(app, budget):
    """Sync the source once, in the time that a worker has."""
    from bokit.core.model.runs import Trigger
    from bokit.engine.base.tenant_options import load_options
    from bokit.engine.sync.job import SyncJob

    options = load_options(app.store, DEFAULT_TENANT, {})
    job = SyncJob(run_id="run_t", trigger=Trigger.SCHEDULE, started_at=app.clock(), options=options, seconds_left=budget.start())
    shard, heads = app.store.load_heads(app.source.shard_id)
    return app.bokit.records.sync.sync(heads[0], shard.schedules[app.source.id], job)


# ── what is missing ──


@pytest.mark.parametrize("policy", ["keep", "mark", "delete"])
def test_what_is_not_shown_follows_the_policy(policy):
    """As with a short list: kept, marked, or deleted after a day and two passes; shown again it is restored."""
    app = LongListApp(100, on_missing=policy)
    app.sync()
    lost = app.paged.items.pop(50)
    app.hour()
    app.sync()
    assert app.presence().get("missing", set()) == (set() if policy == "keep" else {51})
    app.clock.move(hours=25)
    app.sync()
    assert app.presence().get("gone", set()) == ({51} if policy == "delete" else set())
    app.paged.items.append(lost)
    app.hour()
    app.sync()
    assert app.presence() == {"present": set(range(1, 101))}


def test_half_of_a_list_gone_is_held_for_a_day_or_until_applied():
    """Nothing is missing at first; a day of agreement, or a person, lets them go, and those alone."""
    for applied in (False, True):
        app = LongListApp(100, on_missing="delete")
        app.sync()
        app.paged.items = app.paged.items[:45]
        app.hour()
        report = app.report()
        assert (report.outcome, report.error["code"], report.counts["missing"]) == (Outcome.HELD, "shrunken-feed", 0)
        assert app.presence() == {"present": set(range(1, 101))}
        if applied:
            assert len(settle(app, apply=True).releases) == 55
        else:
            app.clock.move(hours=25)
            app.sync()
            app.hour()
            app.sync()
        assert app.presence() == {"present": set(range(1, 46)), "gone": set(range(46, 101))}
        app.hour()
        assert app.report().outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("policy", ["keep", "delete"])
def test_an_empty_list_is_held_until_a_person_applies_it(policy):
    """No time releases it; applied, it does what the policy says, and the next empty list is none."""
    app = LongListApp(100, on_missing=policy)
    app.sync()
    app.paged.items = []
    for _ in range(3):
        app.clock.move(hours=30)
        assert app.report().error["code"] == "empty-feed"
        assert app.presence() == {"present": set(range(1, 101))}
    settle(app, apply=True)
    assert app.presence() == {"present" if policy == "keep" else "gone": set(range(1, 101))}
    app.hour()
    assert app.report().outcome is Outcome.UNCHANGED


def test_an_incomplete_long_list_misses_nobody():
    """A 404 behind a full page, or a total that says more: what came is taken, the rest stays; complete, it is judged."""
    app = LongListApp(100, on_missing="mark")
    app.sync()
    app.paged.items[0]["name"] = "New name"
    app.paged.fault = lambda number, query, page: (404, None) if query["page"] == "7" else None
    app.hour()

    report = app.report()

    assert (report.error["code"], report.counts["updated"], report.counts["missing"]) == ("incomplete-list", 1, 0)
    assert [p["code"] for p in report.problems] == ["page-missing"]
    app.paged.fault = None
    del app.paged.items[99]
    app.hour()
    assert app.report().counts["missing"] == 1


def test_a_page_that_fails_leaves_what_came_before_it_and_the_next_pass_goes_on():
    """The parts before it are agreed on; it is not read from the start again."""
    app = LongListApp(100)
    app.paged.fault = lambda number, query, page: (500, None) if query["page"] == "6" else None

    assert app.report().error["code"] == "http-500"
    assert 20 <= len(app.records()) <= 50
    app.paged.fault = None
    app.paged.requests.clear()
    app.clock.move(minutes=6)
    assert counted(app.report(), "created", "seen") == {"created": 100, "seen": 100}
    assert int(app.paged.requests[0].rpartition("=")[2]) >= 3


def test_single_items_that_cannot_be_used_stop_themselves_alone():
    """Too deep, twice, without an id: each is reported, its record stays, another one is missing all the same."""
    app = LongListApp(100, on_missing="mark")
    app.sync()
    deep = value = []
    for _ in range(60):
        value.append([])
        value = value[0]
    app.paged.items[10] = {**app.paged.items[10], "name": deep}
    app.paged.items[11] = {**app.paged.items[11], "email": "x" * 300_000}
    del app.paged.items[90]
    app.hour()

    report = app.report()

    assert {(p["code"], p["uid"]) for p in report.problems} == {("too-deep", "11"), ("too-large", "12")}
    assert app.presence()["missing"] == {91}
    assert (app.record(11).fields["name"], app.record(12).fields["email"]) == ("Client 11", "c12@x.example")


# ── fields, tombstones, settings ──


def test_a_field_that_vanishes_from_a_long_list_is_held():
    """It keeps its values by name, a change of another field is taken; applied, the next pass takes it."""
    app = LongListApp(100)
    app.sync()
    app.paged.items = [{k: v for k, v in i.items() if k != "email"} for i in app.paged.items]
    app.paged.items[5]["name"] = "New name"
    app.hour()

    report = app.report()

    assert (report.error["code"], report.counts["updated"]) == ("fields-changed", 1)
    assert "`email` is gone from 100 of the 100 records" in report.error["message"]
    assert (app.record(6).fields["name"], app.record(6).fields["email"]) == ("New name", "c6@x.example")
    settle(app, apply=True)
    app.hour()
    assert app.report().counts["updated"] == 100
    assert "email" not in app.record(6).fields
    app.hour()
    assert app.report().outcome is Outcome.UNCHANGED


def test_a_policy_of_stop_takes_nothing_more():
    """From the part on that shows it nothing is taken, and nobody is missing."""
    app = LongListApp(100, collection={"schema_policy": "stop"}, on_missing="mark")
    app.sync()
    app.paged.items = [{"id": i["id"], "name": "x"} for i in app.paged.items[:90]]
    app.hour()

    assert app.report().error["code"] == "fields-changed"
    assert app.presence() == {"present": set(range(1, 101))}
    assert {r.fields["name"] for r in app.records()} == {f"Client {n}" for n in range(1, 101)}


def test_items_shown_as_deleted_are_gone_at_once_and_half_of_them_held():
    """One is gone whatever the policy; half of the list waits for a day or a person."""
    app = LongListApp(100, deleted="gone")
    app.sync()
    app.paged.items[3]["gone"] = True
    app.hour()
    app.sync()
    assert app.presence()["gone"] == {4}
    for item in app.paged.items[:60]:
        item["gone"] = True
    app.hour()
    assert app.report().error["code"] == "shrunken-feed"
    settle(app, apply=True)
    assert app.presence()["gone"] == set(range(1, 61))


def test_other_settings_make_the_next_pass_compare_every_item():
    """A field that is left out goes from every record; the digests are those of the new settings then."""
    app = LongListApp(100)
    app.sync()
    app.declare(**{**PAGED, "without": ["email"]})
    app.hour()
    report = app.report()

    assert (report.counts["updated"], report.error) == (100, None)
    app.hour()
    assert app.report().outcome is Outcome.UNCHANGED


PAGED = {
    "url": "https://crm.example/api/paged",
    "headers": None,
    "items": None,
    "pages": {"page": "page", "size": SIZE, "first": 1},
}


def test_a_short_list_that_grows_and_shrinks_changes_its_way_of_being_read():
    """What was agreed on as a short list is known to the long one; records that are gone meanwhile are missed."""
    app = LongListApp(15, on_missing="mark")
    assert app.report().counts["created"] == 15
    assert app.head.content_hash != LONG_LIST
    app.paged.items = [*app.paged.items[1:], *(make_item(n) for n in range(16, 61))]
    app.hour()

    report = app.report()

    assert counted(report, "created", "missing", "updated") == {"created": 45, "missing": 1, "updated": 0}
    app.paged.items = app.paged.items[:40]
    app.hour()
    assert app.report().counts["missing"] == 19
    app.hour()
    assert app.report().outcome is Outcome.UNCHANGED


def test_an_edit_and_another_sources_record_are_left_alone():
    """A person's value stands; what a removed source left is adopted, what another feeds is reported."""
    app = LongListApp(100)
    app.put(7, {"name": "By hand"})
    app.sync()
    app.put(8, {"name": "Edited"})
    app.paged.items[7]["name"] = "Theirs"
    app.hour()

    report = app.report()

    assert (app.record(7).fields["name"], app.record(8).fields["name"]) == ("By hand", "Edited")
    assert report.counts["preserved"] == 1


def test_changes_since_then_and_a_full_pass_a_day():
    """A pass over changes loads only their records, and misses nobody; the daily one does."""
    app = LongListApp(100, "cursor", updated_since={"param": "since"}, on_missing="mark", interval=900)
    for item in app.paged.items:
        item["at"] = "2026-11-01T00:00:00Z"
    app.sync()
    assert app.head.etag.startswith("since:")
    app.paged.items[4] |= {"name": "New name", "at": f"{app.clock() + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"}
    del app.paged.items[50]
    app.clock.move(minutes=15)
    app.paged.requests.clear()

    report = app.report()

    assert len(app.paged.requests) == 1
    assert counted(report, "updated", "missing", "seen") == {"updated": 1, "missing": 0, "seen": 100}
    app.clock.move(hours=25)
    assert app.report().counts["missing"] == 1


def test_a_dry_run_and_a_new_only_pass():
    """A dry run plans all and stores nothing; new-only adds what is new and touches nothing else."""
    app = LongListApp(60)
    dry = app.report(dry_run=True)
    assert (dry.counts["created"], len(dry.plan), app.records()) == (60, 60, [])
    app.sync()
    before = app.snapshot()
    app.paged.items[3]["name"] = "Changed"
    app.paged.items.append(make_item(300))
    app.hour()

    report = app.report(new_only=True)

    assert counted(report, "created", "updated", "missing") == {"created": 1, "updated": 0, "missing": 0}
    assert {k: v for k, v in app.snapshot().items() if k in before} == before
    app.hour()
    assert app.report().counts["updated"] == 1


def test_one_large_response_is_a_long_list_too_and_asked_by_its_etag(monkeypatch):
    """Its items are compared by their digests; while its ETag holds, nothing of it is fetched again."""
    monkeypatch.setattr("bokit.sources.limits.MAX_WHOLE_ITEMS", 50)
    monkeypatch.setattr("bokit.engine.sync.sync.MAX_WHOLE_ITEMS", 50)
    app = LongListApp(9, "cursor", pages=None)
    app.paged.items = []
    app.paged.fault = lambda number, query, page: (200, {"data": [make_item(n) for n in range(1, 101)]})
    app.paged.headers = {"ETag": '"7"'}
    assert (app.report().counts["created"], app.head.content_hash, app.head.etag) == (100, LONG_LIST, '"7"')
    app.paged.fault = lambda number, query, page: (304, None)
    app.hour()

    report = app.report()

    assert (report.outcome, report.counts["unchanged"]) == (Outcome.UNCHANGED, 100)
    assert app.presence() == {"present": set(range(1, 101))}


def test_a_preview_of_a_long_list_shows_its_beginning():
    """`source test` reads as much as one body has."""
    app = LongListApp(100, store=MemoryStore())

    doc = app.bokit.catalog.sources.test(DEFAULT_TENANT, app.source.id).as_dict()

    assert (doc["verdict"], len(doc["entries"]), len(app.paged.requests)) == ("ok", 20, 2)
