"""API tokens: created, listed, renamed and revoked; and whom a request acts for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypedDict

from bokit.core.model.access import PREFIX, Principal, Role, Token, TokenId, hash_token, is_token, read_bearer
from bokit.core.model.records import TenantId
from bokit.engine.base.clock import Clock, Ids
from bokit.engine.catalog.limits import MAX_TOKEN_DAYS
from bokit.errors import InputError, UnknownIdError

if TYPE_CHECKING:
    from bokit.store.protocols import Store

log = logging.getLogger("bokit.access")


class TokenService:
    """A tenant's tokens."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        new_id: Ids,
        new_secret: Callable[[], str],
        close: Callable[[Token], object] | None = None,
    ) -> None:
        """*close* closes a revoked token's connections, where this process can; it must not raise."""
        self.store, self.clock, self.new_id, self.new_secret, self.close = store, clock, new_id, new_secret, close

    def create(self, tenant: TenantId, role: Role, name: str = "", expires_in: timedelta | None = None) -> tuple[Token, str]:
        """Create a token; return it with its text, which is stored nowhere and shown only this once."""
        from bokit.engine.base.tenant_options import check_tenant

        now = self.clock()
        expires_at = None if expires_in is None else now + _check_span(expires_in)
        check_tenant(self.store, tenant)
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

    def find(self, tenant: TenantId, token_id: TokenId) -> Token:
        """Return the token of this id; raises UnknownIdError."""
        return self.store.load_token(tenant, token_id)

    def find_named(self, tenant: TenantId, word: str) -> Token:
        """Return the token of this id, or the only valid one of this name: a revoked one frees its name for others.

        A token's own text finds it as well: of a leaked token that may be all one has.
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
            raise UnknownIdError("no such token; `bokit token list` shows them")  # the error must not repeat its text
        return token

    def describe_current(self, principal: Principal) -> CurrentTokenDocument:
        """Return the document of the token that a request came with; a JWT is stored nowhere: no name, no end."""
        name, expires_at = "", None
        with suppress(UnknownIdError):
            token = self.find(principal.tenant, TokenId(principal.id))
            name, expires_at = token.name, token.expires_at
        role, tenant = principal.role, principal.tenant
        return CurrentTokenDocument(id=principal.id, name=name, role=role, tenant=tenant, expires_at=expires_at)

    def rename(self, tenant: TenantId, token_id: TokenId, name: str) -> Token:
        """Rename a token; its role stays."""
        return self.store.rename_token(tenant, token_id, _read_name(name))

    def revoke(self, tenant: TenantId, token_id: TokenId) -> Token:
        """Revoke a token, and close its connections; the gateway caches decisions and may accept it for a minute more.

        A tenant's last valid admin token may be revoked too: with access to the table, `bokit token create` makes another.
        """
        token = self.store.revoke_token(tenant, token_id, self.clock())
        if self.close:
            self.close(token)
        return token

    def authorize(self, header: str | None) -> Principal | None:
        """Return whom an Authorization header acts for; None: nobody.

        not shaped like a token     nothing is read
        unknown, expired, revoked   one read, no write
        valid                       one read; its last use is written where the stored one is a quarter of an hour old
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
        except Exception:  # a busy table must not lock anybody out
            log.warning("a token's last use could not be noted", exc_info=True, extra={"facts": {"token_id": token.id}})


class TokenDocument(TypedDict):
    """An API token (secret omitted)."""

    id: str
    name: str
    role: Role
    state: Literal["valid", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class CurrentTokenDocument(TypedDict):
    """The token that a request came with (secret omitted), and the tenant that it acts for."""

    id: str
    name: str
    role: Role
    tenant: str
    expires_at: datetime | None


def describe_token(token: Token, now: datetime) -> TokenDocument:
    """Return a token's document, without its secret."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "state": judge_token(token, now),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def judge_token(token: Token, now: datetime) -> Literal["valid", "expired", "revoked"]:
    """Return the token's state."""
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.is_valid(now) else "expired"


def _check_span(span: timedelta) -> timedelta:
    if not timedelta(0) < span <= timedelta(days=MAX_TOKEN_DAYS):
        message = f"a token lasts a second to {MAX_TOKEN_DAYS} days; leave expires_in out for one without an end"
        raise InputError(message, code="bad-field", field="expires_in")
    return span


def _read_name(name: str) -> str:
    """Return a name, which may be empty."""
    if not name:
        return ""
    from bokit.engine.catalog.fields import PLACE_READERS, read_fields

    return str(read_fields({"name": name}, PLACE_READERS)["name"])
