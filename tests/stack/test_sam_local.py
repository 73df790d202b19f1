"""`sam local` for real: every function in a container, from the built package, with its event of the events folder.

The containers run on an engine of the test's own, in an image made of this machine's Python and AWS's runtime client, and
reach the deployed stack's table through a forwarder on the engine's bridge.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from tests.support import docker_engine, lambda_image
from tests.support.deployed import Deployed, open_stack
from tests.support.docker_engine import Forwarder
from tests.support.ports import free_port
from tests.support.readers import make_readers_copy, read_blocks, read_documents

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "bokit-test/lambda-python:local"
EVENTS = {
    "SyncFunction": "sync",
    "SyncBatchFunction": "sync_batch",
    "ApiSyncFunction": "api_sync",
    "ApiFunction": "api",
    "PublicFunction": "public",
    "AuthorizeFunction": "authorize",
    "SyncSqlFunction": "sync_sql",
    "NotifyFunction": "notify",
    "DeliverFunction": "deliver",
    "LiveFunction": "live",
}
"""The folder of each function's events."""

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamLocal:
    """SAM's local commands on the built package, an engine of our own, and the deployed stack's table."""

    deployed: Deployed
    engine: str
    forwarder: Forwarder
    template: Path
    variables: Path

    def command(self, *words: str, template: Path | None = None) -> list[str]:
        """Return a command of SAM's, with what all of them need."""
        place = self.deployed.place
        overrides = {"Stage": "local", "PythonRuntime": place.runtime, "Architecture": place.architecture}
        return [
            str(place.tools / "sam/bin/sam"),
            "local",
            *words,
            "--template",
            str(template or self.template),
            "--skip-pull-image",
            "--invoke-image",
            IMAGE,
            "--env-vars",
            str(self.variables),
            "--parameter-overrides",
            *(f"{name}={value}" for name, value in overrides.items()),
        ]

    @property
    def env(self) -> dict[str, str]:
        """The environment of such a command: no real account, and the test's own engine."""
        nobody = {k: v for k, v in self.deployed.place.aws_env().items() if k != "AWS_ENDPOINT_URL"}
        return nobody | {"DOCKER_HOST": self.engine, "SAM_CLI_TELEMETRY": "0", "AWS_MAX_ATTEMPTS": "1"}

    def invoke(self, function: str, event: Path, template: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `sam local invoke`."""
        command = self.command("invoke", function, "--event", str(event), template=template)
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=120, check=False)

    @contextmanager
    def serve(self, what: str) -> Iterator[str]:
        """Run `sam local start-api` or `start-lambda`; yields its address."""
        port = free_port()
        command = self.command(what, "--port", str(port), "--warm-containers", "LAZY")
        with (self.variables.parent / f"{what}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)
        try:
            wait_for_port(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once the port is open; fail if the process ended."""
    for _ in range(300):
        assert process.poll() is None, "sam local ended"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("sam local does not answer")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An engine of the test's own."""
    if not lambda_image.RUNTIME_CLIENT.exists():
        pytest.skip("not run: AWS's runtime client is not installed; `make setup` installs it")
    if missing := docker_engine.missing_programs():
        pytest.skip(f"not run: no Docker engine can be started here without {', '.join(missing)}")
    with docker_engine.run_engine() as address:
        if address is None:
            pytest.skip("not run: dockerd does not start on this machine")
        yield address


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory, engine: str, built: Path, deployed: Deployed) -> Iterator[SamLocal]:
    """SAM's local commands, with the image that they run functions in."""
    folder = tmp_path_factory.mktemp("sam-local")
    root = lambda_image.make_root(folder / "root")
    with Forwarder(deployed.place.port) as forwarder:
        # SAM hands on no variable that the template does not name: the cloud's address goes into the image
        env = {"PATH": "/var/lang/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "AWS_ENDPOINT_URL": forwarder.url}
        docker_engine.import_image(engine, root, IMAGE, env)
        variables = folder / "variables.json"
        variables.write_text(json.dumps({"Parameters": name_resources(deployed, forwarder.url)}))
        yield SamLocal(
            deployed=deployed, engine=engine, forwarder=forwarder, template=built / "template.yaml", variables=variables
        )


def name_resources(deployed: Deployed, endpoint: str) -> dict[str, str]:
    """Return the variables that hold names of resources: SAM's local commands know logical names alone."""
    outputs = deployed.outputs
    queue = outputs["QueueUrl"].replace(f"http://localhost:{deployed.place.port}", endpoint)
    sockets = outputs["LiveEndpoint"].replace(deployed.place.endpoint_url, endpoint)
    names = {"BOKIT_TABLE": outputs["TableName"], "BOKIT_QUEUE_URL": queue, "BOKIT_ALERT_TOPIC": outputs["AlertTopicArn"]}
    return {**names, "BOKIT_LIVE_ENDPOINT": sockets}


def read_answer(done: subprocess.CompletedProcess[str]) -> Any:
    """Return what a function answered: SAM's exit status says nothing of it."""
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1:]
    assert last, done.stderr
    return json.loads(last[0])


