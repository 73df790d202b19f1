"""DynamoDB's requests: what one may hold, and what its parts may say together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.support.aws_rules.expressions import Node, Path, Reader, Substitutes, read_expression
from tests.support.aws_rules.values import (
    BOKIT,
    Item,
    Report,
    Schema,
    Value,
    check_attributes,
    check_item,
    check_key,
    check_key_value,
    check_value,
    text_of_key,
)

MIB = 1024 * 1024
MAX_ACTIONS, MAX_TRANSACTION = 100, 4 * MIB
MAX_BATCH_GET, MAX_BATCH_WRITE, MAX_BATCH_BYTES = 100, 25, 16 * MIB
MAX_TOKEN = 36
LEGACY = {
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
}
RETURN_VALUES = {
    "PutItem": {"NONE", "ALL_OLD"},
    "DeleteItem": {"NONE", "ALL_OLD"},
    "UpdateItem": {"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"},
}
WITH_EXPRESSION = {
    "KeyConditionExpression",
    "ConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "UpdateExpression",
}

Params = Mapping[str, Any]


class Tables:
    """The keys of the tables: the product's, unless a request created one with others."""

    def __init__(self) -> None:
        self.made: dict[str, Schema] = {}

    def find(self, name: str) -> Schema:
        return self.made.get(name.rpartition("/")[2], BOKIT)

    def note(self, params: Params) -> None:
        kinds = {each["AttributeName"]: each["AttributeType"] for each in params["AttributeDefinitions"]}

        def key_of(holder: Params) -> dict[str, str]:
            return {each["AttributeName"]: kinds[each["AttributeName"]] for each in holder["KeySchema"]}

        indexes = {each["IndexName"]: key_of(each) for each in params.get("GlobalSecondaryIndexes", [])}
        self.made[params["TableName"]] = Schema(key_of(params), indexes)


TABLES = Tables()


def check_request(operation: str, params: Params, report: Report) -> None:
    """Hold one request against the rules of its operation."""
    if operation == "CreateTable":
        TABLES.note(params)
    for name in [params["TableName"]] if "TableName" in params else list(params.get("RequestItems", {})):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", name) and not name.startswith("arn:"):
            report("table-name", name)
    if LEGACY & set(params):
        report("legacy-parameter", sorted(LEGACY & set(params)))
    if operation in RETURN_VALUES and params.get("ReturnValues", "NONE") not in RETURN_VALUES[operation]:
        report("return-values", params["ReturnValues"])
    if check := CHECKS.get(operation):
        check(params, report)


# ---- one item


def check_get(params: Params, report: Report) -> None:
    check_key(params["Key"], TABLES.find(params["TableName"]), report)
    Expressions(params, report).check()


def check_put(params: Params, report: Report) -> int:
    schema = TABLES.find(params["TableName"])
    Expressions(params, report).check()
    return check_item(params["Item"], schema, report)


def check_write(params: Params, report: Report) -> int:
    """Hold an update, a deletion or a check of a condition against its rules; return the bytes that are sent."""
    schema = TABLES.find(params["TableName"])
    check_key(params["Key"], schema, report)
    Expressions(params, report).check()
    values = [*params["Key"].values(), *(params.get("ExpressionAttributeValues") or {}).values()]
    return sum(check_value(value, ignore) for value in values)


def ignore(rule: str, detail: object) -> None:
    """Report nothing: it has been reported before."""


