"""The queue's messages: a claimed batch of a shard, or some sources of an open run; sources are named by id."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, Json, RunId, SourceId, TenantId
from bokit.core.model.runs import OpenRun, Trigger
from bokit.engine.runs.limits import MAX_CHAIN_MESSAGES, SOURCES_PER_MESSAGE
from bokit.errors import InputError
from bokit.values import Value, field, replace

DEFAULT_ROUTE, SQL_ROUTE = "shard", "sql"
"""Queue routes: any worker, and the worker that has the databases' libraries. A shard's id begins with its route."""


def route_of(shard_id: ShardId) -> str:
    """Return the route of a shard's messages."""
    return shard_id.partition("_")[0]


class Forwarded(Value):
    """The report of a message for another kind of worker: it was sent there."""

    route: str

    def as_dict(self) -> dict[str, Json]:
        """Return the facts for the log."""
        return {"forwarded_to": self.route}


class BatchMessage(Value):
    """The due sources of one claimed shard, with the options that the tick has read."""

    run_id: RunId
    trigger: Trigger
    shard_id: ShardId
    fence: int
    source_ids: tuple[SourceId, ...]
    options: Mapping[TenantId, Fields] = field(default_factory=dict)
    """What each tenant has set."""
    defaults: Fields = field(default_factory=dict)
    hops: int = 0
    """Messages before it, each of which had its worker send the next one."""

    @property
    def route(self) -> str:
        """The kind of worker that it is for."""
        return route_of(self.shard_id)

    @property
    def is_last(self) -> bool:
        """Whether its worker sends no further message: the tick goes on with what is left."""
        return self.hops + 1 >= MAX_CHAIN_MESSAGES

    def options_of(self, tenant: TenantId) -> Options:
        """Return a tenant's options as they were when the batch was claimed."""
        return Options(self.options.get(tenant), self.defaults)

    def to_json(self) -> str:
        """Return the text that the queue carries."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "trigger": self.trigger,
                "shard_id": self.shard_id,
                "fence": self.fence,
                "source_ids": list(self.source_ids),
                "defaults": dict(self.defaults),
                "options": {tenant: dict(stored) for tenant, stored in self.options.items()},
                **({"hops": self.hops} if self.hops else {}),
            }
        )


class RunMessage(Value):
    """Some sources of an open run of one tenant; the run says how they are synced."""

    run_id: RunId
    tenant: TenantId
    source_ids: tuple[SourceId, ...]
    paused: tuple[SourceId, ...] = ()
    """Those of them that were paused when a person named them; they are synced all the same."""
    shard_id: ShardId | None = None
    """The shard of all of them; None: a former release's message, which did not say it."""
    route: str = DEFAULT_ROUTE
    """The kind of worker that it is for."""
    hops: int = 0
    """Messages before it, each of which had its worker send the next one."""

    @property
    def is_last(self) -> bool:
        """Whether its worker sends no further message: the tick goes on with what is left."""
        return self.hops + 1 >= MAX_CHAIN_MESSAGES

    def to_json(self) -> str:
        """Return the text that the queue carries."""
        document: dict[str, Any] = {"open_run": self.run_id, "tenant": self.tenant, "source_ids": list(self.source_ids)}
        lane = self.route if self.route != DEFAULT_ROUTE else ""
        optional = {"paused": list(self.paused), "shard_id": self.shard_id, "lane": lane, "hops": self.hops}
        return json.dumps(document | {name: value for name, value in optional.items() if value})

    def narrow(self, ids: Collection[SourceId]) -> RunMessage:
        """Return the message about those of its sources that are in *ids*."""
        source_ids = tuple(s for s in self.source_ids if s in ids)
        return replace(self, source_ids=source_ids, paused=tuple(s for s in self.paused if s in ids))


MessageT = TypeVar("MessageT", bound="BatchMessage | RunMessage")


def next_hop(message: MessageT) -> MessageT:
    """Return the message as the worker of one like it sends it on."""
    return replace(message, hops=message.hops + 1)


def read_message(text: str) -> BatchMessage | RunMessage:
    """Return the message in *text*; raise InputError for anything else, which the dead letters then keep."""
    try:
        document = json.loads(text)
        return _read_run(document) if "open_run" in document else _read_batch(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("not a message of this queue", code="bad-message") from error


def _read_run(document: Mapping[str, Any]) -> RunMessage:
    return RunMessage(
        run_id=RunId(str(document["open_run"])),
        tenant=TenantId(str(document["tenant"])),
        source_ids=tuple(SourceId(str(s)) for s in document["source_ids"]),
        paused=tuple(SourceId(str(s)) for s in document.get("paused") or ()),
        shard_id=ShardId(str(document["shard_id"])) if document.get("shard_id") else None,
        route=str(document.get("lane") or DEFAULT_ROUTE),
        hops=int(document.get("hops") or 0),
    )


def _read_batch(document: Mapping[str, Any]) -> BatchMessage:
    return BatchMessage(
        run_id=RunId(document["run_id"]),
        trigger=Trigger(document["trigger"]),
        shard_id=ShardId(document["shard_id"]),
        fence=int(document["fence"]),
        source_ids=tuple(SourceId(str(s)) for s in document["source_ids"]),
        options=dict(document.get("options") or {}),
        defaults=dict(document.get("defaults") or {}),
        hops=int(document.get("hops") or 0),
    )


def split_messages(opened: OpenRun, sources: Sequence[Source]) -> list[RunMessage]:
    """Return the messages of a run's pending sources, one for each shard, since its heads are read and written at once.

    A database has a message of its own, for the worker that reads databases.
    """
    messages = []
    for shard in group_by_shard(s for s in sources if s.id in opened.pending):
        shard_id = shard[0].shard_id
        size = 1 if route_of(shard_id) == SQL_ROUTE else SOURCES_PER_MESSAGE
        for part in (shard[at : at + size] for at in range(0, len(shard), size)):
            messages.append(
                RunMessage(
                    run_id=opened.run.run_id,
                    tenant=opened.run.tenant,
                    source_ids=tuple(s.id for s in part),
                    paused=tuple(s.id for s in part if opened.named and not s.enabled),
                    shard_id=shard_id,
                    route=route_of(shard_id),
                )
            )
    return messages


def group_by_shard(sources: Iterable[Source]) -> list[list[Source]]:
    """Return *sources* by shard, those of databases last, in the order of their ids."""
    ordered = sorted(sources, key=lambda s: (route_of(s.shard_id) == SQL_ROUTE, s.shard_id, s.id))
    return [list(own) for _, own in groupby(ordered, key=lambda s: s.shard_id)]
