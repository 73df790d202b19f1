"""The parameters of template.yaml, and the values that are given for them."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.errors import DeployError

RESERVATION = "ReservedConcurrentExecutions"


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its parameters, and what its functions reserve."""

    document: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> Template:
        """Return the template in a file."""
        return cls(yaml_parse(file.read_text(encoding="utf-8")))

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """What each parameter takes, by its name."""
        return dict(self.document["Parameters"])

    @property
    def defaults(self) -> dict[str, str]:
        """The value of each parameter that nobody gives."""
        return {name: str(terms.get("Default", "")) for name, terms in self.parameters.items()}

    def reserved(self, values: Mapping[str, str]) -> int:
        """Return how many concurrent executions the functions reserve with these values of the parameters."""
        asked = [r.get("Properties", {}).get(RESERVATION) for r in self.document["Resources"].values()]
        return sum(_largest(reservation, self.defaults | dict(values)) for reservation in asked)


def _largest(reservation: Any, values: Mapping[str, str]) -> int:
    """Return the largest number that a reservation may come to: a number, a parameter, or a choice of them."""
    if isinstance(reservation, Mapping):
        name = reservation.get("Ref")
        return _largest(values.get(name), values) if name else max(_largest(part, values) for part in reservation.values())
    if isinstance(reservation, list):
        return max((_largest(part, values) for part in reservation), default=0)
    return int(reservation) if str(reservation).isdecimal() else 0


def read_assignments(text: str, place: str = "PARAMS") -> dict[str, str]:
    """Return what ``NAME=value NAME='a value with spaces'`` gives, quoted as in a shell. Raises DeployError.

    *place* is the variable that has the text.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DeployError(f"{place} cannot be read ({error}): close each quote, as in {place}=\"NAME='a value'\"") from None
    return dict(_read_assignment(word, place, f"quote a value with spaces, as in {place}=\"NAME='a value'\"") for word in words)


def read_file(file: Path) -> dict[str, str]:
    """Return what a file gives, a line for each parameter; ``#`` begins a comment line. Raises DeployError."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    given = [line for line in lines if line and not line.startswith("#")]
    return dict(_read_assignment(line, file.name, "write NAME=value, one on each line") for line in given)


def _read_assignment(word: str, place: str, fix: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (equals and name.strip()):
        raise DeployError(f"{word!r} in {place} does not say what it is for: {fix}")
    return name.strip(), value.strip()


def require_known(given: Mapping[str, str], template: Template) -> None:
    """Raise DeployError for a parameter that the template does not have, or a value that it does not take."""
    for name in given:
        if name not in template.parameters:
            raise DeployError(f"template.yaml does not have the parameter {name}: {suggest(name, template.parameters)}")
    for name, value in given.items():
        for refusal in _refusals(value, template.parameters[name]):
            raise DeployError(f"{name} does not take {value!r}: {refusal}")


def suggest(name: str, known: Collection[str]) -> str:
    """Return which of the *known* names is meant, or all of them."""
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]}?" if near else f"choose one of {', '.join(sorted(known))}"


def _refusals(value: str, terms: Mapping[str, Any]) -> Iterator[str]:
    """Yield what CloudFormation would refuse, when all is built."""
    allowed = [str(choice) for choice in terms.get("AllowedValues", [])]
    if allowed and value not in allowed:
        yield f"choose one of {', '.join(allowed)}"
    if (pattern := terms.get("AllowedPattern")) and not re.fullmatch(pattern, value):
        yield f"it must match {pattern}"
    if terms.get("Type") == "Number":
        yield from _refusals_of_number(value, terms)


def _refusals_of_number(value: str, terms: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        yield "it must be a number"
    elif "MinValue" in terms and float(value) < float(terms["MinValue"]):
        yield f"it must be {terms['MinValue']} or more"
    elif "MaxValue" in terms and float(value) > float(terms["MaxValue"]):
        yield f"it must be {terms['MaxValue']} or less"
