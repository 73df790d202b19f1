"""Cold starts by function: CPU of INIT, of the first invocation and of the second, from an unpacked layer.

    time ──────────────┬──────────────────────────┬──────────────┬─────────────►
    Lambda             │ INIT, on a full core     │ first invoke │ second invoke
    this bench         │ import app               │ handler      │ handler

The layer is built as `sam build` does, with byte code that is valid whatever its timestamps, for the runtime of this machine's
architecture; boto3 is put in, which Lambda's runtime brings. Each start is a process of the runtime's Python (`python3.13`) with
the function's variables. The table is an emulator in another process, so only our own CPU is counted; it is asked without TLS.

    python -m bench.bench_cold [FUNCTION …]      BOKIT_LAYER=FOLDER measures a layer that is there already
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.bench_unchanged import emulator, feed_server
from bench.rows import LackingError, Row
from bokit.aws import make_client
from bokit.config import Settings
from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Trigger
from bokit.engine.runs.manual import SyncRequest
from bokit.outlets.memory import MemoryQueue
from bokit.store.dynamo.create_table import create_table
from bokit.values import replace
from bokit.wiring import build_engine

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = os.environ.get("BOKIT_RUNTIME", "python3.13")
REGION, KEY = "us-east-1", "bench-key-of-outgoing-calendars"
ROUNDS = 3
MAX_FIRST_MS = 60
"""CPU of the first invocation, at most."""
EVENTS: Mapping[str, str] = {
    "sync": "sync/schedule.json",
    "sync_batch": "sync_batch/run.json",
    "sync_batch:new": "sync_batch/run.json",
    "sync_sql": "sync_sql/database.json",
    "api": "api/units.json",
    "api_sync": "api_sync/status.json",
    "public": "public/feed.json",
    "authorize": "authorize/token.json",
    "live": "live/resume.json",
    "notify": "notify/stream.json",
    "deliver": "deliver/turn.json",
}
"""The event of each function, and after a colon of another case. What it names is put into a new table before each start."""

MEASURE = """
import json, resource, sys
event = json.loads(sys.argv[1])
class Context:
    function_name, memory_limit_in_mb, aws_request_id = "bench", 256, "request"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    def get_remaining_time_in_millis(self): return 60_000
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000
times, answers = [cpu()], []
import app
times.append(cpu())
loaded = set(sys.modules)
for _ in range(2):
    answers.append(app.lambda_handler(event, Context()))
    times.append(cpu())
    later = sorted(set(sys.modules) - loaded) if len(answers) == 1 else later
