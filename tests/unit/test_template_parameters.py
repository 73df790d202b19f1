"""What an account may demand of a stack, and what a stack asks of a new one: parameters with free and modest defaults."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.support.transformed import ROOT, policy_statements, refers_to, resources, source_template, transformed

NOTHING = {"Ref": "AWS::NoValue"}
KEY = {"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, NOTHING]}
ROLES = resources("AWS::IAM::Role")
GROUPS = resources("AWS::Logs::LogGroup")
PARAMETERS = source_template()["Parameters"]
SHOWN = source_template()["Metadata"]["AWS::CloudFormation::Interface"]
NEW_ACCOUNT = 10
"""Concurrent executions of a new account; none of them may be reserved."""


# ── a new account ──


def test_nothing_reserves_concurrency_unless_it_is_asked_to():
    """Of a new account's ten concurrent executions none can be reserved: with the defaults no function tries to."""
    functions = resources("AWS::Lambda::Function").items()
    reserved = {name: f["ReservedConcurrentExecutions"] for name, f in functions if "ReservedConcurrentExecutions" in f}

    assert reserved == {"PublicFunction": {"Fn::If": ["BoundsPublic", {"Ref": "PublicConcurrency"}, NOTHING]}}
    assert transformed()["Conditions"]["BoundsPublic"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicConcurrency"}, 0]}]}
    assert PARAMETERS["PublicConcurrency"]["Default"] == 0
    assert not {"AWS::Lambda::Alias", "AWS::Lambda::Version"} & {r["Type"] for r in transformed()["Resources"].values()}


def test_the_queues_leave_a_new_account_some_of_its_concurrency():
    """All queues at their maximum leave two executions, for the schedule and for requests; each maximum is one that AWS takes."""
    mappings = resources("AWS::Lambda::EventSourceMapping")
    bounds = {n: m["ScalingConfig"]["MaximumConcurrency"] for n, m in mappings.items() if "ScalingConfig" in m}
    usual = bounds.pop("SyncBatches")

    assert usual == {"Fn::If": ["HasUsualConcurrency", PARAMETERS["BatchConcurrency"]["Default"], {"Ref": "BatchConcurrency"}]}
    equals = {"Fn::Equals": [{"Ref": "BatchConcurrency"}, PARAMETERS["BatchConcurrency"]["Default"]]}
    assert transformed()["Conditions"]["HasUsualConcurrency"] == equals
    used = [PARAMETERS["BatchConcurrency"]["Default"], *bounds.values()]
    assert len(used) == 3
    assert all(2 <= n <= 1000 for n in used)
    assert sum(used) <= NEW_ACCOUNT - 2


def test_no_stage_asks_for_concurrency():
    """What is set for a stage in samconfig.toml reserves nothing either, and leaves the workers at their default."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())

    assert "Concurrency=" not in json.dumps(config)


# ── keys ──


def test_no_key_costs_anything_unless_it_is_named():
    """No key is made; without KmsKeyArn AWS's own keys encrypt the table and the queues, which cost nothing."""
    assert resources("AWS::KMS::Key") == {}
    assert PARAMETERS["KmsKeyArn"]["Default"] == ""
    assert transformed()["Conditions"]["HasKey"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]}


@pytest.mark.parametrize("queue", sorted(resources("AWS::SQS::Queue")))
def test_queues_are_encrypted(queue):
    """With SQS's own key, or with the stack's."""
    properties = resources("AWS::SQS::Queue")[queue]

    assert properties["SqsManagedSseEnabled"] == {"Fn::If": ["HasKey", False, True]}
    assert properties["KmsMasterKeyId"] == KEY


def test_the_table_is_encrypted():
    """With DynamoDB's own key (which is what not enabling means), or with yours; never with AWS's, which costs by the request."""
    (table,) = resources("AWS::DynamoDB::Table").values()
    customer = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "KmsKeyArn"}}

    assert table["SSESpecification"] == {"Fn::If": ["HasKey", customer, {"SSEEnabled": False}]}


def test_alarms_reach_the_topic_with_every_key():
    """CloudWatch cannot publish to a topic with AWS's key for SNS, which therefore has the stack's or none."""
    (topic,) = resources("AWS::SNS::Topic").values()

    assert topic["KmsMasterKeyId"] == KEY


