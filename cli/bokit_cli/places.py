"""``bokit tenant``, ``bokit property`` and ``bokit unit``."""

from __future__ import annotations

from typing import Annotated

import typer

from bokit_cli.flags import DEFAULT, AsJson, Tenant, Turnover, Zone
from bokit_cli.session import Session
from bokit_cli.show import ago_words, print_line, print_table

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
    session.answer_list([describe_tenant(t) for t in found], lambda c: print_table(c, ["tenant", "id!", "since"], rows, ""))


@tenants.command("remove")
def remove_tenant(ctx: typer.Context, tenant: str, as_json: AsJson = False) -> None:
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
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a property."""
    from bokit.engine.catalog.view import describe_property

    session = Session(ctx, tenant, as_json)
    values = {"name": name, "timezone": timezone, "turnover_days": turnover_days}
    made = session.bokit.catalog.add_property(session.tenant, values)
    session.answer(describe_property(made), lambda c: print_line(c, f"added property {made.name}, {made.id}"))


@properties.command("list")
def list_properties(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the properties."""
    from bokit.engine.catalog.view import describe_property

    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.list_properties(session.tenant)
    columns, rows = ["property", "id!", "timezone"], [(p.name, p.id, p.timezone or "–") for p in found]
    empty = "no property yet; `bokit property add NAME` adds one"
    session.answer_list([describe_property(p) for p in found], lambda c: print_table(c, columns, rows, empty))


@units.command("add")
def add_unit(
    ctx: typer.Context,
    name: str,
    property_name: Annotated[str, typer.Option("--property", metavar="PROPERTY", help="Its property; id or name.")],
    timezone: Zone = None,
    part: Annotated[list[str] | None, typer.Option("--part", metavar="UNIT", help="Part of this unit; may be repeated.")] = None,
    turnover_days: Turnover = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a unit to a property."""
    from bokit.engine.catalog.view import describe_unit

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    place = catalog.find_property(session.tenant, property_name)
    values = {"name": name, "timezone": timezone, "turnover_days": turnover_days, "parts": part or []}
    made = catalog.add_unit(session.tenant, place.id, values)
    session.answer(describe_unit(made), lambda c: print_line(c, f"added unit {made.name} of {place.name}, {made.id}"))


@units.command("list")
def list_units(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the units."""
    from bokit.engine.catalog.view import describe_unit

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    found, places = catalog.list_units(session.tenant), {p.id: p.name for p in catalog.list_properties(session.tenant)}
    names = {u.id: u.name for u in found}
    rows = [(u.name, u.id, places.get(u.property_id, "–"), ", ".join(names.get(p, p) for p in u.parts)) for u in found]
    columns, empty = ["unit", "id!", "property", "parts"], "no unit yet; `bokit unit add NAME --property PROPERTY` adds one"
    session.answer_list([describe_unit(u) for u in found], lambda c: print_table(c, columns, rows, empty))
