"""Pages of calendars that are polled very often, kept by a process for a minute. Light to import: each poll may be a cold start.

    polls in a minute    │ the first nine: each reads the table │ the tenth reads it, and its page is kept │ the rest: none reads
    the next minute      │ the first reads it, and its page is kept │ the rest: none reads

A calendar that is polled as platforms poll, each a few times a day, is never kept: who reads it gets what is stored. Of one that
is polled a thousand times a second, a process reads the table once a minute. What is stored meanwhile is served after a minute
at most, and so is the end of its path.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.engine.bookings.limits import MAX_KEPT_BYTES, MAX_KEPT_PAGES, MIN_POLLS_KEPT

if TYPE_CHECKING:
    from bokit.store.published_protocol import PublishedDocument

NOTHING_FOR = timedelta(seconds=10)
"""How long it is kept that there is nothing under a path: a calendar that is opened again is there soon."""


@dataclass(slots=True)
class _Polled:
    """The polls of one path, in this period and in the one before, and what is kept of it."""

    since: datetime
    count: int = 0
    before: int = 0
    page: PublishedDocument | None = None
    until: datetime | None = None
    """When what is kept ends; None: nothing is kept."""

    @property
    def size(self) -> int:
        return len(self.page.body) if self.page else 0


class PageMemory:
    """Keeps pages for *keep* at most; safe to share between threads. Without a time it keeps nothing."""

    def __init__(self, keep: timedelta) -> None:
        self.keep = keep
        self._lock = threading.Lock()
        self._polled: OrderedDict[str, _Polled] = OrderedDict()
        self._bytes = 0

    def recall(self, digest: str, now: datetime) -> tuple[bool, PublishedDocument | None]:
        """Count a poll of the path with this hash; return whether anything is kept of it, and its page (None: it has none)."""
        if not self.keep:
            return False, None
        with self._lock:
            polled = self._polled.setdefault(digest, _Polled(since=now))
            self._polled.move_to_end(digest)
            if (passed := now - polled.since) >= self.keep:
                polled.before = polled.count if passed < 2 * self.keep else 0
                polled.since, polled.count = now, 0
            polled.count += 1
            self._shrink()
            if polled.until is None or polled.until <= now or not _still_stands(polled.page, now):
                return False, None
            return True, polled.page

    def remember(self, digest: str, page: PublishedDocument | None, now: datetime) -> None:
        """Keep what was just read of a path, if it is polled often."""
        with self._lock:
            polled = self._polled.get(digest)
            if polled is None or max(polled.count, polled.before) < MIN_POLLS_KEPT:
                return
            polled.until = now + (self.keep if page else min(self.keep, NOTHING_FOR))
            self._replace(polled, page)

    def update(self, page: PublishedDocument) -> None:
        """Replace the page where it is kept, for as long as it was to be: its readers were recorded."""
        with self._lock:
            if (polled := self._polled.get(page.hash)) and polled.page is not None:
                self._replace(polled, page)

    def _replace(self, polled: _Polled, page: PublishedDocument | None) -> None:
        self._bytes -= polled.size
        polled.page = page
        self._bytes += polled.size
        self._shrink()

    def _shrink(self) -> None:
        """Forget the paths that were polled longest ago, until there are few enough, and few enough bytes."""
        while self._polled and (len(self._polled) > MAX_KEPT_PAGES or self._bytes > MAX_KEPT_BYTES):
            self._bytes -= self._polled.popitem(last=False)[1].size


def _still_stands(page: PublishedDocument | None, now: datetime) -> bool:
    """Return whether neither the path has ended meanwhile, nor time alone changes the page."""
    times = (page.expires_at, page.refresh_at) if page else ()
    return all(at is None or at > now for at in times)
