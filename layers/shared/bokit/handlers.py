"""Builds the Lambda handlers in ``functions``: what they share of settings, logging and the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from bokit.config import Settings
from bokit.observability import ROOT, configure_lambda, log_event

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bokit.engine.app import Bokit

T = TypeVar("T")
Handler = Callable[[dict[str, Any], "LambdaContext"], Any]


def open_once(build: Callable[[Settings], T]) -> _lru_cache_wrapper[T]:
    """Return a function that builds from the environment at its first call: importing a handler needs no AWS."""

    @cache
    def opened() -> T:
        settings = Settings.from_env()
        logging.getLogger(ROOT).setLevel(settings.log_level)
        return build(settings)

    return opened


def make_handler(service: str, handle: Handler) -> Handler:
    """Return *handle* as Lambda calls it, with JSON log lines in the name of *service*."""
    handler: Handler = configure_lambda(service, "INFO").inject_lambda_context(handle)
    return handler


def make_queue_handler(service: str, engine: Callable[[], Bokit]) -> Handler:
    """Return a handler that syncs what each SQS message names; a message that fails is delivered again, alone."""
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

    from bokit.engine.runs.messages import read_message

    log = logging.getLogger(f"bokit.{service}")
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def sync_message(record: SQSRecord, lambda_context: LambdaContext) -> None:
        message = read_message(record.body)
        report = engine().work(message, seconds_left=lambda: lambda_context.get_remaining_time_in_millis() / 1000)
        log_event(log, "batch finished", run_id=message.run_id, **report.as_dict())

    def handle(event: dict[str, Any], context: LambdaContext) -> Any:
        response = process_partial_response(event, sync_message, processor, context)
        for _, failure, _ in processor.exceptions:
            log.error("a message failed; it comes again, and then goes to the dead letters", exc_info=failure)
        return response

    return make_handler(service, handle)


def make_turn_handler(service: str, engine: Callable[[], Bokit]) -> Handler:
    """Return a handler that takes the turn that each SQS message names, all at the same time: none waits for a slow one."""
    from concurrent.futures import ThreadPoolExecutor

    from bokit.engine.live.alert_delivery import read_place
    from bokit.engine.live.dispatch import read_turn

    log = logging.getLogger(f"bokit.{service}")

    def take(record: dict[str, Any], context: LambdaContext) -> str | None:
        """Return the id of a message that failed."""
        try:
            if channel := read_place(record["body"]):
                engine().alert_delivery.serve(*channel)
                return None
            message = read_turn(record["body"])
            report = engine().deliveries.take_turn(message, lambda: context.get_remaining_time_in_millis() / 1000)
        except Exception:
            log.exception("a turn failed; its message comes again, and then goes to the dead letters")
            return str(record["messageId"])
        log_event(log, "turn finished", tenant=message.tenant, webhook_id=message.webhook_id, **report.as_dict())
        return None

    def handle(event: dict[str, Any], context: LambdaContext) -> Any:
        records = event["Records"]
        _ = engine().deliveries, engine().alert_delivery  # made once, before the threads need them
        with ThreadPoolExecutor(max_workers=len(records)) as pool:
            failed = [failure for failure in pool.map(lambda record: take(record, context), records) if failure]
        return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failed]}

    return make_handler(service, handle)
