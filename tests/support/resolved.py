"""The transformed template as an account would hold it: every reference replaced by a name or an ARN."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.support.conditions import defaults, settle

ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "bokit"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}


class Resolved:
    """The stack with its parameters' defaults, other values for some, and the names that *physical* gives to its resources."""

    def __init__(self, physical: Mapping[str, str] | None = None, **parameters: str) -> None:
        self.template, self.physical = settle(**parameters), dict(physical or {})
        self.parameters = defaults() | parameters

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resolved properties of every resource of one type that exists."""
        found = self.template["Resources"].items()
        return {name: self.value(each.get("Properties", {})) for name, each in found if each["Type"] == kind}

    def value(self, node: Any) -> Any:
        """Return *node* without references and functions."""
        if isinstance(node, list):
            return [self.value(each) for each in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, given),) = node.items()
            if call := self.functions().get(name):
                return call(given)
        return {name: self.value(each) for name, each in node.items()}

    def functions(self) -> dict[str, Any]:
        return {
            "Ref": self.ref,
            "Fn::GetAtt": lambda given: self.attribute(*(given.split(".", 1) if isinstance(given, str) else given)),
            "Fn::Join": lambda given: self.value(given[0]).join(map(str, self.value(given[1]))),
            "Fn::Select": lambda given: self.value(given[1])[int(self.value(given[0]))],
            "Fn::Split": lambda given: self.value(given[1]).split(given[0]),
            "Fn::Sub": self.substitute,
        }

    def substitute(self, given: Any) -> str:
        text, names = (given, {}) if isinstance(given, str) else given

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return str(self.value(names[name]))
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)

    def ref(self, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        return self.physical.get(name) or self.reference(name)

    def reference(self, name: str) -> str:
        """Return what Ref makes of a resource."""
        kind = self.template["Resources"][name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name_of(name)}"
        if kind in ("AWS::IAM::ManagedPolicy", "AWS::SNS::Topic", "AWS::SecretsManager::Secret"):
            return self.arn_of(name)
        return self.name_of(name)

    def attribute(self, name: str, attribute: str) -> str:
        """Return what GetAtt makes of a resource."""
        if attribute == "StreamArn":
            return f"{self.arn_of(name)}/stream/2026-01-01T00:00:00.000"
        if attribute in ("Arn", "TopicArn"):
            return self.arn_of(name)
        return self.name_of(name)

    def name_of(self, name: str) -> str:
        """Return a resource's name or id: an API's has no hyphen."""
        kind = self.template["Resources"][name]["Type"]
        return name.lower() if kind.startswith("AWS::ApiGatewayV2") else f"{STACK}-{name}"

    def arn_of(self, name: str) -> str:
        """Return a resource's ARN."""
        form = {
            "AWS::DynamoDB::Table": "dynamodb:{place}:table/{name}",
            "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
            "AWS::IAM::Role": "iam::{account}:role/{name}",
            "AWS::KMS::Key": "kms:{place}:key/{name}",
            "AWS::Lambda::Function": "lambda:{place}:function:{name}",
            "AWS::Logs::LogGroup": "logs:{place}:log-group:{name}:*",
            "AWS::SecretsManager::Secret": "secretsmanager:{place}:secret:{name}-AbCdEf",
            "AWS::SNS::Topic": "sns:{place}:{name}",
            "AWS::SQS::Queue": "sqs:{place}:{name}",
        }[self.template["Resources"][name]["Type"]]
        return "arn:aws:" + form.format(place=f"{REGION}:{ACCOUNT}", account=ACCOUNT, name=self.name_of(name))

    def variables(self, function: str) -> dict[str, str]:
        """Return a function's environment."""
        found: dict[str, str] = self.resources("AWS::Lambda::Function")[function]["Environment"]["Variables"]
        return found
