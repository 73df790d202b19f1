"""``bokit bookings`` and ``bokit booking``: look at bookings, and correct them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, BookingId, Cursor, Limit, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, clean, count_nights, day_words, print_line, print_table, short_id, stay_words, word

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.catalog import UnitId
    from bokit.core.model.records import Record

booking = typer.Typer(no_args_is_help=True, help="Correct one booking; corrections stand.")

ECHOING = ("echo", "fading")
SHORTEST = 4
"""Letters of an id that are enough to look for it."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("bookings")(list_bookings)
    app.add_typer(booking, name="booking")


def list_bookings(
    ctx: typer.Context,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="Of this unit; an id or a name.")] = None,
    explain: Annotated[str | None, typer.Option("--explain", metavar="DATE", help="Tell who holds this night, and why.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Past and cancelled ones in the table, too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the bookings; the table shows those to come, the JSON document all."""
    session = Session(ctx, tenant, as_json)
    units = find_units(session, unit)
    if explain is not None:
        _explain(session, units, _read_day(explain))
        return
    shown = session.bokit.bookings.list_bookings(session.tenant, list(units))
    session.answer_list(shown, lambda c: _show_bookings(c, session, shown, units, everything))


def find_units(session: Session, unit: str | None) -> dict[UnitId, str]:
    """Return the names of the units that *unit* says, by id; None: of all."""
    catalog = session.bokit.catalog
    found = [catalog.find_unit(session.tenant, unit)] if unit else catalog.list_units(session.tenant)
    return {u.id: u.name for u in found}


def _load(session: Session, units: Sequence[str]) -> list[Record]:
    from bokit.core.model.catalog import BOOKINGS
    from bokit.core.model.records import Scope

    return session.bokit.records.list_records(session.tenant, BOOKINGS, [Scope(u) for u in units])


def _show_bookings(
    console: Console, session: Session, docs: list[dict[str, Any]], units: dict[UnitId, str], everything: bool
) -> None:
    today = session.bokit.clock().date().isoformat()
    coming = [d for d in docs if d["presence"] != "gone" and d["check_out"] > today]
    shown = docs if everything else [d for d in coming if d["state"] not in ECHOING]
    names = source_names(session)
    rows = [_booking_row(d, units, names) for d in shown]
    print_table(console, ["stay!", "n#", "unit", "who", "from", "state", "id!"], rows, "no booking to come")
    if everything:
        return
    if echoes := len(coming) - len(shown):
        print_line(console, f"{echoes} echo{'es' if echoes > 1 else ''} of these not shown; --all shows them")
    if hidden := len(docs) - len(coming):
        print_line(console, f"{hidden} past or cancelled not shown; --all shows them")


def _booking_row(doc: dict[str, Any], units: dict[UnitId, str], names: dict[str | None, str]) -> tuple[object, ...]:
    check_in, check_out = doc["check_in"], doc["check_out"]
    told = who_words(doc), sources_words(doc, names), word(_state(doc)), short_id(doc["id"])
    return stay_words(check_in, check_out), count_nights(check_in, check_out), units[doc["unit_id"]], *told


def _state(doc: dict[str, Any]) -> str:
    if doc["state"] == "echo":
        return f"echo of {', '.join(short_id(id) for id in doc['echo_of'])}"
    if doc["state"] == "fading":
        return "echo of what is gone"
    if doc["presence"] == "missing":
        return "missing"
    return f"{doc['status']}, edited" if doc["edits"] else str(doc["status"])


def who_words(doc: dict[str, Any]) -> str:
    """Return whose booking it is, as far as anybody says."""
    return clean(doc.get("guest_name") or doc.get("reservation_code") or doc.get("summary") or doc.get("kind"))


def source_names(session: Session) -> dict[str | None, str]:
    """Return the names of all sources, removed ones too, by id."""
    return {s.id: s.name for s in session.bokit.catalog.sources.list_sources(session.tenant, removed=True)}


def sources_words(doc: dict[str, Any], names: dict[str | None, str]) -> str:
    """Return who tells a booking."""
    return " + ".join(dict.fromkeys(names.get(s["source_id"], "by hand") for s in doc["sources"]))


def _explain(session: Session, units: dict[UnitId, str], night: date) -> None:
    """Tell which bookings hold *night*, of each unit and of those linked to it, and what each says."""
    names = source_names(session)
    found = session.bokit.bookings.explain(session.tenant, list(units), night)
    for doc in (doc for unit in found for doc in unit["by"]):
        doc["source"] = names.get(doc["source_id"])
    session.answer_list(found, lambda c: _show_explained(c, session, found, night))


def _show_explained(console: Console, session: Session, found: list[dict[str, Any]], night: date) -> None:
    names, now = source_names(session), session.bokit.clock()
    places = {u.id: u.name for u in session.bokit.catalog.list_units(session.tenant)}
    for unit in found:
        print_line(console, f"{unit['unit']}, night of {day_words(night)}: {'held' if unit['held'] else 'free'}")
        for doc in unit["by"]:
            where = f" in {places.get(doc['unit_id'], doc['unit_id'])}" if doc["unit_id"] != unit["unit_id"] else ""
            told = f"{who_words(doc)}{where}  from {sources_words(doc, names)}"
            print_line(console, f"  {stay_words(doc['check_in'], doc['check_out'])}  {told}")
            since = ago_words(datetime.fromisoformat(doc["since"]), now)
            print_line(console, f"    {short_id(doc['id'])}  {doc['kind']}, {_state(doc)}; since {since}")
            for reason in (*doc["why"], *(f"edited by {name.partition(':')[2] or name}" for name in doc["edited_by"])):
                print_line(console, f"    {reason}")


def _read_day(text: str) -> date:
    from bokit.errors import InputError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("--explain: not a date; write YYYY-MM-DD", code="bad-field", value=text) from None


def find_booking(session: Session, word: str) -> Record:
    """Return the booking of this id, or of the short one that tables show."""
    from bokit.core.model.catalog import BOOKINGS
    from bokit.core.model.records import RecordId
    from bokit.errors import InputError, UnknownIdError

    if "." in word:
        return session.bokit.records.find_record(session.tenant, BOOKINGS, RecordId(word))
    records = _load(session, list(find_units(session, None))) if len(word) >= SHORTEST else []
    found = [r for r in records if r.id.rpartition(".")[2].startswith(word)]
    if len(found) > 1:
        raise InputError(
            "several bookings begin so; write more of the id", code="ambiguous-id", ids=", ".join(r.id for r in found)
        )
    if not found:
        raise UnknownIdError("no such booking; `bokit bookings --all` shows them", id=word)
    return found[0]


@booking.command("add")
def add_booking(
    ctx: typer.Context,
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="Where; an id or a name.")],
    values: Annotated[list[str], typer.Option("--set", metavar="FIELD=VALUE", help="check_in, check_out and more; repeated.")],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Write a booking by hand, or a block (--set kind=block); conflicts are told."""
    session = Session(ctx, tenant, as_json)
    (place,) = find_units(session, unit)
    doc = session.bokit.bookings.create(session.tenant, place, dict(_read_pair(pair) for pair in values), by=session.user)
    session.answer(doc, lambda c: _show_booking(c, doc))


@booking.command("edit")
def edit_booking(
    ctx: typer.Context,
    id: BookingId,
    values: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="May be repeated.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Let go the nights that the source still holds and the booking no longer does.")
    ] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Correct a booking; the correction stands, whatever its source says."""
    from bokit.core.bookings.edit import read_edit
    from bokit.core.bookings.release import nights_to_release
    from bokit.core.bookings.stay import RELEASED
    from bokit.core.model.catalog import BOOKINGS
    from bokit.errors import InputError

    told: dict[str, Any] = dict(_read_pair(pair) for pair in values or [])
    if not told and not release:
        raise InputError('nothing to change; write --set FIELD=VALUE, as in --set guest_name="Ann Meyer"')
    session = Session(ctx, tenant, as_json)
    record = find_booking(session, id)
    if release:
        told[RELEASED] = nights_to_release(record, read_edit(record, told))
    after = session.bokit.records.edit(session.tenant, BOOKINGS, record.id, told, by=session.user)
    _answer_booking(session, after)


def _read_pair(pair: str) -> tuple[str, str]:
    from bokit.errors import InputError

    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise InputError("--set: write FIELD=VALUE", code="bad-field", value=pair)
    return name.strip(), value


def _answer_booking(session: Session, record: Record) -> None:
    doc = session.bokit.bookings.show(session.tenant, record.id)
    session.answer(doc, lambda c: _show_booking(c, doc))


def _show_booking(console: Console, doc: dict[str, Any]) -> None:
    told = f"{stay_words(doc['check_in'], doc['check_out'])}  {who_words(doc)}  {doc['status']}  {short_id(doc['id'])}"
    print_line(console, told)
    for name, edit in doc["edits"].items():
        print_line(console, f"  {name}: {clean(edit['value'])} (edited; the source says {_value(edit['remote'])})")
    for conflict in doc["conflicts"]:
        nights = ", ".join(day_words(night) for night in conflict["nights"])
        print_line(console, f"  conflict, {conflict['certainty']}: {nights}; `bokit conflicts` tells with whom")


def _value(value: object) -> str:
    return "nothing" if value is None else clean(value)


@booking.command("accept-remote")
def accept_remote(
    ctx: typer.Context,
    id: BookingId,
    field: Annotated[list[str] | None, typer.Option("--field", help="Of this field alone; may be repeated.")] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give up corrections: the booking follows its source again."""
    from bokit.core.model.catalog import BOOKINGS

    session = Session(ctx, tenant, as_json)
    record = find_booking(session, id)
    after = session.bokit.records.accept_remote(session.tenant, BOOKINGS, record.id, field or None, by=session.user)
    _answer_booking(session, after)


@booking.command("changes")
def list_changes(
    ctx: typer.Context, id: BookingId, limit: Limit = 50, cursor: Cursor = None, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Tell what changed in a booking: when, by whom, and why."""
    from bokit.engine.catalog.view import describe_change

    session = Session(ctx, tenant, as_json)
    record = find_booking(session, id)
    page = session.bokit.records.list_changes(session.tenant, record.id, limit=limit, cursor=cursor)
    docs = [describe_change(c) for c in page.items]
    session.answer_list(docs, lambda c: _show_changes(c, session, docs), page.cursor)


def _show_changes(console: Console, session: Session, docs: list[dict[str, Any]]) -> None:
    names, now = source_names(session), session.bokit.clock()
    for doc in docs:
        by = doc["by"].partition(":")[2]
        print_line(console, f"{ago_words(doc['at'], now)}  {doc['action']} by {names.get(by, by)}: {doc['reason']}")
        for name, change in doc["fields"].items():
            print_line(console, f"  {name}: {_value(change['from'])} → {_value(change['to'])}")
        for name, change in doc["preserved"].items():
            print_line(console, f"  {name}: the source now says {_value(change['to'])}; the edit stands")
    if not docs:
        print_line(console, "nothing changed yet")
