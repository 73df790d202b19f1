"""Every regular expression of the product, and strings that make a bad one slow.

``python -m tests.support.regexes [SECONDS [PATTERN…]]`` pumps each of them and prints, as JSON, what is not linear. It runs as a
process of its own, with a limit of CPU: a match of an exponential expression cannot be interrupted otherwise.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLACES = {"bokit": ROOT / "layers/shared/bokit", "bokit_cli": ROOT / "cli/bokit_cli", "functions": ROOT / "functions"}
CALLS = ("compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
WHOLE = frozenset({"sub", "subn", "split", "findall", "finditer"})
"""Calls that go through the whole text."""
LOCALS: dict[str, Mapping[str, Any]] = {
    "ical/lexer.py": {"indent": b"  "},
    "http/service.py": {"path": "/units/{id}/calendars", "rule": "/units/[^/]+/calendars"},
}
"""Values of the names that some expressions are made from when they are used; no feed or server has a say in them."""
UNITS = (
    *" aA0_,()\"'`-.:;/@=<\\\n\tZMé",
    "a ",
    " a",
    "a,",
    "``",
    "''",
    '""',
    "\n ",
    "A (",
    "()",
    "[ ",
    "--",
    "- ",
    ": ",
    "a.",
    "0,",
)
TAILS = ("\x00", "!\n", " x")
SMALL, LARGE, HUGE = 100, 5000, 20_000
CPU_SECONDS = 300
SUSPICIOUS_SECONDS = 0.002
"""No linear expression needs so much CPU for LARGE characters."""
MIN_MEASURED_SECONDS = 0.05
"""How much CPU is measured at once, where the growth is asked."""
MAX_GROWTH = 9
"""Of CPU, from LARGE to HUGE characters, which are four times as many: 4 where it is linear, 16 where it is quadratic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regex:
    """One expression, where it stands, and how it is called."""

    file: str
    line: int
    pattern: re.Pattern[Any]
    methods: frozenset[str]


@cache
def find_regexes() -> list[Regex]:
    """Return every expression that a module of the product compiles or calls; raises where one cannot be computed."""
    found: list[Regex] = []
    sources = {
        path: ast.parse(path.read_text(encoding="utf-8")) for root in PLACES.values() for path in sorted(root.rglob("*.py"))
    }
    used = _methods_by_name(sources.values())
    for path, tree in sources.items():
        names = {id(node.value): node.targets[0] for node in ast.walk(tree) if isinstance(node, ast.Assign)}
        for node in ast.walk(tree):
            if _is_call(node):
                found.append(_read_call(path, node, names.get(id(node)), used))
    return found


def _is_call(node: ast.AST) -> bool:
    func = getattr(node, "func", None)
    return (
        isinstance(node, ast.Call)
        and isinstance(func, ast.Attribute)
        and getattr(func.value, "id", None) == "re"
        and func.attr in CALLS
    )


def _methods_by_name(trees: Any) -> dict[str, set[str]]:
    """Return which methods are called on each name: ``_CODE.search(text)``."""
    used: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in CALLS:
                used.setdefault(node.value.id, set()).add(node.attr)
    return used


def _read_call(path: Path, node: Any, target: Any, used: Mapping[str, set[str]]) -> Regex:
    file = str(path.relative_to(ROOT))
    given = next((values for name, values in LOCALS.items() if file.endswith(name)), {})
    names = {**vars(importlib.import_module(_module_of(path))), **given}
    flags = [k.value for k in node.keywords if k.arg == "flags"] + (node.args[1:2] if node.func.attr == "compile" else [])
    pattern, *flag = (eval(compile(ast.Expression(part), file, "eval"), names) for part in (node.args[0], *flags))  # noqa: S307
    methods = {node.func.attr}
    if node.func.attr == "compile":
        methods = used.get(getattr(target, "id", ""), set(CALLS)) - {"compile"} or set(CALLS) - {"compile"}
    compiled = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, *flag)
    wanted = {"finditer" if m in WHOLE else m for m in methods}
    return Regex(file=file, line=node.lineno, pattern=compiled, methods=frozenset(wanted))


def _module_of(path: Path) -> str:
    name, root = next((name, root) for name, root in PLACES.items() if path.is_relative_to(root))
    parts = [part for part in path.relative_to(root).with_suffix("").parts if part != "__init__"]
    return ".".join([name, *parts])