print(json.dumps([times, len(loaded), later, answers[0]], default=str))
"""


class Scene:
    """A new table with what a function finds at work: a due source, a token, an outgoing calendar, a run, a webhook."""

    def __init__(self, table: str, endpoint_url: str, feed_url: str) -> None:
        create_table(table, region=REGION, endpoint_url=endpoint_url)
        self.table, self.queue = table, MemoryQueue()
        settings = Settings(table_name=table, region=REGION, endpoint_url=endpoint_url, allow_private_addresses=True)
        self.bokit = build_engine(settings, queue=self.queue, deliver_queue=MemoryQueue())
        self.bokit._parts = replace(self.bokit._parts, calendar_key=lambda: KEY)
        self.house = self.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa Rosa", "timezone": "Europe/Rome"})
        self.unit = self.bokit.catalog.add_unit(DEFAULT_TENANT, self.house.id, {"name": "Garden flat"})
        self.feed_url = f"{feed_url}/calendar.ics"
        self.bokit.catalog.sources.add(DEFAULT_TENANT, self.unit.id, {"name": "Airbnb", "url": self.feed_url})

    def event_of(self, function: str) -> dict[str, Any]:
        """Return the event of *function*, about what is in the table."""
        event: dict[str, Any] = json.loads((ROOT / "events" / EVENTS[function]).read_text())
        change = getattr(self, f"_change_{function.replace(':', '_')}", None)
        if change:
            change(event)
        return event

    def _change_sync_batch(self, event: dict[str, Any]) -> None:
        """Let it find the feed unchanged, as it mostly does."""
        self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True))
        self._start_run()
        event["Records"][0]["body"] = self.queue.bodies.pop()

    def _change_sync_batch_new(self, event: dict[str, Any]) -> None:
        """Let it find a feed of a hundred bookings that it has never seen: more than any change of one."""
        self._start_run()
        event["Records"][0]["body"] = self.queue.bodies.pop()

    def _change_api_sync(self, event: dict[str, Any]) -> None:
        """Let the stack's counters be there: they are made when a table is first asked for them, not at a cold start."""
        self.bokit.status.load_status(DEFAULT_TENANT)

    def _change_public(self, event: dict[str, Any]) -> None:
        calendar = self.bokit.calendars.open(DEFAULT_TENANT, self.unit.id)
        event["rawPath"] = f"/feeds/{self.bokit.calendars.token_of(calendar)}.ics"

    def _change_authorize(self, event: dict[str, Any]) -> None:
        _, text = self.bokit.access.create(DEFAULT_TENANT, Role.ADMIN)
        event["headers"] = {**event["headers"], "authorization": f"Bearer {text}"}

    def _change_notify(self, event: dict[str, Any]) -> None:
        """Let the stream show what is in the outbox."""
        self._start_run()
        items = self.bokit.store.client.scan(TableName=self.table)["Items"]  # type: ignore[attr-defined]
        records, stored = event["Records"], [item for item in items if item["pk"]["S"].startswith("OUT#")]
        event["Records"] = [{**records[0], "dynamodb": {**records[0]["dynamodb"], "NewImage": item}} for item in stored]

    def _change_deliver(self, event: dict[str, Any]) -> None:
        webhook = self.bokit.webhooks.add(DEFAULT_TENANT, {"url": self.feed_url})
        self._start_run()
        self.bokit.events.drain().check()
        event["Records"][0]["body"] = json.dumps({"tenant": DEFAULT_TENANT, "webhook": webhook.id, "hops": 0})

    def _start_run(self) -> None:
        self.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True))


def environment(function: str, scene: Scene, endpoint_url: str, layer: Path) -> dict[str, str]:
    """Return the variables of a function in the stack. That of databases has libraries of its own, built beside the layer."""
    folders = [layer.parent / function, ROOT / "functions" / function, layer]
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": f"bokit-{function}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "BOKIT_TABLE": scene.table,
        "BOKIT_FUNCTION": function,
        "BOKIT_STACK": "bench",
        "BOKIT_QUEUE_URL": f"{endpoint_url}/000000000000/{scene.table}",
        "BOKIT_DELIVER_QUEUE_URL": f"{endpoint_url}/000000000000/{scene.table}",
        "BOKIT_ALERT_TOPIC": f"arn:aws:sns:{REGION}:000000000000:{scene.table}",
        "BOKIT_LIVE_URL": endpoint_url.replace("http", "ws"),
        "BOKIT_LIVE_ENDPOINT": f"{endpoint_url}/live",
        "BOKIT_API_URL": "https://api.bokit.example",
        "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Bokit",
        **({"BOKIT_SQL_QUEUE_URL": f"{endpoint_url}/000000000000/sql"} if function == "sync_batch" else {}),
    }


def find_python() -> str:
    """Return the runtime's Python; raises LackingError where this machine has none."""
    for name in (sys.executable, RUNTIME, *map(str, Path.home().glob(f".pyenv/versions/{RUNTIME[6:]}*/bin/{RUNTIME}"))):
        asked = "import sys; print('python%d.%d' % sys.version_info[:2])"
        found = subprocess.run([name, "-c", asked], capture_output=True, text=True, check=False) if shutil.which(name) else None
        if found and found.stdout.strip() == RUNTIME:
            return name
    raise LackingError(f"no {RUNTIME} here; its byte code is what Lambda runs")


