"""The dashboard shows what there is: metrics of the code, AWS's of resources of the template, and lines that are logged."""

from __future__ import annotations

import ast
import re
from itertools import combinations

import pytest

from tests.support.log_queries import dashboard, is_well_formed, queries_of_dashboard
from tests.support.transformed import ROOT, resources, source_template, transformed

METRICS = [
    metric
    for widget in dashboard()["widgets"]
    if widget["type"] == "metric"
    for metric in widget["properties"]["metrics"]
    if isinstance(metric[0], str)
]
OF_AWS = {
    "AWS/Lambda": ("FunctionName", "AWS::Lambda::Function", {"Duration", "Errors", "Invocations"}),
    "AWS/SQS": (
        "QueueName",
        "AWS::SQS::Queue",
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfEmptyReceives",
            "NumberOfMessagesDeleted",
            "NumberOfMessagesReceived",
            "NumberOfMessagesSent",
        },
    ),
    "AWS/ApiGateway": (
        "ApiId",
        "AWS::ApiGatewayV2::Api",
        {"Count", "4xx", "5xx", "Latency", "ConnectCount", "MessageCount"},
    ),
}
"""Of each namespace: its dimension, the type of resource that it names, and metrics that AWS documents."""
MAX_FREE_METRICS = 50


def made_by_code() -> set[str]:
    """Return the names of the metrics that functions put out."""
    calls = [
        node
        for app in (ROOT / "functions").glob("*/app.py")
        for node in ast.walk(ast.parse(app.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_metric"
    ]
    return {str(k.value.value) for call in calls for k in call.keywords if k.arg == "name" and isinstance(k.value, ast.Constant)}


@pytest.mark.parametrize("metric", [m for m in METRICS if m[0] in OF_AWS], ids=lambda m: "-".join(map(str, m[:4])))
def test_a_metric_of_aws_is_of_a_resource_of_the_template(metric):
    """Namespace, metric and dimension are AWS's, and the dimension names a resource of the right type."""
    namespace, name, dimension, value = metric[:4]
    expected, kind, names = OF_AWS[namespace]
    (resource,) = re.findall(r"^\$\{(\w+)(?:\.QueueName)?\}$", value)

    assert (dimension, name in names) == (expected, True)
    assert resource in resources(kind)
    assert value.endswith(".QueueName}") is (namespace == "AWS/SQS")


def test_the_other_metrics_are_the_tables_and_the_codes_own():
    """The table's units, with and without its index; and one custom metric, which costs 0.30 a month, as the alarm reads it."""
    table = [m for m in METRICS if m[0] == "AWS/DynamoDB"]
    own = [m for m in METRICS if m[0] not in OF_AWS and m[0] != "AWS/DynamoDB"]
    (index,) = next(iter(resources("AWS::DynamoDB::Table").values()))["GlobalSecondaryIndexes"]

    assert {tuple(m[2:]) for m in table} == {
        ("TableName", "${TableName}"),
        ("TableName", "${TableName}", "GlobalSecondaryIndexName", index["IndexName"]),
    }
    assert {m[1] for m in table} == {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"}
    assert own == [["Bokit", name, "service", "${AWS::StackName}"] for name in sorted(made_by_code())]
    alarms = resources("AWS::CloudWatch::Alarm").values()
    assert {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == "Bokit"} <= made_by_code()


def test_a_custom_metric_has_no_dimension_of_a_tenant():
    """Each value of a dimension is a metric that costs: the stack's name is the only one."""
    code = "".join(app.read_text(encoding="utf-8") for app in (ROOT / "functions").glob("*/app.py"))

    assert len(made_by_code()) <= 5
    assert "add_dimension" not in code


def test_the_dashboard_is_free_and_may_be_left_out():
    """Three dashboards of an account are, with 50 metrics each; a parameter leaves it out."""
    (name,) = resources("AWS::CloudWatch::Dashboard")

    assert 0 < len({tuple(map(str, m[:6])) for m in METRICS}) <= MAX_FREE_METRICS
    assert transformed()["Resources"][name]["Condition"] == "HasDashboard"
    assert transformed()["Conditions"]["HasDashboard"] == {"Fn::Equals": [{"Ref": "Dashboard"}, "true"]}
    assert source_template()["Parameters"]["Dashboard"]["Default"] == "true"
    assert resources("AWS::CloudWatch::Dashboard")[name]["DashboardName"] == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}


def test_the_cost_of_the_functions_is_reckoned_with_their_memory():
    """Every function's duration is there, and counts with its own memory."""
    found = [m for w in dashboard()["widgets"] for m in w["properties"].get("metrics", [])]
    (expression,) = [m[0]["expression"] for m in found if isinstance(m[0], dict) and "d1" in m[0]["expression"]]
    factors = {name: int(memory) for memory, name in re.findall(r"(\d+) \* (d\d+)", expression)}
    ids = {m[3][2:-1]: m[4]["id"] for m in METRICS if m[1] == "Duration"}

    functions = resources("AWS::Lambda::Function")
    assert {name: factors[own] for name, own in ids.items()} == {n: f["MemorySize"] for n, f in functions.items()}
    assert expression.endswith("/ 1024000")  # from MB and milliseconds


def test_every_queue_that_is_worked_on_is_counted():
    """Age, and requests of four kinds."""
    worked = {
        m["EventSourceArn"]["Fn::GetAtt"][0]
        for m in resources("AWS::Lambda::EventSourceMapping").values()
        if "ScalingConfig" in m
    }
    shown = {(m[1], m[3][2:].split(".")[0]) for m in METRICS if m[0] == "AWS/SQS"}
    kinds = ("Sent", "Received", "Deleted")

    for queue in worked:
        wanted = {"ApproximateAgeOfOldestMessage", "NumberOfEmptyReceives", *(f"NumberOfMessages{kind}" for kind in kinds)}
        assert {name for name, own in shown if own == queue} == wanted
    dead = {own for name, own in shown if name == "ApproximateNumberOfMessagesVisible"}
    assert dead == {name for name in resources("AWS::SQS::Queue") if name.endswith("DeadLetters")}


def test_every_group_of_a_query_is_a_log_of_the_template():
    """And every query is one that Logs Insights takes."""
    found = queries_of_dashboard()

    assert len(found) >= 5
    assert all(query.groups and set(query.groups) <= set(resources("AWS::Logs::LogGroup")) for query in found)
    assert all(is_well_formed(query) for query in found)


def test_no_widget_covers_another():
    """They fill rows of 24 columns."""
    places = [(w["x"], w["y"], w["x"] + w["width"], w["y"] + w["height"]) for w in dashboard()["widgets"]]

    assert all(right <= 24 for _, _, right, _ in places)
    assert not [1 for a, b in combinations(places, 2) if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
