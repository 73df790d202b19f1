"""``bokit guest``: what is kept of a guest, and how it is erased."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.flags import DEFAULT, AsJson, DryRun, Tenant, Yes
from bokit_cli.session import Session
from bokit_cli.show import ago_words, plural, print_json, print_line, short_id, stay_words
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

    from bokit.core.model.records import RecordId
    from bokit.engine.bookings.erasing import ErasurePlan
    from bokit.engine.bookings.guests import FoundGuest, GuestBookingDocument
    from bokit.engine.bookings.terms import ReceiptDocument
    from bokit_cli.documents import GuestsErasedDocument

GUESTS = Table(
    Column("booking"),
    Column("unit", drop=3, least=8),
    Column("source", drop=4, least=8),
    Column("nights", least=12),
    Column("guest", least=8),
    Column("named in", drop=2, least=12),
    empty="no booking names this guest",
)
RECEIPTS = Table(
    Column("receipt", drop=3),
    Column("when"),
    Column("by", drop=2, least=8),
    Column("why"),
    Column("bookings", number=True),
    Column("values", number=True),
    Column("log lines", number=True, drop=1),
    empty="no guest was erased yet",
)
guest = typer.Typer(no_args_is_help=True, help="What is kept of a guest: find, export and erase it.")

Who = Annotated[
    str,
    typer.Argument(
        metavar="WHO", help="A name (all of its words), a phone, an e-mail address or a code; - reads it from standard input."
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to this file.")]
Bookings = Annotated[
    list[str] | None,
    typer.Option("--booking", metavar="ID", help="Of those that WHO finds, only this one; may be repeated."),
]
Again = Annotated[bool, typer.Option("--again", help="Erase again what receipts say, where it is back or was interrupted.")]
Receipts = Annotated[
    Path | None,
    typer.Option("--receipts", metavar="FILE", help="With --again: receipts that `bokit guest receipts --json` printed before."),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(guest, name="guest")


@guest.command("find")
def find_guest(ctx: typer.Context, who: Who, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the bookings that name a guest: in their fields, a person's edits, or their change logs."""
    session = Session(ctx, tenant, as_json)
    documents = [found.describe() for found in _find(session, who)]
    session.answer_list(documents, lambda c: _show_guests(c, session, documents))


