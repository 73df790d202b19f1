"""Cost of a cold start: import and first call of the handlers in new processes, relative to common alternatives.

    sync, sync_batch   relative to "the usual set" of such a function: boto3's resource, requests, PynamoDB, Powertools' Logger,
                       Tracer and Metrics, pydantic and icalendar, imported at the top
    api, api_sync      relative to Powertools' resolver with validation and PynamoDB only, answering one route from one query
    authorize          relative to PynamoDB and Logger only

Each start is a process that ends after its first call to an emulated table on loopback. The alternatives run in turn, and their
medians are compared. CPU time is measured: it dominates in a small Lambda, and a busy machine does not change it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.bench_unchanged import emulator
from bench.rows import Row, show_rows
from bokit.store.dynamo.create_table import create_table

ROOT = Path(__file__).resolve().parents[1]
TABLE, REGION = "bench-start", "us-east-1"
ROUNDS = 9
LAYER = ROOT / ".aws-sam/build/SharedLayer"
MAX_LAYER_BYTES = 8_000_000

CONTEXT = """
class Context:
    function_name, memory_limit_in_mb, aws_request_id = "bench", 256, "request"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    def get_remaining_time_in_millis(self): return 60_000
"""
EVENT = "import json; event = json.load(open('events/{event}'))\n"
CALL = "from functions.{name} import app\nanswer = app.lambda_handler(event, Context())\n"
MODEL = f"""
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model
class Row(Model):
    class Meta: table_name, region, host = {TABLE!r}, {REGION!r}, os.environ["AWS_ENDPOINT_URL"]
    pk, sk = UnicodeAttribute(hash_key=True), UnicodeAttribute(range_key=True)
"""
HAS_XRAY = importlib.util.find_spec("aws_xray_sdk") is not None
"""Without the X-Ray SDK the usual set has no Tracer, and is lighter than in most functions."""
TRACED = "from aws_lambda_powertools import Tracer\ntracer = Tracer(service='bench')\n" if HAS_XRAY else ""

WAYS: Mapping[str, str] = {
    "usual": """
import os, boto3, requests, icalendar, pydantic
from aws_lambda_powertools import Logger, Metrics
logger, metrics = Logger(service="bench"), Metrics(namespace="bench")
table = boto3.resource("dynamodb").Table("bench-start")
"""
    + TRACED
    + MODEL
    + "answer = {'rows': len(list(Row.query('CATALOG')))}\n",
    "resolver": EVENT.format(event="api/units.json")
    + """
import os
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel
logger = Logger(service="bench")
app = APIGatewayHttpResolver(enable_validation=True)
class Unit(BaseModel):
    id: str
"""
    + MODEL
    + """
@app.get("/units")
def list_units(limit: int = 100) -> list[Unit]:
    return [Unit(id=row.sk) for row in Row.query("CATALOG", limit=limit)]
answer = app.resolve(event, Context())
""",
    "table": "import os\nfrom aws_lambda_powertools import Logger\nlogger = Logger(service='bench')\n"
    + MODEL
    + "answer = {'rows': len(list(Row.query('CATALOG')))}\n",
    "sync": EVENT.format(event="sync/schedule.json") + CALL.format(name="sync"),
    "sync_batch": EVENT.format(event="sync_batch/batch.json") + CALL.format(name="sync_batch"),
    "api": EVENT.format(event="api/units.json") + CALL.format(name="api"),
    "api_sync": EVENT.format(event="api_sync/status.json") + CALL.format(name="api_sync"),
    "authorize": EVENT.format(event="authorize/token.json") + CALL.format(name="authorize"),
}
"""The code of each new process."""
PAIRS = {
    "sync": ("usual", 0.29),
    "sync_batch": ("usual", 0.29),
    "api": ("resolver", 1.2),
    "api_sync": ("resolver", 1.2),
    "authorize": ("table", 1.25),
}
"""Handler: the alternative, and the largest accepted ratio of the two."""
ALTERNATIVES = {
    "usual": "usual set" if HAS_XRAY else "usual set, no Tracer",
    "resolver": "a bare resolver",
    "table": "PynamoDB and a logger",
}

MEASURE = """
import sys, time
code = compile(sys.stdin.read(), "bench", "exec")
wall, cpu = time.perf_counter(), time.process_time()
space = {}
exec(code, space)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
status = space["answer"].get("statusCode", 200)
print("\\n" + str(status), wall * 1000, cpu * 1000)
"""


def start(way: str, env: Mapping[str, str]) -> tuple[float, float]:
    """Return wall and CPU time of one start in milliseconds, without the start of the interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=CONTEXT + WAYS[way],
        env=dict(env),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{way} did not start:\n{done.stderr[-2000:]}")
    status, wall, cpu = done.stdout.splitlines()[-1].split()
    if status != "200":
        raise RuntimeError(f"{way} answered {status}: {done.stdout[-2000:]}")
    return float(wall), float(cpu)


