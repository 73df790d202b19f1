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

    from bokit.engine.catalog.options import OptionDocument

options = typer.Typer(no_args_is_help=True, help="Options of the tenant.")
config = typer.Typer(no_args_is_help=True, help="Import everything from one file.")
OptionName = Annotated[str, typer.Argument(metavar="NAME", help="A name that `bokit options list` shows.")]
MAX_CONFIG_BYTES = 5_000_000


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(options, name="options")
    app.add_typer(config, name="config")


@options.command("list")
def list_options(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the options with their values."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.list_options(session.tenant)
    rows = [(o["name"], _value_words(o["value"]), _source_words(o), o["about"]) for o in found]
    session.answer_list(found, lambda c: print_table(c, ["option!", "value!", "", ""], rows, ""))


@options.command("get")
def get_option(ctx: typer.Context, name: OptionName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Print one option's value."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.get(session.tenant, name)
    session.answer(found, lambda c: print_line(c, _value_words(found["value"])))


@options.command("set")
def set_option(ctx: typer.Context, name: OptionName, value: str, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Set an option; takes effect at once."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.set(session.tenant, name, value)
    session.answer(found, lambda c: print_line(c, f"{name} is {_value_words(found['value'])}"))


@options.command("unset")
def unset_option(ctx: typer.Context, name: OptionName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Restore an option's default."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.unset(session.tenant, name)
    session.answer(found, lambda c: print_line(c, f"{name} is {_value_words(found['value'])} again"))


def _source_words(option: OptionDocument) -> str:
    return f"stored value not used: {option['fault']}" if option["fault"] else "set" if option["is_set"] else ""


def _value_words(value: Any) -> str:
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@config.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON; - for standard input.")],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Import properties, units and sources; running it again changes only what differs."""
    from bokit.engine.catalog.config.file import read_config
    from bokit.engine.catalog.config.importing import import_config

    content = read_config(load_document(file), lambda name: load_beside(file, name))
    session = Session(ctx, tenant, as_json)
    done = import_config(session.bokit.catalog, session.tenant, content).as_dict()
    session.answer(done, lambda c: _show_import(c, done))


def _show_import(console: Console, done: dict[str, list[dict[str, Any]]]) -> None:
    rows = [(how, d["kind"], d["name"], d["id"]) for how in ("added", "changed") for d in done[how]]
    print_table(console, ["", "what", "name", "id!"], rows, "no changes")
    print_line(console, ", ".join(f"{len(items)} {how}" for how, items in done.items()))


def load_document(file: str) -> object:
    """Return the content of a YAML or JSON file; raises InputError that names the line."""
    from bokit.errors import InputError

    try:
        data = sys.stdin.buffer.read(MAX_CONFIG_BYTES + 1) if file == "-" else _load(Path(file))
        if len(data) > MAX_CONFIG_BYTES:
            raise InputError(f"a config file may have {MAX_CONFIG_BYTES} bytes", file=file)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8 text", file=file) from error
    return _parse(text, file)


def load_beside(file: str, name: str) -> object:
    """Return the content of a file beside a config file, which names it."""
    from bokit.errors import InputError

    path = Path(name)
    if file == "-" or path.is_absolute() or ".." in path.parts:
        raise InputError("not a JSON Schema; write it inline, or name a file beside this one")
    return load_document(str(Path(file).parent / path))


def _load(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(MAX_CONFIG_BYTES + 1)


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