def test_the_image_holds_nothing_of_ours(engine, sam):
    """What a container finds of Bokit and of its libraries comes from the layer: the image has neither."""
    probe = "import importlib.util as u; print([n for n in ('bokit', 'pynamodb', 'icalendar', 'boto3') if u.find_spec(n)])"
    done = docker_engine.docker(
        engine, "run", "--rm", "--env", "PYTHONPATH=/var/runtime", "--entrypoint", "/var/lang/bin/python", IMAGE, "-c", probe
    )

    assert done.stdout.strip() == "['boto3']"


@pytest.fixture(scope="module")
def answers(sam: SamLocal) -> Mapping[str, Any]:
    """What every function answers to the first of its events under `sam local invoke`."""
    events = {function: sorted((ROOT / "events" / folder).glob("*.json"))[0] for function, folder in EVENTS.items()}
    # one after the other: two at a time look for a free port in the same range, and may find the same
    return {function: read_answer(sam.invoke(function, event)) for function, event in events.items()}


@pytest.fixture(scope="module")
def client(sam: SamLocal) -> Iterator[Any]:
    """boto3's client of `sam local start-lambda`, which keeps its containers."""
    with sam.serve("start-lambda") as url:
        yield boto3.client(
            "lambda",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(read_timeout=60, retries={"total_max_attempts": 1}, proxies={}),
        )


def call(client: Any, function: str, event: bytes) -> Any:
    """Invoke a function with boto3, and return what it answers."""
    return json.loads(client.invoke(FunctionName=function, Payload=event)["Payload"].read())


def has_failed(answer: Any) -> bool:
    """Return whether an answer is an error of the function's own."""
    return "errorType" in answer or answer.get("statusCode", 200) >= 500


@pytest.mark.parametrize("function", EVENTS)
def test_a_function_runs_under_sam_local_invoke(answers, function):
    """Every function answers an event of the events folder, and not with an error of its own."""
    assert not has_failed(answers[function]), answers[function]


PAYLOADS = [
    (function, str(path.relative_to(ROOT / "events")))
    for function, folder in EVENTS.items()
    for path in sorted((ROOT / "events" / folder).glob("*.json"))
    if (folder, path.name) not in {("api", "trigger.json"), ("api", "status.json")}
]
"""All events with their functions; events/api has two that are ApiSyncFunction's, and equal its own."""


@pytest.mark.parametrize(("function", "event"), PAYLOADS)
def test_every_event_is_answered(client, function, event):
    """Under `sam local start-lambda`, boto3 gets an answer to every event, and none is an error of the function's own."""
    answer = call(client, function, (ROOT / "events" / event).read_bytes())

    assert not has_failed(answer), answer
    CHECKS[event](answer)


def document(answer: Any) -> Any:
    """Return the document in an API function's answer."""
    return json.loads(answer["body"])


def check(is_so: Any) -> None:
    """Fail where it is not so."""
    assert is_so


def failed(answer: Any) -> set[int]:
    """Return which messages of a batch are to come again; a shard that was never there is one, a claim that is over is not."""
    return {int(f["itemIdentifier"][-1]) for f in answer["batchItemFailures"]}


