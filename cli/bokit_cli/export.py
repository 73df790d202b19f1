"""``bokit export``: a unit's outgoing calendar and its address."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from bokit_cli.completion import complete_channel, complete_unit
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session

_GATEWAY = re.compile(r"https?://[^/]+\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?(/|$)")
"""An address that API Gateway made up."""
ENDS_WITH_STACK = (
    "note: this address ends with the stack, and a new stack gets another one; only a custom domain survives. Deploy\n"
    '      with one before you paste it into a platform: make deploy PARAMS="DomainName=… CertificateArn=…" (docs/restore.md)\n'
)


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("export")(export_unit)


def export_unit(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="Unit id or name.", autocompletion=complete_unit)],
    channel: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="CHANNEL",
            help="A platform or source; its own bookings are left out.",
            autocompletion=complete_channel,
        ),
    ] = None,
    variant: Annotated[
        str, typer.Option("--variant", metavar="NAME", help="occupied, bookings, arrivals, departures or turnovers.")
    ] = "occupied",
    details: Annotated[
        bool | None, typer.Option("--details/--anonymous", help="Name guests or not; if omitted, as export.anonymous says.")
    ] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Create a new address; the former one works 2 more days.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Delete the calendar; its address stops working immediately.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Print a unit's outgoing calendar and its secret address."""
    from bokit.engine.bookings.calendar_terms import CalendarChoice, read_variant
    from bokit.errors import InputError

    if rotate and remove:
        raise InputError("use --rotate or --remove, not both")
    session = Session(ctx, tenant, as_json)
    calendars, found = session.bokit.calendars, session.bokit.catalog.find_unit(session.tenant, unit)
    choice = CalendarChoice(consumer=channel, variant=read_variant(variant), details=details)
    if remove:
        removed = calendars.find_for(session.tenant, found.id, choice)
        calendars.remove(session.tenant, removed.id)
        session.answer({"id": removed.id, "removed": True}, lambda c: c.print("deleted; its address no longer works"))
        return
    calendar = calendars.open(session.tenant, found.id, choice)
    if rotate:
        calendar = calendars.rotate(session.tenant, calendar.id)
    url, text = calendars.url_of(calendar), calendars.write(calendar).decode()
    website = calendars.taken_url_of(calendar)
    session.answer({"url": url, "calendar": text}, lambda _: _show(url, website, text))


def _show(url: str | None, website: str | None, text: str) -> None:
    """Print the calendar on standard output, so that it can go into a file, and its addresses on standard error."""
    sys.stdout.write(text)
    sys.stdout.flush()
    where = url or "not known: BOKIT_API_URL is not set, or the stack's calendar secret has changed (then use --rotate)"
    sys.stderr.write(f"address: {where}\n")
    if website:
        sys.stderr.write(f"taken nights for your own website: {website}\n")
    if url and _GATEWAY.match(url):
        sys.stderr.write(ENDS_WITH_STACK)
