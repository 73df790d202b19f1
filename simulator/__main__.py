"""``python -m simulator``: serve the feeds, or tell a served world what happens next."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError
from simulator.records import FaultKind
from simulator.scenario import build_demo, write_config
from simulator.server import FeedServer
from simulator.state import load_world

URL = "http://127.0.0.1:14567"
ABOUT = """Booking platforms in small: feeds that behave as Airbnb's, Booking.com's, VRBO's, Beds24's and Google's do, over a
calendar that moves by command alone, with the truth beside them.

  python -m simulator serve --port 14567 --state .simulator
  python -m simulator book airbnb/garden-flat 2027-03-01 2027-03-05 --guest "Ann Example"
  python -m simulator fault booking_com/garden-flat empty-calendar --count 2
  python -m simulator advance --days 1
  python -m simulator truth
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 and one line where it can't be done."""
    given = vars(_parser().parse_args(arguments))
    try:
        return int(given.pop("run")(given))
    except SimulatorError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def serve(given: dict[str, Any]) -> int:
    """Serve until SIGTERM or Ctrl-C; the world of the state folder goes on where it stopped."""
    folder = Path(given["state"]) if given["state"] else None
    try:
        world = (load_world(folder) if folder else None) or build_demo(today=given["today"], seed=given["seed"])
        server = FeedServer(world, port=given["port"], folder=folder)
    except OSError as error:
        raise SimulatorError(f"the state folder can't be used: {error.strerror}; choose another with --state") from None
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    print(f"simulator: {len(world.listings)} feeds at {server.url}, it is {world.now:%Y-%m-%d %H:%M} UTC there", flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()
        server.save()
    return 0


def print_config(given: dict[str, Any]) -> int:
    """Print the demo's file for `bokit config import`."""
    print(write_config(given["url"]), end="")
    return 0


def command(given: dict[str, Any]) -> int:
    """Send one command to a served world, and print what it answers."""
    name, url = given.pop("command"), given.pop("url")
    told = {key: str(value) if isinstance(value, date) else value for key, value in given.items() if value is not None}
    path = "/control/truth" if name == "truth" else f"/control/{name}"
    body = None if name == "truth" else json.dumps(told).encode()
    print(_request(url.rstrip("/") + path, body))
    return 0


def _request(url: str, body: bytes | None) -> str:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 - the user's own
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise SimulatorError(_detail(error.read())) from None
    except (OSError, ValueError):
        raise SimulatorError("no simulator answers there; start it with `python -m simulator serve`, or name its --url") from None


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "the simulator did not understand"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    _add_serve(commands.add_parser("serve", help="serve the feeds over HTTP on loopback"))
    config = commands.add_parser("config", help="print the demo's file for `bokit config import`")
    config.add_argument("--url", default=URL, help="where the simulator answers (%(default)s)")
    config.set_defaults(run=print_config)
    for name, about, options in _COMMANDS:
        one = commands.add_parser(name, help=about, description=about)
        for option, settings in options:
            one.add_argument(option, **settings)
        one.add_argument("--url", default=URL, help="where the simulator answers (%(default)s)")
        one.set_defaults(run=command)
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    now = time.gmtime()
    parser.add_argument("--port", type=int, default=14567, help="on 127.0.0.1; 0: any (%(default)s)")
    parser.add_argument("--state", metavar="DIR", help="where the world is kept between two runs; without: nowhere")
    parser.add_argument("--seed", type=int, default=1, help="of a new world (%(default)s)")
    parser.add_argument(
        "--today", type=date.fromisoformat, default=date(now.tm_year, now.tm_mon, now.tm_mday),
        help="the first day of a new world (the real today)",
    )  # fmt: skip
    parser.set_defaults(run=serve)


_FEED = ("feed", {"help": "as in airbnb/garden-flat"})
_STAY = ("stay", {"help": "a stay's id, as `truth` shows it: s3"})
_SPAN = (
    ("check_in", {"type": date.fromisoformat, "help": "first night, 2027-03-01"}),
    ("check_out", {"type": date.fromisoformat, "help": "day of departure"}),
)
_FLAG: dict[str, Any] = {"action": "store_const", "const": True}
_DAYS = ("--days", {"type": int, "help": "how many days"})
_COMMANDS: tuple[tuple[str, str, tuple[tuple[str, dict[str, Any]], ...]], ...] = (
    ("book", "a guest reserves", (_FEED, *_SPAN, ("--guest", {}), ("--tentative", {**_FLAG, "help": "VRBO, Beds24, Google"}))),
    ("move", "change a stay's dates", (_STAY, *_SPAN, ("--new-phone", {**_FLAG, "help": "its last digits change as well"}))),
    ("cancel", "cancel a reservation", (_STAY, ("--leave-block", {**_FLAG, "help": "the nights stay blocked (VRBO)"}))),
    ("bring-back", "a cancelled stay returns", (_STAY,)),
    ("block", "the owner closes nights", (
        _FEED, *_SPAN, ("--weeks", {"type": int, "help": "repeat it weekly (Google)"}),
        ("--over", {**_FLAG, "help": "where others lie already (Booking.com)"}),
    )),
    ("unblock", "lift a block", (_STAY,)),
    ("advance", "move the virtual time on", (_DAYS, ("--hours", {"type": int, "help": "how many hours"}))),
    ("live", "let days pass with random life, by the seed", (_DAYS,)),
    ("fault", "make a feed answer wrongly", (
        _FEED, ("kind", {"choices": [str(kind) for kind in FaultKind]}),
        ("--count", {"type": int, "help": "for so many answers; without: until cleared"}),
        ("--retry-after", {"type": int, "help": "seconds, for 429 (120)"}),
    )),
    ("clear", "let a feed answer rightly again", (("--feed", {"help": "without: every feed"}),)),
    ("truth", "print every stay and the closed nights of every feed", ()),
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
