"""The command line on a deployed stack that it knows by name: moto's CloudFormation, table, topic and secrets."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import botocore.handlers
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from bokit.config import Settings, StackChoice, find_stack_name, read_environment
from bokit.core.model.quotas import QuotaName, QuotaOwner
from bokit.errors import ConfigError, InputError, StoreUnreachableError
from bokit.outlets.sns import SnsAlerts
from bokit.stack import KEPT, DeployedStack, forget_stack, read_variables, translated
from bokit.store.dynamo.create_table import create_table
from bokit.wiring import open_alerts, open_calendar_key
from bokit_cli.main import execute
from tests.support.terminal import Answer

REGION = "eu-central-1"
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "BOKIT_STACK",
    "BOKIT_TABLE",
)


def a_template(table: str, **outputs: str) -> str:
    """Return the parts of a stack that a command line uses, with the table of another call of ours."""
    values: dict[str, Any] = {
        "TableName": table,
        "AlertTopicArn": {"Ref": "Topic"},
        "QueueUrl": {"Ref": "Queue"},
        "ApiUrl": "https://api.example",
        "CalendarKey": f"secret:{table}-key",
        "Quotas": "tenant.sources=7",
        **outputs,
    }
    document = {
        "Parameters": {
            "DefaultInterval": {"Type": "Number", "Default": 900},
            "AllowPrivateAddresses": {"Type": "String", "Default": "true"},
        },
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Queue": {"Type": "AWS::SQS::Queue"},
        },
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    return json.dumps(document)


class Cloud:
    """An account in which stacks are made, and a terminal beside it."""

    def __init__(self, capsys: Any, calls: list[str]) -> None:
        self._capsys, self.calls = capsys, calls

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(service, region_name=region, aws_access_key_id="test", aws_secret_access_key="test")

    def make_stack(self, name: str = "bokit", table: str = "bokit-1", *, region: str = REGION, **given: str) -> None:
        create_table(table, region=region)
        self.client("secretsmanager", region).create_secret(Name=f"{table}-key", SecretString="the key of tests")
        self.client("cloudformation", region).create_stack(StackName=name, TemplateBody=a_template(table, **given))
        self.calls.clear()

    def run(self, *arguments: str) -> Answer:
        self._capsys.readouterr()
        code = execute(list(arguments))
        out = self._capsys.readouterr()
        return Answer(code, out.out, out.err)

    def names_of(self, *options: str) -> list[str]:
        """Return the properties that a command line finds with these options."""
        answer = self.run(*options, "property", "list", "--json")
        assert answer.code == 0, answer
        return [place["name"] for place in answer.doc["items"]]

    @property
    def asked(self) -> int:
        """How often CloudFormation was asked for a stack."""
        return self.calls.count("DescribeStacks")


@pytest.fixture
def cloud(tmp_path, monkeypatch, capsys) -> Iterator[Cloud]:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is put back, whatever the command line sets
        monkeypatch.delenv(name)
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.chdir(tmp_path)
    calls: list[str] = []
    hook = ("before-call.cloudformation", lambda model, **_: calls.append(model.name))
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", [*botocore.handlers.BUILTIN_HANDLERS, hook])
    with mock_aws():
        yield Cloud(capsys, calls)


def kept_files() -> list[Path]:
    return sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.json"))


def test_a_stack_is_found_by_its_name(cloud, monkeypatch):
    """Table, queue, topic, address, key, quotas and default interval are the stack's."""
    cloud.make_stack(SqlQueueUrl="https://sqs.example/sql")
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    monkeypatch.setenv("BOKIT_SQL_QUEUE_URL", "https://another.example")
    monkeypatch.setenv("BOKIT_LIVE_URL", "wss://another.example")
    monkeypatch.setenv("BOKIT_CONCURRENCY", "3")

    settings = DeployedStack("bokit", Path("cache"), region=None).load_settings(read_environment())

    assert (settings.table_name, settings.region, settings.stack_name) == ("bokit-1", REGION, "bokit")
    assert settings.sql_queue_url == "https://sqs.example/sql"
    assert settings.live_url is None  # the stack's own values come first, where it has none as well
    assert (settings.default_interval, settings.concurrency, settings.allow_private_addresses) == (900, 3, True)
    assert open_calendar_key(settings)() == "the key of tests"
    assert isinstance(open_alerts(settings), SnsAlerts)
    assert cloud.run("property", "add", "Villa Rosa").code == 0
    assert cloud.names_of() == ["Villa Rosa"]
    assert settings.quotas.limit_of(QuotaOwner.TENANT, QuotaName.SOURCES) == 7