class Expressions:
    """The expressions of one request or action."""

    def __init__(self, params: Params, report: Report) -> None:
        self.params, self.report = params, report
        self.schema = TABLES.find(params.get("TableName", ""))
        names, values = (params.get(f"ExpressionAttribute{kind}") for kind in ("Names", "Values"))
        if names == {} or values == {}:
            report("no-substitute", "an empty map of names or values")
        self.substitutes = Substitutes(names or {}, values or {}, report)

    def check(self) -> None:
        self.read("ConditionExpression", Reader.condition)
        self.read("ProjectionExpression", Reader.projection)
        updated = self.read("UpdateExpression", Reader.update)
        for path, node in (updated or {}).items():
            self.check_update(path, node)
        self.finish()

    def read(self, name: str, read: Callable[[Reader], Any]) -> Any:
        text = self.params.get(name)
        if text is None:
            return None
        if text == "":
            self.report("empty-expression", name)
            return None
        return read_expression(text, self.substitutes, self.report, read)

    def finish(self) -> None:
        if not WITH_EXPRESSION & set(self.params) and (self.substitutes.names or self.substitutes.values):
            self.report("unused-substitute", "without an expression")
        self.substitutes.check()

    def check_update(self, path: Path, node: Node) -> None:
        if path[0] in self.schema.key:
            self.report("key-in-update", path)
        elif len(path) == 1 and node[0] == "value":
            check_attributes({str(path[0]): self.value(node)}, self.schema, self.report)

    def value(self, node: Node) -> Value:
        found: Value = self.substitutes.values.get(node[1], {})
        return found


# ---- many items


def check_query(params: Params, report: Report) -> None:
    expressions = Expressions(params, report)
    schema, index = expressions.schema, params.get("IndexName")
    key = schema.indexes.get(index, {}) if index else schema.key
    if index and not key:
        report("index-name", index)
    condition = expressions.read("KeyConditionExpression", Reader.condition)
    if "KeyConditionExpression" not in params:
        report("key-condition", "there is none")
    if condition is not None:
        check_key_condition(condition, key, expressions)
    check_list(params, expressions, key, report)


def check_scan(params: Params, report: Report) -> None:
    expressions = Expressions(params, report)
    index = params.get("IndexName")
    check_list(params, expressions, expressions.schema.indexes.get(index, {}) if index else {}, report)
    if not 0 <= params.get("Segment", 0) < params.get("TotalSegments", 1):
        report("segment", params.get("Segment"))


def check_list(params: Params, expressions: Expressions, key: Mapping[str, str], report: Report) -> None:
    """Hold what queries and scans share against its rules; a query's filter leaves *key* alone."""
    schema, index = expressions.schema, params.get("IndexName")
    projected = expressions.read("ProjectionExpression", Reader.projection)
    filtered: list[Path] = expressions.read("FilterExpression", paths_of_filter) or []
    if "KeyConditionExpression" in params and (used := {path[0] for path in filtered} & set(key)):
        report("filter-on-key", used)
    if index and params.get("ConsistentRead"):
        report("consistent-read", index)
    held = {*schema.key, *key}
    if index and (params.get("Select") == "ALL_ATTRIBUTES" or {path[0] for path in projected or ()} - held):
        report("not-in-index", index)
    if params.get("Select") not in (None, "SPECIFIC_ATTRIBUTES") and projected:
        report("select", params["Select"])
    if params.get("Limit", 1) < 1:
        report("limit", params["Limit"])
    if start := params.get("ExclusiveStartKey"):
        check_start(start, {**schema.key, **(schema.indexes.get(index, {}) if index else {})}, report)
    expressions.finish()


def paths_of_filter(reader: Reader) -> list[Path]:
    reader.condition()
    return reader.paths


def check_start(start: Item, key: Mapping[str, str], report: Report) -> None:
    """A page begins behind the keys of an item, in the table and in the index that is read."""
    if set(start) != set(key) or any(kind not in start[name] or start[name][kind] == "" for name, kind in key.items()):
        report("start-key", start)


def check_key_condition(condition: Node, key: Mapping[str, str], expressions: Expressions) -> None:
    """The partition's key equals one value; the other key, if there is one, lies in one range."""
    tests = list(flatten(condition))
    names = [node[1][1] if node[0] in ("=", "<", "<=", ">", ">=", "BETWEEN", "begins_with") else None for node in tests]
    if None in names or len(names) != len(set(names)) or not {(name,) for name in key} >= set(names):
        expressions.report("key-condition", condition)
        return
    (partition, _), *_ = key.items()
    if not any(node[0] == "=" and node[1][1] == (partition,) for node in tests):
        expressions.report("key-condition", f"no value of {partition}")
    for node in tests:
        check_key_test(node, key, expressions)


