"""Records on both stores: synced, written by many at once, and found by their id, in the memory and in the table."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from bokit.core.items.edit import WriteMethod, read_patch
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Outcome
from bokit.engine.catalog.collections import WriteRequest
from bokit.engine.records.writes import Preconditions, RecordWriter
from tests.support.json_app import JsonApp

WRITERS = 50


def test_clients_are_synced_and_found(shared_store):
    """122 clients in eight buckets: written once, unchanged afterwards, each found in one read by its source's id."""
    app = JsonApp(store=shared_store, collection={"buckets": 8})

    first, second = app.sync(), app.sync(force=True)

    assert (first.counts["created"], second.counts["unchanged"]) == (122, 122)
    assert second.sources[0].outcome is Outcome.UNCHANGED
    assert app.record(77).fields["contact"] == app.api.clients[77]["contact"]
    assert len(app.records()) == 122


def test_fifty_writers_of_several_processes_lose_nothing(shared_store):
    """50 parallel PUTs through five writers that know nothing of each other: every field arrives, the log is complete."""
    app = JsonApp(store=shared_store)
    collections = app.bokit.catalog.collections
    collections.declare(DEFAULT_TENANT, {"name": "settings", "preserve": ["createdBy"]})
    settings = collections.find(DEFAULT_TENANT, "settings")
    collections.write(settings, "main", WriteRequest(method=WriteMethod.PUT, document={"createdBy": "ada"}, by="user:ada"))
    writers = [RecordWriter(shared_store, app.clock) for _ in range(5)]
    start = threading.Barrier(WRITERS)

    def put(n):
        start.wait()
        patch = read_patch({f"field{n}": n, "createdBy": "bob"}, WriteMethod.PUT, f"user:{n}")
        return writers[n % 5].write(settings, "main", patch, Preconditions())

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(put, range(WRITERS)))

    record = collections.get(settings, "main")
    assert record.fields == {"createdBy": "ada", **{f"field{n}": n for n in range(WRITERS)}}
    assert {g.preserved for g in results} == {("createdBy",)}
    changes = collections.list_changes(settings, "main", limit=1000).items
    assert sorted(name for c in changes for name in c.fields) == sorted(["createdBy", *(f"field{n}" for n in range(WRITERS))])
    assert len(changes) == WRITERS + 1
