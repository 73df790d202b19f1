"""Whenever the table's stream shows new outbox items: number their events in the tenants' logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokit.handlers import make_handler, open_once
from bokit.wiring import build_engine

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

engine = open_once(build_engine)


def notify(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Drain the partitions that the records name; what they say is not read, since it may be numbered already."""
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    report = engine().events.drain(sorted({int(key.removeprefix("OUT#")) for key in keys}))
    report.check()
    return report.as_dict()


lambda_handler = make_handler("notify", notify)
