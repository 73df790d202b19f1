"""Properties of the stack, checked on the template as SAM transforms it; linters do not check most of them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.limits import MIN_INTERVAL_SECONDS
from bokit.core.model.quotas import Quotas, default_quotas, parameter_of, read_quotas
from bokit.engine.runs.limits import MAX_RECEIVES
from tests.support.transformed import as_list, policy_statements, refers_to, resources, source_template, transformed

FUNCTIONS = sorted(resources("AWS::Lambda::Function"))
ROLES = sorted(resources("AWS::IAM::Role"))
QUEUES = resources("AWS::SQS::Queue")
PUBLISHING = {"sns:Publish"}
WITH_SECRETS = ["ApiFunctionRole", "ApiSyncFunctionRole", "DeliverFunctionRole", "SyncBatchFunctionRole", "SyncSqlFunctionRole"]
"""Roles of the functions that fetch feeds (in a batch, for a preview, for a dry run), and of the one that sends alerts."""


def test_every_function_is_there():
    """The scheduled function, the two workers, the event log's, webhooks', WebSocket's, and the four of the HTTP API."""
    assert FUNCTIONS == [
        "ApiFunction",
        "ApiSyncFunction",
        "AuthorizeFunction",
        "DeliverFunction",
        "LiveFunction",
        "NotifyFunction",
        "PublicFunction",
        "SyncBatchFunction",
        "SyncFunction",
        "SyncSqlFunction",
    ]


def test_no_function_has_an_alias():
    """An alias would keep the old layer after a change of the layer alone (SAM issue 3610)."""
    assert resources("AWS::Lambda::Alias") == resources("AWS::Lambda::Version") == {}


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_a_wildcard(role):
    """Every action is named in full."""
    actions = [a for s in policy_statements(role) for a in as_list(s["Action"])]

    assert actions
    assert not [a for a in actions if "*" in a]


def test_mail_is_sent_from_one_address_and_by_those_who_send_alerts():
    """Others may not send any; where the parameter is empty nobody may."""
    senders = {role: [s for s in policy_statements(role) if "ses:SendEmail" in as_list(s["Action"])] for role in ROLES}

    assert [role for role, found in senders.items() if found] == ["ApiFunctionRole", "DeliverFunctionRole"]
    for (statement,) in filter(None, senders.values()):
        assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}}
    for name in ("ApiFunction", "DeliverFunction"):
        assert resources("AWS::Lambda::Function")[name]["Environment"]["Variables"]["BOKIT_MAIL_FROM"] == {"Ref": "MailFrom"}
    assert source_template()["Parameters"]["MailFrom"]["Default"] == ""


@pytest.mark.parametrize("role", ROLES)
def test_no_statement_covers_every_resource(role):
    """Every statement names its resources."""
    assert all(r != "*" for s in policy_statements(role) for r in as_list(s["Resource"]))


@pytest.mark.parametrize("role", [r for r in ROLES if r != "ScheduleRole"])
def test_the_only_managed_policy_of_aws_is_for_logs(role):
    """A role has the managed policy for logs and, for the function in a VPC, the one for network interfaces."""
    attached = [str(arn) for arn in resources("AWS::IAM::Role")[role]["ManagedPolicyArns"] if not refers_to(arn, "KeyPolicy")]
    usual = ("AWSLambdaBasicExecutionRole", *(["AWSLambdaVPCAccessExecutionRole"] if role == "SyncSqlFunctionRole" else []))

    assert all(any(name in arn for name in usual) for arn in attached)


