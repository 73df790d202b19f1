"""The simulator's command line: serve the platforms, and play the world that they tell of."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from simulator.billing_cli import add_billing
from simulator.client_api import FAULTS as CLIENT_FAULTS
from simulator.faults import FAULTS
from simulator.scenario import build_demo
from simulator.server import SimulatorServer, Stage
from simulator.state import load_world
from simulator.truth import SimulatorError
from simulator.world import World

DEFAULT_URL = "http://127.0.0.1:14567"
BAD_USE = 2
_UNTOLD = ("command", "url", "json", "run")


def run(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return its exit code: 2 for bad use, with one clear line."""
    told = _build_parser().parse_args(arguments)
    try:
        run_command: Callable[[argparse.Namespace], int] = told.run
        return run_command(told)
    except SimulatorError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> Any:
        self.exit(BAD_USE, f"{self.prog}: {message}; `{self.prog} --help` shows how\n")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m simulator",
        description="Feeds that behave as the platforms do, with the truth beside them.",
        epilog="Dates are YYYY-MM-DD; a feed is <platform>/<listing>, as `truth` lists them. Time moves only by command.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_serve(commands)
    _add_stays(commands)
    _add_time(commands)
    _add_faults(commands)
    _add_options(commands)
    _add_clients(commands)
    add_billing(commands)
    _add_looks(commands)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="serve the feeds and the control API on loopback until SIGTERM")
    serve.add_argument("--port", type=_port, default=14567, help="%(default)s; 0 lets the system choose")
    serve.add_argument("--state", type=Path, metavar="DIR", help="where the world is kept between two starts; without: nowhere")
    serve.add_argument("--seed", type=int, default=0, help="of a new world; a kept one has its own")
    serve.add_argument("--scenario", choices=("demo", "empty"), default="demo", help="what a new world holds")
    serve.set_defaults(run=_serve)


def _add_stays(commands: Any) -> None:
    for name, about in (("book", "let a guest stay"), ("block", "close nights as the owner")):
        command = _add(commands, name, about, "feed", "check_in", "check_out")
        command.add_argument("--over", action="store_true", default=None, help="even where nights are taken")
        if name == "book":
            command.add_argument("--guest")
            command.add_argument("--tentative", action="store_true", default=None)
    move = _add(commands, "move", "give a stay other dates", "stay", "check_in")
    move.add_argument("check_out", nargs="?", help="left out, the stay keeps its length")
    cancel = _add(commands, "cancel", "cancel a stay", "stay")
    cancel.add_argument("--leave-block", action="store_true", default=None, help="its nights stay closed")
    _add(commands, "unblock", "open the nights of a block again", "stay")
    _add(commands, "bring-back", "undo a cancellation", "stay")


def _add_time(commands: Any) -> None:
    for name, about in (("advance", "let time pass, and nothing else"), ("live", "let time pass, and guests and owners live")):
        command = _add(commands, name, about)
        command.add_argument("--days", type=float)
        command.add_argument("--hours", type=float)
        if name == "live":
            command.add_argument("--faulty", action="store_true", default=None, help="now and then a feed goes wrong")


def _add_faults(commands: Any) -> None:
    fault = _add(commands, "fault", "make a feed answer wrongly", "feed")
    fault.add_argument("kind", choices=FAULTS, metavar="KIND", help=", ".join(FAULTS))
    fault.add_argument("--times", type=int, metavar="N", help="how many answers; left out: until cleared")
    clear = _add(commands, "clear", "make a feed, or every one, answer rightly again")
    clear.add_argument("feed", nargs="?")


def _add_options(commands: Any) -> None:
    options = _add(commands, "options", "change how a feed is told", "feed")
    options.add_argument("settings", nargs="+", type=_setting, metavar="NAME=VALUE", help="form=0.8.8, notice_days=2, etag=true")
    options.set_defaults(run=_set_options)


def _add_clients(commands: Any) -> None:
    """Add what happens in the client API, which stands beside the feeds."""
    add = _add(commands, "client-add", "add a client to the client API")
    add.add_argument("--name", help="left out: somebody")
    change = _add(commands, "client-change", "change a client of the client API")
    change.add_argument("client", type=int)
    change.add_argument("settings", nargs="+", type=_setting, metavar="NAME=VALUE")
    change.set_defaults(run=_change_client)
    remove = _add(commands, "client-remove", "delete a client of the client API")
    remove.add_argument("client", type=int)
    fault = _add(commands, "client-fault", "make the client API answer wrongly")
    fault.add_argument("kind", choices=tuple(CLIENT_FAULTS), metavar="KIND", help=", ".join(CLIENT_FAULTS))
    fault.add_argument("--times", type=int, metavar="N", help="how many answers; left out: until cleared")
    _add(commands, "client-clear", "make the client API answer rightly again")
    limit = _add(commands, "client-limit", "let the client API answer 429 after so many requests; 0: never")
    limit.add_argument("requests", type=int)
    limit.add_argument("--pause", type=int, metavar="SECONDS", help="that it asks to wait; 2")


