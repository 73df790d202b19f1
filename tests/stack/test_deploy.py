"""The life of a stack that `make deploy` makes, without a terminal, in a local cloud of its own; the last test deletes it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import cloud, stack
from local.gateway import fetch_status
from local.place import ROOT, Place
from tests.support.deployed import make_place

pytestmark = [pytest.mark.stack, pytest.mark.slow]

STACK = "bokit-prod"
ORIGINS = "https://a.example,https://b.example"
BROKEN = """Resources:
  Broken:
    Type: AWS::Lambda::Url
    DependsOn: [Table, CalendarKey, HttpApi]
    Properties: {TargetFunctionArn: nobody, AuthType: NONE}
"""
"""Fails when table, key and API are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account on this machine, and what is deployed to it."""

    place: Place
    built: Path
    broken: Path

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this account's credentials and without a terminal."""
        variables = self.place.aws_env() | env
        return subprocess.run(
            command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def deploy(self, built: Path, params: str = "", *flags: str, tags: str = "") -> subprocess.CompletedProcess[str]:
        """Deploy a build as `make deploy STAGE=prod BUILT=…` does."""
        return self.run(sys.executable, "-m", "local.deploy", "prod", "--built", str(built), *flags, PARAMS=params, TAGS=tags)

    def client(self, service: str) -> Any:
        return stack.connect(self.place, service)

    @property
    def described(self) -> dict[str, Any]:
        """The stack as CloudFormation describes it."""
        (found,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return dict(found)

    @property
    def parameters(self) -> dict[str, str]:
        return {p["ParameterKey"]: p["ParameterValue"] for p in self.described["Parameters"]}

    @property
    def outputs(self) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.described["Outputs"]}

    @property
    def is_protected(self) -> bool:
        table = self.client("dynamodb").describe_table(TableName=self.outputs["TableName"])["Table"]
        return bool(table["DeletionProtectionEnabled"])

    def what_holds_data(self) -> tuple[list[str], list[str]]:
        """Return the tables and the secrets."""
        secrets = self.client("secretsmanager").list_secrets()["SecretList"]
        return self.client("dynamodb").list_tables()["TableNames"], [secret["Name"] for secret in secrets]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Account]:
    """An empty account, the stack's build, and the same with a resource that fails."""
    folder = tmp_path_factory.mktemp("account")
    (broken := folder / "broken").mkdir()
    for part in built.iterdir():
        (broken / part.name).symlink_to(part)
    (broken / "template.yaml").unlink()
    template = (built / "template.yaml").read_text()
    (broken / "template.yaml").write_text(template.replace("\nResources:\n", f"\n{BROKEN}", 1))
    place = make_place(folder)
    try:
        cloud.start_emulator(place, lambda _: None)
        yield Account(place=place, built=built, broken=broken)
    finally:
        cloud.down(place)


@pytest.fixture(scope="module")
def machine(account: Account) -> str:
    """The parameters without which nothing runs on this machine."""
    return f"PythonRuntime={account.place.runtime} Architecture={account.place.architecture}"


@pytest.fixture(scope="module")
def created(account: Account, machine: str) -> subprocess.CompletedProcess[str]:
    """How the first deployment of the stack ended."""
    return account.deploy(account.built, f"{machine} CorsOrigins={ORIGINS}", tags="team=bookings 'cost centre=4 2'")


def test_each_check_is_right_or_says_what_to_do(account, machine):
    """On an empty account all is right; what does not fit is refused: a reservation, and a build."""
    right = account.deploy(account.built, machine, "--check")
    assert (right.returncode, right.stderr) == (0, "")
    assert [line.split()[:2] for line in right.stdout.splitlines()] == [
        ["ok", name] for name in ("region", "credentials", "stack", "parameters", "python", "architecture", "concurrency")
    ]

    greedy = account.deploy(account.built, f"{machine} PublicConcurrency=5000", "--check")
    assert (greedy.returncode, greedy.stdout.count("WRONG concurrency")) == (2, 1)
    other = "x86_64" if account.place.architecture == "arm64" else "arm64"
    wrong = account.deploy(account.built, f"PythonRuntime={account.place.runtime} Architecture={other}")
    assert wrong.returncode == 2
    assert re.search(rf"SharedLayer.* is for \S+, and the functions run on {other}: build again", wrong.stderr)
    assert account.what_holds_data() == ([], [])


