"""``bokit conflicts``: double bookings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.bookings import origin_words, who_words
from bokit_cli.changes import source_names
from bokit_cli.completion import complete_unit
from bokit_cli.finding import MIN_ID_LENGTH, find_units
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import MAX_BOOKINGS_SHOWN, ago_words, dates_words, print_line, print_more, short_id, stay_words

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.bookings.terms import BookingDocument, ConflictDocument

MUTED = "muted until a booking or a night is added"


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("conflicts")(list_conflicts)


def list_conflicts(
    ctx: typer.Context,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Only conflicts of this unit.", autocompletion=complete_unit)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    acknowledge: Annotated[
        str | None, typer.Option("--acknowledge", metavar="ID", help="Mute this conflict until a booking or a night is added.")
    ] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List double bookings: which nights, which bookings, how certain."""
    session = Session(ctx, tenant, as_json)
    units = find_units(session, unit)
    if acknowledge is not None:
        _acknowledge(session, find_conflict(session, acknowledge))
        return
    found = session.bokit.bookings.list_conflicts(session.tenant, list(units), everything=everything)
    session.answer_list(found, lambda c: _show_conflicts(c, session, found))


def find_conflict(session: Session, text: str) -> str:
    """Return the id of the conflict that *text* is, or begins."""
    from bokit.errors import InputError, UnknownIdError

    known = session.bokit.bookings.list_conflicts(session.tenant, list(find_units(session, None)), everything=True)
    ids = [doc["id"] for doc in known]
    found = [i for i in ids if i == text or (len(text) >= MIN_ID_LENGTH and i.rpartition(".")[2].startswith(text))]
    if len(found) > 1:
        raise InputError("several conflicts match; write more of the id", code="ambiguous-id", ids=", ".join(found))
    if not found:
        raise UnknownIdError("no such conflict; `bokit conflicts --all` shows them", id=text)
    return found[0]


def _acknowledge(session: Session, conflict_id: str) -> None:
    from bokit.core.model.records import RecordId

    doc = session.bokit.bookings.acknowledge(session.tenant, RecordId(conflict_id), by=session.user)
    session.answer(doc, lambda c: print_line(c, f"acknowledged {short_id(doc['id'])}; {MUTED}"))


def _show_conflicts(console: Console, session: Session, docs: list[ConflictDocument]) -> None:
    if not docs:
        print_line(console, "no conflicts")
        return
    names, now = source_names(session), session.bokit.clock()
    places = {str(unit): name for unit, name in find_units(session, None).items()}
    bookings = {b["id"]: b for b in session.bokit.bookings.list_bookings(session.tenant, list(find_units(session, None)))}
    for doc in docs:
        where = " and ".join(places.get(unit, unit) for unit in doc["unit_ids"])
        what = "too little time between guests" if doc["is_turnover"] else dates_words(doc["nights"])
        print_line(console, f"{where}: {what}  {doc['certainty']}, {_status_words(doc, now)}  {short_id(doc['id'])}")
        for booking_id in doc["bookings"][:MAX_BOOKINGS_SHOWN]:
            first = ", first" if booking_id == doc["first"] else ""
            print_line(console, f"  {_booking_words(bookings.get(booking_id), names, booking_id)}{first}")
        print_more(console, len(doc["bookings"]) - MAX_BOOKINGS_SHOWN, "  ")
    if any(doc["status"] == "open" for doc in docs):
        print_line(console, "cancel or move a booking at its channel, or `bokit conflicts --acknowledge ID` mutes a conflict")


def _status_words(doc: ConflictDocument, now: datetime) -> str:
    if doc["status"] == "closed":
        return f"closed, {doc['closed_reason']}"
    opened = f"opened {ago_words(datetime.fromisoformat(doc['opened_at']), now)}"
    by = str(doc["acknowledged_by"] or "").removeprefix("user:")
    return f"{opened}, acknowledged by {by}" if doc["status"] == "acknowledged" else opened


def _booking_words(doc: BookingDocument | None, names: dict[str | None, str], booking_id: str) -> str:
    if doc is None:
        return f"{short_id(booking_id)}, since joined with another"
    stay = stay_words(doc["check_in"] or "", doc["check_out"] or "")
    return f"{stay}  {who_words(doc)}  {origin_words(doc, names)}  {short_id(booking_id)}"
