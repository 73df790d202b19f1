"""Tokens in the table. The item under the hash is authoritative; a line in the tenant's catalog holds the hash.

Finding a request's token is one read, and revoking or touching it one conditional write of one item. No second copy can be
outdated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from bokit.core.model.access import Token, TokenId
from bokit.core.model.codec import read_document, write_document, write_micros
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import PutItem, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.shards import read_optional_time
from bokit.store.dynamo.usage import DynamoUsage, UsageChange
from bokit.values import replace


class DynamoTokens(DynamoUsage):
    """``AccessStore`` on the table."""

    def save_token(self, token: Token) -> None:
        absent = ItemRow.pk.does_not_exist()
        attributes = {
            "doc": _write_token(token),
            "tenant": token.tenant,
            "used_at": token.last_used_at and write_micros(token.last_used_at),
            "revoked_at": token.revoked_at and write_micros(token.revoked_at),
        }
        line = keys.catalog_key(token.tenant, "TOKEN", token.id)
        puts = [
            PutItem(key=keys.token_key(token.hash), attributes=attributes, condition=absent),
            PutItem(key=line, attributes={"doc": token.hash}, condition=absent),
        ]
        is_counted = token.revoked_at is None
        changes = [UsageChange(tenant=token.tenant, counted=QuotaName.TOKENS, more=1)] if is_counted else []
        if self.transact_counted(Transaction(puts=puts), changes):
            raise StoreConflictError("a token of this id or hash exists already", id=token.id)

    def find_token(self, digest: str) -> Token | None:
        key = keys.find_key(keys.token_key, digest)
        row = self._table.get(key) if key else None
        return read_token(row) if row else None

    def load_token(self, tenant: TenantId, token_id: TokenId) -> Token:
        line = self._table.get(keys.catalog_key(tenant, "TOKEN", token_id))
        token = self.find_token(line.doc) if line else None
        if token is None:
            raise UnknownIdError("no such token", id=token_id)
        return token

    def load_tokens(self, tenant: TenantId) -> Sequence[Token]:
        lines = self._table.query(keys.catalog_partition(tenant), ItemRow.sk.startswith("TOKEN#"))
        rows = self._table.get_all([keys.token_key(line.doc) for line in lines])
        return sorted((read_token(row) for row in rows.values()), key=lambda token: (token.created_at, token.id))

    def touch_token(self, token: Token, at: datetime) -> None:
        """Record its last use, by one conditional write.

        time ────────┬────────────────┬───────────────────►
        a user       │ revokes it     ·
        a request    ·                │ found it before, touches it now: refused, it stays revoked
        """
        valid = ItemRow.revoked_at.does_not_exist()
        newer = ItemRow.used_at.does_not_exist() | (ItemRow.used_at < write_micros(at))
        self._update(token, ItemRow.used_at.set(write_micros(at)), valid & newer)

    def rename_token(self, tenant: TenantId, token_id: TokenId, name: str) -> Token:
        token = replace(self.load_token(tenant, token_id), name=name)
        return self._update(token, ItemRow.doc.set(_write_token(token))) or self.load_token(tenant, token_id)

    def revoke_token(self, tenant: TenantId, token_id: TokenId, at: datetime) -> Token:
        token = self.load_token(tenant, token_id)
        if token.revoked_at is None:
            valid = (ItemRow.tenant == tenant) & ItemRow.revoked_at.does_not_exist()
            due = [ItemRow.due_pk.set(keys.DUE_CLOSINGS), ItemRow.due_at.set(write_micros(at))]
            actions = [ItemRow.revoked_at.set(write_micros(at)), *due]
            update = UpdateItem(key=keys.token_key(token.hash), actions=actions, condition=valid)
            fewer = UsageChange(tenant=tenant, counted=QuotaName.TOKENS, more=-1)
            self.transact_counted(Transaction(updates=[update]), [fewer])  # if another was first, it is revoked as well
        return self.load_token(tenant, token_id)

    def _update(self, token: Token, action: Action, condition: Condition | None = None) -> Token | None:
        """Change a token of its tenant; return None if *condition* failed, or it does not exist."""
        known = ItemRow.tenant == token.tenant
        both = known if condition is None else known & condition
        row = self._table.update(UpdateItem(key=keys.token_key(token.hash), actions=[action], condition=both))
        return read_token(row) if row else None


def _write_token(token: Token) -> str:
    """Return the document of a token; its times are attributes, each written alone."""
    return write_document(replace(token, last_used_at=None, revoked_at=None))


def read_token(row: ItemRow) -> Token:
    """Return the token of its row."""
    used, revoked = read_optional_time(row.used_at), read_optional_time(row.revoked_at)
    return replace(read_document(Token, row.doc), last_used_at=used, revoked_at=revoked)
