"""``make restore`` on moto: what it makes, that it goes on where it stopped, and that each refusal says what to do."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from bokit.config import Settings
from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.limits import EVENT_JUMP
from bokit.engine.base.clock import read_clock
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.store import DynamoStore
from bokit.wiring import build_engine
from local.errors import RestoreError
from local.restore.__main__ import main, read_time
from local.restore.calls import explained
from local.restore.flow import Request, restore
from local.restore.table import RestoredTable
from tests.support.aws_rules.watch import WATCH
from tests.support.iam import Need, allows, needs_of, table_arn, unused_of
from tests.support.resolved import Resolved
from tests.support.transformed import ROOT

REGION = "us-east-1"
pytestmark = pytest.mark.enable_socket


@pytest.fixture
def account() -> Iterator[str]:
    """A table with point-in-time recovery and two tokens, of no stack, and the key of its calendars."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", REGION)):
            monkeypatch.setenv(f"AWS_{name}", value)
        create_table("bokit-Table-1", region=REGION)
        recovery = {"PointInTimeRecoveryEnabled": True}
        client("dynamodb").update_continuous_backups(TableName="bokit-Table-1", PointInTimeRecoverySpecification=recovery)
        store("bokit-Table-1").save_tenant(Tenant(id=DEFAULT_TENANT, name="Tests", created_at=read_clock()))
        yield str(client("secretsmanager").create_secret(Name="bokit-CalendarKey", SecretString="key")["ARN"])


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def store(table: str) -> DynamoStore:
    return DynamoStore(table, region=REGION)


def access(table: str) -> Any:
    return build_engine(Settings(table_name=table, region=REGION)).access


def described(table: str) -> dict[str, Any]:
    return dict(client("dynamodb").describe_table(TableName=table)["Table"])


def run(key: str, table: str = "restored", **given: Any) -> tuple[dict[str, str], list[str]]:
    """Restore the table; return the parameters and what was said."""
    said = list[str]()
    found = restore(Request(origin="bokit-Table-1", table=table, key=key, **given), said.append)
    return dict(found), said


