"""Who deploys may do what the template needs and no more; the workflow calls targets that there are."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.transformed import ROOT, as_list, source_template, transformed

FOLDER = ROOT / "examples" / "github-actions"
POLICY = json.loads((FOLDER / "deployer-policy.json").read_text(encoding="utf-8"))
STATEMENTS = {s["Sid"]: s for s in POLICY["Statement"]}
ALLOWED = {action.lower() for s in POLICY["Statement"] for action in s["Action"]}
TYPES = sorted({r["Type"] for r in transformed()["Resources"].values()})
HANDLERS = ("create", "read", "update", "delete")
MAX_INLINE = 10_240
"""Characters of a role's inline policies, white space apart."""

TABLE, FUNCTION, GROUP = "AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::Logs::LogGroup"
KINESIS = {
    *(f"dynamodb:{verb}KinesisStreamingDestination" for verb in ("Disable", "Enable", "Update")),
    *("kinesis:DescribeStream", "kinesis:PutRecords"),
}
IMPORT = {
    *("dynamodb:DescribeImport", "dynamodb:ImportTable", "s3:GetObjectMetadata"),
    *("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
}
REPLICAS = {
    *(f"dynamodb:{verb}" for verb in ("AssociateTableReplica", "CreateTableReplica", "Scan", "Query")),
    *(f"dynamodb:{verb}Item" for verb in ("BatchWrite", "Delete", "Get", "Put", "Update")),
    "iam:CreateServiceLinkedRole",
}
UNUSED: dict[tuple[str, str], set[str]] = {
    (TABLE, "ContributorInsightsSpecification"): {"dynamodb:UpdateContributorInsights"},
    (TABLE, "ImportSourceSpecification"): IMPORT,
    (TABLE, "KinesisStreamSpecification"): KINESIS,
    (TABLE, "Replicas"): REPLICAS,
    (TABLE, "ResourcePolicy"): {"dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"},
    (FUNCTION, "CapacityProviderConfig"): {"lambda:PassCapacityProvider"},
    (FUNCTION, "CodeSigningConfigArn"): {
        *("lambda:DeleteFunctionCodeSigningConfig", "lambda:GetCodeSigningConfig", "lambda:PutFunctionCodeSigningConfig")
    },
    (FUNCTION, "FileSystemConfigs"): {"elasticfilesystem:DescribeMountTargets", "s3files:ListMountTargets"},
    (FUNCTION, "FunctionScalingConfig"): {"lambda:PutFunctionScalingConfig"},
    (FUNCTION, "PublishToLatestPublished"): {"lambda:PublishVersion"},
    (FUNCTION, "RuntimeManagementConfig"): {"lambda:AssociateRuntimeAlias", "lambda:PutRuntimeManagementConfig"},
    (GROUP, "BearerTokenAuthenticationEnabled"): {"logs:PutBearerTokenAuthentication"},
    (GROUP, "DataProtectionPolicy"): {"logs:PutDataProtectionPolicy"},
    (GROUP, "DeletionProtectionEnabled"): {"logs:PutLogGroupDeletionProtection"},
    (GROUP, "FieldIndexPolicies"): {"logs:DeleteIndexPolicy", "logs:PutIndexPolicy"},
    (GROUP, "ResourcePolicyDocument"): {"logs:DeleteResourcePolicy", "s3:REST.PUT.OBJECT", "firehose:TagDeliveryStream"},
    ("AWS::IAM::ManagedPolicy", "Groups"): {"iam:AttachGroupPolicy", "iam:DetachGroupPolicy"},
    ("AWS::IAM::ManagedPolicy", "Users"): {"iam:AttachUserPolicy", "iam:DetachUserPolicy"},
    ("AWS::SNS::Topic", "DataProtectionPolicy"): {"sns:PutDataProtectionPolicy"},
    ("AWS::SecretsManager::Secret", "ReplicaRegions"): {
        *("secretsmanager:RemoveRegionsFromReplication", "secretsmanager:ReplicateSecretToRegions")
    },
}
"""Actions that CloudFormation asks for a property that the template does not use, by type and property."""


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Return AWS's schemas of the template's types, as cfn-lint brings them: with the actions that each handler takes."""
    found = find_spec("cfnlint")
    assert found
    assert found.origin
    folder = Path(found.origin).parent / "data" / "schemas" / "resources"
    read = (json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json"))
    return {schema["typeName"]: schema for schema in read if schema.get("typeName") in TYPES}


def demanded(kind: str) -> set[str]:
    """Return the actions that making, reading, changing and deleting a resource of *kind* takes."""
    handlers = schemas()[kind]["handlers"]
    return {action for name in HANDLERS if name in handlers for action in handlers[name]["permissions"]}


@pytest.mark.parametrize("kind", TYPES)
def test_the_deployer_may_make_read_change_and_delete_every_resource(kind):
    """All that CloudFormation asks for the type, but for properties that the template does not use."""
    spared = {action for (own, _), actions in UNUSED.items() if own == kind for action in actions}

    assert "create" in schemas()[kind]["handlers"]
    assert {action for action in demanded(kind) - spared if action.lower() not in ALLOWED} == set()


@pytest.mark.parametrize(("kind", "prop"), sorted(UNUSED))
def test_what_is_spared_is_of_a_property_that_is_not_used(kind, prop):
    """If the template begins to use it, the policy has to grow."""
    used = {name for r in transformed()["Resources"].values() if r["Type"] == kind for name in r.get("Properties", {})}

    assert prop not in used
    assert UNUSED[kind, prop] <= demanded(kind)
    assert not {action.lower() for action in UNUSED[kind, prop]} & ALLOWED


def test_nothing_is_allowed_that_nothing_asks_for():
    """Beside the types' actions there are CloudFormation's own, those of SAM's bucket, and the delivery of access logs."""
    others = {"cloudformation", "s3"}
    more = {
        "lambda:getaccountsettings",
        *(f"logs:{verb}logdelivery" for verb in ("delete", "get", "update")),
        "logs:listlogdeliveries",
    }
    asked = {action.lower() for kind in TYPES for action in demanded(kind)}

    assert {action for action in ALLOWED - asked if action.split(":")[0] not in others} == more


@pytest.mark.parametrize("sid", sorted(STATEMENTS))
def test_no_right_is_a_wildcard(sid):
    """Actions are named in full; every resource is bound to a name that begins with the stack's, but for what has none."""
    statement = STATEMENTS[sid]
    everywhere = {"AskedOfTheAccount", "Mappings"}

    assert not [action for action in statement["Action"] if "*" in action]
    assert (statement["Resource"] == ["*"]) is (sid in everywhere)
    assert statement["Action"] == sorted(set(statement["Action"]))
    if sid == "AskedOfTheAccount":
        writing = [a for a in statement["Action"] if not re.match(r"\w+:(Describe|Get|List)", a)]
        assert writing == ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"]


def test_roles_are_handed_to_their_services_alone():
    """Who deploys cannot hand a role to a machine of its own, nor change a role of others."""
    handing = [s for s in POLICY["Statement"] if "iam:PassRole" in s["Action"]]
    services = {service for s in handing for service in s["Condition"]["StringEquals"]["iam:PassedToService"]}
    trusted = {
        service
        for r in transformed()["Resources"].values()
        if r["Type"] == "AWS::IAM::Role"
        for s in r["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for service in as_list(s["Principal"]["Service"])
    }

    assert services == trusted
    assert all(s["Action"] == ["iam:PassRole"] for s in handing)
    assert {r for s in POLICY["Statement"] if ":role/" in str(s) for r in s["Resource"]} == {"arn:aws:iam::*:role/*bokit-*"}


def test_the_policy_fits_into_a_role():
    """As an inline policy; a managed one may have 6,144 characters."""
    assert len(re.sub(r"\s", "", json.dumps(POLICY))) <= MAX_INLINE


def test_the_workflow_calls_targets_and_parameters_that_there_are():
    """With a role in place of a key, and without a terminal."""
    workflow = yaml.safe_load((FOLDER / "deploy.yml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    steps = workflow["jobs"]["deploy"]["steps"]
    ((target, given),) = [re.findall(r"^make (\S+) (.*)$", step["run"])[0] for step in steps if "run" in step]
    variables = dict(re.findall(r"(\w+)=(\"[^\"]*\"|\S+)", given))

    assert re.search(rf"^{target}:.*##", makefile, re.MULTILINE)
    assert variables["STAGE"] in ("default", "staging", "prod")
    assert all(name in makefile for name in variables)
    assert set(re.findall(r"(\w+)=", variables["PARAMS"])) <= set(source_template()["Parameters"])
    assert "${{" not in given  # texts of others reach the shell as variables alone
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in json.dumps(workflow["jobs"])
    (python,) = [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")]
    assert f"python{python}" == source_template()["Parameters"]["PythonRuntime"]["Default"]


def test_the_role_trusts_one_environment_of_one_repository():
    """No pattern lets another branch, or another repository, deploy."""
    (statement,) = json.loads((FOLDER / "trust-policy.json").read_text(encoding="utf-8"))["Statement"]
    equal = statement["Condition"]["StringEquals"]

    assert set(statement["Condition"]) == {"StringEquals"}
    assert equal["token.actions.githubusercontent.com:sub"].endswith(":environment:prod")
    assert "*" not in json.dumps(statement)