def check_key_test(node: Node, key: Mapping[str, str], expressions: Expressions) -> None:
    name = node[1][1][0]
    if node[0] != "=" and name == next(iter(key)):
        expressions.report("key-condition", f"{node[0]} on the partition's key")
    for operand in node[2:]:
        if operand[0] != "value":
            expressions.report("key-condition", f"{operand} is not a value")
        elif value := expressions.value(operand):
            check_key_value(name, value, key[name], 2048 if name == next(iter(key)) else 1024, expressions.report)


def flatten(condition: Node) -> Iterable[Node]:
    """Yield what ANDs and brackets join."""
    if condition[0] == "()":
        yield from flatten(condition[1])
    elif condition[0] == "AND":
        yield from flatten(condition[1])
        yield from flatten(condition[2])
    else:
        yield condition


def check_transaction(params: Params, report: Report) -> None:
    actions, size, items = params["TransactItems"], 0, Counter[str]()
    if not 1 <= len(actions) <= MAX_ACTIONS:
        report("transaction-actions", len(actions))
    if not 1 <= len(params.get("ClientRequestToken", "x")) <= MAX_TOKEN:
        report("request-token", params["ClientRequestToken"])
    for action in actions:
        if len(action) != 1:
            report("transaction-actions", sorted(action))
        for kind, parts in action.items():
            if kind == "ConditionCheck" and not parts.get("ConditionExpression"):
                report("empty-expression", kind)
            size += check_put(parts, report) if kind == "Put" else check_write(parts, report)
            key = parts["Item"] if kind == "Put" else parts["Key"]
            items[parts["TableName"] + text_of_key(key, TABLES.find(parts["TableName"]))] += 1
    report_twice(items, report)
    if size > MAX_TRANSACTION:
        report("transaction-size", size)


def check_transact_get(params: Params, report: Report) -> None:
    gets = [action["Get"] for action in params["TransactItems"]]
    if not 1 <= len(gets) <= MAX_ACTIONS:
        report("transaction-actions", len(gets))
    for get in gets:
        check_get(get, report)
    report_twice(Counter(get["TableName"] + text_of_key(get["Key"], TABLES.find(get["TableName"])) for get in gets), report)


def check_batch_get(params: Params, report: Report) -> None:
    total = 0
    for table, wanted in params["RequestItems"].items():
        schema = TABLES.find(table)
        total += len(wanted["Keys"])
        for key in wanted["Keys"]:
            check_key(key, schema, report)
        report_twice(Counter(text_of_key(key, schema) for key in wanted["Keys"]), report)
        if LEGACY & set(wanted):
            report("legacy-parameter", sorted(LEGACY & set(wanted)))
        Expressions({"TableName": table, **wanted}, report).check()
        if not wanted["Keys"]:
            report("batch-size", 0)
    if not 1 <= total <= MAX_BATCH_GET:
        report("batch-size", total)


def check_batch_write(params: Params, report: Report) -> None:
    total, size = 0, 0
    for table, requests in params["RequestItems"].items():
        schema, items = TABLES.find(table), Counter[str]()
        total += len(requests)
        for request in requests:
            if len(request) != 1:
                report("batch-size", sorted(request))
            put, delete = request.get("PutRequest"), request.get("DeleteRequest")
            if put:
                size += check_item(put["Item"], schema, report)
            if delete:
                check_key(delete["Key"], schema, report)
            items[text_of_key(put["Item"] if put else (delete or {}).get("Key", {}), schema)] += 1
        report_twice(items, report)
    if not 1 <= total <= MAX_BATCH_WRITE:
        report("batch-size", total)
    if size > MAX_BATCH_BYTES:
        report("batch-bytes", size)


def report_twice(items: Counter[str], report: Report) -> None:
    """No request names one item twice."""
    for key, times in items.items():
        if times > 1:
            report("item-twice", key[:200])


CHECKS: dict[str, Callable[[Params, Report], object]] = {
    "BatchGetItem": check_batch_get,
    "BatchWriteItem": check_batch_write,
    "DeleteItem": check_write,
    "GetItem": check_get,
    "PutItem": check_put,
    "Query": check_query,
    "Scan": check_scan,
    "TransactGetItems": check_transact_get,
    "TransactWriteItems": check_transaction,
    "UpdateItem": check_write,
}
