"""``bokit tenant``, ``bokit property`` and ``bokit unit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.completion import complete_property, complete_tenant, complete_unit
from bokit_cli.flags import DEFAULT, AsJson, CheckIn, CheckOut, Cleaning, Tenant, Turnover, Zone
from bokit_cli.removals import remove_property, remove_unit
from bokit_cli.session import Session
from bokit_cli.show import NO_PROPERTY, ago_words, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

TENANTS = Table(Column("tenant", least=12), Column("id", drop=2), Column("added", drop=1))
PROPERTIES = Table(
    Column("property", least=12),
    Column("id", drop=2),
    Column("timezone", drop=3),
    empty=NO_PROPERTY,
)
UNITS = Table(
    Column("unit", least=12),
    Column("id", drop=3),
    Column("property", drop=4, least=12),
    Column("parts", drop=2, least=12),
)
tenants = typer.Typer(no_args_is_help=True, help="Tenants (customers of the stack).")
properties = typer.Typer(no_args_is_help=True, help="Properties, each with its timezone.")
units = typer.Typer(no_args_is_help=True, help="Rentable units: a flat, a room, a villa made of parts.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(properties, name="property")
    app.add_typer(units, name="unit")
    app.add_typer(tenants, name="tenant")


@tenants.command("add")
def add_tenant(
    ctx: typer.Context,
    name: str,
    tenant_id: Annotated[str | None, typer.Option("--id", help="Lower-case letters and digits.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a tenant."""
    from bokit.engine.catalog.view import describe_tenant

    session = Session(ctx, as_json=as_json)
    tenant = session.bokit.catalog.add_tenant(name, tenant_id)
    session.answer(describe_tenant(tenant), lambda c: print_line(c, f"added tenant {tenant.name}, {tenant.id}"))


