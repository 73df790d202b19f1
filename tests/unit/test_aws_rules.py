"""The second opinion on requests: each of its rules is broken by one request, and kept by another that is nearly the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from tests.support.aws_rules import dynamo, expressions, messages, values
from tests.support.aws_rules.watch import WATCH, Sent, check

KEY = {"pk": {"S": "T#a"}, "sk": {"S": "b"}}
OTHER = {"pk": {"S": "T#a"}, "sk": {"S": "c"}}
TABLE = {"TableName": "bokit"}
MAIL = {"FromEmailAddress": "a@example.com", "Content": {"Simple": {"Subject": {"Data": "Hello"}}}}
N1 = {":n": {"N": "1"}}
S1 = {":v": {"S": "x"}}


def put(**item: Any) -> tuple[str, str, dict[str, Any]]:
    return "dynamodb", "PutItem", {**TABLE, "Item": {**KEY, **item}}


def update(expression: str, values: Any = None, names: Any = None, **given: Any) -> tuple[str, str, dict[str, Any]]:
    subs = {"ExpressionAttributeValues": values} if values is not None else {}
    subs |= {"ExpressionAttributeNames": names} if names is not None else {}
    return "dynamodb", "UpdateItem", {**TABLE, "Key": KEY, "UpdateExpression": expression, **subs, **given}


def condition(expression: str, values: Any = None, names: Any = None, **given: Any) -> tuple[str, str, dict[str, Any]]:
    service, operation, params = update("SET doc = :v", {**S1, **(values or {})}, names, **given)
    return service, operation, {**params, "ConditionExpression": expression}


def query(key: str = "pk = :v", values: Any = S1, **given: Any) -> tuple[str, str, dict[str, Any]]:
    return "dynamodb", "Query", {**TABLE, "KeyConditionExpression": key, "ExpressionAttributeValues": values, **given}


def transaction(*actions: dict[str, Any], **given: Any) -> tuple[str, str, dict[str, Any]]:
    return "dynamodb", "TransactWriteItems", {"TransactItems": list(actions), **given}


def delete(key: Any) -> dict[str, Any]:
    return {"Delete": {**TABLE, "Key": key}}


def batch(operation: str, *requests: Any) -> tuple[str, str, dict[str, Any]]:
    wanted = {"Keys": list(requests)} if operation == "BatchGetItem" else list(requests)
    return "dynamodb", operation, {"RequestItems": {"bokit": wanted}}


def keys(count: int) -> list[dict[str, Any]]:
    return [{"pk": {"S": "a"}, "sk": {"S": str(n)}} for n in range(count)]


def nested(depth: int) -> Any:
    return {"S": "x"} if depth == 1 else {"M": {"a": nested(depth - 1)}}


def ors(count: int) -> str:
    return " OR ".join(f"a = :v{n}" for n in range(count))


def many(count: int) -> dict[str, Any]:
    return {f":v{n}": {"N": str(n)} for n in range(count)}


def entries(*entries: Any) -> tuple[str, str, dict[str, Any]]:
    made = [{"Id": str(n), "MessageBody": "x", **entry} for n, entry in enumerate(entries)]
    return "sqs", "SendMessageBatch", {"QueueUrl": "https://sqs.example/1/q", "Entries": made}


def send(body: str = "x", **given: Any) -> tuple[str, str, dict[str, Any]]:
    return "sqs", "SendMessage", {"QueueUrl": "https://sqs.example/1/q", "MessageBody": body, **given}


def publish(message: str = "x", subject: str = "Bokit: a run") -> tuple[str, str, dict[str, Any]]:
    return "sns", "Publish", {"TopicArn": "arn", "Message": message, "Subject": subject}


def mail(*addresses: str, subject: str = "Hello") -> tuple[str, str, dict[str, Any]]:
    content = {"Simple": {"Subject": {"Data": subject}}}
    return "sesv2", "SendEmail", {**MAIL, "Destination": {"ToAddresses": list(addresses)}, "Content": content}


def of(service: str, operation: str, **params: Any) -> tuple[str, str, dict[str, Any]]:
    return service, operation, params


FULL = values.MAX_ITEM - len("pkT#askbdoc")
CASES: list[tuple[str, Any, Any]] = [
    # values and items
    ("type", put(doc={"S": "x", "N": "1"}), put(doc={"S": "x"})),
    ("depth", put(doc=nested(33)), put(doc=nested(32))),
    ("number", put(doc={"N": "1" * 39}), put(doc={"N": "1" * 38 + "000"})),
    ("number", put(doc={"N": "1E126"}), put(doc={"N": "-1E125"})),
    ("number", put(doc={"N": "NaN"}), put(doc={"N": "0"})),
    ("empty-set", put(doc={"SS": []}), put(doc={"L": []})),
    ("set-duplicate", put(doc={"NS": ["1", "1.0"]}), put(doc={"NS": ["1", "1.5"]})),
    ("attribute-name", put(doc={"M": {"": {"S": "x"}}}), put(doc={"M": {"a": {"S": ""}}})),
    ("item-size", put(doc={"S": "x" * (FULL + 1)}), put(doc={"S": "x" * FULL})),
    ("item-size", put(doc={"S": "é" * (FULL // 2 + 1)}), put(doc={"S": "é" * (FULL // 2)})),
    ("ttl", put(expires_at={"N": "1780000000000"}), put(expires_at={"N": "1780000000"})),
    ("ttl", update("SET expires_at = :n", {":n": {"S": "1"}}), update("SET expires_at = :n", {":n": {"N": "1780000000"}})),
    ("key-form", of("dynamodb", "GetItem", **TABLE, Key={**KEY, "x": {"S": "y"}}), of("dynamodb", "GetItem", **TABLE, Key=KEY)),
    ("key-type", put(pk={"N": "1"}), put(pk={"S": "1"})),
    ("key-type", put(due_at={"S": "1"}), put(due_at={"N": "1"})),
    ("key-type", put(due_pk={"NULL": True}), put(doc={"NULL": True})),
    ("empty-key", put(sk={"S": ""}), put(sk={"S": " "})),
    ("empty-key", update("SET due_pk = :v", {":v": {"S": ""}}), update("SET due_pk = :v", S1)),
    ("key-size", put(pk={"S": "x" * 2049}), put(pk={"S": "x" * 2048})),
    ("key-size", put(sk={"S": "é" * 513}), put(sk={"S": "é" * 512})),
    # expressions
    ("grammar", update("SET doc := :v", S1), update("SET doc = :v", S1)),
    ("grammar", update("SET doc = :v SET a = :v", S1), update("SET doc = :v, a = :v", S1)),
    ("grammar", condition("attribute_exists(a, b)"), condition("attribute_exists(a.b[0])")),
    ("expression-size", condition("a" * 4097 + " = :v"), condition("a" * 4091 + " = :v")),
    ("operators", condition(ors(151), many(151)), condition(ors(150), many(150))),
    (
        "operands-of-in",
        condition(f"a IN ({', '.join(many(101))})", many(101)),
        condition(f"a IN ({', '.join(many(99))})", many(99)),
    ),
    ("empty-expression", condition(""), condition("a = :v")),
    ("undefined-substitute", update("SET #d = :v", S1), update("SET #d = :v", S1, {"#d": "doc"})),
    ("undefined-substitute", update("SET doc = :w", {}), update("SET doc = :v", S1)),
    ("unused-substitute", update("SET doc = :v", {**S1, **N1}), update("SET doc = :v, a = :n", {**S1, **N1})),
    ("unused-substitute", update("SET doc = :v", S1, {"#a": "a"}), update("SET doc = :v, #a = :v", S1, {"#a": "a"})),
    ("no-substitute", update("REMOVE doc", {}), update("REMOVE doc")),
    ("substitute-form", update("SET #é = :v", S1, {"#é": "a"}), update("SET #e = :v", S1, {"#e": "é"})),
    (
        "substitutes-size",
        condition("a IN (:a, :b)", {":a": {"S": "x" * 2**20}, ":b": {"S": "x" * 2**20}}),
        condition("a IN (:a, :b)", {":a": {"S": "x" * 2**20}, ":b": {"S": "x"}}),
    ),
    ("reserved-word", update("SET name = :v", S1), update("SET #n = :v", S1, {"#n": "name"})),
    ("operand-type", condition("a < :n", {":n": {"L": []}}), condition("a <> :n", {":n": {"L": []}})),
    ("operand-type", condition("begins_with(a, :n)", N1), condition("begins_with(a, :v)")),
    ("operand-type", condition("attribute_exists(:v)"), condition("attribute_exists(a)")),
    ("operand-type", update("ADD tags :v", S1), update("ADD tags :v", {":v": {"SS": ["x"]}})),
    ("operand-type", update("SET a = a + :v", S1), update("SET a = if_not_exists(a, :n) + :n", N1)),
    ("operand-type", update("SET a = list_append(a, :v)", S1), update("SET a = list_append(a, :v)", {":v": {"L": []}})),
    ("same-operand", condition("a = a"), condition("a = b")),
    (
        "between-order",
        condition("a BETWEEN :h AND :n", {":h": {"N": "10"}, ":n": {"N": "9"}}),
        condition("size(a) BETWEEN :n AND :n", N1),
    ),
    ("redundant-parentheses", condition("((a = :v))"), condition("(a = :v) AND NOT (b = :v OR (c = :v))")),
    ("nested-add", update("ADD a.b :n", N1), update("ADD a :n", N1)),
    ("overlapping-paths", update("SET a = :v, a.b = :v", S1), update("SET a.c = :v, a.b = :v", S1)),
    ("overlapping-paths", update("SET #a = :v REMOVE a", S1, {"#a": "a"}), update("SET #a = :v REMOVE a", S1, {"#a": "a.b"})),
    ("overlapping-paths", query(ProjectionExpression="a, a[0]"), query(ProjectionExpression="a[0], a[1]")),
    ("conflicting-paths", update("SET a.b = :v, a[0] = :v", S1), update("SET a[1] = :v, a[0] = :v", S1)),
    ("key-in-update", update("SET sk = :v", S1), update("SET due_pk = :v", S1)),
    # requests
    ("table-name", of("dynamodb", "GetItem", TableName="a b", Key=KEY), of("dynamodb", "GetItem", TableName="a_b", Key=KEY)),
    ("index-name", query(IndexName="late"), query("due_pk = :v", IndexName="due")),
    ("legacy-parameter", query(AttributesToGet=["pk"]), query(ProjectionExpression="pk")),
    (
        "return-values",
        of("dynamodb", "PutItem", **TABLE, Item=KEY, ReturnValues="ALL_NEW"),
        update("REMOVE a", ReturnValues="ALL_NEW"),
    ),
    ("key-condition", query("sk = :v"), query("pk = :v AND begins_with(sk, :v)")),
    ("key-condition", query("pk = :v OR sk = :v"), query("(pk = :v AND sk BETWEEN :v AND :v)")),
    ("key-condition", query("pk = :v AND sk <> :v"), query("pk = :v AND sk <= :v")),
    ("key-condition", query("begins_with(pk, :v)"), query("pk = :v")),
    (
        "key-type",
        query("due_pk = :v AND due_at <= :v", IndexName="due"),
        query("due_pk = :v AND due_at <= :n", {**S1, **N1}, IndexName="due"),
    ),
    ("filter-on-key", query(FilterExpression="sk = :v"), query(FilterExpression="doc = :v")),
    (
        "filter-on-key",
        query("due_pk = :v", IndexName="due", FilterExpression="due_at > :v"),
        query("due_pk = :v", IndexName="due", FilterExpression="sk > :v"),
    ),
    ("consistent-read", query("due_pk = :v", IndexName="due", ConsistentRead=True), query(ConsistentRead=True)),
    (
        "not-in-index",
        query("due_pk = :v", IndexName="due", ProjectionExpression="doc"),
        query("due_pk = :v", IndexName="due", ProjectionExpression="pk"),
    ),
    ("select", query(Select="COUNT", ProjectionExpression="pk"), query(Select="COUNT")),
    ("limit", query(Limit=0), query(Limit=1)),
    ("start-key", query(ExclusiveStartKey={"pk": {"S": "a"}}), query(ExclusiveStartKey=KEY)),
    (
        "start-key",
        query("due_pk = :v", IndexName="due", ExclusiveStartKey=KEY),
        query("due_pk = :v", IndexName="due", ExclusiveStartKey={**KEY, "due_pk": {"S": "x"}, "due_at": {"N": "1"}}),
    ),
    (
        "segment",
        of("dynamodb", "Scan", **TABLE, Segment=2, TotalSegments=2),
        of("dynamodb", "Scan", **TABLE, Segment=1, TotalSegments=2),
    ),
    ("transaction-actions", transaction(*map(delete, keys(101))), transaction(*map(delete, keys(100)))),
    (
        "transaction-size",
        transaction(*({"Put": {**TABLE, "Item": {**key, "doc": {"S": "x" * 400_000}}}} for key in keys(11))),
        transaction(*({"Put": {**TABLE, "Item": {**key, "doc": {"S": "x" * 400_000}}}} for key in keys(10))),
    ),
    (
        "item-twice",
        transaction(delete(KEY), {"Put": {**TABLE, "Item": {**KEY, "doc": {"S": "x"}}}}),
        transaction(delete(KEY), delete(OTHER)),
    ),
    ("item-twice", batch("BatchGetItem", KEY, KEY), batch("BatchGetItem", KEY, OTHER)),
    (
        "item-twice",
        batch("BatchWriteItem", {"DeleteRequest": {"Key": KEY}}, {"PutRequest": {"Item": KEY}}),
        batch("BatchWriteItem", {"DeleteRequest": {"Key": KEY}}),
    ),
    (
        "request-token",
        transaction(delete(KEY), ClientRequestToken="x" * 37),
        transaction(delete(KEY), ClientRequestToken="x" * 36),
    ),
    ("batch-size", batch("BatchGetItem", *keys(101)), batch("BatchGetItem", *keys(100))),
    (
        "batch-size",
        batch("BatchWriteItem", *({"DeleteRequest": {"Key": key}} for key in keys(26))),
        batch("BatchWriteItem", *({"DeleteRequest": {"Key": key}} for key in keys(25))),
    ),
    # the other services
    ("message-body", send("\x00"), send("\t é 😀")),
    ("message-body", send(""), send(" ")),
    ("message-delay", send(DelaySeconds=901), send(DelaySeconds=900)),
    ("message-size", send("x" * (2**20 + 1)), send("x" * 2**20)),
    ("message-size", entries({"MessageBody": "x" * 2**20}, {}), entries({"MessageBody": "x" * (2**20 - 1)}, {})),
    ("batch-entries", entries(*[{}] * 11), entries(*[{}] * 10)),
    ("batch-ids", entries({"Id": "a"}, {"Id": "a"}), entries({"Id": "a"}, {"Id": "b"})),
    ("batch-ids", entries({"Id": "a.b"}), entries({"Id": "a_b-1"})),
    ("receive", of("sqs", "ReceiveMessage", WaitTimeSeconds=21), of("sqs", "ReceiveMessage", WaitTimeSeconds=20)),
    ("subject", publish(subject="a\nb"), publish(subject="a b")),
    ("subject", publish(subject="é"), publish(subject="x" * 100)),
    ("subject", publish(subject="x" * 101), publish(subject="Bokit: x")),
    ("notice-size", publish("x" * (256 * 1024 + 1)), publish("x" * 256 * 1024)),
    (
        "secret-name",
        of("secretsmanager", "GetSecretValue", SecretId="a b"),
        of("secretsmanager", "GetSecretValue", SecretId="bokit/a@b"),
    ),
    ("parameter-name", of("ssm", "GetParameter", Name="bokit/a"), of("ssm", "GetParameter", Name="/bokit/a")),
    ("parameter-name", of("ssm", "GetParameter", Name="/aws/a"), of("ssm", "GetParameter", Name="/a/aws")),
    ("mail-addresses", mail(), mail("b@example.com")),
    ("mail-address", mail("b"), mail("b@example.com")),
    ("mail-subject", mail("b@example.com", subject="a\r\nBcc: c"), mail("b@example.com", subject="é")),
    (
        "post-size",
        of("apigatewaymanagementapi", "PostToConnection", ConnectionId="a", Data=b"x" * (2**17 + 1)),
        of("apigatewaymanagementapi", "PostToConnection", ConnectionId="a", Data=b"x" * 2**17),
    ),
    (
        "connection-id",
        of("apigatewaymanagementapi", "PostToConnection", ConnectionId="", Data=b""),
        of("apigatewaymanagementapi", "PostToConnection", ConnectionId="a", Data=b""),
    ),
    ("form", of("dynamodb", "PutItem", **TABLE), put()),
]
HARDLY = {"batch-bytes"}
"""25 items of 400 KB each are within 16 MB: the rule is kept by those of items and of batches."""


@pytest.mark.parametrize(("rule", "bad", "good"), CASES, ids=[f"{n}-{rule}" for n, (rule, _, _) in enumerate(CASES)])
def test_a_request_that_breaks_a_rule_is_known_from_one_that_keeps_it(rule, bad, good):
    """By the rule's name; the other one breaks no rule at all."""
    assert rule in {each.rule for each in check(Sent(*bad))}
    assert check(Sent(*good)) == []


