"""``bokit backup``: everything that a table holds, in a file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.flags import DEFAULT, AsJson
from bokit_cli.new_files import new_file
from bokit_cli.session import Session
from bokit_cli.show import print_line

if TYPE_CHECKING:
    from rich.console import Console

backup = typer.Typer(no_args_is_help=True, help="Everything that the stack's table holds, in a file.")

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="NDJSON; compressed where its name ends in .gz.")]
KEEP_IT = "it has guests' names and addresses of calendars: keep it where nobody else reads it"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(backup, name="backup")


@backup.command("create")
def create_backup(ctx: typer.Context, file: BackupFile, as_json: AsJson = False) -> None:
    """Write all tenants' data to a new file, which only you may read."""
    from bokit.errors import InputError
    from bokit.wiring import open_backup

    session = Session(ctx, DEFAULT, as_json)
    service = open_backup(session.bokit)
    if file.exists():
        raise InputError("the file exists already; choose another name", file=str(file))
    with new_file(file) as opened:
        counts = service.create(opened.write)
    session.answer({"file": str(file), "counts": counts}, lambda c: _show(c, f"wrote {file}", counts, KEEP_IT))


@backup.command("restore")
def restore_backup(
    ctx: typer.Context,
    file: BackupFile,
    replace: Annotated[bool, typer.Option("--replace", help="First delete all that the table holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a backup, and write it to an empty table; after an interruption, the same command goes on."""
    from bokit.errors import InputError
    from bokit.wiring import open_backup

    session = Session(ctx, DEFAULT, as_json)
    try:
        counts = open_backup(session.bokit).restore(lambda: _read(file), replace=replace)
    except FileNotFoundError as error:
        raise InputError("the file does not exist", file=str(file)) from error
    session.answer({"file": str(file), "counts": counts}, lambda c: _show(c, f"restored {file}", counts, NEXT))


NEXT = "event numbers were raised; pages and webhooks of before read on by themselves"


def _read(path: Path) -> Iterator[bytes]:
    """Yield the lines; a line that is longer than any that we write comes in pieces, which are none."""
    from bokit.core.model.backup_file import damaged
    from bokit.core.model.limits import MAX_BACKUP_LINE

    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as opened:
            while line := opened.readline(MAX_BACKUP_LINE + 1):
                yield line
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise damaged("it cannot be read to its end") from error


def _show(console: Console, done: str, counts: Mapping[str, int], note: str) -> None:
    parts = (f"{count:,} {name if count != 1 else name.removesuffix('s')}" for name, count in sorted(counts.items()))
    print_line(console, f"{done}: {', '.join(parts)}")
    print_line(console, note)
