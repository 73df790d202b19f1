"""Records that people and programs write: merged, preserved, checked, many at once, and every change in the log."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bokit.core.items.edit import WriteMethod
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.collections import COLLECTION_READERS
from bokit.engine.catalog.collections import CollectionService, describe_patch_result
from bokit.engine.catalog.fields import read_fields
from bokit.engine.records.writes import Preconditions, RecordWriter
from bokit.errors import InputError, StateError, StoreConflictError, UnknownIdError
from bokit.store.memory.store import MemoryStore
from tests.support.json_app import JsonApp

SETTINGS = {"name": "settings", "preserve": ["createdBy", "limits.rooms"], "array_keys": {"team": "email"}}


class SettingsApp(JsonApp):
    """An app with a collection of settings that no source feeds."""

    def declare(self, **settings):
        self.bokit.catalog.collections.declare(DEFAULT_TENANT, {**SETTINGS, **settings})

    @property
    def collection(self):
        return self.bokit.catalog.collections.find(DEFAULT_TENANT, "settings")

    def changes(self, record_id):
        return self.bokit.catalog.collections.list_changes(self.collection, record_id, limit=1000).items


@pytest.fixture
def app():
    """An app with a collection of settings."""
    return SettingsApp()


def test_putting_merges_in_depth_and_says_what_changed(app):
    """The document is merged into the record; fields that it does not name stay; the same again changes nothing."""
    made = describe_patch_result(app.put("main", {"theme": "dark", "mail": {"from": "a@x.example", "port": 25}}))
    app.hour()
    changed = describe_patch_result(app.put("main", {"mail": {"port": 587}}))
    app.hour()
    again = describe_patch_result(app.put("main", {"mail": {"port": 587.0}, "theme": "dark"}))

    assert (made["changed"], changed["changed"], again["changed"]) == (True, True, False)
    record = again["record"]
    assert (record["id"], record["theme"], record["mail"]) == ("main", "dark", {"from": "a@x.example", "port": 587})
    assert (record["createdAt"], record["updatedAt"]) == ("2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z")
    assert record["_meta"]["version"] == 2
    assert [(c.action, sorted(c.fields)) for c in app.changes("main")] == [("edit", ["mail"]), ("create", ["mail", "theme"])]


def test_preserved_fields_stand_by_collection_by_request_and_ours_always(app):
    """The first value of a preserved field stands; the answer and the log name what was not taken."""
    app.put("main", {"createdBy": "ada", "limits": {"rooms": 3, "guests": 6}, "color": "red"})

    document = {"createdBy": "bob", "limits": {"rooms": 9, "guests": 8}, "color": "blue", "createdAt": "1999-01-01T00:00:00Z"}
    result = describe_patch_result(app.put("main", document, preserve=["color"]))

    assert result["preserved"] == ["createdBy", "limits.rooms", "color", "createdAt"]
    shown = result["record"]
    assert (shown["createdBy"], shown["limits"], shown["color"]) == ("ada", {"rooms": 3, "guests": 8}, "red")
    assert shown["createdAt"] == "2026-11-21T09:00:00Z"
    assert set(app.changes("main")[0].preserved) == {"createdBy", "limits.rooms", "color"}


def test_what_was_read_can_be_put_back(app):
    """The document that a GET shows, put back as it is, changes nothing."""
    result = app.put("main", {"theme": "dark", "n": 1})

    assert describe_patch_result(app.put("main", describe_patch_result(result)["record"]))["changed"] is False


def test_two_writers_who_read_the_same_lose_nothing_of_each_other(app):
    """With the base that each read, only what each changed is written, what each took away included."""
    base = {"theme": "dark", "mail": {"from": "a@x.example", "port": 25}, "old": 1}
    app.put("main", base)
    app.put("main", {**base, "theme": "light", "_base": base})
    app.put("main", {"theme": "dark", "mail": {"from": "a@x.example", "port": 587}, "_base": base})

    assert app.record("main").fields == {"theme": "light", "mail": {"from": "a@x.example", "port": 587}}


def test_arrays_with_a_key_are_merged_item_by_item_and_others_replaced(app):
    """Team members are identified by their address; tags are a plain list."""
    app.put("main", {"team": [{"email": "a@x", "role": "cook"}, {"email": "b@x", "role": "host"}], "tags": ["a", "b"]})
    app.put("main", {"team": [{"email": "b@x", "role": "chef"}, {"email": "c@x"}], "tags": ["c"]})

    fields = app.record("main").fields
    assert fields["team"] == [{"email": "a@x", "role": "cook"}, {"email": "b@x", "role": "chef"}, {"email": "c@x"}]
    assert fields["tags"] == ["c"]


def test_a_patch_is_a_json_merge_patch(app):
    """Null takes a field away, at any depth; arrays are replaced."""
    app.put("main", {"a": 1, "b": {"c": 2, "d": 3}, "tags": ["x"]})

    app.put("main", {"a": None, "b": {"c": None}, "tags": ["y"]}, WriteMethod.PATCH)

    assert app.record("main").fields == {"b": {"d": 3}, "tags": ["y"]}


def test_a_version_that_moved_on_is_refused(app):
    """If-Match takes the version that was read, and no other; a record that must be new must be."""
    app.put("main", {"a": 1})
    app.put("main", {"a": 2}, terms=Preconditions(versions=frozenset({1})))
    for terms in (Preconditions(versions=frozenset({1})), Preconditions(must_be_new=True)):
        with pytest.raises(StateError) as caught:
            app.put("main", {"a": 3}, terms=terms)
        assert caught.value.stable_code == "precondition-failed"
    with pytest.raises(UnknownIdError):
        app.put("other", {"a": 3}, terms=Preconditions(must_exist=True))
    assert app.record("main").fields == {"a": 2}


SCHEMA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string"}, "rating": {"type": "integer", "minimum": 1}, "home": {"$ref": "#/$defs/place"}},
    "$defs": {"place": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]+$"}}}},
}


def test_a_schema_is_checked_by_field_and_nothing_is_written(app):
    """Every wrong field is named with the rule that it breaks, never with its value; the record stays as it was."""
    app.declare(schema=SCHEMA)
    app.put("main", {"name": "Ada"})

    with pytest.raises(InputError) as caught:
        app.put("main", {"rating": "SECRET", "home": {"zip": "SECRET"}, "name": 1, "more": 1})

    assert caught.value.stable_code == "schema"
    errors = {e["field"]: e["message"] for e in caught.value.facts["errors"]}
    assert set(errors) == {"", "rating", "home.zip", "name"}
    assert "SECRET" not in str(errors)
    assert "type: integer" in errors["rating"]
    assert app.record("main").fields == {"name": "Ada"}
    with pytest.raises(InputError):
        app.put("main", {"name": None}, WriteMethod.PATCH)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "https://elsewhere.example/schema.json"},
        {"$ref": "#/$defs/none"},
        {"required": "name"},
        [],
        "text",
        {"description": "x" * 40_000},
    ],
)
def test_what_is_not_a_schema_is_refused_when_it_is_declared(app, schema):
    """Nothing is fetched for a schema, and nothing is declared that cannot be checked."""
    with pytest.raises(InputError):
        app.declare(schema=schema)


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ([1], "a JSON object"),
        ("x", "a JSON object"),
        ({"a": float("nan")}, "not JSON"),
        ({"id": "other"}, "id is the one"),
        ({"a": "x" * 300_000}, "too large"),
        ({"_base": 7}, "the base is"),
    ],
)
def test_bad_documents_are_one_clear_error(app, document, match):
    """Whatever is not a record is refused in a sentence."""
    with pytest.raises(InputError, match=match):
        app.put("main", document)


def test_a_document_nested_too_deeply_is_refused(app):
    """A thousand objects in one another are no record."""
    document = value = {}
    for _ in range(1000):
        value["a"] = {}
        value = value["a"]
    with pytest.raises(InputError, match="nested too deeply"):
        app.put("main", document)


@pytest.mark.parametrize("record_id", ["7", "a.b", "a/b", "é", "  ", "settings.7", "=2E", "x" * 900, "a~1", "a#b%c"])
def test_every_id_leads_to_its_own_record(app, record_id):
    """Whatever letters an id has, what is put under it is found under it, and nowhere else."""
    app.put(record_id, {"mine": record_id})
    app.put("7x", {"mine": "other"})

    assert app.record(record_id).fields == {"mine": record_id}
    assert app.record(app.record(record_id).id).key == record_id


def test_fifty_at_once_lose_nothing(app):
    """50 parallel PUTs of different fields: all arrive, preserved ones stand, and each has its line in the log."""
    app.put("main", {"createdBy": "ada"})

    answers = _put_at_once(app, 50)

    fields = app.record("main").fields
    assert fields == {"createdBy": "ada", **{f"field{n}": n for n in range(50)}}
    assert all(a["changed"] and a["preserved"] == ["createdBy"] for a in answers)
    logged = [name for change in app.changes("main")[:-1] for name in change.fields]
    assert sorted(logged) == sorted(f"field{n}" for n in range(50))
    assert len(app.changes("main")) == 51


def test_writers_of_one_process_take_turns(app):
    """50 PUTs at once meet no conflict: none has to be merged and written twice."""
    store = ConflictCounter(app.store)
    writer = RecordWriter(store, app.clock)
    app.bokit.catalog.collections = CollectionService(store, app.clock, app.bokit.catalog.sources, writer)
    app.put("main", {"createdBy": "ada"})

    answers = _put_at_once(app, 49)

    assert (len(answers), store.conflicts) == (49, 0)
    assert len(app.record("main").fields) == 50


class ConflictCounter:
    """A store that counts its conflicts."""

    def __init__(self, inner):
        self._inner, self.conflicts = inner, 0

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def apply_records(self, *args, **more):
        try:
            return self._inner.apply_records(*args, **more)
        except StoreConflictError:
            self.conflicts += 1
            raise


def _put_at_once(app, how_many):
    """Put *how_many* fields from as many threads, begun together."""
    start = threading.Barrier(how_many)

    def put(n):
        start.wait()
        return describe_patch_result(app.put("main", {f"field{n}": n, "createdBy": f"writer {n}"}))

    with ThreadPoolExecutor(how_many) as pool:
        return list(pool.map(put, range(how_many)))


def test_writers_in_other_processes_are_written_around(app):
    """Another process that always writes first delays a write and never loses it, nor is anything of the other lost."""
    rival = Rival(app.store, times=20)
    pauses = []
    writer = RecordWriter(rival, app.clock, sleep=pauses.append, chance=lambda: 1.0)
    app.bokit.catalog.collections.writer = writer
    app.put("main", {"n": 0})
    rival.on = True

    app.put("main", {"mine": True})

    assert app.record("main").fields == {"n": 20, "mine": True}
    assert len(pauses) == 20
    assert max(pauses) <= 0.4


def test_a_table_that_always_conflicts_is_reported_in_the_end(app):
    """After forty tries the conflict is the caller's to know; nothing is half written."""
    app.put("main", {"n": 0})
    rival = Rival(app.store, times=1000)
    rival.on = True
    app.bokit.catalog.collections.writer = RecordWriter(rival, app.clock, sleep=lambda s: None)

    with pytest.raises(StoreConflictError):
        app.put("main", {"mine": True})

    assert "mine" not in app.record("main").fields