def test_a_warm_command_does_not_ask_cloudformation(cloud, monkeypatch):
    """The first of two commands asks once, the second not at all; both call the table of the stack."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")

    assert cloud.run("status").code == 0
    assert cloud.calls == ["DescribeStacks"]
    assert cloud.run("status").code == 0
    assert cloud.calls == ["DescribeStacks"]


def test_a_stack_that_was_deployed_is_asked_again(cloud, monkeypatch):
    """As every access key; of another stack, and of other files in the folder, nothing is touched."""
    cloud.make_stack()
    cloud.make_stack("other", "other-1")
    assert [cloud.run("--stack", name, "status").code for name in ("bokit", "other")] == [0, 0]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert cloud.run("--stack", "bokit", "status").code == 0
    folder = kept_files()[0].parent
    for name, text in {"cut": '{"stack"', "list": "[]", "foreign": "{}"}.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    kept = kept_files()

    forget_stack(folder, "bokit")

    gone = set(kept) - set(kept_files())
    assert (len(gone), len(kept)) == (2, 6)
    cloud.calls.clear()
    assert [cloud.run("--stack", name, "status").code for name in ("bokit", "other")] == [0, 0]
    assert cloud.asked == 2  # the other stack was kept for the former access key alone
    forget_stack(folder / "none", "bokit")


def test_what_is_kept_is_the_users_alone_and_no_secret(cloud, monkeypatch):
    """The file has mode 600 in a folder of mode 700, and says where the key is, and not the key."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")

    assert cloud.run("status").code == 0

    (file,) = kept_files()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "the key of tests" not in file.read_text(encoding="utf-8")
    assert "BOKIT_CALENDAR_KEY" in file.read_text(encoding="utf-8")


def test_a_key_itself_is_not_taken_over(cloud):
    """An output with the key itself is left out of what is kept."""
    described = {"Outputs": [{"OutputKey": "CalendarKey", "OutputValue": "the key itself"}]}

    assert read_variables(described) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": "x", "values": {}}', '{"at": 1e300, "values": {"BOKIT_TABLE": "x"}}'])
def test_a_broken_file_is_written_again(cloud, monkeypatch, content):
    """Whatever stands in the file, the stack is asked and the file is replaced."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    assert cloud.run("status").code == 0
    (file,) = kept_files()
    file.write_text(content, encoding="utf-8")

    assert cloud.run("status").code == 0
    assert cloud.asked == 2
    assert json.loads(file.read_text(encoding="utf-8"))["values"]["BOKIT_TABLE"] == "bokit-1"


def test_a_folder_that_cannot_be_written_costs_a_call(cloud, monkeypatch):
    """Then each command asks."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    Path(os.environ["XDG_CACHE_HOME"]).write_text("a file, where a folder should be", encoding="utf-8")

    assert [cloud.run("status").code for _ in range(2)] == [0, 0]
    assert cloud.asked == 2


def test_what_is_kept_ends_after_15_minutes(cloud, tmp_path):
    """And it is only of this name, region and access key; a time that is yet to come counts for nothing."""
    cloud.make_stack()
    cloud.make_stack("other", "other-1")
    start = datetime(2026, 6, 1, tzinfo=UTC)

    def asks(at: datetime, name: str = "bokit", **env: str) -> bool:
        before = cloud.asked
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in env.items():
                patch.setenv(variable, value)
            DeployedStack(name, tmp_path / "kept", region=REGION, clock=lambda: at).load_settings(read_environment())
        return cloud.asked > before

    assert asks(start)
    assert not asks(start + KEPT - timedelta(seconds=1))
    assert asks(start, "other")
    assert asks(start, AWS_ACCESS_KEY_ID="another")
    assert asks(start + KEPT)
    assert asks(start)