def _change_client(told: argparse.Namespace) -> int:
    answer = _call(told.url, "/control/client-change", {"client": told.client, **dict(told.settings)})
    print(json.dumps(answer, ensure_ascii=False) if told.json else _in_words(answer))
    return 0


def _setting(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text}")
    try:
        return name, value if "." in value else json.loads(value)
    except ValueError:
        return name, value


def _add_looks(commands: Any) -> None:
    _add(commands, "truth", "print every stay and the closed nights of every feed, as JSON").set_defaults(run=_show_truth)
    _add(commands, "stays", "list the stays, as a table").set_defaults(run=_show_stays)
    _add(commands, "config", "print the config file for `bokit config import`").set_defaults(run=_show_config)


def _add(commands: Any, name: str, about: str, *positionals: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    for positional in positionals:
        command.add_argument(positional)
    command.add_argument("--url", default=DEFAULT_URL, help=f"where the simulator listens; {DEFAULT_URL}")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=_operate)
    return command


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return int(text)


def _serve(told: argparse.Namespace) -> int:
    world = (load_world(told.state) if told.state else None) or _new_world(told)
    server = SimulatorServer(Stage(world, told.state), told.port)
    server.stage.keep()
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    server.start()
    print(f"The simulator serves {len(world.feeds)} feeds on {server.url}; its today is {world.now.date()}", flush=True)
    ending.wait()
    server.stop()
    return 0


def _new_world(told: argparse.Namespace) -> World:
    now = datetime.now(UTC)  # noqa: TID251 - the one look at the real clock: where a new world begins
    return build_demo(told.seed, now) if told.scenario == "demo" else World(seed=told.seed, now=now)


def _operate(told: argparse.Namespace) -> int:
    arguments = {name: value for name, value in vars(told).items() if name not in _UNTOLD and value is not None}
    answer = _call(told.url, f"/control/{told.command}", arguments)
    print(json.dumps(answer, ensure_ascii=False) if told.json else _in_words(answer))
    return 0


def _set_options(told: argparse.Namespace) -> int:
    answer = _call(told.url, "/control/options", {"feed": told.feed, **dict(told.settings)})
    print(json.dumps(answer, ensure_ascii=False))
    return 0


def _in_words(answer: dict[str, Any]) -> str:
    happened = answer.get("happened")
    if happened is not None:
        return "\n".join(f"{h['what']} {h['stay']} on {h['feed']}" for h in happened) or "nothing happened"
    return ", ".join(f"{name}: {value}" for name, value in answer.items() if value is not None)


def _show_truth(told: argparse.Namespace) -> int:
    print(json.dumps(_call(told.url, "/control/truth"), ensure_ascii=False, indent=1))
    return 0


def _show_stays(told: argparse.Namespace) -> int:
    truth = _call(told.url, "/control/truth")
    stays = sorted(truth["stays"], key=lambda stay: (stay["feed"], stay["check_in"]))
    if told.json:
        print(json.dumps(stays, ensure_ascii=False))
        return 0
    print(f"It is {truth['now']} there.")
    for stay in stays:
        who = stay["guest"] or stay["kind"]
        print(f"{stay['feed']:25} {stay['id']:8} {stay['check_in']} {stay['check_out']} {stay['status']:9} {who}")
    for feed, faults in truth["faults"].items():
        print(f"{feed:25} answers wrongly: {', '.join(faults)}")
    return 0


def _show_config(told: argparse.Namespace) -> int:
    print(json.dumps(_call(told.url, "/control/config"), ensure_ascii=False, indent=2))
    return 0


def _call(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what the control API answers; its refusals become ours."""
    if urlsplit(url).scheme != "http":
        raise SimulatorError(f"not the address of a simulator: {url}; it is like {DEFAULT_URL}")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url.rstrip("/") + path, data, headers)  # noqa: S310 - http alone, see above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise SimulatorError(_refusal(error)) from error
    except (OSError, ValueError) as error:
        raise SimulatorError(f"no simulator answers on {url}; `make up` starts one") from error


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"this is no simulator: it answered {error.code}"
