"""DynamoDB's expressions, read by its published grammar: conditions, key conditions, filters, updates and projections.

What is read reports the rules that it breaks; after an error of grammar the rest of an expression is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from itertools import combinations
from typing import Any

from tests.support.aws_rules.values import SETS, TYPES, Report, Value, check_name, check_value

MAX_EXPRESSION = 4096
MAX_OPERATORS = 300
MAX_OPERANDS_OF_IN = 100
MAX_SUBSTITUTE = 255
MAX_SUBSTITUTES = 2 * 1024 * 1024
COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
CONDITIONS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
"""Functions that are true or false, and how many operands each has."""
TOKEN = re.compile(r"\s*(?:([#:]?[A-Za-z0-9_]+)|(<>|<=|>=|[=<>+\-(),.\[\]]))")

Path = tuple[str | int, ...]
Node = tuple[Any, ...]
"""("path", its parts), ("value", its substitute), ("size", path), or a condition: its kind first, then its parts."""


@cache
def reserved_words() -> frozenset[str]:
    """Return the words that no expression may use as they are, from moto's copy of AWS's list."""
    from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords  # here: few expressions have a plain name

    return frozenset(ReservedKeywords.get_reserved_keywords())


class GrammarError(Exception):
    """An expression that cannot be read on."""


class Substitutes:
    """The names and values that a request's expressions share; each must be used, and those that are used be there."""

    def __init__(self, names: Mapping[str, str], values: Mapping[str, Value], report: Report) -> None:
        self.names, self.values, self.report, self.used = names, values, report, set[str]()

    def check(self) -> None:
        """Hold what is given against its own rules, once every expression has been read."""
        size = 0
        for kind, given in (("#", self.names), (":", self.values)):
            for name in given:
                if not re.fullmatch(rf"{kind}[A-Za-z0-9_]+", name) or len(name) > MAX_SUBSTITUTE:
                    self.report("substitute-form", name[:80])
                if name not in self.used:
                    self.report("unused-substitute", name)
        for name in self.names.values():
            size += check_name(name, self.report)
        for value in self.values.values():
            size += check_value(value, self.report)
        if size > MAX_SUBSTITUTES:
            self.report("substitutes-size", size)

    def name(self, token: str) -> str:
        self.used.add(token)
        if token not in self.names:
            self.report("undefined-substitute", token)
        return self.names.get(token, token)

    def value(self, token: str) -> Value:
        self.used.add(token)
        if token not in self.values:
            self.report("undefined-substitute", token)
        return self.values.get(token, {})


