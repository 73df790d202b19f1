"""Serving outgoing calendars: one read by the hash of the path's token. Light to import: each poll may be a cold start.

Of a calendar that is polled very often, a process keeps the page for a minute (``page_memory``). Closures are judged by which
page a platform has read first, so that one must not get an older page afterwards, from a process that still keeps it:

    time          ──┬───────────────┬────────────────────┬──────────────────────────────►
    page            │ A             │ B is written       ·
    process 1       │ keeps A       ·  serves A          │ a minute later: reads B
    process 2       ·               ·  serves B: notes   │ serves B: recorded as the first read of B
                                       its reader alone
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.access import hash_token
from bokit.core.model.limits import MIN_BETWEEN_READS
from bokit.core.model.readers import find_kind, next_check, note_read
from bokit.engine.bookings.availability import UnitFreshness, describe_availability
from bokit.engine.bookings.page_memory import PageMemory
from bokit.errors import BokitError
from bokit.store.published_protocol import ReadersChange
from bokit.values import replace

if TYPE_CHECKING:
    from bokit.engine.base.clock import Clock
    from bokit.engine.bookings.availability import AvailabilityDocument
    from bokit.store.protocols import Store
    from bokit.store.published_protocol import PublishedDocument

log = logging.getLogger("bokit.calendars")

MAX_TOUCH_TRIES = 3
"""Attempts to record a read where other readers came at the same moment."""


class CalendarServer:
    """Finds the page under a secret path."""

    def __init__(
        self, store: Store, clock: Clock, refresh: Callable[[PublishedDocument], object], keep: timedelta = timedelta()
    ) -> None:
        self.store, self.clock, self.refresh = store, clock, refresh
        self.freshness, self.memory = UnitFreshness(store, clock), PageMemory(keep)

    def serve(self, token: str, agent: str | None = None) -> PublishedDocument | None:
        """Return the page under this path, in one read; None: there is none, or it has expired. *agent*: who reads it.

        The first request after ``refresh_at`` publishes the page again. That it was read is written at most once in
        MIN_BETWEEN_READS for each kind of reader, and at the first request after the page changed; in the minute in which another
        process may serve the page before it, its reader alone is noted: closures are judged by the rest.
        """
        digest, now = hash_token(token), self.clock()
        is_kept, page = self.memory.recall(digest, now)
        if is_kept and (page is None or not self._is_recorded(page, agent, now)):
            return page
        page = self._load(digest, now)
        if page is not None:
            self._record_read(page, agent)
        return page

    def find(self, token: str) -> PublishedDocument | None:
        """Return the page under this path; that it was looked for is not recorded."""
        digest, now = hash_token(token), self.clock()
        is_kept, page = self.memory.recall(digest, now)
        return page if is_kept else self._load(digest, now)

    def _load(self, digest: str, now: datetime) -> PublishedDocument | None:
        page = self._find_page(digest, now)
        if page is not None and page.refresh_at is not None and page.refresh_at <= now:
            self.refresh(page)
            page = self._find_page(digest, now)
        self.memory.remember(digest, page, now)
        return page

    def serve_taken(self, token: str) -> tuple[PublishedDocument, AvailabilityDocument] | None:
        """Return the page under this path, and the taken nights of its unit; None: there is none, or the path shows none.

        A website's visitors are not the calendar's consumer: their reads are not recorded.
        """
        page = self.find(token)
        if page is not None and not page.availability:  # a former release wrote it
            self.refresh(page)
            page = self._find_page(page.hash, self.clock())
        if page is None or not page.availability.get("unit"):
            return None
        as_of = self.freshness.as_of(page.tenant, page.availability["units"])
        return page, describe_availability(page, as_of)

    def _record_read(self, page: PublishedDocument, agent: str | None) -> None:
        """Record the read. Where that fails, the page is served all the same, and the next read is recorded."""
        try:
            for _ in range(MAX_TOUCH_TRIES):
                if self._touch(page, agent) or (found := self.store.find_published(page.hash)) is None:
                    return
                page = found
        except BokitError:
            log.warning("a calendar's read was not recorded", exc_info=True, extra={"facts": {"tenant": page.tenant}})

    def _touch(self, page: PublishedDocument, agent: str | None) -> bool:
        """Write the read if it is news; return False where others changed the readers meanwhile."""
        now = self.clock()
        readers = note_read(page.readers, find_kind(agent).id, now)
        change = ReadersChange(before=page.readers, after=readers, due_at=next_check(readers)) if readers else None
        if not self._is_only_page(page, now):  # who reads it is noted, but not that this page was read
            if change and not self.store.save_readers(page.hash, change):
                return False
            self.memory.update(replace(page, readers=readers or page.readers))
            return True
        if not (change or _is_news(page, now)):
            return True
        if not self.store.touch_published(page.hash, now, change) and change:
            return False
        self.memory.update(replace(page, read_at=now, first_read_at=page.first_read_at or now, readers=readers or page.readers))
        return True

    def _is_recorded(self, page: PublishedDocument, agent: str | None, now: datetime) -> bool:
        """Return whether anything of this read of *page* is written."""
        is_new_to_page = self._is_only_page(page, now) and _is_news(page, now)
        return is_new_to_page or note_read(page.readers, find_kind(agent).id, now) is not None

    def _is_only_page(self, page: PublishedDocument, now: datetime) -> bool:
        """Return whether nobody may get an older page any more, from a process that keeps it."""
        return page.read_at is None or now - page.changed_at >= self.memory.keep

    def _find_page(self, token_hash: str, now: datetime) -> PublishedDocument | None:
        page = self.store.find_published(token_hash)
        return page if page and (page.expires_at is None or page.expires_at > now) else None


def _is_news(page: PublishedDocument, now: datetime) -> bool:
    """Return whether a read of *page* is worth a write, for any reader."""
    is_first = page.read_at is None or page.first_read_at is None
    return is_first or (page.read_at is not None and now - page.read_at >= MIN_BETWEEN_READS)