@guest.command("export")
def export_guest(ctx: typer.Context, who: Who, output: Output = None, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Print all that is kept of a guest, as one JSON document: bookings, edits and change logs."""
    from bokit_cli.new_files import new_file

    session = Session(ctx, tenant, as_json)
    search = session.bokit.bookings.guests
    document = {"items": [search.export_whole(session.tenant, found.record.id) for found in _find(session, who)], "cursor": None}
    if output is None:
        print_json(document)
        return
    from bokit.core.model.documents import write_json

    with new_file(output) as file:
        file.write(write_json(document).encode())
    done = f"wrote {plural(len(document['items'] or ()), 'booking')} to {output}"
    session.answer({"file": str(output), "bookings": len(document["items"] or ())}, lambda c: print_line(c, done))


@guest.command("erase")
def erase_guest(
    ctx: typer.Context,
    who: Annotated[str | None, typer.Argument(metavar="[WHO]", help="As for `bokit guest find`.")] = None,
    bookings: Bookings = None,
    again: Again = False,
    receipts: Receipts = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Erase a guest for good; the bookings keep their dates, and no sync brings the guest back."""
    from bokit.errors import InputError

    session = Session(ctx, tenant, as_json)
    if again == (who is not None) or (receipts and not again):
        raise InputError("name WHO to erase, or use --again, with --receipts FILE for receipts from before a restore")
    if again:
        _erase_again(session, receipts)
        return
    found = _choose(_find(session, str(who)), bookings)
    plans = list(_plan(session, [guest.record.id for guest in found]))
    shown = [guest.describe() for guest in found]
    if not dry_run and plans:
        _confirm(session, shown, plans, yes=yes)
    service = session.bokit.bookings.erasing
    done = [] if dry_run else [service.apply(plan, by=session.user, reason="request") for plan in plans]
    document = _describe(shown, plans, done)
    session.answer(document, lambda c: _show_erased(c, session, document, dry_run=dry_run))


@guest.command("receipts")
def list_receipts(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List what was erased, when and by whom; a receipt names bookings, and nobody."""
    session = Session(ctx, tenant, as_json)
    found, now = session.bokit.bookings.erasing.list_receipts(session.tenant), session.bokit.clock()
    rows = [_row_of(receipt, ago_words(datetime.fromisoformat(receipt["at"]), now)) for receipt in found]
    session.answer_list(found, lambda c: RECEIPTS.print(c, rows))


# ── within ──


def _find(session: Session, who: str) -> list[FoundGuest]:
    text = sys.stdin.readline().strip() if who == "-" else who
    return session.bokit.bookings.guests.find_all(session.tenant, text)


def _choose(found: Sequence[FoundGuest], bookings: Sequence[str] | None) -> list[FoundGuest]:
    """Return those of *found* that *bookings* name, by their ids or the short ones; None: all."""
    from bokit.errors import InputError

    if not bookings:
        return list(found)
    chosen = []
    for text in bookings:
        mine = [g for g in found if g.record.id == text or g.record.id.rpartition(".")[2].startswith(text)]
        if len(mine) != 1:
            raise InputError("not one of the bookings that name this guest; `bokit guest find` shows them", id=text)
        chosen += mine
    return chosen


def _plan(session: Session, ids: Sequence[RecordId]) -> Iterator[ErasurePlan]:
    """Yield the plans of erasing *ids*, as many at once as one erasure may."""
    from bokit.engine.bookings.limits import MAX_ERASED_AT_ONCE

    service = session.bokit.bookings.erasing
    for start in range(0, len(ids), MAX_ERASED_AT_ONCE):
        yield service.plan(session.tenant, ids[start : start + MAX_ERASED_AT_ONCE])


def _confirm(session: Session, shown: Sequence[GuestBookingDocument], plans: Sequence[ErasurePlan], *, yes: bool) -> None:
    """Ask before anything goes; where nobody can answer, the error says how to go on."""
    from bokit.errors import StateError

    if yes:
        return
    count = plural(sum(len(plan.records) for plan in plans), "booking")
    if session.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StateError(f"this erases the guest of {count}, for good; --dry-run shows them, --yes does it", code="not-confirmed")
    _show_guests(session.console, session, shown)
    _show_codes(session.console, plans)
    typer.confirm(f"erase the guest of {count}, for good?", abort=True)


def _erase_again(session: Session, file: Path | None) -> None:
    from bokit.errors import InputError

    service = session.bokit.bookings.erasing
    if file is None:
        receipts = service.list_receipts(session.tenant)
    else:
        try:
            receipts = json.loads(file.read_text(encoding="utf-8"))["items"]
            _ = [(receipt["id"], list(receipt["bookings"]), receipt["finished_at"]) for receipt in receipts]
        except (OSError, ValueError, LookupError, TypeError) as error:
            message = "not a file of receipts; `bokit guest receipts --json` prints one"
            raise InputError(message, file=str(file)) from error
    done = service.repeat(session.tenant, receipts, by=session.user)
    document = _describe([], [], done)
    session.answer(document, lambda c: _show_erased(c, session, document, dry_run=False))


def _describe(
    shown: list[GuestBookingDocument], plans: Iterable[ErasurePlan], receipts: list[ReceiptDocument]
) -> GuestsErasedDocument:
    described = [plan.as_dict() for plan in plans]
    return {
        "bookings": shown,
        "fields": sum(plan["fields"] for plan in described),
        "phone_codes": [booking for plan in described for booking in plan["phone_codes"]],
        "receipts": receipts,
    }


def _show_guests(console: Console, session: Session, documents: Sequence[GuestBookingDocument]) -> None:
    names, sources = session.names, session.name_sources()
    rows = [
        (
            short_id(doc["id"]),
            names.of_unit(doc["unit_id"]),
            sources.get(doc["source_id"], "entered by hand") if doc["source_id"] else "entered by hand",  # type: ignore[call-overload]
            stay_words(doc["check_in"], doc["check_out"]) if doc["check_in"] and doc["check_out"] else "",
            doc["guest_name"] or ("erased" if doc["erased_at"] else ""),
            ", ".join([*doc["fields"], *["change log"] * doc["in_changes"]]) or "same booking",
        )
        for doc in documents
    ]
    GUESTS.print(console, rows)


def _show_erased(console: Console, session: Session, document: GuestsErasedDocument, *, dry_run: bool) -> None:
    if dry_run:
        _show_guests(console, session, document["bookings"])
        print_line(
            console, f"would erase {plural(document['fields'], 'value')} of {plural(len(document['bookings']), 'booking')}"
        )
    for receipt in document["receipts"]:
        counts = receipt["counts"]
        words = f"{plural(counts['fields'], 'value')}, {plural(counts['changes'], 'line')} of change logs"
        print_line(console, f"erased the guest of {plural(counts['bookings'], 'booking')}: {words}; receipt {receipt['id']}")
    if not dry_run and not document["receipts"]:
        print_line(console, "nothing to erase")
    _show_phone_codes(console, document["phone_codes"])


def _show_codes(console: Console, plans: Iterable[ErasurePlan]) -> None:
    _show_phone_codes(console, [booking for plan in plans for booking in plan.phone_codes])


def _show_phone_codes(console: Console, bookings: Iterable[str]) -> None:
    for booking in map(short_id, bookings):
        print_line(console, f"the door code of {booking} is digits of the guest's phone, and stays valid until the stay ends;")
        print_line(console, f"  `bokit booking access {booking} --new` makes another one", indent=2)


def _row_of(receipt: ReceiptDocument, when: str) -> tuple[object, ...]:
    counts: Mapping[str, int] = receipt["counts"]  # type: ignore[assignment]
    unended = "" if receipt["finished_at"] else " (interrupted)"
    by = receipt["by"].partition(":")[2] or receipt["by"]
    return receipt["id"], when, by, f"{receipt['reason']}{unended}", counts["bookings"], counts["fields"], counts["changes"]
