"""``bokit bookings`` and ``bokit booking``: list and edit bookings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.booking_export import export_bookings
from bokit_cli.changes import BY_HAND, show_changes, source_names
from bokit_cli.completion import complete_unit
from bokit_cli.door_codes import show_access
from bokit_cli.evidence import evidence_lines
from bokit_cli.feeds import read_day
from bokit_cli.finding import find_booking, find_units
from bokit_cli.flags import DEFAULT, AsJson, BookingId, Cursor, Limit, SetFields, Tenant, UnitFilter
from bokit_cli.session import Session
from bokit_cli.show import (
    ago_words,
    clean,
    count_nights,
    dates_words,
    day_words,
    lasting_words,
    nights_words,
    plural,
    print_line,
    short_id,
    status_words,
    stay_words,
    value_words,
    word,
)
from bokit_cli.tables import Column, Table, stay_cell

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.catalog import UnitId
    from bokit.core.model.records import Record
    from bokit.engine.bookings.service import BookingInFull, HeldNight
    from bokit.engine.bookings.terms import BookingDocument, PublishedNight

booking = typer.Typer(no_args_is_help=True, help="Add or edit a booking; edits survive syncs.")

BOOKINGS = Table(
    Column("stay"),
    Column("nights", drop=1, number=True),
    Column("who", least=8),
    Column("from", least=10),
    Column("state", drop=3, least=9),
    Column("id", drop=4),
    empty="no coming bookings; `bokit sync` reads the calendars that are due, `bokit bookings --all` shows past ones",
)
NO_BOOKING = "no booking yet; `bokit sync` reads the calendars that are due, `bokit booking add` enters one by hand"
ECHOING = ("echo", "fading")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("bookings")(list_bookings)
    booking.command("access")(show_access)
    booking.command("export")(export_bookings)
    app.add_typer(booking, name="booking")


def list_bookings(
    ctx: typer.Context,
    unit: UnitFilter = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="DATE", help="Show which bookings hold this night, and why; or why it is free."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show past and cancelled ones too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the bookings: the table shows coming ones, --json all."""
    session = Session(ctx, tenant, as_json)
    units = find_units(session, unit)
    if explain is not None:
        _explain(session, units, read_day("--explain", explain))
        return
    shown = session.bokit.bookings.list_bookings(session.tenant, list(units))
    session.answer_list(shown, lambda c: _show_bookings(c, session, shown, units, everything))


def _show_bookings(
    console: Console, session: Session, docs: list[BookingDocument], units: dict[UnitId, str], everything: bool
) -> None:
    today = session.bokit.clock().date().isoformat()
    coming = [d for d in docs if (d["blocks_nights"] or d["presence"] != "gone") and (d["check_out"] or "") > today]
    shown = docs if everything else [d for d in coming if d["state"] not in ECHOING]
    names = source_names(session)
    places = {str(unit): name for unit, name in units.items()}
    rows = [_booking_row(d, places, names) for d in shown]
    BOOKINGS.print(console, rows, NO_BOOKING if everything else None)
    if everything:
        return
    if echoes := len(coming) - len(shown):
        print_line(console, f"{plural(echoes, 'echo', 'echoes')} of these not shown; --all shows them")
    if hidden := len(docs) - len(coming):
        print_line(console, f"{plural(hidden, 'past or cancelled booking')} not shown; --all shows them")


def _booking_row(doc: BookingDocument, places: dict[str, str], names: dict[str | None, str]) -> tuple[object, ...]:
    from bokit.core.model.full_names import join_names

    check_in, check_out = doc["check_in"] or "", doc["check_out"] or ""
    origin = origin_words(doc, names).removeprefix("from ")
    where = join_names(places[doc["unit_id"]], origin) if origin == BY_HAND else origin
    facts = who_words(doc), where, word(_state_words(doc), _state_word(doc)), short_id(doc["id"])
    return stay_cell(check_in, check_out), count_nights(check_in, check_out), *facts


def _state_words(doc: BookingDocument) -> str:
    if doc["state"] == "echo":
        return f"echo of {', '.join(map(short_id, doc['echo_of']))}"
    if doc["state"] == "fading":
        return "echo of a removed booking"
    if doc["presence"] == "missing":
        return "missing"
    status = status_words(doc["status"])
    if doc["confirm"]:
        return f"{status}, confirm: {doc['confirm']}"
    return f"{status}, edited" if doc["edits"] else status


