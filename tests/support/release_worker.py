"""A process of one release: ticks, works messages and edits as it is asked on its standard input, by the clock that it is given.

It runs with today's code or a former release's, whichever is first on the path, and so uses only what both have: the wiring, a
queue and an alert channel that are handed in, and messages. One JSON document a line, in and out.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


class Outlets:
    """The queue and the alert channel: they keep what they are given."""

    delivers = True

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.notices: list[list[str]] = []

    def send(self, bodies: Any, *, delay_seconds: int = 0) -> None:
        self.sent += bodies

    def publish(self, notices: Any) -> None:
        self.notices += [[n.id, n.type, str(n.facts.get("code", ""))] for n in notices]


class Worker:
    """One release's engine on the table that the environment names."""

    def __init__(self) -> None:
        wiring, config = importlib.import_module("bokit.wiring"), importlib.import_module("bokit.config")
        self.now, self.outlets = datetime.min.replace(tzinfo=UTC), Outlets()
        self.messages = _import_first("bokit.engine.runs.messages", "bokit.engine.messages")
        settings = config.Settings.from_env()
        given = {"queue": self.outlets, "alerts": self.outlets, "clock": lambda: self.now}
        self.bokit = wiring.build_engine(settings, **given)

    def do(self, asked: dict[str, Any]) -> object:
        """Do what is asked, at the time that it names."""
        self.now = datetime.fromisoformat(asked["now"])
        if asked["do"] == "tick":
            return self.bokit.tick().as_dict()
        if asked["do"] == "work":
            return self.bokit.work(self.messages.read_message(asked["body"])).as_dict()
        service = getattr(self.bokit, "records", None) or self.bokit.desk
        return service.edit("default", "bookings", asked["id"], asked["values"], by="user:rosa").version

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what was done, sent and published; an error by its name."""
        self.outlets.sent, self.outlets.notices = [], []
        try:
            done, error = self.do(asked), None
            if events := getattr(self.bokit, "events", None):  # today's code publishes what waits in the outbox
                events.drain()
        except Exception as raised:
            done, error = None, f"{type(raised).__name__}: {raised}"
        return {"done": done, "error": error, "sent": self.outlets.sent, "notices": self.outlets.notices}


def _import_first(*names: str) -> Any:
    """Return the first of these modules that there is."""
    for name in names:
        if importlib.util.find_spec(name.rpartition(".")[0]) and importlib.util.find_spec(name):
            return importlib.import_module(name)
    raise ImportError(names[0])


def main() -> None:
    """Answer until the input ends."""
    logging.disable(logging.CRITICAL)
    worker = Worker()
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line)), default=str), flush=True)


if __name__ == "__main__":
    main()