def environment(endpoint_url: str) -> dict[str, str]:
    """Return the environment of a function."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # an unpacked layer has it
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "BOKIT_TABLE": TABLE,
        "BOKIT_QUEUE_URL": f"{endpoint_url}/queue/sync",
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "LAMBDA_TASK_ROOT": str(ROOT),
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_XRAY_CONTEXT_MISSING": "IGNORE_ERROR",
        "PYTHONPATH": os.pathsep.join(filter(None, [f"{ROOT}/layers/shared", str(ROOT), os.environ.get("PYTHONPATH")])),
    }


def run(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Return CPU time, the alternative's CPU time and their ratio for each handler: the medians of *rounds* starts."""
    with emulator() as endpoint_url:
        env = environment(endpoint_url)
        os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
        create_table(TABLE, region=REGION, endpoint_url=endpoint_url)
        for way in WAYS:
            start(way, env)  # compiles byte code and fills the page cache, as in an unpacked layer
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                taken[way].append(start(way, env))
    walls, cpus = ({way: median(t[i] for t in times) for way, times in taken.items()} for i in (0, 1))
    report = {
        way: {
            "ms": round(walls[way], 1),
            "cpu_ms": round(cpus[way], 1),
            "peer_ms": round(walls[peer], 1),
            "peer_cpu_ms": round(cpus[peer], 1),
            "ratio": round(cpus[way] / cpus[peer], 3),
        }
        for way, (peer, _) in PAIRS.items()
    }
    return report | weigh_layer()


def weigh_layer() -> dict[str, dict[str, float]]:
    """Return the zipped size of the last built layer, or nothing without a build."""
    if not (LAYER / "python").is_dir():
        return {}
    with TemporaryDirectory() as folder:
        packed = Path(folder) / "layer.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(p for p in LAYER.rglob("*") if p.is_file()):
                file.write(path, path.relative_to(LAYER))
        return {"layer": {"bytes": packed.stat().st_size, "of_goal": round(packed.stat().st_size / MAX_LAYER_BYTES, 3)}}


def rows(report: dict[str, dict[str, float]]) -> list[Row]:
    """Return a row for each handler, and for the layer where one is built."""
    made = []
    for way, (peer, goal) in PAIRS.items():
        row = report[way]
        beside = {"peer" if peer == "usual" else "floor": f"{row['peer_cpu_ms']:.0f} ms"}
        ours = f"{row['cpu_ms']:.0f} ms"
        what = f"start of {way}; {ALTERNATIVES[peer]}"
        made.append(Row(name=f"start.{way}.ratio", what=what, ours=ours, ratio=row["ratio"], goal=goal, at_most=True, **beside))
    if layer := report.get("layer"):
        what, ours = f"the layer, zipped, of {MAX_LAYER_BYTES / 1e6:.0f} MB", f"{layer['bytes'] / 1e6:.2f} MB"
        share = layer["of_goal"]
        made.append(Row(name="start.layer.of_goal", what=what, ours=ours, ratio=share, goal=1, at_most=True, is_ratio=False))
    return made


if __name__ == "__main__":
    show_rows(rows(run()))