@tenants.command("list")
def list_tenants(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the tenants."""
    from bokit.engine.catalog.view import describe_tenant

    session = Session(ctx, as_json=as_json)
    found, now = session.bokit.catalog.list_tenants(), session.bokit.clock()
    rows = [(t.name, t.id, ago_words(t.created_at, now)) for t in found]
    session.answer_list([describe_tenant(t) for t in found], lambda c: TENANTS.print(c, rows))


@tenants.command("remove")
def remove_tenant(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Argument(help="Tenant id or name.", autocompletion=complete_tenant)],
    as_json: AsJson = False,
) -> None:
    """Remove a tenant without sources, with all its data."""
    session = Session(ctx, tenant, as_json)
    tenant_id = session.tenant
    session.bokit.catalog.remove_tenant(tenant_id)
    session.answer({"id": tenant_id, "removed": True}, lambda c: print_line(c, f"removed tenant {tenant_id}"))


@properties.command("add")
def add_property(
    ctx: typer.Context,
    name: str,
    timezone: Zone = None,
    turnover_days: Turnover = None,
    check_in_time: CheckIn = None,
    check_out_time: CheckOut = None,
    cleaning_minutes: Cleaning = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a property."""
    from bokit.engine.catalog.view import describe_property

    session = Session(ctx, tenant, as_json)
    times = _times(check_in_time, check_out_time, cleaning_minutes)
    values = {"name": name, "timezone": timezone, "turnover_days": turnover_days, **times}
    made = session.bokit.catalog.add_property(session.tenant, values)
    session.answer(describe_property(made), lambda c: print_line(c, f"added property {made.name}, {made.id}"))


@properties.command("edit")
def edit_property(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PROPERTY", help="Property id or name.", autocompletion=complete_property)],
    name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
    timezone: Zone = None,
    turnover_days: Turnover = None,
    check_in_time: CheckIn = None,
    check_out_time: CheckOut = None,
    cleaning_minutes: Cleaning = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Rename a property, or change its settings."""
    from bokit.engine.catalog.view import describe_property

    session = Session(ctx, tenant, as_json)
    times, catalog = _times(check_in_time, check_out_time, cleaning_minutes), session.bokit.catalog
    values = _given(name=name, timezone=timezone, turnover_days=turnover_days, **times)
    made = catalog.edit_property(session.tenant, catalog.find_property(session.tenant, place).id, values)
    session.answer(describe_property(made), lambda c: print_line(c, f"changed: {made.name}"))


def _times(check_in: str | None, check_out: str | None, cleaning: str | None) -> dict[str, str | None]:
    return {"check_in_time": check_in, "check_out_time": check_out, "cleaning_minutes": cleaning}


def _given(**given: object) -> dict[str, object]:
    """Return what a person named of a place's settings; raise InputError where it is none."""
    from bokit.errors import InputError

    values = {field: value for field, value in given.items() if value is not None}
    if not values:
        raise InputError("nothing to change; use an option, as in --name 'Villa Rosa'")
    return values


@properties.command("list")
def list_properties(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the properties."""
    from bokit.engine.catalog.view import describe_property

    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.list_properties(session.tenant)
    rows = [(p.name, p.id, p.timezone or "–") for p in found]
    session.answer_list([describe_property(p) for p in found], lambda c: PROPERTIES.print(c, rows))


@units.command("add")
def add_unit(
    ctx: typer.Context,
    name: str,
    property_name: Annotated[
        str, typer.Option("--property", metavar="PROPERTY", help="Its property; id or name.", autocompletion=complete_property)
    ],
    timezone: Zone = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", metavar="UNIT", help="Part of this unit; may be repeated.", autocompletion=complete_unit),
    ] = None,
    turnover_days: Turnover = None,
    check_in_time: CheckIn = None,
    check_out_time: CheckOut = None,
    cleaning_minutes: Cleaning = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a unit to a property."""
    from bokit.engine.catalog.view import describe_unit

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    place = catalog.find_property(session.tenant, property_name)
    times = _times(check_in_time, check_out_time, cleaning_minutes)
    values = {"name": name, "timezone": timezone, "turnover_days": turnover_days, "parts": part or [], **times}
    made, names = catalog.add_unit(session.tenant, place.id, values), session.names
    outcome = f"added unit {made.name} of {place.name}, {made.id}"
    session.answer(describe_unit(made, names), lambda c: print_line(c, outcome))


@units.command("edit")
def edit_unit(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="UNIT", help="Unit id or name.", autocompletion=complete_unit)],
    name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
    property_name: Annotated[
        str | None,
        typer.Option(
            "--property", metavar="PROPERTY", help="Move it to this property; id or name.", autocompletion=complete_property
        ),
    ] = None,
    timezone: Zone = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part", metavar="UNIT", help="Part of this unit; may be repeated, '' for none.", autocompletion=complete_unit
        ),
    ] = None,
    turnover_days: Turnover = None,
    check_in_time: CheckIn = None,
    check_out_time: CheckOut = None,
    cleaning_minutes: Cleaning = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Rename a unit, move it to another property, or change its settings; bookings and calendars stay its own."""
    from bokit.engine.catalog.view import describe_unit

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    house = catalog.find_property(session.tenant, property_name) if property_name else None
    parts = None if part is None else [name for name in part if name]
    moved_to, times = house and house.id, _times(check_in_time, check_out_time, cleaning_minutes)
    values = _given(name=name, property_id=moved_to, timezone=timezone, parts=parts, turnover_days=turnover_days, **times)
    unit = catalog.find_unit(session.tenant, place)
    zone = unit_zones(session).get(unit.id)
    made, names = catalog.edit_unit(session.tenant, unit.id, values), session.names

    def show(console: Console) -> None:
        is_moved = house is not None and made.property_id != unit.property_id
        print_line(
            console, f"moved: {names.of(made)} is of {house.name} now" if house and is_moved else f"changed: {names.of(made)}"
        )
        if (now := unit_zones(session).get(unit.id)) != zone:
            before, after = zone or "the tenant's", now or "the tenant's"
            print_line(console, f"its timezone is {after} now, not {before}: its calendars are read again at once")

    session.answer(describe_unit(made, names), show)


@units.command("list")
def list_units(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the units."""
    from bokit.engine.catalog.view import describe_unit

    session = Session(ctx, tenant, as_json)
    catalog, names = session.bokit.catalog, session.names
    found = names.sorted(catalog.list_units(session.tenant))
    places = {p.id: p.name for p in catalog.list_properties(session.tenant)}
    rows = [(names.of(u), u.id, places.get(u.property_id, "–"), ", ".join(map(names.of_unit, u.parts))) for u in found]
    session.answer_list(
        [describe_unit(u, names) for u in found], lambda c: UNITS.print(c, rows, "" if rows else session.first_step())
    )


properties.command("remove")(remove_property)
units.command("remove")(remove_unit)


def unit_zones(session: Session) -> dict[str, str]:
    """Return the timezone of each unit: its own, else its property's."""
    catalog = session.bokit.catalog
    houses = {p.id: p.timezone for p in catalog.list_properties(session.tenant)}
    units = {str(u.id): u.timezone or houses.get(u.property_id) for u in catalog.list_units(session.tenant)}
    return {unit: zone for unit, zone in units.items() if zone}
