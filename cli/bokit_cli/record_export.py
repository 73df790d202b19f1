"""``bokit records export``: all records of a collection as CSV or NDJSON, in flat memory."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from bokit_cli.collections import find_collection
from bokit_cli.csv_lines import note_guarded
from bokit_cli.flags import DEFAULT, AsJson, CollectionName, PresenceFilter, Since, Tenant, Where
from bokit_cli.new_files import new_file, read_form
from bokit_cli.record_values import read_filter
from bokit_cli.session import Session
from bokit_cli.show import plural, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.records import Record
    from bokit.engine.records.export import RecordExport

SHOWN_EVERY = 1000  # records


class ExportWord(StrEnum):
    """In which form records are exported."""

    CSV = "csv"
    NDJSON = "ndjson"


_SUFFIXES = {".csv": ExportWord.CSV, ".ndjson": ExportWord.NDJSON, ".jsonl": ExportWord.NDJSON}


def export_records(
    ctx: typer.Context,
    collection: CollectionName,
    form: Annotated[
        ExportWord | None, typer.Option("--format", help="If omitted, as the file's name ends: .csv, .ndjson or .jsonl.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Replaced once all is written; compressed where its name ends in .gz."),
    ] = None,
    where: Where = None,
    since: Since = None,
    presence: PresenceFilter = None,
    meta: Annotated[
        bool | None,
        typer.Option("--meta/--no-meta", help="With version, state, source and edits; if omitted, NDJSON with and CSV without."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="CSV: texts that a spreadsheet may run as formulas without a ' before them.")
    ] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Export the records of a collection as CSV or NDJSON, to standard output or to a file."""
    from bokit.engine.records.export import RecordExport
    from bokit.errors import InputError

    if as_json and output is None:
        raise InputError("with --json, --output says where the records go; without it they are the output", field="--output")
    wanted_form = form or read_form(output, _SUFFIXES)
    session = Session(ctx, tenant, as_json)
    found = find_collection(session, collection)
    wanted = read_filter(where, since, presence, session.bokit.clock())
    records = session.bokit.catalog.collections.iterate(found, wanted)
    with _progress(session, str(found.name)) as watch:
        with_meta = wanted_form is ExportWord.NDJSON if meta is None else meta
        export = RecordExport(records=watch(records), schema=found.schema, with_meta=with_meta, is_exact=exact)
        _write(export, wanted_form, output)
    document = {
        "file": str(output),
        "format": str(wanted_form),
        "records": export.count,
        "columns": export.columns,
        "guarded": export.guarded,
    }
    if output is None:
        note_guarded(export.guarded, has_exact=True)
    else:
        session.answer(document, lambda c: _show(c, export, output))


def _write(export: RecordExport, form: ExportWord, output: Path | None) -> None:
    if output is None:
        sys.stdout.flush()
        _write_to(sys.stdout.buffer, export, form, None)
        sys.stdout.buffer.flush()
        return
    with new_file(output) as opened:
        _write_to(opened, export, form, output.parent)


def _write_to(target: IO[bytes], export: RecordExport, form: ExportWord, folder: Path | None) -> None:
    """Write all lines; CSV by way of a file without a name, which no other program can open."""
    if form is ExportWord.NDJSON:
        target.writelines(export.write_ndjson())
        return
    with tempfile.TemporaryFile(dir=folder) as spool:
        target.writelines(export.write_csv(spool))


@contextmanager
def _progress(session: Session, name: str) -> Iterator[Callable[[Iterable[Record]], Iterator[Record]]]:
    """Yield what counts records as they are read, on a terminal."""
    if not session.shows_progress:
        yield iter
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed:,} records")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)

        def watch(records: Iterable[Record]) -> Iterator[Record]:
            for number, record in enumerate(records, 1):
                yield record
                if number % SHOWN_EVERY == 0:
                    bar.update(task, completed=number)

        yield watch


def _show(console: Console, export: RecordExport, output: Path) -> None:
    columns = f", {plural(len(export.columns), 'column')}" if export.columns else ""
    print_line(console, f"wrote {output}: {plural(export.count, 'record')}{columns}")
    note_guarded(export.guarded, has_exact=True)
