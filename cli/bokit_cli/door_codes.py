"""``bokit booking access``: the door code of a stay."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.finding import find_booking
from bokit_cli.flags import DEFAULT, AsJson, BookingId, Tenant
from bokit_cli.session import Session
from bokit_cli.show import print_line, short_id

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.bookings.door_codes import AccessDocument

STATES = {
    "unset": "no code yet; `bokit booking access {id} --set CODE` sets it",
    "confirm": "withheld: this {confirm} now; --confirm says that it is the same guest, --new makes another code",
    "revoked": "revoked: the stay is cancelled",
    "ended": "none: the stay is over",
    "lost": "cannot be opened: it was sealed with another secret of the stack; --new makes another one",
}


def show_access(
    ctx: typer.Context,
    booking_id: BookingId,
    code: Annotated[str | None, typer.Option("--set", metavar="CODE", help="Set the code by hand: 4 to 10 digits.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Revoke the code, and choose another one at random.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="It is the same guest: the code goes on.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show the door code of a stay, from when until when it is valid, and change it."""
    from bokit.core.model.catalog import BOOKINGS
    from bokit.errors import InputError

    if sum((code is not None, new, confirm)) > 1:
        raise InputError("use one of --set, --new and --confirm")
    session = Session(ctx, tenant, as_json)
    record = find_booking(session, booking_id)
    codes = session.bokit.bookings.door_codes
    if confirm:
        session.bokit.records.edit(session.tenant, BOOKINGS, record.id, {"confirm": None}, by=session.user)
    if code is not None:
        doc = codes.set_code(session.tenant, record.id, code)
    else:
        doc = codes.renew(session.tenant, record.id) if new else codes.show(session.tenant, record.id)
    session.answer(doc, lambda console: _show(console, doc))


def _show(console: Console, doc: AccessDocument) -> None:
    booking_id = short_id(doc["booking_id"])
    if doc["code"] is None:
        words = STATES[doc["state"]].format(id=booking_id, confirm=doc["confirm"])
        print_line(console, f"door code of {booking_id}: {words}")
        return
    print_line(console, f"door code of {booking_id}: {doc['code']} ({doc['origin']})")
    valid = (datetime.fromisoformat(str(doc[name])) for name in ("valid_from", "valid_until"))
    print_line(console, "  valid {:%Y-%m-%d %H:%M} to {:%Y-%m-%d %H:%M} UTC".format(*valid))
