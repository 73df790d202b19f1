"""A template as CloudFormation has it once its parameters are known: conditions decided, what they leave out gone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.transformed import as_list, transformed

Parameters = Mapping[str, Any]
NOTHING = {"Ref": "AWS::NoValue"}
PSEUDO = {"AWS::URLSuffix": "amazonaws.com", "AWS::AccountId": "111122223333"}
_LISTS = ("CommaDelimitedList", "List<")
_NAMED = re.compile(r"\$\{([^}!.]+)[^}]*\}")


def defaults() -> dict[str, Any]:
    """Return the parameters' default values; a list is one of texts."""
    return {name: _read(p, p.get("Default", "")) for name, p in transformed()["Parameters"].items()}


def settle(**changed: str) -> dict[str, Any]:
    """Return the transformed template with its conditions decided, for the defaults updated by *changed*."""
    parameters = _fill(changed)
    kept = {
        section: {name: own for name, own in transformed()[section].items() if is_made(own, parameters)}
        for section in ("Resources", "Outputs")
    }
    settled: dict[str, Any] = decide(kept, parameters)
    return settled


def broken_rules(**changed: str) -> list[str]:
    """Return the names of the rules that the defaults, updated by *changed*, break."""
    parameters = _fill(changed)
    return [name for name, rule in transformed()["Rules"].items() if not _is_kept(rule, parameters)]


def is_made(declared: Mapping[str, Any], parameters: Parameters) -> bool:
    """Return whether the condition of a resource or an output holds; one without a condition is always made."""
    return "Condition" not in declared or _holds({"Condition": declared["Condition"]}, parameters)


def decide(value: Any, parameters: Parameters) -> Any:
    """Return *value* with every Fn::If decided, and without what is AWS::NoValue."""
    if isinstance(value, list):
        return [each for v in value if (each := decide(v, parameters)) != NOTHING]
    if not isinstance(value, dict):
        return value
    if list(value) == ["Fn::If"]:
        name, yes, no = value["Fn::If"]
        return decide(yes if _holds({"Condition": name}, parameters) else no, parameters)
    return {name: each for name, v in value.items() if (each := decide(v, parameters)) != NOTHING}


def names_in(value: Any) -> Iterator[str]:
    """Yield what *value* names by Ref, GetAtt, Sub and DependsOn; without the names that a Sub brings along."""
    if isinstance(value, list):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, dict):
        for key, own in value.items():
            if key == "Ref":
                yield own
            elif key == "Fn::GetAtt":
                yield as_list(own)[0].partition(".")[0]
            elif key == "DependsOn":
                yield from as_list(own)
            elif key == "Fn::Sub":
                text, brought = own if isinstance(own, list) else (own, {})
                yield from (name for name in _NAMED.findall(text) if name not in brought)
                yield from names_in(brought)
            else:
                yield from names_in(own)


def _fill(changed: Mapping[str, str]) -> dict[str, Any]:
    declared = transformed()["Parameters"]
    return defaults() | PSEUDO | {name: _read(declared[name], text) for name, text in changed.items()}


def _read(declared: Mapping[str, Any], text: Any) -> Any:
    return str(text).split(",") if declared["Type"].startswith(_LISTS) else str(text)


def _is_kept(rule: Mapping[str, Any], parameters: Parameters) -> bool:
    applies = _holds(rule["RuleCondition"], parameters) if "RuleCondition" in rule else True
    return not applies or all(_holds(each["Assert"], parameters) for each in rule["Assertions"])


def _holds(condition: Any, parameters: Parameters) -> bool:
    ((kind, own),) = condition.items()
    if kind == "Condition":
        return _holds(transformed()["Conditions"][own], parameters)
    if kind == "Fn::Equals":
        left, right = (_value(each, parameters) for each in own)
        return bool(str(left) == str(right))
    if kind == "Fn::EachMemberEquals":
        members, wanted = own
        return all(each == wanted for each in _value(members, parameters))
    answers = [_holds(each, parameters) for each in own]
    return {"Fn::Not": not answers[0], "Fn::And": all(answers), "Fn::Or": any(answers)}[kind]


def _value(value: Any, parameters: Parameters) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, own),) = value.items()
    if kind == "Ref":
        return parameters[own]
    if kind == "Fn::Join":
        return own[0].join(_value(own[1], parameters))
    raise NotImplementedError(kind)