def test_a_table_that_is_gone_is_looked_for_once(cloud, monkeypatch):
    """A stack that was deleted and made again has another table: the next command finds it by one more call."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    assert cloud.run("status").code == 0
    cloud.client("dynamodb").delete_table(TableName="bokit-1")
    cloud.client("cloudformation").delete_stack(StackName="bokit")
    cloud.make_stack(table="bokit-2")

    assert cloud.run("property", "add", "Villa Rosa").code == 0
    assert cloud.names_of() == ["Villa Rosa"]
    assert cloud.asked == 1


def test_a_table_that_stays_gone_is_one_line(cloud, monkeypatch):
    """Where the stack still names it, the command says so after one more call."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    assert cloud.run("status").code == 0
    cloud.client("dynamodb").delete_table(TableName="bokit-1")

    answer = cloud.run("status")

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "no such table" in answer.err
    assert cloud.asked == 2


# ── which stack ──


def test_a_stack_and_a_table_at_once_are_wrong_use(cloud, monkeypatch):
    """One line names both, and nothing is asked."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    monkeypatch.setenv("BOKIT_TABLE", "bokit-1")

    answer = cloud.run("status")

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "BOKIT_STACK and BOKIT_TABLE" in answer.err
    assert cloud.asked == 0


@pytest.mark.parametrize(
    ("option", "variable", "table", "local", "found"),
    [
        ("a", None, None, False, "a"),
        ("a", "b", None, False, "a"),
        ("a", None, "t", False, "a"),
        ("a", None, None, True, "a"),
        ("a", "b", "t", True, "a"),
        (None, "b", None, False, "b"),
        (None, "b", None, True, "b"),
        (None, None, "t", False, "t"),
        (None, None, "t", True, "t"),
        (None, None, None, True, "local"),
    ],
)
def test_an_option_comes_before_a_variable_and_that_before_the_local_file(
    cloud, monkeypatch, tmp_path, option, variable, table, local, found
):
    """Of those that are there, the first one is meant."""
    for name in ("a", "b", "local", "t"):
        if name in ("a", "b"):
            cloud.make_stack(name, f"table-{name}")
        else:
            create_table(f"table-{name}", region=REGION)
        monkeypatch.setenv("BOKIT_TABLE", f"table-{name}")
        assert cloud.run("property", "add", f"Villa {name}").code == 0
        monkeypatch.delenv("BOKIT_TABLE")
    if variable:
        monkeypatch.setenv("BOKIT_STACK", variable)
    if table:
        monkeypatch.setenv("BOKIT_TABLE", f"table-{table}")
    if local:
        (tmp_path / ".bokit").mkdir()
        document = {"table_name": "table-local", "region": REGION, "endpoint_url": None}
        (tmp_path / ".bokit/local.json").write_text(json.dumps(document), encoding="utf-8")

    assert cloud.names_of(*(["--stack", option] if option else [])) == [f"Villa {found}"]


def test_the_region_of_an_option_comes_first(cloud, monkeypatch):
    """Then that of the environment; for a table's name, too."""
    for region in ("eu-west-1", REGION):
        cloud.make_stack("bokit", f"table-{region}", region=region)
        assert cloud.run("--stack", "bokit", "--region", region, "property", "add", f"Villa {region}").code == 0

    assert cloud.names_of("--stack", "bokit", "--region", "eu-west-1") == ["Villa eu-west-1"]
    assert cloud.names_of("--stack", "bokit") == [f"Villa {REGION}"]
    monkeypatch.setenv("BOKIT_TABLE", "table-eu-west-1")
    assert cloud.names_of("--region", "eu-west-1") == ["Villa eu-west-1"]


