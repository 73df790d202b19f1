"""What the engine asks of a queue and of an alert channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bokit.core.model.records import Json, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that an owner should hear of. Its id repeats when the same thing is told again."""

    id: str
    type: str
    """``source.failing``, ``source.held``, ``source.recovered`` …"""
    tenant: TenantId
    at: datetime
    text: str
    """One sentence for a person; no URL, no guest."""
    facts: Mapping[str, Json] = field(default_factory=dict)


class Queue(Protocol):
    """Carries messages to the workers, at least once."""

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None: ...


class Alerts(Protocol):
    """Tells an owner."""

    def publish(self, notices: Sequence[Notice]) -> None: ...
