"""What a function does at INIT, and what it leaves to the first request: counted in new processes, never timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bokit.handlers import MANY_OBJECTS
from bokit.store.dynamo.create_table import create_table
from tests.support.builders import a_name
from tests.support.emulator import REGION, needs_emulator, run_emulator
from tests.support.lambda_events import EVENTS

pytestmark = needs_emulator
ROOT = Path(__file__).resolve().parents[2]
FIRST = {
    "sync": "sync/schedule.json",
    "sync_batch": "sync_batch/batch.json",
    "sync_sql": "sync_sql/database.json",
    "api": "api/units.json",
    "api_sync": "api_sync/status.json",
    "public": "public/feed.json",
    "authorize": "authorize/token.json",
    "live": "live/connect.json",
    "notify": "notify/stream.json",
    "deliver": "deliver/turn.json",
}
"""The event of each function."""
OURS_LATER = {"api": 30}
"""Modules of Bokit that the first request may import: the function has thirteen routers, and imports the one it is asked for."""
HEAVY = {"pydantic", "icalendar", "recurring_ical_events", "requests", "jsonschema", "sqlalchemy", "boto3", "dateutil.rrule"}
ENGINE = {"bokit.engine.sync", "bokit.engine.catalog.places", "bokit.engine.bookings.pages", "bokit.core.occupancy", "bokit.net"}
RESOLVER = {"aws_lambda_powertools.event_handler", "bokit.http.service", "bokit.http.routing", "bokit.http.routes"}
NEVER = {
    "public": HEAVY | ENGINE | RESOLVER | {"bokit.core.bookings", "bokit.core.ical", "bokit.http.documents"},
    "authorize": HEAVY | ENGINE | RESOLVER | {"bokit.http", "bokit.core.bookings", "bokit.core.ical", "bokit.engine.app"},
    "sync": HEAVY | ENGINE | RESOLVER,
    "notify": HEAVY | ENGINE | RESOLVER,
    "live": HEAVY | ENGINE | RESOLVER,
    "deliver": {"pydantic", "icalendar", "sqlalchemy", "boto3"} | RESOLVER,
    "sync_batch": {"pydantic", "sqlalchemy", "boto3"} | RESOLVER,
    "sync_sql": {"pydantic", "icalendar", "boto3"} | RESOLVER,
    "api": {"icalendar", "sqlalchemy", "boto3"},
    "api_sync": {"icalendar", "sqlalchemy", "boto3"},
}
"""What a function imports neither at INIT nor for its first request."""
FETCHING = {"sync_batch", "deliver"}
"""Who sends requests to others' hosts."""

