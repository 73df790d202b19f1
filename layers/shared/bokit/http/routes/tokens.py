"""``/tokens``: who may come in."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from bokit.core.model.access import Token, TokenId, read_role
from bokit.engine.catalog.access import describe_token
from bokit.http.bodies import Body, Name
from bokit.http.paging import Key
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Reply, reply
from bokit.http.routing import ADMIN, Routes, lists, makes, shows

routes = Routes("tokens")


class NewToken(Body):
    """A token to make."""

    name: Name = ""
    role: Literal["viewer", "operator", "admin"] = "viewer"
    expires_in: int | None = Field(default=None, ge=1, le=316_224_000, description="Seconds; null: it does not expire.")


class TokenEdit(Body):
    """What to change of a token."""

    name: Name = ""


@routes.serve("GET", "/tokens", ADMIN, lists("Token"))
def list_tokens(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The tokens, oldest first, revoked and expired ones included; what opens a door is not told again."""
    call, now = routes.call, routes.call.engine.clock()
    found = call.engine.access.list_tokens(call.tenant)
    return call.reply_page(found, lambda t: describe_token(t, now), by_age, of=("tokens",), limit=limit, cursor=cursor)


def by_age(token: Token) -> Key:
    """Return where a token stands in its list."""
    return token.created_at.isoformat(), token.id


@routes.serve("POST", "/tokens", ADMIN, makes("TokenCreated", "It was made; this is the only time that its text is told."))
def make_token(body: NewToken) -> Reply:
    """Make a token."""
    call = routes.call
    span = None if body.expires_in is None else timedelta(seconds=body.expires_in)
    token, text = call.engine.access.create(call.tenant, read_role(body.role), body.name, span)
    return reply({**describe_token(token, call.engine.clock()), "token": text}, 201, at=f"/tokens/{token.id}")


@routes.serve("GET", "/tokens/{id}", ADMIN, shows("Token"))
def show_token(id: Id) -> Reply:
    """One token."""
    call = routes.call
    return reply(describe_token(call.engine.access.find(call.tenant, TokenId(id)), call.engine.clock()))


@routes.serve("PATCH", "/tokens/{id}", ADMIN, shows("Token", "As it is now."))
def edit_token(id: Id, body: TokenEdit) -> Reply:
    """Give a token another name."""
    call, told = routes.call, body.told()
    desk, token_id = call.engine.access, TokenId(id)
    token = desk.rename(call.tenant, token_id, told["name"]) if "name" in told else desk.find(call.tenant, token_id)
    return reply(describe_token(token, call.engine.clock()))


@routes.serve("DELETE", "/tokens/{id}", ADMIN, shows("Token", "As it is now."))
def revoke_token(id: Id) -> Reply:
    """Revoke a token; it opens nothing a minute later."""
    call = routes.call
    return reply(describe_token(call.engine.access.revoke(call.tenant, TokenId(id)), call.engine.clock()))
