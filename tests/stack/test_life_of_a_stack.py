"""SAM updates and deletes a stack that it created from the same template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import stack
from local.gateway import fetch_status
from tests.support.deployed import Deployed, run_cloud

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def short_lived(tmp_path: Path, built: Path) -> Iterator[Deployed]:
    """A stack of the test's own."""
    yield from run_cloud(tmp_path, built)


def default_interval(deployed: Deployed) -> str:
    """Return the worker's default interval."""
    name = deployed.outputs["SyncBatchFunctionName"]
    configuration = deployed.client("lambda").get_function_configuration(FunctionName=name)
    return str(configuration["Environment"]["Variables"]["BOKIT_DEFAULT_INTERVAL"])


def test_an_update_keeps_the_data_and_a_deletion_takes_all(short_lived, built):
    """A new parameter reaches the functions and the table keeps its items; once deleted, nothing of the stack is left."""
    table, dynamodb = short_lived.outputs["TableName"], short_lived.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "kept"}, "sk": {"S": "kept"}})
    assert default_interval(short_lived) == "3600"

    stack.deploy_stack(short_lived.place, built, DefaultInterval="900")
    assert default_interval(short_lived) == "900"
    assert dynamodb.scan(TableName=table)["Count"] == 1
    assert fetch_status(f"{short_lived.api_url}/health") == 200

    stack.delete_stack(short_lived.place)
    assert stack.load_outputs(short_lived.place) is None
    assert dynamodb.list_tables()["TableNames"] == []
    assert short_lived.client("scheduler").list_schedules()["Schedules"] == []
    assert short_lived.client("apigatewayv2").get_apis()["Items"] == []
