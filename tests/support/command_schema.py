"""The commands of the command line, and the schema of their documents, closed: what no schema names is a fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from bokit_cli.main import app
from bokit_cli.schemas import build_commands_schema

SCHEMA = build_commands_schema()


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the words of each command, and the command."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while waiting:
        path, command = waiting.pop()
        inner = getattr(command, "commands", None)
        if inner is None:
            yield " ".join(path), command
        waiting += [((*path, name), sub) for name, sub in (inner or {}).items()]


def close(schema: Any) -> Any:
    """Return a schema that takes no property that it does not name, so that nothing is printed that is not described."""
    if isinstance(schema, list):
        return [close(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
