"""What an edit, a push, a sync or an applied plan did to records of a collection is given back, by the rules of records."""

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.items.undo import MADE, NOT_IN_TABLE
from bokit.core.model.catalog import DEFAULT_TENANT, Collection
from bokit.core.model.records import CollectionName, Fields, Presence, RunId
from bokit.engine.bookings.undo import UndoPlan
from bokit.errors import UnknownIdError
from tests.support.json_app import JsonApp
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile

ADA = "user:ada"


class Clients(JsonApp):
    """The clients of an API that deletes what it no longer shows, and people who edit them."""

    def __init__(self, **collection: Any) -> None:
        super().__init__(collection=collection, on_missing="delete")
        self.sync()

    def last(self, key: int | str) -> str:
        return str(self.bokit.catalog.collections.list_changes(self.collection, str(key)).items[0].id)

    def undo(self, word: str) -> UndoPlan:
        self.hour()
        plan = self.bokit.bookings.undo.plan(DEFAULT_TENANT, word, by=ADA)
        self.bokit.bookings.undo.apply(plan, by=ADA, confirmed=False)
        return plan

    def go_on(self, hours: int = 1) -> RunId:
        self.clock.move(hours=hours)
        return self.sync().run_id

    def fields(self, key: int | str = 7) -> Fields:
        return self.record(key).fields


@pytest.fixture
def app() -> Clients:
    return Clients()


def test_an_edit_is_undone_and_its_undo_too(app):
    """Of what a source feeds, the source's value is back and no edit remains; inside an object only what was edited goes."""
    before = app.fields()
    app.put(7, {"name": "Ann", "contact": {"email": "ann@example.com"}})
    edited = app.fields()
    plan = app.undo(app.last(7))
    assert (app.fields(), app.record(7).edits, len(plan.active)) == (before, {}, 1)
    app.undo(app.last(7))
    assert app.fields() == edited
    app.go_on()
    assert app.fields() == edited


def test_a_pushed_record_gets_its_former_values(app):
    """Of what a program pushed the value itself changes; that it was pushed at all is not undone."""
    app.put("x", {"name": "Ann", "age": 7})
    made = app.last("x")
    app.put("x", {"name": "Bea", "town": "Rome"})
    app.undo(app.last("x"))
    assert app.fields("x") == {"name": "Ann", "age": 7}
    (step,) = app.undo(made).steps
    assert (step.change, step.left) == (None, {"presence": MADE})


def test_what_a_sync_changed_is_undone_as_an_edit(app):
    """Each changed record of the run has its former value, which later syncs keep; a later change of the field is not undone."""
    before = app.fields(7), app.fields(8)
    app.api.clients[7]["name"], app.api.clients[8]["name"] = "New 7", "New 8"
    run = app.go_on()
    app.clock.move(minutes=5)
    app.put(8, {"name": "Ann"})
    plan = app.undo(str(run))
    app.go_on()
    assert (app.fields(7), app.record(7).edits["name"].by) == (before[0], ADA)
    assert (app.fields(8)["name"], len(plan.active), len(plan.steps)) == ("Ann", 1, 2)
    assert "changed since by user:ada" in plan.steps[1].left["name"]
    assert app.bokit.status.load_history(DEFAULT_TENANT).items[1].counts["updated"] == 1


def test_what_a_sync_deleted_comes_back_and_is_judged_again(app):
    """It is there as its source showed it last; the source still does not show it, so it goes again after the usual wait."""
    before, gone = app.fields(), app.api.clients.pop(7)
    app.go_on()
    run = app.go_on(25)
    assert app.record(7).presence is Presence.GONE
    app.undo(str(run))
    assert (app.record(7).presence, app.fields()) == (Presence.PRESENT, before)
    app.go_on()
    assert app.record(7).presence is Presence.MISSING
    app.go_on(25)
    assert app.record(7).presence is Presence.GONE
    app.undo(app.last(7))
    app.api.clients[7] = gone
    app.go_on()
    assert (app.record(7).presence, app.fields()) == (Presence.PRESENT, before)


def test_what_the_collection_keeps_is_kept():
    """A preserved field is left alone, and a value that would break the schema, each with its reason."""
    app = Clients(preserve=["joinDate"])
    app.put("x", {"name": "Ann", "age": 7, "joinDate": "2020"})
    app.put("x", {"name": "Bea", "age": 8})
    change = app.last("x")
    app.declare(collection={"preserve": ["name"]}, on_missing="delete")
    assert app.undo(change).steps[0].left == {"name": "the collection preserves it"}
    assert (app.fields("x")["name"], app.fields("x")["age"]) == ("Bea", 7)
    app.put("x", {"age": 20})
    change = app.last("x")
    app.declare(collection={"schema": {"properties": {"age": {"minimum": 18}}}}, on_missing="delete")
    (step,) = app.undo(change).steps
    assert (step.change, step.left["age"].startswith("against the schema: ")) == (None, True)


def test_unknown_changes_of_records_are_named(app):
    """A record or a line that there is not."""
    for word in ("clients.7@99", "clients.none@1"):
        with pytest.raises(UnknownIdError):
            app.undo(word)


def test_a_row_that_left_its_table_comes_back_with_the_table_alone(tmp_path):
    """Nobody would look for it again: an undo leaves it alone, and says so; what an update did is given back as any."""
    file = SqliteFile(tmp_path)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO clients VALUES (7, 'Ann'), (8, 'Bea')")
    app = SqlApp(file.url)
    clients = app.store.save_collection(Collection(name=CollectionName("clients"), tenant=DEFAULT_TENANT))
    app.add_source(CLIENTS, collections=[clients], on_missing="delete")
    app.sync()
    file.run("DELETE FROM clients WHERE id = 7", "UPDATE clients SET name = 'New' WHERE id = 8")
    updated = app.sync().run_id
    app.sync(advance=90_000)
    gone = app.records()["7"]
    undo = app.bokit.bookings.undo

    (left,) = undo.plan(DEFAULT_TENANT, app.changes(gone)[0].id, by=ADA).steps
    plan = undo.plan(DEFAULT_TENANT, updated, by=ADA)
    undo.apply(plan, by=ADA, confirmed=False)
    app.sync()

    assert (str(gone.presence), left.change, left.left) == ("gone", None, {"presence": NOT_IN_TABLE})
    assert (app.records()["8"].fields["name"], app.presences()["7"]) == ("Bea", "gone")