def _state_word(doc: BookingDocument) -> str:
    """Return a booking's state in one word."""
    if doc["state"] in ECHOING:
        return "echo"
    if doc["presence"] == "missing":
        return "missing"
    return (
        "confirm"
        if doc["confirm"]
        else "edited"
        if doc["edits"]
        else "taken"
        if doc["status"] == "undefined"
        else str(doc["status"])
    )


def who_words(doc: BookingDocument) -> str:
    """Return the guest's name, or what else identifies the booking."""
    return clean(doc.get("guest_name") or doc.get("reservation_code") or doc.get("summary") or doc.get("kind"))


def origin_words(doc: BookingDocument, names: dict[str | None, str]) -> str:
    """Return the full names of a booking's sources, or that it was entered by hand."""
    from bokit.core.model.full_names import join_sources

    sources = dict.fromkeys(names.get(s["source_id"], BY_HAND) for s in doc["sources"])
    return BY_HAND if list(sources) == [BY_HAND] else f"from {join_sources(sources)}"


def _explain(session: Session, units: dict[UnitId, str], night: date) -> None:
    """Show which bookings hold *night*, of each unit and of those linked to it, and why; of a free one the evidence."""
    names = source_names(session)
    found = session.bokit.bookings.explain(session.tenant, list(units), night)
    named = [{**unit, "by": [{**doc, "source": names.get(doc["source_id"])} for doc in unit["by"]]} for unit in found]
    session.answer_list(named, lambda c: _show_explained(c, session, found, night))


def _show_explained(console: Console, session: Session, found: list[HeldNight], night: date) -> None:
    names, now = source_names(session), session.bokit.clock()
    places = {str(unit): name for unit, name in find_units(session, None).items()}
    if not found:
        print_line(console, session.first_step())
    for unit in found:
        print_line(console, f"{unit['unit']}, night of {day_words(night)}: {'held' if unit['held'] else 'free'}")
        for line in () if unit["held"] else evidence_lines(unit["feeds"], night, now):
            print_line(console, f"  {line}")
        for doc in unit["by"]:
            where = f" in {places.get(doc['unit_id'], doc['unit_id'])}" if doc["unit_id"] != unit["unit_id"] else ""
            stay = stay_words(doc["check_in"] or "", doc["check_out"] or "")
            print_line(console, f"  {stay}  {who_words(doc)}{where}  {origin_words(doc, names)}")
            lasting = lasting_words(datetime.fromisoformat(doc["since"]), now)
            print_line(console, f"    {short_id(doc['id'])}  {doc['kind']}, {_state_words(doc)}; {lasting}")
            for reason in (*doc["why"], *(f"edited by {name.partition(':')[2] or name}" for name in doc["edited_by"])):
                print_line(console, f"    {reason}")
        for calendar in unit["published"]:
            print_line(console, f"  {_calendar_words(calendar, names, now)}")
            for left_out in calendar["withheld"]:
                print_line(console, f"    without {short_id(left_out['booking_id'])}: {left_out['why']}")


def _calendar_words(calendar: PublishedNight, names: dict[str | None, str], now: datetime) -> str:
    """Return what an outgoing calendar says of a night.

    ``calendar for vrbo: closed, by 7b12ad1e, for 1 d; last read 2 h ago``
    """
    consumer, read_at = calendar["for"], calendar["last_read_at"]
    name = f"calendar for {names.get(consumer, consumer) if consumer else 'anybody'}"
    variant = "" if calendar["variant"] == "occupied" else f" ({calendar['variant']})"
    read = f"last read {ago_words(datetime.fromisoformat(read_at), now)}" if read_at else "never read yet"
    if not calendar["closed"]:
        return f"{name}{variant}: open; {read}"
    closed = f"closed, by {', '.join(map(short_id, calendar['shown']))}"
    if since := calendar["closed_since"]:
        closed += f", {lasting_words(datetime.fromisoformat(since), now)}"
        read += ", and not since" if read_at and not calendar["read_closed_at"] else ""
    return f"{name}{variant}: {closed}; {read}"


