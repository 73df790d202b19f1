"""Every minute: claim what is due, begin the monitors' runs, end what is overdue, number what the outbox kept, send webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from bokit.core.model.runs import Trigger
from bokit.handlers import make_handler, open_once, prepare
from bokit.wiring import build_engine

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

metrics = Metrics(namespace="Bokit")
engine = open_once(build_engine)


@metrics.log_metrics(raise_on_empty_metrics=False)
def tick(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one tick, and put out how late the most overdue source is; an alarm watches it."""
    report = engine().tick(Trigger.SCHEDULE)
    metrics.add_metric(name="OverdueIntervals", unit=MetricUnit.Count, value=report.overdue_intervals)
    report.check()
    return report.as_dict()


lambda_handler = make_handler("sync", tick)
prepare("sync", engine)
