"""``bokit config``: everything that is declared, from and to one file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import plural, print_json, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.records import Json
    from bokit.engine.catalog.config.importing import ImportResult
    from bokit.engine.catalog.config.planning import ConfigItemDocument, ConfigPlanDocument
    from bokit.engine.catalog.config.spec import Config

config = typer.Typer(no_args_is_help=True, help="Everything that is declared, from and to one file.")
File = Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON; - for standard input.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove what is not in the file; future nights stay held.")]
CHANGES = Table(
    Column("change"), Column("kind"), Column("name", least=16), Column("details", drop=2, least=24), empty="no changes"
)
MAX_CONFIG_BYTES = 5_000_000
SECRET_NOTE = "the file has addresses of calendars and keys in clear: keep it secret"  # noqa: S105 - a sentence


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(config, name="config")


# ── export ──


@config.command("export")
def export_file(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="YAML, or JSON if it ends so; standard output if omitted.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Export what `config import` reads. The file is secret: it has addresses and keys in clear."""
    from bokit.engine.catalog.config.exporting import write_config
    from bokit.engine.catalog.config.stored import read_stored

    session = Session(ctx, tenant, as_json)
    stored = read_stored(session.bokit.catalog, session.tenant)
    document = write_config(stored)
    if file is None:
        sys.stderr.write(f"note: {SECRET_NOTE}\n")
        _print_config(document, as_json)
        return
    save_secret(Path(file), write_text(document, as_json=as_json or file.endswith(".json")), force=force)
    counts = _count(stored)
    session.answer({"file": file, **counts}, lambda c: _show_export(c, file, counts))


