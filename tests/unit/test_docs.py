"""The documents and the code agree on commands, options, error codes, variables and make targets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from bokit.core.ical.groups import NOTES
from bokit.core.model.options import OPTIONS
from bokit_cli.main import app

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
CODE = [*(ROOT / "layers/shared/bokit").rglob("*.py"), *(ROOT / "cli/bokit_cli").rglob("*.py"), *(ROOT / "local").rglob("*.py")]


def documented(section: str) -> set[str]:
    """Return the first column of the tables under a heading of the reference."""
    text = REFERENCE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([^`]+)` ", text, re.MULTILINE))


def commands() -> Iterator[str]:
    """Yield every command, with its groups before it."""
    waiting = [("bokit", typer.main.get_command(app))]
    while waiting:
        path, command = waiting.pop()
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path
        waiting += [(f"{path} {name}", sub) for name, sub in (inner or {}).items()]


def error_codes() -> Iterator[str]:
    """Yield every code that the code writes down: as an argument, on a class, or as a reader's or guard's constant."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                yield from texts_of(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BadEventError" and node.args:
                yield from texts_of(node.args[0])
            elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "code" and node.value:
                yield from texts_of(node.value)


def texts_of(node: ast.expr) -> list[str]:
    """Return the text of a constant; nothing of what is computed."""
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def variables() -> set[str]:
    """Return the variables of ours that the code reads."""
    found = {name for path in CODE for name in re.findall(r'"(BOKIT_[A-Z_]+)"', path.read_text(encoding="utf-8"))}
    return {name for name in found if name != "BOKIT_"}


def test_every_command_is_documented_and_no_other():
    """The reference lists the commands that there are."""
    assert documented("Commands") == set(commands())


def test_every_option_is_documented_and_no_other():
    """The reference lists the options that there are."""
    assert documented("Options") == set(OPTIONS)


def test_every_error_code_is_documented():
    """A code that a program may meet stands in the reference."""
    assert (set(error_codes()) | NOTES) - documented("Error codes") == set()


def test_every_documented_error_code_is_somewhere_in_the_code():
    """A code that is no longer raised does not stay in the reference."""
    source = "".join(path.read_text(encoding="utf-8") for path in CODE)

    assert [code for code in documented("Error codes") if f'"{code.split("…")[0]}' not in source] == []


def test_every_variable_is_documented_and_no_other():
    """The reference lists the variables that are read."""
    assert documented("Variables") == variables()


def test_every_make_target_that_documents_name_exists():
    """README, the documents and the contributing page name targets that there are."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    named = {t for page in pages for t in re.findall(r"`?\bmake ([a-z]+)\b(?=[`\s])", page.read_text(encoding="utf-8"))}

    assert {
        name for name in named if name in {"demo", "up", "down", "test", "check", "bench", "deploy", "lock", "fmt"}
    } <= targets


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))])
def test_every_command_that_a_page_shows_exists(page):
    """A `bokit …` on a page is a command that there is."""
    known = set(commands()) | {"bokit"}
    groups = {c.rsplit(" ", 1)[0] for c in known}
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = {re.sub(r"\s+", " ", s) for s in re.findall(r"`(?:\.venv/bin/)?(bokit(?: [a-z-]+){1,2})", text)}

    unknown = {s for s in shown if not {s, s.rsplit(" ", 1)[0]} & (known | groups) - {"bokit"}}
    assert unknown == set()