def test_a_restored_table_has_what_a_stack_needs(account):
    """The items, stream, expiry, recovery and protection; the parameters name it, its stream and the key."""
    found, _ = run(account)
    table = described("restored")
    dynamodb = client("dynamodb")

    assert found == {
        "ExistingTable": "restored",
        "ExistingTableStreamArn": table["LatestStreamArn"],
        "ExistingCalendarKey": account,
    }
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["DeletionProtectionEnabled"] is True
    ttl = dynamodb.describe_time_to_live(TableName="restored")["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires_at")
    recovery = dynamodb.describe_continuous_backups(TableName="restored")["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert [tenant.id for tenant in store("restored").load_tenants()] == [DEFAULT_TENANT]
    assert store("restored").load_last_seq(DEFAULT_TENANT) == EVENT_JUMP


def test_run_again_it_finds_all_done(account):
    """It says the same parameters, changes nothing, and raises no number a second time."""
    first, said = run(account)
    again, then = run(account)

    assert again == first
    assert (len(said) > 5, then) == (True, ["restored is there already", "restored is ready"])
    assert store("restored").load_last_seq(DEFAULT_TENANT) == EVENT_JUMP


def test_run_again_on_a_stack_that_is_on_the_table_it_finds_all_done(account):
    """As after an interruption at the end of the deployment: the stack is no longer on the former table."""
    first, _ = run(account)
    outputs = {"TableName": {"Value": "restored"}, "CalendarKey": {"Value": f"secret:{account}"}}
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    client("cloudformation").create_stack(StackName="bokit", TemplateBody=json.dumps(template))
    said = list[str]()

    assert restore(Request(origin="bokit", table="restored"), said.append) == first
    assert said == ["bokit is on restored already", "restored is ready"]
    with pytest.raises(RestoreError, match="is not a restore of restored"):
        restore(Request(origin="restored", table="restored", key=account), said.append)


def test_interrupted_anywhere_it_goes_on(account, monkeypatch):
    """Whichever call it died after, the next run completes it."""
    done, calls = 0, list[str]()

    def die(self: Any, name: str, given: Any) -> Any:
        nonlocal done
        answer = make(self, name, given)
        if re.match("Restore|Update|Tag", name):
            calls.append(name)
            done += 1
            if done == limit:
                raise KeyboardInterrupt
        return answer

    make = boto3.client("dynamodb").__class__.__mro__[1]._make_api_call
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", die)
    for limit in range(1, 40):
        done, table = 0, f"restored-{limit}"
        try:
            run(account, table)
        except KeyboardInterrupt:
            done = -1000
            run(account, table)
        else:
            break
        assert described(table)["DeletionProtectionEnabled"] is True
        assert described(table)["StreamSpecification"]["StreamEnabled"] is True
        assert store(table).load_last_seq(DEFAULT_TENANT) == EVENT_JUMP

    assert {"RestoreTableToPointInTime", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups"} <= set(calls)
    assert limit > 6


def test_a_revoked_token_stays_revoked(account):
    """One that was revoked after the time of the restore is revoked again; the others work."""
    kept, _ = access("bokit-Table-1").create(DEFAULT_TENANT, Role.ADMIN)
    leaked, _ = access("bokit-Table-1").create(DEFAULT_TENANT, Role.ADMIN)
    RestoredTable("restored", print).restore("bokit-Table-1", None)
    access("bokit-Table-1").revoke(DEFAULT_TENANT, leaked.id)

    _, said = run(account)

    assert "1 tokens that were revoked since are revoked again" in said
    states = {token.id: token.revoked_at is None for token in store("restored").load_tokens(DEFAULT_TENANT)}
    assert states == {kept.id: True, leaked.id: False}


def test_another_table_is_never_taken_for_the_restored_one(account):
    """A table that is there and no restore of this one, or of another time, is left alone."""
    create_table("live", region=REGION)
    for table, at in (("live", None), ("restored", datetime(2026, 11, 29, tzinfo=UTC))):
        if at:
            run(account)
        with pytest.raises(RestoreError, match=r"is there already, and is not a restore of .*: choose another NEW"):
            run(account, table, at=at)

    assert store("live").load_last_seq(DEFAULT_TENANT) == 0
    assert described("live").get("StreamSpecification", {}).get("StreamViewType") in (None, "NEW_AND_OLD_IMAGES")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"origin": "nothing"}, "the stack nothing does not exist; if it is a table, name its calendars' key too, KEY=ARN"),
        ({"origin": "bokit-Table-1", "key": "gone"}, "the secret gone does not exist"),
        ({"origin": "no-table", "key": "bokit-CalendarKey"}, "restoring no-table to restored"),
        ({"origin": "bare", "key": "bokit-CalendarKey"}, "bare has no point-in-time recovery: restore from a file"),
    ],
)
def test_what_cannot_be_restored_says_what_to_do(account, request_, says):
    """One line, before anything is made."""
    create_table("bare", region=REGION)
    with pytest.raises(RestoreError) as caught:
        restore(Request(table="restored", **request_), print)

    assert says in str(caught.value)
    assert "restored" not in client("dynamodb").list_tables()["TableNames"]


def test_a_deleted_key_says_how_to_get_it_back(account):
    """AWS keeps a deleted secret for some days."""
    client("secretsmanager").delete_secret(SecretId=account)

    with pytest.raises(RestoreError, match="aws secretsmanager restore-secret"):
        run(account)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "LimitExceededException", "Unheard"])
def test_every_refusal_of_aws_ends_with_what_to_do(code):
    """What failed, AWS's own words, and the fix; of an error that nobody knows, that it may be run again."""
    with pytest.raises(RestoreError) as caught, explained("restoring a to b"):
        raise ClientError({"Error": {"Code": code, "Message": "No."}}, "Any")

    said = str(caught.value)
    assert said.startswith(f"restoring a to b: {code} No; ")
    assert "\n" not in said
    assert len(said.split("; ", 1)[1]) > 20


@pytest.mark.parametrize("text", ["yesterday", "2026-11-29T12:00:00"])
def test_a_time_needs_a_zone(text):
    """An hour more or less is another table."""
    with pytest.raises(RestoreError, match="AT"):
        read_time(text)


def test_times_are_read():
    """With an offset, to the second; without one given, the latest."""
    assert read_time("2026-11-29T12:00:00+01:00") == datetime(2026, 11, 29, 11, tzinfo=UTC)
    assert read_time("2026-11-29T12:00:00.5Z") == datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert read_time("") is read_time("latest") is None


