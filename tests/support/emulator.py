"""An emulator of our own on loopback, shared by every test that wants a table whose conditions are atomic."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

import pytest

from tests.support.builders import a_name
from tests.support.ports import free_port

if TYPE_CHECKING:
    from bokit.store.dynamo.store import DynamoStore

REPOSITORY = Path(__file__).resolve().parents[2]
MINISTACK = Path(os.environ.get("BOKIT_MINISTACK", REPOSITORY / ".bokit/cloud/bin/ministack"))
REGION = "us-east-1"

needs_emulator = pytest.mark.skipif(
    not MINISTACK.exists(), reason="not run: the emulator is not installed; `make up` installs it"
)
EMULATOR = pytest.param("emulator", marks=needs_emulator)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an emulator of our own, on a free port of loopback."""
    with run_emulator(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@contextmanager
def run_emulator(home: Path) -> Iterator[str]:
    """Run an emulator of DynamoDB alone, with its files in *home*; yield its address."""
    port = free_port()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_PORT": "0",
        "PERSIST_STATE": "0",
        "STATE_DIR": str(home),
        "LAMBDA_EXECUTOR": "local",
        "SERVICES": "dynamodb",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([MINISTACK], env=os.environ | settings, stdout=log, stderr=log, cwd=home)
        try:
            yield wait_until_it_answers(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> str:
    """Return *url* once something answers there; fails after 30 s, or when the process ended."""
    for _ in range(300):
        assert process.poll() is None, "the emulator ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own address
        except urllib.error.HTTPError:
            return url
        except OSError:
            sleep(0.1)
        else:
            return url
    raise AssertionError("the emulator does not answer")


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """Credentials of nobody, and no address from the environment."""
    with credentials_of_nobody():
        yield


@contextmanager
def credentials_of_nobody() -> Iterator[None]:
    """AWS's variables are those of nobody meanwhile."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        yield


@pytest.fixture(scope="session")
def emulated_store(emulator: str, aws: None) -> DynamoStore:
    """One table for all tests: a client takes longer to make than a table to empty."""
    return make_dynamo_store(emulator)


def empty_table(store: DynamoStore) -> DynamoStore:
    """Remove every item of the store's table."""
    table = store.table_name
    for _ in range(100):
        items = store.client.scan(TableName=table, ProjectionExpression="pk, sk")["Items"]
        if not items:
            return store
        for at in range(0, len(items), 25):
            removed = [{"DeleteRequest": {"Key": item}} for item in items[at : at + 25]]
            store.client.batch_write_item(RequestItems={table: removed})
    raise AssertionError("the table does not get empty")


def make_dynamo_store(endpoint_url: str | None) -> DynamoStore:
    """Return a store on a new table, without time to live: the tests' clocks stand, the emulator's goes by the calendar.

    An item of a test's June that expires 180 days later would be deleted under the test in November.
    """
    from bokit.store.dynamo.create_table import create_table
    from bokit.store.dynamo.store import DynamoStore

    table = a_name("bokit")
    create_table(table, region=REGION, endpoint_url=endpoint_url)
    store = DynamoStore(table, region=REGION, endpoint_url=endpoint_url)
    off = {"AttributeName": "expires_at", "Enabled": False}
    store.client.update_time_to_live(TableName=table, TimeToLiveSpecification=off)
    return store
