"""Cost of the command line: a command in a new process, relative to Python itself and to a bare program on the same library.

    help               ``bokit --help``, which imports no command
    status             ``bokit status`` of 20 sources in an emulated table on loopback
    status_of_stack    the same of a deployed stack, whose outputs were kept by an earlier command

    python             ``python -c pass``
    typer              a program of one command on typer, with one option

The commands run in turn, and the least CPU time of each is compared: the interpreter's start and end count, since they are what a
person waits for. The emulator's own time does not.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.bench_unchanged import emulator
from bench.rows import Row, show_rows
from bokit.aws import make_client
from bokit.store.dynamo.create_table import create_table

ROOT = Path(__file__).resolve().parents[1]
TABLE, STACK, REGION = "bench-command-line", "bench-command-line", "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
ROUNDS, UNITS = 11, 10
BOKIT = [sys.executable, "-m", "bokit_cli"]
BARE = """
from typing import Annotated
import typer
def main(name: Annotated[str, typer.Option("--name", help="A name.")] = "default") -> None:
    typer.echo(name)
typer.run(main)
"""
WAYS: Mapping[str, tuple[list[str], str | None]] = {
    "python": ([sys.executable, "-c", "pass"], None),
    "typer": ([sys.executable, "-c", BARE], None),
    "help": ([*BOKIT, "--help"], None),
    "status": ([*BOKIT, "status"], "BOKIT_TABLE"),
    "status_of_stack": ([*BOKIT, "status"], "BOKIT_STACK"),
}
"""By name: the command, and the variable that names what it works on."""
TARGETS = {"help": ("typer", 0.7), "status": ("typer", 2.6), "status_of_stack": ("typer", 2.8)}
"""The command: what it is compared with, and the largest accepted ratio of the two."""


def measure(way: str, env: Mapping[str, str]) -> tuple[float, float]:
    """Run a command once; return its wall and CPU time in milliseconds."""
    command, variable = WAYS[way]
    given = {**env, variable: TABLE if variable == "BOKIT_TABLE" else STACK} if variable else env
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=dict(given), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{way} failed: {done.stderr[-2000:]}")
    return wall * 1000, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def environment(endpoint_url: str, cache: str) -> dict[str, str]:
    """Return the environment of a command: byte code is written, as on a person's machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOKIT_", "PYTHON"))}
    paths = {"PYTHONPATH": os.pathsep.join([f"{ROOT}/layers/shared", f"{ROOT}/cli"]), "XDG_CACHE_HOME": cache}
    return {**kept, **KEYS, **paths, "AWS_ENDPOINT_URL": endpoint_url, "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true"}


def make_stack(endpoint_url: str) -> None:
    """Make the table, and a stack that names it."""
    create_table(TABLE, region=REGION, endpoint_url=endpoint_url)
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"TableName": {"Value": TABLE}, "AlertTopicArn": {"Value": {"Ref": "Topic"}}},
    }
    client = make_client("cloudformation", region=REGION, endpoint_url=endpoint_url)
    client.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    client.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


def furnish(env: Mapping[str, str]) -> None:
    """Declare one property with two sources for each of its units."""
    units = [
        {
            "name": f"Flat {number}",
            "sources": [
                {"name": name, "kind": "ical", "url": f"http://127.0.0.1:9/{number}-{name}.ics"} for name in ("Airbnb", "VRBO")
            ],
        }
        for number in range(UNITS)
    ]
    file = Path(env["XDG_CACHE_HOME"]) / "places.json"
    file.write_text(json.dumps({"properties": [{"name": "Villa Rosa", "units": units}]}), encoding="utf-8")
    command = [*BOKIT, "config", "import", str(file)]
    subprocess.run(command, env={**env, "BOKIT_TABLE": TABLE}, cwd=ROOT, capture_output=True, timeout=60, check=True)


def run(rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """Return each command's least times of *rounds*, and their ratios to its peers."""
    os.environ.update(KEYS)
    with TemporaryDirectory() as cache, emulator() as endpoint_url:
        env = environment(endpoint_url, cache)
        make_stack(endpoint_url)
        furnish(env)
        for way in WAYS:
            measure(way, env)  # compiles byte code, and keeps the stack's outputs
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                taken[way].append(measure(way, env))
    walls, cpus = ({way: min(each[index] for each in times) for way, times in taken.items()} for index in (0, 1))
    return {
        way: {
            "ms": round(walls[way], 1),
            "cpu_ms": round(cpus[way], 1),
            "python_cpu_ms": round(cpus["python"], 1),
            "peer_cpu_ms": round(cpus[peer], 1),
            "ratio_to_python": round(cpus[way] / cpus["python"], 2),
            "ratio": round(cpus[way] / cpus[peer], 3),
        }
        for way, (peer, _) in TARGETS.items()
    }


def rows(report: dict[str, dict[str, Any]]) -> list[Row]:
    """Return a row for each command."""
    return [
        Row(
            name=f"command_line.{way}.ratio",
            what=f"bokit {way}; a {peer} program; Python",
            ours=f"{report[way]['cpu_ms']:.0f} ms",
            peer=f"{report[way]['peer_cpu_ms']:.0f} ms",
            floor=f"{report[way]['python_cpu_ms']:.0f} ms",
            ratio=report[way]["ratio"],
            goal=goal,
            at_most=True,
        )
        for way, (peer, goal) in TARGETS.items()
    ]


if __name__ == "__main__":
    show_rows(rows(run()))
