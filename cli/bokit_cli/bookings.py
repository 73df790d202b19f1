"""``bokit bookings`` and ``bokit booking``: look at bookings, and correct them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, BookingId, Cursor, Limit, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, clean, count_nights, day_words, print_line, print_table, short_id, stay_words, word

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.records import Record

booking = typer.Typer(no_args_is_help=True, help="Correct one booking; corrections stand.")

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
    units = _units(session, unit)
    records = _load(session, list(units))
    if explain is not None:
        _explain(session, units, records, _read_day(explain))
        return
    from bokit.core.booking import describe_booking, is_window

    shown = sorted((describe_booking(r) for r in records if not is_window(r)), key=_order)
    session.answer_list(shown, lambda c: _show_bookings(c, session, shown, units, everything))


def _units(session: Session, unit: str | None) -> dict[str, str]:
    catalog = session.bokit.catalog
    found = [catalog.find_unit(session.tenant, unit)] if unit else catalog.list_units(session.tenant)
    return {str(u.id): u.name for u in found}


def _load(session: Session, units: Sequence[str]) -> list[Record]:
    from bokit.core.catalog import BOOKINGS
    from bokit.core.records import Scope

    return session.bokit.desk.list_records(session.tenant, BOOKINGS, [Scope(u) for u in units])


def _order(doc: dict[str, Any]) -> tuple[str, str]:
    return str(doc["check_in"] or ""), doc["id"]


def _show_bookings(
    console: Console, session: Session, docs: list[dict[str, Any]], units: dict[str, str], everything: bool
) -> None:  # fmt: skip
    today = session.bokit.clock().date().isoformat()
    shown = [d for d in docs if everything or (d["presence"] != "gone" and d["check_out"] > today)]
    names = _source_names(session)
    rows = [
        (stay_words(d["check_in"], d["check_out"]), count_nights(d["check_in"], d["check_out"]), units[d["unit_id"]], _who(d),
         names.get(d["source_id"], "by hand"), word(_state(d)), short_id(d["id"]))
        for d in shown
    ]  # fmt: skip
    print_table(console, ["stay!", "n#", "unit", "who", "from", "state", "id!"], rows, "no booking to come")
    if hidden := len(docs) - len(shown):
        print_line(console, f"{hidden} past or cancelled not shown; --all shows them")


def _state(doc: dict[str, Any]) -> str:
    if doc["presence"] == "missing":
        return "missing"
    return f"{doc['status']}, edited" if doc["edits"] else str(doc["status"])


def _who(doc: dict[str, Any]) -> str:
    return clean(doc.get("guest_name") or doc.get("reservation_code") or doc.get("summary") or doc.get("kind"))


def _source_names(session: Session) -> dict[str | None, str]:
    return {s.id: s.name for s in session.bokit.catalog.sources.list_sources(session.tenant, removed=True)}


def _explain(session: Session, units: dict[str, str], records: list[Record], night: date) -> None:
    """Tell which records hold *night*, and what each says."""
    from bokit.core.booking import describe_booking, held_nights

    names = _source_names(session)
    found = []
    for unit_id, name in units.items():
        holding = [r for r in records if r.scope == unit_id and night in held_nights(r)]
        by = [{**describe_booking(r), "source": names.get(r.source_id), "why": _why(r, night)} for r in holding]
        found.append({"unit_id": unit_id, "unit": name, "night": night.isoformat(), "held": bool(holding), "by": by})
    session.answer_list(found, lambda c: _show_explained(c, found, night))


def _why(record: Record, night: date) -> list[str]:
    """Return the reasons for which *record* holds *night*, in words."""
    told = night.isoformat()
    local, said = record.fields, record.remote
    reasons = []
    if local["check_in"] <= told < local["check_out"]:
        reasons.append("its dates hold the night")
    elif said["check_in"] <= told < said["check_out"]:
        reasons.append("the source's dates hold it, although a person's do not; `bokit booking edit --release` lets it go")
    if said.get("kind") == "window":
        reasons = ["the calendar's own rules close it"]
    if record.missing_since:
        reasons.append(f"missing from the feed since {record.missing_since:%Y-%m-%d %H:%M} UTC, and held until that is sure")
    return reasons


def _show_explained(console: Console, found: list[dict[str, Any]], night: date) -> None:
    for unit in found:
        print_line(console, f"{unit['unit']}, night of {day_words(night)}: {'held' if unit['held'] else 'free'}")
        for doc in unit["by"]:
            print_line(
                console, f"  {stay_words(doc['check_in'], doc['check_out'])}  {_who(doc)}  from {doc['source'] or 'a person'}"
            )
            print_line(console, f"    {short_id(doc['id'])}  {doc['kind']}, {doc['status']}")
            for reason in doc["why"]:
                print_line(console, f"    {reason}")


def _read_day(text: str) -> date:
    from bokit.errors import InputError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("--explain: not a date; write YYYY-MM-DD", code="bad-field", value=text) from None


def find_booking(session: Session, word: str) -> Record:
    """Return the booking of this id, or of the short one that tables show."""
    from bokit.core.catalog import BOOKINGS
    from bokit.core.records import RecordId
    from bokit.errors import InputError, UnknownIdError

    if "." in word:
        return session.bokit.desk.find_record(session.tenant, BOOKINGS, RecordId(word))
    records = _load(session, list(_units(session, None))) if len(word) >= SHORTEST else []
    found = [r for r in records if r.id.rpartition(".")[2].startswith(word)]
    if len(found) > 1:
        raise InputError(
            "several bookings begin so; write more of the id", code="ambiguous-id", ids=", ".join(r.id for r in found)
        )
    if not found:
        raise UnknownIdError("no such booking; `bokit bookings --all` shows them", id=word)
    return found[0]


@booking.command("edit")
def edit_booking(
    ctx: typer.Context, id: BookingId,
    values: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="May be repeated.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Let go the nights that the source still holds and the booking no longer does.")
    ] = False,
    tenant: Tenant = DEFAULT, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Correct a booking; the correction stands, whatever its source says."""
    from bokit.core.booking import RELEASED
    from bokit.core.booking_edit import read_edit
    from bokit.core.catalog import BOOKINGS
    from bokit.core.release import nights_to_release
    from bokit.errors import InputError

    told: dict[str, Any] = dict(_read_pair(pair) for pair in values or [])
    if not told and not release:
        raise InputError('nothing to change; write --set FIELD=VALUE, as in --set guest_name="Ann Meyer"')
    session = Session(ctx, tenant, as_json)
    record = find_booking(session, id)
    if release:
        told[RELEASED] = nights_to_release(record, read_edit(record, told))
    after = session.bokit.desk.edit(session.tenant, BOOKINGS, record.id, told, by=session.user)
    _answer_booking(session, after)


