"""What outlives the stack: its table, its calendars' key and its addresses, on the template with its conditions decided."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.support.conditions import broken_rules, names_in, settle
from tests.support.transformed import as_list, source_template, transformed

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/restored/stream/2026-11-29T12:00:00.000"
KEY = "arn:aws:secretsmanager:us-east-1:123456789012:secret:CalendarKey-abcdef"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b"
EXISTING = {"ExistingTable": "restored", "ExistingTableStreamArn": STREAM, "ExistingCalendarKey": KEY}
DOMAINS = {"DomainName": "calendars.example.com", "LiveDomainName": "live.example.com", "CertificateArn": CERTIFICATE}
TABLE_ARN = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Table}"
CHOICES = [
    {"ExistingTable": "restored", "ExistingTableStreamArn": STREAM},
    {"ExistingCalendarKey": KEY},
    {"DomainName": "calendars.example.com"},
    {"LiveDomainName": "live.example.com"},
    {"SqlSubnetIds": "subnet-1", "SqlSecurityGroupIds": "sg-1"},
    {"CorsOrigins": "https://example.com"},
    {"JwtIssuer": "https://id.example.com", "JwtAudience": "bokit"},
    {"AlarmEmail": "me@example.com"},
    {"ApiAddress": "https://cdn.example.com", "LiveAddress": "wss://cdn.example.com", "LiveEndpoint": "https://x.example.com"},
]


def environment(settled: dict[str, Any], function: str) -> dict[str, Any]:
    """Return a function's variables."""
    variables: dict[str, Any] = settled["Resources"][function]["Properties"]["Environment"]["Variables"]
    return variables


