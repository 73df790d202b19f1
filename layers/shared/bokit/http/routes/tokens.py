"""``/tokens``: API tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from bokit.core.model.access import Token, TokenId, read_role
from bokit.engine.catalog.access import describe_token
from bokit.engine.catalog.limits import MAX_TOKEN_DAYS
from bokit.http.bodies import Body, Name, SpanText
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply
from bokit.http.routing import ADMIN, VIEWER, Routes, lists, makes, shows, updates

routes = Routes("tokens")


class NewToken(Body):
    """A token to create."""

    name: Name = ""
    role: Literal["viewer", "operator", "admin"] = "viewer"
    expires_in: Annotated[int | None, SpanText()] = Field(
        default=None, ge=1, le=MAX_TOKEN_DAYS * 86_400, description="In seconds or as `90d`; null: it never expires."
    )


class TokenEdit(Body):
    """Changes to a token."""

    name: Name = ""


@routes.serve("GET", "/tokens", ADMIN, lists("Token"))
def list_tokens(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the tokens, oldest first, with revoked and expired ones; their text is never shown again."""
    call, now = routes.call, routes.call.engine.clock()
    found = call.engine.access.list_tokens(call.tenant)
    return call.reply_page(found, lambda t: describe_token(t, now), by_age, ("tokens",), limit, cursor)


def by_age(token: Token) -> Key:
    """Return the sort key of a token."""
    return token.created_at.isoformat(), token.id


@routes.serve("POST", "/tokens", ADMIN, makes("TokenCreated", "Created. Its text is shown only this once."))
def create_token(body: NewToken) -> Reply:
    """Create a token."""
    call = routes.call
    span = None if body.expires_in is None else timedelta(seconds=body.expires_in)
    token, text = call.engine.access.create(call.tenant, read_role(body.role), body.name, span)
    return reply({**describe_token(token, call.engine.clock()), "token": text}, 201, location=f"/tokens/{token.id}")


@routes.serve("GET", "/tokens/current", VIEWER, shows("CurrentToken"))
def show_current_token() -> Reply:
    """Show the token that the request came with: its role, its tenant and when it expires.

    Of a JWT `id` is the subject; `name` is empty and `expires_at` null.
    """
    call = routes.call
    return reply(call.engine.access.describe_current(call.principal))


@routes.serve("GET", "/tokens/{id}", ADMIN, shows("Token"))
def show_token(id: Id) -> Reply:
    """Show one token."""
    call = routes.call
    return reply(describe_token(call.engine.access.find(call.tenant, TokenId(id)), call.engine.clock()))


@routes.serve("PATCH", "/tokens/{id}", ADMIN, updates("Token"))
def edit_token(id: Id, body: TokenEdit) -> Reply:
    """Rename a token."""
    call, values = routes.call, body.sent()
    tokens, token_id = call.engine.access, TokenId(id)
    token = tokens.rename(call.tenant, token_id, values["name"]) if values else tokens.find(call.tenant, token_id)
    return reply(describe_token(token, call.engine.clock()))


@routes.serve("DELETE", "/tokens/{id}", ADMIN, updates("Token"))
def revoke_token(id: Id) -> Reply:
    """Revoke a token; takes effect within a minute."""
    call = routes.call
    return reply(describe_token(call.engine.access.revoke(call.tenant, TokenId(id)), call.engine.clock()))
