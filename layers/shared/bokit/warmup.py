"""What a function makes ready while Lambda initializes it, by the function's name.

    time ──────┬───────────────────────────────┬────────────────────────────►
    Lambda     │ INIT, on a full core          │ invoke, on memory's share of one
    here       │ imports, services, clients    │ the first request finds them made

At 256 MB a function has a seventh of a core, so what INIT leaves over takes seven times as long. No request is sent here: a
table that is away, or settings that are wrong, are the first call's to report.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from bokit.values import Value
from bokit.wiring import prepare_clients, prepare_sessions

if TYPE_CHECKING:
    from bokit.config import Settings
    from bokit.engine.app import Bokit


class Warmup(Value):
    """What is made ready."""

    services: tuple[str, ...] = ()
    """Services of the engine, by their names."""
    kinds: tuple[str, ...] = ()
    """Kinds of source."""
    clients: tuple[str, ...] = ()
    """Services of AWS."""
    modules: tuple[str, ...] = ()
    """What the services import at their first use."""
    fetches: bool = False
    """Whether it sends requests to others' hosts, and so needs the certificates that it trusts."""


FEED_MODULES = (
    "bokit.core.bookings.planning",
    "bokit.core.bookings.edit",
    "bokit.core.ical.recurrence",
    "bokit.engine.bookings.conflicts",
    "bokit.engine.bookings.pages",
    "bokit.engine.runs.ended",
    "bokit.store.dynamo.open_runs",
)
LIVE = ("events", "dispatcher", "alert_delivery", "connections")
WARMUPS: Mapping[str, Warmup] = {
    "sync": Warmup(services=("_tick", *LIVE), clients=("sqs",)),
    "sync_batch": Warmup(
        services=("batch", "queued_runs"), kinds=("ical",), clients=("sqs",), modules=FEED_MODULES, fetches=True
    ),
    "sync_sql": Warmup(services=("batch", "queued_runs"), kinds=("sql",), clients=("sqs",), modules=("sqlalchemy",)),
    "api": Warmup(services=("catalog", "traffic", "calendars")),
    "api_sync": Warmup(services=("status", "traffic", "queued_runs", "monitors"), clients=("sqs",)),
    "public": Warmup(services=("feeds", "traffic")),
    "live": Warmup(services=("messages", "connections", "events")),
    "notify": Warmup(services=LIVE, clients=("sqs",), modules=("bokit.store.dynamo.stream",)),
    "deliver": Warmup(
        services=("deliveries", "alert_delivery"),
        clients=("sqs",),
        modules=("bokit.engine.live.alert_turn", "bokit.net.session", "bokit.outlets.webhook"),
        fetches=True,
    ),
}
"""The functions that have an engine. What a test finds missing here, a first request would import or make."""


def warm_up(function: str, engine: Bokit, settings: Settings) -> None:
    """Make ready what the function's first request needs."""
    plan = WARMUPS[function]
    for module in plan.modules:
        import_module(module)
    for service in plan.services:
        getattr(engine, service)
    for kind in plan.kinds:
        _ = engine.kinds[kind]
    prepare_clients(settings, *plan.clients)
    if plan.fetches:
        prepare_sessions()
    if "connections" in plan.services and engine.connections.sockets:
        engine.connections.sockets.prepare()