def granted(settled: dict[str, Any], service: str) -> list[Any]:
    """Return every resource that a statement of the service's actions names, of all roles."""
    roles = [r["Properties"] for r in settled["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    statements = [s for r in roles for p in r.get("Policies", []) for s in as_list(p["PolicyDocument"]["Statement"])]
    return [r for s in statements if as_list(s["Action"])[0].startswith(service) for r in as_list(s["Resource"])]


def arn_of(resource: dict[str, Any]) -> tuple[str, Any]:
    """Return the text of an ARN and the table's name in it."""
    text, names = resource["Fn::Sub"]
    return text, names["Table"]


@pytest.mark.parametrize("name", ["Table", "CalendarKey"])
def test_the_data_outlives_the_stack_but_not_a_first_deployment_that_fails(name):
    """A deleted stack, and one that is deployed with another table, leaves table and key; a failed creation leaves none."""
    declared = transformed()["Resources"][name]

    assert (declared["DeletionPolicy"], declared["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert source_template()["Parameters"]["DeletionProtection"]["Default"] == "false"


def test_by_default_the_stack_makes_table_and_key():
    """Policies, variables, stream and outputs name those."""
    settled = settle()
    table, key, stream = {"Ref": "Table"}, {"Ref": "CalendarKey"}, {"Fn::GetAtt": ["Table", "StreamArn"]}

    assert {"Table", "CalendarKey"} <= set(settled["Resources"])
    assert environment(settled, "ApiFunction")["BOKIT_TABLE"] == settled["Outputs"]["TableName"]["Value"] == table
    assert environment(settled, "ApiFunction")["BOKIT_CALENDAR_KEY"] == {"Fn::Sub": ["secret:${Key}", {"Key": key}]}
    assert key in granted(settled, "secretsmanager:")
    assert settled["Resources"]["OutboxEvents"]["Properties"]["EventSourceArn"] == stream
    assert settled["Outputs"]["TableStreamArn"]["Value"] == stream


def test_with_an_existing_table_the_stack_makes_none():
    """What names the table names that one, with its stream and its calendars' key, and nothing else is left out."""
    made, settled = settle(), settle(**EXISTING)
    key = {"Ref": "ExistingCalendarKey"}

    assert set(made["Resources"]) - set(settled["Resources"]) == {"Table", "CalendarKey"}
    assert set(made["Outputs"]) == set(settled["Outputs"])
    functions = [n for n, r in settled["Resources"].items() if r["Type"] == "AWS::Lambda::Function"]
    assert all(environment(settled, name)["BOKIT_TABLE"] == {"Ref": "ExistingTable"} for name in functions)
    assert settled["Outputs"]["TableName"]["Value"] == {"Ref": "ExistingTable"}
    assert settled["Outputs"]["CalendarKey"]["Value"] == {"Fn::Sub": ["secret:${Key}", {"Key": key}]}
    assert environment(settled, "ApiFunction")["BOKIT_CALENDAR_KEY"] == settled["Outputs"]["CalendarKey"]["Value"]
    assert settled["Resources"]["OutboxEvents"]["Properties"]["EventSourceArn"] == {"Ref": "ExistingTableStreamArn"}
    assert settled["Outputs"]["TableStreamArn"]["Value"] == {"Ref": "ExistingTableStreamArn"}
    assert key in granted(settled, "secretsmanager:")


@pytest.mark.parametrize(("parameters", "name"), [({}, "Table"), (EXISTING, "ExistingTable")])
def test_policies_name_the_table_that_is_used_and_nothing_else(parameters, name):
    """Every statement about tables is about this one, its index of due items or its stream."""
    tables = [r for r in granted(settle(**parameters), "dynamodb:") if "Fn::Sub" in r]
    others = [r for r in granted(settle(**parameters), "dynamodb:") if "Fn::Sub" not in r]

    assert {arn_of(r)[0] for r in tables} == {TABLE_ARN, f"{TABLE_ARN}/index/due"}
    assert all(arn_of(r)[1] == {"Ref": name} for r in tables)
    assert others == [{"Ref": "ExistingTableStreamArn"} if parameters else {"Fn::GetAtt": ["Table", "StreamArn"]}]


def test_nothing_names_what_is_not_made():
    """In every combination of the parameters that decide what is made: CloudFormation refuses a template that does."""
    for chosen in product([False, True], repeat=len(CHOICES)):
        changed = {n: v for choice, own in zip(CHOICES, chosen, strict=True) if own for n, v in choice.items()}
        settled = settle(**changed)
        known = {*settled["Resources"], *transformed()["Parameters"]}

        assert {n for n in names_in([settled["Resources"], settled["Outputs"]]) if not n.startswith("AWS::")} <= known, changed


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({}, []),
        (EXISTING, []),
        (EXISTING | {"ExistingTableStreamArn": ""}, ["AnExistingTableHasStreamAndKey"]),
        (EXISTING | {"ExistingCalendarKey": ""}, ["AnExistingTableHasStreamAndKey"]),
        ({"ExistingTableStreamArn": STREAM}, ["AnExistingStreamHasATable"]),
        ({"ExistingCalendarKey": KEY}, []),  # a table filled from a backup file, and the addresses of before
        (DOMAINS, []),
        (DOMAINS | {"LiveDomainName": ""}, []),
        (DOMAINS | {"DomainName": ""}, []),
        (DOMAINS | {"CertificateArn": ""}, ["ADomainHasACertificate"]),
        (DOMAINS | {"LiveDomainName": DOMAINS["DomainName"]}, ["DomainsDiffer"]),
    ],
)
def test_what_belongs_together_is_asked_for_together(changed, broken):
    """A table comes with its stream and key, a domain with a certificate, and two APIs never share a domain."""
    assert broken_rules(**changed) == broken


def test_without_a_domain_there_is_none():
    """Neither resource nor output, and the addresses are API Gateway's own."""
    settled = settle()

    assert not [r["Type"] for r in settled["Resources"].values() if r["Type"].endswith(("DomainName", "ApiMapping"))]
    assert not [name for name in settled["Outputs"] if "Domain" in name]
    assert "execute-api" in str(settled["Outputs"]["ApiUrl"]["Value"])


def test_a_domain_of_ones_own_is_in_every_address():
    """Of calendars, of the page and of the WebSocket; messages to connections are posted to API Gateway's own address."""
    settled = settle(**DOMAINS)
    api, live = {"Fn::Sub": "https://${DomainName}"}, {"Fn::Sub": "wss://${LiveDomainName}"}

    assert settled["Outputs"]["ApiUrl"]["Value"] == api
    assert settled["Outputs"]["PageUrl"]["Value"] == {"Fn::Sub": "https://${DomainName}/"}
    assert settled["Outputs"]["LiveUrl"]["Value"] == live
    assert [environment(settled, name)["BOKIT_API_URL"] for name in ("ApiFunction", "PublicFunction")] == [api, api]
    functions = ("ApiFunction", "ApiSyncFunction", "PublicFunction")
    assert [environment(settled, name)["BOKIT_LIVE_URL"] for name in functions] == [live] * 3
    posting = [environment(settled, name)["BOKIT_LIVE_ENDPOINT"] for name in ("NotifyFunction", "LiveFunction", "SyncFunction")]
    assert all(str(endpoint["Fn::Sub"]).startswith("https://${LiveApi}.execute-api.") for endpoint in posting)


@pytest.mark.parametrize(
    ("domain", "mapping", "api", "stage", "target"),
    [
        ("HttpDomain", "HttpMapping", "HttpApi", "HttpStage", "DomainTarget"),
        ("LiveDomain", "LiveMapping", "LiveApi", "LiveApiliveStage", "LiveDomainTarget"),
    ],
)
def test_each_domain_leads_to_its_api(domain, mapping, api, stage, target):
    """By the certificate of a parameter and TLS 1.2; the outputs have what a DNS record needs."""
    settled = settle(**DOMAINS)
    own = {name: settled["Resources"][name]["Properties"] for name in (domain, mapping)}
    (configuration,) = own[domain]["DomainNameConfigurations"]

    assert configuration["CertificateArn"] == {"Ref": "CertificateArn"}
    assert (configuration["EndpointType"], configuration["SecurityPolicy"]) == ("REGIONAL", "TLS_1_2")
    assert own[mapping] == {"ApiId": {"Ref": api}, "DomainName": {"Ref": domain}, "Stage": {"Ref": stage}}
    assert settled["Outputs"][target]["Value"] == {"Fn::GetAtt": [domain, "RegionalDomainName"]}
    zone = target.replace("Target", "HostedZone")
    assert settled["Outputs"][zone]["Value"] == {"Fn::GetAtt": [domain, "RegionalHostedZoneId"]}
