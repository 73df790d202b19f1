"""``bokit conflicts``: double bookings, and what a person knows of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.bookings import find_units, source_names, sources_words, who_words
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, day_words, print_line, short_id, stay_words

if TYPE_CHECKING:
    from rich.console import Console

SHORTEST = 4
SOME = 7
"""Nights of a conflict that a person reads one by one."""


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("conflicts")(list_conflicts)


def list_conflicts(
    ctx: typer.Context,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="In which this unit takes part.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    acknowledge: Annotated[
        str | None, typer.Option("--acknowledge", metavar="ID", help="Say that you know of it: quiet until it changes.")
    ] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List double bookings: which nights, which bookings, how sure it is."""
    session = Session(ctx, tenant, as_json)
    units = find_units(session, unit)
    if acknowledge is not None:
        _acknowledge(session, _find(session, acknowledge))
        return
    found = session.bokit.bookings.list_conflicts(session.tenant, list(units), everything=everything)
    session.answer_list(found, lambda c: _show_conflicts(c, session, found))


def _find(session: Session, word: str) -> str:
    """Return the id of the conflict that *word* is, or begins."""
    from bokit.errors import InputError, UnknownIdError

    told = session.bokit.bookings.list_conflicts(session.tenant, list(find_units(session, None)), everything=True)
    found = [d["id"] for d in told if d["id"] == word or (len(word) >= SHORTEST and d["id"].rpartition(".")[2].startswith(word))]
    if len(found) > 1:
        raise InputError("several conflicts begin so; write more of the id", code="ambiguous-id", ids=", ".join(found))
    if not found:
        raise UnknownIdError("no such conflict; `bokit conflicts --all` shows them", id=word)
    return str(found[0])


def _acknowledge(session: Session, id: str) -> None:
    from bokit.core.model.records import RecordId

    doc = session.bokit.bookings.acknowledge(session.tenant, RecordId(id), by=session.user)
    session.answer(doc, lambda c: print_line(c, f"acknowledged {short_id(doc['id'])}; it is quiet until it changes"))


def _show_conflicts(console: Console, session: Session, docs: list[dict[str, Any]]) -> None:
    if not docs:
        print_line(console, "no conflict")
        return
    names, now = source_names(session), session.bokit.clock()
    places = find_units(session, None)
    told = session.bokit.bookings.list_bookings(session.tenant, list(places))
    bookings = {d["id"]: d for d in told}
    for doc in docs:
        where = " and ".join(places.get(u, u) for u in doc["unit_ids"])
        what = "too near to each other" if doc["is_turnover"] else _nights(doc["nights"])
        print_line(console, f"{where}: {what}  {doc['certainty']}, {_status(doc, now)}  {short_id(doc['id'])}")
        for id in doc["bookings"]:
            print_line(console, f"  {_booking(bookings.get(id), names, id)}{', first' if id == doc['first'] else ''}")


def _nights(nights: list[str]) -> str:
    shown = ", ".join(day_words(n) for n in nights[:SOME])
    return f"{shown} and {len(nights) - SOME} nights more" if len(nights) > SOME else shown


def _status(doc: dict[str, Any], now: datetime) -> str:
    if doc["status"] == "closed":
        return f"closed, {doc['closed_reason']}"
    told = f"opened {ago_words(datetime.fromisoformat(doc['opened_at']), now)}"
    by = str(doc["acknowledged_by"] or "").removeprefix("user:")
    return f"{told}, acknowledged by {by}" if doc["status"] == "acknowledged" else told


def _booking(doc: dict[str, Any] | None, names: dict[str | None, str], id: str) -> str:
    if doc is None:
        return f"{short_id(id)}, joined with another since"
    told = f"{stay_words(doc['check_in'], doc['check_out'])}  {who_words(doc)}  from {sources_words(doc, names)}"
    return f"{told}  {short_id(id)}"
