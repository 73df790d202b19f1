"""Regular expressions are linear on what feeds, servers and people write."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
from typing import Any

import pytest

from bokit.core.model.collections import read_schema
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.limits import MAX_SCHEMA_PATTERN_LENGTH
from bokit.errors import InputError
from tests.support.regexes import CPU_SECONDS, ROOT, find_regexes


def pump(*patterns: str, seconds: int = CPU_SECONDS) -> Any:
    """Pump these expressions, or every one of the product, in a process with so much CPU; None: it took all."""
    command = [sys.executable, "-m", "tests.support.regexes", str(seconds), *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGXCPU, -signal.SIGKILL), done.stderr[-2000:]
    return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.mark.slow
def test_every_expression_is_linear() -> None:
    """No string of the form prefix, repetition, failing end makes an expression of the product grow faster than its length."""
    found = pump()
    assert found is not None
    assert found["slow"] == []
    assert found["tried"] == len(find_regexes())


@pytest.mark.slow
def test_every_expression_is_found() -> None:
    """Each call of ``re`` in the product is one that the test of growth pumps: none is imported or made in another way."""
    places = {(regex.file, regex.line) for regex in find_regexes()}
    lines = 0
    for root in ("layers/shared/bokit", "cli/bokit_cli", "functions"):
        for path in (ROOT / root).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*from re import|^\s*import re as|^\s*import regex", text, re.M), path
            lines += len(re.findall(r"(?<![\w.])re\.(?:compile|match|fullmatch|search|subn?|split|findall|finditer)\(", text))
    assert len(find_regexes()) == lines > 60
    assert len(places) > 60


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [r"^(.*?)\s*\(HM\)$", r"\s*[-:]", r"\([^)]*\)x"])
def test_the_test_of_growth_finds_quadratic_expressions(pattern: str) -> None:
    """Expressions that are quadratic are found."""
    (slow,) = pump(pattern)["slow"]
    assert slow["pattern"] == pattern


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [r"(a|a)*$", r"(\w+\s?)*:"])
def test_the_test_of_growth_finds_exponential_expressions(pattern: str) -> None:
    """Expressions that are exponential take all CPU that there is."""
    assert pump(pattern, seconds=1) is None


def test_the_test_of_growth_lets_good_expressions_pass() -> None:
    """Linear ones are not reported."""
    assert pump(r"\d{4}-\d{2}", r"^CLOSED\s*-\s*(\S.*)$", r"(?m)^[^:\n]*:")["slow"] == []


SLOW = ["(a+)+$", "(a|aa)+$", r"(\w+\s?)+:$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*x" + "y" * 10]


@pytest.mark.parametrize("pattern", SLOW)
@pytest.mark.parametrize("rule", ["pattern", "patternProperties", "additionalProperties"])
def test_a_schema_cannot_make_a_record_slow(pattern: str, rule: str) -> None:
    """Expressions that take Python for ever are checked at once, wherever a schema has them."""
    schemas: dict[str, dict[str, Any]] = {
        "pattern": {"properties": {"name": {"pattern": pattern}}},
        "patternProperties": {"patternProperties": {pattern: False}},
        "additionalProperties": {"patternProperties": {pattern: {}}, "additionalProperties": False},
    }
    schema = schemas[rule]
    assert read_schema(schema) == schema
    text = "a" * 5000 + "!"
    record = {"name": text} if rule == "pattern" else {text: 1}
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    problems = SchemaCheck(schema).find_problems(record, "1")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - start < 5
    assert len(problems) == (0 if rule == "patternProperties" else 1)


BAD = ["(?=a)b", "(?<!a)b", r"(a)\1", "a" * (MAX_SCHEMA_PATTERN_LENGTH + 1), "(((a{1000}){1000}){1000})"]


@pytest.mark.parametrize("pattern", BAD)
def test_a_pattern_without_a_bound_is_refused(pattern: str) -> None:
    """What the linear engine cannot run is refused when it is declared, and matches nothing where it was stored before."""
    for schema in ({"properties": {"n": {"pattern": pattern}}}, {"allOf": [{"patternProperties": {pattern: {}}}]}):
        with pytest.raises(InputError, match="regular expression"):
            read_schema(schema)
    assert len(SchemaCheck({"properties": {"n": {"pattern": pattern}}}).find_problems({"n": "aab"}, "1")) == 1


def test_patterns_mean_what_they_meant() -> None:
    """A pattern is searched for; a rule's name in an example is not a rule."""
    schema = {
        "properties": {
            "code": {"pattern": "^HM[A-Z0-9]{8}$"},
            "pattern": {"type": "string"},
            "n": {"const": {"pattern": "(?=a)"}},
        },
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": {"type": "string"},
    }
    check = SchemaCheck(read_schema(schema))
    good = {"code": "HMABCDEFGH", "pattern": "(?=a)", "x-1": 1, "other": "\U0001f3e0"}
    assert check.find_problems(good, "1") == []
    for name, value in {"code": "xHMABCDEFGH", "x-1": "1", "other": 1}.items():
        assert [p.field for p in check.find_problems({**good, name: value}, "1")] == [name]
    closed = SchemaCheck({"properties": {"a": {}}, "patternProperties": {"b$": {}}, "additionalProperties": False})
    assert len(closed.find_problems({"a": 1, "ab": 1, "c": 1}, "1")) == 1
    assert closed.find_problems({"a": 1, "ab": 1}, "1") == []
    assert SchemaCheck({"properties": {"a": {"pattern": "^.$"}}}).find_problems({"a": "\ud800"}, "1") != []
    assert SchemaCheck({"properties": {"a": {"pattern": "^.$"}}}).find_problems({"a": 7}, "1") == []


def test_two_rules_that_need_python_s_engine_are_refused() -> None:
    """unevaluatedProperties would look at the names of patternProperties with Python's engine."""
    with pytest.raises(InputError, match="unevaluatedProperties"):
        read_schema({"patternProperties": {"a": {}}, "unevaluatedProperties": False})
