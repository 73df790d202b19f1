"""Secrets of sources, through more than a hundred failures: in no log, answer, notice, message, metric or other stored value."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from bokit.core.bookings.rules import BookingRules
from bokit.core.items.rules import RecordRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.tables.rules import TableRules
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.tables.sync import TableSync
from bokit.net.addresses import check_url
from bokit.observability import Redaction
from bokit.outlets.memory import MemoryAlerts, MemoryQueue
from bokit.sources.ical import IcalFetcher
from bokit.sources.json_api import JsonApiFetcher, Waiting
from bokit.sources.secrets import Secrets
from bokit.sources.sql.table import SqlReader, SqlSample
from bokit.sources.sql.url import Reach, check_database_url
from bokit.store.memory.store import MemoryStore
from bokit.wiring import make_booking_reconciler
from functions.api import app as api
from functions.api_sync import app as api_sync
from functions.public import app as public
from functions.sync import app as tick
from functions.sync_batch import app as batch
from tests.support.caller import Answer, Caller
from tests.support.guarded import SECRET_PATH, Serve, a_client, serve  # noqa: F401
from tests.support.lambda_events import LambdaContext
from tests.support.network_faults import FAULTS
from tests.support.rows_app import ManualClock
from tests.support.scripted_server import Script, ok, say

pytestmark = pytest.mark.slow
WORD = "SENTINEL"
USER = "SENTINEL-user:SENTINEL-password@"
HEADERS = {"X-Key": "SENTINEL-header", "Authorization": "Bearer secret:key"}
REFUSALS = (400, 401, 403, 404, 410, 429, 500, 503)
BODIES: dict[str, Script] = {
    "is a page": say(ok(b"<html>SENTINEL</html>", "Content-Type: text/html")),
    "is another JSON": say(ok(b'{"error": "SENTINEL"}', "Content-Type: application/json")),
    "is cut": say(ok(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\nSUMM")),
    "is not UTF-8": say(ok(b"[\xff\xfe\x00", "Content-Type: application/json; charset=SENTINEL")),
    **{
        f"says {status}": say(ok(b"SENTINEL", status=f"{status} SENTINEL")) for status in (400, 401, 403, 404, 410, 429, 500, 503)
    },
}
DATABASES = (
    "mysql+pymysql://SENTINEL-user:SENTINEL-password@127.0.0.1:{port}/shop?sslmode=disable",
    "mysql+pymysql://SENTINEL-user:SENTINEL-password@127.0.0.1:{port}/shop",
    "postgresql+psycopg://SENTINEL-user:SENTINEL-password@127.0.0.1:{port}/shop",
    "postgresql+psycopg://SENTINEL-user:SENTINEL-password@localhost:1/shop",
    "sqlite:////nowhere/SENTINEL/shop.db",
    "secret:database",
)


class Vault:
    """Secrets Manager with four secrets, of which one does not exist."""

    def __init__(self, address: str) -> None:
        self.values = {
            "feed": address,
            "key": "SENTINEL-key",
            "database": "mysql+pymysql://SENTINEL-user:SENTINEL-password@127.0.0.1:1/SENTINEL",
            "not-a-url": "SENTINEL not a URL",
        }

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803 - AWS's name
        return {"SecretString": self.values[SecretId.rpartition("/")[2]]}


class FailingApp:
    """The product on the memory store, with the real fetchers, behind all of its handlers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, vault: Vault) -> None:
        self.store, self.queue, self.alerts, self.clock = MemoryStore(), MemoryQueue(), MemoryAlerts(), ManualClock()
        self.configured: set[str] = set()
        self.messages: list[str] = []
        self.bokit = Bokit(
            EngineParts(
                store=self.store,
                kinds=open_kinds(Secrets(lambda service: vault, "stack").reveal, self.clock),
                alerts=self.alerts,
                clock=self.clock,
                queue=self.queue,
                check_url=lambda url: check_url(url, True),
            )
        )
        for module in (api, api_sync, public, tick, batch):
            monkeypatch.setattr(module, "engine", lambda: self.bokit)
        self.caller = Caller(self.bokit)

    def sync_all(self) -> None:
        """Let the schedule come, and the worker do what waits, as Lambda calls them."""
        tick.lambda_handler({}, LambdaContext())
        while self.queue.bodies:
            bodies, self.queue.bodies = self.queue.bodies, []
            self.messages += bodies
            records = [{"messageId": str(n), "body": body, "eventSource": "aws:sqs"} for n, body in enumerate(bodies)]
            batch.lambda_handler({"Records": records}, LambdaContext(milliseconds_left=900_000))

    def stored(self) -> str:
        """Return all that is stored, without the texts that the owner entered."""
        text = repr([vars(part) for part in (self.store, *vars(self.store).values()) if hasattr(part, "__dict__")])
        for entered in sorted(self.configured, key=len, reverse=True):
            text = text.replace(repr(entered), "-")
        return text


