"""A test app for JSON sources: the real engine, rules and fetcher, and the simulator's client API in process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bokit.core.items.edit import WriteMethod
from bokit.core.items.rules import RecordRules
from bokit.core.model.catalog import DEFAULT_TENANT, Collection
from bokit.core.model.records import Record
from bokit.core.model.runs import Run, Trigger
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.catalog.collections import WriteRequest
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.engine.lists.sync import ListSync
from bokit.engine.records.listing import RecordFilter
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import SourceUnavailableError
from bokit.net.response import SafeResponse
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.json_api import JsonApiFetcher, Waiting
from bokit.store.memory.store import MemoryStore
from simulator.client_api import ClientApi, make_clients
from tests.support.rows_app import ManualClock

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
URL = "https://crm.example/api"
CRM: dict[str, Any] = {
    "name": "CRM",
    "kind": "json",
    "url": f"{URL}/clients",
    "items": "data",
    "collection": "clients",
    "headers": {"Authorization": "Bearer secret:crm"},
}


class InProcess:
    """Stands where HTTP does: asks the client API of the simulator, and can lose the line at a request."""

    def __init__(self, api: ClientApi) -> None:
        self.api, self.asked = api, list[str]()
        self.lost: range = range(0)
        """The requests, counted from 1, whose answer never comes."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: float | None = None,
    ) -> SafeResponse:
        self.asked.append(url)
        if len(self.asked) in self.lost:
            raise SourceUnavailableError("the connection failed", code="connection")
        parts = urlsplit(url)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        answer = self.api.answer(parts.path, dict(parse_qsl(parts.query)), sent)
        return SafeResponse(url="https://crm.example/", status=answer.status, headers=answer.headers, body=answer.body)


class JsonApp:
    """Bokit with the client API, in time that moves by command; every pause is noted and costs no time."""

    def __init__(self, store: Any = None, **source: Any) -> None:
        self.clock, self.store, self.alerts = ManualClock(START), store or MemoryStore(), MemoryAlerts()
        self.api = make_clients(1, START)
        self.line, self.pauses = InProcess(self.api), list[float]()
        self.numbers = iter(range(1, 100_000))
        self.bokit = self.assemble(self.store)
        if source is not None:
            self.declare(**source)

    def assemble(self, store: Any) -> Bokit:
        wait = Waiting(sleep=self.pauses.append, monotonic=lambda: 0.0, chance=lambda: 0.5)
        fetcher = JsonApiFetcher(self.line, lambda text, tenant: text.replace("secret:crm", "sim-key"), self.clock, wait)  # type: ignore[arg-type]
        lists = partial(ListSync, reader=fetcher)
        kinds = {"json": SourceKind(fetcher=fetcher, rules=RecordRules(), is_shared=True, lists=lists)}
        return Bokit(
            EngineParts(
                store=store,
                kinds=kinds,
                alerts=self.alerts,
                clock=self.clock,
                concurrency=2,
                new_run_id=lambda at: f"run_{next(self.numbers):06d}",
                new_id=lambda kind: f"{kind}_{next(self.numbers):06d}",
            )
        )

    def declare(self, collection: dict[str, Any] | None = None, **source: Any) -> Any:
        declared = {"collections": [{"name": "clients", **(collection or {})}], "sources": [{**CRM, **source}]}
        return import_config(self.bokit.catalog, DEFAULT_TENANT, read_config(declared))

    @property
    def collection(self) -> Collection:
        return self.bokit.catalog.collections.find(DEFAULT_TENANT, "clients")

    @property
    def source(self) -> Any:
        return self.bokit.catalog.sources.find(DEFAULT_TENANT, "CRM")

    @property
    def head(self) -> Any:
        return self.store.load_head(self.source)

    def sync(self, **asked: Any) -> Run:
        asked.setdefault("everything", True)
        return self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.CLI, **asked))

    def tick(self, **span: float) -> None:
        """Let time pass, and sync what is due, as the schedule does."""
        self.clock.move(**span)
        self.bokit.tick()

    def record(self, record_id: int | str) -> Record:
        return self.bokit.catalog.collections.get(self.collection, str(record_id))

    def put(self, record_id: int | str, document: Any, method: WriteMethod = WriteMethod.PUT, **asked: Any) -> Any:
        request = WriteRequest(method=method, document=document, by="user:ada", **asked)
        return self.bokit.catalog.collections.write(self.collection, str(record_id), request)

    def records(self) -> list[Record]:
        """Return all records, deleted ones too."""
        return list(self.bokit.catalog.collections.page(self.collection, RecordFilter(with_gone=True), limit=1000).items)

    def snapshot(self) -> dict[str, tuple[Any, ...]]:
        """Return what is stored of every record."""
        return {r.key: (dict(r.fields), str(r.presence), r.version) for r in self.records()}

    def hour(self) -> None:
        self.clock.at += timedelta(hours=1)
