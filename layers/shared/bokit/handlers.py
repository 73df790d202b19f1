"""Builds the Lambda handlers in ``functions``: what they share of settings, logging and the queue."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from bokit.config import Settings, runs_in_lambda
from bokit.observability import ROOT, configure_lambda, log_event

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper
    from pathlib import Path

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bokit.engine.app import Bokit
    from bokit.http.page_files import PageFiles

T = TypeVar("T")
LATE_IMPORTS = ("encodings.idna", "_strptime")
"""What Python itself imports when it first looks up a host, and first reads a date."""
MANY_OBJECTS = 20_000
"""New objects before Python looks for garbage. With its own 700 that is a tenth of the CPU of a first sync of a large table."""
Handler = Callable[[dict[str, Any], "LambdaContext"], Any]

if runs_in_lambda():
    gc.disable()  # until make_ready ends: modules and clients stay, and to look for garbage in them is a tenth of a start's CPU


def open_once(build: Callable[[Settings], T]) -> _lru_cache_wrapper[T]:
    """Return a function that builds from the environment at its first call: importing a handler needs no AWS."""

    @cache
    def opened() -> T:
        settings = Settings.from_env()
        logging.getLogger(ROOT).setLevel(settings.log_level)
        return build(settings)

    return opened


def open_page_once(folder: Path) -> Callable[[], PageFiles]:
    """Return a function that opens the page's files in *folder* at its first call."""
    return open_once(partial(_open_page, folder))


def _open_page(folder: Path, settings: Settings) -> PageFiles:
    from bokit.http.page_files import PageFiles

    names = {"api_url": settings.api_url, "live_url": settings.live_url, "issuer": settings.issuer}
    return PageFiles(folder=folder, client_id=settings.page_client_id, locale=settings.page_locale, **names)


def prepare(function: str, engine: Callable[[], Bokit]) -> None:
    """While Lambda initializes *function*, make ready what its first request needs (``bokit.warmup``)."""

    def warm() -> None:
        from bokit.warmup import warm_up

        warm_up(function, engine(), Settings.from_env())

    make_ready(warm)


def make_ready(*steps: Callable[[], object]) -> None:
    """Run *steps* where Lambda initializes the process; elsewhere nothing: importing a handler needs no AWS.

    What fails is left to the first call, which reports what is wrong with the settings: an INIT that raises would be repeated
    at every call, and its error be seen by nobody who sent a request.
    """
    if not runs_in_lambda():
        return
    gc.disable()
    try:
        from bokit.aws import share_session

        share_session()
        for name in LATE_IMPORTS:
            import_module(name)
        for step in steps:
            step()
    except Exception:
        logging.getLogger(f"{ROOT}.init").warning("not all could be made ready; the first call does it", exc_info=True)
    finally:
        gc.freeze()  # what INIT made is never looked through again
        gc.set_threshold(MANY_OBJECTS)
        gc.enable()


def make_handler(service: str, handle: Handler) -> Handler:
    """Return *handle* as Lambda calls it, with JSON log lines in the name of *service*."""
    handler: Handler = configure_lambda(service, "INFO").inject_lambda_context(handle)
    return handler


def make_queue_handler(service: str, engine: Callable[[], Bokit]) -> Handler:
    """Return a handler that syncs what each SQS message names; a message that fails is delivered again, alone."""
    from bokit.engine.runs.messages import read_message

    log = logging.getLogger(f"bokit.{service}")

    def sync_message(body: str, context: LambdaContext) -> None:
        message = read_message(body)
        report = engine().work(message, seconds_left=lambda: context.get_remaining_time_in_millis() / 1000)
        log_event(log, "batch finished", run_id=message.run_id, **report.as_dict())

    def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        failed = []
        for record in event["Records"]:
            try:
                sync_message(record["body"], context)
            except Exception:
                log.exception("a message failed; it comes again, and then goes to the dead letters")
                failed.append(str(record["messageId"]))
        return name_failures(failed)

    return make_handler(service, handle)


def name_failures(message_ids: Iterable[str]) -> dict[str, Any]:
    """Return the answer by which SQS delivers these messages again, and only these."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


def make_stream_handler(service: str, engine: Callable[[], Bokit]) -> Handler:
    """Return a handler that the table's stream wakes: it numbers the outbox, then posts how far open runs are.

    What the records say is not read: the outbox may be numbered already, and the run be further.
    """

    def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        from bokit.store.dynamo.stream import read_stream

        content = read_stream(event["Records"])
        report = engine().events.drain(content.outbox)
        engine().connections.post_progress(content.runs)
        report.check()
        return report.as_dict()

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
            return name_failures(filter(None, pool.map(lambda record: take(record, context), records)))

    return make_handler(service, handle)
