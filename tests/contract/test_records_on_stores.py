"""Records on both stores: synced, written by many at once, and found by their id, in the memory and in the table."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from bokit.core.items.edit import WriteMethod, read_patch
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Outcome
from bokit.engine.catalog.collections import WriteRequest
from bokit.engine.records.writes import Preconditions, RecordWriter
from tests.engine.clients_office import Office

WRITERS = 50


def test_clients_are_synced_and_found(shared_store):
    """122 clients in eight buckets: written once, unchanged afterwards, each found in one read by its source's id."""
    office = Office(store=shared_store, collection={"buckets": 8})

    first, second = office.sync(), office.sync(force=True)

    assert (first.counts["created"], second.counts["unchanged"]) == (122, 122)
    assert second.sources[0].outcome is Outcome.UNCHANGED
    assert office.record(77).fields["contact"] == office.api.clients[77]["contact"]
    assert len(office.records()) == 122


def test_fifty_writers_of_several_processes_lose_nothing(shared_store):
    """50 parallel PUTs through five writers that know nothing of each other: every field arrives, the log is complete."""
    office = Office(store=shared_store)
    desk = office.bokit.catalog.collections
    desk.declare(DEFAULT_TENANT, {"name": "settings", "preserve": ["createdBy"]})
    settings = desk.find(DEFAULT_TENANT, "settings")
    desk.write(settings, "main", WriteRequest(method=WriteMethod.PUT, document={"createdBy": "ada"}, by="user:ada"))
    writers = [RecordWriter(shared_store, office.clock) for _ in range(5)]
    start = threading.Barrier(WRITERS)

    def put(n):
        start.wait()
        wish = read_patch({f"field{n}": n, "createdBy": "bob"}, WriteMethod.PUT, f"user:{n}")
        return writers[n % 5].write(settings, "main", wish, Preconditions())

    with ThreadPoolExecutor(WRITERS) as pool:
        granted = list(pool.map(put, range(WRITERS)))

    record = desk.get(settings, "main")
    assert record.fields == {"createdBy": "ada", **{f"field{n}": n for n in range(WRITERS)}}
    assert {g.preserved for g in granted} == {("createdBy",)}
    changes = desk.list_changes(settings, "main", limit=1000).items
    assert sorted(name for c in changes for name in c.fields) == sorted(["createdBy", *(f"field{n}" for n in range(WRITERS))])
    assert len(changes) == WRITERS + 1