def test_databases_in_private_networks_are_read_from_a_vpc_alone():
    """Only the function that reads databases is in a VPC and connects to private addresses, and only with subnets."""
    functions = resources("AWS::Lambda::Function")

    assert [name for name in FUNCTIONS if "VpcConfig" in functions[name]] == ["SyncSqlFunction"]
    assert functions["SyncSqlFunction"]["VpcConfig"]["Fn::If"][0] == "HasVpc"
    variables = {name: functions[name]["Environment"]["Variables"] for name in FUNCTIONS}
    assert [name for name in FUNCTIONS if "BOKIT_SQL_PRIVATE" in variables[name]] == ["SyncSqlFunction"]
    assert variables["SyncSqlFunction"]["BOKIT_SQL_PRIVATE"] == {"Fn::If": ["HasVpc", "true", "false"]}
    assert variables["SyncSqlFunction"]["BOKIT_QUEUE_URL"] == variables["SyncBatchFunction"]["BOKIT_SQL_QUEUE_URL"]


def test_a_claim_outlasts_a_database_sync():
    """A worker has finished its database, or sent on the rest, before another may claim it."""
    from bokit.engine.runs.limits import CLAIM_TTL

    assert resources("AWS::Lambda::Function")["SyncSqlFunction"]["Timeout"] < CLAIM_TTL.total_seconds()


def test_the_tick_can_not_scan():
    """The scheduled function may read by key and index, update claims, runs and monitors, erase, send, post, and publish."""
    actions = {a for s in policy_statements("SyncFunctionRole") for a in as_list(s["Action"])}

    words = {"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"}
    assert actions == {*(f"dynamodb:{word}" for word in words), "sqs:SendMessage", "execute-api:ManageConnections", *PUBLISHING}


def test_only_who_drains_the_outbox_publishes():
    """Notices go from the outbox to the topic, and nothing publishes beside it."""
    able = {role for role in ROLES for s in policy_statements(role) if set(as_list(s["Action"])) & PUBLISHING}

    assert able == {"SyncFunctionRole", "NotifyFunctionRole"}


def test_who_posts_to_sockets_may_and_nobody_else():
    """The WebSocket's function answers and closes; events are posted by who numbers them; a revocation closes."""
    able = {
        role: sorted(re.findall(r"\$\{LiveApi\}/live/(\w+)/@connections/\*", str(s["Resource"])))
        for role in ROLES
        for s in policy_statements(role)
        if "execute-api:ManageConnections" in as_list(s["Action"])
    }

    assert able == {
        "ApiFunctionRole": ["DELETE"],
        "LiveFunctionRole": ["DELETE", "POST"],
        "NotifyFunctionRole": ["POST"],
        "SyncFunctionRole": ["DELETE", "POST"],
    }


def test_the_authorizer_finds_tokens_notes_their_use_takes_tickets_and_nothing_else():
    """The authorizer may read, update and delete one item of the table at a time."""
    (statement,) = policy_statements("AuthorizeFunctionRole")

    assert set(statement["Action"]) == {"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"}
    assert [r["Fn::Sub"][0].endswith(":table/${Table}") for r in statement["Resource"]] == [True]


@pytest.mark.parametrize("role", [r for r in ROLES if r not in WITH_SECRETS])
def test_who_fetches_no_feed_reads_no_secret(role):
    """Only the functions that fetch feeds read their secrets."""
    actions = {a.split(":")[0] for s in policy_statements(role) for a in as_list(s["Action"])}

    assert not actions & {"secretsmanager", "ssm"}


@pytest.mark.parametrize("role", WITH_SECRETS)
@pytest.mark.parametrize(
    ("action", "ending"),
    [
        ("secretsmanager:GetSecretValue", ":secret:bokit/${AWS::StackName}/*"),
        ("ssm:GetParameter", ":parameter/bokit/${AWS::StackName}/*"),
    ],
)
def test_who_fetches_feeds_reads_only_the_secrets_of_its_stack(role, action, ending):
    """Access to secrets and parameters ends at the prefix of the stack: stacks in one account are apart."""
    own = [{"Fn::If": ["MakesCalendarKey", {"Ref": "CalendarKey"}, {"Ref": "ExistingCalendarKey"}]}]
    (statement,) = [s for s in policy_statements(role) if action in as_list(s["Action"]) and s["Resource"] != own]

    assert statement["Action"] == [action]
    assert [r["Fn::Sub"].endswith(ending) for r in statement["Resource"]] == [True]