def _read_pair(pair: str) -> tuple[str, str]:
    from bokit.errors import InputError

    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise InputError("--set: write FIELD=VALUE", code="bad-field", value=pair)
    return name.strip(), value


def _answer_booking(session: Session, record: Record) -> None:
    from bokit.core.booking import describe_booking

    doc = describe_booking(record)
    session.answer(doc, lambda c: _show_booking(c, doc))


def _show_booking(console: Console, doc: dict[str, Any]) -> None:
    print_line(console, f"{stay_words(doc['check_in'], doc['check_out'])}  {_who(doc)}  {doc['status']}  {short_id(doc['id'])}")
    for name, edit in doc["edits"].items():
        print_line(console, f"  {name}: {clean(edit['value'])} (edited; the source says {_value(edit['remote'])})")


def _value(value: object) -> str:
    return "nothing" if value is None else clean(value)


@booking.command("accept-remote")
def accept_remote(
    ctx: typer.Context, id: BookingId,
    field: Annotated[list[str] | None, typer.Option("--field", help="Of this field alone; may be repeated.")] = None,
    tenant: Tenant = DEFAULT, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give up corrections: the booking follows its source again."""
    from bokit.core.catalog import BOOKINGS

    session = Session(ctx, tenant, as_json)
    record = find_booking(session, id)
    after = session.bokit.desk.accept_remote(session.tenant, BOOKINGS, record.id, field or None, by=session.user)
    _answer_booking(session, after)


@booking.command("changes")
def list_changes(
    ctx: typer.Context, id: BookingId, limit: Limit = 50, cursor: Cursor = None, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Tell what changed in a booking: when, by whom, and why."""
    from bokit.engine.catalog_view import describe_change

    session = Session(ctx, tenant, as_json)
    record = find_booking(session, id)
    page = session.bokit.desk.list_changes(session.tenant, record.id, limit=limit, cursor=cursor)
    docs = [describe_change(c) for c in page.items]
    session.answer_list(docs, lambda c: _show_changes(c, session, docs), page.cursor)


def _show_changes(console: Console, session: Session, docs: list[dict[str, Any]]) -> None:
    names, now = _source_names(session), session.bokit.clock()
    for doc in docs:
        by = doc["by"].partition(":")[2]
        print_line(console, f"{ago_words(doc['at'], now)}  {doc['action']} by {names.get(by, by)}: {doc['reason']}")
        for name, change in doc["fields"].items():
            print_line(console, f"  {name}: {_value(change['from'])} → {_value(change['to'])}")
        for name, change in doc["preserved"].items():
            print_line(console, f"  {name}: the source now says {_value(change['to'])}; the edit stands")
    if not docs:
        print_line(console, "nothing changed yet")
