"""Outgoing calendars, served: one read by the hash of the path's token. Light to import, since each poll may be a cold start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from bokit.core.model.access import hash_token

if TYPE_CHECKING:
    from bokit.engine.base.clock import Clock
    from bokit.store.protocols import Published, Store


class CalendarServer:
    """Finds what is published under a secret path."""

    def __init__(self, store: Store, clock: Clock, refresh: Callable[[Published], object]) -> None:
        self.store, self.clock, self.refresh = store, clock, refresh

    def serve(self, token: str) -> Published | None:
        """Return what is published under this path; None: nothing, or no longer. Costs one read, whatever the token.

        A page that time alone has made old is published anew by the first to ask for it.
        """
        hash, now = hash_token(token), self.clock()
        page = self._find_page(hash, now)
        if page is not None and page.refresh_at is not None and page.refresh_at <= now:
            self.refresh(page)
            page = self._find_page(hash, now)
        return page

    def _find_page(self, hash: str, now: datetime) -> Published | None:
        page = self.store.find_published(hash)
        return page if page and (page.expires_at is None or page.expires_at > now) else None
