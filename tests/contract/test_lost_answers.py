"""The answer to a write is lost and botocore sends it again: the store recognises its own write, and it happened once."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import SourceId
from bokit.errors import StoreConflictError
from bokit.store.dynamo.store import DynamoStore
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Store
from tests.support.builders import HOUR, NOW, a_monitor
from tests.support.doubled_writes import double_writes, prepare
from tests.support.emulator import REGION, empty_table, needs_emulator
from tests.support.faulty_calls import losing_answers
from tests.support.store_writes import WRITES

pytestmark = needs_emulator
READS = ("load_", "find_", "quotas")


def reopen(store: DynamoStore) -> DynamoStore:
    """Return a store on the same table with a client of its own: botocore tries less often where many calls have failed."""
    return DynamoStore(store.table_name, region=REGION, endpoint_url=store.client.meta.endpoint_url)


class CalledStore:
    """A store that keeps the names of its methods that were called."""

    def __init__(self, inner: Any, names: set[str]) -> None:
        self._inner, self._names = inner, names

    def __getattr__(self, name: str) -> Any:
        self._names.add(name)
        return getattr(self._inner, name)


def writes_of(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith(("_", *READS))}


def test_the_scenarios_call_every_method_that_writes() -> None:
    """A new method of the store belongs into tests/support/store_writes.py."""
    called: set[str] = set()
    for write in WRITES.values():
        store = CalledStore(MemoryStore(), called)
        prepare(store)
        write(store)

    assert writes_of(name for name, _ in inspect.getmembers(Store, inspect.isfunction)) - called == set()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_answer_is_lost_happens_once(name: str, emulated_store: DynamoStore, record_property) -> None:
    """Every answer is lost once: what comes back, and what is stored, is as on a store that answers."""
    answering, losing = MemoryStore(), reopen(empty_table(emulated_store))
    for store in (answering, losing):
        prepare(store)
    expected = WRITES[name](answering)

    with losing_answers(losing.client) as session:
        found = WRITES[name](losing)

    assert found == expected
    record_property("requests", session.sent)
    assert session.sent >= 4


@pytest.mark.parametrize("name", WRITES)
def test_a_single_write_that_is_sent_twice_happens_once(name: str, emulated_store: DynamoStore, record_property) -> None:
    """A sample of ``make reliability``: each third write, the second answer given back; outcome and table are as without."""
    damage = double_writes(emulated_store, WRITES[name], step=3)

    assert damage.traces == ()
    record_property("doubled", damage.tried)
    assert damage.tried > 0


def test_another_that_claims_or_leases_at_the_same_time_still_loses(emulated_store: DynamoStore) -> None:
    """Only the request itself is recognised: not another of the same holder's, nor one with the same times."""
    store = empty_table(emulated_store)
    prepare(store)
    source = store.load_source(DEFAULT_TENANT, SourceId("src_1"))
    (read,) = store.load_shards([source.shard_id])
    until = NOW + HOUR

    with losing_answers(store.client):
        claims = [store.claim_shard(read, holder="tick_1", now=NOW, until=until) for _ in "12"]
        leases = [store.acquire_lease(source, holder=holder, now=NOW, until=until) for holder in ("run_1", "run_2")]
        store.save_monitor(a_monitor())
        with pytest.raises(StoreConflictError):
            store.save_monitor(a_monitor())

    assert [claim is not None for claim in claims] == [True, False]
    assert [lease is not None for lease in leases] == [True, False]