def open_kinds(reveal: Any, clock: ManualClock) -> dict[str, SourceKind]:
    """Return the three kinds, whose client is soon out of patience."""
    reach = Reach(local=True)
    reader = SqlReader(reveal, reach)
    return {
        "ical": SourceKind(
            fetcher=IcalFetcher(a_client(), reveal),
            rules=BookingRules(),
            collection=BOOKINGS,
            reconciler=make_booking_reconciler,
        ),
        "json": SourceKind(
            fetcher=JsonApiFetcher(a_client(), reveal, clock, Waiting(sleep=lambda seconds: None)),
            rules=RecordRules(),
            is_shared=True,
        ),
        "sql": SourceKind(
            fetcher=SqlSample(reader),
            rules=TableRules(),
            tables=partial(TableSync, reader=reader),
            is_shared=True,
            check_url=lambda url: check_database_url(url, reach),
        ),
    }


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that the product's handlers would write to the log, and every line of other loggers."""
    stream, root, ours = io.StringIO(), logging.getLogger(), logging.getLogger("bokit")
    handler, redacted = logging.StreamHandler(stream), logging.StreamHandler(stream)
    redacted.addFilter(Redaction())
    redacted.setFormatter(logging.Formatter("%(message)s %(facts)s %(exc_text)s", defaults={"facts": ""}))
    levels = root.level, ours.level
    root.addHandler(handler)
    ours.addHandler(redacted)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    ours.removeHandler(redacted)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def with_user(url: str) -> str:
    """Return *url* with user info."""
    return url.replace("://", f"://{USER}")


def furnish(app: FailingApp, serve: Serve, vault: Vault) -> int:
    """Declare a calendar and an API for each fault, and all databases; return how many sources there are."""
    scripts = {name: script for name, (script, _) in FAULTS.items()} | BODIES
    feeds: list[dict[str, Any]] = []
    apis: list[dict[str, Any]] = []
    for name, script in scripts.items():
        address = with_user(serve(script).url(SECRET_PATH))
        feeds.append({"name": name, "kind": "ical", "url": address})
        api_address = with_user(serve(script).url(SECRET_PATH))
        apis.append(
            {"name": f"api {name}", "kind": "json", "url": api_address, "headers": HEADERS, "items": "data", "id": "id"}
            | {"collection": f"c{len(apis)}"}
        )
    vault.values["feed"] = with_user(serve(FAULTS["resets within the body"][0]).url(SECRET_PATH))
    feeds += [{"name": name, "kind": "ical", "url": f"secret:{name}"} for name in ("feed", "not-a-url", "missing")]
    port = serve(say(b"SENTINEL\r\n", then_close=True), script_connection=True).port
    databases = [
        {"name": f"db {n}", "kind": "sql", "url": url.format(port=port), "tables": [TABLE]} for n, url in enumerate(DATABASES)
    ]
    units = [{"name": feed["name"], "sources": [feed]} for feed in feeds]
    config = {"properties": [{"name": "House", "timezone": "Europe/Rome", "units": units}], "sources": apis + databases}
    import_config(app.bokit.catalog, DEFAULT_TENANT, read_config(config))
    app.configured = {str(source["url"]) for source in [*feeds, *apis, *databases]} | set(HEADERS.values())
    return len(feeds) + len(apis) + len(databases)


TABLE = {"table": "clients", "collection": "clients", "key": ["id"], "fields": {"name": "name"}}


def ask_all(app: FailingApp) -> list[Answer]:
    """Return what every route that shows sources and runs answers, and previews and dry runs of all sources."""
    caller = app.caller
    sources = app.store.load_sources(DEFAULT_TENANT)
    runs = caller.get("/sync/history", limit=200)["items"]
    paths = ["/sources", "/sync/status", "/sync/history", "/collections", "/options", "/units", "/conflicts", "/bookings"]
    paths += [f"/sources/{source.id}" for source in sources if source.kind == "ical"]
    paths += [f"/sync/history/{run['run_id']}" for run in runs]
    answers = [caller.ask("GET", path) for path in paths]
    for source in [s for s in sources if s.kind == "ical"]:
        body = {"name": "again", "unit_id": str(source.scope), "url": source.url}
        answers.append(caller.ask("POST", "/sources", body, query={"preview": "true"}))
    for source in sources[:: len(sources) // 10]:
        if source.kind != "sql":
            answers.append(caller.ask("POST", "/sync/trigger", {"source_ids": [source.id], "dry_run": True}))
    return answers


def around(text: str) -> str:
    """Return where *text* shows a secret."""
    return text[max(0, text.find(WORD) - 200) : text.find(WORD) + 80]


def test_no_secret_is_seen_anywhere(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    logged: io.StringIO,
    record_property: Any,
) -> None:
    """Of URLs' user info, path and query, of headers, of database URLs and of what references reveal: nothing, in any outlet."""
    vault = Vault("")
    app = FailingApp(monkeypatch, vault)
    count = furnish(app, serve, vault)
    for _ in range(2):
        app.sync_all()
        app.clock.move(hours=5)
    sources = app.bokit.status.load_status(DEFAULT_TENANT)["sources"]
    states, errors = [s["state"] for s in sources], [s["error"]["code"] for s in sources if s["error"]]
    answers = ask_all(app)
    printed = "".join(capfd.readouterr())

    assert states.count("failing") + states.count("held") == count > 100
    assert "unexpected" not in errors
    app.bokit.events.drain()
    assert len(app.alerts.notices) >= count - states.count("held")
    outlets = {
        "answers": "".join(answer.text + str(answer.headers) for answer in answers),
        "log": logged.getvalue(),
        "printed, with metrics": printed,
        "notices": repr(app.alerts.notices),
        "messages, and dead letters": json.dumps(app.messages),
        "table": app.stored(),
    }
    assert all(outlets.values())
    assert {
        name: text[max(0, text.find(WORD) - 200) : text.find(WORD) + 80] for name, text in outlets.items() if WORD in text
    } == {}
    record_property("failures", count)
    record_property("codes", len(set(errors)))
    record_property("answers", len(answers))
