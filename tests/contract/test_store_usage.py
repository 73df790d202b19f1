"""What counts against quotas: the last place goes to one of those who ask, and what is removed makes room.

Threads race on the memory, whose numbers change under one lock, and on the emulator's table, whose conditions are atomic.
Moto's are not: there one request comes between another's read and its write by hand, at each of its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from bokit.core.model.access import TokenId, hash_token
from bokit.core.model.alerts import AlertChannel, AlertChannelId, AlertState, ChannelKind
from bokit.core.model.catalog import DEFAULT_TENANT, Parent, Unit, UnitId
from bokit.core.model.quotas import QUOTAS, QuotaName, QuotaOwner, Quotas
from bokit.core.model.records import Scope, SourceId, TenantId, make_record_id
from bokit.core.model.webhooks import Endpoint, Webhook, WebhookId
from bokit.errors import QuotaError, StaleFenceError, StoreConflictError
from bokit.store.dynamo import keys
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import DAY, NOW, a_change, a_head, a_record, a_schedule, a_token, a_unit
from tests.support.steps import OTHER, add_source, lease_of

TODAY = NOW.date()
CALLERS, ROUNDS = 8, 20


def add_unit(store: Store, name: str, tenant: TenantId) -> None:
    store.save_unit(a_unit(id=UnitId(f"unit_{name}"), tenant=tenant))


def add_token(store: Store, name: str, tenant: TenantId) -> None:
    store.save_token(a_token(id=TokenId(f"tok_{name}"), tenant=tenant, hash=hash_token(name + tenant)))


def add_webhook(store: Store, name: str, tenant: TenantId) -> None:
    hook = Webhook(id=WebhookId(f"whk_{name}"), tenant=tenant, url="https://a.example/", secret="whsec_", created_at=NOW)
    store.add_webhook(hook, Endpoint(tenant=tenant, webhook_id=hook.id), due_at=NOW)


def add_alert(store: Store, name: str, tenant: TenantId) -> None:
    channel = AlertChannel(id=AlertChannelId(f"chn_{name}"), tenant=tenant, kind=ChannelKind.WEBHOOK, name=name, created_at=NOW)
    store.add_alert_channel(channel, AlertState(tenant=tenant, channel_id=channel.id))


def add_a_source(store: Store, name: str, tenant: TenantId) -> None:
    add_source(store, id=SourceId(f"src_{name}_{tenant}"), tenant=tenant)


def add_a_record(store: Store, name: str, tenant: TenantId) -> None:
    record = a_record(id=make_record_id(Scope("unit_1"), name), tenant=tenant)
    store.apply_records([record], [a_change(record)], lease=None, counted={record.id})


ADDS: dict[QuotaName, Callable[[Store, str, TenantId], None]] = {
    QuotaName.UNITS: add_unit,
    QuotaName.TOKENS: add_token,
    QuotaName.WEBHOOKS: add_webhook,
    QuotaName.ALERTS: add_alert,
    QuotaName.SOURCES: add_a_source,
    QuotaName.RECORDS: add_a_record,
}
OWNED = [(owner, counted) for counted in ADDS for owner in QuotaOwner if QUOTAS[counted].default_of(owner) is not None]
BOTH = pytest.mark.parametrize(("owner", "counted"), OWNED, ids=str)


@contextmanager
def bounded(store: Any, owner: QuotaOwner, counted: QuotaName, limit: int) -> Iterator[None]:
    """Give the store one quota meanwhile; a store may be shared by tests."""
    before, store.quotas = store.quotas, Quotas(limits={(owner, counted): limit})
    try:
        yield
    finally:
        store.quotas = before


def used(store: Store, counted: QuotaName, owner: QuotaOwner = QuotaOwner.TENANT, tenant: TenantId = DEFAULT_TENANT) -> int:
    return store.load_usage(tenant if owner is QuotaOwner.TENANT else None, TODAY)[counted]


def tenants_of(owner: QuotaOwner) -> list[TenantId]:
    """Return whose adding fills *owner*'s quota: two tenants fill the stack's."""
    return [DEFAULT_TENANT, DEFAULT_TENANT if owner is QuotaOwner.TENANT else OTHER]


@BOTH
def test_over_a_quota_nothing_is_added(store: Store, owner: QuotaOwner, counted: QuotaName) -> None:
    """The third of two is refused, with the quota, its limit, what is used and the parameter; the number stays."""
    first, second = tenants_of(owner)
    with bounded(store, owner, counted, 2):
        ADDS[counted](store, "a", first)
        ADDS[counted](store, "b", second)

        with pytest.raises(QuotaError) as refused:
            ADDS[counted](store, "c", second)

    parameter = f"{owner}".capitalize() + f"{counted}".capitalize()
    assert refused.value.facts == {"quota": str(counted), "limit": 2, "used": 2, "parameter": parameter}
    assert all(word in refused.value.message for word in ("2", parameter, str(owner)))
    assert used(store, counted, owner) == 2
    ADDS[counted](store, "c", second)  # it was not there


@BOTH
def test_a_tenants_quota_is_its_own(store: Store, owner: QuotaOwner, counted: QuotaName) -> None:
    """Where one tenant is full, another adds; where the stack is, nobody does."""
    with bounded(store, owner, counted, 1):
        ADDS[counted](store, "a", DEFAULT_TENANT)
        if owner is QuotaOwner.TENANT:
            ADDS[counted](store, "a", OTHER)
        else:
            with pytest.raises(QuotaError):
                ADDS[counted](store, "a", OTHER)

    assert used(store, counted, tenant=OTHER) == (owner is QuotaOwner.TENANT)


@BOTH
def test_of_many_at_the_last_place_one_gets_it(shared_store: Store, owner: QuotaOwner, counted: QuotaName) -> None:
    """Eight threads want the one place that is left: one gets it, seven are refused, twenty times over."""
    got = []
    with ThreadPoolExecutor(CALLERS) as pool:
        for limit in range(1, ROUNDS + 1):
            barrier = Barrier(CALLERS)

            def add(number: int, limit: int = limit, barrier: Barrier = barrier) -> bool:
                barrier.wait()
                try:
                    ADDS[counted](shared_store, f"{limit}-{number}", tenants_of(owner)[number % 2])
                except QuotaError:
                    return True
                return False

            with bounded(shared_store, owner, counted, limit):
                got.append(sum(pool.map(add, range(CALLERS))))

    assert got == [CALLERS - 1] * ROUNDS
    assert used(shared_store, counted, owner) == ROUNDS


@BOTH
def test_another_comes_between_at_each_call(dynamo: DynamoStore, owner: QuotaOwner, counted: QuotaName) -> None:
    """Whichever request of an addition another one overtakes, there is never more than there may be."""
    first, second = tenants_of(owner)
    for tenant in dict.fromkeys((first, second)):
        ADDS[counted](dynamo, f"known-{tenant}", tenant)
    calls = count_calls(dynamo, lambda: ADDS[counted](dynamo, "more", first))
    tried = 0
    for place in range(calls):
        limit = used(dynamo, counted, owner) + 1
        faster = partial(ADDS[counted], dynamo, f"fast{place}", second)
        with bounded(dynamo, owner, counted, limit), overtaken(dynamo, place, faster), pytest.raises(QuotaError):
            ADDS[counted](dynamo, f"slow{place}", first)
        tried += 1
        assert used(dynamo, counted, owner) == limit

    assert tried == calls >= 1


def count_calls(store: DynamoStore, act: Callable[[], object]) -> int:
    sent: list[str] = []
    with each_call(store, sent.append):
        act()
    return len(sent)


@contextmanager
def each_call(store: DynamoStore, do: Callable[[str], object]) -> Iterator[None]:
    """Call *do* with the name of each request before it is sent."""

    def act(model: Any, **_: Any) -> None:
        do(model.name)

    store.client.meta.events.register("before-call.dynamodb", act)
    try:
        yield
    finally:
        store.client.meta.events.unregister("before-call.dynamodb", act)


@contextmanager
def overtaken(store: DynamoStore, place: int, act: Callable[[], object]) -> Iterator[None]:
    """Do *act* before the request of this *place*, once."""
    sent: list[str] = []

    def interrupt(name: str) -> None:
        sent.append(name)
        if len(sent) == place + 1:
            act()

    with each_call(store, interrupt):
        yield


def test_what_is_removed_makes_room_once(store: Store) -> None:
    """A unit that is deleted, a source that is removed and a token that is revoked make room, each once."""
    add_unit(store, "a", DEFAULT_TENANT)
    add_token(store, "a", DEFAULT_TENANT)
    source = add_source(store)
    counted = [used(store, c) for c in (QuotaName.UNITS, QuotaName.TOKENS, QuotaName.SOURCES)]
    for _ in range(2):
        store.delete_parent(Parent(Unit, DEFAULT_TENANT, UnitId("unit_a")), lambda: None)
        store.revoke_token(DEFAULT_TENANT, TokenId("tok_a"), NOW)
    for _ in range(2):
        source = store.save_source(a_head(replace(source, removed_at=NOW)), a_schedule(due_at=None))

    assert counted == [1, 1, 1]
    assert [used(store, c) for c in (QuotaName.UNITS, QuotaName.TOKENS, QuotaName.SOURCES)] == [0, 0, 0]


def test_a_source_that_comes_back_counts_again(store: Store) -> None:
    """Its removal made room; its return takes it, once."""
    source = store.save_source(a_head(replace(add_source(store), removed_at=NOW)), a_schedule(due_at=None))
    removed = used(store, QuotaName.SOURCES)
    source = store.save_source(a_head(replace(source, removed_at=None)), a_schedule(), is_back=True)
    store.save_source(a_head(source), a_schedule())

    assert (removed, used(store, QuotaName.SOURCES)) == (0, 1)


def test_what_is_changed_takes_no_second_place(store: Store) -> None:
    """Writing a unit, a source or a record again counts nothing, also where nothing more may be added."""
    source = add_source(store)
    unit = store.save_unit(a_unit())
    record = a_record()
    [record] = store.apply_records([record], [], lease=None, counted={record.id})
    for counted in (QuotaName.UNITS, QuotaName.SOURCES, QuotaName.RECORDS):
        with bounded(store, QuotaOwner.TENANT, counted, 1):
            unit = store.save_unit(unit)
            source = store.save_source(a_head(source), a_schedule())
            [record] = store.apply_records([record], [], lease=None, counted={record.id})

        assert used(store, counted) == 1


def test_a_removed_tenant_leaves_its_places_to_others(store: Store) -> None:
    """What a removed tenant had counts for the stack no more."""
    for tenant in (DEFAULT_TENANT, OTHER):
        add_token(store, "a", tenant)
        add_unit(store, "a", tenant)
    store.remove_tenant(OTHER)

    assert [used(store, c, QuotaOwner.STACK) for c in (QuotaName.TOKENS, QuotaName.UNITS)] == [1, 1]
    assert [used(store, c, tenant=OTHER) for c in (QuotaName.TOKENS, QuotaName.UNITS)] == [0, 0]


@pytest.mark.parametrize("limit", [120, 1])
def test_records_stop_at_the_transaction_that_has_no_room(store: Store, limit: int) -> None:
    """Of 150 new records in transactions of 48, as many are there as are counted, and never more than may be."""
    source = add_source(store)
    records = [a_record(id=make_record_id(Scope("unit_1"), f"r{n:03d}")) for n in range(150)]
    with bounded(store, QuotaOwner.TENANT, QuotaName.RECORDS, limit), pytest.raises(QuotaError):
        store.apply_records(
            records, [a_change(r) for r in records], lease=lease_of(store, source), counted={r.id for r in records}
        )

    stored = store.load_records(DEFAULT_TENANT, a_record().collection, Scope("unit_1"))
    assert len(stored) == used(store, QuotaName.RECORDS) == (96 if limit == 120 else 0)


def test_a_lost_lease_counts_nothing(store: Store) -> None:
    """A write that is refused for another reason says that reason, also over a quota, and counts nothing."""
    source = add_source(store)
    stale = lease_of(store, source)
    lease_of(store, source)
    record = a_record()
    for limit in (5, 0):
        with bounded(store, QuotaOwner.TENANT, QuotaName.RECORDS, limit), pytest.raises(StaleFenceError):
            store.apply_records([record], [], lease=stale, counted={record.id})

    assert used(store, QuotaName.RECORDS) == 0


def test_writes_are_counted_by_day(store: Store) -> None:
    """A day's writes end at the quota, forced ones are counted beyond it, and the next day begins at nothing."""
    with bounded(store, QuotaOwner.TENANT, QuotaName.WRITES, 10):
        store.count_writes(DEFAULT_TENANT, TODAY, 7)
        with pytest.raises(QuotaError) as refused:
            store.count_writes(DEFAULT_TENANT, TODAY, 4)
        store.count_writes(DEFAULT_TENANT, TODAY, 3)
        store.count_writes(OTHER, TODAY, 10)
        store.count_writes(DEFAULT_TENANT, TODAY, 1, forced=True)
        with pytest.raises(QuotaError):
            store.count_writes(OTHER, TODAY + DAY, 11)

    assert (refused.value.facts["used"], refused.value.facts["limit"]) == (7, 10)
    assert store.load_usage(DEFAULT_TENANT, TODAY)[QuotaName.WRITES] == 11
    assert store.load_usage(DEFAULT_TENANT, TODAY + timedelta(days=1))[QuotaName.WRITES] == 0


