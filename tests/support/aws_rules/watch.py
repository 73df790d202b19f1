"""The hook in every client of botocore that a process makes: each request is checked before it is written, and recorded.

What a request breaks is kept, not raised: the product would translate the error, or a thread would swallow it. A fixture of all
tests fails the test that sent it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

from tests.support.aws_rules import dynamo, messages

EVENT = "before-parameter-build"


@dataclass(frozen=True)
class Broken:
    """A rule that a request broke."""

    rule: str
    request: str
    """Service and operation."""
    detail: str

    def __str__(self) -> str:
        return f"{self.request} breaks the rule {self.rule}: {self.detail}"


@dataclass(frozen=True)
class Sent:
    """One request."""

    service: str
    operation: str
    params: Mapping[str, Any]
    config: Any = None
    """The client's configuration."""


class Watch:
    """What the requests of a process broke, how many there were, and who else listens to them."""

    def __init__(self) -> None:
        self._lock, self._broken, self._count = threading.Lock(), list[Broken](), 0
        self._listeners: list[Callable[[Sent], None]] = []

    def install(self) -> None:
        """Hear of each request of every client that is made from now on; botocore gives its handlers to each session."""
        if not any(handler == self.hear for _, handler, *_ in BUILTIN_HANDLERS):
            BUILTIN_HANDLERS.append((EVENT, self.hear))

    def hear(self, params: Any, model: Any, context: Mapping[str, Any], **_: Any) -> None:
        """Check one request, as it is before botocore writes it."""
        sent = Sent(model.service_model.service_name, model.name, params, context.get("client_config"))
        found = check(sent)
        with self._lock:
            self._count += 1
            self._broken += found
            listeners = list(self._listeners)
        for listener in listeners:
            listener(sent)

    def take(self) -> tuple[int, list[Broken]]:
        """Return how many requests there were since the last time, and what they broke."""
        with self._lock:
            taken = self._count, self._broken
            self._count, self._broken = 0, []
        return taken

    @contextmanager
    def listening(self, listener: Callable[[Sent], None]) -> Iterator[None]:
        """Let *listener* hear of each request meanwhile."""
        with self._lock:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)


WATCH = Watch()


def check(sent: Sent) -> list[Broken]:
    """Return what a request breaks."""
    found: list[Broken] = []
    request = f"{sent.service} {sent.operation}"

    def report(rule: str, detail: object) -> None:
        found.append(Broken(rule, request, str(detail)[:400]))

    try:
        if sent.service == "dynamodb":
            dynamo.check_request(sent.operation, sent.params, report)
        elif further := messages.CHECKS.get((sent.service, sent.operation)):
            further(sent.params, report)
    except Exception as error:  # of an unknown form is a finding too
        report("form", f"{error!r}: {str(sent.params)[:200]}")
    return found
