"""Every minute: claim what is due, begin the monitors' runs, end what is overdue, and send it all to the queue."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from bokit.config import Settings
from bokit.core.model.runs import Trigger
from bokit.engine.app import Bokit
from bokit.observability import ROOT, configure_lambda
from bokit.wiring import build_engine

logger = configure_lambda("sync", "INFO")
metrics = Metrics(namespace="Bokit")


@cache
def engine() -> Bokit:
    """Build the engine on first use, so that importing this module needs no AWS."""
    settings = Settings.from_env()
    logging.getLogger(ROOT).setLevel(settings.log_level)
    return build_engine(settings)


@logger.inject_lambda_context  # type: ignore[untyped-decorator]
@metrics.log_metrics(raise_on_empty_metrics=False)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one tick, and put out how late the most overdue source is; an alarm watches it."""
    report = engine().tick(Trigger.SCHEDULE)
    metrics.add_metric(name="OverdueIntervals", unit=MetricUnit.Count, value=report.overdue_intervals)
    report.check()
    return report.as_dict()
