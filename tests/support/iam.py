"""What IAM would say to a request: policies evaluated as the documentation has it, and what each call of AWS needs of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_rules.watch import Sent
from tests.support.resolved import ACCOUNT, REGION, Resolved
from tests.support.transformed import as_list

PLACE = f"{REGION}:{ACCOUNT}"
IN_A_TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
WILD = {"*": ".*", "?": "."}

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """A permission that a request needs: an action on a resource, and what conditions may ask of it."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


# ---- the evaluation


def is_like(pattern: str, text: str, *, any_case: bool = False) -> bool:
    """Return whether *text* has a pattern's form: ``*`` is any text, ``?`` any character."""
    form = "".join(WILD.get(each, re.escape(each)) for each in pattern)
    return re.fullmatch(form, text, re.DOTALL | (re.IGNORECASE if any_case else 0)) is not None


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": is_like,
    "ArnLike": is_like,
    "StringEquals": lambda wanted, given: wanted == given,
    "StringLike": is_like,
}


def fulfils(condition: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """Return whether every line of a condition holds; a key that a request does not have fails its line."""
    for operator, lines in condition.items():
        for key, wanted in lines.items():
            given = context.get(key)
            if given is None or not any(OPERATORS[operator](str(each), given) for each in as_list(wanted)):
                return False
    return True


def applies(statement: Statement, need: Need) -> bool:
    """Return whether a statement is about a request."""
    return (
        any(is_like(each, need.action, any_case=True) for each in as_list(statement["Action"]))
        and any(is_like(each, need.resource) for each in as_list(statement.get("Resource", "*")))
        and fulfils(statement.get("Condition", {}), need.context)
    )


def allows(statements: Iterable[Statement], need: Need) -> bool:
    """Return whether some statement allows a request, and none denies it."""
    effects = {statement["Effect"] for statement in statements if applies(statement, need)}
    return effects == {"Allow"}


def unused_of(statements: Iterable[Statement], needs: Iterable[Need]) -> set[tuple[str, str]]:
    """Return what statements allow and no request needs: each with its Sid, an action or a resource.

    A statement's actions are all used, and its resources too; not each action on each resource, which IAM does not take apart.
    """
    asked, unused = list(needs), set[tuple[str, str]]()
    for statement in statements:
        used = [need for need in asked if applies(statement, need)]
        name = statement.get("Sid", "")
        unused |= {(name, a) for a in as_list(statement["Action"]) if not any(is_like(a, u.action, any_case=True) for u in used)}
        unused |= {(name, r) for r in as_list(statement["Resource"]) if not any(is_like(r, u.resource) for u in used)}
    return unused


class Policies:
    """The roles of a stack, and what its functions and services need of them."""

    def __init__(self, stack: Resolved) -> None:
        self.stack = stack
        self.keys = dict(self.find_keys())
        self.roles = stack.resources("AWS::IAM::Role")
        self.managed = {stack.arn_of(name): each for name, each in stack.resources("AWS::IAM::ManagedPolicy").items()}

    def find_keys(self) -> Iterator[tuple[str, str]]:
        """Yield the ARN of each resource that a key of the owner's encrypts, with the key's."""
        stack = self.stack
        for name, table in stack.resources("AWS::DynamoDB::Table").items():
            yield stack.arn_of(name), table.get("SSESpecification", {}).get("KMSMasterKeyId", "")
        for kind, key in (("AWS::SQS::Queue", "KmsMasterKeyId"), ("AWS::SNS::Topic", "KmsMasterKeyId")):
            for name, made in stack.resources(kind).items():
                yield stack.arn_of(name), made.get(key, "")
        for name, secret in stack.resources("AWS::SecretsManager::Secret").items():
            yield str(stack.ref(name)), secret.get("KmsKeyId", "")

    def statements(self, role: str) -> list[Statement]:
        """Return the statements of a role: of its own policies, and of those of the stack that it has."""
        documents = [each["PolicyDocument"] for each in self.roles[role].get("Policies", [])]
        attached = [arn for arn in self.roles[role].get("ManagedPolicyArns", []) if arn in self.managed]
        documents += [self.managed[arn]["PolicyDocument"] for arn in attached]
        return [statement for each in documents for statement in as_list(each["Statement"])]

    def needs_of_call(self, sent: Sent) -> list[Need]:
        """Return what a call of a client needs, and what its service needs of a key in the caller's name."""
        return list(self.with_keys(needs_of(sent, self.stack)))

    def with_keys(self, needs: Iterable[Need]) -> Iterator[Need]:
        """Yield the needs, and those of the keys that encrypt what they are about."""
        for need in needs:
            yield need
            key = next((key for arn, key in self.keys.items() if need.resource.startswith(arn)), "")
            for word in KEY_WORDS[need.action.partition(":")[0]] if key else ():
                yield Need(f"kms:{word}", key)

    def needs_of_events(self, function: str) -> list[Need]:
        """Return what Lambda needs to serve a function: to take what wakes it, and to keep what failed."""
        found: list[Need] = []
        for mapping in self.stack.resources("AWS::Lambda::EventSourceMapping").values():
            if mapping["FunctionName"] == self.stack.ref(function):
                words = STREAM if ":dynamodb:" in mapping["EventSourceArn"] else QUEUE
                found += [Need(word, mapping["EventSourceArn"]) for word in words]
        for settings in self.stack.resources("AWS::Lambda::EventInvokeConfig").values():
            if settings["FunctionName"] == self.stack.ref(function):
                found.append(Need("sqs:SendMessage", settings["DestinationConfig"]["OnFailure"]["Destination"]))
        return list(self.with_keys(found))

    def needs_of_schedules(self, role: str) -> list[Need]:
        """Return what the schedules need that act as a role: to call their target, and to keep what did not start."""
        found: list[Need] = []
        for schedule in self.stack.resources("AWS::Scheduler::Schedule").values():
            target = schedule["Target"]
            if target["RoleArn"] == self.stack.arn_of(role):
                found += [
                    Need("lambda:InvokeFunction", target["Arn"]),
                    Need("sqs:SendMessage", target["DeadLetterConfig"]["Arn"]),
                ]
        return list(self.with_keys(found))


KEY_WORDS = {
    "dynamodb": ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"),
    "lambda": (),
    "secretsmanager": ("Decrypt",),
    "sns": ("Decrypt", "GenerateDataKey"),
    "sqs": ("Decrypt", "GenerateDataKey"),
}
"""What each service needs of a key of the owner's, in the name of who calls it."""
STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
QUEUE = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""What Lambda's own pollers need of a stream and of a queue, in the name of the function's role."""


# ---- what a call needs


def needs_of(sent: Sent, stack: Resolved) -> list[Need]:
    """Return the permissions that one call needs."""
    return list(SERVICES[sent.service](sent, stack))


def of_table(sent: Sent, stack: Resolved) -> Iterator[Need]:
    """One for each item of a transaction, and for each table of a batch; a query of an index is of the index alone."""
    params = sent.params
    for action in params.get("TransactItems", []):
        for kind, parts in action.items():
            yield Need(f"dynamodb:{IN_A_TRANSACTION[kind]}", table_arn(parts["TableName"]))
    for table in params.get("RequestItems", {}):
        yield Need(f"dynamodb:{sent.operation}", table_arn(table))
    for name in ("ResourceArn", "SourceTableName"):
        if name in params:
            yield Need(f"dynamodb:{sent.operation}", table_arn(params[name]))
    if "TableName" in params:
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield Need(f"dynamodb:{sent.operation}", table_arn(params["TableName"]) + index)


def table_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{PLACE}:table/{name}"


def of_queue(sent: Sent, stack: Resolved) -> Iterator[Need]:
    """A batch needs what one message needs."""
    account, name = sent.params["QueueUrl"].rsplit("/", 2)[1:]
    yield Need(f"sqs:{sent.operation.removesuffix('Batch')}", f"arn:aws:sqs:{REGION}:{account}:{name}")


def of_topic(sent: Sent, stack: Resolved) -> Iterator[Need]:
    yield Need(f"sns:{sent.operation}", sent.params["TopicArn"])


def of_secret(sent: Sent, stack: Resolved) -> Iterator[Need]:
    """A secret's ARN ends in six characters of AWS's own."""
    name = sent.params["SecretId"]
    arn = name if name.startswith("arn:") else f"arn:aws:secretsmanager:{PLACE}:secret:{name}-AbCdEf"
    yield Need(f"secretsmanager:{sent.operation}", arn)


def of_stack(sent: Sent, stack: Resolved) -> Iterator[Need]:
    """A stack's ARN ends in an id of AWS's own."""
    yield Need(f"cloudformation:{sent.operation}", f"arn:aws:cloudformation:{PLACE}:stack/{sent.params['StackName']}/0a1b")


def of_parameter(sent: Sent, stack: Resolved) -> Iterator[Need]:
    name = sent.params["Name"]
    arn = name if name.startswith("arn:") else f"arn:aws:ssm:{PLACE}:parameter/{name.removeprefix('/')}"
    yield Need(f"ssm:{sent.operation}", arn)


def of_mail(sent: Sent, stack: Resolved) -> Iterator[Need]:
    """Of the sender's identity: its address, or its domain."""
    sender = sent.params["FromEmailAddress"]
    yield Need(f"ses:{sent.operation}", f"arn:aws:ses:{PLACE}:identity/{sender}", {"ses:FromAddress": sender})


def of_socket(sent: Sent, stack: Resolved) -> Iterator[Need]:
    method = {"PostToConnection": "POST", "DeleteConnection": "DELETE", "GetConnection": "GET"}[sent.operation]
    place = f"{PLACE}:{stack.ref('LiveApi')}/live/{method}/@connections/{sent.params['ConnectionId']}"
    yield Need("execute-api:ManageConnections", f"arn:aws:execute-api:{place}")


SERVICES: dict[str, Callable[[Sent, Resolved], Iterator[Need]]] = {
    "apigatewaymanagementapi": of_socket,
    "cloudformation": of_stack,
    "dynamodb": of_table,
    "secretsmanager": of_secret,
    "sesv2": of_mail,
    "sns": of_topic,
    "sqs": of_queue,
    "ssm": of_parameter,
}
