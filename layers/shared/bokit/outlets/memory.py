"""Outlets that keep what they are given: for tests, and for a process without queue or topic."""

from __future__ import annotations

from collections.abc import Sequence

from bokit.outlets.protocols import Notice


class MemoryQueue:
    """Keeps the bodies in the order in which they came."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.delays: list[int] = []
        """Of every body that ever came, in seconds."""

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Keep them."""
        self.bodies.extend(bodies)
        self.delays.extend(delay_seconds for _ in bodies)


class MemoryAlerts:
    """Keeps the notices; the same id is kept once."""

    def __init__(self) -> None:
        self.notices: dict[str, Notice] = {}

    def publish(self, notices: Sequence[Notice]) -> None:
        """Keep them."""
        self.notices.update({notice.id: notice for notice in notices})
