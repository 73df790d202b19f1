"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bokit_cli.completion import (
    complete_booking,
    complete_collection,
    complete_platform,
    complete_record,
    complete_source,
    complete_tenant,
    complete_unit,
)


class EndsOnWord(StrEnum):
    """What the end of an all-day event is."""

    DEPARTURE = "departure"
    LAST_NIGHT = "last-night"


Tenant = Annotated[str, typer.Option("--tenant", metavar="ID", help="Tenant id or name.", autocompletion=complete_tenant)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="Source id or name.", autocompletion=complete_source)]
UnitFilter = Annotated[
    str | None, typer.Option("--unit", metavar="UNIT", help="Only this unit; id or name.", autocompletion=complete_unit)
]
BookingId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Booking id, or the short one that `bokit bookings` shows.", autocompletion=complete_booking
    ),
]
Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="NAME", help="Platform; detected if omitted.", autocompletion=complete_platform),
]
Zone = Annotated[str | None, typer.Option("--timezone", metavar="NAME", help="As in Europe/Rome.")]
Turnover = Annotated[
    int | None, typer.Option("--turnover-days", metavar="DAYS", help="Days between a departure and the next arrival.")
]
CheckIn = Annotated[
    str | None, typer.Option("--check-in-time", metavar="HH:MM", help="When guests may come; 15:00 if nothing says so.")
]
CheckOut = Annotated[
    str | None, typer.Option("--check-out-time", metavar="HH:MM", help="When guests leave; 11:00 if nothing says so.")
]
Cleaning = Annotated[
    str | None, typer.Option("--cleaning-minutes", metavar="MINUTES", help="How long cleaning takes between two guests.")
]
Interval = Annotated[
    str | None, typer.Option("--interval", metavar="SPAN", help="Time between syncs: 15m, 2h; '' for the tenant's.")
]
CancelAfter = Annotated[
    str | None,
    typer.Option("--cancel-after", metavar="SPAN", help="Time before a missing stay is cancelled; '' for the tenant's."),
]
EndsOn = Annotated[
    EndsOnWord | None,
    typer.Option("--ends-on", help="What an all-day event's end is: the day of departure (if omitted), or the last night."),
]
IgnoreTransparent = Annotated[
    bool | None,
    typer.Option("--ignore-transparent/--no-ignore-transparent", help='Whether events marked as "free" hold no nights.'),
]
CollectionName = Annotated[
    str, typer.Option("--collection", metavar="NAME", help="The collection.", autocompletion=complete_collection)
]
RecordKey = Annotated[
    str, typer.Argument(metavar="ID", help="Record id, as its source gives it.", autocompletion=complete_record)
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="FIELD=VALUE", help="Only records with this value; dots lead into objects; may be repeated."),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only what changed after it, deleted ones too: 2026-07-01, a full time, or 2h."),
]
PresenceFilter = Annotated[
    str | None,
    typer.Option("--presence", metavar="STATE", help="present, missing, gone, or all; if omitted, all that are not gone."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would go; change nothing.")]
SetFields = typer.Option("--set", metavar="FIELD=VALUE", help="May be repeated, as in --set check_in=2026-07-01.")
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="Maximum number of items.")]
Cursor = Annotated[str | None, typer.Option("--cursor", metavar="TEXT", help="Where the last page ended.")]

DEFAULT = "default"