def test_numbers_that_are_not_there_are_counted_once(dynamo: DynamoStore) -> None:
    """A tenant of a former release has no numbers: the first write counts what there is, and what is over stays over."""
    add_source(dynamo, id=SourceId("src_gone"))
    for name in "abc":
        for add in ADDS.values():
            add(dynamo, name, DEFAULT_TENANT)
    dynamo.save_unit(a_unit(id=UnitId("unit_1")))  # the unit of the records
    removed = replace(dynamo.load_source(DEFAULT_TENANT, SourceId("src_gone")), removed_at=NOW)
    dynamo.save_source(a_head(removed), a_schedule(due_at=None))
    expected = {counted: used(dynamo, counted) for counted in ADDS}
    forget_numbers(dynamo)
    for counted, add in ADDS.items():
        for owner in (o for o, c in OWNED if c is counted):
            with bounded(dynamo, owner, counted, 2), pytest.raises(QuotaError) as refused:
                add(dynamo, "d", DEFAULT_TENANT)
            assert refused.value.facts["used"] == expected[counted]
            forget_numbers(dynamo)
        add(dynamo, "d", DEFAULT_TENANT)

        assert used(dynamo, counted) == expected[counted] + 1


def forget_numbers(store: DynamoStore) -> None:
    for counted in ADDS:
        for tenant in (DEFAULT_TENANT, None):
            key = keys.usage_key(tenant, counted)
            store.client.delete_item(TableName=store.table_name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})


