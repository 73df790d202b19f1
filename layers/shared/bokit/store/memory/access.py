"""Tokens, and pages under secret paths, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bokit.core.model.access import Token, TokenId
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.memory.state import MemoryState
from bokit.store.protocols import Published


class MemoryAccess(MemoryState):
    """``AccessStore`` and ``PublishedStore`` in memory."""

    def save_token(self, token: Token) -> None:
        """Write a new token; raises StoreConflictError."""
        with self._lock:
            taken = token.hash in self._tokens or any(t.id == token.id for t in self.load_tokens(token.tenant))
            if taken:
                raise StoreConflictError("a token of this id or hash is there already", id=token.id)
            self._tokens[token.hash] = token

    def find_token(self, hash: str) -> Token | None:
        """Return the token of this hash, expired and revoked ones too; None: there is none."""
        with self._lock:
            return self._tokens.get(hash)

    def load_token(self, tenant: TenantId, id: TokenId) -> Token:
        """Return one token; raises UnknownIdError."""
        with self._lock:
            for token in self._tokens.values():
                if (token.tenant, token.id) == (tenant, id):
                    return token
            raise UnknownIdError("no such token", id=id)

    def load_tokens(self, tenant: TenantId) -> Sequence[Token]:
        """Return every token of the tenant, revoked ones included, oldest first."""
        with self._lock:
            tokens = [token for token in self._tokens.values() if token.tenant == tenant]
            return sorted(tokens, key=lambda token: (token.created_at, token.id))

    def touch_token(self, token: Token, at: datetime) -> None:
        """Note its last use; nothing happens where it is gone, revoked, or was used later."""
        with self._lock:
            stored = self._tokens.get(token.hash)
            if stored is None or stored.tenant != token.tenant or stored.revoked_at:
                return
            if stored.last_used_at is None or stored.last_used_at < at:
                self._tokens[token.hash] = replace(stored, last_used_at=at)

    def rename_token(self, tenant: TenantId, id: TokenId, name: str) -> Token:
        """Give it another name; raises UnknownIdError."""
        with self._lock:
            token = replace(self.load_token(tenant, id), name=name)
            self._tokens[token.hash] = token
            return token

    def revoke_token(self, tenant: TenantId, id: TokenId, at: datetime) -> Token:
        """Make it worthless from now on; raises UnknownIdError. A second time changes nothing."""
        with self._lock:
            token = self.load_token(tenant, id)
            if token.revoked_at is None:
                token = self._tokens[token.hash] = replace(token, revoked_at=at)
            return token

    def save_published(self, page: Published, *, only_if_unmoved: bool = False) -> None:
        """Write it whole, replacing what stood under its hash; *only_if_unmoved*: if its version is the stored one."""
        with self._lock:
            stored = self._published.get(page.hash)
            version = stored.version if stored else 0
            if only_if_unmoved and page.version != version:
                raise StoreConflictError("the page was written by another meanwhile; make it anew", id=page.id)
            self._published[page.hash] = replace(page, version=version + 1)

    def find_published(self, hash: str) -> Published | None:
        """Return the page under this hash, an expired one too; None: there is none."""
        with self._lock:
            return self._published.get(hash)

    def delete_published(self, hash: str) -> None:
        """Forget it; nothing happens where there is none."""
        with self._lock:
            self._published.pop(hash, None)