CHECKS = {
    "authorize/ticket.json": lambda a: check("Deny" in str(a["policyDocument"])),
    "live/connect.json": lambda a: check(a == {"statusCode": 403}),
    "live/disconnect.json": lambda a: check(a == {"statusCode": 200}),
    **dict.fromkeys(("live/ping.json", "live/resume.json", "live/unknown.json"), lambda a: check(a == {"statusCode": 200})),
    "notify/progress.json": lambda a: check(a["items"] == 0),
    "sync/schedule.json": lambda a: check(a["sent"] >= 0),
    "sync_batch/batch.json": lambda a: check(failed(a) <= {1}),
    "sync_batch/run.json": lambda a: check(a == {"batchItemFailures": []}),
    "sync_sql/database.json": lambda a: check(failed(a) <= {1}),
    "sync_batch/poison.json": lambda a: check({2, 3} <= failed(a) <= {1, 2, 3}),
    "api_sync/trigger.json": lambda a: check(a["statusCode"] == 202 and document(a)["run_id"].startswith("run_")),
    "api_sync/start.json": lambda a: check(a["statusCode"] in (201, 409)),
    "api_sync/stop.json": lambda a: check(a["statusCode"] == 200),
    "api_sync/status.json": lambda a: check("totals" in document(a)),
    "api_sync/history.json": lambda a: check("items" in document(a)),
    "api/units.json": lambda a: check("items" in document(a)),
    "api/bookings.json": lambda a: check("items" in document(a)),
    "api/options.json": lambda a: check(document(a)["value"] == 1800),
    "notify/stream.json": lambda a: check(a["failed"] is False),
    "deliver/turn.json": lambda a: check(a == {"batchItemFailures": []}),
    "deliver/alert.json": lambda a: check(a == {"batchItemFailures": []}),
    "public/health.json": lambda a: check(document(a)["status"] == "ok"),
    "public/page.json": lambda a: check(a["statusCode"] == 200 and "assets/main-" in a["body"]),
    "public/settings.json": lambda a: check(document(a)["locale"] == "en"),
    "public/feed.json": lambda a: check((a["statusCode"], json.loads(a["body"])["code"]) == (404, "not-found")),
    "api/conflicts.json": lambda a: check("items" in document(a)),
    "authorize/token.json": lambda a: check(a == {"isAuthorized": False}),
}
"""What each event's answer must say: the example's token, batch and run were never made."""


def test_an_error_is_returned_in_the_payload(client):
    """What is not an event of a function's is answered with the error's type."""
    assert call(client, "SyncBatchFunction", b'{"Records": 5}')["errorType"]


def test_what_takes_too_long_is_ended(sam):
    """A function whose table never answers is ended after its timeout, and answers nothing."""
    template = yaml.safe_load(sam.template.read_text())
    template["Resources"]["AuthorizeFunction"]["Properties"]["Timeout"] = 3
    hasty = sam.template.with_name("hasty.yaml")
    hasty.write_text(yaml.safe_dump(template))
    sam.forwarder.is_silent = True
    try:
        done = sam.invoke("AuthorizeFunction", ROOT / "events/authorize/token.json", hasty)
    finally:
        sam.forwarder.is_silent = False

    assert "timed out after 3 seconds" in done.stderr
    # the container says so too, where it comes to that before it is stopped
    assert done.stdout.strip() in ("", "Task timed out after 3.00 seconds")


def ask(url: str, token: str | None = None, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Send a request as curl would, and return status and document."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, headers=headers, data=None if body is None else json.dumps(body).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own address
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def test_start_api_serves_the_api(sam):
    """Under `sam local start-api` health answers, the authorizer lets tokens in and nobody else, and a sync is triggered."""
    stack = open_stack(sam.deployed)
    _, token = stack.access.create(DEFAULT_TENANT, Role.OPERATOR)
    with sam.serve("start-api") as url:
        assert ask(f"{url}/health")[1]["status"] == "ok"
        assert ask(f"{url}/sync/status")[0] == 401
        assert ask(f"{url}/sync/status", "bokit_nobody")[0] in (401, 403)
        assert "totals" in ask(f"{url}/sync/status", token)[1]
        status, accepted = ask(f"{url}/sync/trigger", token, {})
        assert (status, accepted["run_id"][:4]) == (202, "run_")
        assert ask(f"{url}/units", token)[1]["items"] is not None


def test_readmes_commands_work(sam, tmp_path):
    """The blocks of README that need Docker work as written, on images of this machine's Python: AWS's are out of reach."""
    place, blocks = sam.deployed.place, [block for block in read_blocks() if block.needs_docker]
    copy = make_readers_copy(tmp_path, port=place.port, simulator_port=place.simulator_port)
    machine = f'parameter_overrides = "Stage=local PythonRuntime={place.runtime} Architecture={place.architecture}"\n'
    image = f'skip_pull_image = true\ninvoke_image = ["{IMAGE}"]\nenv_vars = "{sam.variables}"\n'
    config = copy.folder / "samconfig.toml"
    text = config.read_text().replace("[default.build.parameters]\n", f"[default.build.parameters]\n{machine}")
    config.write_text(f"{text}\n[default.local_invoke.parameters]\n{machine}{image}")
    build = {"BOKIT_RUNTIME": place.runtime, "BOKIT_ARCHITECTURE": place.architecture, "BOKIT_PYTHON": sys.executable}

    done = copy.run("\n".join(block.text for block in blocks), **(sam.env | build))

    assert done.returncode == 0, done.stderr
    answers = read_documents("".join(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert [has_failed(answer) for answer in answers] == [False, False]