def test_a_profile_brings_its_key_and_its_region(cloud, monkeypatch, tmp_path):
    """Whatever keys the environment has; a profile that does not exist is one line."""
    cloud.make_stack("bokit", "bokit-west", region="eu-west-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    text = "[profile work]\nregion = eu-west-1\naws_access_key_id = of-work\naws_secret_access_key = test\n"
    (tmp_path / "config").write_text(text, encoding="utf-8")

    assert cloud.names_of("--stack", "bokit", "--profile", "work") == []
    assert os.environ["AWS_PROFILE"] == "work"
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    answer = cloud.run("--stack", "bokit", "--profile", "nobodys", "status")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "AWS profile does not exist" in answer.err


# ── what may be wrong ──


def test_a_stack_that_is_not_there_is_one_line(cloud):
    """It names the stack and the region, and the options to look at."""
    answer = cloud.run("--stack", "bokti", "status")

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "no such stack" in answer.err
    assert "bokti" in answer.err
    assert REGION in answer.err


def test_a_stack_of_something_else_is_one_line(cloud):
    """Without a table among its outputs it is not Bokit's."""
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    cloud.client("cloudformation").create_stack(StackName="shop", TemplateBody=template)

    answer = cloud.run("--stack", "shop", "status")

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "not one of Bokit's" in answer.err


def test_without_a_region_or_credentials_the_error_is_one_line(cloud, monkeypatch):
    """The region first, since credentials may be had for any."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    without_region = cloud.run("--stack", "bokit", "status")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    without_key = cloud.run("--stack", "bokit", "--region", REGION, "status")

    for answer, said in ((without_region, "--region"), (without_key, "no AWS credentials")):
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
        assert said in answer.err


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("AccessDenied", ConfigError, "cloudformation:DescribeStacks"),
        ("ExpiredToken", StoreUnreachableError, "sign in again"),
        ("InvalidClientTokenId", StoreUnreachableError, "sign in again"),
        ("ValidationError", InputError, "no such stack"),
        ("Throttling", StoreUnreachableError, "try again"),
    ],
)
def test_each_answer_of_cloudformation_says_what_to_do(code, kind, said):
    """Denied, unknown, expired, absent, busy."""
    with pytest.raises(kind, match=said), translated("bokit", REGION):
        raise ClientError({"Error": {"Code": code, "Message": "of AWS"}}, "DescribeStacks")


def test_a_region_that_is_none_is_one_line(cloud):
    """A word that makes no address is refused before anything is sent."""
    answer = cloud.run("--stack", "bokit", "--region", "not a region", "status")

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "region" in answer.err


def test_the_functions_have_the_name_by_another_variable():
    """BOKIT_STACK_NAME is whose secrets sources may name; it stands beside BOKIT_TABLE, and BOKIT_STACK does not."""
    settings = Settings.from_env({"BOKIT_TABLE": "t", "BOKIT_STACK_NAME": "bokit"})

    assert settings.stack_name == "bokit"
    assert find_stack_name(StackChoice(), {"BOKIT_TABLE": "t", "BOKIT_STACK_NAME": "bokit"}) is None


# ── alerts ──


class GoneFeed(BaseHTTPRequestHandler):
    """A feed that its platform took away."""

    def do_GET(self) -> None:
        self.send_error(410)

    def log_message(self, *args: Any) -> None: ...


def test_a_notice_of_the_command_line_reaches_the_stacks_topic(cloud, monkeypatch):
    """What a sync by hand finds wrong is published where the stack's own notices are, and is not left over."""
    cloud.make_stack()
    monkeypatch.setenv("BOKIT_STACK", "bokit")
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    topic = DeployedStack("bokit", Path("cache"), region=None).load_settings(read_environment()).topic_arn
    arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    server = ThreadingHTTPServer(("127.0.0.1", 0), GoneFeed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert cloud.run("property", "add", "Villa").code == 0
        assert cloud.run("unit", "add", "Flat", "--property", "Villa").code == 0
        url = f"http://127.0.0.1:{server.server_port}/1.ics"
        added = cloud.run("source", "add", "Airbnb", "--unit", "Flat", "--url", url, "--no-check")
        assert added.code == 0, added
        assert cloud.run("sync", "--all").code == 1
    finally:
        server.shutdown()
        server.server_close()

    (message,) = sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)["Messages"]
    assert "source.failing" in message["Body"]
