"""Serving outgoing calendars: one read by the hash of the path's token. Light to import: each poll may be a cold start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.access import hash_token
from bokit.errors import BokitError

if TYPE_CHECKING:
    from bokit.engine.base.clock import Clock
    from bokit.store.protocols import PublishedDocument, Store

log = logging.getLogger("bokit.calendars")

MIN_BETWEEN_TOUCHES = timedelta(minutes=15)


class CalendarServer:
    """Finds the page under a secret path."""

    def __init__(self, store: Store, clock: Clock, refresh: Callable[[PublishedDocument], object]) -> None:
        self.store, self.clock, self.refresh = store, clock, refresh

    def serve(self, token: str) -> PublishedDocument | None:
        """Return the page under this path, in one read; None: there is none, or it has expired.

        The first request after ``refresh_at`` publishes the page again. That it was read is written at most once in
        MIN_BETWEEN_TOUCHES, and at the first request after the page changed: closures are judged by that.
        """
        token_hash, now = hash_token(token), self.clock()
        page = self._find_page(token_hash, now)
        if page is not None and page.refresh_at is not None and page.refresh_at <= now:
            self.refresh(page)
            page = self._find_page(token_hash, now)
        if page is not None and _is_news(page, now):
            self._touch(page, now)
        return page

    def _touch(self, page: PublishedDocument, now: datetime) -> None:
        """Record the read. Where that fails, the page is served all the same, and the next read is recorded."""
        try:
            self.store.touch_published(page.hash, now)
        except BokitError:
            log.warning("a calendar's read was not recorded", exc_info=True, extra={"facts": {"tenant": page.tenant}})

    def _find_page(self, token_hash: str, now: datetime) -> PublishedDocument | None:
        page = self.store.find_published(token_hash)
        return page if page and (page.expires_at is None or page.expires_at > now) else None


def _is_news(page: PublishedDocument, now: datetime) -> bool:
    """Return whether a read of *page* is worth a write."""
    is_first = page.read_at is None or page.first_read_at is None
    return is_first or (page.read_at is not None and now - page.read_at >= MIN_BETWEEN_TOUCHES)