def test_a_time_that_is_not_kept_is_refused(account):
    """It says which times are."""
    with pytest.raises(RestoreError, match=r"can be restored to times from 20.*Z to 20.*Z"):
        run(account, at=datetime.now(UTC) - timedelta(days=900))


def test_the_command_prints_parameters_alone(account, capsys):
    """The steps go to standard error; a refusal is one line there, and 2."""
    assert main(["prod", "--from", "bokit-Table-1", "--to", "restored", "--key", account]) == 0
    out, steps = capsys.readouterr()
    assert re.fullmatch(r"ExistingTable=restored ExistingTableStreamArn=\S+ ExistingCalendarKey=\S+\n", out)
    assert "restored is ready" in steps

    assert (main(["prod", "--to", "x"]), main(["nowhere", "--to", "x"])) == (2, 2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(";")[0].split(":")[1] for line in lines] == [
        " the stack bokit-prod does not exist",
        " the stage nowhere does not exist",
    ]
    assert main(["prod", "--to", ""]) == 2
    assert capsys.readouterr() == ("", "bokit: name the table to be made: NEW=bokit-restored-1\n")


def test_the_region_is_the_one_that_deployments_take(account, monkeypatch, capsys):
    """AWS_REGION, which botocore itself does not read; without any, one line says so."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert main(["prod", "--to", "restored"]) == 2
    assert capsys.readouterr().err == "bokit: no region is set: set AWS_REGION to the stack's\n"

    monkeypatch.setenv("AWS_REGION", REGION)

    assert main(["prod", "--from", "bokit-Table-1", "--to", "restored", "--key", account]) == 0


# ── who may restore ──


POLICY = json.loads((ROOT / "examples/github-actions/restore-policy.json").read_text(encoding="utf-8"))["Statement"]
OF_AWS = {f"dynamodb:{verb}Item" for verb in ("BatchWrite", "Delete", "Get", "Put", "Update")} | {
    "dynamodb:Query",
    "dynamodb:Scan",
}
"""Actions on the new table that AWS asks of who restores one."""


@pytest.fixture
def needed(account: str) -> set[Need]:
    """What all calls of a restore from a stack need, with a token that was revoked since; then of one that finds all done."""
    make_stack("bokit-prod", TableName="bokit-Table-1", CalendarKey=f"secret:{make_key('CalendarKey-0a1B2c')}")
    token, _ = access("bokit-Table-1").create(DEFAULT_TENANT, Role.ADMIN)
    RestoredTable("bokit-restored-1", print).restore("bokit-Table-1", None)
    access("bokit-Table-1").revoke(DEFAULT_TENANT, token.id)
    found, stack = set[Need](), Resolved()
    with WATCH.listening(lambda sent: found.update(needs_of(sent, stack))):
        for table in ("bokit-restored-1", "bokit-restored-2", "bokit-restored-2"):
            restore(Request(origin="bokit-prod", table=table), print)
    return found


def make_key(name: str) -> str:
    return str(client("secretsmanager").create_secret(Name=name, SecretString="key")["ARN"])


def make_stack(name: str, **outputs: str) -> None:
    """Make a stack that says this of itself."""
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    body = {"Resources": topic, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body))


def test_the_policy_allows_every_call_of_a_restore(needed):
    """Of a stack, a table and a key that are named as ours are; and nothing else, but for what AWS asks itself."""
    own = [statement for statement in POLICY if statement["Sid"] != "KeyOfYourOwn"]

    assert len(needed) > 15
    assert [need for need in needed if not allows(POLICY, need)] == []
    assert {action for _, action in unused_of(own, needed)} <= OF_AWS
    assert {action for statement in POLICY for action in statement["Action"]} >= OF_AWS
    assert not allows(POLICY, Need("dynamodb:Scan", table_arn("another")))
    assert not [action for statement in POLICY for action in statement["Action"] if "*" in action]


def test_the_policy_is_small_enough_to_be_a_managed_one():
    """A role's inline policies have room for the deployer's alone."""
    assert len(re.sub(r"\s", "", json.dumps(POLICY))) < 6_000