@booking.command("add")
def add_booking(
    ctx: typer.Context,
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="Unit id or name.", autocompletion=complete_unit)],
    values: Annotated[list[str], SetFields],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Enter a booking by hand, or a block (--set kind=block); shows its conflicts."""
    session = Session(ctx, tenant, as_json)
    (place,) = find_units(session, unit)
    doc = session.bokit.bookings.create(session.tenant, place, read_pairs(values), by=session.user)
    session.answer(doc, lambda c: _show_booking(c, doc))


@booking.command("edit")
def edit_booking(
    ctx: typer.Context,
    booking_id: BookingId,
    values: Annotated[list[str] | None, SetFields] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Release nights that the source still holds and the edited booking does not.")
    ] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Edit a booking; edits survive syncs."""
    from bokit.core.model.catalog import BOOKINGS
    from bokit.engine.bookings.terms import RELEASED, nights_to_release, read_edit
    from bokit.errors import InputError

    changes: dict[str, Any] = {**read_pairs(values or [])}
    if not changes and not release:
        raise InputError('nothing to change; use --set FIELD=VALUE, as in --set guest_name="Ann Meyer"')
    session = Session(ctx, tenant, as_json)
    record = find_booking(session, booking_id)
    if release:
        changes[RELEASED] = nights_to_release(record, read_edit(record, changes))
    after = session.bokit.records.edit(session.tenant, BOOKINGS, record.id, changes, by=session.user)
    _answer_booking(session, after, set(nights_to_release(after, {})) - set(after.fields.get(RELEASED) or ()))


def read_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Return the values of ``--set``, by field."""
    return dict(map(_read_pair, pairs))


def _read_pair(pair: str) -> tuple[str, str]:
    from bokit.errors import InputError

    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise InputError("--set needs FIELD=VALUE", code="bad-field", value=pair)
    return name.strip(), value


def _answer_booking(session: Session, record: Record, kept: Collection[str] = ()) -> None:
    """Answer with a booking; *kept*: the nights that only its source still holds."""
    doc = session.bokit.bookings.show(session.tenant, record.id)

    def show(console: Console) -> None:
        _show_booking(console, doc)
        today = session.bokit.clock().date().isoformat()
        if coming := sorted(night for night in kept if night >= today):
            print_line(console, f"  still held, as its source shows them: {nights_words(coming)}")
            print_line(console, f"  `bokit booking edit {short_id(doc['id'])} --release` releases them")

    session.answer(doc, show)


def _show_booking(console: Console, doc: BookingInFull) -> None:
    stay = stay_words(doc["check_in"] or "", doc["check_out"] or "")
    print_line(console, f"{stay}  {who_words(doc)}  {status_words(doc['status'])}  {short_id(doc['id'])}")
    for name, edit in doc["edits"].items():
        print_line(console, f"  {name}: {value_words(edit['value'])} (edited), source: {value_words(edit['remote'])}")
    if doc["confirm"]:
        print_line(console, f"  confirm: {doc['confirm']}; `bokit booking edit {short_id(doc['id'])} --set confirm=` confirms it")
    for conflict in doc["conflicts"]:
        print_line(console, f"  conflict, {conflict['certainty']}: {dates_words(conflict['nights'])}; see `bokit conflicts`")


@booking.command("accept-remote")
def accept_remote(
    ctx: typer.Context,
    booking_id: BookingId,
    field: Annotated[list[str] | None, typer.Option("--field", help="Only this field; may be repeated.")] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Drop edits: the booking takes the values of its source again."""
    from bokit.core.model.catalog import BOOKINGS

    session = Session(ctx, tenant, as_json)
    record = find_booking(session, booking_id)
    after = session.bokit.records.accept_remote(session.tenant, BOOKINGS, record.id, field or None, by=session.user)
    _answer_booking(session, after)


@booking.command("changes")
def list_changes(
    ctx: typer.Context,
    booking_id: BookingId,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the changes of a booking: when, by whom, and why."""
    from bokit.engine.catalog.view import describe_change

    session = Session(ctx, tenant, as_json)
    record = find_booking(session, booking_id)
    page = session.bokit.records.list_changes(session.tenant, record.id, limit=limit, cursor=cursor)
    docs = [describe_change(c) for c in page.items]
    more = f"bokit booking changes {booking_id}"
    session.answer_list(docs, lambda c: show_changes(c, session, docs, more, page.cursor), page.cursor)
