"""`POST /sources/{id}/test` of databases and JSON APIs: what a source shows now, as the document says, and nothing is written."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.http.limits import MAX_PREVIEW_ENTRIES
from bokit.values import replace
from bokit.wiring import open_kinds
from tests.support.caller import ApiApp
from tests.support.scripted_server import ScriptedServer
from tests.support.servers import PASSWORD
from tests.support.sql_places import DATABASES, Place, make_place

CLIENTS = {"table": "clients", "collection": "clients", "key": ["id"]}


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each kind, with seven clients and an empty table."""
    with make_place(request.param, request, tmp_path) as made:
        made.run("CREATE TABLE clients (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50))")
        made.run("CREATE TABLE invoices (id INTEGER NOT NULL PRIMARY KEY)")
        made.run(*(f"INSERT INTO clients VALUES ({n}, 'Client {n}')" for n in range(1, 8)))  # noqa: S608 - the test's own numbers
        made.grant()
        yield made


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ApiApp:
    """The API with the product's own kinds of source."""
    kinds = open_kinds(Settings(table_name="memory", allow_private_addresses=True))
    return ApiApp(monkeypatch, kinds={"sql": kinds["sql"], "json": replace(kinds["json"], check_url=lambda url: None)})


def answer_once(answer: bytes, sock: socket.socket, _: bytes) -> bool:
    """Answer a request with these bytes, and close the connection."""
    sock.sendall(answer)
    return False


def declare(app: ApiApp, **source: Any) -> str:
    """Add a source by a config file; return its path."""
    config = {"collections": [{"name": "clients"}, {"name": "invoices"}], "sources": [{"name": "Billing", **source}]}
    import_config(app.bokit.catalog, DEFAULT_TENANT, read_config(config))
    return f"/sources/{app.bokit.catalog.sources.find(DEFAULT_TENANT, 'Billing').id}"


def test_a_database_is_shown(app: ApiApp, place: Place) -> None:
    """Its first rows by table, and the tables that it has; no password is in the answer, and no record is made."""
    path = declare(app, kind="sql", url=place.url, tables=[CLIENTS])
    answer = app.caller.as_("operator").ask("POST", f"{path}/test")
    shown = answer.doc

    assert (answer.status, shown["verdict"], shown["total"], shown["platform"]) == (200, "ok", 5, None)
    assert shown["entries"][0] == {"id": "1", "collection": "clients", "fields": {"id": 1, "name": "Client 1"}}
    assert [(t["name"], len(t["rows"]), t["error"]) for t in shown["tables"]] == [("clients", 5, None)]
    listed = {table["table"]: table["suggested"] for table in shown["database"]["tables"]}
    assert listed == {"clients": {"key": ["id"]}, "invoices": {"key": ["id"]}}
    assert PASSWORD not in answer.text
    assert app.caller.get("/collections/clients/records")["items"] == []
    assert app.caller.as_("viewer").ask("POST", f"{path}/test").status == 403


def test_a_table_that_cannot_be_read_is_shown_beside_the_others(app: ApiApp, place: Place) -> None:
    """Its error is its own, and the verdict partial; where none can be read, unreadable."""
    path = declare(app, kind="sql", url=place.url, tables=[{**CLIENTS, "table": "customers", "collection": "invoices"}, CLIENTS])
    shown = app.caller.post(f"{path}/test", status=200)

    assert (shown["verdict"], [p["code"] for p in shown["problems"]]) == ("partial", ["missing-table"])
    assert [t["error"] and t["error"]["code"] for t in shown["tables"]] == ["missing-table", None]


def test_a_database_that_cannot_be_opened_is_the_callers_business(app: ApiApp, tmp_path: Path) -> None:
    """422 with the reason; no path or password of its URL is shown."""
    path = declare(app, kind="sql", url=f"sqlite:///{tmp_path}/none.db", tables=[CLIENTS])
    answer = app.caller.ask("POST", f"{path}/test")

    assert answer.status == 422
    assert str(tmp_path) not in answer.text


def test_an_api_without_database_libraries_says_so(app: ApiApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's function of a deployed stack has none: it says so, and where databases are read."""
    path = declare(app, kind="sql", url=f"sqlite:///{tmp_path}/none.db", tables=[CLIENTS])
    monkeypatch.delitem(sys.modules, "bokit.sources.sql.connect", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)  # as if it were not installed
    answer = app.caller.ask("POST", f"{path}/test")

    assert (answer.status, answer.code) == (409, "no-libraries")
    assert "command line" in answer.doc["detail"]


def test_a_json_api_is_shown(app: ApiApp) -> None:
    """Its items as the records that they become, cut to what a preview shows."""
    body = str([{"id": n, "name": "x"} for n in range(1, 301)]).replace("'", '"').encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    server = ScriptedServer(partial(answer_once, head + body))
    try:
        path = declare(app, kind="json", url=server.url("/clients"), collection="clients", id="id")
        shown = app.caller.post(f"{path}/test", status=200)
    finally:
        server.stop()

    assert (shown["verdict"], shown["total"], len(shown["entries"])) == ("ok", 300, MAX_PREVIEW_ENTRIES)
    assert shown["entries"][0] == {"id": "1", "fields": {"id": 1, "name": "x"}}
