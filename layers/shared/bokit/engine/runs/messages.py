"""What is sent through the queue: a claimed batch of a shard, or some sources of an open run; named by ids."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bokit.core.model.catalog import ShardId
from bokit.core.model.options import Options
from bokit.core.model.records import Json, RunId, SourceId, TenantId
from bokit.core.model.runs import Trigger
from bokit.errors import InputError

DEFAULT_ROUTE, SQL_ROUTE = "shard", "sql"
"""Lanes: what any worker syncs, and what the one worker does that has the databases' libraries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """What became of a message for another kind of worker: it was sent there."""

    route: str

    def as_dict(self) -> dict[str, Json]:
        """As the log tells it."""
        return {"passed_on": self.route}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMessage:
    """The due sources of one claimed shard, with the options that the tick has read."""

    run_id: RunId
    trigger: Trigger
    shard_id: ShardId
    fence: int
    source_ids: tuple[SourceId, ...]
    options: Mapping[TenantId, Mapping[str, Json]] = field(default_factory=dict)
    """What each tenant has set."""
    defaults: Mapping[str, Json] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """The kind of worker that it is for: its shard's lane."""
        return self.shard_id.partition("_")[0]

    def options_of(self, tenant: TenantId) -> Options:
        """Return a tenant's options as they were when the batch was claimed."""
        return Options(self.options.get(tenant), self.defaults)

    def to_json(self) -> str:
        """As the queue carries it."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "trigger": self.trigger,
                "shard_id": self.shard_id,
                "fence": self.fence,
                "source_ids": list(self.source_ids),
                "defaults": dict(self.defaults),
                "options": {tenant: dict(stored) for tenant, stored in self.options.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str) -> BatchMessage:
        """Read what the queue brought; raises InputError, so that the dead letters keep what is no batch."""
        message = read_message(text)
        if not isinstance(message, cls):
            raise InputError("a queue message is no batch", code="bad-message")
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMessage:
    """Some sources of an open run of one tenant; what they are asked stands in the run."""

    run_id: RunId
    tenant: TenantId
    source_ids: tuple[SourceId, ...]
    paused: tuple[SourceId, ...] = ()
    """Those of them that were paused when a person named them: they are synced all the same."""
    route: str = DEFAULT_ROUTE
    """The kind of worker that it is for."""

    def to_json(self) -> str:
        """As the queue carries it."""
        told = {"open_run": self.run_id, "tenant": self.tenant, "source_ids": list(self.source_ids)}
        more = {"paused": list(self.paused)} if self.paused else {}
        return json.dumps({**told, **more, **({"lane": self.route} if self.route != DEFAULT_ROUTE else {})})

    def narrow(self, ids: Collection[SourceId]) -> RunMessage:
        """Return the message about these of its sources."""
        return replace(
            self, source_ids=tuple(s for s in self.source_ids if s in ids), paused=tuple(s for s in self.paused if s in ids)
        )


def read_message(text: str) -> BatchMessage | RunMessage:
    """Read what the queue brought; raises InputError, so that the dead letters keep what is neither."""
    try:
        told = json.loads(text)
        return _read_run(told) if "open_run" in told else _read_batch(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("a queue message is no batch", code="bad-message") from error


def _read_run(told: Mapping[str, Any]) -> RunMessage:
    return RunMessage(
        run_id=RunId(str(told["open_run"])),
        tenant=TenantId(str(told["tenant"])),
        source_ids=tuple(SourceId(str(s)) for s in told["source_ids"]),
        paused=tuple(SourceId(str(s)) for s in told.get("paused") or ()),
        route=str(told.get("lane") or DEFAULT_ROUTE),
    )


def _read_batch(told: Mapping[str, Any]) -> BatchMessage:
    return BatchMessage(
        run_id=RunId(told["run_id"]),
        trigger=Trigger(told["trigger"]),
        shard_id=ShardId(told["shard_id"]),
        fence=int(told["fence"]),
        source_ids=tuple(SourceId(str(s)) for s in told["source_ids"]),
        options=dict(told.get("options") or {}),
        defaults=dict(told.get("defaults") or {}),
    )
