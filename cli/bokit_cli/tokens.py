"""``bokit token``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.completion import complete_token
from bokit_cli.flags import DEFAULT, AsJson, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, print_line, word
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.access import Token
    from bokit.engine.catalog.access import TokenDocument

tokens = typer.Typer(no_args_is_help=True, help="API tokens, each for one tenant and one role.")

TOKENS = Table(
    Column("id", drop=5),
    Column("name", least=10),
    Column("role", drop=4),
    Column("state"),
    Column("created", drop=1),
    Column("last used", drop=2),
    Column("expires", drop=3),
    empty="no token yet; `bokit token create` creates one",
)
MAY = {"viewer": "reads", "operator": "reads, triggers and edits", "admin": "may do everything"}


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(tokens, name="token")


@tokens.command("create")
def create_token(
    ctx: typer.Context,
    role: Annotated[
        str,
        typer.Option("--role", metavar="ROLE", help="viewer reads; operator also triggers and edits; admin may do everything."),
    ] = "viewer",
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What it is for.")] = "",
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", metavar="SPAN", help="As in 90d or 24h; never expires if omitted.")
    ] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Create an API token and show it, only this once."""
    from bokit.core.model.access import read_role

    read, span = read_role(role), _read_span(expires_in)
    session = Session(ctx, tenant, as_json)
    token, text = session.bokit.access.create(session.tenant, read, name, span)
    document = {"token": text, "id": token.id, "role": str(token.role), "expires_at": token.expires_at}
    session.answer(document, lambda c: _show_new(c, token, text, session.bokit.api_url))


def _read_span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    from bokit.core.model.options import read_seconds
    from bokit.engine.catalog.limits import MAX_TOKEN_DAYS

    return timedelta(seconds=read_seconds(text, least=60, most=MAX_TOKEN_DAYS * 86_400))


def _show_new(console: Console, token: Token, text: str, api_url: str | None) -> None:
    ends = f"expires {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "never expires"
    print_line(console, text)
    print_line(console, f"created token {token.id} of tenant {token.tenant}: {token.role}, {MAY[token.role]}; {ends}")
    print_line(console, "this is the only time that it is shown: keep it now, as you would a password")
    if api_url:
        print_line(console, f"this link opens the page, signed in by it: {api_url}/#token={text}")


@tokens.command("list")
def list_tokens(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """List the tokens with their last use; never their text."""
    from bokit.engine.catalog.access import describe_token

    session = Session(ctx, tenant, as_json)
    found, now = session.bokit.access.list_tokens(session.tenant), session.bokit.clock()
    documents = [describe_token(t, now) for t in found]
    rows = [_token_row(d, now) for d in documents]
    session.answer_list(documents, lambda c: TOKENS.print(c, rows))


def _token_row(doc: TokenDocument, now: datetime) -> tuple[object, ...]:
    used, made = ago_words(doc["last_used_at"], now), ago_words(doc["created_at"], now)
    ends = ago_words(doc["expires_at"], now) if doc["expires_at"] else "never"
    return (doc["id"], doc["name"] or "–", doc["role"], word(doc["state"]), made, used, ends)


@tokens.command("revoke")
def revoke_token(
    ctx: typer.Context,
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="Its id, the name of a valid one, or its text.", autocompletion=complete_token)
    ],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Revoke a token; takes effect within a minute."""
    from bokit.engine.catalog.access import describe_token

    session = Session(ctx, tenant, as_json)
    access = session.bokit.access
    revoked = access.revoke(session.tenant, access.find_named(session.tenant, token).id)
    document = describe_token(revoked, session.bokit.clock())
    session.answer(document, lambda c: print_line(c, f"revoked token {revoked.id}; takes effect within a minute"))
