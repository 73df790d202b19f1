"""``bokit options`` and ``bokit config``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import print_line, print_table

if TYPE_CHECKING:
    from rich.console import Console

options = typer.Typer(no_args_is_help=True, help="How this tenant is synced.")
config = typer.Typer(no_args_is_help=True, help="Everything declared in one file.")
OptionName = Annotated[str, typer.Argument(metavar="NAME", help="As `bokit options list` shows it.")]
LARGEST = 5_000_000
"""Bytes of a config file."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(options, name="options")
    app.add_typer(config, name="config")


@options.command("list")
def list_options(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the options with their values."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.list_options(session.tenant)
    rows = [(o["name"], _word(o["value"]), "set" if o["is_set"] else "", o["about"]) for o in found]
    session.answer_list(found, lambda c: print_table(c, ["option!", "value!", "", ""], rows, ""))


@options.command("get")
def get_option(ctx: typer.Context, name: OptionName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Print one option's value."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.get(session.tenant, name)
    session.answer(found, lambda c: print_line(c, _word(found["value"])))


@options.command("set")
def set_option(ctx: typer.Context, name: OptionName, value: str, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Set an option; it takes effect now."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.set(session.tenant, name, value)
    session.answer(found, lambda c: print_line(c, f"{name} is {_word(found['value'])}"))


@options.command("unset")
def unset_option(ctx: typer.Context, name: OptionName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Go back to an option's default."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.unset(session.tenant, name)
    session.answer(found, lambda c: print_line(c, f"{name} is {_word(found['value'])} again"))


def _word(value: Any) -> str:
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@config.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON; - for standard input.")],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Declare properties, units and sources; again changes only what differs."""
    from bokit.engine.catalog.config.file import read_config

    told = read_config(load_document(file), lambda name: load_beside(file, name))
    session = Session(ctx, tenant, as_json)
    done = session.bokit.catalog.import_config(session.tenant, told)
    session.answer(done.as_dict(), lambda c: _show_import(c, done.as_dict()))


def _show_import(console: Console, done: dict[str, list[dict[str, Any]]]) -> None:
    rows = [(how, d["kind"], d["name"], d["id"]) for how in ("added", "changed") for d in done[how]]
    print_table(console, ["", "what", "name", "id!"], rows, "nothing differs")
    print_line(console, ", ".join(f"{len(items)} {how}" for how, items in done.items()))


def load_document(file: str) -> object:
    """Return what a YAML or JSON file holds; raises InputError that says where it is wrong."""
    from bokit.errors import InputError

    try:
        data = sys.stdin.buffer.read(LARGEST + 1) if file == "-" else _load(Path(file))
        if len(data) > LARGEST:
            raise InputError("the file is too large for a config file", file=file)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise InputError("the file is no UTF-8 text", file=file) from error
    return _parse(text, file)


def load_beside(file: str, name: str) -> object:
    """Return the document in a file that a config file names, by its place beside that one."""
    from bokit.errors import InputError

    path = Path(name)
    if file == "-" or path.is_absolute() or ".." in path.parts:
        raise InputError("not a JSON Schema; write it here, or the name of a file beside this one")
    return load_document(str(Path(file).parent / path))


def _load(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(LARGEST + 1)


def _parse(text: str, file: str) -> object:
    import yaml

    from bokit.errors import InputError

    try:
        return json.loads(text) if text.lstrip().startswith(("{", "[")) and file.endswith(".json") else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        raise InputError(f"not YAML: {error.problem or 'wrong'}, {place}", file=file) from error
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}, line {error.lineno}", file=file) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError("neither YAML nor JSON", file=file) from error
