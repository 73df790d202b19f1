"""``bokit export``: what a channel is told of a unit, and where it reads it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("export")(export_unit)


def export_unit(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="A unit's id, or its name where only one has it.")],
    channel: Annotated[
        str | None,
        typer.Option("--for", metavar="CHANNEL", help="Who reads it: airbnb, vrbo …, or a source; not told its own."),
    ] = None,
    variant: Annotated[
        str, typer.Option("--variant", metavar="NAME", help="occupied, bookings, arrivals or departures.")
    ] = "occupied",
    details: Annotated[
        bool | None, typer.Option("--details/--anonymous", help="Name the guests or not; left out: as export.anonymous says.")
    ] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new address; the former one works for two more days.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the calendar: its address is unknown at once.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Print a unit's outgoing calendar, and the address at which a channel reads it."""
    from bokit.core.occupancy.outgoing import read_variant
    from bokit.errors import InputError

    if rotate and remove:
        raise InputError("write --rotate or --remove, not both")
    session = Session(ctx, tenant, as_json)
    desk, found = session.bokit.calendars, session.bokit.catalog.find_unit(session.tenant, unit)
    chosen: dict[str, Any] = {"consumer": channel, "variant": read_variant(variant), "details": details}
    if remove:
        gone = desk.find_for(session.tenant, found.id, **chosen)
        desk.remove(session.tenant, gone.id)
        session.answer({"id": gone.id, "removed": True}, lambda c: c.print("forgotten; its address is unknown from now on"))
        return
    calendar = desk.open(session.tenant, found.id, **chosen)
    if rotate:
        calendar = desk.rotate(session.tenant, calendar.id)
    url, text = desk.url_of(calendar), desk.write(calendar).decode()
    session.answer({"url": url, "calendar": text}, lambda _: _show(url, text))


def _show(url: str | None, text: str) -> None:
    """Print the calendar where it may go into a file, and its address beside it."""
    sys.stdout.write(text)
    sys.stdout.flush()
    where = url or "not known here: BOKIT_API_URL is not set, or the stack's secret is another one (then: --rotate)"
    sys.stderr.write(f"address: {where}\n")
