"""The three stores that pass one suite: the memory, moto, and the emulator's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from bokit.store.dynamo.model import ItemRow, bind_row
from bokit.store.dynamo.store import DynamoStore
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Store
from tests.support.builders import a_name
from tests.support.emulator import EMULATOR, REGION, empty_table
from tests.support.servers import mariadb, postgres  # noqa: F401 - fixtures, one server each for all tests


@pytest.fixture(scope="session")
def mocked_store(aws: None) -> tuple[DynamoStore, type[ItemRow]]:
    """A store on moto for all tests, and the model of its table: each test makes the table again, but no client."""
    table = a_name("bokit")
    with mock_aws():
        row = bind_row(table, REGION, None)
        row.create_table(wait=True)
        return DynamoStore(table, region=REGION), row


def make_store(kind: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Yield an empty store of one kind."""
    if kind == "memory":
        yield MemoryStore()
        return
    request.getfixturevalue("aws")
    if kind == "emulator":
        yield empty_table(request.getfixturevalue("emulated_store"))
        return
    store, row = request.getfixturevalue("mocked_store")
    with mock_aws():
        row.create_table(wait=True)
        yield store


@pytest.fixture(params=["memory", "moto", EMULATOR])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Every store, empty."""
    yield from make_store(request.param, request)


@pytest.fixture(params=["memory", EMULATOR])
def shared_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The stores that stand threads, and large values in no time; moto's conditions are not atomic."""
    yield from make_store(request.param, request)


@pytest.fixture(params=["moto", EMULATOR])
def dynamo(request: pytest.FixtureRequest) -> Iterator[DynamoStore]:
    """The table alone, empty."""
    for made in make_store(request.param, request):
        assert isinstance(made, DynamoStore)
        yield made
