"""The middleware of docs/webhooks.md, run as it stands in front of the API: validates, merges, notifies open pages of changes."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from tests.support.caller import ApiApp, an_event, by_token, serve
from tests.support.examples import FRAMEWORKS, run_example

NAMES = {"flask": "flask_middleware.py", "express": "express_middleware.mjs"}
SETTINGS = {"name": "settings", "schema": {"type": "object", "properties": {"theme": {"type": "string"}}}}
RECORD = "/collections/settings/records/main"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ApiApp:
    """The API, with a collection of settings declared."""
    made = ApiApp(monkeypatch)
    made.bokit.catalog.collections.declare(DEFAULT_TENANT, SETTINGS)
    return made


@pytest.fixture
def api(app: ApiApp) -> Iterator[str]:
    """Serve the API's handlers on loopback, behind the authorizer; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            who = app.bokit.access.authorize(self.headers["Authorization"])
            assert who is not None
            where, body = urlsplit(self.path), self.rfile.read(int(self.headers["Content-Length"])).decode()
            claims = by_token(who.tenant, who.role, who.id)
            query = dict(parse_qsl(where.query))
            response = serve(an_event("PUT", where.path, query=query, body=body, authorizer=claims))
            self.send_response(response["statusCode"])
            self.end_headers()
            self.wfile.write(response["body"].encode())

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)  # one request at a time, as one Lambda has
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Page:
    """A page of the middleware's own site."""

    url: str

    def send(self, body: Any, path: str = "/sync/settings/main") -> tuple[int, str]:
        """Return status and text of a POST."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def save(self, **wanted: Any) -> Any:
        """Return what Bokit answers, of what it accepted."""
        status, text = self.send(wanted)
        assert status == 200, text
        return json.loads(text)

    def follow(self) -> HTTPResponse:
        """Open the stream of changes."""
        stream: HTTPResponse = urllib.request.urlopen(f"{self.url}/changes", timeout=30)  # noqa: S310 - loopback
        assert [stream.readline(), stream.readline()] == [b": open\n", b"\n"]
        return stream


@pytest.fixture(params=FRAMEWORKS)
def page(request: pytest.FixtureRequest, app: ApiApp, api: str, tmp_path: Path) -> Iterator[Page]:
    """Start the middleware with an operator's token; yield a page of it."""
    token = app.bokit.access.create(DEFAULT_TENANT, Role.OPERATOR)[1]
    with run_example(NAMES[request.param], tmp_path, {"BOKIT_URL": api, "BOKIT_TOKEN": token}) as url:
        yield Page(url)


def next_change(stream: HTTPResponse) -> Any:
    """Return the next change of a stream."""
    line = stream.readline()
    assert stream.readline() == b"\n"
    return json.loads(line.removeprefix(b"data: "))


def test_what_a_page_saves_is_merged_and_its_fields_are_preserved(page: Page, app: ApiApp) -> None:
    """Fields that are not named stay; those of the collection, and those of the request, keep what they had."""
    made = page.save(data={"theme": "dark", "createdBy": "ada", "zone": "Rome", "mail": {"port": 25}})
    merged = page.save(
        data={"theme": "light", "createdBy": "bob", "zone": "Oslo", "mail": {"tls": True}}, preserveFields=["zone"]
    )

    assert (made["changed"], merged["changed"], sorted(merged["preserved"])) == (True, True, ["createdBy", "zone"])
    shown = app.caller.get(RECORD)
    expected = {"theme": "light", "createdBy": "ada", "zone": "Rome", "mail": {"port": 25, "tls": True}}
    assert {name: shown[name] for name in expected} == expected


def test_open_pages_hear_of_changes_alone(page: Page) -> None:
    """Every open page hears of a change, once; of the same again, of what is refused, and of a quiet save it hears nothing."""
    with page.follow() as one, page.follow() as other:
        page.save(data={"theme": "dark"})
        page.save(data={"theme": "dark"})
        page.save(data={"theme": "light"}, notifyFrontend=False)
        assert page.send({"data": {"theme": 1}})[0] == 422
        assert page.send({"data": {"theme": "last"}}, "/sync/settings/second")[0] == 200

        for stream in (one, other):
            heard = [next_change(stream)["id"], next_change(stream)["id"]]
            assert heard == ["main", "second"]


def test_what_does_not_fit_is_refused_and_nothing_is_written(page: Page, app: ApiApp) -> None:
    """Bokit's own refusals arrive with the field; what has not the form, or names another collection, does not reach it."""
    status, text = page.send({"data": {"theme": 1}})
    assert (status, [error["field"] for error in json.loads(text)["errors"]]) == (422, ["theme"])

    for body in ([1], {"data": [1]}, {"data": None}, {}, {"data": {}, "preserveFields": 5}):
        assert page.send(body)[0] == 422
    for path in ("/sync/bookings/main", "/sync/__proto__/main", "/sync/settings/..%2F..%2Ftokens", "/sync/settings/a%20b"):
        assert page.send({"data": {"theme": "dark"}}, path)[0] == 404
    assert app.caller.get("/collections/settings/records")["items"] == []
