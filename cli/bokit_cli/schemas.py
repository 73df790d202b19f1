"""``python -m bokit_cli.schemas docs/schemas`` writes the JSON Schemas of the config file and of each document of ``--json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bokit.http.schemas import build_schemas
from bokit_cli.config_schema import DRAFT, any_of, build_config_schema
from bokit_cli.documents import COMMANDS, CONFIG, CommandFailureDocument, Shape

Schema = dict[str, Any]
CONFIG_FILE, COMMANDS_FILE = "config.schema.json", "commands.schema.json"
ABOUT = (
    "What each command of `bokit` prints with `--json`, by its words: the document of `bokit source list --json` is "
    "`properties/source list`. Documents that the HTTP API answers, too, "
    "are those of docs/openapi.json. Later releases may add properties. A command that fails prints "
    "`$defs/CommandFailure` in place of its document."
)


def build_files() -> dict[str, Schema]:
    """Return each schema by the name of its file."""
    return {CONFIG_FILE: build_config_schema(), COMMANDS_FILE: build_commands_schema()}


def build_commands_schema() -> Schema:
    """Return the schema of an object with each command's document under its words."""
    types = {document.__name__: document for shapes in COMMANDS.values() for document in _documents(shapes)}
    types[CommandFailureDocument.__name__] = CommandFailureDocument
    definitions: Schema = _with_own_references(build_schemas(types[name] for name in sorted(types)))
    commands = {words: _describe(shapes) for words, shapes in sorted(COMMANDS.items())}
    return {
        "$schema": DRAFT,
        "title": "The documents of Bokit's command line",
        "description": ABOUT,
        "type": "object",
        "additionalProperties": False,
        "properties": commands,
        "$defs": dict(sorted(definitions.items())),
    }


def _documents(shapes: tuple[Shape, ...]) -> Iterator[Any]:
    """Yield the types of a command's documents."""
    for shape in shapes:
        if shape != CONFIG:
            yield shape[0] if isinstance(shape, list) else shape


def _describe(shapes: tuple[Shape, ...]) -> Schema:
    described = [_describe_shape(shape) for shape in shapes]
    return described[0] if len(described) == 1 else any_of(*described)


def _describe_shape(shape: Shape) -> Schema:
    if shape == CONFIG:
        return {"$ref": CONFIG_FILE}
    if not isinstance(shape, list):
        return {"$ref": f"#/$defs/{shape.__name__.removesuffix('Document')}"}
    return {
        "type": "object",
        "required": ["items", "cursor"],
        "additionalProperties": False,
        "properties": {
            "items": {"type": "array", "items": _describe_shape(shape[0])},
            "cursor": {"description": "Where the next page begins; null: this is the last.", "type": ["string", "null"]},
        },
    }


def _with_own_references(schema: Any) -> Any:
    """Return schemas of the OpenAPI document with references within this file."""
    if isinstance(schema, Mapping):
        return {
            k: v.replace("#/components/schemas/", "#/$defs/") if k == "$ref" else _with_own_references(v)
            for k, v in schema.items()
        }
    return [_with_own_references(each) for each in schema] if isinstance(schema, list) else schema


def write_schema(schema: Mapping[str, Any]) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_files(folder: Path) -> None:
    """Write all of them to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in build_files().items():
        (folder / name).write_text(write_schema(schema), encoding="utf-8")


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
