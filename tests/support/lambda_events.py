"""The payloads of `events/` and a context, as Lambda hands them to a function."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True)
class LambdaContext:
    """What Lambda passes to a function of its invocation."""

    milliseconds_left: int = 60_000
    function_name: str = "bokit"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:bokit"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds_left


def load_event(name: str) -> dict[str, Any]:
    """Return one payload of the events folder."""
    return json.loads((EVENTS / name).read_text())