@pytest.mark.parametrize("kind", ["AWS::Logs::LogGroup", "AWS::SecretsManager::Secret"])
def test_logs_and_secrets_take_the_key(kind):
    """Each log group, and the secret of calendars."""
    found = resources(kind)

    assert found
    assert {name: r["KmsKeyId"] for name, r in found.items()} == dict.fromkeys(found, KEY)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_may_use_the_key_and_no_other(role):
    """By one policy for all, which is there with the key alone; no role has a statement of its own about keys."""
    ((name, policy),) = resources("AWS::IAM::ManagedPolicy").items()
    (statement,) = policy["PolicyDocument"]["Statement"]
    attached = ROLES[role]["ManagedPolicyArns"]

    assert transformed()["Resources"][name]["Condition"] == "HasKey"
    assert statement["Resource"] == [{"Ref": "KmsKeyArn"}]
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(statement["Action"])
    assert not [a for a in statement["Action"] if "*" in a]
    assert refers_to(attached, "KeyPolicy")
    assert "HasKey" in str(attached)
    assert "kms:" not in str(policy_statements(role))


@pytest.mark.parametrize(
    ("arn", "is_taken"),
    [
        ("", True),
        ("arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-1111-2222-3333-444455556666", True),
        ("arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-0a1b2c3d", True),
        ("alias/bokit", False),
        ("arn:aws:kms:eu-central-1:123456789012:alias/bokit", False),
    ],
)
def test_a_key_is_named_by_its_arn(arn, is_taken):
    """Policies need the key's ARN, not an alias."""
    assert bool(re.fullmatch(PARAMETERS["KmsKeyArn"]["AllowedPattern"], arn)) is is_taken


# ── roles ──


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_has_the_path_and_the_boundary(role):
    """Also the schedule's; the policy of the key has the path."""
    assert ROLES[role]["Path"] == {"Ref": "RolePath"}
    assert ROLES[role]["PermissionsBoundary"] == {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, NOTHING]}
    assert resources("AWS::IAM::ManagedPolicy")["KeyPolicy"]["Path"] == {"Ref": "RolePath"}
    assert (PARAMETERS["RolePath"]["Default"], PARAMETERS["PermissionsBoundary"]["Default"]) == ("/", "")
    assert "RoleName" not in ROLES[role]


@pytest.mark.parametrize(("path", "is_taken"), [("/", True), ("/team/bokit/", True), ("/team", False), ("team/", False)])
def test_a_path_is_written_as_iam_does(path, is_taken):
    """It begins and ends in a slash."""
    assert bool(re.fullmatch(PARAMETERS["RolePath"]["AllowedPattern"], path)) is is_taken


def test_the_schedule_starts_its_function_and_nothing_else():
    """Its role is for the scheduler in this account, and may send to the dead letters."""
    role = ROLES["ScheduleRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    (schedule,) = resources("AWS::Scheduler::Schedule").values()

    assert trust["Principal"] == {"Service": ["scheduler.amazonaws.com"]}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert [(s["Action"], s["Resource"]) for s in policy_statements("ScheduleRole")] == [
        (["lambda:InvokeFunction"], [{"Fn::GetAtt": ["SyncFunction", "Arn"]}]),
        (["sqs:SendMessage"], [{"Fn::GetAtt": ["TickDeadLetters", "Arn"]}]),
    ]
    assert schedule["Target"]["RoleArn"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}


# ── logs ──


def test_logs_may_be_of_the_cheaper_class_but_for_the_one_with_the_metric():
    """CloudWatch reads metrics only from logs of the standard class: the scheduled function's, which OverdueAlarm needs."""
    classes = {name: group["LogGroupClass"] for name, group in GROUPS.items()}

    assert [app.parent.name for app in (ROOT / "functions").glob("*/app.py") if "Metrics(" in app.read_text()] == ["sync"]
    assert classes == {**{name: {"Ref": "LogClass"} for name in GROUPS}, "SyncLogGroup": "STANDARD"}
    assert PARAMETERS["LogClass"]["Default"] == "STANDARD"


# ── how the console shows them ──


def test_every_parameter_is_in_one_group_and_has_a_label():
    """A new parameter is shown where it belongs, in plain words."""
    grouped = [name for group in SHOWN["ParameterGroups"] for name in group["Parameters"]]
    labels = {name: label["default"] for name, label in SHOWN["ParameterLabels"].items()}

    assert sorted(grouped) == sorted(PARAMETERS)
    assert sorted(labels) == sorted(PARAMETERS)
    assert len(set(labels.values())) == len(labels)
    assert all(group["Label"]["default"] for group in SHOWN["ParameterGroups"])


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_every_parameter_has_a_default_and_says_what_it_is(name):
    """A stack is deployed without an answer to any question."""
    assert "Default" in PARAMETERS[name]
    assert len(PARAMETERS[name]["Description"]) > 15
