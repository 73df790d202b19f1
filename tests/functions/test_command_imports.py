"""What the command line imports before it knows what it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import typer

from bokit_cli.commands import COMMANDS, load_commands
from bokit_cli.main import app, execute

HEAVY = (
    "rich",
    "boto3",
    "botocore",
    "pynamodb",
    "pydantic",
    "icalendar",
    "requests",
    "urllib3",
    "sqlalchemy",
    "aws_lambda_powertools",
    "yaml",
)
SHOW = """
import json, sys
from bokit_cli.main import execute
code = execute({arguments})
print(json.dumps([code, sorted(sys.modules)]))
"""

TABLE = {"Query": {"Items": [], "Count": 0, "ScannedCount": 0}, "BatchGetItem": {"Responses": {}}, "GetItem": {}, "PutItem": {}}
"""What DynamoDB answers of an empty table, by operation; counters that are not there yet are put."""


class EmptyTable(BaseHTTPRequestHandler):
    """DynamoDB with an empty table."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(TABLE[self.headers["x-amz-target"].partition(".")[2]]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


def run_and_list_modules(arguments, **env):
    """Run one command in a new process; return its exit code, its output and the modules that it imported."""
    command = [sys.executable, "-c", SHOW.format(arguments=arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **env})
    *output, last = done.stdout.splitlines()
    code, modules = json.loads(last)
    return code, "\n".join(output), modules


def test_help_imports_no_library_but_typer():
    """Each of these takes longer than all of `bokit --help`: they are imported where a command needs them."""
    code, output, modules = run_and_list_modules(["--help"])

    assert (code, "Usage" in output, "typer" in modules) == (0, True, True)
    assert [name for name in modules if name.partition(".")[0] in HEAVY] == []
    ours = {name for name in modules if name.partition(".")[0] in ("bokit", "bokit_cli")}
    assert ours == {"bokit_cli", "bokit_cli.main", "bokit_cli.commands", "bokit_cli.plain_values"}


def test_status_imports_what_reads_the_table_and_nothing_that_syncs():
    """No other command's libraries: it is what people ask most often."""
    with HTTPServer(("127.0.0.1", 0), EmptyTable) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        code, output, modules = run_and_list_modules(["status", "--json"], AWS_ENDPOINT_URL=address, BOKIT_TABLE="empty", **keys)
        server.shutdown()

    assert (code, json.loads(output)["sources"]) == (0, [])
    needed = {"botocore", "pynamodb", "urllib3"}
    assert [name for name in modules if name.partition(".")[0] in {*HEAVY} - needed] == []
    others = (
        "bokit.engine.sync",
        "bokit.engine.bookings",
        "bokit.engine.catalog.collections",
        "bokit.core.ical",
        "bokit.http",
        "bokit_cli.sync",
    )
    assert [name for name in modules if name.startswith(others)] == []


def test_what_is_not_a_text_is_still_checked(capsys):
    """Numbers and choices are read by typer, with its own errors; texts and what is not given are taken as they are."""
    assert execute(["history", "--limit", "many"]) == 2
    assert execute(["source", "add", "Airbnb", "--ends-on", "never"]) == 2
    assert execute(["history", "--limit", "501"]) == 2
    errors = [error.split(":")[1].strip() for error in capsys.readouterr().err.splitlines()]
    assert errors == [f"invalid value for '{name}'" for name in ("--limit", "--ends-on", "--limit")]


def test_the_help_says_of_each_command_what_its_module_says():
    """The table names every command of its modules, and no other; the lines are the docstrings' first sentences."""
    group = typer.main.get_command(app)
    modules = {entry.module for entry in COMMANDS.values()}
    there = {name: (module, command) for module in modules for name, command in load_commands(module).items()}

    assert {name: entry.module for name, entry in COMMANDS.items()} == {name: module for name, (module, _) in there.items()}
    assert {name: entry.about for name, entry in COMMANDS.items()} == {
        name: command.get_short_help_str(1000) for name, (_, command) in there.items()
    }
    assert list(group.commands) == list(COMMANDS)
