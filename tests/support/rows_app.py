"""A test app for the engine: the real engine on the memory store, with a manual clock and rules for simple rows.

The content is JSON, ``{key: fields}``. The rules below know no booking, so that what passes here holds for any record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT, Source, Tenant
from bokit.core.model.plan import Action, ActionKind, Hold, Plan
from bokit.core.model.records import CollectionName, FieldChange, Fields, Presence, Record, RecordId, Scope, SourceId, TenantId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.core.model.source_rules import Context, Problem, Seen, Verdict
from bokit.core.model.webhooks import Answer
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.sync.kinds import SourceKind
from bokit.outlets.memory import MemoryAlerts, MemoryQueue
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from bokit.values import replace

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ROWS = CollectionName("rows")


class ManualClock:
    """A clock that moves only by ``move``."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class FakeFetcher:
    """Answers from a shelf: a body, an exception to raise, or a function that makes either."""

    shelf: dict[SourceId, Any] = field(default_factory=dict)
    asked: list[tuple[SourceId, str | None]] = field(default_factory=list)
    host: str = "rows.example"

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        self.asked.append((source.id, etag))
        answer = self.shelf[source.id]
        answer = answer() if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Fetched):
            return answer
        return Fetched(body=json.dumps(answer).encode(), host=self.host)


class Receivers:
    """Every receiver of webhooks: answers as its shelf says (204 where it says nothing), and keeps what came."""

    def __init__(self) -> None:
        self.shelf: dict[str, Any] = {}
        self.came: list[tuple[str, dict[str, str], Any]] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.came.append((url, dict(headers), json.loads(body)))
        answer = self.shelf.get(url, 204)
        answer = answer() if callable(answer) else answer
        if isinstance(answer, Answer):
            return answer
        return Answer(status=answer, error=None if 200 <= answer < 300 else f"http-{answer}")

    def ids(self, url: str) -> list[str]:
        """Return the ids that came to one receiver, in their order."""
        return [headers["webhook-id"] for where, headers, _ in self.came if where == url]


class RowRules:
    """Rows by key: what is new is created, what is gone is missed at once and cancelled after ``cancel_after``."""

    plans_current_body = False

    def needs_body(self, hold: object) -> bool:
        return False

    def needs_elsewhere(self, matches: object, context: Context) -> bool:
        return False

    def hash_content(self, body: bytes, context: Context) -> str:
        return hashlib.sha256(body).hexdigest()

    def read(self, body: bytes, context: Context, snapshot: bytes) -> Seen:
        try:
            rows = json.loads(body)
        except ValueError:
            return Seen(verdict=Verdict.UNREADABLE, problems=(Problem(code="no-json", message="not JSON"),))
        return Seen(entries=tuple(sorted(rows.items())), snapshot=body)

    def recall(self, snapshot: bytes, context: Context) -> Seen:
        return self.read(snapshot or b"{}", context, b"")

    def inspect(self, body: bytes, seen: Seen, context: Context) -> dict[str, Any]:
        return {"entries": [{"key": key} for key, _ in seen.entries]}

    def match(self, known: Sequence[Record], seen: Seen, context: Context) -> object:
        return {r.key: r for r in known}, seen

    def plan(self, matches: Any, context: Context) -> Plan:
        known, seen = matches
        rows = dict(seen.entries)
        actions = [a for key, row in rows.items() if (a := self._shown(known.get(key), key, row, context))]
        gone = [] if context.new_only else [r for key, r in known.items() if key not in rows and r.presence is not Presence.GONE]
        actions += [a for r in gone if (a := self._missing(r, context))]
        waiting = [(r.missing_since or context.at) + context.cancel_after for r in gone]
        return Plan(
            actions=tuple(actions),
            seen=len(rows),
            unchanged=len(rows) - len(actions),
            settle_at=min((t for t in waiting if t > context.at), default=None),
        )

    def _shown(self, before: Record | None, key: str, row: Fields, context: Context) -> Action | None:
        if before is None:
            after = Record(
                id=RecordId(f"{context.scope}.{context.source_id}-{key}"),
                tenant=context.tenant,
                collection=context.collection,
                scope=context.scope,
                source_id=context.source_id,
                key=key,
                remote=row,
                created_at=context.at,
                updated_at=context.at,
            )
            changes = {n: FieldChange(before=None, after=v) for n, v in row.items()}
            return Action(kind=ActionKind.CREATE, before=None, after=after, fields=changes, reason="new")
        if (before.presence is Presence.PRESENT and before.remote == row) or context.new_only:
            return None
        changes = {n: FieldChange(before=before.remote.get(n), after=v) for n, v in row.items() if before.remote.get(n) != v}
        kind = ActionKind.UPDATE if before.presence is Presence.PRESENT else ActionKind.RESTORE
        after = replace(before, remote=row, presence=Presence.PRESENT, missing_since=None, updated_at=context.at)
        return Action(kind=kind, before=before, after=after, fields=changes, reason="shown")

    def _missing(self, before: Record, context: Context) -> Action | None:
        since = before.missing_since or context.at
        if before.presence is Presence.MISSING and context.at - since < context.cancel_after:
            return None
        if before.presence is Presence.MISSING:
            after = replace(before, presence=Presence.GONE, gone_at=context.at, updated_at=context.at)
            return Action(kind=ActionKind.CANCEL, before=before, after=after, reason="gone for long enough")
        after = replace(before, presence=Presence.MISSING, missing_since=since, updated_at=context.at)
        return Action(kind=ActionKind.MARK_MISSING, before=before, after=after, reason="not shown")

    def guard(self, plan: Plan, matches: Any, context: Context) -> Plan:
        _, seen = matches
        if seen.verdict is Verdict.OK:
            return plan
        memory = {"held": context.memory.get("held", context.at.isoformat())}
        return replace(plan, actions=(), refused=True, hold=self.read_hold(memory), memory=memory)

    def read_stamp(self, body: bytes) -> None:
        return None

    def read_hold(self, memory: Fields) -> Hold | None:
        since = memory.get("held")
        hold = Hold(code="unreadable", message="The answer is not JSON.", since=START, can_apply=False)
        return replace(hold, since=datetime.fromisoformat(since)) if since else None

    def read_edit(self, record: Record | None, values: Fields) -> Fields:
        return values

    def describe(self, record: Record) -> dict[str, Any]:
        return {"id": record.id, **record.fields}


