"""The template as CloudFormation gets it: transformed by SAM's own translator, offline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
PACKED = {"Bucket": "artifacts", "Key": "packed"}
MANAGED = {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}


def source_template() -> dict[str, Any]:
    """Return template.yaml as it is written."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@cache
def transformed() -> dict[str, Any]:
    """Return what SAM makes of template.yaml."""
    template = source_template()
    template["Globals"]["Function"]["CodeUri"] = PACKED
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = PACKED
    session = boto3.Session(region_name="us-east-1")
    translator = Translator(MANAGED, Parser(), boto_session=session)
    return translator.translate(template, {name: p["Default"] for name, p in template["Parameters"].items()})


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of every resource of one type, by its name."""
    found = transformed()["Resources"].items()
    return {name: r.get("Properties", {}) for name, r in found if r["Type"] == kind}


def policy_statements(role: str) -> list[dict[str, Any]]:
    """Return every statement of a role's inline policies."""
    policies = resources("AWS::IAM::Role")[role].get("Policies", [])
    return [s for p in policies for s in as_list(p["PolicyDocument"]["Statement"])]


def as_list(value: Any) -> list[Any]:
    """Return *value* as a list: IAM takes one, or many."""
    return value if isinstance(value, list) else [value]


def refers_to(value: Any, name: str) -> bool:
    """Return whether *value* names a resource, by Ref, GetAtt or Sub."""
    if isinstance(value, dict):
        return any(refers_to(v, name) for v in value.values())
    if isinstance(value, list):
        return any(refers_to(v, name) for v in value)
    return value == name or (isinstance(value, str) and (f"${{{name}}}" in value or f"${{{name}." in value))
