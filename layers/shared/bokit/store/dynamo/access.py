"""Tokens in the table. The item under the hash is the truth; a line in the tenant's catalog says that it is there.

So a request's token is one read, and revoking or touching it is one conditional write of one item: no second copy
can be behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bokit.core.model.access import Token, TokenId
from bokit.core.model.codec import read_document, write_document, write_time
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Put, Rows, Transaction, Update
from bokit.store.dynamo.model import Row
from bokit.store.dynamo.shards import read_due


class TokenRows:
    """``AccessStore`` on the table."""

    _rows: Rows

    def save_token(self, token: Token) -> None:
        """Write a new token and its line in the catalog, both or neither; raises StoreConflictError."""
        absent = Row.pk.does_not_exist()
        attributes = {
            "doc": _write_token(token),
            "tenant": token.tenant,
            "used_at": token.last_used_at and write_time(token.last_used_at),
            "revoked_at": token.revoked_at and write_time(token.revoked_at),
        }
        puts = [
            Put(key=keys.token_key(token.hash), attributes=attributes, condition=absent),
            Put(key=keys.catalog_key(token.tenant, "TOKEN", token.id), attributes={"doc": token.hash}, condition=absent),
        ]
        if self._rows.transact(Transaction(puts=puts)):
            raise StoreConflictError("a token of this id or hash is there already", id=token.id)

    def find_token(self, hash: str) -> Token | None:
        """Return the token of this hash, in one read, expired and revoked ones too; None: there is none."""
        key = keys.find_key(keys.token_key, hash)
        row = self._rows.get(key) if key else None
        return _read_token(row) if row else None

    def load_token(self, tenant: TenantId, id: TokenId) -> Token:
        """Return one token; raises UnknownIdError."""
        line = self._rows.get(keys.catalog_key(tenant, "TOKEN", id))
        token = self.find_token(line.doc) if line else None
        if token is None:
            raise UnknownIdError("no such token", id=id)
        return token

    def load_tokens(self, tenant: TenantId) -> Sequence[Token]:
        """Return every token of the tenant, revoked ones included, oldest first."""
        lines = self._rows.query(keys.catalog_partition(tenant), Row.sk.startswith("TOKEN#"))
        rows = self._rows.get_all([keys.token_key(line.doc) for line in lines])
        return sorted((_read_token(row) for row in rows.values()), key=lambda token: (token.created_at, token.id))

    def touch_token(self, token: Token, at: datetime) -> None:
        """Note its last use; nothing happens where it is gone, revoked, or was used later.

        time ────────┬────────────────┬───────────────────►
        a person     │ revokes it     ·
        a request    ·                │ found it before, touches it now: refused, it stays as it was revoked
        """
        known = Row.tenant == token.tenant
        valid = Row.revoked_at.does_not_exist()
        newer = Row.used_at.does_not_exist() | (Row.used_at < write_time(at))
        used = Row.used_at.set(write_time(at))
        self._rows.update(Update(key=keys.token_key(token.hash), actions=[used], condition=known & valid & newer))

    def rename_token(self, tenant: TenantId, id: TokenId, name: str) -> Token:
        """Give it another name; raises UnknownIdError."""
        token = replace(self.load_token(tenant, id), name=name)
        known = Row.tenant == tenant
        renamed = Row.doc.set(_write_token(token))
        row = self._rows.update(Update(key=keys.token_key(token.hash), actions=[renamed], condition=known))
        return _read_token(row) if row else self.load_token(tenant, id)

    def revoke_token(self, tenant: TenantId, id: TokenId, at: datetime) -> Token:
        """Make it worthless from now on; raises UnknownIdError. A second time changes nothing."""
        token = self.load_token(tenant, id)
        known = Row.tenant == tenant
        valid = Row.revoked_at.does_not_exist()
        revoked = Row.revoked_at.set(write_time(at))
        row = self._rows.update(Update(key=keys.token_key(token.hash), actions=[revoked], condition=known & valid))
        return _read_token(row) if row else self.load_token(tenant, id)


def _write_token(token: Token) -> str:
    """Return what of a token never changes by itself; the rest are attributes, each written alone."""
    return write_document(replace(token, last_used_at=None, revoked_at=None))


def _read_token(row: Row) -> Token:
    return replace(read_document(Token, row.doc), last_used_at=read_due(row.used_at), revoked_at=read_due(row.revoked_at))