def pump_strings(pattern: str, flags: int) -> Iterator[Callable[[int], str]]:
    """Yield strings of any length: parts of a match, then one or two characters repeated, then what fails."""
    parsed = _parser.parse(pattern, flags & ~re.DEBUG)
    prefixes, bodies = _repeats(parsed)
    units = dict.fromkeys([*bodies, *UNITS, *("".join(two) for two in permutations(bodies[:4], 2))])
    for prefix in dict.fromkeys(["", *prefixes[:4]]):
        for unit in units:
            for tail in TAILS:
                yield lambda n, prefix=prefix, unit=unit, tail=tail: prefix + unit * (n // len(unit)) + tail  # type: ignore[misc]


def _repeats(parsed: Any) -> tuple[list[str], list[str]]:
    """Return, for each repetition in an expression, a text that leads to it, and one that it repeats."""
    prefixes: list[str] = []
    bodies: list[str] = []

    def walk(nodes: Any, before: str) -> str:
        for op, arg in nodes:
            name = str(op)
            if name.endswith("REPEAT"):
                least, most, inner = arg
                body = _sample(inner)
                if most > 1:
                    prefixes.append(before)
                    bodies.extend(text for text in _samples(inner) if text)
                walk(inner, before)
                before += body * max(least, 1)
            elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
                before = walk(arg[-1] if name == "SUBPATTERN" else arg, before)
            elif name == "BRANCH":
                ends = [walk(branch, before) for branch in arg[1]]
                before = ends[0]
            else:
                before += _sample([(op, arg)])
        return before

    walk(parsed, "")
    return list(dict.fromkeys(prefixes)), list(dict.fromkeys(bodies))


def _samples(nodes: Any) -> list[str]:
    """Return some texts of one repeated part: its first match, and characters of its sets."""
    found = [_sample(nodes)]
    if len(nodes) == 1 and str(nodes[0][0]) == "IN":
        found += [chr(arg) for op, arg in nodes[0][1] if str(op) == "LITERAL"]
    return found


def _sample(nodes: Any) -> str:
    """Return a text that the nodes probably match."""
    text = ""
    for op, arg in nodes:
        name = str(op)
        if name == "LITERAL":
            text += chr(arg)
        elif name == "NOT_LITERAL" or name == "ANY":
            text += "a" if name == "ANY" or arg != ord("a") else "b"
        elif name == "IN":
            text += _sample_set(arg)
        elif name.endswith("REPEAT"):
            text += _sample(arg[2]) * max(1, arg[0])
        elif name == "SUBPATTERN":
            text += _sample(arg[-1])
        elif name == "ATOMIC_GROUP":
            text += _sample(arg)
        elif name == "BRANCH":
            text += _sample(arg[1][0])
    return text


_CATEGORIES = {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}


def _sample_set(items: Any) -> str:
    negated = str(items[0][0]) == "NEGATE"
    for op, arg in items:
        if negated:
            break
        if str(op) == "LITERAL":
            return chr(arg)
        if str(op) == "RANGE":
            return chr(arg[0])
        if str(op) == "CATEGORY":
            return _CATEGORIES.get(str(arg), "a")
    taken = {chr(arg) for op, arg in items if str(op) == "LITERAL"}
    return next(c for c in "a,x0 " if c not in taken)


def cpu_of(call: Callable[[Any], Any], text: Any, times: int = 1) -> float:
    """Return the least CPU seconds that one call needs."""
    found = []
    for _ in range(times):
        start = time.process_time()
        result = call(text)
        if result is not None and not isinstance(result, re.Match):
            for _ in result:
                pass
        found.append(time.process_time() - start)
    return min(found)


def _least_growth(call: Callable[[Any], Any], large: Any, huge: Any) -> float:
    """Return how much more CPU *huge* needs; measured up to three times, since a busy machine makes single ones too large."""
    least = float("inf")
    for _ in range(3):
        least = min(least, _mean_cpu(call, huge) / _mean_cpu(call, large))
        if least <= MAX_GROWTH:
            break
    return least


def _mean_cpu(call: Callable[[Any], Any], text: Any) -> float:
    """Return the CPU seconds of one call, from as many as the clock needs: on some machines it counts in ticks."""
    calls, begun = 0, time.process_time()
    while (taken := time.process_time() - begun) < MIN_MEASURED_SECONDS:
        cpu_of(call, text)
        calls += 1
    return taken / calls


def find_slow(regex: Regex) -> dict[str, Any] | None:
    """Return a string on which an expression is not linear, and how much CPU it takes; None: none was found."""
    source = regex.pattern.pattern
    is_bytes = isinstance(source, bytes)
    text = source.decode("latin-1") if is_bytes else source
    for make in pump_strings(text, regex.pattern.flags):
        for method in sorted(regex.methods):
            call = getattr(regex.pattern, method)

            def given(n: int, make: Callable[[int], str] = make) -> Any:
                return make(n).encode("latin-1", "replace") if is_bytes else make(n)

            if cpu_of(call, given(SMALL)) > SUSPICIOUS_SECONDS * 20:
                return {"string": make(8), "method": method, "characters": SMALL}
            if cpu_of(call, given(LARGE)) < SUSPICIOUS_SECONDS or cpu_of(call, given(LARGE), 3) < SUSPICIOUS_SECONDS:
                continue
            growth = _least_growth(call, given(LARGE), given(HUGE))
            if growth > MAX_GROWTH:
                return {"string": make(8), "method": method, "growth": round(growth)}
    return None


def main() -> None:
    """Print what was tried, and what is not linear."""
    seconds, *patterns = sys.argv[1:] or [str(CPU_SECONDS)]
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), resource.getrlimit(resource.RLIMIT_CPU)[1]))
    regexes = [Regex(file="given", line=0, pattern=re.compile(p), methods=frozenset({"search"})) for p in patterns]
    slow = []
    tried = regexes or find_regexes()
    for regex in tried:
        print(f"{regex.file}:{regex.line}", file=sys.stderr, flush=True)
        if found := find_slow(regex):
            slow.append({"where": f"{regex.file}:{regex.line}", "pattern": str(regex.pattern.pattern), **found})
    print(json.dumps({"tried": len(tried), "slow": slow}))


if __name__ == "__main__":
    main()
