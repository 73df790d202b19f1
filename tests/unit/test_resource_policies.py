"""Who may call a function, and who may act as a role: evaluated for each caller that the template wires, and for others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.iam import PLACE, Need, Policies, allows
from tests.support.resolved import Resolved
from tests.support.transformed import as_list

STACKS = {"tokens": Resolved(), "jwt": Resolved(JwtIssuer="https://id.example", JwtAudience="bokit")}
each_stack = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


def permissions(stack: Resolved) -> dict[str, dict[str, Any]]:
    """Return the statements that the stack's permissions put into the policies of functions."""
    arns = {stack.ref(name): stack.arn_of(name) for name in stack.resources("AWS::Lambda::Function")}
    return {
        name: {
            "Effect": "Allow",
            "Action": each["Action"],
            "Resource": arns.get(each["FunctionName"], each["FunctionName"]),
            "Principal": each["Principal"],
            "Condition": {"ArnLike": {"aws:SourceArn": each["SourceArn"]}},
        }
        for name, each in stack.resources("AWS::Lambda::Permission").items()
    }


def function_in(uri: str) -> str:
    """Return the ARN of the function that an integration or an authorizer calls."""
    (arn,) = re.findall(r"/functions/(arn:[^/]+)/invocations", uri)
    return arn


def calls_of_routes(stack: Resolved) -> Iterator[tuple[str, str]]:
    """Yield each function that a route calls, with the ARN that the gateway calls it by."""
    integrations = {stack.ref(n): each for n, each in stack.resources("AWS::ApiGatewayV2::Integration").items()}
    stages = {each["ApiId"]: each["StageName"] for each in stack.resources("AWS::ApiGatewayV2::Stage").values()}
    for route in stack.resources("AWS::ApiGatewayV2::Route").values():
        api, key = route["ApiId"], route["RouteKey"]
        uri = integrations[route["Target"].removeprefix("integrations/")]["IntegrationUri"]
        method, _, path = key.partition(" ")
        place = f"{method.replace('ANY', '*')}{path}" if path else key
        yield function_in(uri), f"arn:aws:execute-api:{PLACE}:{api}/{stages[api]}/{place}"


def calls_of_authorizers(stack: Resolved) -> Iterator[tuple[str, str]]:
    """Yield each function that an authorizer calls, with the ARN that the gateway calls it by."""
    for name, each in stack.resources("AWS::ApiGatewayV2::Authorizer").items():
        if uri := each.get("AuthorizerUri"):
            yield function_in(uri), f"arn:aws:execute-api:{PLACE}:{each['ApiId']}/authorizers/{stack.ref(name)}"


def needs_of_gateway(stack: Resolved) -> list[Need]:
    """Return what the gateway needs to serve every route of both APIs."""
    calls = [*calls_of_routes(stack), *calls_of_authorizers(stack)]
    return [Need("lambda:InvokeFunction", function, {"aws:SourceArn": source}) for function, source in calls]


@each_stack
def test_the_gateway_may_call_the_function_of_every_route_and_authorizer(stack):
    """By permissions of which each is used, and which name no other principal."""
    granted, needed = permissions(stack), needs_of_gateway(stack)

    assert len(needed) > 15
    assert [need for need in needed if not allows(granted.values(), need)] == []
    assert [name for name, each in granted.items() if not any(allows([each], need) for need in needed)] == []
    assert {each["Principal"] for each in granted.values()} == {"apigateway.amazonaws.com"}


@each_stack
@pytest.mark.parametrize("change", [("httpapi", "otherapi"), ("liveapi", "otherapi"), ("123456789012", "999999999999")])
def test_another_api_and_another_account_may_call_nothing(stack, change):
    """Though they have the same routes."""
    others = [
        Need(need.action, need.resource, {"aws:SourceArn": need.context["aws:SourceArn"].replace(*change)})
        for need in needs_of_gateway(stack)
        if change[0] in need.context["aws:SourceArn"]
    ]

    assert others
    assert [need for need in others if allows(permissions(stack).values(), need)] == []


@each_stack
def test_a_role_is_its_services_alone(stack):
    """Lambda's for a function, and of no other; the scheduler's for the schedule, in this account."""
    trusted = {
        name: [
            (as_list(statement["Principal"]["Service"]), statement["Action"], statement.get("Condition"))
            for statement in as_list(role["AssumeRolePolicyDocument"]["Statement"])
        ]
        for name, role in stack.resources("AWS::IAM::Role").items()
    }
    scheduler = trusted.pop("ScheduleRole")
    functions = stack.resources("AWS::Lambda::Function")

    assert scheduler == [
        (["scheduler.amazonaws.com"], ["sts:AssumeRole"], {"StringEquals": {"aws:SourceAccount": "123456789012"}})
    ]
    assert trusted == {f"{name}Role": [(["lambda.amazonaws.com"], ["sts:AssumeRole"], None)] for name in functions}
    assert {each["Role"] for each in functions.values()} == {stack.arn_of(name) for name in trusted}


@each_stack
def test_every_function_may_write_its_log(stack):
    """By the policy of AWS, which lets it make streams and write lines; nothing of the template traces by X-Ray."""
    roles = stack.resources("AWS::IAM::Role")

    for name, function in stack.resources("AWS::Lambda::Function").items():
        assert any(arn.endswith("/AWSLambdaBasicExecutionRole") for arn in roles[f"{name}Role"]["ManagedPolicyArns"])
        assert "TracingConfig" not in function


def test_the_evaluation_itself():
    """A denial wins, a condition without its key fails, and patterns take what they say."""
    need = Need("sqs:SendMessage", "arn:aws:sqs:r:a:queue", {"aws:SourceAccount": "a"})
    allowed = {"Effect": "Allow", "Action": "SQS:Send*", "Resource": "arn:aws:sqs:?:a:*"}
    denied = {"Effect": "Deny", "Action": ["sqs:*"], "Resource": ["*"]}

    assert allows([allowed], need)
    assert not allows([allowed, denied], need)
    assert not allows([], need)
    assert not allows([{**allowed, "Resource": "arn:aws:sqs:??:a:*"}], need)
    assert not allows([{**allowed, "Action": "sqs:ReceiveMessage"}], need)
    assert not allows([{**allowed, "Condition": {"StringEquals": {"aws:SourceArn": "a"}}}], need)
    assert allows([{**allowed, "Condition": {"StringLike": {"aws:SourceAccount": ["b", "?"]}}}], need)


def test_a_policy_of_the_stack_counts_where_a_role_has_it():
    """That of the owner's key, which no role has without one."""
    key = "arn:aws:kms:us-east-1:123456789012:key/own"
    usual, own = Policies(Resolved()), Policies(Resolved(KmsKeyArn=key))

    assert own.keys
    assert set(own.keys.values()) == {key}
    for role in own.roles:
        assert allows(own.statements(role), Need("kms:Decrypt", key))
        assert not allows(usual.statements(role), Need("kms:Decrypt", key))