@contextmanager
def built_layer(python: str) -> Iterator[Path]:
    """Build the layer for this machine, with boto3, and yield its folder of modules."""
    if given := os.environ.get("BOKIT_LAYER"):
        yield Path(given)
        return
    with TemporaryDirectory() as folder:
        machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
        settings = [f"ARTIFACTS_DIR={folder}", f"BOKIT_PYTHON={python}", f"BOKIT_ARCHITECTURE={machine}", "BUNDLE_BOTO3=1"]
        command = ["make", "-s", "-C", str(ROOT / "layers/shared"), "build-SharedLayer", f"BOKIT_RUNTIME={RUNTIME}", *settings]
        subprocess.run(command, check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
        settings = [f"ARTIFACTS_DIR={folder}/sync_sql", *settings[1:]]
        command = ["make", "-s", "-C", str(ROOT / "functions"), "build-SyncSqlFunction", f"BOKIT_RUNTIME={RUNTIME}", *settings]
        subprocess.run(command, check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
        yield Path(folder) / "python"


def start(python: str, env: Mapping[str, str], event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one start took, and what its first invocation imported."""
    command = [python, "-c", MEASURE, json.dumps(event, default=_in_base64)]
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{env['BOKIT_FUNCTION']} did not start:\n{done.stderr[-2000:]}")
    times, loaded, later, answer = json.loads(done.stdout.splitlines()[-1])
    init, first, second = (after - before for before, after in itertools.pairwise(times))
    return {
        "init": init,
        "first": first,
        "second": second,
        "modules": loaded,
        "later": later,
        "answer": answer,
        "log": done.stderr,
    }


def _in_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def run(functions: Sequence[str] = tuple(EVENTS)) -> dict[str, dict[str, Any]]:
    """Return the medians of CPU in milliseconds, and the modules of INIT and of the first invocation, by function."""
    python, report = find_python(), {}
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    with emulator() as endpoint_url, feed_server() as feed_url, built_layer(python) as layer:
        for case in functions:
            function, taken = case.partition(":")[0], []
            for number in range(ROUNDS + 1):
                scene = Scene(f"bench-{case.replace('_', '-').replace(':', '-')}-{number}", endpoint_url, feed_url)
                make_client("sqs", region=REGION, endpoint_url=endpoint_url).create_queue(QueueName=scene.table)
                make_client("sns", region=REGION, endpoint_url=endpoint_url).create_topic(Name=scene.table)
                taken.append(start(python, environment(function, scene, endpoint_url, layer), scene.event_of(case)))
            last, taken = taken[-1], taken[1:]  # the first one filled the page cache
            times = {name: round(median(t[name] for t in taken), 1) for name in ("init", "first", "second")}
            share = round(times["first"] / MAX_FIRST_MS, 3)
            report[case] = {**times, "of_goal": share, **{name: last[name] for name in ("modules", "later", "answer", "log")}}
    return report


def rows(report: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Return a row for the first invocation of each function, with the second as its floor."""
    return [
        Row(
            name=f"cold.{function}.of_goal",
            what=f"{function}: first call in {MAX_FIRST_MS} ms; second",
            ours=f"{row['first']:.0f} ms",
            floor=f"{row['second']:.0f} ms",
            ratio=row["of_goal"],
            goal=1,
            at_most=True,
            is_ratio=False,
        )
        for function, row in report.items()
    ]


def show(report: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line for each function, with INIT and what it imported."""
    print(f"{'CPU ms':<18} {'INIT':>7} {'first':>7} {'second':>7} {'modules':>8} {'later':>6}   (first: at most {MAX_FIRST_MS})")
    for function, row in report.items():
        times = " ".join(f"{row[name]:>7.0f}" for name in ("init", "first", "second"))
        print(f"{function:<18} {times} {row['modules']:>8} {len(row['later']):>6}")


if __name__ == "__main__":
    measured = run(sys.argv[1:] or tuple(EVENTS))
    if os.environ.get("BOKIT_DEBUG"):
        for name, row in measured.items():
            print(name, row["answer"], row["log"], *row["later"], sep="\n  ")
    show(measured)