class Rival:
    """A store in which another writer is faster, a number of times."""

    def __init__(self, inner, times):
        self._inner, self.left, self.on = inner, times, False

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def apply_records(self, records, changes, **more):
        if self.on and self.left:
            self.left -= 1
            from bokit.values import replace

            now = self._inner.load_record(records[0].tenant, records[0].collection, records[0].id)
            self._inner.apply_records([replace(now, remote={"n": now.remote["n"] + 1})], [], lease=None)
        return self._inner.apply_records(records, changes, **more)


def test_one_refused_patch_stops_no_other(app):
    """Of patches written at once only the one that violates the schema is refused."""
    app.declare(schema={"type": "object", "properties": {"n": {"type": "integer"}}})
    app.put("main", {"n": 0})
    start = threading.Barrier(10)

    def put(n):
        start.wait()
        try:
            return app.put("main", {"n": "bad"} if n == 3 else {f"f{n}": 1})
        except InputError as error:
            return error

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(put, range(10)))

    assert [n for n, a in enumerate(answers) if isinstance(a, InputError)] == [3]
    assert len(app.record("main").fields) == 10


def test_a_collections_name_and_parts_are_judged():
    """Names, paths, buckets and intervals are what they say they are."""
    for bad in (
        {"name": "Bookings"},
        {"name": "bookings"},
        {"name": "conflicts"},
        {"name": ""},
        {"name": "x", "buckets": 0},
        {"name": "x", "preserve": 7},
        {"name": "x", "array_keys": ["a"]},
        {"name": "x", "interval": 5},
        {"name": "x", "preserve": ["a..b"]},
    ):
        with pytest.raises(InputError):
            read_fields(bad, COLLECTION_READERS)


def test_memory_and_pages_agree():
    """Pages of any size show every record once, in one order, and refuse another list's cursor."""
    app = SettingsApp(store=MemoryStore())
    for n in range(25):
        app.put(f"r{n}", {"n": n})
    collections, seen, cursor = app.bokit.catalog.collections, [], None
    while True:
        page = collections.page(app.collection, limit=7, cursor=cursor)
        seen += [r.key for r in page.items]
        if (cursor := page.cursor) is None:
            break
    assert len(seen) == len(set(seen)) == 25
    with pytest.raises(InputError):
        collections.page(app.collection, limit=7, cursor="abcd")