def test_a_transaction_that_meets_another_is_sent_again(dynamo: DynamoStore) -> None:
    """DynamoDB refuses two transactions on one number at the same moment: the slower one is sent again, and counts once."""
    add_unit(dynamo, "a", DEFAULT_TENANT)
    with refused_transactions(dynamo, 3) as sent:
        add_unit(dynamo, "b", DEFAULT_TENANT)

    assert len(sent) == 4
    assert used(dynamo, QuotaName.UNITS) == 2


def test_where_others_always_count_the_write_is_refused(dynamo: DynamoStore) -> None:
    """Without an end of the others the write fails with a code of its own, and nothing is written."""
    add_unit(dynamo, "a", DEFAULT_TENANT)
    with refused_transactions(dynamo, 100), pytest.raises(StoreConflictError) as refused:
        add_unit(dynamo, "b", DEFAULT_TENANT)

    assert refused.value.stable_code == "usage-busy"
    assert used(dynamo, QuotaName.UNITS) == 1


@contextmanager
def refused_transactions(store: DynamoStore, times: int) -> Iterator[list[str]]:
    """Answer the next transactions as DynamoDB answers those that meet another."""
    sent: list[str] = []

    def refuse(model: Any, **_: Any) -> Any:
        sent.append(model.name)
        if len(sent) > times:
            return None
        answer = {"Error": {"Code": "TransactionConflictException", "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return type("Answer", (), {"status_code": 400, "headers": {}})(), answer

    store.client.meta.events.register("before-call.dynamodb.TransactWriteItems", refuse)
    try:
        yield sent
    finally:
        store.client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", refuse)


def test_a_write_whose_answer_is_lost_counts_once(dynamo: DynamoStore) -> None:
    """botocore sends the same request again: the second one is recognised, and the day's number rises once."""
    sent: list[int] = []

    def again(attempts: int, **_: Any) -> int | None:
        sent.append(attempts)
        return 0 if attempts == 1 else None

    dynamo.client.meta.events.register_first("needs-retry.dynamodb.UpdateItem", again)
    try:
        for _ in range(3):
            dynamo.count_writes(DEFAULT_TENANT, TODAY, 5)
    finally:
        dynamo.client.meta.events.unregister("needs-retry.dynamodb.UpdateItem", again)

    assert len(sent) == 6
    assert dynamo.load_usage(DEFAULT_TENANT, TODAY)[QuotaName.WRITES] == 15


def test_an_id_is_read_from_its_key() -> None:
    """The id of a unit whose records are counted comes from its key, whatever is in it."""
    for name in ("unit_1", "a#b", "ü/%"):
        assert keys.last_part(keys.catalog_key(DEFAULT_TENANT, "UNIT", name)) == name
