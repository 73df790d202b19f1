"""Tokens, and documents under secret paths, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bokit.core.model.access import Token, TokenId
from bokit.core.model.events import OutboxItem
from bokit.core.model.quotas import QuotaName
from bokit.core.model.readers import UnreadCalendar, next_check
from bokit.core.model.records import TenantId
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.memory.state import MemoryState, load_all
from bokit.store.protocols import PublishedDocument, ReadersChange
from bokit.values import replace


class MemoryAccess(MemoryState):
    """``AccessStore`` and ``PublishedStore`` in memory."""

    def save_token(self, token: Token) -> None:
        with self._lock:
            if token.hash in self._tokens or any(other.id == token.id for other in self.load_tokens(token.tenant)):
                raise StoreConflictError("a token of this id or hash exists already", id=token.id)
            if token.revoked_at is None:
                self._count(token.tenant, QuotaName.TOKENS, 1)
            self._tokens[token.hash] = token

    def find_token(self, digest: str) -> Token | None:
        with self._lock:
            return self._tokens.get(digest)

    def load_token(self, tenant: TenantId, token_id: TokenId) -> Token:
        with self._lock:
            for token in self._tokens.values():
                if (token.tenant, token.id) == (tenant, token_id):
                    return token
            raise UnknownIdError("no such token", id=token_id)

    def load_tokens(self, tenant: TenantId) -> Sequence[Token]:
        with self._lock:
            tokens = [token for token in self._tokens.values() if token.tenant == tenant]
            return sorted(tokens, key=lambda token: (token.created_at, token.id))

    def touch_token(self, token: Token, at: datetime) -> None:
        with self._lock:
            stored = self._tokens.get(token.hash)
            if stored is None or stored.tenant != token.tenant or stored.revoked_at:
                return
            if stored.last_used_at is None or stored.last_used_at < at:
                self._tokens[token.hash] = replace(stored, last_used_at=at)

    def rename_token(self, tenant: TenantId, token_id: TokenId, name: str) -> Token:
        with self._lock:
            token = replace(self.load_token(tenant, token_id), name=name)
            self._tokens[token.hash] = token
            return token

    def revoke_token(self, tenant: TenantId, token_id: TokenId, at: datetime) -> Token:
        with self._lock:
            token = self.load_token(tenant, token_id)
            if token.revoked_at is None:
                self._count(tenant, QuotaName.TOKENS, -1)
                token = self._tokens[token.hash] = replace(token, revoked_at=at)
                self._unclosed[token.hash] = at
            return token

    def save_published(self, published: PublishedDocument, *, only_if_unchanged: bool = False) -> None:
        with self._lock:
            stored = self._published.get(published.hash)
            version = stored.version if stored else 0
            if only_if_unchanged and published.version != version:
                raise StoreConflictError("the document was written by another meanwhile; make it again", id=published.id)
            kept = stored or published
            self._published[published.hash] = replace(
                published, version=version + 1, read_at=kept.read_at, first_read_at=None, readers=kept.readers
            )
            if stored is None:
                self._set_readers_due(published.hash, next_check(published.readers))

    def find_published(self, digest: str) -> PublishedDocument | None:
        with self._lock:
            return self._published.get(digest)

    def touch_published(self, digest: str, at: datetime, readers: ReadersChange | None = None) -> bool:
        with self._lock:
            stored = self._published.get(digest)
            if stored is None or (readers is None and stored.read_at is not None and stored.read_at >= at):
                return False
            if readers is not None and not self.save_readers(digest, readers):
                return False
            first = stored.first_read_at or at
            self._published[digest] = replace(self._published[digest], read_at=at, first_read_at=first)
            return True

    def save_readers(
        self, digest: str, readers: ReadersChange, unread: UnreadCalendar | None = None, item: OutboxItem | None = None
    ) -> bool:
        with self._lock:
            stored = self._published.get(digest)
            if stored is None or stored.readers != readers.before:
                return False
            self._published[digest] = replace(stored, readers=readers.after)
            self._set_readers_due(digest, readers.due_at)
            if unread is not None:
                self.delete_unread(unread.tenant, unread.id)
                if unread.readers:
                    self._unread_calendars[unread.tenant, unread.id] = unread
            if item is not None:
                self._put_outbox(item)
            return True

    def _set_readers_due(self, digest: str, at: datetime | None) -> None:
        self._readers_due.pop(digest, None)
        if at is not None:
            self._readers_due[digest] = at

    def load_due_readers(self, now: datetime, limit: int) -> Sequence[str]:
        with self._lock:
            return [digest for at, digest in sorted((at, d) for d, at in self._readers_due.items()) if at <= now][:limit]

    def load_unread(self, tenant: TenantId) -> Sequence[UnreadCalendar]:
        with self._lock:
            return sorted(load_all(self._unread_calendars, tenant), key=lambda calendar: calendar.id)

    def delete_unread(self, tenant: TenantId, calendar_id: str) -> None:
        with self._lock:
            self._unread_calendars.pop((tenant, calendar_id), None)

    def delete_published(self, digest: str) -> None:
        with self._lock:
            self._published.pop(digest, None)
            self._readers_due.pop(digest, None)