class Reader:
    """One expression, read from left to right."""

    def __init__(self, text: str, substitutes: Substitutes, report: Report) -> None:
        self.text, self.substitutes, self.report = text, substitutes, report
        self.operators, self.at = 0, 0
        self.paths: list[Path] = []
        self.tokens = self.split()

    def split(self) -> list[str]:
        found, at = [], 0
        text = self.text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                raise GrammarError(text[at : at + 40])
            found.append(match[1] or match[2])
            at = match.end()
        return found

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def is_at(self, word: str) -> bool:
        return self.next.upper() == word

    def take(self, *expected: str) -> str:
        token = self.next
        if not token or (expected and token.upper() not in expected):
            raise GrammarError(f"{token or 'the end'} instead of {expected}")
        self.at += 1
        return token

    def end(self) -> None:
        if self.next:
            raise GrammarError(f"{self.next} behind the end")
        if self.operators > MAX_OPERATORS:
            self.report("operators", self.operators)

    def comma_list(self, read: Callable[[], Node]) -> list[Node]:
        found = [read()]
        while self.is_at(","):
            self.take()
            found.append(read())
        return found

    # ---- operands

    def path(self) -> Node:
        parts: list[str | int] = [self.element()]
        while self.next in (".", "["):
            if self.take() == ".":
                parts.append(self.element())
                continue
            number = self.take()
            if not number.isdigit():
                raise GrammarError(f"{number} as a place in a list")
            parts.append(int(number))
            self.take("]")
        self.paths.append(tuple(parts))
        return "path", tuple(parts)

    def element(self) -> str:
        token = self.take()
        if token.startswith("#"):
            return self.substitutes.name(token)
        if not re.fullmatch(r"[A-Za-z_]\w*", token):
            raise GrammarError(f"{token} as a name")
        if token.upper() in reserved_words():
            self.report("reserved-word", token)
        return token

    def operand(self) -> Node:
        if self.next.startswith(":"):
            token = self.take()
            self.substitutes.value(token)
            return "value", token
        if self.next == "size" and self.tokens[self.at + 1 : self.at + 2] == ["("]:
            self.take()
            self.operators += 1
            return "size", self.between_brackets(self.path)
        return self.path()

    def between_brackets(self, read: Callable[[], Any]) -> Any:
        self.take("(")
        found = read()
        self.take(")")
        return found

    def kind(self, node: Node) -> str | None:
        """Return the type of an operand; None where only the stored item says it."""
        if node[0] == "size":
            return "N"
        return next(iter(self.substitutes.values.get(node[1], {})), None) if node[0] == "value" else None

    def must_be(self, node: Node, kinds: frozenset[str] | set[str], what: str) -> None:
        kind = self.kind(node)
        if kind is not None and kind not in kinds:
            self.report("operand-type", (what, kind))

    # ---- conditions

    def condition(self) -> Node:
        found = self.joined("OR", lambda: self.joined("AND", self.negated))
        self.end()
        return found

    def joined(self, word: str, read: Callable[[], Node]) -> Node:
        found = read()
        while self.is_at(word):
            self.take()
            self.operators += 1
            found = (word, found, read())
        return found

    def negated(self) -> Node:
        if self.is_at("NOT"):
            self.take()
            self.operators += 1
            return "NOT", self.negated()
        return self.single()

    def single(self) -> Node:
        if self.next == "(":
            inner = self.between_brackets(lambda: self.joined("OR", lambda: self.joined("AND", self.negated)))
            if inner[0] == "()":
                self.report("redundant-parentheses", self.text[:80])
            return "()", inner
        if self.next in CONDITIONS:
            return self.call()
        left = self.operand()
        self.operators += 1
        if self.is_at("BETWEEN"):
            return self.between(left)
        if self.is_at("IN"):
            return self.one_of(left)
        sign = self.take(*COMPARATORS)
        right = self.operand()
        if left == right:
            self.report("same-operand", self.text[:80])
        if sign not in ("=", "<>"):
            for node in (left, right):
                self.must_be(node, {"S", "N", "B"}, sign)
            self.same_kind([left, right])
        return sign, left, right

    def same_kind(self, nodes: list[Node]) -> None:
        if len({kind for node in nodes if (kind := self.kind(node))}) > 1:
            self.report("operand-type", self.text[:80])

    def between(self, left: Node) -> Node:
        self.take("BETWEEN")
        low = self.operand()
        self.take("AND")
        high = self.operand()
        for node in (low, high):
            self.must_be(node, {"S", "N", "B"}, "BETWEEN")
        self.same_kind([left, low, high])
        values = [self.substitutes.values.get(str(node[1]), {}) for node in (low, high)]
        if all(values) and self.kind(low) == self.kind(high) and order_of(values[0]) > order_of(values[1]):
            self.report("between-order", values)
        return "BETWEEN", left, low, high

    def one_of(self, left: Node) -> Node:
        self.take("IN")
        found = self.between_brackets(lambda: self.comma_list(self.operand))
        if len(found) > MAX_OPERANDS_OF_IN:
            self.report("operands-of-in", len(found))
        return "IN", left, *found

    def call(self) -> Node:
        name = self.take()
        self.operators += 1
        operands = self.between_brackets(lambda: self.comma_list(self.operand))
        if len(operands) != CONDITIONS[name]:
            raise GrammarError(f"{name} of {len(operands)} operands")
        if name != "contains" and operands[0][0] != "path":
            self.report("operand-type", (name, operands[0]))
        if name == "begins_with":
            self.must_be(operands[1], {"S", "B"}, name)
        if name == "attribute_type":
            self.must_be(operands[1], {"S"}, name)
            if self.substitutes.values.get(str(operands[1][1]), {}).get("S") not in TYPES:
                self.report("operand-type", (name, operands[1]))
        return (name, *operands)

    # ---- updates

    def update(self) -> dict[Path, Node]:
        """Return what each path is set to, or ``("?",)``."""
        done: dict[Path, Node] = {}
        seen: list[Path] = []
        clauses: list[str] = []
        readers = {"SET": self.assignment, "REMOVE": self.removal, "ADD": self.addition, "DELETE": self.deletion}
        while self.next:
            word = self.take(*readers).upper()
            if word in clauses:
                raise GrammarError(f"{word} twice")
            clauses.append(word)
            for path, node in self.comma_list(readers[word]):
                seen.append(path)
                done[path] = node
        if not clauses:
            raise GrammarError("no clause")
        check_overlap(seen, self.report)
        self.end()
        return done

    def assignment(self) -> Node:
        path = self.path()[1]
        self.take("=")
        self.operators += 1
        left = self.set_operand()
        if self.next not in ("+", "-"):
            return path, left
        self.take()
        self.operators += 1
        for node in (left, self.set_operand()):
            self.must_be(node, {"N"}, "arithmetic")
        return path, ("?",)

    def set_operand(self) -> Node:
        name = self.next
        if name not in ("if_not_exists", "list_append"):
            return self.operand()
        self.take()
        self.operators += 1
        operands = self.between_brackets(lambda: self.comma_list(self.set_operand))
        if len(operands) != 2:
            raise GrammarError(f"{name} of {len(operands)} operands")
        if name == "if_not_exists":
            if operands[0][0] != "path":
                self.report("operand-type", (name, operands[0]))
            return operands[1] if operands[1][0] == "value" else ("?",)
        for node in operands:
            self.must_be(node, {"L"}, name)
        return ("?",)

    def removal(self) -> Node:
        return self.path()[1], ("?",)

    def addition(self) -> Node:
        return self.with_value("ADD", {"N", *SETS})

    def deletion(self) -> Node:
        return self.with_value("DELETE", set(SETS))

    def with_value(self, word: str, kinds: set[str]) -> Node:
        path = self.path()[1]
        self.operators += 1
        if len(path) > 1:
            self.report("nested-add", (word, path))
        node = self.operand()
        if node[0] != "value":
            self.report("operand-type", (word, node))
        self.must_be(node, kinds, word)
        return path, ("?",)

    # ---- projections

    def projection(self) -> list[Path]:
        found = [node[1] for node in self.comma_list(self.path)]
        check_overlap(found, self.report)
        self.end()
        return found


def order_of(value: Value) -> Any:
    """Return what a literal is ordered by: numbers as such, texts by their bytes."""
    ((kind, inner),) = value.items()
    return Decimal(inner) if kind == "N" else inner.encode() if isinstance(inner, str) else inner


def check_overlap(paths: list[Path], report: Report) -> None:
    """No path may be another one, or lie within it; nor may one name a place in a list where another names a map's key."""
    for one, other in combinations(paths, 2):
        common = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        if common is None:
            report("overlapping-paths", (one, other))
        elif type(one[common]) is not type(other[common]):
            report("conflicting-paths", (one, other))


def read_expression(text: str, substitutes: Substitutes, report: Report, read: Callable[[Reader], Any]) -> Any:
    """Return what *read* makes of an expression, None where it cannot be read."""
    if len(text.encode()) > MAX_EXPRESSION:
        report("expression-size", len(text.encode()))
    try:
        return read(Reader(text, substitutes, report))
    except GrammarError as error:
        report("grammar", f"{error}: {text[:200]}")
        return None
