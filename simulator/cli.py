"""The simulator's command line: serve a world, and change it by commands."""

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

from simulator.address import PORT, find_url
from simulator.billing_cli import add_billing
from simulator.client_api import FAULTS as CLIENT_FAULTS
from simulator.faults import FAULTS
from simulator.history import save_history
from simulator.life import live
from simulator.model import SimulatorError
from simulator.scenario import add_readme_listing, build_demo
from simulator.score.command import add_score
from simulator.server import SharedWorld, SimulatorServer
from simulator.state import load_world
from simulator.world import World

BAD_USE = 2
_NOT_ARGUMENTS = ("command", "url", "json", "run")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; 2 for bad use, with one line of error."""
    options = _build_parser().parse_args(arguments)
    if "url" in options and options.url is None:
        options.url = find_url(Path.cwd())
    try:
        run_command: Callable[[argparse.Namespace], int] = options.run
        return run_command(options)
    except SimulatorError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage."""

    def error(self, message: str) -> Any:
        self.exit(BAD_USE, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m simulator",
        description="Feeds that behave as the platforms do, with the ground truth.",
        epilog="Dates are YYYY-MM-DD; a feed is <platform>/<listing>; `truth` lists them. Time moves only by command.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_serve(commands)
    _add_history(commands)
    _add_stays(commands)
    _add_time(commands)
    _add_faults(commands)
    _add_options(commands)
    _add_clients(commands)
    add_billing(commands)
    _add_queries(commands)
    add_score(commands)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="serve the feeds and the control API on loopback until SIGTERM")
    serve.add_argument("--port", type=_port, default=PORT, help="default %(default)s; 0 lets the system choose")
    serve.add_argument("--state", type=Path, metavar="DIR", help="save the world there between two runs; default: do not save")
    serve.add_argument("--seed", type=int, default=0, help="seed of a new world")
    serve.add_argument("--scenario", choices=("demo", "empty"), default="demo", help="content of a new world")
    serve.set_defaults(run=_serve)


def _add_history(commands: Any) -> None:
    history = commands.add_parser("history", help="write what a new feed showed, fetch after fetch, for `bokit replay`")
    history.add_argument("feed", help="<platform>/<listing>")
    history.add_argument("folder", type=Path)
    history.add_argument("settings", nargs="*", type=_setting, metavar="NAME=VALUE", help="options of the feed")
    history.add_argument("--days", type=int, default=300, help="default %(default)s")
    history.add_argument("--every-hours", type=int, default=6, help="default %(default)s")
    history.add_argument("--seed", type=int, default=0)
    history.set_defaults(run=_write_history)


def _write_history(options: argparse.Namespace) -> int:
    world = World(seed=options.seed)
    world.add_feed(options.feed, **dict(options.settings))
    live(world, days=30)
    number = save_history(world, options.feed, options.folder, days=options.days, every_hours=options.every_hours)
    print(f"{number} fetches in {options.folder}")
    return 0


def _add_stays(commands: Any) -> None:
    for name, about in (("book", "book a stay"), ("block", "close nights as the owner")):
        command = _add(commands, name, about, "feed", "check_in", "check_out")
        command.add_argument("--over", action="store_true", default=None, help="even if nights are taken")
        if name == "book":
            command.add_argument("--guest")
            command.add_argument("--tentative", action="store_true", default=None)
    move = _add(commands, "move", "change a stay's dates", "stay", "check_in")
    move.add_argument("check_out", nargs="?", help="if omitted, the stay keeps its length")
    cancel = _add(commands, "cancel", "cancel a stay", "stay")
    cancel.add_argument("--leave-block", action="store_true", default=None, help="keep its nights closed")
    _add(commands, "unblock", "remove a block", "stay")
    _add(commands, "bring-back", "undo a cancellation", "stay")


def _add_time(commands: Any) -> None:
    for name, about in (("advance", "move the time forward"), ("live", "move the time forward with random bookings and changes")):
        command = _add(commands, name, about)
        command.add_argument("--days", type=float)
        command.add_argument("--hours", type=float)
        if name == "live":
            command.add_argument("--faulty", action="store_true", default=None, help="with random faults")


def _add_faults(commands: Any) -> None:
    fault = _add(commands, "fault", "make a feed return a fault", "feed")
    fault.add_argument("kind", choices=FAULTS, metavar="KIND", help=", ".join(FAULTS))
    fault.add_argument("--times", type=int, metavar="N", help="number of responses; default: until cleared")
    fault.add_argument("--hours", type=float, metavar="N", help="hours of simulated time; default: until cleared")
    clear = _add(commands, "clear", "remove the faults of a feed, or of every feed")
    clear.add_argument("feed", nargs="?")


def _add_options(commands: Any) -> None:
    options = _add(commands, "options", "change options of a feed", "feed")
    options.add_argument("settings", nargs="+", type=_setting, metavar="NAME=VALUE", help="form=0.8.8, notice_days=2, etag=true")
    options.set_defaults(run=_set_options)


