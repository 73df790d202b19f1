"""``bokit options``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.completion import complete_option
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import exact_span_words, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from bokit.engine.catalog.options import OptionDocument

OPTIONS = Table(
    Column("option"), Column("value", least=10), Column("set", drop=3, least=8), Column("what it does", drop=2, least=20)
)
IN_SECONDS = frozenset({"sync.interval", "sync.full_interval", "sync.cancel_after", "sync.stale_after"})
options = typer.Typer(no_args_is_help=True, help="Options of the tenant.")
OptionName = Annotated[
    str, typer.Argument(metavar="NAME", help="A name that `bokit options list` shows.", autocompletion=complete_option)
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(options, name="options")


@options.command("list")
def list_options(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the options with their values."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.list_options(session.tenant)
    rows = [(o["name"], _option_words(o), _source_words(o), o["about"]) for o in found]
    session.answer_list(found, lambda c: OPTIONS.print(c, rows))


@options.command("get")
def get_option(ctx: typer.Context, name: OptionName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Print one option's value."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.get(session.tenant, name)
    session.answer(found, lambda c: print_line(c, _value_words(found["value"])))


@options.command("set")
def set_option(ctx: typer.Context, name: OptionName, value: str, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Set an option; takes effect at once."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.set(session.tenant, name, value)
    session.answer(found, lambda c: print_line(c, f"{name} is {_option_words(found)}"))


@options.command("unset")
def unset_option(ctx: typer.Context, name: OptionName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Restore an option's default."""
    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.options.unset(session.tenant, name)
    session.answer(found, lambda c: print_line(c, f"{name} is {_option_words(found)} again"))


def _source_words(option: OptionDocument) -> str:
    return f"stored value not used: {option['fault']}" if option["fault"] else "set" if option["is_set"] else ""


def _option_words(option: OptionDocument) -> str:
    """Return an option's value; of seconds also the span that they are."""
    value, shown = option["value"], _value_words(option["value"])
    return f"{shown} ({exact_span_words(value)})" if option["name"] in IN_SECONDS and isinstance(value, int) else shown


def _value_words(value: Any) -> str:
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