CHILD = """
import gc, json, socket, sys
event = json.loads(sys.argv[1])
asked = []
connect = socket.socket.connect
socket.socket.connect = lambda self, address: (asked.append(str(address)), connect(self, address))[1]

import botocore.session
made = []
create = botocore.session.Session.create_client
def note(self, name, *given, **more):
    made.append(name)
    return create(self, name, *given, **more)
botocore.session.Session.create_client = note

import ssl
loaded = []
load = ssl.SSLContext.load_verify_locations
ssl.SSLContext.load_verify_locations = lambda self, *given, **more: (loaded.append(True), load(self, *given, **more))[1]

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "tests", 256, "request"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:tests"
    def get_remaining_time_in_millis(self): return 60_000

before = set(sys.modules)
import app
at_init = {"modules": sorted(sys.modules), "clients": list(made), "asked": list(asked), "trusted": len(loaded),
           "objects": gc.get_threshold()[0], "collects": gc.isenabled(), "kept": gc.get_freeze_count()}
answer, error = None, None
try:
    answer = app.lambda_handler(event, Context())
except Exception as raised:
    error = type(raised).__name__
later = sorted(set(sys.modules) - set(at_init["modules"]))
print(json.dumps({"init": at_init, "later": later, "clients": made[len(at_init["clients"]):], "asked": asked,
                  "trusted": len(loaded), "answer": answer, "error": error}, default=str))
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an emulator in another process: one in this one would be imported by the functions too."""
    with run_emulator(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture(scope="module")
def first(endpoint: str, table: str) -> Callable[[str], dict[str, Any]]:
    """Return what a function did at INIT and for its first request; each is started once."""
    return cache(lambda function: run(function, endpoint, table))


@pytest.fixture(scope="module")
def table(endpoint: str) -> str:
    """The table's name."""
    name = a_name("bokit")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(variable, "test")
        create_table(name, region=REGION, endpoint_url=endpoint)
    return name


def run(function: str, endpoint: str, table: str | None, event: str | None = None, **variables: str) -> dict[str, Any]:
    """Start a function as Lambda does, hand it one event, and return what it imported, made and asked."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions" / function), str(ROOT / "layers/shared")]),
        "AWS_LAMBDA_FUNCTION_NAME": f"bokit-{function}",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "BOKIT_QUEUE_URL": f"{endpoint}/123456789012/sync",
        "BOKIT_DELIVER_QUEUE_URL": f"{endpoint}/123456789012/deliver",
        "BOKIT_ALERT_TOPIC": f"arn:aws:sns:{REGION}:123456789012:alerts",
        "BOKIT_LIVE_ENDPOINT": f"{endpoint}/live",
        "BOKIT_LIVE_URL": "wss://live.example/live",
        "BOKIT_API_URL": "https://api.example",
        "POWERTOOLS_METRICS_NAMESPACE": "Bokit",
        **({} if table is None else {"BOKIT_TABLE": table}),
        **variables,
    }
    text = (EVENTS / (event or FIRST[function])).read_text()
    done = subprocess.run([sys.executable, "-c", CHILD, text], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "log": done.stderr}


def is_in(module: str, packages: set[str]) -> bool:
    """Return whether a module is one of *packages*, or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("function", FIRST)
def test_the_first_request_finds_all_made(first, function):
    """It makes no client, and imports nothing but, where there are many routes, its own route; nothing was asked at INIT."""
    seen = first(function)

    ours = [module for module in seen["later"] if is_in(module, {"bokit"})]
    assert seen["init"]["asked"] == []
    assert seen["asked"]
    assert seen["clients"] == []
    assert seen["init"]["clients"].count("dynamodb") == 1
    assert len(ours) <= OURS_LATER.get(function, 0), ours
    assert set(seen["later"]) - set(ours) == set()
    assert "could be made ready" not in seen["log"]


@pytest.mark.parametrize("function", FIRST)
def test_certificates_are_loaded_once_and_at_init(first, function):
    """By those functions alone that send requests to others' hosts: loading them takes a third of a first request."""
    seen = first(function)

    assert seen["init"]["trusted"] == (1 if function in FETCHING else 0)
    assert seen["trusted"] == seen["init"]["trusted"]


@pytest.mark.parametrize("function", NEVER)
def test_a_function_imports_nothing_that_it_does_not_need(first, function):
    """A calendar's reader waits for no validation, no parser and no HTTP client; an authorizer for nothing but the table."""
    seen = first(function)

    loaded = [*seen["init"]["modules"], *seen["later"]]
    assert [module for module in loaded if is_in(module, NEVER[function])] == []


@pytest.mark.parametrize("event", ["health.json", "page.json", "settings.json"])
def test_no_public_path_needs_the_resolver(endpoint, table, event):
    """Anybody may ask for each of them, and for what is not there."""
    seen = run("public", endpoint, table, f"public/{event}")

    loaded = [*seen["init"]["modules"], *seen["later"]]
    assert seen["answer"]["statusCode"] in (200, 404)
    assert [module for module in loaded if is_in(module, NEVER["public"])] == []


@pytest.mark.parametrize("function", ["sync", "sync_batch", "public", "authorize"])
def test_init_survives_what_only_a_request_can_report(endpoint, function):
    """Without its settings a function starts all the same, logs what is missing, and the first call reports it."""
    seen = run(function, endpoint, None)

    assert "not all could be made ready" in seen["log"]
    assert "no stack is named" in seen["log"]
    assert seen["error"] == "ConfigError" or failed(seen["answer"])


def failed(answer: dict[str, Any]) -> bool:
    """Return whether an answer says that the request failed, or its message comes again."""
    return answer.get("statusCode", 0) >= 500 or bool(answer.get("batchItemFailures"))


@pytest.mark.parametrize("function", ["sync", "public", "authorize"])
def test_a_table_that_is_away_does_not_stop_init(function):
    """Nothing listens at the endpoint: INIT asks for nothing."""
    seen = run(function, "http://127.0.0.1:9", "none", AWS_MAX_ATTEMPTS="1")

    assert seen["init"]["asked"] == []
    assert "could be made ready" not in seen["log"]


@pytest.mark.parametrize("function", ["sync", "sync_batch", "sync_sql", "api"])
def test_garbage_is_looked_for_rarely(function: str, first: Callable[[str], dict[str, Any]]) -> None:
    """Python's own threshold makes it look dozens of times for each hundred rows."""
    init = first(function)["init"]

    assert (init["objects"], init["collects"]) == (MANY_OBJECTS, True)
    assert init["kept"] > MANY_OBJECTS  # what INIT made is left out
