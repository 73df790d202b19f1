"""The rules of a template: which values of its parameters go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def broken_rules(rules: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[str]:
    """Yield the description of each assertion that does not hold where its rule applies."""
    for rule in rules.values():
        if _holds(rule.get("RuleCondition", {"Fn::And": []}), values):
            yield from (each["AssertDescription"] for each in rule["Assertions"] if not _holds(each["Assert"], values))


def _holds(condition: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    ((kind, terms),) = condition.items()
    if kind == "Fn::Equals":
        return _value(terms[0], values) == _value(terms[1], values)
    if kind == "Fn::EachMemberEquals":
        return all(member == _value(terms[1], values) for member in _value(terms[0], values).split(","))
    parts = [_holds(part, values) for part in terms]
    return {"Fn::Not": not any(parts), "Fn::And": all(parts), "Fn::Or": any(parts)}[kind]


def _value(term: Any, values: Mapping[str, str]) -> str:
    return values[term["Ref"]] if isinstance(term, Mapping) else str(term)
