"""``bokit booking export``: arrivals, departures, bookings and changes as CSV or as a calendar file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.csv_lines import note_guarded, print_bytes, write_csv
from bokit_cli.feeds import read_day
from bokit_cli.finding import find_units
from bokit_cli.flags import DEFAULT, AsJson, Tenant, UnitFilter
from bokit_cli.new_files import new_file, read_form
from bokit_cli.session import Session
from bokit_cli.show import plural, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.bookings.booking_export import BookingExport


class WhatWord(StrEnum):
    """What is exported."""

    ARRIVALS = "arrivals"
    DEPARTURES = "departures"
    BOOKINGS = "bookings"
    CHANGES = "changes"


class FormWord(StrEnum):
    """In which form."""

    CSV = "csv"
    ICS = "ics"


_SUFFIXES = {".csv": FormWord.CSV, ".ics": FormWord.ICS}


def export_bookings(
    ctx: typer.Context,
    what: Annotated[WhatWord, typer.Argument(metavar="WHAT", help="arrivals, departures, bookings or changes.")],
    form: Annotated[FormWord | None, typer.Option("--format", help="If omitted, as the file's name ends: .csv or .ics.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Replaced once all is written; standard output if omitted.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="The first day; today if omitted, of changes 30 days ago (in UTC)."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The day after the last one; all later ones if omitted.")
    ] = None,
    unit: UnitFilter = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Leave out everything about guests.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="CSV: texts that a spreadsheet may run as formulas without a ' before them.")
    ] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Export arrivals, departures, bookings or changes as CSV or as a calendar file (ICS)."""
    from bokit.engine.bookings.booking_export import ExportChoice
    from bokit.engine.bookings.terms import ExportKind
    from bokit.errors import InputError

    if as_json and output is None:
        raise InputError("with --json, --output says where the export goes; without it that is the output", field="--output")
    wanted_form = form or read_form(output, _SUFFIXES)
    first, end = (read_day(name, day) if day else None for name, day in (("--from", since), ("--until", until)))
    session = Session(ctx, tenant, as_json)
    choice = ExportChoice(kind=ExportKind(what), first=first, end=end, is_anonymous=anonymous)
    export = session.bokit.bookings.exporter.export(session.tenant, list(find_units(session, unit)), choice)
    if wanted_form is FormWord.CSV:
        text, guarded = write_csv(export.columns, export.rows, is_exact=exact)
    else:
        text, guarded = export.write_calendar(), 0
    _answer(session, export, wanted_form, output, text, guarded)


def _answer(session: Session, export: BookingExport, form: FormWord, output: Path | None, text: bytes, guarded: int) -> None:
    if output is None:
        print_bytes(text)
        note_guarded(guarded, has_exact=True)
        return
    with new_file(output) as opened:
        opened.write(text)
    columns = list(export.columns) if form is FormWord.CSV else []
    count = len(export.rows if form is FormWord.CSV else export.events)
    document = {"file": str(output), "format": str(form), "records": count, "columns": columns, "guarded": guarded}

    def show(console: Console) -> None:
        print_line(console, f"wrote {output}: {plural(count, 'line' if form is FormWord.CSV else 'event')}")
        note_guarded(guarded, has_exact=True)

    session.answer(document, show)