def test_a_first_deployment_that_fails_comes_off_again(account, machine):
    """Nothing that holds data is left, since no table is born protected; the command that it prints deletes the empty stack."""
    before = account.what_holds_data()
    failed = account.deploy(account.broken, machine, "--stack", "another")

    assert failed.returncode == 2
    assert "another is ROLLBACK_COMPLETE" in failed.stderr
    assert account.what_holds_data() == before
    assert "WRONG stack" in account.deploy(account.built, machine, "--check", "--stack", "another").stdout
    command = re.search(r"`(\.bokit/sam/bin/sam delete [^`]+)`", failed.stderr)
    assert command
    deleted = account.run("sh", "-c", command[1])
    assert deleted.returncode == 0, deleted.stderr
    assert "another will be created" in account.deploy(account.built, machine, "--check", "--stack", "another").stdout


def test_a_stack_is_created_and_its_table_protected(account, created):
    """It begins with the stage's values and those that are given, and says what nobody should miss."""
    assert created.returncode == 0, created.stderr
    assert (account.parameters["CorsOrigins"], account.parameters["LogRetentionDays"]) == (ORIGINS, "90")
    assert account.is_protected
    assert "NOBODY WILL BE NOTIFIED" in created.stdout
    assert "Only a custom domain survives" in created.stdout


def test_an_update_that_fails_leaves_all_as_it_was(account, created):
    """Data, addresses and parameters."""
    outputs, parameters = account.outputs, account.parameters
    item = {"pk": {"S": "kept"}, "sk": {"S": "kept"}}
    account.client("dynamodb").put_item(TableName=outputs["TableName"], Item=item)
    failed = account.deploy(account.broken, "LogLevel=ERROR")

    assert failed.returncode == 2
    assert "the stack is as it was" in failed.stderr
    assert (account.outputs, account.parameters) == (outputs, parameters)
    assert account.client("dynamodb").scan(TableName=outputs["TableName"])["Items"] == [item]
    assert fetch_status(f"{account.place.endpoint_url}/_aws/execute-api/{outputs['ApiId']}/%24default/health") == 200


def test_an_update_keeps_what_is_not_given(account, created):
    """A new value reaches the functions; parameters, tags, protection, data and addresses stay."""
    before, outputs = account.parameters, account.outputs
    updated = account.deploy(account.built, "DefaultInterval=900 AlarmEmail=a@b.example", tags="team=calendars")

    assert updated.returncode == 0, updated.stderr
    assert account.parameters == before | {"DefaultInterval": "900", "AlarmEmail": "a@b.example"}
    tags = {tag["Key"]: tag["Value"] for tag in account.described["Tags"]}
    assert tags == {"team": "calendars", "cost centre": "4 2"}
    name = outputs["SyncBatchFunctionName"]
    variables = account.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    assert variables["BOKIT_DEFAULT_INTERVAL"] == "900"
    assert account.is_protected
    assert (account.outputs["TableName"], account.outputs["ApiId"]) == (outputs["TableName"], outputs["ApiId"])
    assert "NOBODY" not in updated.stdout


def test_a_deletion_keeps_table_and_key(account, created):
    """Nothing else of the stack is left; nobody deletes them but by hand."""
    outputs = account.outputs
    deleted = account.run(
        str(ROOT / ".bokit/sam/bin/sam"), "delete", "--stack-name", STACK, "--region", "us-east-1", "--no-prompts"
    )

    assert deleted.returncode == 0, deleted.stderr
    key = outputs["CalendarKey"].removeprefix("secret:")
    tables, secrets = account.what_holds_data()
    assert tables == [outputs["TableName"]]
    assert [name for name in secrets if name in key] != []
    assert account.client("scheduler").list_schedules()["Schedules"] == []
    assert account.client("apigatewayv2").get_apis()["Items"] == []