def test_every_rule_is_broken_once():
    """Those that the checker's source names."""
    named: set[str] = set()
    for module in (values, expressions, dynamo, messages):
        named |= set(re.findall(r"""report\(\s*"([a-z-]+)\"""", Path(str(module.__file__)).read_text()))

    assert named | {"form"} == {rule for rule, _, _ in CASES} | HARDLY
    assert len(named) > 55


def test_a_table_of_other_keys_is_held_against_its_own():
    """Once a request created it."""
    definitions = [{"AttributeName": "id", "AttributeType": "N"}]
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    made = {"TableName": "others", "AttributeDefinitions": definitions, "KeySchema": schema}
    assert check(Sent("dynamodb", "CreateTable", made)) == []

    assert check(Sent("dynamodb", "GetItem", {"TableName": "others", "Key": {"id": {"N": "1"}}})) == []
    assert [each.rule for each in check(Sent("dynamodb", "GetItem", {"TableName": "others", "Key": KEY}))] == ["key-form"]


@pytest.mark.breaks("empty-key")
def test_every_client_of_this_process_is_watched(monkeypatch):
    """A client of a session that a test makes by itself sends nothing here, and is heard all the same."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = get_session().create_client("dynamodb", "us-east-1")
    client.meta.events.register("before-send", lambda **_: pytest.fail("sent"))
    heard: list[Sent] = []

    def stop(sent: Sent) -> None:
        heard.append(sent)
        raise InterruptedError

    with WATCH.listening(stop), pytest.raises(InterruptedError):
        client.get_item(TableName="bokit", Key={**KEY, "sk": {"S": ""}})

    assert [(sent.service, sent.operation) for sent in heard] == [("dynamodb", "GetItem")]
