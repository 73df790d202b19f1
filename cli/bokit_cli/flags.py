"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Tenant = Annotated[str, typer.Option("--tenant", metavar="ID", help="Whose data; an id or a name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SourceWord = Annotated[str, typer.Argument(metavar="SOURCE", help="A source's id, or its name where only one has it.")]
BookingId = Annotated[str, typer.Argument(metavar="ID", help="A booking's id, or the short one that `bokit bookings` shows.")]
Platform = Annotated[str | None, typer.Option("--platform", metavar="NAME", help="Whose feed it is; else told by the feed.")]
Zone = Annotated[str | None, typer.Option("--timezone", metavar="NAME", help="As in Europe/Rome.")]
Turnover = Annotated[
    int | None, typer.Option("--turnover-days", metavar="DAYS", help="Days that a departure needs before the next arrival.")
]
Interval = Annotated[
    str | None, typer.Option("--interval", metavar="SPAN", help="How often it is synced: 15m, 2h; '' for the tenant's.")
]
CancelAfter = Annotated[
    str | None, typer.Option("--cancel-after", metavar="SPAN", help="How long a missing stay is held; '' for the tenant's.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")]
Cursor = Annotated[str | None, typer.Option("--cursor", metavar="TEXT", help="Where the last page ended.")]

DEFAULT = "default"