def _print_config(document: dict[str, Json], as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        sys.stdout.write(write_text(document, as_json=False))


def _show_export(console: Console, file: str, counts: dict[str, int]) -> None:
    words = (
        plural(counts["properties"], "property", "properties"),
        plural(counts["units"], "unit"),
        plural(counts["sources"], "source"),
        plural(counts["collections"], "collection"),
    )
    print_line(console, f"wrote {file}: {', '.join(words)}")
    print_line(console, f"{SECRET_NOTE}; only you may read it (mode 600)")


def _count(stored: Config) -> dict[str, int]:
    units = [unit for house in stored.properties for unit in house.units]
    return {
        "properties": len(stored.properties),
        "units": len(units),
        "sources": sum(len(unit.sources) for unit in units) + len(stored.sources),
        "collections": len(stored.collections),
    }


def write_text(document: dict[str, Json], *, as_json: bool) -> str:
    """Return a config file's text; a YAML file begins with what it is."""
    if as_json:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    import yaml

    class Writer(yaml.SafeDumper):
        """Writes no references, and texts with line separators in escapes, which are read back unchanged."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_text(self, text: str) -> Any:
            style = '"' if any(c in text for c in "\x85\u2028\u2029") else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Writer.add_representer(str, Writer.represent_text)
    text = yaml.dump(document, Dumper=Writer, allow_unicode=True, sort_keys=False, width=120)
    return f"# For `bokit config import`. Secret: {SECRET_NOTE}.\n{text}"


def save_secret(path: Path, text: str, *, force: bool) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    from bokit.errors import InputError

    if path.exists() and not force:
        raise InputError("the file exists; --force replaces it", file=str(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"the file cannot be written: {error.strerror}", file=str(path)) from error
    finally:
        draft.unlink(missing_ok=True)


# ── import and what it would change ──


@config.command("diff")
def diff_file(
    ctx: typer.Context,
    file: File,
    prune: Prune = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where something differs.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> int:
    """Show what an import would change; nothing is written."""
    from bokit.engine.catalog.config.importing import plan_import

    content = read_file(file)
    session = Session(ctx, tenant, as_json)
    plan = plan_import(session.bokit.catalog, session.tenant, content, prune=prune).as_dict(dry_run=True)
    session.answer(plan, lambda c: show_plan(c, plan))
    return int(check and any(plan[how] for how in ("added", "changed", "left", "removed", "kept")))


@config.command("import")
def import_file(
    ctx: typer.Context,
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    prune: Prune = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove, and free nights by moves, without asking.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Fetch new JSON sources once; suggest how their pages follow.")
    ] = True,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> int:
    """Import properties, units and sources; running it again changes only what differs."""
    from bokit.engine.catalog.config.advice import add_advice
    from bokit.engine.catalog.config.importing import import_config, plan_import

    content = read_file(file)
    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    if dry_run or not yes:
        plan = plan_import(catalog, session.tenant, content, prune=prune)
        if dry_run:
            doc = plan.as_dict(dry_run=True)
            session.answer(doc, lambda c: show_plan(c, doc))
            return 0
        _confirm(session, plan)
    result = import_config(catalog, session.tenant, content, prune=prune, release=True, by=session.user)
    if check:
        add_advice(catalog, session.tenant, result)
    done = result.as_dict()
    session.answer(done, lambda c: show_plan(c, done))
    return 1 if done["kept"] else 0


def _confirm(session: Session, plan: ImportResult) -> None:
    """Ask before anything is removed, and before a move frees nights; where nobody can answer, refuse."""
    from bokit.errors import InputError

    nights = sum(item.get("frees", 0) for item in plan.changed)
    if not plan.removed and not nights:
        return
    if session.as_json or not sys.stdin.isatty():
        removed = f"{plural(len(plan.removed), 'item')} would be removed" if plan.removed else ""
        freed = f"sources that move would free {plural(nights, 'night')}" if nights else ""
        raise InputError(f"{', and '.join(filter(None, (removed, freed)))}; --dry-run lists them, --yes imports the file")
    show_plan(session.console, plan.as_dict(dry_run=True))
    typer.confirm("import it?", abort=True)


def show_plan(console: Console, plan: ConfigPlanDocument) -> None:
    """Print what an import changed, or would change, by full names."""
    rows = []
    for how in ("added", "changed", "removed", "kept", "left"):
        items = plan[how]
        rows += [(how, d["kind"], d["full_name"], d.get("reason") or _field_words(how, d)) for d in items]
    if not CHANGES.print(console, rows):
        for _, _, name, details in rows:
            if details:
                print_line(console, f"{name}: {details}")
    for item in (*plan["changed"], *plan["removed"], *plan["kept"], *plan["left"]):
        for effect in item["effects"]:
            print_line(console, f"{item['full_name']}: {effect}")
    for item in (*plan["added"], *plan["changed"]):
        for note in item.get("notes", ()):
            print_line(console, f"{item['full_name']}: {note}")
    counts = ", ".join(f"{len(plan[how])} {how}" for how in ("added", "changed", "unchanged"))
    print_line(console, f"{counts}; dry run, nothing was written" if plan["dry_run"] else counts)
    if plan["left"]:
        print_line(console, f"{len(plan['left'])} not in the file, and left as they are; --prune removes them")
    if plan["removed"]:
        held = "will stay held" if plan["dry_run"] else "stay held"
        is_fed = all(item["effects"] for item in plan["removed"])
        nights = "" if is_fed else f"; their future nights {held} until `bokit source remove ID --release`"
        print_line(console, f"{len(plan['removed'])} removed{nights}")


def _field_words(how: str, item: ConfigItemDocument) -> str:
    """Return a change's fields, and the nights that it frees; of what is new or gone the name is enough."""
    if how != "changed":
        return ""
    words = [f"{name}: {_words(d['from'])} → {_words(d['to'])}" for name, d in item["fields"].items()]
    frees = item.get("frees", 0)
    return ", ".join([*words, f"frees {plural(frees, 'night')}"] if frees else words)


def _words(value: Any) -> str:
    if value is None or value == []:
        return "–"
    return str(value) if isinstance(value, (str, int, float)) else "…" if isinstance(value, dict) else ", ".join(map(str, value))


# ── reading ──


def read_file(file: str) -> Config:
    """Return what a config file declares; raises InputError that names the line or the path of what is wrong."""
    from bokit.engine.catalog.config.file import read_config

    return read_config(load_document(file), lambda name: load_beside(file, name))


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
    return load_text(text, file)


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


def load_text(text: str, file: str) -> object:
    """Return the content of a config file's text; raises InputError that names the line."""
    import yaml

    from bokit.errors import InputError

    class Reader(yaml.SafeLoader):
        """Reads 15:00 as the text that it is: YAML 1.1 has it for the number 900, written in base 60."""

        def construct_yaml_int(self, node: Any) -> Any:
            return node.value if ":" in node.value else super().construct_yaml_int(node)

    Reader.add_constructor("tag:yaml.org,2002:int", Reader.construct_yaml_int)
    is_json = text.lstrip().startswith(("{", "[")) and file.endswith(".json")
    try:
        return json.loads(text) if is_json else yaml.load(text, Loader=Reader)  # noqa: S506 # nosec B506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        raise InputError(f"not YAML: {error.problem or 'wrong'}, {place}", file=file) from error
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}, line {error.lineno}", file=file) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError("neither YAML nor JSON", file=file) from error
