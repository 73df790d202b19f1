"""Sources with a queue before them, and the working off of its messages."""

from __future__ import annotations

from typing import Any

from bokit.core.model.catalog import Source
from bokit.engine.app import Bokit
from bokit.engine.runs.messages import read_message
from bokit.errors import StoreUnreachableError
from tests.support.rows_app import TestApp

ROW = {"1": {"name": "Ann"}}


def furnish(count: int = 3, **given: Any) -> tuple[TestApp, list[Source]]:
    """Return an app with a queue and *count* sources of one record each."""
    app = TestApp(queue=True, **given)
    return app, [app.add_source(f"n{n:04d}", ROW) for n in range(count)]


def work_off(bokit: Bokit, queue: Any) -> int:
    """Work every message off, those that are sent meanwhile too; return how many there were."""
    for number in range(200):
        if not queue.bodies:
            return number
        bokit.work(read_message(queue.bodies.pop(0)))
    raise AssertionError("the queue does not get empty")


class Failing:
    """A store that cannot be reached at the n-th call of a method."""

    def __init__(self, inner: Any, name: str, at: int) -> None:
        self._inner, self._name, self._left = inner, name, at

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                raise StoreUnreachableError("the table does not answer")
        return getattr(self._inner, name)


def run_queue(app: TestApp) -> None:
    """Deliver every message that waits."""
    from bokit.engine.runs.messages import read_message

    bodies, app.queue.bodies = app.queue.bodies, []
    for body in bodies:
        app.bokit.run_batch(read_message(body))