def test_the_table_keeps_its_data():
    """Point-in-time recovery, TTL, a stream, pay per request, and protection from deletion by parameter."""
    (table,) = resources("AWS::DynamoDB::Table").values()

    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert refers_to(table["DeletionProtectionEnabled"], "DeletionProtection")


def test_the_table_is_what_the_store_expects():
    """Keys, index and TTL attribute of template and model are the same."""
    from bokit.store.dynamo.model import ItemRow

    (table,) = resources("AWS::DynamoDB::Table").values()
    (index,) = table["GlobalSecondaryIndexes"]

    assert [(k["AttributeName"], k["KeyType"]) for k in table["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    assert index["IndexName"] == ItemRow.due.Meta.index_name
    assert index["Projection"]["ProjectionType"] == ItemRow.due.Meta.projection.projection_type
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    assert types == {name: getattr(ItemRow, name).attr_type for name in types}
    assert table["TimeToLiveSpecification"]["AttributeName"] == ItemRow.expires_at.attr_name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_logs_go_to_a_group_with_retention(function):
    """Each function logs to a group of the template, which keeps its lines for a time that a parameter sets."""
    group = resources("AWS::Lambda::Function")[function]["LoggingConfig"]["LogGroup"]["Ref"]

    assert refers_to(resources("AWS::Logs::LogGroup")[group]["RetentionInDays"], "LogRetentionDays")


def test_a_message_outlasts_six_timeouts():
    """The visibility timeout of a queue is six times the timeout of its function."""
    for mapping in queue_mappings().values():
        function = resources("AWS::Lambda::Function")[mapping["FunctionName"]["Ref"]]
        queue = QUEUES[mapping["EventSourceArn"]["Fn::GetAtt"][0]]

        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_every_queue_that_is_worked_on_has_dead_letters():
    """Messages that fail repeatedly end in a queue that keeps them for two weeks."""
    for mapping in queue_mappings().values():
        redrive = QUEUES[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["RedrivePolicy"]
        dead = redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]

        assert redrive["maxReceiveCount"] == MAX_RECEIVES >= 5
        assert QUEUES[dead]["MessageRetentionPeriod"] == 14 * 86400


def test_no_chain_of_messages_is_allowed_to_be_endless():
    """Lambda's recursion guard stays on, by its default; our chains end long before it (``MAX_CHAIN_MESSAGES``)."""
    assert all(f.get("RecursiveLoop", "Terminate") == "Terminate" for f in resources("AWS::Lambda::Function").values())


def test_a_batch_fails_message_by_message():
    """The worker reports the failed messages, and a parameter bounds the concurrent batches."""
    mappings = queue_mappings()

    assert sorted(mappings) == ["SqlMessages", "SyncBatches", "Turns"]
    assert all(m["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for m in mappings.values())
    assert refers_to(mappings["SyncBatches"]["ScalingConfig"]["MaximumConcurrency"], "BatchConcurrency")
    assert mappings["SqlMessages"]["BatchSize"] == 1


def queue_mappings() -> dict[str, dict[str, Any]]:
    """Return the mappings of queues, by name."""
    return {n: m for n, m in resources("AWS::Lambda::EventSourceMapping").items() if n != "OutboxEvents"}


def test_the_stream_only_wakes_the_event_log():
    """It hears of outbox items and of runs' progress alone, and a record that fails blocks no other for longer than a minute."""
    mapping = resources("AWS::Lambda::EventSourceMapping")["OutboxEvents"]
    images = [json.loads(each["Pattern"])["dynamodb"]["NewImage"] for each in mapping["FilterCriteria"]["Filters"]]

    assert images == [{"pk": {"S": [{"prefix": "OUT#"}]}}, {"pending": {"SS": [{"exists": True}]}}]
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (1, 60)
    assert refers_to(mapping["EventSourceArn"], "Table")
    assert refers_to(mapping["FunctionName"], "NotifyFunction")


def test_the_schedule_ticks_every_minute_and_loses_nothing_silently():
    """The schedule runs every minute, has no fixed name, and has dead letters for failed deliveries and failed runs."""
    (schedule,) = resources("AWS::Scheduler::Schedule").values()
    (invocations,) = resources("AWS::Lambda::EventInvokeConfig").values()

    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert "Name" not in schedule
    assert refers_to(schedule["Target"]["DeadLetterConfig"], "TickDeadLetters")
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] >= 1
    assert refers_to(invocations["DestinationConfig"]["OnFailure"], "TickDeadLetters")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_environment_makes_settings(function):
    """A function has only those variables of Bokit that Settings reads."""
    variables = resources("AWS::Lambda::Function")[function]["Environment"]["Variables"]
    ours = {name: "1" for name in variables if name.startswith("BOKIT_")}
    ours |= {"BOKIT_DEFAULT_INTERVAL": "3600", "BOKIT_QUOTAS": "tenant.units=1"}

    settings = Settings.from_env(ours)

    assert settings.table_name == settings.queue_url == settings.topic_arn == "1"
    assert refers_to(variables["BOKIT_DEFAULT_INTERVAL"], "DefaultInterval")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_writes_may_read_the_schema_number(role):
    """Every process reads it before its first write; the schedule's function alone stores it."""
    actions = {action for statement in policy_statements(role) for action in as_list(statement["Action"])}
    writes = {f"dynamodb:{name}" for name in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")} & actions

    assert not writes or "dynamodb:GetItem" in actions
    assert role != "SyncFunctionRole" or {"dynamodb:GetItem", "dynamodb:UpdateItem"} <= actions


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_quota_is_a_parameter_of_the_stack(function):
    """Each quota of the code has its parameter with the code's default, and every function reads all of them."""
    parameters = source_template()["Parameters"]
    text = resources("AWS::Lambda::Function")[function]["Environment"]["Variables"]["BOKIT_QUOTAS"]["Fn::Sub"]
    names = {parameter_of(owner, counted): limit for (owner, counted), limit in default_quotas().limits.items()}
    filled = text
    for name in (*names, "LeastInterval"):
        filled = filled.replace(f"${{{name}}}", "61")

    assert {name: parameters[name]["Default"] for name in names} == names
    assert parameters["LeastInterval"]["Default"] == parameters["LeastInterval"]["MinValue"] == MIN_INTERVAL_SECONDS
    assert {p for p in parameters if p.startswith(("Tenant", "Stack"))} == set(names)
    assert read_quotas(filled) == Quotas(limits=dict.fromkeys(default_quotas().limits, 61), least_interval=timedelta(seconds=61))
    assert source_template()["Outputs"]["Quotas"]["Value"]["Fn::Sub"] == text


def test_a_deployed_stack_refuses_private_addresses():
    """Only the stage `local` may allow private addresses, by a parameter."""
    rule = transformed()["Rules"]["PrivateAddressesAreLocal"]

    assert source_template()["Parameters"]["AllowPrivateAddresses"]["Default"] == "false"
    assert refers_to(rule["RuleCondition"], "Stage")
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "AllowPrivateAddresses"}, "false"]}


def test_every_address_is_an_output():
    """The outputs name table, stream, queues, topic and functions."""
    outputs = transformed()["Outputs"]

    assert all(refers_to(outputs, name) for name in ["Table", *QUEUES, "AlertTopic", *FUNCTIONS])


def test_python_and_machine_are_the_usual_ones_and_can_be_chosen():
    """Python 3.13 on arm64, unless a parameter says otherwise."""
    declared = source_template()["Parameters"]

    assert declared["PythonRuntime"]["Default"] == "python3.13"
    assert declared["PythonRuntime"]["AllowedValues"] == [f"python3.{minor}" for minor in (11, 12, 13, 14)]
    assert declared["Architecture"]["Default"] == "arm64"
