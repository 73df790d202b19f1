"""DynamoDB's attribute values: their types, their sizes as they are billed, and what none may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

Report = Callable[[str, object], None]
"""Takes the rule that a request breaks, and what breaks it."""
Value = Mapping[str, Any]
Item = Mapping[str, Value]

KIB = 1024
MAX_ITEM = 400 * KIB
MAX_DEPTH = 32
MAX_DIGITS = 38
LARGEST, SMALLEST = Decimal("9.9999999999999999999999999999999999999E+125"), Decimal("1E-130")
MAX_NAME = 64 * KIB - 1
MAX_HASH, MAX_RANGE = 2048, 1024
MAX_TTL = 10**11
"""Seconds until the year 5138: a larger number is milliseconds or microseconds, and its item never expires."""
SETS = {"SS": "S", "NS": "N", "BS": "B"}
TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", *SETS})


@dataclass(frozen=True)
class Schema:
    """A table's keys: attributes and their types, the partition's first; and the keys of its indexes, which hold keys alone."""

    key: Mapping[str, str]
    indexes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ttl: str = "expires_at"


BOKIT = Schema({"pk": "S", "sk": "S"}, {"due": {"due_pk": "S", "due_at": "N"}})
"""The table of the product, written down once more: what is checked here must not come from what is checked."""


def check_value(value: Value, report: Report, depth: int = 1) -> int:
    """Return the bytes of a value, and report what is wrong with it, or within it."""
    if len(value) != 1 or not TYPES.issuperset(value):
        report("type", value)
        return 0
    ((kind, inner),) = value.items()
    if depth > MAX_DEPTH:
        report("depth", depth)
        return 0
    if kind == "S":
        return len(inner.encode())
    if kind == "N":
        return check_number(inner, report)
    if kind == "B":
        return len(inner)
    if kind in SETS:
        return check_set(kind, inner, report)
    if kind == "M":
        return 3 + sum(1 + check_name(name, report) + check_value(part, report, depth + 1) for name, part in inner.items())
    if kind == "L":
        return 3 + sum(1 + check_value(part, report, depth + 1) for part in inner)
    if kind == "NULL" and inner is not True:
        report("type", value)
    return 1


def check_number(text: object, report: Report) -> int:
    """Return the bytes of a number: one for two digits, and one or two more."""
    try:
        number = Decimal(text) if isinstance(text, str) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        report("number", text)
        return 0
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > MAX_DIGITS or (digits and not SMALLEST <= abs(number) <= LARGEST):
        report("number", text)
    return (len(digits) + 1) // 2 + 1 + (number < 0)


def check_set(kind: str, members: Iterable[Any], report: Report) -> int:
    """Return the bytes of a set, which has members, each once."""
    found = list(members)
    if not found:
        report("empty-set", kind)
    same = [Decimal(each) for each in found] if kind == "NS" else found
    if len(set(map(bytes if kind == "BS" else lambda each: each, same))) != len(found):
        report("set-duplicate", found[:5])
    return sum(check_value({SETS[kind]: each}, report) for each in found)


def check_name(name: str, report: Report) -> int:
    """Return the bytes of an attribute's name."""
    size = len(name.encode())
    if not 0 < size <= MAX_NAME:
        report("attribute-name", name[:80])
    return size


def check_key(key: Item, schema: Schema, report: Report) -> None:
    """Hold a key against the table's: its attributes and no other, and each as ``check_key_value`` says."""
    if set(key) != set(schema.key):
        report("key-form", sorted(key))
    check_key_parts(key, schema.key, report)


def check_key_parts(item: Item, key: Mapping[str, str], report: Report) -> None:
    """Hold those attributes of an item that are of *key* against their types and sizes."""
    for (name, kind), most in zip(key.items(), (MAX_HASH, MAX_RANGE), strict=False):
        if name in item:
            check_key_value(name, item[name], kind, most, report)


def check_key_value(name: str, value: Value, kind: str, most: int, report: Report) -> None:
    """Hold one attribute of a key against its type and size."""
    if kind not in value:
        report("key-type", (name, value))
    elif kind != "N" and not value[kind]:
        report("empty-key", name)
    elif kind != "N" and len(value[kind].encode() if kind == "S" else value[kind]) > most:
        report("key-size", (name, str(value[kind])[:80]))
    else:
        check_value(value, report)


def check_item(item: Item, schema: Schema, report: Report) -> int:
    """Return the bytes of an item that is put: names and values, keys, index keys, and the time at which it expires."""
    if not set(schema.key) <= set(item):
        report("key-form", sorted(item)[:9])
    size = sum(check_name(name, report) + check_value(value, report) for name, value in item.items())
    if size > MAX_ITEM:
        report("item-size", size)
    check_attributes(item, schema, report)
    return size


def check_attributes(item: Item, schema: Schema, report: Report) -> None:
    """Hold against their types what attributes of keys, of indexes' keys and of expiry are given."""
    check_key_parts(item, schema.key, report)
    for key in schema.indexes.values():
        check_key_parts(item, key, report)
    if schema.ttl in item:
        check_ttl(item[schema.ttl], report)


def check_ttl(value: Value, report: Report) -> None:
    """Hold an item's expiry against what DynamoDB deletes by: whole seconds since 1970, as a number."""
    text = value.get("N", "")
    if not text.isdigit() or int(text) >= MAX_TTL:
        report("ttl", value)


def text_of_key(key: Item, schema: Schema) -> str:
    """Return what two keys of one item have in common."""
    return repr([key.get(name) for name in schema.key])
