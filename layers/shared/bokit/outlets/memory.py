"""Outlets that keep what they get: for tests, and for a process without queue or topic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bokit.core.model.alerts import AlertChannel, PendingAlert
from bokit.core.model.connections import ConnectionId
from bokit.core.model.notices import Notice
from bokit.errors import LaterError


class MemoryQueue:
    """``Queue`` in memory: the bodies in their order."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.delays: list[int] = []
        """Of every body that was ever sent, in seconds."""

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        self.bodies.extend(bodies)
        self.delays.extend(delay_seconds for _ in bodies)


class MemoryAlerts:
    """``Alerts`` in memory: the notices by id."""

    def __init__(self, *, delivers: bool = False) -> None:
        self.delivers = delivers
        self.notices: dict[str, Notice] = {}

    def publish(self, notices: Sequence[Notice]) -> None:
        self.notices.update({notice.id: notice for notice in notices})


class MemoryConnections:
    """``Connections`` in memory: what was posted to each, and which were closed."""

    def __init__(self) -> None:
        self.posted: dict[ConnectionId, list[Any]] = {}
        self.closed: list[ConnectionId] = []

    def prepare(self) -> None:
        pass

    def post(self, connection_id: ConnectionId, text: str) -> bool:
        if connection_id in self.closed:
            return False
        self.posted.setdefault(connection_id, []).append(json.loads(text))
        return True

    def close(self, connection_id: ConnectionId) -> None:
        self.closed.append(connection_id)


class NoSender:
    """``AlertSender`` of a process that sends nothing: a replay, and tests of other things."""

    mails = False

    def check(self, channel: AlertChannel) -> None:
        pass

    def send(self, channel: AlertChannel, alert: PendingAlert) -> None:
        raise LaterError("this process sends no alerts", code="no-sender")
