"""Sync the databases that each SQS message names; this function alone has their libraries."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from bokit.config import Settings
from bokit.engine.app import Bokit
from bokit.engine.runs.messages import read_message
from bokit.observability import ROOT, configure_lambda, log_event
from bokit.wiring import build_engine

logger = configure_lambda("sync_sql", "INFO")
log = logging.getLogger("bokit.sync_sql")
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def engine() -> Bokit:
    """Build the engine on first use, so that importing this module needs no AWS."""
    settings = Settings.from_env()
    logging.getLogger(ROOT).setLevel(settings.log_level)
    return build_engine(settings)


def sync_message(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Sync the database of one message in the time that is left; what there is no time for is sent on to the next worker."""
    message = read_message(record.body)
    report = engine().work(message, seconds_left=lambda: lambda_context.get_remaining_time_in_millis() / 1000)
    log_event(log, "batch finished", run_id=message.run_id, **report.as_dict())


@logger.inject_lambda_context  # type: ignore[untyped-decorator]
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Sync every message, and name the ones to deliver again."""
    answer = process_partial_response(event, sync_message, processor, context)
    for _, failure, _ in processor.exceptions:
        log.error("a message failed; it comes again, and then goes to the dead letters", exc_info=failure)
    return answer