def _add_clients(commands: Any) -> None:
    """Add the commands of the client API."""
    add = _add(commands, "client-add", "add a client to the client API")
    add.add_argument("--name", help="default: a random name")
    change = _add(commands, "client-change", "change a client of the client API")
    change.add_argument("client", type=int)
    change.add_argument("settings", nargs="+", type=_setting, metavar="NAME=VALUE")
    change.set_defaults(run=_change_client)
    remove = _add(commands, "client-remove", "delete a client of the client API")
    remove.add_argument("client", type=int)
    fault = _add(commands, "client-fault", "make the client API return a fault")
    fault.add_argument("kind", choices=tuple(CLIENT_FAULTS), metavar="KIND", help=", ".join(CLIENT_FAULTS))
    fault.add_argument("--times", type=int, metavar="N", help="number of responses; default: until cleared")
    _add(commands, "client-clear", "remove the faults of the client API")
    limit = _add(commands, "client-limit", "make the client API answer 429 after every N requests; 0: never")
    limit.add_argument("requests", type=int)
    limit.add_argument("--pause", type=int, metavar="SECONDS", help="its Retry-After; default 2")


def _change_client(options: argparse.Namespace) -> int:
    return _print_result(
        options, _call(options.url, "/control/client-change", {"client": options.client, **dict(options.settings)})
    )


def _setting(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text}")
    try:
        return name, value if "." in value else json.loads(value)
    except ValueError:
        return name, value


def _add_queries(commands: Any) -> None:
    _add(commands, "truth", "print all stays and the closed nights of all feeds, as JSON").set_defaults(run=_show_truth)
    _add(commands, "stays", "list the stays, as a table").set_defaults(run=_show_stays)
    _add(commands, "config", "print the config file for `bokit config import`").set_defaults(run=_show_config)


def _add(commands: Any, name: str, about: str, *positionals: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    for positional in positionals:
        command.add_argument(positional)
    command.add_argument("--url", help="URL of the simulator; default: that of the local cloud, as .bokit/local.json says")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=_run_operation)
    return command


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    world = (load_world(options.state) if options.state else None) or _new_world(options)
    server = SimulatorServer(SharedWorld(world, options.state, _read_clock), options.port)
    server.shared.save()
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    server.start()
    print(f"The simulator serves {len(world.feeds)} feeds on {server.url}; the simulated date is {world.now.date()}", flush=True)
    ending.wait()
    server.stop()
    return 0


def _read_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a new world starts at the real time, and what is served is stamped with it


def _new_world(options: argparse.Namespace) -> World:
    now = _read_clock()
    if options.scenario == "empty":
        return World(seed=options.seed, now=now)
    world = build_demo(options.seed, now)
    add_readme_listing(world)
    return world


def _run_operation(options: argparse.Namespace) -> int:
    arguments = {name: value for name, value in vars(options).items() if name not in _NOT_ARGUMENTS and value is not None}
    return _print_result(options, _call(options.url, f"/control/{options.command}", arguments))


def _print_result(options: argparse.Namespace, answer: dict[str, Any]) -> int:
    print(json.dumps(answer, ensure_ascii=False) if options.json else _as_text(answer))
    return 0


def _set_options(options: argparse.Namespace) -> int:
    answer = _call(options.url, "/control/options", {"feed": options.feed, **dict(options.settings)})
    print(json.dumps(answer, ensure_ascii=False))
    return 0


def _as_text(answer: dict[str, Any]) -> str:
    happened = answer.get("happened")
    if happened is not None:
        return "\n".join(f"{h['what']} {h['stay']} on {h['feed']}" for h in happened) or "nothing happened"
    return ", ".join(f"{name}: {value}" for name, value in answer.items() if value is not None)


def _show_truth(options: argparse.Namespace) -> int:
    print(json.dumps(_call(options.url, "/control/truth"), ensure_ascii=False, indent=1))
    return 0


def _show_stays(options: argparse.Namespace) -> int:
    truth = _call(options.url, "/control/truth")
    stays = sorted(truth["stays"], key=lambda stay: (stay["feed"], stay["check_in"]))
    if options.json:
        print(json.dumps(stays, ensure_ascii=False))
        return 0
    print(f"The simulated time is {truth['now']}.")
    for stay in stays:
        who = stay["guest"] or stay["kind"]
        print(f"{stay['feed']:25} {stay['id']:8} {stay['check_in']} {stay['check_out']} {stay['status']:9} {who}")
    for feed, faults in truth["faults"].items():
        print(f"{feed:25} faults: {', '.join(faults)}")
    return 0


def _show_config(options: argparse.Namespace) -> int:
    print(json.dumps(_call(options.url, "/control/config"), ensure_ascii=False, indent=2))
    return 0


def _call(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call the control API and return its result; raise its errors as SimulatorError."""
    if urlsplit(url).scheme != "http":
        raise SimulatorError(f"not the URL of a simulator: {url}; use one such as http://127.0.0.1:{PORT}")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url.rstrip("/") + path, data, headers)  # noqa: S310 - http only, see above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise SimulatorError(_error_message(error)) from error
    except (OSError, ValueError) as error:
        raise SimulatorError(f"no simulator answers at {url}; `make up` starts one") from error


def _error_message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"not a simulator: it answered HTTP {error.code}"
