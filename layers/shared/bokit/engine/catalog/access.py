"""Tokens made, listed, renamed and revoked; and who a request speaks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.access import PREFIX, Principal, Role, Token, TokenId, hash_token, is_token, read_bearer
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Json, TenantId
from bokit.engine.base.clock import Clock, Ids
from bokit.errors import InputError, UnknownIdError

if TYPE_CHECKING:
    from bokit.store.protocols import Store

log = logging.getLogger("bokit.access")

LONGEST = timedelta(days=3660)
"""A token that is to last longer does better without an end."""


class TokenService:
    """A tenant's tokens."""

    def __init__(self, store: Store, clock: Clock, new_id: Ids, new_secret: Callable[[], str]) -> None:
        self.store, self.clock, self.new_id, self.new_secret = store, clock, new_id, new_secret

    def create(self, tenant: TenantId, role: Role, name: str = "", expires_in: timedelta | None = None) -> tuple[Token, str]:
        """Make a token; return it with its text, which is nowhere kept and so can never be told again."""
        now = self.clock()
        expires_at = None if expires_in is None else now + _check_span(expires_in)
        self._check_tenant(tenant)
        text = PREFIX + self.new_secret()
        token = Token(
            id=TokenId(self.new_id("tok")),
            tenant=tenant,
            role=role,
            name=_read_name(name),
            hash=hash_token(text),
            created_at=now,
            expires_at=expires_at,
        )
        self.store.save_token(token)
        return token, text

    def list_tokens(self, tenant: TenantId) -> Sequence[Token]:
        """Return the tenant's tokens, revoked and expired ones included, oldest first."""
        return self.store.load_tokens(tenant)

    def find(self, tenant: TenantId, id: TokenId) -> Token:
        """Return the token of this id; raises UnknownIdError."""
        return self.store.load_token(tenant, id)

    def find_named(self, tenant: TenantId, word: str) -> Token:
        """Return the token of this id, or the only valid one of this name: a revoked one leaves its name to others.

        A token's own text finds it as well: that is what one has in hand of a token that leaked.
        """
        from bokit.engine.base.lookup import find_named

        if is_token(word):
            return self._find_by_text(tenant, word)
        tokens, now = self.store.load_tokens(tenant), self.clock()
        named = [t for t in tokens if t.name and t.is_valid(now)]
        return find_named([t for t in tokens if t.id == word] or named, word, "token")

    def _find_by_text(self, tenant: TenantId, text: str) -> Token:
        token = self.store.find_token(hash_token(text))
        if token is None or token.tenant != tenant:
            raise UnknownIdError("no such token; `bokit token list` shows them")  # its text goes into no error
        return token

    def rename(self, tenant: TenantId, id: TokenId, name: str) -> Token:
        """Give a token another name; what it opens stays as it is."""
        return self.store.rename_token(tenant, id, _read_name(name))

    def revoke(self, tenant: TenantId, id: TokenId) -> Token:
        """Make a token worthless; the gateway may let it pass for a minute more, since it remembers answers so long.

        A tenant's last valid admin token may go too: whoever can write the table makes another with `bokit token create`.
        """
        return self.store.revoke_token(tenant, id, self.clock())

    def authorize(self, header: str | None) -> Principal | None:
        """Return who an Authorization header speaks for; None: nobody.

        no token of our shape      nothing is read
        a token that we never made one read, no write
        expired, or revoked        the same
        valid                      one read; its last use is written where that is a quarter of an hour ago
        """
        text = read_bearer(header)
        token = None if text is None else self.store.find_token(hash_token(text))
        now = self.clock()
        if token is None or not token.is_valid(now):
            return None
        if token.wants_touch(now):
            self._touch(token, now)
        return Principal(tenant=token.tenant, role=token.role, id=token.id)

    def _touch(self, token: Token, now: datetime) -> None:
        try:
            self.store.touch_token(token, now)
        except Exception:  # a table too busy for a note of the last use must lock nobody out
            log.warning("a token's last use could not be noted", exc_info=True, extra={"facts": {"token_id": token.id}})

    def _check_tenant(self, tenant: TenantId) -> None:
        if tenant != DEFAULT_TENANT and all(t.id != tenant for t in self.store.load_tenants()):
            raise UnknownIdError("no such tenant; `bokit tenant list` shows them", id=tenant)


def describe_token(token: Token, now: datetime) -> dict[str, Json]:
    """Return a token's document: everything but what opens a door."""
    return {
        "id": token.id,
        "name": token.name,
        "role": str(token.role),
        "state": judge_token(token, now),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def judge_token(token: Token, now: datetime) -> str:
    """Return how a token stands, in one word."""
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.is_valid(now) else "expired"


def _check_span(span: timedelta) -> timedelta:
    if not timedelta(0) < span <= LONGEST:
        raise InputError(
            f"a token lasts a second to {LONGEST.days} days; leave expires_in out for one without an end",
            code="bad-field",
            field="expires_in",
        )
    return span


def _read_name(name: str) -> str:
    """Return a name, which may be empty: a token is known by its id."""
    if not name:
        return ""
    from bokit.engine.catalog.fields import PLACE_READERS, read_fields

    return str(read_fields({"name": name}, PLACE_READERS)["name"])