class TestApp:
    """Bokit with a source kind of simple rows, and fakes for everything outside."""

    __test__ = False  # pytest: not a class of tests

    def __init__(self, *, queue: bool = False, store: Any = None, concurrency: int = 4, shard_size: int = 100) -> None:
        self.shard_size = shard_size
        self.clock, self.fetcher, self.alerts = ManualClock(), FakeFetcher(), MemoryAlerts()
        self.queue = MemoryQueue() if queue else None
        self.deliver_queue, self.receivers = MemoryQueue() if queue else None, Receivers()
        self.store = store or MemoryStore()
        self.numbers = iter(range(1, 100_000))
        self.bokit = self.assemble(self.store, concurrency)
        self.store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Default", created_at=START))
        self.store.save_option(DEFAULT_TENANT, "install.complete", True)

    def assemble(self, store: Any, concurrency: int = 4) -> Bokit:
        kinds = {"rows": SourceKind(fetcher=self.fetcher, rules=RowRules(), collection=ROWS)}
        return Bokit(
            EngineParts(
                store=store,
                kinds=kinds,
                alerts=self.alerts,
                clock=self.clock,
                queue=self.queue,
                deliver_queue=self.deliver_queue,
                open_sender=lambda: self.receivers,
                chance=lambda: 0.5,
                concurrency=concurrency,
                new_run_id=lambda at: f"run_{next(self.numbers):06d}",
            )
        )

    def add_source(
        self, name: str, rows: Any, *, tenant: TenantId = DEFAULT_TENANT, interval: int = 3600, **given: Any
    ) -> Source:
        source = Source(
            id=SourceId(f"src_{name}"),
            tenant=tenant,
            name=name,
            kind="rows",
            url="https://rows.example/secret",
            collection=ROWS,
            scope=Scope(f"scope_{name}"),
            interval=timedelta(seconds=interval),
            shard_id=self.store.pick_shard(self.shard_size),
            **given,
        )
        self.fetcher.shelf[source.id] = rows
        schedule = SourceSchedule(tenant=tenant, due_at=self.clock(), interval=timedelta(seconds=interval))
        return self.store.save_source(Head(source=source), schedule)

    def show(self, source: Source, rows: Any) -> None:
        self.fetcher.shelf[source.id] = rows

    def records(self, source: Source) -> list[Record]:
        return list(self.store.load_records(source.tenant, ROWS, source.scope))

    def presences(self, source: Source) -> dict[str, str]:
        return {r.key: str(r.presence) for r in self.records(source)}

    def head(self, source: Source) -> Head:
        return self.store.load_head(source)

    def schedule(self, source: Source) -> SourceSchedule:
        return self.store.load_heads(source.shard_id)[0].schedules[source.id]


class CallCounter:
    """A store, or a channel, that counts its calls, and can die at one of them, before or after it is made.

    Once dead, it answers nothing until it is revived: what the dying process tries in its last moments does not count.
    """

    def __init__(self, inner: Any, calls: list[str] | None = None) -> None:
        self._inner, self.calls = inner, [] if calls is None else calls
        self.die_at: int | None = None
        self.die_after = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        def call(*args: Any, **given: Any) -> Any:
            self.calls.append(name)
            here = len(self.calls) - (self.die_at or len(self.calls) + 1)
            if here > 0 or (here == 0 and not self.die_after):
                raise Died
            answer = method(*args, **given)
            if here == 0:
                raise Died
            return answer

        return call


class Died(BaseException):
    """The process ends here: nothing below may catch it and go on."""
